# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option guard: nobody is locked out by accident, this run least of all."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.bench import guard as bench
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

HERE = "127.0.0.1"
OFFICE, FARM = "198.51.100.0/24", "203.0.113.7"
BILLING = "billing@acme.example"


def trust(*ranges: str, **options: Any) -> dict[str, Any]:
    return {"name": "trust", "gatehouse.salesforce.trusted_ip_ranges": {"ranges": list(ranges), **options}}


def restrict(*ranges: str, profile: str = "Standard", **options: Any) -> dict[str, Any]:
    options = {"profile": profile, "ranges": list(ranges), **options}
    return {"name": "restrict", "gatehouse.salesforce.login_ip_ranges": options}


def trusted(sim: SimulatedOrg) -> int:
    return len(sim.control.org()["trusted_ranges"])


def restricted(sim: SimulatedOrg, profile: str = "Standard") -> int:
    found = sim.state.org().profile(profile)
    assert found is not None
    return len(found.login_ip_ranges)


@pytest.fixture(autouse=True)
def history(sim: SimulatedOrg) -> None:
    """An application that logs in from the farm, without a token as the org trusts it."""
    sim.control.set_org(trusted_ranges=["198.51.100.0-198.51.100.255", FARM])
    sim.control.add_user(BILLING, "Invented-Password-1", profile="Standard")
    sim.control.add_logins([{"username": BILLING, "source_ip": FARM, "application": "billing", "count": 41}])


# Changes that strand the application, and what then becomes of it.
STRANDING = [
    pytest.param(trust(FARM, state="absent"), "token_required", "needs the security token", id="a range taken away"),
    pytest.param(trust(OFFICE, state="exact"), "token_required", "needs the security token", id="a range left out"),
    pytest.param(restrict(OFFICE), "denied", "denied", id="a profile restricted"),
]


