# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and ranges on one number line: IPv4 lives in ::ffff:0:0/96, as it does at Salesforce (CONFIRMED)."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

V4_FIRST = 0xFFFF_0000_0000
V4_LAST = 0xFFFF_FFFF_FFFF
_TEN_FIRST = V4_FIRST + int(ipaddress.IPv4Address("10.0.0.0"))
_TEN_LAST = V4_FIRST + int(ipaddress.IPv4Address("10.255.255.255"))

Ipv4Notation = Literal["dotted", "mapped", "mapped_hex"]
Ipv6Notation = Literal["compressed", "upper", "expanded"]
LimitRegime = Literal["total", "entry", "old"]


class RangeProblem(ValueError):
    """A range that an org refuses. The texts are INVENTED: the real ones are unknown."""

    def __init__(self, kind: Literal["address", "limit", "description", "missing"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


@functools.lru_cache(maxsize=65536)
def number(text: str) -> int:
    """An address text as a number on the common line."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise RangeProblem("address", f"Invalid IP address: {text}") from None
    return int(address) + (V4_FIRST if address.version == 4 else 0)


def is_v4(value: int) -> bool:
    return V4_FIRST <= value <= V4_LAST


@functools.lru_cache(maxsize=65536)
def text(value: int, v4: Ipv4Notation = "dotted", v6: Ipv6Notation = "compressed") -> str:
    """A number as an address text in the chosen notation."""
    if is_v4(value):
        dotted = str(ipaddress.IPv4Address(value - V4_FIRST))
        if v4 == "dotted":
            return dotted
        low = value & 0xFFFF_FFFF
        return f"::ffff:{dotted}" if v4 == "mapped" else f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"
    address = ipaddress.IPv6Address(value)
    if v6 == "expanded":
        return address.exploded
    return str(address).upper() if v6 == "upper" else str(address)


@dataclass(frozen=True)
class IpRange:
    """Both ends inclusive; a single address has the same start and end (CONFIRMED)."""

    first: int
    last: int
    description: str | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        return self.first, self.last

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, value: int) -> bool:
        return self.first <= value <= self.last


def make_range(start: str, end: str, description: str | None = None, *, description_cap: int = 0) -> IpRange:
    """Build a range by the org's rules: one family, start not above end (CONFIRMED)."""
    if not start or not end:
        raise RangeProblem("missing", "Start and end address are required")
    first, last = number(start), number(end)
    if is_v4(first) != is_v4(last) or first < V4_FIRST <= V4_LAST < last:
        raise RangeProblem("address", f"The range {start} - {end} mixes IPv4 and IPv6 addresses")
    if first > last:
        raise RangeProblem("address", f"The start address {start} is higher than the end address {end}")
    if description_cap and description and len(description) > description_cap:
        raise RangeProblem("description", f"Description: data value too large (max length={description_cap})")
    return IpRange(first, last, description or None)


def parse_range(value: str | dict[str, str | None]) -> IpRange:
    """A range of a seed or of the control interface: CIDR, address, `first-last`, or a mapping with start and end."""
    if isinstance(value, dict):
        return make_range(str(value["start"]), str(value["end"]), value.get("description"))
    if "-" in value:
        start, _unused, end = value.partition("-")
        return make_range(start.strip(), end.strip())
    network = ipaddress.ip_network(value.strip(), strict=False)
    return make_range(str(network[0]), str(network[-1]))


def inside(value: int, ranges: Iterable[IpRange]) -> bool:
    return any(value in one for one in ranges)


def check_limits(new: Sequence[IpRange], old: Sequence[IpRange], regime: LimitRegime) -> None:
    """Refuse what would go beyond the org's limits; what the org already holds may stay (CONFIRMED).

    `total` sums all entries, `entry` looks at each alone (2^24 and 2^99, Winter '26; which of the two is UNKNOWN),
    `old` is the regime before it: 2^25 and 2^96 for each entry. Entries wholly in 10.0.0.0/8 do not count (CONFIRMED).
    """
    known = {one.bounds for one in old}
    added = [one for one in new if one.bounds not in known and not _exempt(one, regime)]
    if not added:
        return
    v4_limit, v6_limit = (2**25, 2**96) if regime == "old" else (2**24, 2**99)
    counted = added if regime != "total" else [one for one in new if not _exempt(one, regime)]
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for one in counted:
        sizes[is_v4(one.first)].append(one.size)
    measure = sum if regime == "total" else functools.partial(max, default=0)
    if measure(sizes[True]) > v4_limit or measure(sizes[False]) > v6_limit:
        raise RangeProblem("limit", f"IP ranges exceed {v4_limit} IPv4 or {v6_limit} IPv6 addresses")


def _exempt(one: IpRange, regime: LimitRegime) -> bool:
    return regime != "old" and one.first >= _TEN_FIRST and one.last <= _TEN_LAST
