# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""login_check from hosts with different addresses: local ones, and network namespaces of the test's own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.tasks import NOBODY
from tests.unit.simulator.apps import key_pair

pytestmark = pytest.mark.ansible

USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "BillingToken0000000000001"


def check(**options: Any) -> dict[str, Any]:
    return {"name": "check", "gatehouse.salesforce.login_check": options, "ignore_errors": True}


def run(playbook: Playbooks, task: dict[str, Any], hosts: dict[str, dict[str, Any]], *options: str) -> Results:
    """The task on hosts that are all this machine, each with its variables."""
    inventory = playbook.folder / "hosts.json"
    local = {"ansible_connection": "local"}
    listed = {name: {**local, **variables} for name, variables in hosts.items()}
    inventory.write_text(json.dumps({"all": {"hosts": listed}}))
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    return playbook.run([play], "-i", str(inventory), *options)


def by_host(results: Results) -> dict[str, dict[str, Any]]:
    return {item["host"]: item["result"] for item in results}


def causes(results: Results) -> dict[str, str]:
    return {host: result["verification"]["cause"] for host, result in by_host(results).items()}


def prepare(sim: SimulatedOrg, playbook: Playbooks) -> None:
    """An integration's user, its credential, and an administrator's."""
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Integration")
    billing = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN}
    playbook([{"gatehouse.salesforce.credential": options} for options in ({"name": "admin"}, billing)])
    sim.control.clear_requests()


