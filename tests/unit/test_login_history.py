# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of rows of the login history."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.login_history import (
    Login,
    LoginSource,
    check_days,
    cover,
    smallest_cover,
    stranded,
    sum_up,
    with_users,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.rules import Access
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import User
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_range

BILLING, JENKINS = "005000000000001AAA", "005000000000002AAA"


def row(address: str | None = "192.0.2.7", **fields: Any) -> dict[str, Any]:
    """A row as the REST API tells it: a login of an application by SOAP."""
    return {
        "attributes": {"type": "LoginHistory"},
        "UserId": BILLING,
        "SourceIp": address,
        "Application": "billing",
        "LoginType": "Other Apex API",
        "LoginSubType": None,
        "Status": "Success",
        "LoginTime": "2026-11-24T06:00:00.000+0000",
        **fields,
    }


def login(address: str = "192.0.2.7", **fields: Any) -> Login:
    usual = {
        "user_id": BILLING,
        "username": "billing@acme.example",
        "profile": "Standard User",
        "application": "billing",
        "needs_token": True,
        "count": 1,
        "last": "2026-11-24T06:00:00.000+0000",
    }
    return Login(address=address, **{**usual, **fields})


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_what_is_no_number_of_days_is_refused_by_the_name_of_its_option(days: int) -> None:
    with pytest.raises(OptionError, match=f"guard_days: must be from 1 to 3650, not {days}"):
        check_days(days, "guard_days")


class TestSumUp:
    """Rows are summed up by user, application, address and kind."""

    def test_equal_logins_are_counted_and_the_last_is_kept_whatever_the_order(self) -> None:
        times = [f"2026-11-2{day}T06:00:00.000+0000" for day in (2, 4, 3)]
        found = sum_up(row(LoginTime=time) for time in times)
        assert found == {LoginSource(BILLING, "billing", "192.0.2.7", True): (3, times[1])}

    @pytest.mark.parametrize(
        "other",
        [{"UserId": JENKINS}, {"Application": "jenkins"}, {"SourceIp": "192.0.2.8"}, {"LoginType": "Application"}],
    )
    def test_logins_that_differ_are_told_apart(self, other: dict[str, Any]) -> None:
        assert len(sum_up([row(), row(**other)])) == 2

    def test_one_address_in_two_notations_is_one(self) -> None:
        notations = ["192.0.2.7", "::ffff:192.0.2.7", " 192.0.2.7"]
        assert [way.address for way in sum_up(map(row, notations))] == ["192.0.2.7"]
        assert [way.address for way in sum_up([row("2001:DB8:0::7")])] == ["2001:db8::7"]

    def test_refused_logins_do_not_count(self) -> None:
        assert sum_up([row(Status="Invalid Password"), row(Status="Restricted IP"), row(Status=None)]) == {}

    def test_salesforces_own_logins_have_no_address(self) -> None:
        assert sum_up([row("Salesforce.com IP"), row(None), row("")]) == {}

    def test_rows_are_taken_one_by_one_and_not_kept(self) -> None:
        alive = 0

        class Row(dict[str, Any]):
            def __init__(self) -> None:
                nonlocal alive
                super().__init__(row())
                alive += 1
                assert alive <= 2

            def __del__(self) -> None:
                nonlocal alive
                alive -= 1

        def rows() -> Iterator[Row]:
            for _number in range(100):
                yield Row()

        assert [count for count, _last in sum_up(rows()).values()] == [100]

    @pytest.mark.parametrize(
        ("kind", "flow", "needs_token"),
        [
            ("Other Apex API", None, True),
            ("OtherApi", None, True),
            ("Partner Product", None, True),
            ("Partner", "SoapApiLogin", True),
            ("something new", None, True),
            (None, None, True),
            ("Application", "UsernamePasswordUiLogin", False),
            ("Remote Access 2.0", "OauthWebServer", False),
            ("Oauth2", "OauthClientCredentials", False),
            ("Remote Access Client", None, False),
            ("Remote Access 2.0", "OauthUsernamePassword", True),
            ("Oauth2", "OauthUsernamePassword", True),
            ("Saml", None, False),
            ("ThirdPartySso", None, False),
            ("Certificate", None, False),
            ("LightningLogin", None, False),
        ],
    )
    def test_a_password_through_the_api_is_what_needs_a_token_by_label_or_by_value(
        self, kind: str | None, flow: str | None, needs_token: bool
    ) -> None:
        way = next(iter(sum_up([row(LoginType=kind, LoginSubType=flow)])))
        assert way.needs_token is needs_token


class TestUsers:
    """Logins get the names and profiles that users have now."""

    def test_logins_are_sorted_by_user_and_address(self) -> None:
        summed = sum_up([row("192.0.2.8"), row("192.0.2.7"), row("192.0.2.9", UserId=JENKINS)])
        users = {BILLING: User(BILLING, "b@acme.example", "P"), JENKINS: User(JENKINS, "a@acme.example", "Q")}
        found = [(one.username, one.profile, one.address) for one in with_users(summed, users)]
        assert found == [
            ("a@acme.example", "Q", "192.0.2.9"),
            ("b@acme.example", "P", "192.0.2.7"),
            ("b@acme.example", "P", "192.0.2.8"),
        ]

    def test_a_user_who_is_not_told_is_named_by_the_id(self) -> None:
        (found,) = with_users(sum_up([row()]), {})
        assert (found.username, found.profile) == (BILLING, "")


