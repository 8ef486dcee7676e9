# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module login_ip_ranges, as a playbook meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.processes import COLLECTIONS, ROOT
from tests.support.tasks import bounds, login, login_bounds

PROFILE = "Integration"
OFFICE = {"range": "198.51.100.0/24", "description": "Office"}
FARM = {"range": "203.0.113.7", "description": "Build farm"}
VPN = {"range": "2001:db8:10::-2001:db8:10::ff", "description": "VPN"}
CLICKED = "192.0.2.0/24"


def declare(*ranges: Any, profile: str = PROFILE, **options: Any) -> dict[str, Any]:
    return login(*ranges, profile=profile, **options)


@pytest.fixture(autouse=True)
def clicked(sim: SimulatedOrg) -> None:
    ranges = [{"start": "192.0.2.0", "end": "192.0.2.255", "description": "Clicked"}, "192.0.2.7"]
    sim.control.set_profile(PROFILE, login_ip_ranges=ranges)


GRID = [
    ("present", [OFFICE, VPN], ["198.51.100.0/24", "2001:db8:10::/120"], []),
    ("present", ["192.0.2.0-192.0.2.3"], ["192.0.2.0/30"], []),
    ("exact", [OFFICE], ["198.51.100.0/24"], [CLICKED, "192.0.2.7"]),
    ("exact", [CLICKED, FARM], ["203.0.113.7"], ["192.0.2.7"]),
    ("absent", [{"range": CLICKED}], [], [CLICKED]),
]


@pytest.mark.parametrize(("state", "ranges", "added", "removed"), GRID)
@pytest.mark.ansible
def test_check_mode_predicts_the_run_changes_and_a_second_run_does_not(
    sim: SimulatedOrg, playbook: Playbooks, state: str, ranges: list[Any], added: list[str], removed: list[str]
) -> None:
    before = login_bounds(sim, PROFILE)
    predicted = playbook([declare(*ranges, state=state)], "--check", "--diff").last
    assert login_bounds(sim, PROFILE) == before
    assert "updateMetadata" not in sim.control.counts()

    done = playbook([declare(*ranges, state=state)], "--diff").last
    assert done["changed"] is True
    assert [item["range"] for item in done["added"]] == added
    assert [item["range"] for item in done["removed"]] == removed
    for key in ("changed", "ranges", "added", "removed", "updated", "diff"):
        assert predicted[key] == done[key], key
    assert login_bounds(sim, PROFILE) == bounds(done["ranges"])

    sim.control.clear_requests()
    again = playbook([declare(*ranges, state=state)], "--diff").last
    assert again["changed"] is False
    assert again["ranges"] == done["ranges"]
    assert sim.control.counts() == {"login": 1, "readMetadata": 1}


@pytest.mark.parametrize("state", ["absent", "exact"])
@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_the_last_range_is_not_removed_and_the_error_says_what_a_person_must_do(
    sim: SimulatedOrg, playbook: Playbooks, state: str, mode: list[str]
) -> None:
    ranges = [CLICKED, "192.0.2.7"] if state == "absent" else []
    result = playbook([declare(*ranges, state=state, guard="off")], *mode, ok=False).last
    assert result["msg"].startswith("ranges: this would remove the last login IP range of the profile Integration")
    assert "Setup > Profiles > Integration > Login IP Ranges" in result["msg"]
    assert sim.control.counts() == {"login": 1, "readMetadata": 1}
    assert len(login_bounds(sim, PROFILE)) == 2


