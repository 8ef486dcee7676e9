# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Join ranges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..errors import OptionError
from .model import LIMITS, MAX_DESCRIPTION, IpRange
from .temporary_access import expiry

# More entries than this are never made of one: the range was meant to be something else.
MAX_PIECES = 1024


def merge_overlaps(ranges: Iterable[IpRange]) -> Iterator[list[IpRange]]:
    """Group entries that overlap or touch, each group sorted."""
    group: list[IpRange] = []
    last = 0
    for item in sorted(ranges):
        if group and (item.version != group[0].version or item.first > last + 1):
            yield group
            group = []
        last = max(last, item.last) if group else item.last
        group.append(item)
    if group:
        yield group


def collapse(ranges: Iterable[IpRange], *, limits: Mapping[int, int] | None = None) -> tuple[IpRange, ...]:
    """Join entries into as few as possible, none larger than a limit. Those that expire stay as they are.

    An entry's description joins those of the entries that it replaces, each once, in order of address, by "; ";
    beyond 255 characters it ends in an ellipsis.

    Raises:
        OptionError: an entry would become more than 1,024.
    """
    result: list[IpRange] = []
    lasting: list[IpRange] = []
    for item in ranges:
        (lasting if expiry(item) is None else result).append(item)
    for group in merge_overlaps(lasting):
        version = group[0].version
        for first, last in _cuts(version, group[0].first, max(item.last for item in group), limits or LIMITS):
            parts = [item.description for item in group if item.first <= last and first <= item.last]
            result.append(IpRange(version, first, last, _joined(parts)))
    return tuple(sorted(result))


def _cuts(version: int, first: int, last: int, limits: Mapping[int, int]) -> list[tuple[int, int]]:
    limit = limits[version]
    if last - first < limit:
        return [(first, last)]
    pieces = last // limit - first // limit + 1
    if pieces > MAX_PIECES:
        raise OptionError("ranges", f"{IpRange(version, first, last)} would become {pieces:,} entries")
    starts = [first, *((first // limit + number) * limit for number in range(1, pieces))]
    return list(zip(starts, [start - 1 for start in starts[1:]] + [last], strict=True))


def _joined(descriptions: Iterable[str | None]) -> str | None:
    distinct = dict.fromkeys(text for text in descriptions if text)
    if len(distinct) < 2:
        return next(iter(distinct), None)
    text = "; ".join(dict.fromkeys(part for text in distinct for part in text.split("; ")))
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1].rstrip() + "…"
