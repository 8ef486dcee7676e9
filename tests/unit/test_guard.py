# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard asks an org, and what it makes of the answers."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.guard import (
    WouldStrandLogins,
    describe,
    login_at_risk,
    refuse,
    trusted_at_risk,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.login_history import (
    own_address,
    own_profile,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.range_lists import LoginRanges
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.metadata import ReadRanges
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_range
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.plan import RangePlan, plan_ranges

PROFILE_IDS: dict[str, str] = defaultdict(lambda: f"00e{len(PROFILE_IDS):012}")
ME, BILLING, PORTAL = "005000000000001AAA", "005000000000002AAA", "005000000000003AAA"
OFFICE, FARM, ELSEWHERE = "198.51.100.0/24", "192.0.2.7", "203.0.113.9"
USERS = {
    ME: ("admin@acme.example", "System Administrator"),
    BILLING: ("billing@acme.example", "Integration"),
    PORTAL: ("portal@acme.example", "Portal"),
}


NAMES = {"System Administrator": "Admin", "Ops (A'M Team)": "Ops %28A%27M Team%29"}


def ranges(*texts: str) -> tuple[Any, ...]:
    return tuple(map(parse_range, texts))


@dataclasses.dataclass
class ScriptedOrg:
    """Answers the guard's questions from what it holds, and keeps the order in which they were asked."""

    logins: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    trusted: tuple[str, ...] = ()
    login_ranges: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    user_id: str | None = ME
    status: str = "Success"
    asked: list[str] = dataclasses.field(default_factory=list)
    hidden_profiles: tuple[str, ...] = ()
    last_users: tuple[str, ...] = ()
    users: dict[str, tuple[str, str]] = dataclasses.field(default_factory=lambda: USERS)

    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], Any] = list) -> Any:
        (table,) = re.findall(r"FROM (\w+)", soql)
        self.asked.append(table)
        rows = list(getattr(self, f"_{table}")())
        if wanted := re.search(r"WHERE (Id|UserId) = '(\w+)'", soql):
            rows = [row for row in rows if row[wanted[1]] == wanted[2]]
        if "LastLoginDate" in soql:
            rows = [row for row in rows if row["Id"] in self.last_users]
        if "DESC" in soql:
            rows.reverse()
        return into(iter(rows))

    def _LoginHistory(self) -> Iterator[dict[str, Any]]:  # noqa: N802 - a table
        for number, (user, address) in enumerate(self.logins):
            yield {
                "UserId": user,
                "SourceIp": address,
                "Application": "app",
                "LoginType": "Other Apex API",
                "Status": self.status if user == ME else "Success",
                "LoginTime": f"2026-11-24T06:00:{number:02}.000+0000",
            }

    def _User(self) -> Iterator[dict[str, Any]]:  # noqa: N802 - a table
        for user, (name, profile) in self.users.items():
            yield {"Id": user, "Username": name, "Profile": {"Name": profile}}

    def _Profile(self) -> Iterator[dict[str, Any]]:  # noqa: N802 - a table
        return iter(
            {"Id": PROFILE_IDS[name], "Name": name}
            for name in sorted({name for _user, name in self.users.values()})
            if name not in self.hidden_profiles
        )

    def metadata(self, call: Callable[[Any], Any]) -> Any:
        return call(self)

    def list_profiles(self) -> dict[str, str]:
        self.asked.append("listed profiles")
        return {PROFILE_IDS[label]: NAMES.get(label, label) for _user, label in self.users.values()}

    def read_trusted_ranges(self) -> ReadRanges:
        self.asked.append("trusted")
        return self._read("Security", self.trusted)

    def read_login_ranges(self, names: Sequence[str]) -> list[ReadRanges]:
        self.asked.append(f"profiles {' '.join(names)}")
        return [self._read(name, self.login_ranges[name]) for name in names if name in self.login_ranges]

    @staticmethod
    def _read(name: str, held: Sequence[str]) -> ReadRanges:
        return ReadRanges(name, ranges(*held), datetime.datetime.now(datetime.UTC))


