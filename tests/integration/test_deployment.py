# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment as people have them: hosts reached by SSH, supervised web applications, nginx in front of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.demo import __main__ as demo
from tests.format_readers.install import Absent
from tests.simulated_org import SimulatedOrg
from tests.support.deployments import Deployment, by_host, changed
from tests.support.dovecot import Dovecot
from tests.support.hosts import Host, inventory
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT, free_port
from tests.support.rotations import mailbox_option
from tests.support.services import Application, services

SITE = ROOT / "playbooks" / "site.yml"
EXAMPLE = ROOT / "playbooks" / "example"
CREDENTIALS = {
    "billing": ("billing@acme.example", "Billing-Password-1", "BillingToken0000000000001"),
    "reports": ("reports@acme.example", "Reports-Password-1", "ReportsToken0000000000001"),
}
LOGIN, RESTART = "Log in from here with what this host was given", "Restart"


class TestHosts:
    """The hosts are what they seem to be; otherwise the rest of this file would prove little."""

    @staticmethod
    def run(playbook: Playbooks, hosts: dict[str, Host], **changed: Any) -> Results:
        listed = inventory(hosts)
        for variables in listed["salesforce_applications"]["hosts"].values():
            variables.update(changed)
        path = playbook.folder / "hosts.json"
        path.write_text(json.dumps(listed))
        task = {
            "name": "who",
            "ansible.builtin.command": {"argv": ["sh", "-c", "id -un; echo $SSH_CONNECTION"]},
            "ignore_unreachable": True,
        }
        return playbook.run([{"hosts": "all", "gather_facts": False, "tasks": [task]}], "-i", str(path))

    def test_each_is_another_user_at_another_address(self, playbook: Playbooks, hosts: dict[str, Host]) -> None:
        found = by_host(self.run(playbook, hosts), "who")
        seen = {name: tuple(result["stdout"].split()) for name, result in found.items()}
        assert {name: (words[0], words[3]) for name, words in seen.items()} == {
            name: (host.user, host.address) for name, host in hosts.items()
        }
        assert len({host.account.pw_uid for host in hosts.values()} | {os.getuid()}) == len(hosts) + 1

    def test_a_host_does_not_let_in_the_user_of_another(self, playbook: Playbooks, hosts: dict[str, Host]) -> None:
        found = by_host(self.run(playbook, hosts, ansible_user=hosts["web1"].user), "who")
        assert {name: result.get("unreachable", False) for name, result in found.items()} == {
            "web1": False,
            "web2": True,
            "web3": True,
        }

    def test_a_host_that_shows_another_key_is_not_trusted(self, playbook: Playbooks, hosts: dict[str, Host]) -> None:
        web1, web2 = hosts["web1"], hosts["web2"]
        options = web1.variables["ansible_ssh_common_args"]
        known = Path(options.rpartition("=")[2])
        line1, line2 = (line.split(" ", 1) for line in known.read_text().splitlines()[:2])
        swapped = playbook.folder / "known"
        swapped.write_text(f"{line2[0]} {line1[1]}\n")
        changed = {
            "ansible_ssh_common_args": options.replace(str(known), str(swapped)),
            "ansible_control_path_dir": str(playbook.folder),  # not over a connection that is open already
        }
        found = by_host(self.run(playbook, {"web2": web2}, **changed), "who")
        assert "Host key verification failed" in found["web2"]["msg"]


@pytest.fixture
def sim(server: Dovecot) -> Iterator[SimulatedOrg]:
    """An org that mails tokens."""
    with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        yield org


def rotate(deployment: Deployment, server: Dovecot, name: str) -> None:
    """Give the user a new token, and the store with it."""
    mailbox = mailbox_option(server, deployment.sim.control.user(CREDENTIALS[name][0])["email"])
    task = {
        "gatehouse.salesforce.security_token": {"name": name, "force": True, "mailbox": mailbox, "mail_timeout": 20}
    }
    assert deployment.playbook([task]).last["rotated"]


