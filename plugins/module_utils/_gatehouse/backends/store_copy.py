# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a store into another, and compare the two."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..credentials.credential import Credential
from ..credentials.deliveries import Deliveries
from ..errors import OptionError, StoreError
from ..store import Store, StoreOptions, read_or_none
from ..task.context import Task
from ..task.options import STORE, Spec

PROGRESS_SECONDS = 5.0  # between two lines
# What the environment says is about the store that is copied.
_TARGET: Spec = {name: {key: it for key, it in option.items() if key != "fallback"} for name, option in STORE.items()}
SPEC: Spec = {
    "names": {"type": "list", "elements": "str"},
    "target": {"type": "dict", "required": True, "options": {**_TARGET, "store": {"type": "str", "required": True}}},
    **STORE,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Copy each credential with its versions, or those that are missing, and read both again."""
    source, target = task.store, _target(options["target"])
    names = source.names() if options.get("names") is None else list(options["names"])
    copied: list[str] = []
    written: list[Credential] = []
    begun = shown = time.monotonic()
    try:
        for number, name in enumerate(names):
            if time.monotonic() - shown >= PROGRESS_SECONDS:
                shown = time.monotonic()
                task.progress.stage(
                    f"{number} of {len(names)} credentials are copied or equal after {shown - begun:.0f} s"
                )
            here = read_or_none(target, name)
            missing = _missing(source.history(name), here, name)
            news = _news(source, target, name)
            if missing and not task.check_mode:
                _write(target, missing, here, written)
                _require_equal(source, target, name)
            if news and not task.check_mode:
                target.record_deliveries(name, news)
            if missing or news:
                copied.append(name)
    except StoreError as exc:
        exc.result = {"copied": copied, "changed": bool(copied or written)}
        raise
    return {
        "changed": bool(copied),
        "copied": copied,
        "equal": [name for name in names if name not in copied or not task.check_mode],
    }


def _target(options: Mapping[str, Any]) -> Store:
    try:
        return StoreOptions.read(options.get).open()
    except OptionError as exc:
        raise exc.within("target") from None


def _missing(there: list[Credential], here: Credential | None, name: str) -> list[Credential]:
    """Return what was written to a credential in the source after what the target has of it."""
    if here is None:
        return there
    if here not in there:
        raise StoreError(f"credential {name!r} is another one in the target; remove one of the two, then copy again")
    return there[max(number for number, each in enumerate(there, start=1) if each == here) :]


def _news(source: Store, target: Store, name: str) -> Deliveries:
    """Return the deliveries of which the source knows more than the target."""
    known = target.deliveries(name)
    return {
        consumer: delivery
        for consumer, delivery in source.deliveries(name).items()
        if consumer not in known or known[consumer].delivered < delivery.delivered
    }


def _write(target: Store, credentials: list[Credential], here: Credential | None, written: list[Credential]) -> None:
    for each in credentials:
        target.write(each, replaces=here.version if here else None)
        written.append(each)
        here = each


def _require_equal(source: Store, target: Store, name: str) -> None:
    there, here = source.history(name), target.history(name)
    if here[-len(there) :] != there:
        raise StoreError(f"credential {name!r} was copied and is not equal in both stores; does another run write it?")