def trusted_rows(org: ScriptedOrg, change: RangePlan) -> list[tuple[str, str, str]]:
    found = trusted_at_risk(cast(Org, org), change, 30)
    return [(item.login.username, item.login.address, item.result) for item in found]


def login_rows(org: ScriptedOrg, change: RangePlan, name: str = "Integration") -> list[tuple[str, str, str]]:
    found = login_at_risk(cast(Org, org), change, LoginRanges(cast(Org, org), name), 30)
    return [(item.login.username, item.login.address, item.result) for item in found]


def change(before: Sequence[str], after: Sequence[str]) -> RangePlan:
    return plan_ranges(ranges(*before), ranges(*after), "exact")


class TestTrustedRanges:
    """Removing a trusted range asks those for the token who did without it."""

    def test_who_logged_in_from_a_removed_range_is_at_risk(self) -> None:
        org = ScriptedOrg([(BILLING, FARM), (BILLING, "198.51.100.1"), (PORTAL, ELSEWHERE)])
        found = trusted_rows(org, change([OFFICE, FARM], [OFFICE]))
        assert found == [("billing@acme.example", FARM, "token_required")]

    def test_a_range_that_goes_into_a_larger_one_strands_nobody(self) -> None:
        org = ScriptedOrg([(BILLING, FARM)])
        assert trusted_rows(org, change([FARM], ["192.0.2.0/24"])) == []

    def test_without_a_removal_nothing_is_asked(self) -> None:
        org = ScriptedOrg([(BILLING, FARM)])
        assert trusted_rows(org, change([FARM], [FARM, OFFICE])) == []
        assert org.asked == []

    def test_users_whose_profile_has_login_ranges_do_not_depend_on_trusted_ones(self) -> None:
        org = ScriptedOrg([(BILLING, FARM), (PORTAL, FARM)], login_ranges={"Integration": (FARM,)})
        found = trusted_rows(org, change([FARM], []))
        assert found == [("portal@acme.example", FARM, "token_required")]

    def test_a_profile_is_read_by_its_metadata_name(self) -> None:
        org = ScriptedOrg([(ME, FARM)], login_ranges={"Admin": (FARM,)})
        assert trusted_rows(org, change([FARM], [])) == []
        assert org.asked[-1] == "profiles Admin"

    def test_a_profile_whose_label_is_not_its_metadata_name_is_found(self) -> None:
        users = {BILLING: ("billing@acme.example", "Ops (A'M Team)")}
        org = ScriptedOrg([(BILLING, FARM)], users=users, login_ranges={"Ops %28A%27M Team%29": (FARM,)})
        assert trusted_rows(org, change([FARM], [])) == []

    def test_a_profile_that_cannot_be_read_counts_as_unrestricted(self) -> None:
        org = ScriptedOrg([(BILLING, FARM)], login_ranges={})
        assert len(trusted_rows(org, change([FARM], []))) == 1

    def test_profiles_are_read_ten_at_a_time(self) -> None:
        many = {f"005{number:015}": (f"u{number}@acme.example", f"P{number:02}") for number in range(23)}
        org = ScriptedOrg([(user, FARM) for user in many], users=many)
        assert len(trusted_rows(org, change([FARM], []))) == 23
        assert [len(asked.split()) - 1 for asked in org.asked if asked.startswith("profiles")] == [10, 10, 3]

    def test_a_history_that_lacks_logins_of_others_is_no_reason_to_go_ahead(self) -> None:
        class OwnOnly(ScriptedOrg):
            def _LoginHistory(self) -> Iterator[dict[str, Any]]:  # noqa: N802 - a table
                return (row for row in super()._LoginHistory() if row["UserId"] == ME)

        org = OwnOnly([(ME, FARM), (BILLING, FARM)], last_users=(ME, BILLING))
        with pytest.raises(OrgError, match="guard: .*one user at most, though others logged in"):
            trusted_rows(org, change([FARM], []))

    def test_a_history_of_one_user_is_whole_where_nobody_else_logged_in(self) -> None:
        assert len(trusted_rows(ScriptedOrg([(ME, FARM)], last_users=(ME,)), change([FARM], []))) == 1

    def test_where_the_history_cannot_be_read_nothing_is_changed_and_the_option_is_named(self) -> None:
        class Closed(ScriptedOrg):
            def query(self, soql: str, into: Any = list) -> Any:
                raise OrgError("the org refused the query: INVALID_TYPE", cause="not_approved")

        with pytest.raises(OrgError, match=r"guard: .*INVALID_TYPE.*This change was not made") as caught:
            trusted_rows(Closed(), change([FARM], []))
        assert caught.value.cause == "not_approved"