@pytest.fixture
def deployment(sim: SimulatedOrg, playbook: Playbooks, hosts: dict[str, Host]) -> Iterator[Deployment]:
    """The hosts with their applications, which have not got a credential yet."""
    applications = [
        Application("billing", hosts["web1"]),
        Application("billing", hosts["web2"]),
        Application("reports", hosts["web2"], "json"),
        Application("reports", hosts["web3"], "json"),
    ]
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    with ExitStack() as stack:
        try:
            made = Deployment(playbook, hosts, stack.enter_context(services(applications, sim.ca_path)), sim)
        except Absent as exc:
            pytest.skip(f"no services on managed hosts ({exc}), so deployments are NOT TESTED")
        for name, (username, password, token) in CREDENTIALS.items():
            sim.control.add_user(username, password, security_token=token, profile="Integration")
            made.store(name, username, password, token)
        yield made
        for application in applications:
            application.file.unlink(missing_ok=True)


SITES = {
    "billing.web1.example": "billing@acme.example",
    "billing.web2.example": "billing@acme.example",
    "reports.web2.example": "reports@acme.example",
    "reports.web3.example": "reports@acme.example",
}


class TestDelivery:
    """From the store to a page that a visitor sees."""

    def test_a_rotation_restarts_the_consumers_of_that_credential_and_nothing_else(
        self, deployment: Deployment, hosts: dict[str, Host], server: Dovecot
    ) -> None:
        deployment.deliver()
        assert deployment.pages() == SITES
        before = deployment.services.processes()
        assert set(before) == set(SITES)
        for application in deployment.services.applications:
            found = application.file.stat()
            assert (found.st_uid, found.st_mode & 0o777) == (application.host.account.pw_uid, 0o600)

        rotate(deployment, server, "billing")
        results = deployment.deliver()
        after = deployment.services.processes()
        assert {site for site in SITES if after[site] != before[site]} == {
            "billing.web1.example",
            "billing.web2.example",
        }
        assert {(task, host) for task, host in changed(results) if task.startswith(RESTART)} == {
            ("Restart billing", "web1"),
            ("Restart billing", "web2"),
        }
        assert deployment.pages() == SITES
        logins = {
            host: [one["address"] for one in result["results"]] for host, result in by_host(results, LOGIN).items()
        }
        assert logins == {"web1": [hosts["web1"].address], "web2": [hosts["web2"].address], "web3": []}

        deployment.sim.control.clear_requests()
        assert changed(deployment.deliver()) == set()
        assert deployment.services.processes() == after
        assert deployment.sim.control.counts() == {}

    def test_a_host_that_is_away_does_not_hold_up_the_others(self, deployment: Deployment) -> None:
        listed = deployment.inventory()
        listed["salesforce_applications"]["hosts"]["web2"]["ansible_port"] = free_port(deployment.hosts["web2"].address)
        results = deployment.deliver(ok=False, listed=listed)
        assert set(deployment.services.processes()) == {"billing.web1.example", "reports.web3.example"}
        assert "Not delivered to web2," in results.output
        # When it is back, it gets what it missed, and nobody else is bothered.
        before = deployment.services.processes()
        assert {host for _task, host in changed(deployment.deliver())} == {"web2"}
        assert deployment.pages() == SITES
        assert before.items() <= deployment.services.processes().items()

    def test_a_host_that_is_not_let_in_is_told_apart(self, deployment: Deployment, hosts: dict[str, Host]) -> None:
        allowed = ["127.0.0.1", hosts["web1"].address, hosts["web2"].address]
        deployment.sim.control.set_profile("Integration", login_ip_ranges=allowed)
        results = deployment.deliver(ok=False)
        failed = [(item["host"], item["task"]) for item in results if item["status"] == "failed"]
        assert failed[0] == ("web3", LOGIN) and {host for host, _task in failed} == {"web3"}
        assert "Not delivered to web3," in results.output and "Not delivered to web2" not in results.output

    def test_check_mode_writes_and_restarts_nothing_and_shows_no_secret(
        self, deployment: Deployment, server: Dovecot
    ) -> None:
        deployment.deliver()
        before = deployment.services.processes()
        content = {site.file: site.file.read_bytes() for site in deployment.services.applications}
        rotate(deployment, server, "billing")
        deployment.sim.control.clear_requests()
        results = deployment.deliver("--check", "--diff", "-vvv")
        assert {host for task, host in changed(results) if not task.startswith(RESTART)} == {"web1", "web2"}
        assert deployment.services.processes() == before
        assert {path: path.read_bytes() for path in content} == content
        assert deployment.sim.control.counts() == {}
        for _username, password, token in CREDENTIALS.values():
            assert password not in results.output and token not in results.output
        assert deployment.sim.control.user("billing@acme.example")["security_token"] not in results.output


