# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module trusted_ip_ranges, as a playbook meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.processes import COLLECTIONS, ROOT
from tests.support.tasks import bounds, trusted, trusted_bounds

OFFICE = {"range": "198.51.100.0/24", "description": "Office"}
FARM = {"range": "203.0.113.7", "description": "Build farm"}
VPN = {"range": "2001:db8:10::-2001:db8:10::ff", "description": "VPN"}
CLICKED = "192.0.2.0/24"


@pytest.fixture(autouse=True)
def clicked(sim: SimulatedOrg) -> None:
    sim.control.set_org(trusted_ranges=[{"start": "192.0.2.0", "end": "192.0.2.255", "description": "Clicked"}])


GRID = [
    ("present", [OFFICE, VPN], ["198.51.100.0/24", "2001:db8:10::/120"], []),
    ("exact", [OFFICE], ["198.51.100.0/24"], [CLICKED]),
    ("exact", [], [], [CLICKED]),
    ("absent", [{"range": CLICKED}], [], [CLICKED]),
]


@pytest.mark.parametrize(("state", "ranges", "added", "removed"), GRID)
@pytest.mark.ansible
def test_check_mode_predicts_the_run_changes_and_a_second_run_does_not(
    sim: SimulatedOrg, playbook: Playbooks, state: str, ranges: list[Any], added: list[str], removed: list[str]
) -> None:
    before = trusted_bounds(sim)
    predicted = playbook([trusted(*ranges, state=state)], "--check", "--diff").last
    assert trusted_bounds(sim) == before
    assert sim.control.counts().get("updateMetadata", 0) == 0

    sim.control.clear_requests()
    done = playbook([trusted(*ranges, state=state)], "--diff").last
    assert done["changed"] is True
    assert [item["range"] for item in done["added"]] == added
    assert [item["range"] for item in done["removed"]] == removed
    for key in ("changed", "ranges", "added", "removed", "updated", "diff"):
        assert predicted[key] == done[key], key
    assert trusted_bounds(sim) == bounds(done["ranges"])

    sim.control.clear_requests()
    again = playbook([trusted(*ranges, state=state)], "--diff").last
    assert again["changed"] is False
    assert again["ranges"] == done["ranges"]
    assert "updateMetadata" not in sim.control.counts()


@pytest.mark.ansible
def test_the_diff_is_readable_and_comes_from_the_plan(playbook: Playbooks) -> None:
    diff = playbook([trusted(OFFICE)], "--diff").last["diff"]
    assert diff["before"] == "192.0.2.0/24  Clicked\n"
    assert diff["after"] == "192.0.2.0/24  Clicked\n198.51.100.0/24  Office\n"


def test_an_unchanged_run_is_one_login_and_one_read(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([trusted({"range": CLICKED})])
    assert sim.control.counts() == {"login": 1, "readMetadata": 1}


def test_a_changed_run_looks_into_the_audit_trail_before_and_after_it_writes(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    playbook([trusted(OFFICE)])
    order = [entry["operation"] for entry in sim.control.requests()]
    assert order == ["login", "readMetadata", "query", "updateMetadata", "query", "readMetadata"]


@pytest.mark.ansible
def test_many_tasks_and_hosts_of_a_run_share_one_login(sim: SimulatedOrg, playbook: Playbooks) -> None:
    hosts: dict[str, Any] = {"all": {"hosts": {f"org{number}": {} for number in range(6)}}}
    (playbook.folder / "hosts.json").write_text(json.dumps(hosts))
    play = {"hosts": "all", "gather_facts": False, "tasks": [trusted({"range": CLICKED})] * 3}
    playbook.run([play], "-i", "hosts.json", "--forks", "6")
    assert sim.control.counts() == {"login": 1, "readMetadata": 18}


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
@pytest.mark.ansible
def test_other_strategies_share_the_login_too(sim: SimulatedOrg, playbook: Playbooks, strategy: str) -> None:
    (playbook.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"a": {}, "b": {}}}}))
    play = {"hosts": "all", "strategy": strategy, "gather_facts": False, "tasks": [trusted({"range": CLICKED})] * 2}
    playbook.run([play], "-i", "hosts.json")
    assert sim.control.counts()["login"] == 1


@pytest.mark.ansible
def test_nothing_of_a_session_remains_after_the_run(playbook: Playbooks) -> None:
    playbook([trusted({"range": CLICKED})])
    assert not list(playbook.folder.rglob("*.session"))


def test_only_the_ranges_are_sent_and_other_security_settings_stay(sim: SimulatedOrg, playbook: Playbooks) -> None:
    before = sim.control.org()
    playbook([trusted(OFFICE, state="exact")])
    after = sim.control.org()
    for group in ("password_policies", "session_settings", "security_flags"):
        assert after[group] == before[group]


