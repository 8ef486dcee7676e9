# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login serves all tasks, hosts and forks; and one refusal, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gatehouse.salesforce.plugins.lookup import access_token
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.tasks import NOBODY, seen, store, use
from tests.unit.simulator.apps import key_pair

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

HOSTS = ",".join(f"host{number:02}" for number in range(12))
READ = {"name": "read", "gatehouse.salesforce.network_access_info": {}}


def read(**options: Any) -> dict[str, Any]:
    return {"name": "read", "gatehouse.salesforce.network_access_info": {"credential": "billing", **options}}


def on_all_hosts(playbook: Playbooks, *tasks: dict[str, Any], ok: bool = True, **extra: Any) -> Results:
    play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks)}
    return playbook.run([play], "-i", HOSTS, "--forks", "6", ok=ok, **extra)


class TestManyHosts:
    """Twelve hosts, six at a time."""

    def test_a_credential_and_all_that_uses_it_cause_one_login(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        results = on_all_hosts(playbook, store(sim), read(), read(), read(), **NOBODY)
        assert {item["status"] for item in results} == {"ok"}
        assert len(results) == 12 * 4
        assert sim.control.counts()["login"] == 1

    def test_inline_options_share_one_login(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        on_all_hosts(playbook, READ, READ)
        assert sim.control.counts()["login"] == 1

    def test_a_wrong_password_is_tried_once(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        wrong = {"gatehouse_salesforce_password": "Wrong-Canary-1"}
        results = on_all_hosts(playbook, READ, ok=False, **wrong)
        assert {item["status"] for item in results} == {"failed"}
        assert sum("not tried again" in item["result"]["msg"] for item in results) == 11
        assert sim.control.counts() == {"login": 1}
        assert "Wrong-Canary" not in results.output

    def test_a_wrong_secret_to_store_is_tried_once_in_all_runs(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        wrong = store(sim, security_token="WrongCanaryToken")
        results = on_all_hosts(playbook, wrong, wrong, ok=False, **NOBODY)
        assert {item["result"]["verification"]["cause"] for item in results} == {"invalid_credentials"}
        assert sim.control.counts() == {"login": 1}
        on_all_hosts(playbook, wrong, ok=False, **NOBODY)
        assert sim.control.counts() == {"login": 1}, "another run does not try it again"

    def test_a_password_without_the_token_that_is_needed_is_tried_once_since_it_may_count(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_switches(missing_token_counts=True)
        sim.control.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
        on_all_hosts(playbook, READ, ok=False, gatehouse_salesforce_security_token=None)
        assert sim.control.counts() == {"login": 1}
        assert sim.control.user(sim.admin.username)["locked"] is False

    @pytest.mark.parametrize("fault", [{"kind": "truncate"}, {"kind": "html", "status": 200}], ids=["cut off", "HTML"])
    def test_a_wrong_password_whose_refusals_are_lost_on_the_way_is_tried_once(
        self, sim: SimulatedOrg, playbook: Playbooks, fault: dict[str, Any]
    ) -> None:
        sim.control.inject(operation="login", executed=True, times=None, **fault)
        results = on_all_hosts(playbook, READ, ok=False, gatehouse_salesforce_password="Wrong-Canary-1")
        assert sim.control.counts() == {"login": 1}
        assert sum("not tried again" in item["result"]["msg"] for item in results) == 11

    @pytest.mark.parametrize("operation", ["readMetadata", "query"])
    def test_a_session_that_ends_is_opened_once_more(
        self, sim: SimulatedOrg, playbook: Playbooks, operation: str
    ) -> None:
        """By SOAP and by REST the org says so in different ways."""
        sim.control.hook(operation, [{"command": "end_sessions"}], after=4)
        history = {"name": "history", "gatehouse.salesforce.login_history_info": {}}
        results = on_all_hosts(playbook, READ, history)
        assert {item["status"] for item in results} == {"ok"}
        assert sim.control.counts()["login"] == 2

    def test_an_org_that_takes_no_session_is_told_after_two(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.inject("error", operation="readMetadata", code="INVALID_SESSION_ID", times=None)
        result = playbook([READ], ok=False).last
        assert "does not accept the session" in result["msg"]
        assert sim.control.counts()["login"] == 2


def test_a_changed_password_never_gets_the_old_session(sim: SimulatedOrg, playbook: Playbooks) -> None:
    old = sim.admin.password
    playbook([store(sim), read()], **NOBODY)
    sim.control.set_user(sim.admin.username, password="Changed-Canary-2")
    sim.control.clear_requests()
    playbook([store(sim), read()], **NOBODY)
    assert sim.control.counts()["login"] == 1
    sim.control.clear_requests()
    # The old password is stored without a login; its old session must not come back.
    playbook([store(sim, password=old, verify="skip"), read()], ok=False, **NOBODY)
    assert sim.control.counts() == {"login": 1}


def test_where_sessions_are_bound_to_an_address_each_address_has_its_own(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.set_org(session_settings={"lockSessionsToIp": True})
    playbook([store(sim, source_address="127.0.0.5")], **NOBODY)
    for address in ("127.0.0.5", "127.0.0.6", "127.0.0.5", "127.0.0.6"):
        playbook([read(source_address=address)], **NOBODY)
    assert [entry["peer"] for entry in sim.control.requests("login")] == ["127.0.0.5", "127.0.0.6"]
    assert {entry["result"] for entry in sim.control.requests("readMetadata")} == {"ok"}


def test_a_session_that_was_given_is_not_kept_and_its_end_is_told(sim: SimulatedOrg, playbook: Playbooks) -> None:
    given = {"auth": "session", "access_token": "00DCanary!ended", "instance_url": sim.url}
    result = playbook([{"name": "read", "gatehouse.salesforce.network_access_info": given}], ok=False, **NOBODY).last
    assert "access_token: the session has ended" in result["msg"]
    assert "Canary" not in result["msg"]
    assert sim.control.counts() == {"readMetadata": 1}


class TestAccessToken:
    """The lookup access_token, with ansible.builtin.uri and by itself."""

    LOOKUP = "lookup('gatehouse.salesforce.access_token', 'billing')"

    def limits(self, sim: SimulatedOrg) -> dict[str, Any]:
        return {
            "name": "limits",
            "ansible.builtin.uri": {
                "url": "{{ session.instance_url }}/services/data/v64.0/limits",
                "headers": {"Authorization": "Bearer {{ session.access_token }}"},
                "ca_path": sim.ca_path,
            },
            "vars": {"session": f"{{{{ {self.LOOKUP} }}}}"},
        }

    def kept(self, playbook: Playbooks) -> Path:
        (file,) = (playbook.folder / "store" / ".sessions").glob("*.session")
        return file

    def test_it_is_a_session_for_uri(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        results = playbook([store(sim), self.limits(sim), self.limits(sim)], **NOBODY)
        assert results.last["json"]["DailyApiRequests"]["Max"] == 15000
        assert sim.control.counts() == {"login": 1, "limits": 2}

    def test_it_is_the_same_however_the_credential_logs_in(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.add_app("key", certificate=key_pair()[1], approved_users=[sim.admin.username])
        by_app = {"auth": "jwt_bearer", "consumer_key": "key", "private_key": key_pair()[0]}
        playbook([store(sim, password=None, security_token=None, **by_app), self.limits(sim)], **NOBODY)
        assert sim.control.counts() == {"token": 1, "limits": 1}

    def test_one_that_has_ended_meanwhile_is_opened_again(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim)], **NOBODY)
        sim.control.end_sessions()
        os.utime(self.kept(playbook), (0, 0))
        assert playbook([self.limits(sim)], **NOBODY).last["status"] == 200
        assert sim.control.counts()["login"] == 2

    def test_one_that_still_holds_is_asked_for_once_a_minute_and_used_on(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        playbook([store(sim)], **NOBODY)
        os.utime(self.kept(playbook), (0, 0))
        sim.control.clear_requests()
        found = seen(playbook([use(self.LOOKUP), use(self.LOOKUP)], **NOBODY))
        assert set(found) == {"access_token", "instance_url"}
        assert sim.control.counts() == {"resources": 1}

    def test_a_refused_login_is_told_and_tried_once(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        playbook([store(sim, password="Wrong-Canary-1", verify="skip")], **NOBODY)
        results = on_all_hosts(playbook, use(self.LOOKUP), ok=False, **NOBODY)
        assert "could not log in" in results.output
        assert "Wrong-Canary" not in results.output
        assert sim.control.counts() == {"login": 1}

    def test_an_unknown_name_is_an_error_unless_told_otherwise(self, playbook: Playbooks) -> None:
        assert "nobody" in playbook([self._of("nobody")], ok=False).output
        assert seen(playbook([self._of("nobody", on_missing="skip")])) == []

    def test_the_examples_of_its_documentation_run(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        tasks = [store(sim, name="production-admin"), *yaml.safe_load(access_token.EXAMPLES)]
        results = playbook(tasks, env={"SSL_CERT_FILE": sim.ca_path}, **NOBODY)
        assert {item["status"] for item in results} == {"ok"}
        assert sim.control.counts()["login"] == 1

    @staticmethod
    def _of(*names: str, **options: str) -> dict[str, Any]:
        given = ", ".join([*map(repr, names), *(f"{name}={value!r}" for name, value in options.items())])
        return use(f"query('gatehouse.salesforce.access_token', {given})")
