# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options with which a list of IP ranges is declared, parsed."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, get_args

from ..errors import OptionError
from ..ranges.lint import Code
from ..ranges.model import IpRange, Key, parse_each
from ..ranges.plan import STATES
from ..ranges.temporary_access import parse_entries
from .guard import MODES
from .login_history import check_days

RANGES: dict[str, dict[str, Any]] = {
    "ranges": {"type": "list", "elements": "raw"},
    "state": {"type": "str", "choices": [*STATES, "swept"], "default": "present"},
    "lint": {
        "type": "dict",
        "options": {
            "level": {"type": "str", "choices": ["warn", "error"], "default": "warn"},
            "skip": {"type": "list", "elements": "str", "choices": list(get_args(Code)), "default": []},
            "min_prefix_ipv4": {"type": "int", "default": 16},
            "min_prefix_ipv6": {"type": "int", "default": 48},
            "shared_ranges": {"type": "list", "elements": "raw", "default": []},
            "unused_days": {"type": "int"},
        },
    },
    "guard": {"type": "str", "choices": list(MODES), "default": "fail"},
    "guard_days": {"type": "int", "default": 30},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LintOptions:
    """The option C(lint).

    Attributes:
        fail: findings are an error, not warnings.
        skip: the codes that are not looked for.
        max_size: by family, how many addresses an entry may have without a finding.
        shared: ranges that many share.
        unused_days: days without a login after which an entry is unused; None to not look.
    """

    fail: bool
    skip: frozenset[str]
    max_size: Mapping[int, int]
    shared: tuple[IpRange, ...]
    unused_days: int | None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> LintOptions:
        """Read the validated suboptions; raises OptionError."""
        if options["unused_days"] is not None:
            check_days(options["unused_days"], "lint.unused_days")
        return cls(
            fail=options["level"] == "error",
            skip=frozenset(options["skip"]),
            max_size={4: _max_size(options, 4, 32), 6: _max_size(options, 6, 128)},
            shared=tuple(parse_each(options["shared_ranges"], option="lint.shared_ranges")),
            unused_days=options["unused_days"],
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RangesOptions:
    """What a task declares about a list of ranges.

    Attributes:
        entries: the ranges as they are declared, in that order, duplicates included.
        at_least: the ranges that are to be open for a duration rather than until a time.
        now: the time from which durations count.
        lint: None to check nothing.
        guard: one of C(MODES).
        guard_days: how many days of login history the guard looks at.
    """

    entries: tuple[IpRange, ...]
    at_least: frozenset[Key]
    now: datetime.datetime
    state: str
    lint: LintOptions | None
    guard: str
    guard_days: int

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> RangesOptions:
        """Read a task's validated options; raises OptionError naming the entry or option that cannot be used."""
        state, ranges, lint = options["state"], options.get("ranges"), options.get("lint")
        if state == "swept" and ranges:
            raise OptionError("ranges", "swept removes all ranges that have expired, and takes no ranges")
        if state != "swept" and ranges is None:
            raise OptionError("ranges", f"is required when state is {state}")
        check_days(options["guard_days"], "guard_days")
        now = datetime.datetime.now(datetime.UTC)
        entries, at_least = parse_entries(ranges or (), now)
        return cls(
            entries=tuple(entries),
            at_least=at_least,
            now=now,
            state=state,
            lint=LintOptions.read(lint) if lint else None,
            guard=options["guard"],
            guard_days=options["guard_days"],
        )


def _max_size(options: Mapping[str, Any], version: int, bits: int) -> int:
    name = f"min_prefix_ipv{version}"
    length = int(options[name])
    if not 0 <= length <= bits:
        raise OptionError(f"lint.{name}", f"must be a prefix length from 0 to {bits}, not {length}")
    return int(2 ** (bits - length))