class TestLoginRanges:
    """A profile that has ranges denies every other address."""

    def test_who_logged_in_from_a_removed_range_is_denied(self) -> None:
        org = ScriptedOrg([(BILLING, FARM), (BILLING, "198.51.100.1"), (PORTAL, FARM)])
        found = login_rows(org, change([OFFICE, FARM], [OFFICE]))
        assert found == [("billing@acme.example", FARM, "denied")]

    @pytest.mark.parametrize("name", ["Ops (A'M Team)", "Ops %28A%27M Team%29"])
    def test_users_of_a_profile_whose_label_is_not_its_metadata_name_are_found_by_either(self, name: str) -> None:
        users = {BILLING: ("billing@acme.example", "Ops (A'M Team)"), PORTAL: USERS[PORTAL]}
        org = ScriptedOrg([(BILLING, FARM), (PORTAL, FARM)], users=users)
        assert login_rows(org, change([], [OFFICE]), name) == [("billing@acme.example", FARM, "denied")]

    def test_the_first_range_of_a_profile_denies_all_other_addresses_even_trusted_ones(self) -> None:
        org = ScriptedOrg([(BILLING, FARM), (BILLING, ELSEWHERE)], trusted=(FARM,))
        found = login_rows(org, change([], [OFFICE]))
        assert [(address, result) for _user, address, result in found] == [(FARM, "denied"), (ELSEWHERE, "denied")]

    def test_a_further_range_of_a_restricted_profile_strands_nobody_and_nothing_is_asked(self) -> None:
        org = ScriptedOrg([(BILLING, FARM)])
        assert login_rows(org, change([OFFICE], [OFFICE, ELSEWHERE])) == []
        assert org.asked == []

    def test_a_label_that_the_org_does_not_show_is_refused_as_its_logins_could_not_be_found(self) -> None:
        org = ScriptedOrg([(PORTAL, FARM)], hidden_profiles=("Integration",))
        with pytest.raises(OptionError, match="profile: the org shows no label of the profile Integration"):
            login_rows(org, change([], [OFFICE]))

    @pytest.mark.parametrize("logins", [[(BILLING, FARM)], [(BILLING, FARM), (PORTAL, FARM)]])
    def test_a_user_whose_profile_the_org_does_not_tell_may_have_this_one(self, logins: list[tuple[str, str]]) -> None:
        org = ScriptedOrg(logins, users={ME: USERS[ME], PORTAL: USERS[PORTAL]})
        assert login_rows(org, change([], [OFFICE]), "Portal")[0] == (BILLING, FARM, "denied")

    def test_capitals_do_not_make_a_login_another(self) -> None:
        class Capitals(ScriptedOrg):
            def _LoginHistory(self) -> Iterator[dict[str, Any]]:  # noqa: N802 - a table
                return (row | {"Status": "SUCCESS"} for row in super()._LoginHistory())

        assert len(login_rows(Capitals([(BILLING, FARM)]), change([], [OFFICE]))) == 1

    def test_a_profile_without_logins_strands_nobody(self) -> None:
        assert login_rows(ScriptedOrg([(PORTAL, FARM)]), change([], [OFFICE])) == []


