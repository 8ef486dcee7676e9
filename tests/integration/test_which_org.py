# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every result of a task on an org says which org it was, and one name in the store is one credential."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.action.login_check import org_of_answer
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.tasks import NOBODY, login, seen, store, trusted, use

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

TASKS = {
    "trusted_ip_ranges": trusted("203.0.113.0/24", guard="off"),
    "login_ip_ranges": login("127.0.0.0/8", profile="Admin", guard="off"),
    "network_access_info": {"gatehouse.salesforce.network_access_info": {}},
    "login_history_info": {"gatehouse.salesforce.login_history_info": {}},
    "external_client_app": {"gatehouse.salesforce.external_client_app": {"name": "Ours", "state": "absent"}},
    "login_check": {"gatehouse.salesforce.login_check": {}},
}


def org_of(sim: SimulatedOrg) -> dict[str, Any]:
    """Return what results say of the simulated org."""
    return {"id": sim.control.org()["id"][:15], "host": "localhost", "user": sim.admin.username}


@pytest.mark.parametrize("module", TASKS)
def test_a_task_returns_the_org_that_it_was_about(sim: SimulatedOrg, playbook: Playbooks, module: str) -> None:
    result = playbook([TASKS[module]]).last
    assert result["org"] == org_of(sim)


def test_a_task_that_fails_in_the_org_returns_it_too(sim: SimulatedOrg, playbook: Playbooks) -> None:
    (failed,) = playbook([login("127.0.0.0/8", profile="Nobody's")], ok=False)
    assert failed["status"] == "failed" and failed["result"]["org"] == org_of(sim)


def test_a_credential_returns_the_org_where_it_logged_in(sim: SimulatedOrg, playbook: Playbooks) -> None:
    first, second = (item["result"] for item in playbook([store(sim), store(sim)]))
    assert first["org"] == org_of(sim)
    assert "org" not in second, "no login was made"


@pytest.mark.parametrize(
    "answer",
    [
        {"org_id": "00D\x1b[31m", "org_host": "evil.example"},
        {"org_id": "00D5g000004xYz", "org_host": "acme.my.salesforce.com/evil?"},
        {"org_id": ["00D"], "org_host": {"a": 1}},
        {},
    ],
)
def test_what_a_host_says_of_the_org_has_the_form_of_an_org(answer: dict[str, Any]) -> None:
    connection = Connection(username="admin@acme.example")
    assert org_of_answer(connection, answer) == {"id": None, "host": None, "user": "admin@acme.example"}


