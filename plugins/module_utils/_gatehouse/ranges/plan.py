# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The change from one list of ranges to another. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from .model import IpRange

STATES = ("present", "absent", "exact")


@dataclasses.dataclass(frozen=True)
class RangePlan:
    """One change of a list of ranges: result, diff, check mode and the request all come from it."""

    before: tuple[IpRange, ...]
    after: tuple[IpRange, ...]
    added: tuple[IpRange, ...]
    removed: tuple[IpRange, ...]
    updated: tuple[IpRange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.updated)

    def diff(self) -> dict[str, str]:
        """Return before and after as text, a line a range, sorted."""
        return {"before": _as_lines(self.before), "after": _as_lines(self.after)}


def keep_description(current: IpRange, declared: IpRange) -> IpRange:
    """Return what becomes of a range that the org has and a user declares."""
    return current if declared.description in (None, current.description) else declared


def plan_ranges(
    current: Iterable[IpRange],
    desired: Iterable[IpRange],
    state: str,
    *,
    settle: Callable[[IpRange, IpRange], IpRange] = keep_description,
) -> RangePlan:
    """Plan what must change so that the current list satisfies the desired one.

    Args:
        current: what the org holds, in any order, duplicates included; they are kept unless removed.
        desired: what the user declared. A range without a description accepts any.
        state: C(present) adds or updates, C(absent) removes, C(exact) also removes what is not declared.
        settle: what becomes of a range that the org has and that is declared.
    """
    wanted = {item.key: item for item in desired}
    before = tuple(sorted(current))
    if state == "absent":
        removed = tuple(item for item in before if item.key in wanted)
        return RangePlan(before, tuple(item for item in before if item.key not in wanted), (), removed, ())
    removed = tuple(item for item in before if item.key not in wanted) if state == "exact" else ()
    kept, updated = [], []
    for item in before:
        target = wanted.get(item.key)
        if target is None:
            if state != "exact":
                kept.append(item)
            continue
        result = settle(item, target)
        kept.append(result)
        if result.description != item.description:
            updated.append(result)
    known = {item.key for item in before}
    added = tuple(item for key, item in sorted(wanted.items()) if key not in known)
    return RangePlan(before, tuple(sorted([*kept, *added])), added, removed, tuple(updated))


def _as_lines(ranges: Iterable[IpRange]) -> str:
    return "".join(f"{item}  {item.description or ''}".rstrip() + "\n" for item in ranges)
