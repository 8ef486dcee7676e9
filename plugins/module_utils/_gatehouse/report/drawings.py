# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page draws: ranges over the address space with logins as ticks, and what ends when. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ..ranges.collapse import merge_overlaps
from ..ranges.model import Address, IpRange, parse_address
from ..ranges.temporary_access import expiry
from .document import Report
from .model import TRUSTED, Login, Org, moment

# What is drawn on one strip where it is near, as bits of addresses: a /16 of IPv4, a /48 of IPv6.
STRIP = {4: 16, 6: 80}
LEAST = {4: 8, 6: 64}  # what a strip shows at least: a /24, a /64
ENDS = {
    "use_any_api_auth": "SOAP login needs the permission Use Any API Auth",
    "username_password_flow": "the OAuth username-password flow ends",
    "soap_login": "SOAP login ends",
}
ACCESS = ("allowed", "unknown", "token_required", "denied")  # what a tick shows of several is the last of these
MAX_STRIPS, MAX_TICKS = 40, 100


def make_strips(org: Org) -> list[dict[str, Any]]:
    """Return the parts of the address space in which an org has ranges or logins, in order of address.

    Each has a label, bars from and to a fraction of its length, and ticks: at which fraction, the first address, how
    many addresses, how many logins, and what is met there now. Of more than C(MAX_STRIPS) parts the
    first ones are drawn; the tables have all.
    """
    items = [(title, item) for title, ranges, _logins in org.lists() for item in ranges]
    logins: dict[Address, list[Login]] = defaultdict(list)
    for login in org.logins:
        logins[parse_address(login.address)].append(login)
    single = (IpRange(address.version, int(address), int(address)) for address in logins)
    blocks = _blocks([*(item for _title, item in items), *single])
    strips = {block.key: _Strip(str(block)) for block in blocks[:MAX_STRIPS]}
    for title, item in items:
        block = _block_of(item.version, item.first, blocks)
        if strip := strips.get(block.key):
            strip.bars.append(_bar(title, item, block))
    for address, used in logins.items():
        block = _block_of(address.version, int(address), blocks)
        if strip := strips.get(block.key):
            _add_tick(strip.ticks, _place(int(address), block), str(address), used)
    return [
        {"label": strip.label, "bars": strip.bars, "ticks": [list(tick.values()) for tick in strip.ticks.values()]}
        for strip in strips.values()
    ]


@dataclasses.dataclass
class _Strip:
    label: str
    bars: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    ticks: dict[float, dict[str, Any]] = dataclasses.field(default_factory=dict)


def _bar(title: str, item: IpRange, block: IpRange) -> dict[str, Any]:
    kind = "trusted" if title == TRUSTED else "login"
    text = f"{title}: {item}" + (f" ({item.description})" if item.description else "")
    return {"from": _place(item.first, block), "to": _place(item.last + 1, block), "kind": kind, "text": text}


def _add_tick(ticks: dict[float, dict[str, Any]], place: float, address: str, logins: Iterable[Login]) -> None:
    """Add the logins of an address; those that fall on the same place share a tick, and so do those above MAX_TICKS."""
    if place not in ticks and len(ticks) >= MAX_TICKS:
        place = min(ticks, key=lambda other: abs(other - place))
    tick = ticks.setdefault(place, {"at": place, "text": address, "addresses": 0, "count": 0, "access": "allowed"})
    tick["addresses"] += 1
    for login in logins:
        tick["count"] += login.count
        tick["access"] = max(tick["access"], login.access, key=ACCESS.index)


def _blocks(ranges: Iterable[IpRange]) -> list[IpRange]:
    """Return the parts of the address space to draw: none overlap, and each range lies within one."""
    parts: dict[IpRange, list[IpRange]] = defaultdict(list)
    for item in ranges:
        parts[_widen(item, STRIP[item.version])].append(item)
    # Each as narrow as what lies in it allows.
    narrow = [_widen(_enclosing(items), LEAST[items[0].version]) for items in parts.values()]
    return [
        IpRange(group[0].version, group[0].first, max(item.last for item in group)) for group in merge_overlaps(narrow)
    ]


def _enclosing(items: list[IpRange]) -> IpRange:
    """Return the smallest block of a power of two that contains all items."""
    version, first, last = items[0].version, min(item.first for item in items), max(item.last for item in items)
    bits = (first ^ last).bit_length()
    return IpRange(version, first >> bits << bits, (last >> bits << bits) + 2**bits - 1)


def _widen(item: IpRange, bits: int) -> IpRange:
    return IpRange(item.version, item.first >> bits << bits, (item.last >> bits << bits) + 2**bits - 1)


def _block_of(version: int, address: int, blocks: list[IpRange]) -> IpRange:
    """Return the block that contains an address."""
    return blocks[bisect_right(blocks, (version, address), key=lambda block: (block.version, block.first)) - 1]


def _place(address: int, block: IpRange) -> float:
    return round((address - block.first) / block.size, 4)


def make_timeline(report: Report) -> list[dict[str, Any]]:
    """Return what ends when, in order: ways to log in, temporary access, and secrets by the age that is allowed."""
    return sorted(
        [*_ends_of_logins(report), *_ends_of_ranges(report), *_ends_of_secrets(report)],
        key=lambda event: (event["day"], event["what"]),
    )


def _ends_of_logins(report: Report) -> Iterator[dict[str, Any]]:
    users: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for ending in report.endings:
        users[ending.date, ending.what, ending.date_grade].add(ending.username)
    for (day, what, grade), names in users.items():
        count = f"{len(names)} user{'' if len(names) == 1 else 's'}"
        text = f"{ENDS[what]}: {count} (the day is {grade})"
        yield {"day": day, "what": "login", "text": text}


def _ends_of_ranges(report: Report) -> Iterator[dict[str, Any]]:
    for org in report.orgs:
        for title, ranges, _logins in org.lists():
            for item in ranges:
                if until := expiry(item):
                    yield {
                        "day": until.date().isoformat(),
                        "what": "range",
                        "text": f"{org.name}: {title}: {item} expires",
                    }


def _ends_of_secrets(report: Report) -> Iterator[dict[str, Any]]:
    rule = report.rules["old_secret"]
    if rule.severity == "off":
        return
    due: dict[str, list[str]] = defaultdict(list)
    for one in report.credentials:
        if one.secret_since is not None:
            day = moment(one.secret_since) + datetime.timedelta(days=rule.limits["days"])
            due[day.date().isoformat()].append(one.name)
    for when, names in due.items():
        text = names[0] if len(names) == 1 else f"{len(names)} credentials"
        yield {"day": when, "what": "secret", "text": f"the secret of {text} is {rule.limits['days']} days old"}
