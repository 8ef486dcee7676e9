# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option comes from the task, a variable or the environment, in this order, and never from a host's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

INFO: dict[str, Any] = {"name": "read", "gatehouse.salesforce.network_access_info": {}}


def with_fact(name: str, value: object) -> dict[str, Any]:
    """A task that leaves a fact behind, as any module's answer from a host can."""
    return {"ansible.builtin.set_fact": {name: value, "cacheable": True}}


def stored(name: str, **options: object) -> dict[str, Any]:
    return {"gatehouse.salesforce.credential": {"name": name, **options}}


class TestFacts:
    @pytest.mark.parametrize("name", ["store", "store_key_file", "login_url", "allowed_hosts", "credential"])
    def test_a_fact_is_no_option_of_a_task(self, playbook: Playbooks, sim: SimulatedOrg, name: str) -> None:
        variable = f"gatehouse_salesforce_{name}"
        failed = playbook([with_fact(variable, "/tmp/evil"), INFO], ok=False, **{variable: None}).last
        assert failed["msg"].startswith(f"{variable}: was returned by localhost as a fact")
        assert "clear_facts" in failed["msg"]
        assert sim.control.requests() == []

    @pytest.mark.parametrize(
        "name", ["network_access_trusted_ip_ranges", "_temporary_access_ranges", "credentials_declared", "rotate_used"]
    )
    def test_a_fact_is_no_variable_of_a_role_or_playbook(self, playbook: Playbooks, name: str) -> None:
        failed = playbook([with_fact(name, []), INFO], ok=False).last
        assert failed["msg"].startswith(f"{name}: was returned by localhost as a fact")

    @pytest.mark.parametrize("lookup", ["credential", "login_password", "access_token", "published_ip_ranges"])
    def test_a_fact_is_no_option_of_a_lookup(self, playbook: Playbooks, tmp_path: Path, lookup: str) -> None:
        program, ran = tmp_path / "program", tmp_path / "ran"
        program.write_text(f"#!/bin/sh\ntouch {ran}\n")
        program.chmod(0o700)
        tasks = [
            with_fact("gatehouse_salesforce_store_key_file", str(program)),
            {"ansible.builtin.debug": {"msg": f"{{{{ lookup('gatehouse.salesforce.{lookup}', 'x') }}}}"}},
        ]
        failed = playbook(tasks, ok=False, gatehouse_salesforce_store_key_file=None).last
        assert "was returned by localhost as a fact" in str(failed)
        assert not ran.exists()

    def test_a_fact_is_not_read_by_the_template_of_an_option(self, playbook: Playbooks, tmp_path: Path) -> None:
        """Here an inventory's variable that a fact of the same name has replaced."""
        program, ran = tmp_path / "program", tmp_path / "ran"
        program.write_text(f"#!/bin/sh\ntouch {ran}\n")
        program.chmod(0o700)
        indirect = {"gatehouse_salesforce_store_key_file": "{{ store_keys }}"}
        lookup = {"ansible.builtin.debug": {"msg": "{{ lookup('gatehouse.salesforce.credential', 'x') }}"}}
        for task in ({**stored("admin"), "vars": indirect}, {**lookup, "vars": indirect}):
            tasks = [with_fact("store_keys", str(program)), task]
            failed = str(playbook(tasks, ok=False, gatehouse_salesforce_store_key_file=None).last)
            assert "must not depend on what localhost has returned as a fact" in failed
        assert not ran.exists()

    def test_a_fact_with_ansible_s_prefix_is_not_read_either(self, playbook: Playbooks) -> None:
        indirect = {"gatehouse_salesforce_credential": "{{ ansible_hostname | default('billing') }}"}
        tasks = [stored("billing"), with_fact("ansible_hostname", "admin"), {**INFO, "vars": indirect}]
        assert playbook(tasks[:1]).last["changed"]
        assert playbook(tasks[1:], gatehouse_salesforce_username=None).last["changed"] is False

    def test_variables_of_the_inventory_stay_readable_beside_facts(self, playbook: Playbooks) -> None:
        indirect = {"own_name": "billing", "gatehouse_salesforce_credential": "{{ own_name }}"}
        playbook([stored("billing")])
        tasks = [with_fact("anything", "else"), {**INFO, "vars": indirect}]
        assert playbook(tasks, gatehouse_salesforce_username=None).last["changed"] is False

    def test_other_facts_disturb_nobody(self, playbook: Playbooks) -> None:
        assert playbook([with_fact("anything", "else"), INFO]).last["changed"] is False


