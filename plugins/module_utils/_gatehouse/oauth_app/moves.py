# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials of an org move to OAuth, which do not, and why. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import OptionError
from .model import FLOWS

BY_PASSWORD = ("security_token", "username_password")
# A login that is made and tried before it replaces the old one is a credential of its own, under this name.
NEW = "{}.oauth"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """One credential that is to move.

    Attributes:
        auth: the flow to move it to, among FLOWS.
        app: the name of its app.
        username: who logs in, where the store does not say so.
    """

    name: str
    auth: str
    app: str
    username: str | None

    @classmethod
    def read(cls, item: Any) -> Wanted:
        """Read a name or a dictionary; raises OptionError."""
        given = {"name": item} if isinstance(item, str) else item
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
            raise OptionError("credentials", f"{item!r} is neither a name nor a dictionary of texts")
        if not given.get("name") or set(given) - names:
            raise OptionError("credentials", f"{sorted(given)}: name is needed, and {', '.join(sorted(names))} known")
        auth = given.get("auth", FLOWS[0])
        if auth not in FLOWS:
            raise OptionError("credentials", f"{given['name']}: auth {auth!r} is not one of {', '.join(FLOWS)}")
        app = given.get("app") or app_name(given["name"])
        return cls(name=given["name"], auth=auth, app=app, username=given.get("username"))


def app_name(credential: str) -> str:
    """Return the API name of the app of a credential: its name, with an underscore for all but letters and digits."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", credential).strip("_")
    return words if words[:1].isalpha() else f"app_{words}".strip("_")


def plan_moves(
    items: Sequence[Any],
    stored: Sequence[Mapping[str, Any]],
    files: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    last: str | None = None,
    failed: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return what becomes of each credential, in the order in which they move; raises OptionError.

    Args:
        items: names, or dictionaries of the fields of Wanted.
        stored: the credentials in the store, as credential_info returns them.
        files: what the applications of each host read, as the role app_credentials lists it.
        last: the credential that makes the apps, which moves last.
        failed: why the moves of some have failed.
    """
    wanted = [Wanted.read(item) for item in items]
    for name, count in Counter(item.name for item in wanted).items():
        if count > 1:
            raise OptionError("credentials", f"{name} is listed more than once")
    by_name = {item["name"]: item for item in stored}
    apps = Counter(item.app.lower() for item in wanted)
    plans = []
    for item in sorted(wanted, key=lambda one: one.name == last):
        used = {host: [file for file in listed if file["credential"] == item.name] for host, listed in files.items()}
        used = {host: listed for host, listed in used.items() if listed}
        old = by_name.get(item.name)
        why = _why_not(item, old, used)
        why = failed.get(item.name) or why
        if why is None and apps[item.app.lower()] > 1:
            why = f"another credential of the list has the app {item.app}, too; give one of them another app"
        plans.append({**_describe(item, old, used, why), "left": _is_left(old, by_name.get(NEW.format(item.name)))})
    return plans


def _why_not(
    item: Wanted, old: Mapping[str, Any] | None, used: Mapping[str, Sequence[Mapping[str, Any]]]
) -> str | None:
    """Return why a credential cannot move; None if it can, or has moved already."""
    if old is None and not item.username:
        return "the store does not have it; store it first, or say its username"
    if old is not None:
        if _has_moved(old):
            return None
        if old["auth"] not in BY_PASSWORD:
            return f"it logs in by {old['auth']}, which others open"
        if item.username and item.username.lower() != old["username"].lower():
            return f"it is of {old['username']}, not of {item.username}"
        if old["rotation"]:
            return "a rotation of its token has not come to its end; run rotate first"
    obstacles = [
        f"{host}:{file['dest']}: {file['obstacles'][item.auth]}"
        for host, listed in used.items()
        for file in listed
        if item.auth in file["obstacles"]
    ]
    return "; ".join(obstacles) or None


def _has_moved(old: Mapping[str, Any]) -> bool:
    return old["auth"] not in (*BY_PASSWORD, "session")


def _is_left(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    """Whether a run that was killed has left the new login of a credential that has moved; another user's is not."""
    return bool(old and new and _has_moved(old) and (old["username"] or "").lower() == (new["username"] or "").lower())


def _describe(
    item: Wanted, old: Mapping[str, Any] | None, used: Mapping[str, Sequence[Mapping[str, Any]]], why: str | None
) -> dict[str, Any]:
    files = [f"{host}:{file['dest']}" for host, listed in used.items() for file in listed]
    old_auth = old["auth"] if old else None
    if old and _has_moved(old):
        decision, text = "moved", f"{item.name}: logs in by {old_auth} already"
    elif why:
        decision, text = "stays", f"{item.name}: {_stay(old)}: {why}"
    else:
        decision = "move"
        text = f"{item.name}: from {old_auth or 'nothing'} to {item.auth} by the app {item.app}" + (
            f", then to {', '.join(files)}" if files else "; no application of the inventory reads it"
        )
    return {
        **dataclasses.asdict(item),
        "username": item.username or (old["username"] if old else None),
        "decision": decision,
        "why": why,
        "text": text,
        "new_name": NEW.format(item.name),
        # A host that stands for a service is not where its applications log in from.
        "hosts": [
            host for host, listed in used.items() if any(each.get("target", "file") == "file" for each in listed)
        ],
    }


def _stay(old: Mapping[str, Any] | None) -> str:
    """Say how a credential that does not move logs in, and when that ends."""
    if old is None:
        return "is not stored"
    ends = old["retirement"]
    end = f", which ends with {ends[-1]['when']} (counted to {ends[-1]['date']}, {ends[-1]['days_left']} days left)"
    return f"stays on {old['auth']}{end if ends else ''}"
