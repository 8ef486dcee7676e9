# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find in an org's Setup Audit Trail what others did to a list of IP ranges.

Login ranges of profiles have known actions and texts: C(Added Login Ip Range to PROFILE from A to B). What Salesforce
records for trusted ranges is hardly documented: a row counts when its text speaks of IP ranges, and its range is known
when it reads the same way. Nor is it documented whether a list that is replaced is recorded by its difference, or as
all of the old list deleted and all of the new one added, so both are understood.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..errors import OrgError
from ..org.queries import Queryable, audit_rows
from ..ranges.model import IpRange, Key, from_bounds
from ..ranges.plan import RangePlan

_LOGIN_RANGE_ACTIONS = ("loginIpRange", "deletedLoginIpRange_withProfile")
_ABOUT_RANGES = re.compile(
    r"\bip.?(address.?)?ranges?\b|network.?access|trusted.?ip|ipranges?|ip.?white.?list", re.IGNORECASE
)
_VERB = re.compile(r"\b(added|created|inserted|deleted|removed)\b", re.IGNORECASE)
_BOUNDS = re.compile(r"\bfrom ([0-9A-Fa-f:.]+) to ([0-9A-Fa-f:.]+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class RangeChange:
    """One row of the audit trail. C(added) and C(range) are None where its text does not say."""

    user_id: str
    who: str
    when: str
    text: str
    added: bool | None
    range: IpRange | None


class AuditTrail:
    """What happened to one list since a moment, each row returned once.

    Attributes:
        problem: why the trail cannot be read; None as long as it can.
    """

    def __init__(
        self,
        org: Queryable,
        since: datetime.datetime,
        about: Callable[[Iterable[Mapping[str, Any]]], list[RangeChange]],
    ) -> None:
        """Look from a moment on, by the org's clock; its whole second is included.

        Args:
            about: picks the rows that are about the list.
        """
        self._org = org
        self._since = since
        self._about = about
        self._seen: set[str] = set()
        self.problem: OrgError | None = None

    def new_changes(self) -> list[RangeChange]:
        """Return the changes that no call has returned before, in their order; none when the trail cannot be read."""
        if self.problem is not None:
            return []
        try:
            rows = audit_rows(self._org, self._since)
        except OrgError as exc:
            self.problem = exc
            return []
        new = [row for row in rows if str(row.get("Id")) not in self._seen]
        self._seen.update(str(row.get("Id")) for row in new)
        return self._about(new)


def trusted_range_changes(rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
    """Return the rows that are about trusted ranges, in the order given."""
    return [_change(row) for row in rows if _is_about_trusted_ranges(row)]


def range_changes(rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
    """Return the rows that are about any list of ranges, in the order given."""
    return [_change(row) for row in rows if is_about_login_ranges(row) or _is_about_trusted_ranges(row)]


def is_about_login_ranges(row: Mapping[str, Any]) -> bool:
    """Whether a row is about the login ranges of some profile."""
    return row.get("Action") in _LOGIN_RANGE_ACTIONS


def names_profile(row: Mapping[str, Any], names: Collection[str]) -> bool:
    """Return whether a row about login ranges names a profile by one of these names."""
    return any(f" to {name} from " in (row.get("Display") or "") for name in names)


def login_range_changes(rows: Iterable[Mapping[str, Any]], profile_names: Collection[str]) -> list[RangeChange]:
    """Return the rows that are about the login ranges of a profile, which they may call by its name or its label."""
    return [_change(row) for row in rows if is_about_login_ranges(row) and names_profile(row, profile_names)]


def changes_by_others(changes: Iterable[RangeChange], own_user_id: str | None, written: RangePlan) -> list[RangeChange]:
    """Return the changes that are not those of this run's write; of several to one range, the one that counts.

    What another user did last counts. A row of this run's own user is this run's when its write explains the row:

    - it adds what was sent, or deletes what was not sent;
    - it deletes what was sent again, where the org records a replaced list as all deleted and all added.

    Of other rows of one's own user the first one counts, as a later one may be what this run's write did to it: that
    deletes what was added unseen, and adds what was deleted.

    Args:
        changes: in the order in which they were made.
        own_user_id: this run's user; None where it is not known, and then every row may be its.
        written: what this run has written.
    """
    sent = {item.key for item in written.after}
    updated = {item.key for item in written.updated}
    listed = list(changes)

    def is_own(change: RangeChange) -> bool:
        return own_user_id is None or change.user_id[:15] == own_user_id[:15]

    replaced = sent <= {change.range.key for change in listed if change.range and change.added and is_own(change)}
    unnamed, counting = list[RangeChange](), dict[Key, RangeChange]()
    for change in listed:
        if not is_own(change):
            if change.range is None:
                unnamed.append(change)
            else:
                counting[change.range.key] = change
        elif change.range is not None:
            key = change.range.key
            is_ours = (key in sent) if change.added else (key not in sent or key in updated or replaced)
            if not is_ours:
                counting.setdefault(key, change)
    return [*unnamed, *counting.values()]


def _is_about_trusted_ranges(row: Mapping[str, Any]) -> bool:
    if is_about_login_ranges(row):
        return False
    return any(_ABOUT_RANGES.search(row.get(field) or "") for field in ("Action", "Section", "Display"))


def _change(row: Mapping[str, Any]) -> RangeChange:
    text = row.get("Display") or row.get("Action") or ""
    verb, bounds = _VERB.search(text), _BOUNDS.search(text)
    item = None
    if verb and bounds:
        try:
            item = from_bounds(bounds[1].rstrip("."), bounds[2].rstrip("."))
        except ValueError:
            item = None
    return RangeChange(
        user_id=row.get("CreatedById") or "",
        who=(row.get("CreatedBy") or {}).get("Username") or row.get("CreatedById") or "somebody",
        when=row.get("CreatedDate") or "",
        text=text,
        added=verb[1].lower() in ("added", "created", "inserted") if verb else None,
        range=item,
    )
