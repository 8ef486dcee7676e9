# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary access: ranges opened with an expiry, closed by what opened them, or by a sweep."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.tasks import NOBODY

pytestmark = pytest.mark.ansible

RUNNER = "203.0.113.7"
TEMPORARY = {"range": RUNNER, "description": "CI runner", "expires": "2h"}
OVER = {"start": "203.0.113.8", "end": "203.0.113.8", "description": "Dead run (expires 2026-01-01T00:00Z)"}
STILL_OPEN = {"start": "203.0.113.9", "end": "203.0.113.9", "description": "Other run (expires 2036-01-01T00:00Z)"}
OFFICE = {"start": "198.51.100.0", "end": "198.51.100.255", "description": "Office"}


def trusted(*ranges: Any, **options: Any) -> dict[str, Any]:
    given = {"ranges": list(ranges)} if ranges else {}
    return {"name": "trusted", "gatehouse.salesforce.trusted_ip_ranges": {**given, **options}}


def held(sim: SimulatedOrg) -> dict[str, str | None]:
    return {item["start"]: item["description"] for item in sim.control.org()["trusted_ranges"]}


def test_an_expiry_is_kept_where_a_person_reads_it_and_the_run_in_the_same_minute_changes_nothing(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    far = {**TEMPORARY, "expires": "2036-11-24T22:10Z"}
    first, second = playbook([trusted(far), trusted(far)])
    assert held(sim) == {RUNNER: "CI runner (expires 2036-11-24T22:10Z)"}
    assert first["result"]["changed"] is True and second["result"]["changed"] is False


def test_a_duration_counts_from_now_in_utc(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([trusted(TEMPORARY)], env={"TZ": "Asia/Tokyo"})
    told = re.fullmatch(r"CI runner \(expires (.*Z)\)", held(sim)[RUNNER] or "")
    assert told is not None
    left = datetime.datetime.fromisoformat(told[1]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=1, minutes=55) < left <= datetime.timedelta(hours=2, minutes=1)


def test_a_later_expiry_extends_a_shorter_duration_does_not_shorten_and_plain_declaring_makes_it_stay(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    extended, kept, permanent = playbook(
        [
            trusted(TEMPORARY),
            trusted({**TEMPORARY, "expires": "3d"}),
            trusted({**TEMPORARY, "expires": "1h"}),
            trusted(RUNNER),
        ]
    )[1:]
    assert [item["range"] for item in extended["result"]["updated"]] == [RUNNER]
    assert kept["result"]["changed"] is False
    assert permanent["result"]["updated"][0]["description"] == "CI runner"


def test_yaml_times_without_quotes_are_understood(sim: SimulatedOrg, playbook: Playbooks) -> None:
    book = playbook.folder / "book.yml"
    book.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - gatehouse.salesforce.trusted_ip_ranges:\n"
        "        ranges:\n          - {range: 203.0.113.7, expires: 2036-11-24T22:10:00Z}\n"
    )
    playbook.run(book)
    assert held(sim) == {RUNNER: "(expires 2036-11-24T22:10Z)"}


class TestSweep:
    """When its time is over anybody closes a range, whoever opened it."""

    @pytest.fixture(autouse=True)
    def ranges(self, sim: SimulatedOrg) -> None:
        sim.control.set_org(trusted_ranges=[OFFICE, OVER, STILL_OPEN])

    def test_it_closes_what_is_over_and_check_mode_predicts_it(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        predicted = playbook([trusted(state="swept")], "--check", "--diff").last
        assert len(held(sim)) == 3
        first, second = playbook([trusted(state="swept"), trusted(state="swept")], "--diff")
        assert [item["range"] for item in first["result"]["removed"]] == [OVER["start"]]
        assert predicted["diff"] == first["result"]["diff"]
        assert second["result"]["changed"] is False
        assert held(sim) == {"198.51.100.0": "Office", "203.0.113.9": STILL_OPEN["description"]}

    def test_it_does_not_ask_who_used_the_pass(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.add_logins(
            [{"username": sim.admin.username, "source_ip": OVER["start"], "login_type": "Other Apex API"}]
        )
        playbook([trusted(state="swept")])
        assert [entry["operation"] for entry in sim.control.requests()][-4:] == [
            "query",
            "updateMetadata",
            "query",
            "readMetadata",
        ]
        assert sim.control.counts()["query"] == 2

    def test_the_playbook_sweeps_the_profiles_too(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        """Whether they are declared or not."""
        ops = "Ops %28A%27M Team%29"
        sim.control.set_profile(ops, label="Ops (A'M Team)")
        for name in ("Admin", ops):
            sim.control.set_profile(name, login_ip_ranges=["127.0.0.1", OVER])
        inventory = playbook.folder / "inventory.yml"
        inventory.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
        playbook.run(ROOT / "playbooks" / "sweep.yml", "-i", str(inventory))
        swept = {item["name"]: item["login_ip_ranges"] for item in sim.control.org()["profiles"]}
        assert [[item["start"] for item in swept[name]] for name in ("Admin", ops)] == [["127.0.0.1"]] * 2
        assert OVER["start"] not in held(sim)


class TestClosing:
    """Guard does not hinder users who close their own temporary access, unless that strands others."""

    @pytest.fixture(autouse=True)
    def opened(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.add_user("eve@simulated.example", "Eve-Password-1")
        sim.control.set_org(trusted_ranges=[OFFICE])
        playbook([trusted(TEMPORARY)])

    def logged_in(self, sim: SimulatedOrg, username: str, address: str = RUNNER) -> None:
        sim.control.add_logins([{"username": username, "source_ip": address, "login_type": "Other Apex API"}])

    def test_access_that_only_its_owner_used_is_closed(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.logged_in(sim, sim.admin.username)
        closed = playbook([trusted(TEMPORARY, state="absent")]).last
        assert [item["range"] for item in closed["removed"]] == [RUNNER]
        assert closed["at_risk"] == [] and "warnings" not in closed

    def test_somebody_else_who_came_in_by_it_is_told(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.logged_in(sim, sim.admin.username)
        self.logged_in(sim, "eve@simulated.example")
        refused = playbook([trusted(TEMPORARY, state="absent")], ok=False).last
        assert [item["username"] for item in refused["at_risk"]] == ["eve@simulated.example"]
        assert RUNNER in held(sim)
        warned = playbook([trusted(TEMPORARY, state="absent", guard="warn")]).last
        assert any("eve@simulated.example" in text for text in warned["warnings"])
        assert RUNNER not in held(sim)

    def test_what_is_removed_beside_it_is_guarded_as_ever(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.logged_in(sim, sim.admin.username, "198.51.100.7")
        refused = playbook([trusted(TEMPORARY, {"range": "198.51.100.0/24"}, state="absent")], ok=False).last
        assert [item["address"] for item in refused["at_risk"]] == ["198.51.100.7"]

    def test_an_entry_that_expires_closes_no_range_that_was_there_for_good(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        entry = {"range": "198.51.100.0/24", "expires": "2h"}
        opened, closed = playbook([trusted(entry), trusted(entry, state="absent")])
        assert opened["result"]["changed"] is False and closed["result"]["changed"] is False
        assert held(sim)["198.51.100.0"] == "Office"

    def test_temporary_access_of_a_profile_is_closed_by_a_run_that_came_in_through_it(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_profile("Admin", login_ip_ranges=["198.51.100.1"])
        entry = {"range": "127.0.0.1", "expires": "2h"}
        task = {"profile": "System Administrator", "ranges": [entry]}
        sim.control.add_login_ip_range(
            "Admin", {"start": "127.0.0.1", "end": "127.0.0.1", "description": "(expires 2036-01-01T00:00Z)"}
        )
        closed = playbook([{"gatehouse.salesforce.login_ip_ranges": {**task, "state": "absent"}}]).last
        assert [item["range"] for item in closed["removed"]] == ["127.0.0.1"]


def test_an_expired_range_that_was_the_only_one_of_a_profile_strands_nobody(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    """Without it the profile was closed to all, so whoever came in before it was opened has nothing to lose."""
    sim.control.add_user("eve@simulated.example", "Eve-Password-1", profile="Standard")
    sim.control.add_logins([{"username": "eve@simulated.example", "source_ip": "192.0.2.9"}])
    sim.control.set_profile("Standard", login_ip_ranges=[OVER])
    task = {"profile": "Standard", "ranges": [OFFICE["start"]], "state": "exact"}
    closed = playbook([{"gatehouse.salesforce.login_ip_ranges": task}]).last
    assert [item["range"] for item in closed["removed"]] == [OVER["start"]] and closed["at_risk"] == []


class TestPlaybook:
    """temporary_access.yml: open, work, close."""

    def run(self, playbook: Playbooks, *work: dict[str, Any], ok: bool = True, **extra: Any) -> Results:
        inventory = playbook.folder / "inventory.yml"
        inventory.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
        tasks = playbook.folder / "work.json"
        tasks.write_text(json.dumps(list(work)))
        return playbook.run(
            ROOT / "playbooks" / "temporary_access.yml",
            "-i",
            str(inventory),
            ok=ok,
            **{"temporary_access_address": "127.0.0.1", "temporary_access_tasks": str(tasks), **extra},
        )

    def test_the_work_needs_no_token_and_afterwards_the_door_is_shut(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_org(trusted_ranges=[OFFICE, OVER])
        sim.control.add_user("deploy@simulated.example", "Deploy-Password-1", security_token="NeverNeeded0000000000000")
        work = {
            "name": "deploy",
            "gatehouse.salesforce.credential": {
                "name": "deploy",
                "username": "deploy@simulated.example",
                "password": "Deploy-Password-1",
                "security_token": "",
            },
        }
        results = self.run(playbook, work)
        assert results.of("deploy")["verification"]["result"] == "ok"
        assert held(sim) == {"198.51.100.0": "Office"}
        assert any("deploy@simulated.example" in text for text in results.of("Close temporary access")["warnings"])

    def test_by_default_the_address_is_the_one_from_which_the_org_sees_this_run(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        """Not one from which the user logged in before."""
        sim.control.add_logins([{"username": sim.admin.username, "source_ip": RUNNER, "login_type": "Other Apex API"}])
        look = {"name": "look", "gatehouse.salesforce.network_access_info": {}}
        seen = self.run(playbook, look, temporary_access_address=None).of("look")
        assert [item["range"] for item in seen["trusted_ip_ranges"]] == ["127.0.0.1"]
        assert held(sim) == {}

    def test_where_the_org_does_not_show_it_the_address_is_asked_for_and_nothing_opened(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        playbook([{"gatehouse.salesforce.network_access_info": {}}])
        session = {
            "gatehouse_salesforce_auth": "session",
            "gatehouse_salesforce_access_token": next(iter(sim.state.sessions)),
            "gatehouse_salesforce_instance_url": sim.url,
        }
        results = self.run(playbook, ok=False, temporary_access_address=None, **{**NOBODY, **session})
        assert results.last["msg"].startswith("temporary_access_address: is required")
        assert held(sim) == {}

    def test_what_it_needs_is_asked_for_before_anything_is_done(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=[OVER])
        inventory = playbook.folder / "inventory.yml"
        inventory.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
        book = ROOT / "playbooks" / "temporary_access.yml"
        results = playbook.run(book, "-i", str(inventory), ok=False, temporary_access_address="127.0.0.1")
        assert "missing required arguments: temporary_access_tasks" in results.last["msg"]
        assert sim.control.counts() == {}

    def test_a_file_of_work_that_is_missing_fails_before_anything_is_opened(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        inventory = playbook.folder / "inventory.yml"
        inventory.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
        book = ROOT / "playbooks" / "temporary_access.yml"
        given: dict[str, Any] = {"temporary_access_address": "127.0.0.1", "temporary_access_tasks": "missing.yml"}
        results = playbook.run(book, "-i", str(inventory), ok=False, **given)
        assert f"temporary_access_tasks: {playbook.folder / 'missing.yml'} is not a file" in results.last["msg"]
        assert sim.control.counts() == {}

    def test_a_relative_file_of_work_is_looked_for_in_the_working_directory(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        inventory, work = playbook.folder / "inventory.yml", playbook.folder / "work.json"
        inventory.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
        work.write_text(json.dumps([{"name": "deploy", "ansible.builtin.debug": {"msg": "works"}}]))
        book = ROOT / "playbooks" / "temporary_access.yml"
        given: dict[str, Any] = {"temporary_access_address": "127.0.0.1", "temporary_access_tasks": "work.json"}
        assert playbook.run(book, "-i", str(inventory), **given).of("deploy")["msg"] == "works"

    def test_work_that_fails_leaves_no_door_open(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        results = self.run(playbook, {"name": "deploy", "ansible.builtin.fail": {"msg": "broken"}}, ok=False)
        assert [item["task"] for item in results][-1] == "Close temporary access"
        assert results.of("Open temporary access")["changed"] is True
        assert held(sim) == {}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"range": RUNNER, "expires": "soon"}, "ranges[0]: its key 'expires' must be a duration such as '2h'"),
        ({"range": RUNNER, "expires": "2026-11-24T22:10"}, "time with its zone"),
        ({"range": RUNNER, "expires": 7200}, "not '7200'"),
        ({"range": RUNNER, "expires": "2h", "description": "x" * 240}, "255 characters with its expiry"),
        ({"range": RUNNER, "expire": "2h"}, "unknown keys: expire"),
    ],
)
@pytest.mark.parametrize("module", ["trusted_ip_ranges", "login_ip_ranges"])
def test_a_bad_expiry_is_named_and_nothing_is_sent(
    sim: SimulatedOrg, playbook: Playbooks, module: str, entry: dict[str, Any], problem: str
) -> None:
    profile = {"profile": "Admin"} if module == "login_ip_ranges" else {}
    result = playbook([{f"gatehouse.salesforce.{module}": {**profile, "ranges": [entry]}}], ok=False).last
    assert problem in result["msg"]
    assert sim.control.counts() == {}


def test_a_sweep_takes_no_ranges_and_every_other_state_needs_them(sim: SimulatedOrg, playbook: Playbooks) -> None:
    assert "takes no ranges" in playbook([trusted(RUNNER, state="swept")], ok=False).last["msg"]
    assert "ranges: is required when state is exact" in playbook([trusted(state="exact")], ok=False).last["msg"]
    assert sim.control.counts() == {}
