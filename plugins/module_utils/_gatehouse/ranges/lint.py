# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find doubtful entries in a list of ranges. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

from .model import IpRange, parse_address, parse_range

Code = Literal["duplicate", "overlap", "wide", "private", "documentation", "shared", "unused"]
Level = Literal["error", "warning", "info"]
# A /16 of IPv4, a /48 of IPv6: what one site gets at most.
MAX_SIZE: Mapping[int, int] = {4: 2**16, 6: 2**80}
# As much as one tenant of a cloud has at most, side by side: a /24 of IPv4, a /56 of IPv6.
TENANT: Mapping[int, int] = {4: 2**8, 6: 2**72}
# RFC 6890 and its successors (IANA special-purpose address registries).
_DOCUMENTATION = "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"
_PRIVATE = "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 ::1 fc00::/7 fe80::/10"
_SPECIAL: tuple[tuple[Code, Level, str, tuple[IpRange, ...]], ...] = (
    ("documentation", "error", "are for documentation only", tuple(map(parse_range, _DOCUMENTATION.split()))),
    ("private", "warning", "are never seen as a source on the internet", tuple(map(parse_range, _PRIVATE.split()))),
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One doubt: its kind, its severity, a sentence, and the entries concerned."""

    code: Code
    level: Level
    text: str
    entries: tuple[IpRange, ...]

    def as_result(self) -> dict[str, Any]:
        """Return the form in which modules show it."""
        return {
            "code": self.code,
            "level": self.level,
            "text": self.text,
            "entries": [item.as_result() for item in self.entries],
        }


def lint(
    ranges: Iterable[IpRange],
    *,
    max_size: Mapping[int, int] | None = None,
    shared: Iterable[IpRange] = (),
    logins: Iterable[tuple[str, datetime.datetime]] = (),
    unused_days: int = 90,
    now: datetime.datetime | None = None,
) -> tuple[Finding, ...]:
    """Return all findings, by kind and then by address.

    Args:
        ranges: the entries, duplicates included.
        max_size: by family, how many addresses an entry may hold without a finding; by default C(MAX_SIZE).
        shared: ranges that many share, such as a provider publishes; their descriptions name the provider.
        logins: observed pairs of address and time (with a time zone). Texts that are no address are skipped.
        unused_days: an entry that no login used for so many days is a finding, given logins that go back so far;
            otherwise none since the oldest login. Without logins nothing is known, and nothing found.
        now: the time to count back from, by default the present.
    """
    entries = sorted(ranges)
    since, seen = _recent(logins, unused_days, now or datetime.datetime.now(datetime.UTC))
    return (
        *_overlaps(entries),
        *_wide(entries, max_size or MAX_SIZE),
        *_special(entries),
        *_shared(entries, sorted(shared)),
        *_unused(entries, since, seen),
    )


def _overlaps(entries: Sequence[IpRange]) -> Iterator[Finding]:
    """Compare each entry with the earlier one that reaches furthest: linear, and no entry that overlaps is missed."""
    reach = before = None
    for item in entries:
        before, earlier = item, before
        if earlier is not None and earlier.key == item.key:
            yield Finding("duplicate", "warning", f"{_name(item)} repeats {_name(earlier)}", (earlier, item))
            continue
        if reach is None or reach.version != item.version or reach.last < item.first:
            reach = item
            continue
        if item.last <= reach.last:
            yield Finding("overlap", "warning", f"{_name(item)} lies within {_name(reach)}", (reach, item))
        elif reach.first == item.first:
            yield Finding("overlap", "warning", f"{_name(reach)} lies within {_name(item)}", (reach, item))
        else:
            yield Finding("overlap", "warning", f"{_name(reach)} and {_name(item)} overlap", (reach, item))
        if item.last > reach.last:
            reach = item


def _wide(entries: Sequence[IpRange], max_size: Mapping[int, int]) -> Iterator[Finding]:
    for item in entries:
        if item.size > max_size[item.version]:
            text = f"{_name(item)} holds {item.size:,} addresses, more than {max_size[item.version]:,}"
            yield Finding("wide", "warning", text, (item,))


def _special(entries: Sequence[IpRange]) -> Iterator[Finding]:
    for code, level, what, blocks in _SPECIAL:
        for item in entries:
            for block in blocks:
                if block.version == item.version and block.first <= item.last and item.first <= block.last:
                    yield Finding(code, level, f"{_name(item)} has addresses of {block}, which {what}", (item,))
                    break


def _shared(entries: Sequence[IpRange], shared: Sequence[IpRange]) -> Iterator[Finding]:
    """Find entries that hold a whole shared block, or more of one than a tenant has.

    Blocks may be collapsed, so that none is whole in any entry. Single addresses are published too, but not shared.
    """
    blocks = [block for block in shared if block.size > 1]
    starts = [(block.version, block.first) for block in blocks]
    # For each position, the block from there on that ends first: the one that an entry starting there would hold.
    ends_first = list(accumulate(reversed(blocks), _ending_first))[::-1]
    # And the block up to there that ends last: the one that would hold the start of such an entry.
    ends_last = list(accumulate(blocks, _ending_last))
    for item in entries:
        position = bisect_left(starts, (item.version, item.first))
        whole = ends_first[position : position + 1]
        if any(block.version == item.version and block.last <= item.last for block in whole):
            text = f"{_name(item)} holds the whole shared block {_name(whole[0])}, with all who share it"
            yield Finding("shared", "warning", text, (item, whole[0]))
            continue
        for block in (*ends_last[max(position - 1, 0) : position], *blocks[position : position + 1]):
            if block.version != item.version:
                continue
            common = min(block.last, item.last) - max(block.first, item.first) + 1
            if common > TENANT[item.version]:
                text = f"{_name(item)} holds {common:,} addresses of the shared block {_name(block)}"
                yield Finding("shared", "warning", f"{text}, with all who share them", (item, block))
                break


def _ending_first(one: IpRange, two: IpRange) -> IpRange:
    return two if (two.version, two.last) < (one.version, one.last) else one


def _ending_last(one: IpRange, two: IpRange) -> IpRange:
    return two if (two.version, two.last) > (one.version, one.last) else one


def _recent(
    logins: Iterable[tuple[str, datetime.datetime]], days: int, now: datetime.datetime
) -> tuple[datetime.datetime | None, dict[int, list[int]]]:
    """Return since when logins are known, and the addresses seen since then, sorted, by family."""
    start = now - datetime.timedelta(days=days)
    oldest: datetime.datetime | None = None
    seen: dict[int, set[int]] = {4: set(), 6: set()}
    for text, time in logins:
        if oldest is None or time < oldest:
            oldest = time
        if time >= start:
            try:
                address = parse_address(text)
            except ValueError:
                continue
            seen[address.version].add(int(address))
    since = None if oldest is None else max(oldest, start)
    return since, {version: sorted(addresses) for version, addresses in seen.items()}


def _unused(
    entries: Sequence[IpRange], since: datetime.datetime | None, seen: Mapping[int, Sequence[int]]
) -> Iterator[Finding]:
    if since is None:
        return
    for item in entries:
        addresses = seen[item.version]
        position = bisect_left(addresses, item.first)
        if position == len(addresses) or addresses[position] > item.last:
            text = f"no login came from {_name(item)} since {since:%Y-%m-%d}"
            yield Finding("unused", "info", text, (item,))


def _name(item: IpRange) -> str:
    return f"{item} ({item.description})" if item.description else str(item)
