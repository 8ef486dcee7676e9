# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an org's trusted IP ranges to what is declared. Private to gatehouse.salesforce.

The Metadata API replaces the whole list and has no etag, so each write is followed by a read and a look into the
audit trail: what another administrator did meanwhile is merged again, or told.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from . import audit
from .errors import OrgError
from .ranges import IpRange, RangePlan, check_limits, plan

MAX_WRITES = 3


class RangesRead(Protocol):
    """A list of ranges, and when the org told it, by its own clock."""

    @property
    def ranges(self) -> tuple[IpRange, ...]:
        """The ranges, sorted."""

    @property
    def read_at(self) -> datetime.datetime:
        """The org's time of the answer."""


class NetworkAccessOrg(Protocol):
    """What this module needs of an org."""

    def read_trusted_ranges(self) -> RangesRead:
        """Read the list."""

    def write_trusted_ranges(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list."""

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Records found by SOQL."""

    @property
    def user_id(self) -> str | None:
        """The user that is logged in."""


@dataclasses.dataclass(frozen=True)
class RangesOutcome:
    """What was changed, or in check mode would be, and what a person should know about it."""

    plan: RangePlan
    warnings: tuple[str, ...] = ()


def ensure_trusted_ranges(
    org: NetworkAccessOrg, desired: Sequence[IpRange], state: str, *, check_mode: bool
) -> RangesOutcome:
    """Make the trusted ranges satisfy what is declared.

    Raises:
        OptionError: the result would be over Salesforce's limits; nothing was sent.
        OrgError: the org refused, or did not keep what it accepted.
    """
    first = org.read_trusted_ranges()
    step = plan(first.ranges, desired, state)
    if step.added:
        check_limits(step.after, already=first.ranges)
    if check_mode or not step:
        return RangesOutcome(step)
    return _apply(org, first, step, desired, state)


def _apply(
    org: NetworkAccessOrg, first: RangesRead, step: RangePlan, desired: Sequence[IpRange], state: str
) -> RangesOutcome:
    """Write, read again, merge what others did, until the org shows what is wanted."""
    before, since, warnings = step.before, first.read_at, list[str]()
    for _write in range(MAX_WRITES):
        org.write_trusted_ranges(step.after)
        seen = org.read_trusted_ranges()
        merged, told = _merge_others(org, since, step, seen.ranges, desired, state)
        warnings += told
        following = plan(merged, desired, state)
        if not following and merged == seen.ranges:
            return RangesOutcome(_difference(before, seen.ranges), tuple(warnings))
        step, since = _difference(seen.ranges, following.after), seen.read_at
    raise OrgError(
        f"the trusted ranges were written {MAX_WRITES} times and the org still shows others; "
        f"it lacks {_listing(step.added)} and has {_listing(step.removed)} in excess. "
        "Another program may be writing them too",
        cause="ok",
    )


def _merge_others(
    org: NetworkAccessOrg,
    since: datetime.datetime,
    step: RangePlan,
    seen: tuple[IpRange, ...],
    desired: Sequence[IpRange],
    state: str,
) -> tuple[tuple[IpRange, ...], list[str]]:
    """The list as it was read back, with what others did between this run's read and its write; and what to tell."""
    try:
        rows = org.query(audit.soql(since))
    except OrgError as exc:
        return seen, [
            "The Setup Audit Trail cannot be read, so a change that somebody else made at the same moment "
            f"would have been replaced unseen ({exc})."
        ]
    declared = {item.key for item in desired}
    known = {item.key for item in step.before}
    merged = {item.key: item for item in seen}
    warnings = []
    for change in audit.others_changes(audit.range_changes(rows), org.user_id, (*step.added, *step.removed)):
        by = f"{change.who} at {change.when}"
        item = change.range
        if item is None:
            warnings.append(
                f"While this run was writing, {by} changed IP ranges too, and may have been overwritten: {change.text}"
            )
        elif change.added and item.key not in known and item.key not in merged:
            if state == "exact" or item.key in declared:
                warnings.append(f"{item}, which {by} added while this run was writing, was removed as declared.")
            else:
                merged[item.key] = item
                warnings.append(
                    f"{item}, which {by} added while this run was writing, was restored without a description."
                )
        elif change.added is False and item.key in known and item.key in merged:
            if item.key in declared:
                warnings.append(f"{item}, which {by} deleted while this run was writing, was kept as declared.")
            else:
                del merged[item.key]
                warnings.append(f"{item}, which {by} deleted while this run was writing, was deleted again.")
    # Salesforce may hold the same range twice; only what somebody else touched is decided here.
    kept = [item for item in seen if item.key in merged]
    restored = [item for key, item in merged.items() if key not in {other.key for other in seen}]
    return tuple(sorted([*kept, *restored])), warnings


def _difference(before: tuple[IpRange, ...], after: tuple[IpRange, ...]) -> RangePlan:
    """The plan that leads from one list to another, whoever made the change."""
    old, new = {item.key: item for item in before}, {item.key: item for item in after}
    return RangePlan(
        before,
        after,
        added=tuple(item for key, item in new.items() if key not in old),
        removed=tuple(item for key, item in old.items() if key not in new),
        updated=tuple(item for key, item in new.items() if key in old and old[key].description != item.description),
    )


def _listing(ranges: Iterable[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "none"
