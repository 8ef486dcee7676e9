# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a list of IP ranges in an org to what is declared.

The Metadata API replaces the whole list and has no etag, so each write is followed by a read and a look into the
audit trail: what another administrator did meanwhile is merged again, or told.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from ..errors import NoResponseError, OrgError
from ..ranges.model import IpRange, Key, check_limits
from ..ranges.plan import RangePlan, plan_ranges
from . import audit_trail
from .audit_trail import RangeChange

MAX_WRITES = 3
Planner: TypeAlias = Callable[[Iterable[IpRange], Sequence[IpRange], str], RangePlan]


class RangesRead(Protocol):
    """A list of ranges, and when the org told it, by its own clock."""

    @property
    def ranges(self) -> tuple[IpRange, ...]:
        """The ranges, sorted."""

    @property
    def read_at(self) -> datetime.datetime:
        """The org's time of the answer."""


class RangeList(Protocol):
    """A list of ranges in an org, which can only be replaced as a whole."""

    @property
    def title(self) -> str:
        """What to call it in a text."""

    def read(self) -> RangesRead:
        """Read the list."""

    def write(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list."""

    def check(self, after: tuple[IpRange, ...]) -> None:
        """Raise OptionError when the org could not be brought to such a list."""

    def changes(self, rows: Iterable[Mapping[str, Any]]) -> list[RangeChange]:
        """The rows of the audit trail that are about this list."""


class AuditedOrg(Protocol):
    """What this module needs of an org beside its lists."""

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


def ensure_ranges(
    org: AuditedOrg,
    target: RangeList,
    desired: Sequence[IpRange],
    state: str,
    *,
    check_mode: bool,
    review: Callable[[RangePlan], None] = lambda _change: None,
    make_plan: Planner = plan_ranges,
) -> RangesOutcome:
    """Make a list of ranges satisfy what is declared.

    Args:
        review: looks at the change before anything is sent, in check mode too, and may raise.
        make_plan: what must change, given what the org holds, what is declared, and the state.

    Raises:
        OptionError: the org could not be brought to the result; nothing was sent.
        OrgError: the org refused, or did not keep what it accepted.
    """
    first = target.read()
    step = make_plan(first.ranges, desired, state)
    if step:
        target.check(step.after)
    if step.added:
        check_limits(step.after, already=first.ranges)
    if step:
        review(step)
    if check_mode or not step:
        return RangesOutcome(step)
    return _apply(org, target, first, step, desired, state, make_plan)


def _apply(
    org: AuditedOrg,
    target: RangeList,
    first: RangesRead,
    step: RangePlan,
    desired: Sequence[IpRange],
    state: str,
    make_plan: Planner,
) -> RangesOutcome:
    """Write, read again, merge what others did, until the org shows what is wanted."""
    before, since, warnings, lost = step.before, first.read_at, list[str](), None
    for number in range(MAX_WRITES):
        try:
            lost, seen = _write_and_read(target, step.after)
        except OrgError as exc:
            if number:
                exc.result = {"changed": True}  # by the first write
            raise
        others, told = _concurrent_changes(org, target, since, step)
        merged, more = _merge(others, step, seen.ranges, desired, state)
        warnings += [*told, *more]
        following = make_plan(merged, desired, state)
        if not following and merged == seen.ranges:
            return RangesOutcome(_plan_between(before, seen.ranges), tuple(warnings))
        step, since = _plan_between(seen.ranges, following.after), seen.read_at
    problem = OrgError(
        f"{target.title} were written {MAX_WRITES} times and the org still shows others; "
        f"they lack {_listing(step.added)} and have {_listing(step.removed)} in excess. "
        f"{_lost(lost) or 'Another program may be writing them too'}"
    )
    problem.result = {"changed": bool(_plan_between(before, seen.ranges))}
    raise problem


def _write_and_read(target: RangeList, ranges: tuple[IpRange, ...]) -> tuple[NoResponseError | None, RangesRead]:
    """Write a list and read what the org then shows, which decides where the answer to the write was lost."""
    lost = None
    try:
        target.write(ranges)
    except NoResponseError as exc:
        lost = exc
    try:
        return lost, target.read()
    except OrgError as exc:
        done = _lost(lost) or "They were written"
        problem = OrgError(f"{target.title} cannot be read to see what became of them: {exc}. {done}", cause=exc.cause)
        problem.result = {"changed": lost is None}
        raise problem from exc


def _lost(answer: NoResponseError | None) -> str:
    return f"Whether the last write was made is not known: {answer}" if answer else ""


def _concurrent_changes(
    org: AuditedOrg, target: RangeList, since: datetime.datetime, step: RangePlan
) -> tuple[list[RangeChange], list[str]]:
    """What others did to the list since this run read it, and a warning where that cannot be known."""
    try:
        rows = org.query(audit_trail.soql(since))
    except OrgError as exc:
        return [], [
            "The Setup Audit Trail cannot be read, so a change that somebody else made at the same moment "
            f"would have been replaced unseen ({exc})."
        ]
    own = (*step.added, *step.removed, *step.updated)
    return audit_trail.others_changes(target.changes(rows), org.user_id, own), []


def _merge(
    others: Iterable[RangeChange],
    step: RangePlan,
    seen: tuple[IpRange, ...],
    desired: Sequence[IpRange],
    state: str,
) -> tuple[tuple[IpRange, ...], list[str]]:
    """The list as it was read back, with what this run's write had replaced unseen; and what to tell of it."""
    declared = {item.key for item in desired}
    known = {item.key for item in step.before}
    present = {item.key: item for item in seen}
    told = []
    for change in others:
        item, by = change.range, f"{change.who} at {change.when}"
        if item is None:
            told.append(f"{by} changed IP ranges while this run was writing, which may have undone it: {change.text}")
        elif change.added and item.key not in known and item.key not in present:
            if state == "exact" or item.key in declared:
                told.append(f"{item}, which {by} added while this run was writing, was removed as declared.")
            else:
                present[item.key] = item
                told.append(f"{item}, which {by} added while this run was writing, was restored without a description.")
        elif change.added is False and item.key in known and item.key in present:
            if item.key in declared:
                told.append(f"{item}, which {by} deleted while this run was writing, was kept as declared.")
            else:
                del present[item.key]
                told.append(f"{item}, which {by} deleted while this run was writing, was deleted again.")
    # Salesforce may hold the same range twice; only what somebody else touched is decided here.
    kept = [item for item in seen if item.key in present]
    restored = present.keys() - {item.key for item in seen}
    return tuple(sorted([*kept, *(present[key] for key in restored)])), told


def _plan_between(before: tuple[IpRange, ...], after: tuple[IpRange, ...]) -> RangePlan:
    """The plan that leads from one list to another, whoever made the change. Either may hold a range twice."""
    old, new = _by_key(before), _by_key(after)
    added, removed, updated = list[IpRange](), list[IpRange](), list[IpRange]()
    for key in sorted(old.keys() | new.keys()):
        lost, come = old.get(key, []), []
        for item in new.get(key, []):
            texts = [held.description for held in lost]
            if item.description in texts:
                del lost[texts.index(item.description)]
            else:
                come.append(item)
        updated += come[: len(lost)]
        added += come[len(lost) :]
        removed += lost[len(come) :]
    return RangePlan(before, after, tuple(added), tuple(removed), tuple(updated))


def _by_key(ranges: Iterable[IpRange]) -> dict[Key, list[IpRange]]:
    found: dict[Key, list[IpRange]] = {}
    for item in ranges:
        found.setdefault(item.key, []).append(item)
    return found


def _listing(ranges: Iterable[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "none"
