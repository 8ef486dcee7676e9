# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in from where: the decision that an org takes on an API login. Pure.

The order of checks is that of the Salesforce Security Guide: login hours, multi-factor authentication for API logins,
the profile's login IP ranges, the org's trusted IP ranges. A login is meant with user name and password.
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

Result = Literal["allowed", "token_required", "denied"]
Rule = Literal[
    "login_hours",
    "mfa_for_api_logins",
    "profile_ranges",
    "trusted_ranges",
    "trusted_ranges_over_limit",
    "device_activation",
    "no_range",
    "session_locked_to_ip",
    "session",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What happens, by which rule, and which declared range made it so."""

    result: Result
    rule: Rule
    range: IpRange | None
    reason: str

    def as_result(self) -> dict[str, str | None]:
        """The form in which modules return it."""
        return {
            "result": self.result,
            "rule": self.rule,
            "range": str(self.range) if self.range else None,
            "reason": self.reason,
        }


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides besides addresses.

    Attributes:
        in_login_hours: the moment lies within the profile's login hours.
        mfa_for_api_logins: the user has the permission "MFA for API Logins", which refuses the security token.
        api_only: the user has the permission "API Only User", and so cannot reset the token.
        device_activation_always: the org earns no revenue (Developer Edition, trial): Salesforce demands device
            activation from trusted ranges too.
        enforce_every_request: the session setting enforceIpRangesEveryRequest.
        lock_sessions_to_ip: the session setting lockSessionsToIp.
    """

    in_login_hours: bool = True
    mfa_for_api_logins: bool = False
    api_only: bool = False
    device_activation_always: bool = False
    enforce_every_request: bool = False
    lock_sessions_to_ip: bool = False


class RangeIndex:
    """Finds the range that holds an address, in logarithmic time. Of overlapping ranges, the smallest."""

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
        """The smallest range that holds the address. Raises ValueError for what is no address."""
        address = _normal(address)
        starts, owners = self._pieces[address.version]
        position = bisect_right(starts, int(address))
        return owners[position - 1] if position else None


class Access:
    """The rules of one profile in one org."""

    def __init__(
        self, profile_ranges: Iterable[IpRange], trusted_ranges: Iterable[IpRange], settings: Settings | None = None
    ) -> None:
        """Index the ranges. A profile without ranges is unrestricted."""
        trusted = list(trusted_ranges)
        self._profile = RangeIndex(profile_ranges)
        self._trusted = RangeIndex(trusted)
        self._settings = settings or Settings()
        self._over_limit = {version for version in (4, 6) if _over_limit(trusted, version)}

    def login(self, address: str | Address) -> Decision:
        """What an API login with user name and password meets from an address.

        Raises:
            ValueError: the text is no address. LoginHistory holds such texts for Salesforce's own logins.
        """
        address, settings = _normal(address), self._settings
        if not settings.in_login_hours:
            return Decision("denied", "login_hours", None, "outside the profile's login hours")
        if settings.mfa_for_api_logins:
            return Decision(
                "denied",
                "mfa_for_api_logins",
                None,
                "the user has MFA for API Logins: instead of the security token a time-based code is needed",
            )
        if self._profile:
            return self._by_profile(address)
        return self._by_trust(address)

    def request(self, address: str | Address, *, session_from: str | Address) -> Decision:
        """What a request meets from an address, in a session that was opened from another.

        When both session settings refuse, the lock is named; Salesforce does not document which is checked first.

        Raises:
            ValueError: a text is no address.
        """
        here, there = _normal(address), _normal(session_from)
        if self._settings.lock_sessions_to_ip and here != there:
            return Decision(
                "denied", "session_locked_to_ip", None, f"sessions are locked to their address, here {there}"
            )
        if self._settings.enforce_every_request and self._profile:
            return self._by_profile(here)
        return Decision("allowed", "session", None, "ranges are checked at login only")

    def _by_profile(self, address: Address) -> Decision:
        found = self._profile.find(address)
        if found is None:
            return Decision("denied", "profile_ranges", None, "in none of the profile's login IP ranges")
        return Decision("allowed", "profile_ranges", found, f"in the profile's login IP range {found}")

    def _by_trust(self, address: Address) -> Decision:
        found = self._trusted.find(address)
        if found is None:
            return self._token(
                "no_range", None, "the profile has no login IP ranges, and no trusted IP range holds the address"
            )
        if self._settings.device_activation_always:
            return self._token(
                "device_activation",
                found,
                f"in the trusted IP range {found}, but this org demands device activation from there too; whether API "
                "logins then need the token is not documented, so hold it ready",
            )
        if found.version in self._over_limit:
            return self._token(
                "trusted_ranges_over_limit",
                found,
                f"in the trusted IP range {found}, but the list exceeds Salesforce's limit, so device activation may "
                "be demanded from there too; hold the token ready",
            )
        return Decision("allowed", "trusted_ranges", found, f"in the trusted IP range {found}")

    def _token(self, rule: Rule, found: IpRange | None, reason: str) -> Decision:
        if self._settings.api_only:
            reason += "; an API-only user cannot reset the token"
        return Decision("token_required", rule, found, reason)


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
