# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a list of IP ranges in an org to what is declared.

The Metadata API replaces the whole list and has no etag, so what others do at the same time can be overwritten unseen.
Three things are done about it:

1. Tasks on one list take turns (turns.py).
2. Before a write the list is read again until the audit trail shows nothing new, so that all that the trail shows then
   is in what was read, and is never merged a second time.
3. After a write the trail and the list are read again. What others did in between is merged, each further write passes
   the same checks as the first, and what cannot be merged is returned as a warning.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeAlias

from ..errors import GatehouseError, NoResponseError, OrgError
from ..org.queries import Queryable
from ..ranges.model import IpRange, Key, check_limits
from ..ranges.plan import RangePlan, plan_ranges
from .audit_trail import AuditTrail, RangeChange, changes_by_others

MAX_WRITES = 3
MAX_READS = 5
Planner: TypeAlias = Callable[[Iterable[IpRange], Sequence[IpRange], str], RangePlan]


class RangesRead(Protocol):
    """A list of ranges, and when the org returned it, by its own clock."""

    @property
    def ranges(self) -> tuple[IpRange, ...]:
        """The ranges, sorted."""

    @property
    def read_at(self) -> datetime.datetime:
        """The org's time of the response."""


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
        """Return the rows of the audit trail that are about this list."""


class AuditedOrg(Queryable, Protocol):
    """An org, as far as it is needed beside its lists."""

    @property
    def user_id(self) -> str | None:
        """The user that is logged in."""


@dataclasses.dataclass(frozen=True)
class Declaration:
    """What is declared about a list.

    Attributes:
        make_plan: plans the change, given what the org has, the ranges, and the state.
    """

    ranges: tuple[IpRange, ...]
    state: str
    make_plan: Planner = plan_ranges

    def plan(self, current: Iterable[IpRange]) -> RangePlan:
        """Plan what must change in a list."""
        return self.make_plan(current, self.ranges, self.state)


@dataclasses.dataclass(frozen=True)
class RangesOutcome:
    """What was changed, or in check mode would be, and what a person should know about it."""

    plan: RangePlan
    warnings: tuple[str, ...] = ()


Review: TypeAlias = Callable[[RangePlan], None]


def ensure_ranges(
    org: AuditedOrg,
    target: RangeList,
    declaration: Declaration,
    *,
    check_mode: bool,
    review: Review = lambda _step: None,
    lease: AbstractContextManager[object] | None = None,
) -> RangesOutcome:
    """Make a list of ranges satisfy what is declared.

    Args:
        review: looks at each change before it is sent, in check mode too, and may raise.
        lease: is kept while the list is changed; the list is read again under it.

    Raises:
        OptionError: the org could not be brought to the result; nothing was sent.
        OrgError: the org refused, or did not keep what it accepted.
    """
    reading = target.read()
    step = declaration.plan(reading.ranges)
    change = _Change(org, target, declaration, review, AuditTrail(org, reading.read_at, target.changes))
    change.check(step, reading.ranges)
    if check_mode or not step:
        return RangesOutcome(step)
    with lease or nullcontext():
        return change.make(target.read() if lease else reading, checked=step)


class _Change:
    """One task's change of a list: write, read, and merge what others did, until the org shows what is declared."""

    def __init__(
        self, org: AuditedOrg, target: RangeList, declaration: Declaration, review: Review, trail: AuditTrail
    ) -> None:
        self._org = org
        self._target = target
        self._declaration = declaration
        self._review = review
        self._trail = trail

    def check(self, step: RangePlan, current: Iterable[IpRange]) -> None:
        """Raise when a step must not be made."""
        if step:
            self._target.check(step.after)
            if step.added:
                check_limits(step.after, already=current)
            self._review(step)

    def make(self, reading: RangesRead, *, checked: RangePlan) -> RangesOutcome:
        """Write until the org shows what is declared.

        Args:
            checked: the step that has passed its checks already.
        """
        reading = self._read_undisturbed(reading)
        before = seen = reading.ranges
        step = self._declaration.plan(before)
        if step != checked:
            self.check(step, before)
        warnings, lost = list[str](), None
        for number in range(MAX_WRITES + 1):
            if not step:
                warnings += self._unread_trail() if number else []
                return RangesOutcome(_plan_between(before, seen), tuple(warnings))
            if number == MAX_WRITES:
                break
            try:
                if number:
                    self.check(step, seen)
                lost, seen, changes = self._write_and_read(step.after)
            except GatehouseError as exc:
                if number:
                    exc.result = {**exc.result, "changed": True}  # by the first write
                raise
            merged, messages = _merge(
                changes_by_others(changes, self._org.user_id, step), step, seen, self._declaration
            )
            warnings += messages + ([] if lost else _undone(self._declaration.plan(seen), messages))
            step = _plan_between(seen, self._declaration.plan(merged).after)
        problem = OrgError(
            f"{self._target.title} were written {MAX_WRITES} times and the org still shows others; "
            f"they lack {_listing(step.added)} and have {_listing(step.removed)} in excess. "
            f"{_lost(lost) or 'Another program may be writing them too'}"
        )
        problem.result = {"changed": bool(_plan_between(before, seen))}
        raise problem

    def _read_undisturbed(self, reading: RangesRead) -> RangesRead:
        """Return the list as it is after all that the trail shows until now, its own reading included."""
        for _attempt in range(MAX_READS):
            if not self._trail.new_changes():
                break
            reading = self._target.read()
        return reading

    def _write_and_read(
        self, ranges: tuple[IpRange, ...]
    ) -> tuple[NoResponseError | None, tuple[IpRange, ...], list[RangeChange]]:
        """Write a list, read the trail, and then the list, which also decides what became of an unanswered write."""
        lost = None
        try:
            self._target.write(ranges)
        except NoResponseError as exc:
            lost = exc
        try:
            changes = self._trail.new_changes()
            return lost, self._target.read().ranges, changes
        except OrgError as exc:
            done = _lost(lost) or "They were written"
            text = f"{self._target.title} cannot be read to see what became of them: {exc}. {done}"
            problem = OrgError(text, cause=exc.cause)
            problem.result = {"changed": lost is None}
            raise problem from exc

    def _unread_trail(self) -> list[str]:
        if self._trail.problem is None:
            return []
        return [
            "The Setup Audit Trail cannot be read, so a change that somebody else made at the same moment "
            f"would have been replaced unseen ({self._trail.problem})."
        ]


