# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP ranges as Salesforce keeps them: parse, normalise, limits, plan. Pure.

An IPv4-mapped IPv6 address counts as IPv4, as it does for Salesforce.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import OptionError
from ..text import NOT_XML_CHAR

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Key: TypeAlias = tuple[int, int, int]
# Since Winter '26, over all entries of a list; 10.0.0.0/8 is free. Source: Salesforce help, security_networkaccess.
LIMITS = {4: 2**24, 6: 2**99}
MAX_DESCRIPTION = 255
KEYS = ("range", "start", "end", "description")
SHOWN = 3
_FREE = (int(ipaddress.IPv4Address("10.0.0.0")), int(ipaddress.IPv4Address("10.255.255.255")))
_MAPPED = (int(ipaddress.IPv6Address("::ffff:0:0")), int(ipaddress.IPv6Address("::ffff:ffff:ffff")))
# What stands for a hyphen or a blank in pasted texts, and what cannot be seen there.
_PLAIN = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2009\u202f\u3000"), " "),
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff")),
}
_COMMENT = re.compile(r"(?:^|\s)#.*")
# Sizes of IPv4 blocks by their prefix length.
_PREFIXES = {str(bits): 2 ** (32 - bits) for bits in range(33)}


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class IpRange:
    """An inclusive range of addresses of one family. Ordered by family, first address, last address."""

    version: int
    first: int
    last: int
    description: str | None = dataclasses.field(default=None, compare=False)

    @property
    def key(self) -> Key:
        """What identifies a range in a list: its addresses, not its description."""
        return (self.version, self.first, self.last)

    @property
    def size(self) -> int:
        """How many addresses it contains."""
        return self.last - self.first + 1

    @property
    def start(self) -> str:
        """The first address as text."""
        return _address_text(self.version, self.first)

    @property
    def end(self) -> str:
        """The last address as text."""
        return _address_text(self.version, self.last)

    def __str__(self) -> str:
        """Return the shortest notation: an address, a CIDR block, or C(first-last)."""
        if self.first == self.last:
            return self.start
        size = self.size
        if size & (size - 1) == 0 and self.first % size == 0:
            bits = 32 if self.version == 4 else 128
            return f"{self.start}/{bits - size.bit_length() + 1}"
        return f"{self.start}-{self.end}"

    def as_entry(self) -> dict[str, str]:
        """Return it as a user declares it: what the option C(ranges) of the modules takes."""
        return {"range": str(self)} | ({"description": self.description} if self.description else {})

    def as_result(self) -> dict[str, str | None]:
        """Return it as modules do."""
        return {"range": str(self), "start": self.start, "end": self.end, "description": self.description}


def _address_text(version: int, value: int) -> str:
    if version == 4:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    return str(ipaddress.IPv6Address(value))