@pytest.mark.parametrize(
    "switches",
    [
        {"ipv6_notation": "expanded"},
        {"ipv6_notation": "upper"},
        {"ipv4_notation": "mapped"},
        {"range_order": "reversed"},
        {"range_order": "shuffled"},
        {"prefixed_types": True},
    ],
)
def test_a_second_run_is_unchanged_whatever_notation_or_order_the_org_answers_in(
    sim: SimulatedOrg, playbook: Playbooks, switches: dict[str, Any]
) -> None:
    sim.control.set_switches(**switches)
    first, second = playbook([trusted(OFFICE, VPN, FARM, state="exact"), trusted(VPN, FARM, OFFICE, state="exact")])
    assert first["result"]["changed"] is True
    assert second["result"]["changed"] is False


def test_a_description_is_corrected_when_given_and_kept_when_not(sim: SimulatedOrg, playbook: Playbooks) -> None:
    renamed = playbook([trusted({"range": CLICKED, "description": 'Office <old> & "new"'})]).last
    assert [item["description"] for item in renamed["updated"]] == ['Office <old> & "new"']
    assert sim.control.org()["trusted_ranges"][0]["description"] == 'Office <old> & "new"'
    assert playbook([trusted({"range": CLICKED})]).last["changed"] is False


def test_a_plain_string_is_a_range(playbook: Playbooks) -> None:
    assert [item["range"] for item in playbook([trusted("198.51.100.0/24")]).last["added"]] == ["198.51.100.0/24"]