class TestOneHost:
    """What it tells, and what it leaves alone."""

    @pytest.fixture(autouse=True)
    def prepared(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        prepare(sim, playbook)

    def test_a_stored_credential_gets_in_by_one_login(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        result = playbook([check(credential="billing")]).last
        assert result["changed"] is False
        assert result["verification"] == {"result": "ok", "cause": "ok", "detail": "logged in"}
        assert result["address"] == "127.0.0.1"
        assert sim.control.counts()["login"] == 1

    def test_the_user_on_standby_of_a_pair_logs_in_where_it_is_asked_for(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        refused = playbook([check(credential="billing", standby=True), check(standby=True)])
        assert "has no user on standby" in refused[0]["result"]["msg"]
        assert "is for a stored credential" in refused[1]["result"]["msg"]
        assert sim.control.counts() == {}
        green = {"username": f"green-{USER}", "password": PASSWORD, "security_token": TOKEN}
        sim.control.add_user(**green, profile="Integration")
        pair = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN, "standby": green}
        playbook([{"gatehouse.salesforce.credential": pair}])
        # Only the one in use is refused now.
        sim.control.reset_token(USER)
        found = playbook([check(credential="billing", standby=True), check(credential="billing")])
        assert [item["result"]["verification"]["result"] for item in found] == ["ok", "failed"]

    def test_without_anybody_to_log_in_as_the_way_out_is_named(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        info = {"gatehouse.salesforce.network_access_info": {}, "ignore_errors": True}
        for result in playbook([check(), info], **NOBODY):
            assert result["result"]["msg"] == (
                "credential: is required, or username and password and what else a login of its own needs; each may be "
                "a variable, such as gatehouse_salesforce_credential"
            )
        found = playbook([check(username=USER)], **NOBODY).last
        assert found["msg"] == "password: is required for auth security_token"
        assert sim.control.counts() == {}

    def test_in_check_mode_it_is_skipped_without_a_login(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        (found,) = playbook([check(credential="billing")], "--check")
        assert found["status"] == "skipped" and found["result"]["verification"]["result"] == "skipped"
        assert sim.control.counts() == {}

    def test_a_refusal_fails_the_task_and_says_why(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Integration", login_ip_ranges=["203.0.113.7"])
        result = playbook([{**check(credential="billing"), "ignore_errors": False}], ok=False).last
        assert result["verification"]["cause"] == "ip_denied" and result["msg"] == result["verification"]["detail"]
        assert result["address"] is None and result["local_address"] == "127.0.0.1"

    def test_a_token_that_was_reset_is_stale_as_the_password_worked_before(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.reset_token(USER)
        result = playbook([check(credential="billing", diagnose_with="admin")]).last
        assert result["verification"]["cause"] == "stale_token" and result["address"] == "127.0.0.1"

    def test_a_user_who_is_to_look_into_its_own_refusal_makes_no_second_try(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.reset_token(USER)
        sim.control.end_sessions()
        result = playbook([check(credential="billing", diagnose_with="billing")]).last
        assert result["verification"]["cause"] == "invalid_credentials"
        assert sim.control.counts()["login"] == 1

    def test_the_last_try_before_lock_out_is_not_made(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        row = {"username": USER, "source_ip": "192.0.2.1", "status": "Invalid Password", "count": 9}
        sim.control.add_logins([row])
        result = playbook([check(credential="billing", diagnose_with="admin")]).last
        assert result["verification"]["cause"] == "user_locked" and "no login was made" in result["msg"]
        assert "login" not in sim.control.counts()

    def test_a_password_that_was_changed_is_told_as_such(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.advance(3600)
        sim.control.set_user(USER, password="Another-1")
        result = playbook([check(credential="billing", diagnose_with="admin")]).last
        assert result["verification"]["cause"] == "bad_password"

    def test_an_assertion_is_signed_on_the_controller_and_the_key_stays_there(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        private_key, certificate = key_pair()
        sim.control.add_app("invented-key", certificate=certificate, approved_users=[USER])
        sim.control.set_org(instance_url=sim.url)
        task = check(auth="jwt_bearer", username=USER, consumer_key="invented-key", private_key=private_key)
        results = playbook([task], "-vvvv")
        assert results.last["verification"]["cause"] == "ok" and results.last["address"] == "127.0.0.1"
        assert "PRIVATE KEY" not in results.output

    def test_an_unknown_credential_is_named_and_nothing_sent(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        assert "nobody" in playbook([check(credential="nobody")]).last["msg"]
        assert sim.control.counts() == {}

    def test_secrets_reach_the_host_by_standard_input_only(self, playbook: Playbooks) -> None:
        results = playbook([check(credential="billing")], "-vvvv")
        assert "EXEC" in results.output and "PUT " not in results.output and ".ansible/tmp" not in results.output
        assert PASSWORD not in results.output and TOKEN not in results.output
        assert PASSWORD not in json.dumps(results)

    def test_the_debug_log_of_ansible_does_not_show_what_the_module_was_given(self, playbook: Playbooks) -> None:
        output = playbook([check(credential="billing")], "-vvvvv", env={"ANSIBLE_DEBUG": "true"}).output
        assert "done with _execute_module" in output
        assert PASSWORD not in output and TOKEN not in output

    def test_where_the_module_would_be_left_in_a_file_nothing_is_sent(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        result = playbook([check(credential="billing")], env={"ANSIBLE_KEEP_REMOTE_FILES": "1"}).last
        assert "ANSIBLE_KEEP_REMOTE_FILES" in result["msg"]
        assert sim.control.counts() == {}

    def test_the_host_needs_nothing_but_python(self, playbook: Playbooks, tmp_path: Path) -> None:
        python = tmp_path / "bare-python"
        python.write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -I -S "$@"\n')
        python.chmod(0o755)
        host = {"ansible_python_interpreter": str(python)}
        assert causes(run(playbook, check(credential="billing"), {"bare": host})) == {"bare": "ok"}


class TestManyHosts:
    """Each with an address of its own on this machine."""

    HOSTS = {f"host{number}": {"gatehouse_salesforce_source_address": f"127.0.0.{number}"} for number in range(2, 8)}

    @pytest.fixture(autouse=True)
    def prepared(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        prepare(sim, playbook)

    def test_each_is_judged_by_its_own_address(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        sim.control.set_profile("Integration", login_ip_ranges=["127.0.0.2-127.0.0.4"])
        results = run(playbook, check(credential="billing", diagnose_with="admin"), self.HOSTS)
        expected = {f"host{number}": "ok" if number <= 4 else "ip_denied" for number in range(2, 8)}
        assert causes(results) == expected
        assert {host: result["address"] for host, result in by_host(results).items()} == {
            host: variables["gatehouse_salesforce_source_address"] for host, variables in self.HOSTS.items()
        }

    def test_a_wrong_secret_is_tried_once_whatever_the_number_of_hosts(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        sim.control.set_user(USER, password="Another-1")
        results = run(playbook, check(credential="billing"), self.HOSTS, "--forks", "6")
        assert set(causes(results).values()) == {"invalid_credentials"}
        assert sim.control.counts() == {"login": 1}
        told = [result["verification"]["detail"] for result in by_host(results).values()]
        assert sum("not tried again" in detail for detail in told) == 5


@dataclasses.dataclass(frozen=True)
class Namespace:
    """A host of its own as far as the network goes."""

    address: str
    interpreter: Path


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def namespaces(tmp_path: Path) -> Iterator[list[Namespace]]:
    """Two network namespaces, each joined to this one by a cable; made and removed here."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces can be made by root only, so hosts with different addresses are NOT TESTED")
    slot = os.getpid() % 16384 * 8  # of 198.18.0.0/15, which is for tests between networks
    with ExitStack() as stack:
        made = []
        for number in range(2):
            base = slot + 4 * number
            name, cable = f"gatehouse-{os.getpid()}-{number}", f"gh{os.getpid() % 10**8}n{number}"
            here, there = (f"198.{18 + (base >> 16)}.{base >> 8 & 255}.{(base & 255) + last}" for last in (1, 2))
            try:
                ip("netns", "add", name)
            except (OSError, subprocess.CalledProcessError) as exc:
                pytest.skip(f"network namespaces cannot be made here ({exc}), so they are NOT TESTED")
            stack.callback(ip, "netns", "del", name)
            ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            stack.callback(ip, "link", "del", cable)  # at once; with the namespace it would go some time later
            ip("address", "add", f"{here}/30", "dev", cable)
            ip("link", "set", cable, "up")
            for command in (
                ("address", "add", f"{there}/30", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
                ("route", "add", "default", "via", here),
            ):
                ip("-n", name, *command)
            python = tmp_path / f"python-{number}"
            python.write_text(f'#!/bin/sh\nexec ip netns exec {name} {sys.executable} "$@"\n')
            python.chmod(0o755)
            made.append(Namespace(there, python))
        yield made


class TestNamespaces:
    """Hosts whose addresses are their own, seen by the org over a network."""

    @pytest.fixture
    def sim(self, namespaces: list[Namespace]) -> Iterator[SimulatedOrg]:
        first, _dot, last = namespaces[0].address.rpartition(".")
        with SimulatedOrg(addresses=[f"{first}.{int(last) - 1}", "127.0.0.1"]) as org:
            yield org

    @pytest.fixture
    def hosts(self, sim: SimulatedOrg, playbook: Playbooks, namespaces: list[Namespace]) -> dict[str, dict[str, Any]]:
        playbook.variables["gatehouse_salesforce_allowed_hosts"] = [sim.listeners[0].bind_addr[0]]
        prepare(sim, playbook)
        return {
            f"host{number}": {"ansible_python_interpreter": str(item.interpreter)}
            for number, item in enumerate(namespaces)
        }

    def test_salesforce_sees_each_at_its_own_address(
        self, playbook: Playbooks, namespaces: list[Namespace], hosts: dict[str, dict[str, Any]]
    ) -> None:
        found = by_host(run(playbook, check(credential="billing"), hosts))
        assert [found[host]["verification"]["cause"] for host in hosts] == ["ok", "ok"]
        assert [found[host]["address"] for host in hosts] == [item.address for item in namespaces]
        assert [found[host]["local_address"] for host in hosts] == [item.address for item in namespaces]

    def test_one_is_allowed_and_the_other_denied_and_told_so(
        self, sim: SimulatedOrg, playbook: Playbooks, namespaces: list[Namespace], hosts: dict[str, dict[str, Any]]
    ) -> None:
        sim.control.set_profile("Integration", login_ip_ranges=[namespaces[0].address])
        found = by_host(run(playbook, check(credential="billing", diagnose_with="admin"), hosts))
        assert [found[host]["verification"]["cause"] for host in hosts] == ["ok", "ip_denied"]
        assert f"{namespaces[1].address} (in none of" in found["host1"]["msg"]

    def test_without_a_token_only_the_trusted_one_gets_in(
        self, sim: SimulatedOrg, playbook: Playbooks, namespaces: list[Namespace], hosts: dict[str, dict[str, Any]]
    ) -> None:
        sim.control.set_org(trusted_ranges=[namespaces[1].address])
        task = check(username=USER, password=PASSWORD, security_token="", diagnose_with="admin")
        found = by_host(run(playbook, task, hosts))
        assert [found[host]["verification"]["cause"] for host in hosts] == ["token_required_here", "ok"]
        assert found["host0"]["address"] == namespaces[0].address