class TestExample:
    """What playbooks/example shows is fit to be copied. The demo runs it, and the test of leaks too."""

    def test_it_has_three_orgs_five_applications_and_eight_hosts(self) -> None:
        listed = yaml.safe_load((EXAMPLE / "inventory.yml").read_text())
        applications = listed["salesforce_applications"]["children"]
        assert len(listed["salesforce_orgs"]["hosts"]) == 3
        assert len(applications) == 5
        assert [host for group in applications.values() for host in group["hosts"]] == list(demo.HOSTS)

    def test_every_file_notifies_a_handler_that_there_is(self) -> None:
        handlers = {handler["name"] for handler in yaml.safe_load((EXAMPLE / "handlers.yml").read_text())}
        topics = set()
        for path in (EXAMPLE / "group_vars").glob("*.yml"):
            for file in yaml.safe_load(path.read_text()).get(f"app_credentials_targets_{path.stem}", []):
                topics.update(file["notify"])
        assert topics == handlers

    def test_the_smaller_one_to_begin_with_runs_and_the_second_time_changes_nothing(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        secrets = {name: secret for name, secret in demo.SECRETS.items() if name.startswith("vault_acme")}
        for user, profile in (("admin", "System Administrator"), ("billing", "Standard User")):
            password, token = (secrets[f"vault_acme_{user}_{kind}"] for kind in ("password", "security_token"))
            sim.control.add_user(f"{user}@acme.example", password, security_token=token, profile=profile)
        mine = {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")}
        options = ("-i", str(EXAMPLE / "minimal" / "inventory.yml"))
        extra: dict[str, Any] = {**mine, **secrets, "application_folder": str(playbook.folder)}
        predicted = playbook.run(SITE, *options, "--check", **extra)
        assert "login" not in sim.control.counts()
        assert not any(playbook.folder.joinpath(name).exists() for name in ("store", "salesforce.env"))
        first, second = (playbook.run(SITE, *options, **extra) for _unused in range(2))
        stored_and_delivered = {(task, host) for task, host in changed(first) if "range" not in task}
        assert stored_and_delivered == changed(predicted)
        assert "credential 'acme-admin' is new or changed by this run" in predicted.output
        assert {host for _task, host in changed(first)} == {"acme", "billing-host"}
        assert changed(second) == set()
        warnings = [line for line in first.output.splitlines() if "WARNING" in line]
        # From December 2026 on it warns of a date that is past.
        assert not [line for line in warnings if "Use Any API Auth" not in line]
        assert "SALESFORCE_USERNAME=billing@acme.example" in (playbook.folder / "salesforce.env").read_text()

    def test_systemd_accepts_the_units(self) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("there is no systemd-analyze here, so the units of the example are NOT TESTED")
        units = sorted(map(str, EXAMPLE.glob("*.service")))
        assert len(units) == 2
        done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