class TestRaces:
    """Another administrator is at work at the same moment."""

    @pytest.fixture(autouse=True)
    def other(self, sim: SimulatedOrg) -> None:
        sim.control.add_user("eve@simulated.example", "Eve-Password-1")

    def eve_adds(self, sim: SimulatedOrg, address: str, **when: Any) -> None:
        command = {"command": "add_trusted_range", "range": address, "by": "eve@simulated.example"}
        sim.control.hook("updateMetadata", [command], **when)

    @pytest.mark.ansible
    def test_a_range_that_the_write_replaced_unseen_is_restored_and_told(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        self.eve_adds(sim, "203.0.113.99")
        result = playbook([trusted(OFFICE)]).last
        assert "203.0.113.99-203.0.113.99" in trusted_bounds(sim)
        assert "203.0.113.99" in result["warnings"][0] and "eve@simulated.example at" in result["warnings"][0]

    def test_where_the_trail_tells_no_addresses_the_warning_says_who_and_when(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_switches(trusted_range_audit="no_addresses")
        self.eve_adds(sim, "203.0.113.99")
        result = playbook([trusted(OFFICE)]).last
        assert any("eve@simulated.example at 20" in text for text in result["warnings"])

    def test_where_the_trail_may_not_be_read_a_warning_says_so(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_switches(audit_trail_permission="ViewSetupAuditTrail")
        sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyAllData", "ModifyMetadata"])
        result = playbook([trusted(OFFICE)]).last
        assert "Setup Audit Trail cannot be read" in result["warnings"][0]

    def test_what_is_added_after_the_write_is_kept(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        self.eve_adds(sim, "203.0.113.99", when="after")
        playbook([trusted(OFFICE)])
        assert "203.0.113.99-203.0.113.99" in trusted_bounds(sim)
        assert sim.control.counts()["updateMetadata"] == 1


@pytest.mark.parametrize("audit", ["difference", "all"])
@pytest.mark.parametrize("style", ["createIpWhiteList", "addresses", "none"])
def test_tasks_of_one_user_within_a_second_leave_what_they_declare(
    sim: SimulatedOrg, playbook: Playbooks, audit: str, style: str
) -> None:
    """Whatever the audit trail records of a list that is replaced, and however soon after another."""
    sim.control.set_switches(replaced_list_audit=audit, trusted_range_audit=style)
    tasks = [
        trusted("203.0.113.8", state="present"),
        trusted("203.0.113.8", state="absent"),
        trusted("203.0.113.9"),
        trusted("203.0.113.9", state="absent"),
        trusted("203.0.113.9"),
        trusted(OFFICE),
        trusted("198.51.100.0/23", "203.0.113.9", state="exact", guard="off"),
        trusted(OFFICE, "203.0.113.9", state="exact", guard="off"),
        trusted("203.0.113.7"),
    ]
    results = playbook(tasks)
    assert trusted_bounds(sim) == ["198.51.100.0-198.51.100.255", "203.0.113.7-203.0.113.7", "203.0.113.9-203.0.113.9"]
    assert not [item for item in results if "warnings" in item["result"]]
    assert sim.control.counts()["updateMetadata"] == len(tasks)


@pytest.mark.ansible
@pytest.mark.parametrize("stored", ["none", "all", "every other"])
@pytest.mark.parametrize("audit", ["addresses", "none"])
def test_hosts_that_add_to_one_list_take_turns_and_none_of_their_ranges_is_lost(
    sim: SimulatedOrg, playbook: Playbooks, audit: str, stored: str
) -> None:
    sim.control.set_switches(trusted_range_audit=audit)
    sim.control.inject("delay", operation="readMetadata", times=None, seconds=0.03)
    by_store = {"none": range(0), "all": range(5), "every other": range(0, 5, 2)}[stored]
    hosts = {f"host{number}": {"address": f"203.0.113.{number}"} for number in range(5)}
    for number in by_store:
        hosts[f"host{number}"]["gatehouse_salesforce_credential"] = "admin"
    inventory = {"all": {"hosts": hosts}}
    (playbook.folder / "hosts.json").write_text(json.dumps(inventory))
    store = {
        "name": "store",
        "gatehouse.salesforce.credential": {"name": "admin", "username": sim.admin.username, "verify": "skip"},
        "run_once": True,
    }
    entry = {"range": "{{ address }}", "description": "of {{ inventory_hostname }}"}
    play = {"hosts": "all", "gather_facts": False, "tasks": [store, trusted(entry)]}
    results = playbook.run([play], "-i", "hosts.json", "--forks", "5")
    ranges = sim.control.org()["trusted_ranges"]
    assert sorted((item["start"], item["description"]) for item in ranges) == [
        ("192.0.2.0", "Clicked"),
        *((f"203.0.113.{number}", f"of host{number}") for number in range(5)),
    ]
    assert not [item for item in results if "warnings" in item["result"]]


class TestTrouble:
    """What goes wrong between here and the org."""

    def test_an_expired_session_is_opened_again_once(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.hook("readMetadata", [{"command": "end_sessions"}])
        playbook([trusted({"range": CLICKED})])
        assert sim.control.counts()["login"] == 2

    def test_a_refused_login_fails_after_one_try(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        result = playbook([trusted(OFFICE)], ok=False, gatehouse_salesforce_security_token="Wrong").last
        assert sim.control.counts() == {"login": 1}
        assert "INVALID_LOGIN" in result["msg"]

    @pytest.mark.parametrize(
        ("fault", "problem"),
        [
            ({"kind": "html"}, "did not answer as Salesforce does"),
            ({"kind": "status", "status": 503, "body": "busy"}, "HTTP 503"),
            ({"kind": "reset"}, "cannot be reached"),
            ({"kind": "truncate"}, "did not finish its answer"),
            ({"kind": "redirect", "url": "https://evil.example/"}, "redirect"),
            ({"kind": "huge"}, "answered with more than"),
        ],
    )
    @pytest.mark.parametrize("operation", ["login", "readMetadata", "query"])
    def test_an_answer_that_is_not_salesforces_is_a_clear_error_without_its_content(
        self, sim: SimulatedOrg, playbook: Playbooks, fault: dict[str, Any], problem: str, operation: str
    ) -> None:
        sim.control.inject(operation=operation, times=None, **fault)
        if operation == "query":
            # The audit query comes after the change, which is done and must be reported as done.
            result = playbook([trusted(OFFICE)]).last
            assert result["changed"] is True
            assert any("Setup Audit Trail cannot be read" in text for text in result["warnings"])
        else:
            result = playbook([trusted(OFFICE)], ok=False).last
            assert problem in result["msg"]
            assert "We are down" not in result["msg"]
            passing = fault["kind"] in ("html", "status", "reset", "truncate")
            assert sim.control.counts()[operation] == (3 if passing and operation == "readMetadata" else 1)

    def test_a_server_url_that_leads_elsewhere_is_refused_before_the_session_is_sent(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.inject("server_url", operation="login", url="https://evil.example")
        result = playbook([trusted(OFFICE)], ok=False).last
        assert "evil.example" in result["msg"] and "allowed_hosts" in result["msg"]
        assert sim.control.counts() == {"login": 1}

    @pytest.mark.ansible
    def test_an_unknown_authority_is_told_apart_and_ca_path_beats_the_environment(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        result = playbook([trusted(OFFICE)], ok=False, gatehouse_salesforce_ca_path=None).last
        assert "TLS with localhost failed" in result["msg"] and "ca_path" in result["msg"]
        assert sim.control.counts() == {}
        playbook(
            [trusted(OFFICE)], env={"REQUESTS_CA_BUNDLE": "/nonexistent.pem", "CURL_CA_BUNDLE": "/nonexistent.pem"}
        )

    def test_a_write_that_the_org_refuses_is_told_with_its_code(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_switches(description_cap=3)
        result = playbook([trusted(OFFICE)], ok=False).last
        assert "the org refused to change SecuritySettings" in result["msg"]

    @pytest.mark.ansible
    def test_a_netrc_file_does_not_replace_the_session(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        (playbook.folder / ".netrc").write_text("machine localhost login someone password else\n")
        playbook([trusted(OFFICE)], env={"HOME": str(playbook.folder), "NETRC": str(playbook.folder / ".netrc")})


@pytest.mark.parametrize(
    ("ranges", "extra", "problem"),
    [
        (["198.51.100.0/33"], {}, "ranges[0]: '198.51.100.0/33'"),
        (["192.0.2.1", "198.51.100.9-198.51.100.3"], {}, "ranges[1]"),
        (["192.0.2.1-2001:db8::1"], {}, "families"),
        (["::-::1:0:0:0"], {}, "IPv4-mapped"),
        (
            [{"range": "192.0.2.1", "description": "a\x0bb"}],
            {},
            "ranges[0]: the description of 192.0.2.1 has a control",
        ),
        ([{"range": "192.0.2.1", "desc": "x"}], {}, "unknown keys: desc"),
        ([OFFICE], {"gatehouse_salesforce_username": ""}, "username"),
        ([OFFICE], {"gatehouse_salesforce_login_url": "http://localhost:1"}, "login_url"),
        ([OFFICE], {"gatehouse_salesforce_allowed_hosts": []}, "allowed_hosts"),
        ([OFFICE], {"gatehouse_salesforce_login_url": "https://evil.example"}, "evil.example"),
        ([OFFICE], {"gatehouse_salesforce_ca_path": "/nonexistent/ca.pem"}, "ca_path"),
        ([OFFICE], {"gatehouse_salesforce_credential": "nobody"}, "nobody"),
        ([OFFICE], {"gatehouse_salesforce_credential": "../etc/passwd"}, "name"),
        (
            [OFFICE],
            {"gatehouse_salesforce_credential": "x", "gatehouse_salesforce_store_key_file": "/nonexistent"},
            "store_key_file",
        ),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(
    sim: SimulatedOrg, playbook: Playbooks, ranges: list[Any], extra: dict[str, Any], problem: str
) -> None:
    result = playbook([trusted(*ranges)], ok=False, **extra).last
    assert problem in result["msg"]
    assert sim.control.counts() == {}


def test_over_the_limit_nothing_is_changed_but_what_the_org_holds_already_may_be_declared(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    failed = playbook([trusted("20.0.0.0/7")], ok=False).last
    assert "ranges: the list would have" in failed["msg"] and "most are in 20.0.0.0/7" in failed["msg"]
    sim.control.set_org(trusted_ranges=["20.0.0.0/7"])
    assert playbook([trusted("20.0.0.0/7", state="exact")]).last["changed"] is False
    assert "updateMetadata" not in sim.control.counts()


@pytest.mark.ansible
def test_module_defaults_of_the_action_group_reach_the_task(sim: SimulatedOrg, playbook: Playbooks) -> None:
    admin = sim.admin
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {
            "group/gatehouse.salesforce.org": {
                "username": admin.username,
                "password": admin.password,
                "security_token": admin.security_token,
            }
        },
        "tasks": [trusted({"range": CLICKED})],
    }
    usual: dict[str, Any] = {
        f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")
    }
    assert playbook.run([play], **usual).last["changed"] is False


@pytest.mark.ansible
def test_options_come_from_the_environment_last(sim: SimulatedOrg, playbook: Playbooks) -> None:
    admin = sim.admin
    usual: dict[str, Any] = {
        f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")
    }
    env = {
        "SALESFORCE_USERNAME": admin.username,
        "SALESFORCE_PASSWORD": admin.password,
        "SALESFORCE_SECURITY_TOKEN": admin.security_token,
    }
    playbook([trusted({"range": CLICKED})], env=env, **usual)


@pytest.mark.ansible
@pytest.mark.every_core
def test_it_runs_as_a_module_too_where_no_action_plugin_applies(sim: SimulatedOrg, playbook: Playbooks) -> None:
    """The module file's main() is what other tools that know only modules would start."""
    admin = sim.admin
    arguments = {
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
        [sys.executable, str(ROOT / "plugins" / "modules" / "trusted_ip_ranges.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={"PYTHONPATH": str(COLLECTIONS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout)
    # From ansible-core 2.22 on, a module names its secrets to the controller, which masks them and takes this away.
    result.pop("_ansible_new_secrets", None)
    assert result["changed"] is True
    assert [item["range"] for item in result["added"]] == ["198.51.100.0/24"]
    assert not any(secret in json.dumps(result) for secret in (admin.password, admin.security_token))