class TestStranded:
    """Those who fare worse after a change, and nobody else."""

    OFFICE, FARM = parse_range("198.51.100.0/24"), parse_range("192.0.2.7")

    @staticmethod
    def between(before: Access, after: Access, *logins: Login) -> list[tuple[str, str]]:
        found = stranded(logins, {"Standard User": before}, {"Standard User": after})
        return [(item.login.address, item.result) for item in found]

    def test_a_login_that_was_trusted_needs_the_token_from_now_on(self) -> None:
        before, after = Access((), (self.OFFICE, self.FARM)), Access((), (self.OFFICE,))
        assert self.between(before, after, login("192.0.2.7"), login("198.51.100.1")) == [
            ("192.0.2.7", "token_required")
        ]

    def test_a_login_that_brings_no_password_is_not_asked_for_the_token(self) -> None:
        assert self.between(Access((), (self.FARM,)), Access((), ()), login(needs_token=False)) == []

    def test_who_needed_the_token_before_is_not_worse_off(self) -> None:
        assert self.between(Access((), (self.OFFICE,)), Access((), ()), login("192.0.2.7")) == []

    @pytest.mark.parametrize("needs_token", [True, False])
    def test_a_profile_that_becomes_restricted_denies_whatever_the_kind_of_login(self, needs_token: bool) -> None:
        before, after = Access((), (self.FARM,)), Access((self.OFFICE,), (self.FARM,))
        assert self.between(before, after, login(needs_token=needs_token)) == [("192.0.2.7", "denied")]

    def test_who_was_denied_before_is_not_worse_off(self) -> None:
        assert self.between(Access((self.OFFICE,), ()), Access((self.OFFICE,), ()), login("192.0.2.7")) == []

    def test_other_profiles_are_left_out(self) -> None:
        assert self.between(Access((), (self.FARM,)), Access((), ()), login(profile="Other")) == []


ADDRESSES = st.one_of(
    st.integers(0, 40).map(lambda low: str(ipaddress.IPv4Address(2**32 - 1 - low))),
    st.integers(0, 40).map(lambda low: str(ipaddress.IPv6Address(low))),
    st.ip_addresses().map(str),
)


class TestSmallestCover:
    """The fewest ranges that hold exactly the addresses."""

    def test_neighbours_become_one_range(self) -> None:
        cover = smallest_cover(["192.0.2.8", "192.0.2.6", "192.0.2.7", "198.51.100.1", "192.0.2.7"])
        assert list(map(str, cover)) == ["192.0.2.6-192.0.2.8", "198.51.100.1"]

    def test_families_do_not_mix(self) -> None:
        assert list(map(str, smallest_cover(["255.255.255.255", "::", "::1"]))) == ["255.255.255.255", "::/127"]

    def test_nobody_needs_no_range(self) -> None:
        assert smallest_cover([]) == ()

    @given(st.lists(ADDRESSES, max_size=60))
    def test_it_holds_every_address_and_no_other_and_no_two_ranges_could_be_one(self, addresses: list[str]) -> None:
        ranges = smallest_cover(addresses)
        held = {(item.version, value) for item in ranges for value in range(item.first, item.last + 1)}
        parsed = [ipaddress.ip_address(address) for address in addresses]
        normal = [getattr(address, "ipv4_mapped", None) or address for address in parsed]
        assert held == {(address.version, int(address)) for address in normal}
        for one, other in zip(ranges, ranges[1:], strict=False):
            assert one < other and (one.version, one.last + 1) != (other.version, other.first)


class TestCover:
    """The proposal tells for whom each range is."""

    def test_a_range_is_described_by_its_users_and_their_applications(self) -> None:
        ranges = cover(
            [
                login("192.0.2.7"),
                login("192.0.2.6", application="N/A"),
                login("192.0.2.6", application="reports"),
                login("192.0.2.7", username="a@acme.example", application="N/A"),
                login("203.0.113.1", username="a@acme.example", application=""),
            ]
        )
        assert [item.as_entry() for item in ranges] == [
            {"range": "192.0.2.6/31", "description": "a@acme.example, billing@acme.example (billing, reports)"},
            {"range": "203.0.113.1", "description": "a@acme.example"},
        ]

    def test_a_description_stays_within_what_salesforce_takes_and_counts_the_others(self) -> None:
        (item,) = cover(login(username=f"user{number:04}@acme.example", application="N/A") for number in range(1000))
        assert item.description is not None and len(item.description) <= 255
        shown = item.description.count("@")
        assert shown > 5
        assert item.description.endswith(f", and {1000 - shown} more")

    def test_where_the_applications_of_one_user_do_not_fit_they_are_left_out(self) -> None:
        (item,) = cover(login(application=f"app{number}") for number in range(100))
        assert item.description == "billing@acme.example"