def _ipv4(text: str) -> int | None:
    """Return a dotted quad as a number, ten times faster than ipaddress; None for anything else."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return None


def parse_address(text: str) -> Address:
    """Parse an address; an IPv4-mapped IPv6 one becomes IPv4. Raises ValueError."""
    number = _ipv4(text)
    if number is not None:
        return ipaddress.IPv4Address(number)
    address = ipaddress.ip_address(text.strip())
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError("an address with a zone means nothing to Salesforce")
        return address.ipv4_mapped or address
    return address


def from_bounds(start: str, end: str, description: str | None = None) -> IpRange:
    """Make a range from its two addresses in any notation. Raises ValueError saying what is wrong."""
    low4, high4 = _ipv4(start), _ipv4(end)
    if low4 is not None and high4 is not None and low4 <= high4:
        return IpRange(4, low4, high4, _clean(description))
    first, last = parse_address(start), parse_address(end)
    if first.version != last.version:
        if _is_mapped(start) or _is_mapped(end):
            raise ValueError("it straddles the IPv4-mapped block ::ffff:0:0/96, which Salesforce refuses")
        raise ValueError("its two addresses are of different families")
    low, high = int(first), int(last)
    if low > high:
        raise ValueError("its first address is higher than its last")
    if first.version == 6 and low < _MAPPED[0] and high > _MAPPED[1]:
        raise ValueError("it straddles the IPv4-mapped block ::ffff:0:0/96, which Salesforce refuses")
    return IpRange(first.version, low, high, _clean(description))


def parse_range(text: str, description: str | None = None) -> IpRange:
    """Parse a CIDR block, an address, or C(first-last). Raises ValueError saying what is wrong.

    The dashes and blanks that editors and web pages make of plain ones are understood.
    """
    if not text.isascii():
        text = text.translate(_PLAIN)
    try:
        return _parse_plain(text, description)
    except ValueError:
        strange = next((char for char in text if not char.isascii() or not (char.isalnum() or char in ".:/-% ")), None)
        if strange is None:
            raise
        name = unicodedata.name(strange, "a control character")
        raise ValueError(f"it has the character {strange!r} (U+{ord(strange):04X}, {name})") from None


def _parse_plain(text: str, description: str | None) -> IpRange:
    if "-" in text:
        start, _dash, end = text.partition("-")
        return from_bounds(start, end, description)
    if "/" in text:
        base, _slash, prefix = text.strip().partition("/")
        number = _ipv4(base)
        size = _PREFIXES.get(prefix)
        if number is not None and size is not None and number % size == 0:
            return IpRange(4, number, number + size - 1, _clean(description))
        parse_address(base)  # refuses a zone, which a network would drop
        network = ipaddress.ip_network(text.strip(), strict=False)
        if network.network_address != ipaddress.ip_address(base):
            raise ValueError(f"it has bits of a host set; its network is {network}, the address alone is {base}")
        return from_bounds(str(network[0]), str(network[-1]), description)
    return from_bounds(text, text, description)


def parse_entries(entries: Sequence[str | Mapping[str, Any]], *, option: str = "ranges") -> tuple[IpRange, ...]:
    """Parse what a user declared into a normal form: sorted, each range once.

    Args:
        entries: notations, or mappings with C(range) and perhaps C(description).
        option: the name of the option, for error texts.

    Raises:
        OptionError: naming the entry that cannot be used.
    """
    return unique(parse_each(entries, option=option), option=option)


def parse_each(
    entries: Sequence[str | Mapping[str, Any]],
    *,
    option: str = "ranges",
    parse: Callable[[str | Mapping[str, Any], str], IpRange] | None = None,
) -> list[IpRange]:
    """Parse entry by entry what a user declared, in the order given. Raises OptionError as parse_entries() does.

    A text of several lines is as many entries; blank lines, and what follows C(#), count for nothing.
    """
    if isinstance(entries, str | Mapping) or not isinstance(entries, Sequence):
        raise OptionError(option, "must be a list of ranges")
    parse = parse or parse_entry
    ranges = []
    for number, entry in enumerate(entries):
        where = f"{option}[{number}]"
        if isinstance(entry, str) and ("\n" in entry or "#" in entry):
            lines = ((line, _COMMENT.sub("", text).strip()) for line, text in enumerate(entry.splitlines(), 1))
            ranges += [
                parse(text, where if "\n" not in entry else f"{where} line {line}") for line, text in lines if text
            ]
        else:
            ranges.append(parse(entry, where))
    return ranges


def unique(items: Sequence[IpRange], *, option: str = "ranges") -> tuple[IpRange, ...]:
    """Sort ranges and remove duplicates. Raises OptionError for a range with two descriptions."""
    found: dict[Key, IpRange] = {}
    for number, item in enumerate(items):
        other = found.setdefault(item.key, item)
        if other.description != item.description:
            raise OptionError(f"{option}[{number}]", f"{item} is declared twice with different descriptions")
    return tuple(sorted(found.values()))


def parse_entry(entry: str | Mapping[str, Any], where: str) -> IpRange:
    """Parse an entry as a user declares or a module returns it. Raises OptionError naming C(where) and the entry."""
    text, description = _entry_parts(entry, where)
    try:
        item = parse_range(text, description)
    except ValueError as exc:
        raise OptionError(where, f"{text!r} is not a usable range: {exc}") from None
    if NOT_XML_CHAR.search(item.description or ""):
        raise OptionError(where, f"the description of {text} has a control character, which no message can carry")
    if len(item.description or "") > MAX_DESCRIPTION:
        raise OptionError(where, f"the description of {text} is over {MAX_DESCRIPTION} characters")
    return item


def _entry_parts(entry: str | Mapping[str, Any], where: str) -> tuple[str, str | None]:
    """Return the range and the description of an entry."""
    if isinstance(entry, str):
        if not entry.strip():
            raise OptionError(where, "is empty; leave it out")
        return entry, None
    if not isinstance(entry, Mapping):
        _require_text(entry, where, "it")
        raise OptionError(where, "must be a range, or a dictionary with the key 'range'")
    unknown = set(entry) - set(KEYS)
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise OptionError(where, f"has unknown keys: {names}. A range has the keys {', '.join(KEYS)}")
    parts = {key: value for key, value in entry.items() if value is not None}
    for key, value in parts.items():
        _require_text(value, where, f"its {key}")
    start, end = parts.get("start"), parts.get("end")
    bounds = f"{start or end}-{end or start}" if start or end else None
    text = parts.get("range") or bounds
    if not text:
        raise OptionError(where, "must be a range, or a dictionary with the key 'range'")
    if bounds and text != bounds and not _is_same(text, bounds):
        raise OptionError(where, f"its range {text} is not what its start and end say, {bounds}")
    return text, parts.get("description")


def _require_text(value: Any, where: str, what: str) -> None:
    """Raise OptionError for a number or a date: what YAML makes of a text without quotes."""
    if isinstance(value, bool | int | float | datetime.date):
        kind = "boolean" if isinstance(value, bool) else "date" if isinstance(value, datetime.date) else "number"
        raise OptionError(where, f"{what} must be text, but YAML made it a {kind}, {value}; quote it")
    if not isinstance(value, str) and what != "it":
        raise OptionError(where, f"{what} must be text")


def _is_same(one: str, two: str) -> bool:
    try:
        return parse_range(one) == parse_range(two)
    except ValueError:
        return True  # what is wrong with it is reported when it is parsed


def _clean(description: str | None) -> str | None:
    """Normalise a text: Salesforce trims strings and takes an empty one for none; XML has one end of line only."""
    text = (description or "").strip()
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text) or None


def _is_mapped(text: str) -> bool:
    address = ipaddress.ip_address(text.strip())
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None


def check_limits(ranges: Iterable[IpRange], *, already: Iterable[IpRange] = (), option: str = "ranges") -> None:
    """Raise OptionError naming the ranges that take the room when a list outgrows what Salesforce accepts.

    A list that the org has already (C(already)) may stay, and shrink: Salesforce lets it.
    """
    existing = {item.key for item in already}
    counted = [item for item in ranges if not _is_free(item)]
    for version, limit in LIMITS.items():
        items = [item for item in counted if item.version == version]
        total = sum(item.size for item in items)
        if total <= limit or all(item.key in existing for item in items):
            continue
        largest = sorted(items, key=lambda item: -item.size)[:SHOWN]
        names = ", ".join(f"{item} ({item.description})" if item.description else str(item) for item in largest)
        accepted = f"{limit:,} IPv4 addresses (10.0.0.0/8 is not counted)" if version == 4 else "2^99 IPv6 addresses"
        raise OptionError(
            option, f"the list would have {total:,} addresses, and Salesforce accepts {accepted}; most are in {names}"
        )


def _is_free(item: IpRange) -> bool:
    return item.version == 4 and item.first >= _FREE[0] and item.last <= _FREE[1]
