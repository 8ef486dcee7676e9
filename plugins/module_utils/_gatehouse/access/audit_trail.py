# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others did to IP ranges, out of the org's audit trail. Pure.

Login ranges of profiles have known actions and texts: C(Added Login Ip Range to PROFILE from A to B). What Salesforce
records for trusted ranges is not documented: a row counts when its text speaks of IP ranges, and tells its range when
it reads the same way.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..ranges.model import IpRange, Key, from_bounds

FIELDS = "Action, Section, Display, CreatedDate, CreatedById, CreatedBy.Username"
_LOGIN_RANGE_ACTIONS = ("loginIpRange", "deletedLoginIpRange_withProfile")
_ABOUT_RANGES = re.compile(r"\bip.?(address.?)?ranges?\b|network.?access|trusted.?ip|ipranges?", re.IGNORECASE)
_VERB = re.compile(r"\b(added|created|inserted|deleted|removed)\b", re.IGNORECASE)
_BOUNDS = re.compile(r"\bfrom ([0-9A-Fa-f:.]+) to ([0-9A-Fa-f:.]+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class RangeChange:
    """One row of the audit trail. C(range) is None where its text does not tell."""

    user_id: str
    who: str
    when: str
    text: str
    added: bool | None
    range: IpRange | None


def soql(since: datetime.datetime) -> str:
    """The query for all that was done from a time of the org's clock on."""
    moment = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"SELECT {FIELDS} FROM SetupAuditTrail WHERE CreatedDate >= {moment} ORDER BY CreatedDate"  # noqa: S608 - a time, made here


def trusted_range_changes(rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
    """The rows that are about trusted ranges, in the order given."""
    return [_change(row) for row in rows if _is_about_trusted_ranges(row)]


def login_range_changes(rows: Iterable[Mapping[str, Any]], profile_names: Collection[str]) -> list[RangeChange]:
    """The rows that are about the login ranges of a profile, which may be told by its name or its label."""
    return [
        _change(row)
        for row in rows
        if row.get("Action") in _LOGIN_RANGE_ACTIONS
        and any(f" to {name} from " in (row.get("Display") or "") for name in profile_names)
    ]


def others_changes(
    changes: Iterable[RangeChange], own_user_id: str | None, own: Iterable[IpRange]
) -> list[RangeChange]:
    """The changes that are not this run's own; of several to the same range, the one that counts.

    What another user did last counts. Of one's own user the first row does, as a later one may be what this run's
    write did to it: that deletes what was added unseen, and adds what was deleted.

    Args:
        changes: in the order in which they were made.
        own: the ranges that this run added or removed. A row of its user about another range, or of another user
            about the same one, is somebody else's work.
    """
    keys = {item.key for item in own}
    untold, told = list[RangeChange](), dict[Key, RangeChange]()
    for change in changes:
        same_user = own_user_id is None or change.user_id[:15] == own_user_id[:15]
        if change.range is None:
            untold += [] if same_user else [change]
        elif not same_user:
            told[change.range.key] = change
        elif change.range.key not in keys:
            told.setdefault(change.range.key, change)
    return [*untold, *told.values()]


def _is_about_trusted_ranges(row: Mapping[str, Any]) -> bool:
    if row.get("Action") in _LOGIN_RANGE_ACTIONS:
        return False
    return any(_ABOUT_RANGES.search(row.get(field) or "") for field in ("Action", "Section", "Display"))


def _change(row: Mapping[str, Any]) -> RangeChange:
    text = row.get("Display") or row.get("Action") or ""
    verb, bounds = _VERB.search(text), _BOUNDS.search(text)
    told = None
    if verb and bounds:
        try:
            told = from_bounds(bounds[1].rstrip("."), bounds[2].rstrip("."))
        except ValueError:
            told = None
    return RangeChange(
        user_id=row.get("CreatedById") or "",
        who=(row.get("CreatedBy") or {}).get("Username") or row.get("CreatedById") or "somebody",
        when=row.get("CreatedDate") or "",
        text=text,
        added=verb[1].lower() in ("added", "created", "inserted") if verb else None,
        range=told,
    )
