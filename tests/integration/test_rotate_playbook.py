# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nightly run: what is due is renewed and delivered, and a host that has trouble with it is no worse off."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.format_readers.install import Absent
from tests.simulated_org import SimulatedOrg
from tests.support.deployments import DELIVER, ROTATE, Deployment, by_host, changed
from tests.support.dovecot import Dovecot
from tests.support.hosts import Host
from tests.support.plays import Playbooks, Results
from tests.support.rotations import mailbox_option
from tests.support.services import Application, services
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

BLUE, GREEN, REPORTS = "billing@acme.example", "billing-green@acme.example", "reports@acme.example"
PASSWORD, TOKEN = "Acme-Password-1", "OldToken00000000000000001"
WEB = ("web1", "web2", "web3")
NUMBERS = itertools.count(1)
LOGIN, FORESEEN = "Log in from here with what this host was given", "Would be given a new token"
STANDBY = "Log in from here with the user on standby"


@pytest.fixture
def sim(server: Dovecot) -> Iterator[SimulatedOrg]:
    """An org that mails tokens, with the users of two applications. One of them has a second user."""
    with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        box = f"rotate{next(NUMBERS)}@acme.example"
        for user, profile in ((BLUE, "Blue"), (GREEN, "Green"), (REPORTS, "Reports")):
            org.control.set_profile(profile, permissions=["ApiEnabled"])
            org.control.add_user(user, PASSWORD, security_token=TOKEN, profile=profile, email=box)
        yield org


@pytest.fixture
def playbook(tmp_path: Path, sim: SimulatedOrg, server: Dovecot) -> Playbooks:
    """Runs playbooks that know the mailbox."""
    made = Playbooks(tmp_path, sim)
    made.variables["gatehouse_salesforce_mailbox"] = mailbox_option(server, sim.control.user(BLUE)["email"])
    made.variables["rotate_mail_timeout"] = 20
    return made


def store(playbook: Playbooks, name: str, username: str, *, standby: str | None = None) -> None:
    """Store a credential, which is verified by a login."""
    user = {"username": username, "password": PASSWORD, "security_token": TOKEN}
    pair = {"standby": {**user, "username": standby}} if standby else {}
    playbook([{"gatehouse.salesforce.credential": {"name": name, **user, **pair}}])


