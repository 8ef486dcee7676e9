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
        assert "at_risk" not in found
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
        assert "no profile 'Nobody'" in playbook([ask(profiles=["Nobody"])], ok=False).last["msg"]

    def test_a_history_that_hides_the_logins_of_others_is_told(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.state.user(BILLING).last_login = datetime.datetime.now(datetime.UTC)
        assert "warnings" not in playbook([ask()]).last
        sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData"])
        (warning,) = playbook([ask()]).last["warnings"]
        assert warning.startswith("the login history shows one user at most, though others logged in")

    def test_check_mode_is_the_same_and_nothing_is_ever_written(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        options = {"profiles": ["Standard"], "trusted_ip_ranges": {"ranges": [], "state": "exact"}}
        asked, checked = playbook([ask(**options)]), playbook([ask(**options)], "--check", "--diff")
        assert asked.last == checked.last
        assert set(sim.control.counts()) == {"login", "readMetadata", "query"}


class TestAtRisk:
    """Whom ranges would strand if they were declared."""

    def at_risk(self, playbook: Playbooks, **options: Any) -> list[tuple[str, str, str]]:
        found = playbook([ask(profiles=["Standard"], **options)]).last["at_risk"]
        return [(item["username"], item["address"], item["result"]) for item in found]

    @pytest.mark.parametrize("form", [FARM, {"range": f"{FARM}/32"}, {"range": f"{FARM}-{FARM}", "description": "F"}])
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("present", []),
            ("absent", [(BILLING, FARM, "token_required")]),
            ("exact", [(BILLING, "198.51.100.7", "token_required"), (REPORTS, "198.51.100.8", "token_required")]),
        ],
    )
    def test_trusted_ranges_in_every_form_and_state(
        self, playbook: Playbooks, form: Any, state: str, expected: list[tuple[str, str, str]]
    ) -> None:
        assert self.at_risk(playbook, trusted_ip_ranges={"ranges": [form], "state": state}) == expected

    @pytest.mark.parametrize("profile", ["Standard", "Standard User"])
    def test_login_ranges_of_a_profile_deny_all_other_addresses(self, playbook: Playbooks, profile: str) -> None:
        proposal = {"profile": profile, "ranges": [OFFICE]}
        assert self.at_risk(playbook, login_ip_ranges=[proposal]) == [(BILLING, FARM, "denied")]

    def test_a_browser_is_denied_by_login_ranges_and_not_asked_for_a_token(self, playbook: Playbooks) -> None:
        admins = {"profile": "Admin", "ranges": ["127.0.0.1"]}
        first, second = playbook(
            [ask(login_ip_ranges=[admins]), ask(trusted_ip_ranges={"ranges": [], "state": "exact"})]
        )
        assert [(item["username"], item["result"]) for item in first["result"]["at_risk"]] == [(ADA, "denied")]
        assert {item["username"] for item in second["result"]["at_risk"]} == {BILLING, REPORTS}

    def test_both_together_are_one_proposal(self, playbook: Playbooks) -> None:
        """Who gets in by the profile needs no trusted range."""
        login_ranges = {"profile": "Standard", "ranges": [OFFICE, FARM]}
        nothing_trusted = {"ranges": [], "state": "exact"}
        assert len(self.at_risk(playbook, trusted_ip_ranges=nothing_trusted)) == 3
        assert self.at_risk(playbook, trusted_ip_ranges=nothing_trusted, login_ip_ranges=[login_ranges]) == []

    def test_a_pass_is_tried_like_any_range_and_one_whose_time_is_over_strands_nobody(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        instead = {"ranges": [OFFICE, {"range": FARM, "expires": "2h"}], "state": "exact"}
        assert self.at_risk(playbook, trusted_ip_ranges=instead) == []
        sim.control.set_org(
            trusted_ranges=[OFFICE_BOUNDS, {"start": FARM, "end": FARM, "description": "(expires 2026-01-01T00:00Z)"}]
        )
        assert self.at_risk(playbook, trusted_ip_ranges={"state": "swept"}) == []
        assert len(self.at_risk(playbook, trusted_ip_ranges={"ranges": [], "state": "exact"})) == 2

    def test_ranges_are_rewritten_before_they_are_tried(self, playbook: Playbooks) -> None:
        halves = ["198.51.100.0/25", "198.51.100.128/25", FARM]
        options = {"ranges": halves, "state": "exact", "rewrite": "collapse"}
        assert self.at_risk(playbook, trusted_ip_ranges=options) == []

    def test_it_is_what_the_guard_of_the_declaring_module_refuses(self, playbook: Playbooks) -> None:
        options = {"ranges": [OFFICE], "state": "exact"}
        tried = playbook([ask(trusted_ip_ranges=options)]).last
        refused = playbook([{"gatehouse.salesforce.trusted_ip_ranges": options}], ok=False).last
        assert tried["at_risk"] == refused["at_risk"] != []

    def test_a_list_that_could_not_be_declared_could_not_be_tried(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        wrong = {"ranges": [OFFICE, "office"]}
        failed = playbook([ask(trusted_ip_ranges=wrong)], ok=False).last
        assert "trusted_ip_ranges.ranges[1]: 'office' is not a usable range" in failed["msg"]
        assert sim.control.counts() == {}
        failed = playbook([ask(login_ip_ranges=[{"profile": "Standard", "ranges": ["20.0.0.0/7"]}])], ok=False).last
        assert failed["msg"].startswith("login_ip_ranges[0].ranges: 20.0.0.0/7 takes the list over")

    def test_the_last_range_of_a_profile_can_no_more_be_removed_in_trying(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_profile("Standard", login_ip_ranges=[FARM])
        emptied = {"profile": "Standard", "ranges": [FARM], "state": "absent"}
        failed = playbook([ask(login_ip_ranges=[emptied])], ok=False).last
        assert "remove the last login IP range of the profile Standard" in failed["msg"]


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

    def test_what_is_proposed_strands_nobody_when_it_is_tried_and_is_taken_when_it_is_declared(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        proposal = "{{ asked.proposal }}"
        found = playbook(
            [
                {**ask(), "register": "asked"},
                {
                    "name": "try",
                    "gatehouse.salesforce.login_history_info": {
                        "trusted_ip_ranges": "{{ asked.proposal.trusted_ip_ranges | combine({'state': 'exact'}) }}",
                        "login_ip_ranges": "{{ asked.proposal.login_ip_ranges }}",
                    },
                },
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
        assert found.of("try")["at_risk"] == []
        assert found.of("declare")["at_risk"] == []
        assert len(sim.control.org()["trusted_ranges"]) == 3
        restricted = sim.state.org().profile("Standard")
        assert restricted is not None and len(restricted.login_ip_ranges) == 2
