# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a login by user name and password through the API meets from an address. Pure.

The order of checks is that of the Salesforce Security Guide: the profile's login IP ranges, then the org's trusted IP
ranges. Login hours and multi-factor authentication come before them there; they are not looked at here.
"""

from __future__ import annotations

import dataclasses
import heapq
import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

from ..errors import OptionError
from ..ranges.model import Address, IpRange, check_limits, parse_address

# The session settings that say from where a session may be used, and for how long; named as in the Metadata API.
SESSION_SETTINGS = ("enforceIpRangesEveryRequest", "lockSessionsToDomain", "lockSessionsToIp", "sessionTimeout")
Result = Literal["allowed", "token_required", "denied"]
Rule = Literal["profile_ranges", "trusted_ranges", "trusted_ranges_over_limit", "device_activation", "no_range"]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a login, by which rule, and which range decided."""

    result: Result
    rule: Rule
    range: IpRange | None
    reason: str

    def as_result(self) -> dict[str, str | None]:
        """Return the form in which modules show it."""
        return {
            "result": self.result,
            "rule": self.rule,
            "range": str(self.range) if self.range else None,
            "reason": self.reason,
        }


class RangeIndex:
    """Finds the range that holds an address, in logarithmic time; of overlapping ranges, the smallest."""

    def __init__(self, ranges: Iterable[IpRange]) -> None:
        """Cut the address space where any range starts or ends, and note the owner of each piece."""
        self._pieces: dict[int, tuple[list[int], list[IpRange | None]]] = {4: ([], []), 6: ([], [])}
        by_version: dict[int, list[IpRange]] = {4: [], 6: []}
        for item in sorted(ranges):
            by_version[item.version].append(item)
        for version, items in by_version.items():
            starts, owners = self._pieces[version]
            open_: list[tuple[int, int]] = []
            following = 0
            for start in sorted({item.first for item in items} | {item.last + 1 for item in items}):
                while following < len(items) and items[following].first == start:
                    heapq.heappush(open_, (items[following].size, following))
                    following += 1
                while open_ and items[open_[0][1]].last < start:
                    heapq.heappop(open_)
                starts.append(start)
                owners.append(items[open_[0][1]] if open_ else None)

    def __bool__(self) -> bool:
        return any(starts for starts, _owners in self._pieces.values())

    def find(self, address: str | Address) -> IpRange | None:
        """Return the smallest range that holds the address, or None; raise ValueError for a text that is no address."""
        address = _normal(address)
        starts, owners = self._pieces[address.version]
        position = bisect_right(starts, int(address))
        return owners[position - 1] if position else None


class Access:
    """The rules of one profile in one org."""

    def __init__(
        self,
        profile_ranges: Iterable[IpRange],
        trusted_ranges: Iterable[IpRange],
        *,
        device_activation_always: bool = False,
    ) -> None:
        """Index the ranges.

        Args:
            profile_ranges: those of the profile; without any it is unrestricted.
            trusted_ranges: those of the org.
            device_activation_always: the org earns no revenue (Developer Edition, trial), so Salesforce demands device
                activation from trusted ranges too.
        """
        trusted = list(trusted_ranges)
        self._profile = RangeIndex(profile_ranges)
        self._trusted = RangeIndex(trusted)
        self._device_activation_always = device_activation_always
        self._over_limit = {version for version in (4, 6) if _over_limit(trusted, version)}

    def login(self, address: str | Address) -> Decision:
        """Decide about an API login with user name and password.

        Raises:
            ValueError: the text is no address. LoginHistory holds such texts for Salesforce's own logins.
        """
        address = _normal(address)
        return self._by_profile(address) if self._profile else self._by_trust(address)

    def _by_profile(self, address: Address) -> Decision:
        match = self._profile.find(address)
        if match is None:
            return Decision("denied", "profile_ranges", None, "in none of the profile's login IP ranges")
        return Decision("allowed", "profile_ranges", match, f"in the profile's login IP range {match}")

    def _by_trust(self, address: Address) -> Decision:
        match = self._trusted.find(address)
        if match is None:
            reason = "the profile has no login IP ranges, and no trusted IP range holds the address"
            return Decision("token_required", "no_range", None, reason)
        if self._device_activation_always:
            return Decision(
                "token_required",
                "device_activation",
                match,
                f"in the trusted IP range {match}, but this org demands device activation from there too; whether API "
                "logins then need the token is not documented, so hold it ready",
            )
        if match.version in self._over_limit:
            return Decision(
                "token_required",
                "trusted_ranges_over_limit",
                match,
                f"in the trusted IP range {match}, but the list exceeds Salesforce's limit, so device activation may "
                "be demanded from there too; hold the token ready",
            )
        return Decision("allowed", "trusted_ranges", match, f"in the trusted IP range {match}")


def _normal(address: str | Address) -> Address:
    if isinstance(address, str):
        return parse_address(address)
    return address if isinstance(address, ipaddress.IPv4Address) else address.ipv4_mapped or address


def _over_limit(ranges: Iterable[IpRange], version: int) -> bool:
    try:
        check_limits(item for item in ranges if item.version == version)
    except OptionError:
        return True
    return False