class TestTheTaskBeatsVariables:
    def test_a_login_of_the_task_beats_a_stored_credential_of_a_variable(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        user = sim.control.add_user("own@acme.example", "Own-Password-1", security_token="OwnToken1")
        secrets = {"password": "Own-Password-1", "security_token": user["security_token"]}
        task = {"gatehouse.salesforce.network_access_info": {"username": "own@acme.example", **secrets}}
        playbook([task], gatehouse_salesforce_credential="not-even-there")
        assert {row["user_id"] for row in sim.control.login_history()} == {user["id"]}

    def test_a_stored_credential_and_a_login_exclude_each_other(self, playbook: Playbooks) -> None:
        task = {"gatehouse.salesforce.network_access_info": {"credential": "admin", "username": "a@acme.example"}}
        failed = playbook([task], ok=False).last
        assert failed["msg"] == "username: cannot be given together with credential, which is stored with its own"

    def test_a_variable_that_is_not_needed_may_be_undefined(self, playbook: Playbooks) -> None:
        tasks = [
            {**stored("admin"), "vars": {}},
            {
                "gatehouse.salesforce.network_access_info": {"credential": "admin"},
                "vars": {"gatehouse_salesforce_password": "{{ vault_not_loaded }}"},
            },
        ]
        assert playbook(tasks).last["changed"] is False

    def test_a_host_of_another_org_is_an_error_that_names_both(self, playbook: Playbooks, sim: SimulatedOrg) -> None:
        tasks = [
            stored("admin"),
            {
                "gatehouse.salesforce.network_access_info": {"credential": "admin"},
                "vars": {"gatehouse_salesforce_login_url": "https://globex.my.salesforce.com"},
            },
        ]
        tasks[0]["vars"] = {"gatehouse_salesforce_login_url": sim.url}
        failed = playbook(tasks, ok=False, gatehouse_salesforce_login_url=None).last
        assert "https://globex.my.salesforce.com" in failed["msg"] and sim.url in failed["msg"]

    @pytest.mark.parametrize(
        "option", [{"username": ""}, {"username": None}, {"allowed_hosts": []}, {"credential": ""}]
    )
    def test_an_empty_option_is_not_given(self, playbook: Playbooks, option: dict[str, Any]) -> None:
        playbook([stored("admin")])
        task = {"gatehouse.salesforce.network_access_info": option}
        assert playbook([task], gatehouse_salesforce_credential="admin").last["changed"] is False

    def test_an_option_that_names_nobody_cannot_change_a_stored_login(self, playbook: Playbooks) -> None:
        task = {"gatehouse.salesforce.network_access_info": {"api_version": "63.0"}}
        failed = playbook([task], ok=False, gatehouse_salesforce_credential="admin").last
        assert failed["msg"].startswith("api_version: cannot be given together with credential")

    def test_a_server_s_variables_may_be_undefined_beside_a_folder(self, playbook: Playbooks) -> None:
        task = {**stored("admin"), "vars": {"gatehouse_salesforce_store_token": "{{ vault_not_loaded }}"}}
        assert playbook([task]).last["changed"]


class TestEnvironment:
    def test_an_empty_variable_of_the_environment_is_unset(self, playbook: Playbooks) -> None:
        assert playbook([INFO], env={"SALESFORCE_AUTH": "", "SALESFORCE_TIMEOUT": ""}).last["changed"] is False

    def test_the_keyword_environment_of_a_task_counts(self, playbook: Playbooks, sim: SimulatedOrg) -> None:
        task = {**INFO, "environment": {"SALESFORCE_USERNAME": sim.admin.username}}
        playbook([task], gatehouse_salesforce_username=None)
        assert len(sim.control.login_history()) == 1


class TestText:
    @pytest.mark.parametrize(
        ("value", "kind"), [(42798, "number"), (1.5, "number"), (True, "truth value"), ({"a": "b"}, "mapping")]
    )
    def test_what_yaml_made_another_type_is_refused(self, playbook: Playbooks, value: object, kind: str) -> None:
        failed = playbook([stored("admin", password=value)], ok=False).last
        assert failed["msg"] == f"password: must be text, but YAML made it a {kind}; quote it"

    def test_an_unquoted_off_is_the_choice_of_that_name(self, playbook: Playbooks) -> None:
        task = {"gatehouse.salesforce.trusted_ip_ranges": {"ranges": ["192.0.2.1"], "guard": False}}
        assert playbook([task]).last["changed"]

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"guard": True}, "value of guard must be one of: fail, warn, off"),
            ({"lint": True}, "lint: must be a dictionary"),
            ({"range": "192.0.2.1", "cidr": "x"}, "unknown options: cidr, range (did you mean ranges?). Supported "),
            ({"lint": {"widest": 8}}, "unknown options: lint.widest. Supported parameters include: "),
            ({"usernam": "x", "x": 1}, "unknown options: usernam (did you mean username?), x. Supported parameters"),
        ],
    )
    def test_what_a_newcomer_gets_wrong_is_named(
        self, playbook: Playbooks, options: dict[str, object], problem: str
    ) -> None:
        failed = playbook([{"gatehouse.salesforce.trusted_ip_ranges": {"ranges": [], **options}}], ok=False).last
        assert failed["msg"].startswith(problem)

    def test_a_secret_in_place_of_a_number_is_not_repeated(self, playbook: Playbooks) -> None:
        mailbox = {"host": "imap.example", "port": "CANARY"}
        task = {"gatehouse.salesforce.security_token": {"name": "a", "mailbox": mailbox}}
        failed = playbook([task], ok=False).last
        assert "unable to convert to int" in failed["msg"]
        assert "CANARY" not in failed["msg"]

    def test_a_secret_in_the_wrong_option_is_not_repeated(self, playbook: Playbooks) -> None:
        task = {"gatehouse.salesforce.network_access_info": {"auth": "CANARY-in-the-wrong-place"}}
        run = playbook([task], ok=False)
        assert "auth must be one of" in run.last["msg"]
        assert "CANARY" not in run.last["msg"]