class TestOneNameIsOneCredential:
    """Hosts of one run that mean two credentials by one name."""

    def declare(self, playbook: Playbooks, *tasks: dict[str, Any], ok: bool, **hosts: dict[str, Any]) -> Results:
        inventory = playbook.folder / "hosts.json"
        local = {"ansible_connection": "local"}
        inventory.write_text(json.dumps({"all": {"hosts": {host: {**local, **its} for host, its in hosts.items()}}}))
        play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks)}
        return playbook.run([play], "-i", str(inventory), ok=ok, gatehouse_salesforce_username=None)

    @pytest.mark.parametrize("check", [False, True], ids=["real", "check mode"])
    def test_it_is_an_error_that_names_both_hosts(self, sim: SimulatedOrg, playbook: Playbooks, check: bool) -> None:
        billing = {**store(sim, username="{{ user }}", verify="skip"), "check_mode": check}
        hosts = {"acme": {"user": "one@acme.example"}, "globex": {"user": "two@globex.example"}}
        results = self.declare(playbook, billing, ok=False, **hosts)
        (failed,) = (item for item in results if item["status"] == "failed")
        assert "'billing' is declared differently by" in failed["result"]["msg"]
        assert all(host in failed["result"]["msg"] for host in hosts)
        assert sim.admin.password not in results.output

    def test_hosts_that_agree_may_go_on_together(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        first = store(sim, username="{{ user }}", verify="skip")
        second = store(sim, username="{{ user }}", verify="skip", api_version="63.0")
        hosts = {host: {"user": "one@acme.example"} for host in ("acme", "globex")}
        assert len(self.declare(playbook, first, second, ok=True, **hosts)) == 4


READ = {"name": "read", "gatehouse.salesforce.network_access_info": {"credential": "billing"}}


class TestCheckModeWithinARun:
    """What the run itself would have changed before."""

    def test_a_new_credential_is_planned_and_what_needs_it_in_the_org_is_skipped(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        again = {**store(sim), "name": "again"}
        results = playbook([store(sim), again, READ], "--check", **NOBODY)
        assert results.of("store")["changed"] and not results.of("again")["changed"]
        assert results[-1]["status"] == "skipped"
        assert "credential 'billing' is new or changed by this run" in results.of("read")["msg"]
        assert "login" not in sim.control.counts()
        assert not (playbook.folder / "store" / "billing.json").exists()

    def test_a_changed_password_is_not_logged_in_with_as_it_was(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)])
        shutil.rmtree(playbook.folder / "store" / ".sessions")
        sim.control.set_user(sim.admin.username, password="New-Password-1")
        sim.control.clear_requests()
        results = playbook([store(sim, password="New-Password-1"), READ], "--check", **NOBODY)
        assert results[-1]["status"] == "skipped"
        assert "login" not in sim.control.counts()

    def test_a_removed_one_is_missed(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)])
        absent = {"name": "absent", "gatehouse.salesforce.credential": {"name": "billing", "state": "absent"}}
        info = {"name": "info", "gatehouse.salesforce.credential_info": {}}
        results = playbook([absent, {**absent, "name": "again"}, info, READ], "--check", ok=False, **NOBODY)
        assert results.of("absent")["changed"] and not results.of("again")["changed"]
        assert results.of("info")["credentials"] == []
        assert "no credential 'billing'" in results.of("read")["msg"]
        rotate = {"name": "rotate", "gatehouse.salesforce.security_token": {"name": "billing", "force": True}}
        failed = playbook([absent, rotate], "--check", ok=False, **NOBODY).of("rotate")
        assert "no credential 'billing'" in failed["msg"]
        restored = playbook([absent, store(sim), info], "--check", **NOBODY)
        assert restored.of("store")["changed"]
        assert [item["name"] for item in restored.of("info")["credentials"]] == ["billing"]

    def test_lookups_read_a_new_one_and_log_in_with_none(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        expression = (
            "[lookup('gatehouse.salesforce.credential', 'billing').username, "
            "lookup('gatehouse.salesforce.login_password', 'billing', token='auto'), "
            "lookup('gatehouse.salesforce.access_token', 'billing')]"
        )
        results = playbook([store(sim), use(expression)], "--check", **NOBODY)
        admin = sim.admin
        session = {"access_token": "", "instance_url": sim.url}
        assert seen(results) == [admin.username, f"{admin.password}{admin.security_token}", session]
        assert "The session of 'billing' is empty" in results.output
        assert "The security token of 'billing' was appended" in results.output
        assert "login" not in sim.control.counts()

    def test_an_unchanged_one_is_used(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)])
        results = playbook([store(sim), READ], "--check", **NOBODY)
        assert results.of("read")["own_address"] == "127.0.0.1"

    def test_what_is_foreseen_ends_with_the_run(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)], "--check")
        (failed,) = playbook([READ], "--check", ok=False, **NOBODY)
        assert "credential: no credential 'billing' in the store" in failed["result"]["msg"]


def test_a_user_admitted_from_hosts_only_has_a_way_into_the_store(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile("Admin", login_ip_ranges=["203.0.113.7"])
    (failed,) = playbook([store(sim)], ok=False)
    assert failed["result"]["verification"]["cause"] == "ip_denied"
    assert "store it with verify: skip" in failed["result"]["msg"]
