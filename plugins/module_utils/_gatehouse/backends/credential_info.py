# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of credential_info."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..auth.retirement import retirements
from ..credentials.deliveries import Delivery, parts_of
from ..credentials.serialisation import PublicFields, refuse_malformed
from ..durations import parse_duration
from ..errors import CredentialNotFoundError, StoreError
from ..store.base import PublicStore
from ..task.context import Task
from ..task.options import STORE, Spec

SPEC: Spec = {
    "names": {"type": "list", "elements": "str"},
    "max_age": {"type": "str"},
    "warn_days": {"type": "int", "default": 90},
    **STORE,
}
SHOWN = 5  # names in a warning
DATES = ("created", "updated", "verified")


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Return what is stored, without opening it."""
    store = task.public_store
    now = datetime.datetime.now(datetime.UTC)
    max_age = parse_duration(options["max_age"], "max_age") if options["max_age"] else None
    names = list(dict.fromkeys(options["names"])) if options["names"] is not None else store.all_names()
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    deleted: list[dict[str, Any]] = []
    unreadable: list[dict[str, str]] = []
    for name in names:
        try:
            try:
                credential = described(store.read_public(name), now)
            except CredentialNotFoundError:
                credential = None
            consumers = _consumers(store, name, credential)
        except StoreError as exc:
            unreadable.append({"name": name, "problem": str(exc)})
            continue
        if credential:
            found.append({**credential, "consumers": consumers})
        elif consumers:
            deleted.append({"name": name, "consumers": consumers})
        if not credential and options["names"] is not None:
            missing.append(name)
    retiring = [item for item in found if item["retirement"] and item["days_left"] <= options["warn_days"]]
    return {
        "changed": False,
        "credentials": found,
        "missing": missing,
        "deleted": deleted,
        "unreadable": unreadable,
        "due": [item["name"] for item in found if max_age is not None and _is_due(item, max_age, now)],
        "retiring": [item["name"] for item in retiring],
        "outdated": [each["consumer"] for item in [*found, *deleted] for each in item["consumers"] if each["outdated"]],
        "warnings": [
            *(["the store has no credential " + _some(missing)] if missing else []),
            *(item["problem"] for item in unreadable[:SHOWN]),
            *_warn_of_outdated(found, deleted),
            *_countdown(retiring, options["warn_days"]),
        ],
    }


def _consumers(store: PublicStore, name: str, credential: PublicFields | None) -> list[dict[str, Any]]:
    """Return the files that contain a credential, sorted."""
    return [_consumer(each, it, credential) for each, it in sorted(store.read_public_deliveries(name).items())]


def _consumer(consumer: str, delivery: Delivery, credential: PublicFields | None) -> dict[str, Any]:
    host, target, dest = parts_of(consumer)
    return {
        "consumer": consumer,
        "host": host,
        "target": target,
        "dest": dest,
        "format": delivery.format,
        "version": delivery.version,
        "delivered": delivery.delivered,
        "standby": delivery.standby,
        "restarted": delivery.settled,
        "outdated": not delivery.is_of(credential),
    }


def _warn_of_outdated(found: list[dict[str, Any]], deleted: list[dict[str, Any]]) -> list[str]:
    """Return a warning for each credential whose consumer should have another version, or none."""
    warnings = []
    for item in found:
        files = [f"{each['consumer']} ({_version_of(each)})" for each in item["consumers"] if each["outdated"]]
        if files:
            warnings.append(f"{item['name']}: not on version {item['version']} yet: {_some(files)}; deliver it there")
    for item in deleted:
        consumers = _some([each["consumer"] for each in item["consumers"]])
        warnings.append(f"{item['name']} is deleted, but still in {consumers}; remove it there")
    return warnings


def _version_of(consumer: Mapping[str, Any]) -> str:
    standby = ", the user on standby" if consumer["standby"] else ""
    return f"version {consumer['version']}{standby}{'' if consumer['restarted'] else ', not restarted'}"


def described(clear: PublicFields, now: datetime.datetime) -> dict[str, Any]:
    """Return what is shown of one credential; raises StoreError when it is malformed."""
    with refuse_malformed(str(clear.get("name"))):
        retirement = retirements(clear["auth"], clear["verified"], now.date())
        return {
            **clear,
            "ages": {name: _days(clear[name], now) for name in DATES},
            "retirement": retirement,
            "days_left": retirement[0]["days_left"] if retirement else None,
        }


def _is_due(item: Mapping[str, Any], max_age: datetime.timedelta, now: datetime.datetime) -> bool:
    try:
        renewed = datetime.datetime.fromisoformat(item["secret_since"] or item["updated"])
        return bool(item["rotation"]) or now - renewed >= max_age
    except (TypeError, ValueError):
        return True  # whoever opens it says that it is damaged


def _days(when: str | None, now: datetime.datetime) -> int | None:
    return None if when is None else (now - datetime.datetime.fromisoformat(when)).days


def _countdown(retiring: Iterable[Mapping[str, Any]], days: int) -> list[str]:
    """Return one warning for each end that is near."""
    near: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = {}
    for credential in retiring:
        for item in credential["retirement"]:
            if item["days_left"] <= days:
                near[item["what"]].append(credential["name"])
                texts[item["what"]] = _text(item)
    return [f"{_some(names)}: {texts[what]}" for what, names in near.items()]


def _text(item: Mapping[str, Any]) -> str:
    left = item["days_left"]
    days = f"{abs(left)} day{'' if abs(left) == 1 else 's'}"
    day = f"in {days}" if left > 0 else f"{days} ago" if left else "today"
    how = "as others report"
    if item["date_grade"] == "assumed":
        how = "by a cautious guess, as Salesforce names the release only"
    told = f"{item['grade']}; {item['when']}, counted to {item['date']} {how}, {day}"
    return f"{item['why']} ({told}). To do: {item['change']}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