def age(playbook: Playbooks, name: str) -> None:
    """Make a stored token too old."""
    kept = open_store(str(playbook.folder / "store"), str(playbook.key_file))
    stored = kept.read(name)
    kept.write(dataclasses.replace(stored, secret_since="2026-01-01T00:00:00Z"), replaces=stored.version)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when something has come about; raises TimeoutError after a minute and a half."""
    ends = time.monotonic() + 90
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.1)


def outdated(playbook: Playbooks) -> list[str]:
    """The hosts of which somebody does not use the current version."""
    found = playbook([{"gatehouse.salesforce.credential_info": {}}]).last["outdated"]
    return [consumer.partition(":")[0] for consumer in found]


def assert_no_secret(playbook: Playbooks, sim: SimulatedOrg, *runs: Results) -> None:
    """No secret that there was or is shows in what these runs have printed."""
    tokens = {sim.control.user(user)["security_token"] for user in (BLUE, GREEN)}
    secrets = {PASSWORD, TOKEN, playbook.variables["gatehouse_salesforce_mailbox"]["password"], *tokens}
    assert not [secret for secret in secrets for run in runs if secret in run.output]


class TestDeployed:
    """Web applications on hosts that are reached by SSH."""

    @pytest.fixture
    def deployment(self, sim: SimulatedOrg, playbook: Playbooks, hosts: dict[str, Host]) -> Iterator[Deployment]:
        """Billing on each host, and reports on one of them."""
        applications = [*(Application("billing", host) for host in hosts.values())]
        applications.append(Application("reports", hosts["web3"], "json"))
        with ExitStack() as stack:
            try:
                made = stack.enter_context(services(applications, sim.ca_path))
            except Absent as exc:
                pytest.skip(f"no services on managed hosts ({exc}), so rotations of deployments are NOT TESTED")
            store(playbook, "reports", REPORTS)
            yield Deployment(playbook, hosts, made, sim)
            for application in applications:
                application.file.unlink(missing_ok=True)

    def test_what_is_due_is_renewed_delivered_and_logged_in_with_and_nothing_else_is_touched(
        self, deployment: Deployment, playbook: Playbooks, hosts: dict[str, Host], sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        deployment.deliver()
        pages, processes = deployment.pages(), deployment.services.processes()
        forced: dict[str, Any] = {"rotate_credentials": ["billing"], "rotate_force": True}

        # Check mode tells who would get a new token. It may log in to look for obstacles; nothing is changed.
        sim.control.clear_requests()
        checked = deployment.run(ROTATE, "--check", "--diff", "-vvv", **forced)
        assert {host for task, host in changed(checked) if task == FORESEEN} == set(WEB)
        assert not {"resetTokenPage", "resetToken"} & set(sim.control.counts())
        assert sim.control.user(BLUE)["security_token"] == TOKEN
        assert deployment.services.processes() == processes

        done = deployment.run(ROTATE, "--diff", "-vvv", **forced)
        assert sim.control.user(BLUE)["security_token"] != TOKEN
        assert_no_secret(playbook, sim, checked, done)
        assert sim.control.user(REPORTS)["security_token"] == TOKEN
        assert deployment.pages() == pages
        after = deployment.services.processes()
        assert {site for site in after if after[site] != processes[site]} == {f"billing.{host}.example" for host in WEB}
        logins = {host: [one["address"] for one in found["results"]] for host, found in by_host(done, LOGIN).items()}
        assert logins == {name: [host.address] for name, host in hosts.items()}

        # The night after, nothing is due.
        sim.control.clear_requests()
        assert changed(deployment.run(ROTATE)) == set()
        assert sim.control.counts() == {}
        assert deployment.services.processes() == after

    def test_a_host_that_a_new_user_of_a_pair_is_denied_to_keeps_the_other_one_and_serves_its_page(
        self, deployment: Deployment, playbook: Playbooks, hosts: dict[str, Host], sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE, standby=GREEN)
        deployment.deliver()
        # A user who has login ranges cannot reset a token, so these are declared when that is done.
        allowed = ["127.0.0.1", hosts["web1"].address, hosts["web2"].address]
        denied = {"command": "set_profile", "name": "Green", "login_ip_ranges": allowed}
        sim.control.hook("resetToken", [denied], when="after")
        done = deployment.run(ROTATE, "--diff", "-vvv", ok=False, rotate_credentials=["billing"], rotate_force=True)
        assert {item["host"] for item in done if item["status"] == "failed"} == {"web3"}
        assert [one["address"] for one in by_host(done, STANDBY)["web3"]["results"]] == [hosts["web3"].address]
        assert_no_secret(playbook, sim, done)
        assert "Not delivered to web3, for the reasons above. All others" in done.output
        found = {site: user for site, user in deployment.pages().items() if site.startswith("billing")}
        assert found == {"billing.web1.example": GREEN, "billing.web2.example": GREEN, "billing.web3.example": BLUE}
        assert outdated(playbook) == ["web3"]
        # The old user is still needed, so the pair is not rotated. When the host is let in, it gets what it missed.
        refused = deployment.run(ROTATE, ok=False, rotate_credentials=["billing"], rotate_force=True)
        assert "may still use billing@acme.example" in refused.output
        assert "Not renewed, for the reasons above: billing" in refused.output and outdated(playbook) == ["web3"]
        sim.control.set_profile("Green", login_ip_ranges=[])
        before = deployment.services.processes()
        deployment.run(ROTATE)
        assert deployment.pages()["billing.web3.example"] == GREEN and outdated(playbook) == []
        after = deployment.services.processes()
        assert {site for site in after if after[site] != before[site]} == {"billing.web3.example"}


class TestHandled:
    """Where applications are only said to be restarted, on three hosts that are folders."""

    @pytest.fixture(autouse=True)
    def _hosts(self, playbook: Playbooks) -> None:
        for host in WEB:
            (playbook.folder / host).mkdir()

    @staticmethod
    def run(
        playbook: Playbooks,
        book: Path,
        *options: str,
        ok: bool = True,
        restart: str = "",
        uses: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Results:
        """Run a playbook on the hosts.

        Args:
            restart: the shell command of the handler, beside the file.
            uses: the credential of each host, by default billing on all.
        """
        uses = uses or dict.fromkeys(WEB, "billing")
        folder = playbook.folder
        file = {
            "credential": "{{ used }}",
            "dest": f"{folder}/{{{{ inventory_hostname }}}}/app.env",
            "notify": ["Restart billing"],
        }
        variables = {"ansible_connection": "local", "app_credentials_targets": [file]}
        listed = {
            "salesforce_applications": {
                "hosts": {host: {"used": used} for host, used in uses.items()},
                "vars": variables,
            }
        }
        handler = {
            "name": "Restart billing",
            "ansible.builtin.shell": {"cmd": restart or "true", "chdir": f"{folder}/{{{{ inventory_hostname }}}}"},
        }
        (folder / "inventory.json").write_text(json.dumps(listed))
        (folder / "handlers.yml").write_text(json.dumps([handler]))
        return playbook.run(book, "-i", str(folder / "inventory.json"), *options, ok=ok, **more)

    @staticmethod
    def users(playbook: Playbooks) -> list[str]:
        """The user that each host holds."""
        texts = [(playbook.folder / host / "app.env").read_text() for host in WEB]
        return [text.partition("SALESFORCE_USERNAME=")[2].partition("\n")[0] for text in texts]

    def test_a_host_whose_restart_fails_is_given_the_other_user_and_is_repaired_by_the_next_run(
        self, playbook: Playbooks
    ) -> None:
        store(playbook, "billing", BLUE, standby=GREEN)
        self.run(playbook, DELIVER)
        stubborn = f"test $(basename $PWD) != web2 || ! grep {GREEN} app.env"
        done = self.run(playbook, ROTATE, ok=False, restart=stubborn, rotate_force=True)
        assert self.users(playbook) == [GREEN, BLUE, GREEN]
        assert {item["host"] for item in done if item["status"] == "failed"} == {"web2"}
        assert "have the user on standby of a pair, whose login succeeded" in done.output
        assert outdated(playbook) == ["web2"]
        repaired = self.run(playbook, ROTATE)
        assert self.users(playbook) == [GREEN] * 3 and outdated(playbook) == []
        assert {host for task, host in changed(repaired)} == {"web2"}

    def test_tokens_are_renewed_side_by_side_and_delivered_before_the_mail_of_another_has_come(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        store(playbook, "reports", REPORTS)
        uses = {"web1": "billing", "web2": "reports", "web3": "billing"}
        self.run(playbook, DELIVER, uses=uses)
        restarted = [playbook.folder / host / "restarted" for host in uses]
        sim.control.set_mail(delay=3600)

        def send_mails() -> None:
            """Send each mail when what must not wait for it is done."""
            wait_until(lambda: sim.control.counts().get("resetToken") == 2)
            sim.control.send_token_mail(BLUE, sim.control.user(BLUE)["security_token"], delay=0)
            wait_until(lambda: restarted[0].exists() and restarted[2].exists())
            assert not restarted[1].exists()
            sim.control.send_token_mail(REPORTS, sim.control.user(REPORTS)["security_token"], delay=0)

        with ThreadPoolExecutor() as pool:
            mails = pool.submit(send_mails)
            done = self.run(
                playbook,
                ROTATE,
                restart="touch restarted",
                uses=uses,
                rotate_force=True,
                rotate_mail_timeout=120,
            )
            mails.result()
        assert all(file.exists() for file in restarted) and outdated(playbook) == []
        assert sim.control.counts()["resetToken"] == 2, "of two hosts with one user, one renews the token"
        assert set(by_host(done, LOGIN)) == set(WEB)
        assert not [row for row in sim.control.login_history() if row["status"] != "Success"]

    def test_of_a_single_user_the_new_token_stays_as_the_old_one_is_dead(self, playbook: Playbooks) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        fails = "test $(basename $PWD) != web2"
        self.run(playbook, ROTATE, ok=False, restart=fails, rotate_force=True)
        texts = {(playbook.folder / host / "app.env").read_text() for host in WEB}
        assert len(texts) == 1 and TOKEN not in texts.pop()
        assert outdated(playbook) == ["web2"]
        assert {task for task, host in changed(self.run(playbook, ROTATE)) if host == "web2"} >= {"Restart billing"}
        assert outdated(playbook) == []

    def test_when_a_host_of_the_first_ones_fails_no_more_are_touched(self, playbook: Playbooks) -> None:
        store(playbook, "billing", BLUE, standby=GREEN)
        self.run(playbook, DELIVER)
        stubborn = f"test $(basename $PWD) != web1 || ! grep {GREEN} app.env"
        done = self.run(playbook, ROTATE, ok=False, restart=stubborn, rotate_force=True, deliver_serial=[2, "100%"])
        assert "Not delivered to web1, for the reasons above. No more hosts are touched." in done.output
        assert self.users(playbook) == [BLUE, GREEN, BLUE]
        assert "web3" not in {item["host"] for item in done if item["task"] == "Restart billing"}
        assert outdated(playbook) == ["web1", "web3"]

    def test_a_rotation_whose_mail_was_late_is_finished_and_delivered_by_the_next_run(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        sim.control.set_mail(delay=3)
        first = self.run(playbook, ROTATE, ok=False, rotate_force=True, rotate_mail_timeout=0.5)
        assert "Not renewed, for the reasons above: billing" in first.output
        self.run(playbook, ROTATE)
        assert outdated(playbook) == []
        token = sim.control.user(BLUE)["security_token"]
        assert all(token in (playbook.folder / host / "app.env").read_text() for host in WEB)
        assert sim.control.counts()["resetToken"] == 1

    def test_where_there_is_no_token_the_run_says_so(self, playbook: Playbooks) -> None:
        user = {"name": "billing", "username": BLUE, "password": PASSWORD, "verify": "skip"}
        playbook([{"gatehouse.salesforce.credential": user}], gatehouse_salesforce_security_token=None)
        done = self.run(playbook, ROTATE, deliver_check="never")
        assert "Nothing to rotate: no application in the inventory" in done.output
        done = self.run(playbook, ROTATE, deliver_check="never", rotate_credentials=[])
        assert "Nothing to rotate: rotate_credentials is empty" in done.output

    def test_an_age_a_method_or_a_variable_that_cannot_be_used_is_named_once(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        store(playbook, "billing", BLUE)
        store(playbook, "reports", REPORTS)
        sim.control.clear_requests()
        names = ["billing", "reports"]
        for age in (90, "90", "", "soon"):
            done = self.run(playbook, ROTATE, ok=False, rotate_credentials=names, rotate_max_age=age)
            (failed,) = (item["result"]["msg"] for item in done if item["status"] == "failed")
            assert failed == f"rotate_max_age: must be a duration such as 90d or 1d12h, not {age}"
        done = self.run(playbook, ROTATE, ok=False, rotate_credentials=names, rotate_method="mail")
        assert "value of rotate_method must be one of: reset, password, got: mail" in done.last["msg"]
        done = self.run(playbook, ROTATE, ok=False, rotate_credentials=names, rotate_maxage="1d")
        assert "rotate_maxage: there is no such variable (did you mean rotate_max_age?)" in done.output
        assert sim.control.counts() == {}
        self.run(playbook, ROTATE, rotate_credentials=names, rotate_max_age="1d12h30m", rotate_method="reset")

    def test_one_that_cannot_be_renewed_does_not_hold_up_the_others(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        store(playbook, "reports", REPORTS)
        sim.control.set_profile("Reports", login_ip_ranges=["127.0.0.0/8"])
        names = ["reports", "nobody", "billing"]
        done = self.run(playbook, ROTATE, ok=False, rotate_force=True, rotate_credentials=names)
        assert "Not renewed, for the reasons above: reports, nobody" in done.output
        token = sim.control.user(BLUE)["security_token"]
        assert token != TOKEN and token in (playbook.folder / "web1" / "app.env").read_text()

    @pytest.mark.parametrize("mode", [[], ["--check"]])
    def test_a_run_that_is_limited_to_some_hosts_renews_nothing_which_the_others_would_miss(
        self, playbook: Playbooks, sim: SimulatedOrg, mode: list[str]
    ) -> None:
        store(playbook, "billing", BLUE)
        age(playbook, "billing")
        done = self.run(playbook, ROTATE, "--limit", "web1", *mode, rotate_force=True)
        assert "web1" in {item["host"] for item in done}
        assert "Not renewed, as this run is limited to some hosts: billing" in done.output
        assert sim.control.user(BLUE)["security_token"] == TOKEN

    def test_texts_as_a_command_line_gives_them_are_taken_for_a_list_and_a_truth_value(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        self.run(playbook, ROTATE, rotate_credentials="billing", rotate_force="true")
        token = sim.control.user(BLUE)["security_token"]
        assert token != TOKEN and token in (playbook.folder / "web1" / "app.env").read_text()

    def test_what_only_localhost_has_as_variables_counts_for_tokens_renewed_side_by_side(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        (playbook.folder / "host_vars").mkdir()
        (playbook.folder / "host_vars" / "localhost.yml").write_text("rotate_force: true\n")
        self.run(playbook, ROTATE)
        token = sim.control.user(BLUE)["security_token"]
        assert token != TOKEN and token in (playbook.folder / "web1" / "app.env").read_text()

    def test_an_age_that_only_the_hosts_have_as_a_variable_neither_chooses_a_token_nor_spares_it(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        age(playbook, "billing")
        (playbook.folder / "group_vars").mkdir()
        (playbook.folder / "group_vars" / "salesforce_applications.yml").write_text("rotate_max_age: 36500d\n")
        self.run(playbook, ROTATE)
        token = sim.control.user(BLUE)["security_token"]
        assert token != TOKEN and token in (playbook.folder / "web1" / "app.env").read_text()

    def test_a_token_that_somebody_else_has_reset_is_found_when_each_is_checked_by_a_login(
        self, playbook: Playbooks, sim: SimulatedOrg
    ) -> None:
        store(playbook, "billing", BLUE)
        self.run(playbook, DELIVER)
        sim.control.reset_token(BLUE)
        self.run(playbook, ROTATE, rotate_verify=True)
        token = sim.control.user(BLUE)["security_token"]
        assert token != TOKEN and token in (playbook.folder / "web1" / "app.env").read_text()