def _lost(response: NoResponseError | None) -> str:
    return f"Whether the last write was made is not known: {response}" if response else ""


def _undone(again: RangePlan, messages: Sequence[str]) -> list[str]:
    """Return a message about what the list lacks of a write that was answered, unless the trail has explained it."""
    parts = ((again.added, "gone"), (again.updated, "without their descriptions"), (again.removed, "back"))
    found = [f"{_listing(ranges)} {'was' if len(ranges) == 1 else 'were'} {what}" for ranges, what in parts if ranges]
    if not found or messages:
        return []
    return [
        f"After the write {' and '.join(found)}, so the list was written again: another program, or a run on another "
        "controller, writes it too, and what that does without a line in the Setup Audit Trail can be lost."
    ]


def _merge(
    others: Iterable[RangeChange], step: RangePlan, seen: tuple[IpRange, ...], declaration: Declaration
) -> tuple[tuple[IpRange, ...], list[str]]:
    """Return the list as it was read back with what the write had overwritten, and messages about it."""
    declared = {item.key for item in declaration.ranges}
    known = {item.key for item in step.before}
    present = {item.key: item for item in seen}
    messages = []
    for change in others:
        item, by = change.range, f"{change.who} at {change.when}"
        during = f", which {by} %s while this run was writing, was"
        if item is None:
            messages.append(
                f"{by} changed IP ranges while this run was writing, which may have undone it: {change.text}"
            )
        elif change.added and item.key not in known and item.key not in present:
            if declaration.state == "exact" or item.key in declared:
                messages.append(f"{item}{during % 'added'} removed as declared.")
            else:
                present[item.key] = item
                messages.append(f"{item}{during % 'added'} restored without a description.")
        elif change.added is False and item.key in known and item.key in present:
            if item.key in declared:
                messages.append(f"{item}{during % 'deleted'} kept as declared.")
            else:
                del present[item.key]
                messages.append(f"{item}{during % 'deleted'} deleted again.")
    # Salesforce may keep the same range twice; only what somebody else touched is decided here.
    kept = [item for item in seen if item.key in present]
    restored = present.keys() - {item.key for item in seen}
    return tuple(sorted([*kept, *(present[key] for key in restored)])), messages


def _plan_between(before: tuple[IpRange, ...], after: tuple[IpRange, ...]) -> RangePlan:
    """Return the plan that leads from one list to another, whoever made the change. Either may have a range twice."""
    old, new = _by_key(before), _by_key(after)
    added, removed, updated = list[IpRange](), list[IpRange](), list[IpRange]()
    for key in sorted(old.keys() | new.keys()):
        gone, come = old.get(key, []), []
        for item in new.get(key, []):
            texts = [other.description for other in gone]
            if item.description in texts:
                del gone[texts.index(item.description)]
            else:
                come.append(item)
        updated += come[: len(gone)]
        added += come[len(gone) :]
        removed += gone[len(come) :]
    return RangePlan(before, after, tuple(added), tuple(removed), tuple(updated))


def _by_key(ranges: Iterable[IpRange]) -> dict[Key, list[IpRange]]:
    groups: dict[Key, list[IpRange]] = {}
    for item in ranges:
        groups.setdefault(item.key, []).append(item)
    return groups


def _listing(ranges: Iterable[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "none"
