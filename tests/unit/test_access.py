# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in from where, and by which rule."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.rules import (
    Access,
    Decision,
    RangeIndex,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import IpRange, parse_range

OFFICE = parse_range("198.51.100.0/24", "Office")
VPN = parse_range("2001:db8:10::/64", "VPN")
INSIDE, OUTSIDE = "198.51.100.7", "203.0.113.7"


def outcome(decision: Decision) -> tuple[str, str, str | None]:
    return (decision.result, decision.rule, str(decision.range) if decision.range else None)


class TestOrderOfChecks:
    """Each check as the Security Guide orders it: the first that decides is the rule named."""

    def test_inside_a_profile_range_no_token_is_needed(self) -> None:
        assert outcome(Access([OFFICE], []).login(INSIDE)) == ("allowed", "profile_ranges", "198.51.100.0/24")

    def test_outside_the_profile_ranges_a_trusted_range_does_not_help(self) -> None:
        access = Access([OFFICE], [parse_range("203.0.113.0/24")])
        assert outcome(access.login(OUTSIDE)) == ("denied", "profile_ranges", None)

    def test_a_profile_with_ranges_of_one_family_denies_the_other(self) -> None:
        assert Access([OFFICE], []).login("2001:db8:10::1").result == "denied"

    def test_a_profile_without_ranges_is_unrestricted_and_trusted_ranges_spare_the_token(self) -> None:
        access = Access([], [OFFICE, VPN])
        assert outcome(access.login(INSIDE)) == ("allowed", "trusted_ranges", "198.51.100.0/24")
        assert outcome(access.login("2001:DB8:10::1")) == ("allowed", "trusted_ranges", "2001:db8:10::/64")
        assert outcome(access.login(OUTSIDE)) == ("token_required", "no_range", None)

    def test_trusted_ranges_deny_nobody(self) -> None:
        assert Access([], []).login(OUTSIDE).result == "token_required"

    def test_an_org_without_revenue_may_demand_the_token_from_a_trusted_range_too(self) -> None:
        access = Access([], [OFFICE], device_activation_always=True)
        decision = access.login(INSIDE)
        assert outcome(decision) == ("token_required", "device_activation", "198.51.100.0/24")
        assert "not documented" in decision.reason
        assert Access([OFFICE], [], device_activation_always=True).login(INSIDE).result == "allowed"

    def test_a_trusted_list_over_the_limit_is_not_relied_on_in_that_family(self) -> None:
        access = Access([], [parse_range("20.0.0.0/7"), VPN])
        assert outcome(access.login("20.1.2.3"))[:2] == ("token_required", "trusted_ranges_over_limit")
        assert outcome(access.login("2001:db8:10::1"))[:2] == ("allowed", "trusted_ranges")


class TestAddresses:
    """How an address is read, and which range is named."""

    def test_an_ipv4_mapped_address_counts_as_ipv4(self) -> None:
        assert Access([], [OFFICE]).login("::ffff:198.51.100.7").result == "allowed"
        assert Access([], [OFFICE]).login(ipaddress.ip_address("::ffff:198.51.100.7")).result == "allowed"

    def test_the_bounds_belong_to_the_range_and_their_neighbours_do_not(self) -> None:
        access = Access([parse_range("198.51.100.3-198.51.100.9")], [])
        found = {last: access.login(f"198.51.100.{last}").result for last in (2, 3, 9, 10)}
        assert found == {2: "denied", 3: "allowed", 9: "allowed", 10: "denied"}

    @pytest.mark.parametrize("text", ["Salesforce.com IP", "", "198.51.100"])
    @pytest.mark.parametrize("profile", [[], [OFFICE]])
    def test_what_is_no_address_is_an_error(self, text: str, profile: list[IpRange]) -> None:
        with pytest.raises(ValueError, match="address"):
            Access(profile, [OFFICE]).login(text)

    def test_of_overlapping_ranges_the_smallest_is_named(self) -> None:
        wide, narrow = parse_range("198.51.0.0/16"), parse_range("198.51.100.7")
        index = RangeIndex([narrow, wide, OFFICE])
        assert [index.find(f"198.51.{rest}") for rest in ("100.7", "100.8", "99.8")] == [narrow, OFFICE, wide]

    def test_the_result_is_plain_text(self) -> None:
        assert Access([], [OFFICE]).login(INSIDE).as_result() == {
            "result": "allowed",
            "rule": "trusted_ranges",
            "range": "198.51.100.0/24",
            "reason": "in the trusted IP range 198.51.100.0/24",
        }


# A small world in which ranges and addresses meet: 16 addresses of each family.
BASE = {4: int(ipaddress.ip_address("198.51.100.0")), 6: int(ipaddress.ip_address("2001:db8::"))}
few_ranges = st.lists(
    st.tuples(st.sampled_from([4, 6]), st.integers(0, 15), st.integers(0, 15)).map(
        lambda parts: IpRange(parts[0], BASE[parts[0]] + min(parts[1:]), BASE[parts[0]] + max(parts[1:]))
    ),
    max_size=6,
)
any_address = st.tuples(st.sampled_from([4, 6]), st.integers(-1, 16)).map(
    lambda parts: (ipaddress.IPv4Address if parts[0] == 4 else ipaddress.IPv6Address)(BASE[parts[0]] + parts[1])
)


def naive(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    profile: list[IpRange],
    trusted: list[IpRange],
    activation: bool,
) -> tuple[str, str]:
    """The guide's list, read aloud."""

    def holds(ranges: list[IpRange]) -> bool:
        return any(item.version == address.version and item.first <= int(address) <= item.last for item in ranges)

    if profile:
        return ("allowed" if holds(profile) else "denied"), "profile_ranges"
    if not holds(trusted):
        return "token_required", "no_range"
    if activation:
        return "token_required", "device_activation"
    return "allowed", "trusted_ranges"


@given(any_address, few_ranges, few_ranges, st.booleans())
def test_the_decision_is_that_of_the_guide(
    address: ipaddress.IPv4Address, profile: list[IpRange], trusted: list[IpRange], activation: bool
) -> None:
    decision = Access(profile, trusted, device_activation_always=activation).login(str(address))
    assert (decision.result, decision.rule) == naive(address, profile, trusted, activation)


@given(any_address, few_ranges)
def test_the_range_found_is_the_smallest_that_holds_the_address(
    address: ipaddress.IPv4Address, ranges: list[IpRange]
) -> None:
    holding = [item for item in ranges if item.version == address.version and item.first <= int(address) <= item.last]
    found = RangeIndex(ranges).find(address)
    if not holding:
        assert found is None
    else:
        assert found in holding
        assert found.size == min(item.size for item in holding)