def test_a_profile_without_ranges_stays_so_when_none_are_wanted(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile(PROFILE, login_ip_ranges=[])
    for task in (declare(state="exact"), declare(OFFICE, state="absent"), declare()):
        assert playbook([task]).last["changed"] is False
    assert "updateMetadata" not in sim.control.counts()


@pytest.mark.parametrize("name", ["System Administrator", "Admin", " Admin "])
def test_a_standard_profile_is_found_by_its_label_and_its_metadata_name(
    sim: SimulatedOrg, playbook: Playbooks, name: str
) -> None:
    first, second = playbook([declare("127.0.0.1", profile=name), declare("127.0.0.1", profile="Admin")])
    assert login_bounds(sim, "Admin") == ["127.0.0.1-127.0.0.1"]
    assert first["result"]["changed"] is True and second["result"]["changed"] is False


@pytest.mark.parametrize("missing", ["nil", "full_name"])
def test_an_unknown_profile_is_named_however_the_org_tells_it(
    sim: SimulatedOrg, playbook: Playbooks, missing: str
) -> None:
    sim.control.set_switches(missing_component=missing)
    result = playbook([declare(OFFICE, profile="Nobody's")], ok=False).last
    assert 'the org has no profile "Nobody\'s"' in result["msg"]
    assert "updateMetadata" not in sim.control.counts()


def test_only_the_ranges_of_this_profile_change(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile(PROFILE, permissions=["ApiEnabled"], login_hours={"1": [480, 1080]})
    before = sim.control.org()
    playbook([declare(OFFICE)])
    after = sim.control.org()
    for org in (before, after):
        for profile in org["profiles"]:
            if profile["name"] == PROFILE:
                profile.pop("login_ip_ranges")
    assert after == before


class TestWritesThatDoNotTake:
    """The org answers success, and the list is another one: always read again."""

    def test_a_list_that_is_merged_instead_of_replaced_is_an_error(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_switches(profile_ranges_write="merge")
        result = playbook([declare(OFFICE, state="exact")], ok=False).last
        assert "the login IP ranges of the profile Integration were written 3 times" in result["msg"]
        assert "have 192.0.2.0/24, 192.0.2.7 in excess" in result["msg"]

    def test_so_is_one_that_somebody_undoes_at_once(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        undo = {"command": "set_login_ip_ranges", "profile": PROFILE, "ranges": [CLICKED]}
        sim.control.hook("updateMetadata", [undo], when="after", times=None)
        result = playbook([declare(OFFICE)], ok=False).last
        assert "lack 198.51.100.0/24" in result["msg"]

    def test_a_write_that_the_org_refuses_is_told_with_its_code(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_switches(description_cap=3)
        result = playbook([declare(OFFICE)], ok=False).last
        assert "the org refused to change Profile" in result["msg"]


class TestLabels:
    """A profile may be named by its label or by its metadata name, and everything works by either."""

    LABEL, NAME = "Ops (A'M Team)", "Ops %28A%27M Team%29"
    USER = "ops@simulated.example"

    @pytest.fixture(autouse=True)
    def profile(self, sim: SimulatedOrg) -> None:
        sim.control.set_profile(self.NAME, label=self.LABEL, login_ip_ranges=["203.0.113.7", "198.51.100.7"])
        sim.control.add_user(self.USER, "Ops-Password-1", profile=self.NAME)
        sim.control.add_logins([{"username": self.USER, "source_ip": "203.0.113.7", "application": "ops"}])

    @pytest.mark.parametrize("name", [LABEL, NAME])
    def test_its_ranges_are_changed(self, sim: SimulatedOrg, playbook: Playbooks, name: str) -> None:
        added = playbook([declare("203.0.113.8", profile=name)]).last
        assert [item["range"] for item in added["added"]] == ["203.0.113.8"] and "warnings" not in added
        assert "203.0.113.8-203.0.113.8" in login_bounds(sim, self.NAME)

    @pytest.mark.parametrize("name", [LABEL, NAME])
    def test_guard_sees_its_logins(self, sim: SimulatedOrg, playbook: Playbooks, name: str) -> None:
        refused = playbook([declare("203.0.113.7", profile=name, state="absent")], ok=False).last
        assert [(item["username"], item["result"]) for item in refused["at_risk"]] == [(self.USER, "denied")]

    def test_its_users_are_not_at_risk_when_a_trusted_range_goes(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_org(trusted_ranges=["203.0.113.7"])
        task = {"gatehouse.salesforce.trusted_ip_ranges": {"ranges": [], "state": "exact"}}
        assert playbook([task]).last["at_risk"] == []

    @pytest.mark.parametrize("name", [LABEL, NAME])
    def test_its_ranges_and_history_are_read(self, playbook: Playbooks, name: str) -> None:
        access, history = playbook(
            [
                {"gatehouse.salesforce.network_access_info": {"profiles": [name], "addresses": ["203.0.113.7"]}},
                {"gatehouse.salesforce.login_history_info": {"profiles": [name]}},
            ]
        )
        assert access["result"]["decisions"][0]["rule"] == "profile_ranges"
        assert [item["username"] for item in history["result"]["logins"]] == [self.USER]
        proposed = history["result"]["proposal"]
        assert proposed["trusted_ip_ranges"]["ranges"] == []
        assert [item["profile"] for item in proposed["login_ip_ranges"]] == [self.LABEL]

    def test_all_profiles_are_read_by_their_labels(self, playbook: Playbooks) -> None:
        access = playbook([{"gatehouse.salesforce.network_access_info": {"profiles": ["*"]}}]).last
        restricted = {item["profile"]: len(item["ranges"]) for item in access["login_ip_ranges"] if item["ranges"]}
        assert restricted == {self.LABEL: 2, PROFILE: 2}

    @pytest.mark.parametrize("name", [LABEL, NAME])
    def test_unused_ranges_are_found(self, playbook: Playbooks, name: str) -> None:
        task = declare("203.0.113.7", "198.51.100.7", profile=name, lint={"unused_days": 30, "skip": ["documentation"]})
        assert [item["entries"][0]["range"] for item in playbook([task]).last["lint"]] == ["198.51.100.7"]

    @pytest.mark.parametrize("name", [LABEL, NAME])
    def test_what_another_administrator_does_at_the_same_time_is_merged(
        self, sim: SimulatedOrg, playbook: Playbooks, name: str
    ) -> None:
        sim.control.add_user("eve@simulated.example", "Eve-Password-1")
        command = {"command": "add_login_ip_range", "profile": self.NAME, "range": "203.0.113.99"}
        sim.control.hook("updateMetadata", [{**command, "by": "eve@simulated.example"}])
        result = playbook([declare("203.0.113.8", profile=name)]).last
        assert "203.0.113.99-203.0.113.99" in login_bounds(sim, self.NAME)
        assert "203.0.113.99, which eve@simulated.example at" in result["warnings"][0]


class TestRaces:
    """Another administrator is at work at the same moment."""

    @pytest.fixture(autouse=True)
    def other(self, sim: SimulatedOrg) -> None:
        sim.control.add_user("eve@simulated.example", "Eve-Password-1")

    def eve(self, sim: SimulatedOrg, command: str, address: str, *, profile: str = PROFILE, **when: Any) -> None:
        action = {"command": command, "profile": profile, "range": address, "by": "eve@simulated.example"}
        sim.control.hook("updateMetadata", [action], **when)

    def test_a_range_that_the_write_replaced_unseen_is_restored_and_told(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        self.eve(sim, "add_login_ip_range", "203.0.113.99")
        result = playbook([declare(OFFICE)]).last
        assert "203.0.113.99-203.0.113.99" in login_bounds(sim, PROFILE)
        assert "203.0.113.99, which eve@simulated.example at 20" in result["warnings"][0]

    def test_a_range_that_was_deleted_meanwhile_is_deleted_again(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.eve(sim, "remove_login_ip_range", "192.0.2.7")
        result = playbook([declare(OFFICE)]).last
        assert "192.0.2.7-192.0.2.7" not in login_bounds(sim, PROFILE)
        assert "was deleted again" in result["warnings"][0]

    def test_a_change_of_another_profile_is_none_of_this_run(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.eve(sim, "add_login_ip_range", "203.0.113.99", profile="Standard")
        assert "warnings" not in playbook([declare(OFFICE)]).last

    def test_a_profile_told_by_its_label_is_the_same_profile(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Admin", login_ip_ranges=["127.0.0.1"])
        self.eve(sim, "add_login_ip_range", "203.0.113.99", profile="Admin")
        playbook([declare(OFFICE, profile="Admin")])
        assert "203.0.113.99-203.0.113.99" in login_bounds(sim, "Admin")

    def test_where_the_trail_may_not_be_read_a_warning_says_so(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_switches(audit_trail_permission="ViewSetupAuditTrail")
        sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData", "ModifyMetadata", "ManageUsers"])
        result = playbook([declare(OFFICE)]).last
        assert "Setup Audit Trail cannot be read" in result["warnings"][0]


@pytest.mark.parametrize(
    ("ranges", "options", "problem"),
    [
        (["198.51.100.0/33"], {}, "ranges[0]: '198.51.100.0/33'"),
        (["192.0.2.1", "198.51.100.9-198.51.100.3"], {}, "ranges[1]: '198.51.100.9-198.51.100.3'"),
        (["192.0.2.1-2001:db8::1"], {}, "families"),
        (["::-::1:0:0:0"], {}, "IPv4-mapped"),
        (
            [{"range": "192.0.2.1", "desc": "x"}],
            {},
            "unknown keys: desc. A range has the keys range, start, end, desc",
        ),
        ([{"range": "192.0.2.1", "description": "x" * 256}], {}, "over 255 characters"),
        ([OFFICE, {**OFFICE, "description": "Other"}], {}, "ranges[1]: 198.51.100.0/24 is declared twice"),
        ([OFFICE], {"profile": " "}, "profile: must not be empty"),
        ([OFFICE], {"state": "gone"}, "state"),
        ([OFFICE], {"guard": "maybe"}, "guard"),
        ([OFFICE], {"guard_days": 0}, "guard_days: must be from 1"),
        ([OFFICE], {"login_url": "http://localhost:1"}, "login_url"),
        ([OFFICE], {"login_url": "https://evil.example"}, "evil.example"),
        ([OFFICE], {"username": ""}, "username"),
        ([OFFICE], {"credential": "nobody"}, "nobody"),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(
    sim: SimulatedOrg, playbook: Playbooks, ranges: list[Any], options: dict[str, Any], problem: str
) -> None:
    result = playbook([declare(*ranges, **options)], ok=False).last
    assert problem in result["msg"]
    assert sim.control.counts() == {}


@pytest.mark.parametrize(("wide", "problem"), [("20.0.0.0/7", "16,777,216 IPv4"), ("2000::/28", "2^99 IPv6")])
def test_over_the_limit_nothing_is_changed(sim: SimulatedOrg, playbook: Playbooks, wide: str, problem: str) -> None:
    failed = playbook([declare(wide)], ok=False).last
    assert f"Salesforce accepts {problem} addresses" in failed["msg"] and f"most are in {wide}" in failed["msg"]
    assert sim.control.counts() == {"login": 1, "readMetadata": 1}


@pytest.mark.parametrize("missing", ["profile", "ranges"])
@pytest.mark.ansible
def test_profile_and_ranges_are_required(sim: SimulatedOrg, playbook: Playbooks, missing: str) -> None:
    arguments = {"profile": PROFILE, "ranges": [OFFICE]}
    del arguments[missing]
    assert missing in playbook([{"gatehouse.salesforce.login_ip_ranges": arguments}], ok=False).last["msg"]
    assert sim.control.counts() == {}


@pytest.mark.ansible
def test_it_runs_as_a_module_too_where_no_action_plugin_applies(sim: SimulatedOrg, playbook: Playbooks) -> None:
    admin = sim.admin
    arguments = {
        "profile": PROFILE,
        "ranges": [OFFICE],
        "login_url": sim.url,
        "ca_path": sim.ca_path,
        "allowed_hosts": ["localhost"],
        "username": admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
        "_ansible_check_mode": True,
        "_ansible_remote_tmp": str(playbook.folder),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "plugins" / "modules" / "login_ip_ranges.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={"PYTHONPATH": str(COLLECTIONS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [item["range"] for item in json.loads(done.stdout)["added"]] == ["198.51.100.0/24"]
