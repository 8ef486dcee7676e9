# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module login_history_info, as a playbook meets it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

OFFICE, FARM, HOME = "198.51.100.0/24", "203.0.113.7", "192.0.2.99"
OFFICE_BOUNDS = "198.51.100.0-198.51.100.255"
BILLING, REPORTS, ADA = "billing@acme.example", "reports@acme.example", "ada@acme.example"
BROWSER = {"login_type": "Application", "application": "Browser"}


def ask(**options: Any) -> dict[str, Any]:
    return {"name": "ask", "gatehouse.salesforce.login_history_info": options}


def ago(days: int) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).isoformat()


def brief(logins: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    """Without this run's own logins, of which there may be several."""
    return [
        (item["username"], item["application"], item["address"], item["count"])
        for item in logins
        if item["username"] != "admin@simulated.example"
    ]


@pytest.fixture(autouse=True)
def history(sim: SimulatedOrg) -> None:
    """Two applications and a person, in an org that trusts the office and the farm."""
    sim.control.set_org(trusted_ranges=[OFFICE_BOUNDS, FARM])
    for user in (BILLING, REPORTS):
        sim.control.add_user(user, "Invented-Password-1", profile="Standard")
    sim.control.add_user(ADA, "Invented-Password-1", profile="Admin")
    sim.control.add_logins(
        [
            {"username": BILLING, "source_ip": FARM, "application": "billing", "count": 3},
            {"username": BILLING, "source_ip": "198.51.100.7", "application": "billing"},
            {"username": REPORTS, "source_ip": "198.51.100.8", "application": "reports", "count": 2},
            {"username": ADA, "source_ip": HOME, **BROWSER},
            {"username": BILLING, "source_ip": HOME, "status": "Invalid Password"},
            {"username": BILLING, "source_ip": "Salesforce.com IP"},
            {"username": REPORTS, "source_ip": "192.0.2.1", "login_time": ago(40)},
        ]
    )


SUMMED_UP = [
    (ADA, "Browser", HOME, 1),
    (BILLING, "billing", "198.51.100.7", 1),
    (BILLING, "billing", FARM, 3),
    (REPORTS, "reports", "198.51.100.8", 2),
]


class TestLogins:
    """Who logged in from where."""

    def test_successful_logins_are_summed_up_by_user_application_and_address(self, playbook: Playbooks) -> None:
        found = playbook([ask()]).last
        assert found["changed"] is False
        assert brief(found["logins"]) == SUMMED_UP
        (ada,) = (item for item in found["logins"] if item["username"] == ADA)
        assert (ada["profile"], ada["needs_token"]) == ("System Administrator", False)
        assert datetime.datetime.fromisoformat(ada["last"]) <= datetime.datetime.now(datetime.UTC)

    @pytest.mark.parametrize("batch", [1, 2, 3])
    def test_pages_of_any_size_give_the_same(self, sim: SimulatedOrg, playbook: Playbooks, batch: int) -> None:
        sim.control.set_switches(query_batch_size=batch)
        assert brief(playbook([ask()]).last["logins"]) == SUMMED_UP
        assert sim.control.counts()["queryMore"] >= 9 // batch

    def test_a_session_that_ends_between_two_pages_counts_nothing_twice(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_switches(query_batch_size=2)
        sim.control.hook("queryMore", [{"command": "end_sessions"}], after=1)
        assert brief(playbook([ask()]).last["logins"]) == SUMMED_UP
        assert sim.control.counts()["login"] == 2

    def test_more_days_show_more(self, playbook: Playbooks) -> None:
        found = brief(playbook([ask(days=60)]).last["logins"])
        assert set(found) - set(SUMMED_UP) == {(REPORTS, "N/A", "192.0.2.1", 1)}

    @pytest.mark.parametrize("days", [0, -1, 4000])
    def test_what_is_no_number_of_days_is_refused(self, playbook: Playbooks, days: int) -> None:
        assert playbook([ask(days=days)], ok=False).last["msg"] == f"days: must be from 1 to 3650, not {days}"

    @pytest.mark.parametrize("profile", ["Standard", "Standard User"])
    def test_profiles_narrow_it_down(self, playbook: Playbooks, profile: str) -> None:
        assert brief(playbook([ask(profiles=[profile])]).last["logins"]) == SUMMED_UP[1:]

    def test_a_profile_that_is_not_there_is_an_error(self, playbook: Playbooks) -> None:
        assert "profiles: the org has no profile 'Nobody'" in playbook([ask(profiles=["Nobody"])], ok=False).last["msg"]

    def test_a_history_that_hides_the_logins_of_others_is_told(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.state.user(BILLING).last_login = datetime.datetime.now(datetime.UTC)
        assert "warnings" not in playbook([ask()]).last
        sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData"])
        (warning,) = playbook([ask()]).last["warnings"]
        assert warning.startswith("the login history shows one user at most, though others logged in")

    def test_check_mode_is_the_same_and_nothing_is_ever_written(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        asked, checked = (playbook([ask(profiles=["Standard"])], *flags) for flags in ((), ("--check", "--diff")))
        assert asked.last == checked.last
        assert set(sim.control.counts()) == {"login", "listMetadata", "readMetadata", "query"}


class TestProposal:
    """The fewest ranges that let all the logins in."""

    def test_trusted_ranges_cover_what_needs_a_token(self, playbook: Playbooks) -> None:
        found = playbook([ask(profiles=["Standard"])]).last["proposal"]
        assert found["trusted_ip_ranges"]["ranges"] == [
            {
                "range": "198.51.100.7-198.51.100.8",
                "description": "billing@acme.example (billing), reports@acme.example (reports)",
            },
            {"range": FARM, "description": "billing@acme.example (billing)"},
        ]

    def test_login_ranges_cover_everybody_of_a_profile(self, playbook: Playbooks) -> None:
        admins, standard = playbook([ask()]).last["proposal"]["login_ip_ranges"][::-1]
        assert (admins["profile"], standard["profile"]) == ("System Administrator", "Standard User")
        assert [item["range"] for item in standard["ranges"]] == ["198.51.100.7-198.51.100.8", FARM]
        assert {"range": HOME, "description": "ada@acme.example (Browser)"} in admins["ranges"]

    def test_users_whom_login_ranges_let_in_need_no_trusted_range(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Standard", login_ip_ranges=[OFFICE_BOUNDS, FARM])
        assert playbook([ask(profiles=["Standard"])]).last["proposal"]["trusted_ip_ranges"]["ranges"] == []

    def test_what_is_proposed_is_taken_when_it_is_declared_and_strands_nobody(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        proposal = "{{ asked.proposal }}"
        found = playbook(
            [
                {**ask(), "register": "asked"},
                {
                    "name": "declare",
                    "gatehouse.salesforce.trusted_ip_ranges": {
                        "ranges": proposal.replace("proposal", "proposal.trusted_ip_ranges.ranges"),
                        "state": "exact",
                    },
                },
                {
                    "name": "restrict",
                    "gatehouse.salesforce.login_ip_ranges": {
                        "profile": "{{ item.profile }}",
                        "ranges": "{{ item.ranges }}",
                    },
                    "loop": "{{ asked.proposal.login_ip_ranges }}",
                },
            ]
        )
        assert found.of("declare")["at_risk"] == []
        assert len(sim.control.org()["trusted_ranges"]) == 3
        restricted = sim.state.org().profile("Standard")
        assert restricted is not None and len(restricted.login_ip_ranges) == 2