class TestThisVeryRun:
    """A profile is never restricted in a way that would deny the address of the run that does it."""

    ADMIN = "Admin"

    def test_a_change_that_would_deny_it_is_refused_before_the_history_is_read(self) -> None:
        org = ScriptedOrg([(ME, FARM)])
        with pytest.raises(WouldStrandLogins, match=rf"sees this very run at {FARM}.*This change was not made.*guard"):
            login_rows(org, change([], [OFFICE]), self.ADMIN)
        assert org.asked == ["User", "listed profiles", "Profile", "LoginHistory"]

    def test_the_address_is_that_of_the_last_login_that_went_well(self) -> None:
        org = ScriptedOrg([(ME, "198.51.100.1"), (ME, "198.51.100.2")])
        assert own_address(cast(Org, org)) == "198.51.100.2"
        org.logins.append((BILLING, FARM))
        assert own_address(cast(Org, org)) == "198.51.100.2"
        org.status = "Invalid Password"
        assert own_address(cast(Org, org)) is None

    def test_a_change_that_lets_it_in_is_not(self) -> None:
        org = ScriptedOrg([(ME, "198.51.100.1")])
        assert login_rows(org, change([], [OFFICE]), self.ADMIN) == []

    def test_where_its_address_is_not_told_it_may_be_denied(self) -> None:
        org = ScriptedOrg([(ME, FARM)], status="Invalid Password")
        with pytest.raises(WouldStrandLogins, match="cannot find this run's address.*guard"):
            login_rows(org, change([], [OFFICE]), self.ADMIN)

    def test_where_the_session_does_not_tell_whose_it_is_anybody_at_risk_may_be_it(self) -> None:
        org = ScriptedOrg([(BILLING, FARM)], user_id=None)
        with pytest.raises(WouldStrandLogins, match="does not say whose session this is") as caught:
            login_rows(org, change([], [OFFICE]))
        assert [item["username"] for item in caught.value.result["at_risk"]] == ["billing@acme.example"]

    def test_a_profile_of_others_may_deny_it(self) -> None:
        assert login_rows(ScriptedOrg([(ME, FARM)]), change([], [OFFICE])) == []

    def test_a_session_that_came_from_elsewhere_has_no_known_address(self) -> None:
        org = ScriptedOrg([(ME, FARM)], user_id=None)
        assert own_address(cast(Org, org)) is None
        assert own_profile(cast(Org, org)) is None


class TestRefusal:
    """The text names some, the result all."""

    def test_nobody_at_risk_is_no_reason_to_refuse(self) -> None:
        refuse([], 30)

    def test_the_first_five_are_named_and_the_others_counted(self) -> None:
        org = ScriptedOrg([(BILLING, f"192.0.2.{number}") for number in range(1, 9)])
        at_risk = trusted_at_risk(cast(Org, org), change(["192.0.2.0/24"], []), 30)
        said = "^This would stop logins that 1 user made in the last 30 days"
        with pytest.raises(WouldStrandLogins, match=said) as caught:
            refuse(at_risk, 30)
        text = str(caught.value)
        assert "billing@acme.example by app from 192.0.2.5: needs the security token" in text
        assert "192.0.2.6" not in text and "and 3 more" in text
        assert len(caught.value.result["at_risk"]) == 8

    def test_an_application_that_gives_no_name_is_said_to_be_unnamed(self) -> None:
        org = ScriptedOrg([(BILLING, "192.0.2.1")])
        at_risk = trusted_at_risk(cast(Org, org), change(["192.0.2.0/24"], []), 30)
        unnamed = [dataclasses.replace(one, login=dataclasses.replace(one.login, application="N/A")) for one in at_risk]
        assert "by an unnamed application from 192.0.2.1" in describe(unnamed, 30)