class TestModes:
    """C(fail) changes nothing, C(warn) warns, C(off) does not look."""

    @pytest.mark.parametrize("options", [(), ("--check",)], ids=["for real", "in check mode"])
    @pytest.mark.parametrize(("task", "result", "text"), STRANDING)
    def test_by_default_the_change_is_refused_and_all_at_risk_are_told(
        self,
        sim: SimulatedOrg,
        playbook: Playbooks,
        task: dict[str, Any],
        result: str,
        text: str,
        options: tuple[str, ...],
    ) -> None:
        refused = playbook([task], *options, ok=False).last
        assert f"{BILLING} by billing from {FARM}: {text}" in refused["msg"]
        assert "This change was not made" in refused["msg"] and "guard" in refused["msg"]
        (at_risk,) = refused["at_risk"]
        assert (at_risk["username"], at_risk["application"], at_risk["address"]) == (BILLING, "billing", FARM)
        assert (at_risk["count"], at_risk["result"], at_risk["profile"]) == (41, result, "Standard User")
        assert at_risk["reason"]
        assert "updateMetadata" not in sim.control.counts()

    @pytest.mark.parametrize(("task", "result", "text"), STRANDING)
    def test_with_warn_the_change_is_made_and_told(
        self, sim: SimulatedOrg, playbook: Playbooks, task: dict[str, Any], result: str, text: str
    ) -> None:
        module = next(key for key in task if key != "name")
        done = playbook([{**task, module: {**task[module], "guard": "warn"}}]).last
        assert done["changed"] is True
        assert [item["result"] for item in done["at_risk"]] == [result]
        assert any(f"{BILLING} by billing from {FARM}: {text}" in warning for warning in done["warnings"])
        assert sim.control.counts()["updateMetadata"] == 1

    @pytest.mark.parametrize(("task", "result", "text"), STRANDING)
    def test_with_off_nobody_looks(
        self, sim: SimulatedOrg, playbook: Playbooks, task: dict[str, Any], result: str, text: str
    ) -> None:
        module = next(key for key in task if key != "name")
        done = playbook([{**task, module: {**task[module], "guard": "off"}}]).last
        assert done["changed"] and "at_risk" not in done, "nobody looked"
        assert sim.control.counts()["query"] == 2, "of the audit trail"

    @pytest.mark.parametrize(
        "task",
        [
            pytest.param(trust("192.0.2.0/24"), id="a range more"),
            pytest.param(trust("198.51.100.0/25", "198.51.100.128/25", FARM, state="exact"), id="the same in pieces"),
            pytest.param(trust("203.0.112.0/23", OFFICE, state="exact"), id="within a larger range"),
            pytest.param(restrict(FARM), id="restricted to where it logs in from"),
            pytest.param(restrict(OFFICE, profile="Nobodys"), id="a profile of nobody"),
        ],
    )
    def test_what_strands_nobody_goes_through(
        self, sim: SimulatedOrg, playbook: Playbooks, task: dict[str, Any]
    ) -> None:
        sim.control.set_profile("Nobodys", permissions=["ApiEnabled"])
        done = playbook([task]).last
        assert (done["changed"], done["at_risk"]) == (True, [])

    def test_older_logins_than_guard_days_do_not_count(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.advance(-20 * 86400)
        sim.control.add_logins([{"username": BILLING, "source_ip": "198.51.100.7"}])
        sim.control.advance(20 * 86400)
        away = trust(OFFICE, state="absent", guard_days=10)
        assert playbook([away], "--check").last["changed"] is True
        assert playbook([trust(OFFICE, state="absent", guard_days=30)], ok=False).last["at_risk"]

    @pytest.mark.parametrize("days", [0, -30])
    def test_no_number_of_days_is_refused_instead_of_finding_nobody(self, playbook: Playbooks, days: int) -> None:
        failed = playbook([trust(FARM, state="absent", guard_days=days)], ok=False).last
        assert failed["msg"] == f"guard_days: must be from 1 to 3650, not {days}"

    def test_where_the_history_cannot_be_read_nothing_is_changed(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.inject(
            "status", operation="query", times=None, status=503, content_type="application/json", body="[]"
        )
        failed = playbook([trust(FARM, state="absent")], ok=False).last
        assert failed["msg"].startswith("guard: cannot find out whom this change would strand")
        assert trusted(sim) == 2

    def test_where_it_shows_only_ones_own_logins_though_others_logged_in_neither(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData"])
        sim.state.user(BILLING).last_login = datetime.datetime.now(datetime.UTC)
        failed = playbook([trust(FARM, state="absent")], ok=False).last
        assert "permission Manage Users or Monitor Login History" in failed["msg"]
        assert trusted(sim) == 2


class TestPages:
    """The history comes in pages, and every page counts."""

    @pytest.mark.parametrize("batch", [1, 2, 7])
    def test_who_is_on_the_last_page_is_found(self, sim: SimulatedOrg, playbook: Playbooks, batch: int) -> None:
        sim.control.set_switches(query_batch_size=batch)
        sim.control.add_logins([{"username": BILLING, "source_ip": "198.51.100.9", "application": "last"}])
        at_risk = playbook([trust(OFFICE, state="absent")], ok=False).last["at_risk"]
        assert [item["application"] for item in at_risk] == ["last"]
        assert sim.control.counts()["queryMore"] >= 42 // batch - 1

    def test_fifty_thousand_rows_are_summed_up(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        rows = [
            {"username": BILLING, "source_ip": f"198.51.100.{number}", "application": f"app{number}", "count": 500}
            for number in range(100)
        ]
        assert sim.control.add_logins(rows) == 50_000
        at_risk = playbook([trust(OFFICE, state="absent")], ok=False).last["at_risk"]
        assert {item["count"] for item in at_risk} == {500} and len(at_risk) == 100
        assert sim.control.counts()["queryMore"] == 25

    def test_fifty_thousand_ways_in_fit_into_200_mib_with_all_that_a_task_needs(self) -> None:
        """The rows above sum up to a hundred; here no two do."""
        assert bench.measure()["guard_50000_rows_peak_mib"] < 200


class TestThisVeryRun:
    """A profile is never restricted so that this run's own address is denied, unless guard is off."""

    @pytest.mark.parametrize("guard", ["fail", "warn"])
    @pytest.mark.parametrize("profile", ["Admin", "System Administrator"])
    def test_a_profile_that_would_deny_it_is_refused_even_where_others_would_only_be_warned_of(
        self, sim: SimulatedOrg, playbook: Playbooks, guard: str, profile: str
    ) -> None:
        refused = playbook([restrict(OFFICE, profile=profile, guard=guard)], ok=False).last
        assert f"ranges: Salesforce sees this very run at {HERE}" in refused["msg"]
        assert restricted(sim, "Admin") == 0

    def test_with_off_it_is_what_one_asked_for(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([restrict(OFFICE, profile="Admin", guard="off")])
        assert restricted(sim, "Admin") == 1

    def test_taking_the_own_address_away_is_refused_too(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Admin", login_ip_ranges=[HERE, FARM])
        refused = playbook([restrict(HERE, profile="Admin", state="absent")], ok=False).last
        assert "sees this very run" in refused["msg"] and restricted(sim, "Admin") == 2

    def test_a_range_that_holds_it_goes_through(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([restrict("127.0.0.0/8", profile="Admin")])
        assert restricted(sim, "Admin") == 1

    def test_a_wrong_try_of_somebody_elsewhere_is_not_taken_for_it(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        """It comes between this run's login and the look at the history."""
        wrong = {"username": sim.admin.username, "source_ip": "198.51.100.66", "status": "Invalid Password"}
        sim.control.hook("readMetadata", [{"command": "add_logins", "rows": [wrong] * 3}])
        refused = playbook([restrict(OFFICE, profile="Admin")], ok=False).last
        assert f"sees this very run at {HERE}" in refused["msg"]

    def test_trusted_ranges_deny_nobody_so_the_own_one_may_go(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=[HERE, FARM])
        sim.control.clear_requests()
        playbook([trust(HERE, state="absent", guard="warn")])
        assert trusted(sim) == 1
