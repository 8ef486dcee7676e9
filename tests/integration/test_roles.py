# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles, and the playbook that wires them."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]


def deliver(playbook: Playbooks, *files: dict[str, Any], options: tuple[str, ...] = (), **extra: Any) -> Results:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "roles": ["gatehouse.salesforce.app_credentials"],
        "handlers": [{"name": "restart", "ansible.builtin.debug": {"msg": "restarted"}}],
    }
    listed = [{"notify": ["restart"], **file} for file in files]
    return playbook.run([play], *options, app_credentials_targets=listed, **extra)


def restarts(results: Results) -> int:
    return sum(item["task"] == "restart" for item in results)


@pytest.fixture(autouse=True)
def stored(sim: SimulatedOrg, playbook: Playbooks) -> None:
    admin = sim.admin
    declared = {
        "name": "billing",
        "username": admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
    }
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.credentials"]}
    playbook.run([play], credentials_declared=[declared])


class TestAppCredentials:
    """Applications get what they read."""

    def test_a_file_is_private_and_its_handler_runs_only_when_it_changed(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        target = playbook.folder / "app.env"
        wanted = {"credential": "billing", "dest": str(target)}
        first = deliver(playbook, wanted)
        assert restarts(first) == 1
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert f"SALESFORCE_SECURITY_TOKEN={sim.admin.security_token}" in target.read_text().replace('"', "").replace(
            "'", ""
        )
        assert restarts(deliver(playbook, wanted)) == 0

    def test_a_changed_mode_is_set_right(self, playbook: Playbooks) -> None:
        target = playbook.folder / "app.env"
        wanted = {"credential": "billing", "dest": str(target)}
        deliver(playbook, wanted)
        target.chmod(0o644)
        deliver(playbook, wanted)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_json_is_one_object_for_simple_salesforce(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        target = playbook.folder / "app.json"
        deliver(playbook, {"credential": "billing", "dest": str(target), "format": "json"})
        content = json.loads(target.read_text())
        assert content["username"] == sim.admin.username
        assert content["password"] == sim.admin.password
        assert content["security_token"] == sim.admin.security_token

    def test_check_mode_says_that_it_would_change_and_writes_nothing(self, playbook: Playbooks) -> None:
        target = playbook.folder / "app.env"
        results = deliver(playbook, {"credential": "billing", "dest": str(target)}, options=("--check", "--diff"))
        assert any(item["result"].get("changed") for item in results)
        assert not target.exists()

    def test_no_backup_of_an_old_secret_is_left(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        target = playbook.folder / "app.env"
        wanted = {"credential": "billing", "dest": str(target)}
        target.write_text("SALESFORCE_PASSWORD=old\n")
        deliver(playbook, wanted)
        assert [path.name for path in playbook.folder.glob("app.env*")] == ["app.env"]

    @pytest.mark.parametrize(
        ("wanted", "problem"),
        [
            ({"credential": "billing"}, "dest"),
            ({"dest": "/tmp/x"}, "credential"),
            ({"credential": "billing", "dest": "/tmp/x", "format": "carrier-pigeon"}, "format"),
            ({"credential": "billing", "dest": "/tmp/x", "formt": "env"}, "formt"),
        ],
    )
    def test_the_argument_spec_names_what_is_wrong(
        self, playbook: Playbooks, wanted: dict[str, Any], problem: str
    ) -> None:
        results = deliver(playbook, wanted, ok=False)
        assert problem in results.output


class TestCredentials:
    """Credentials are declared by the role as by the module."""

    def test_a_second_run_changes_nothing_and_logs_in_nowhere(self, sim: SimulatedOrg, playbook: Playbooks) -> None:
        admin = sim.admin
        sim.control.clear_requests()
        play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.credentials"]}
        declared = {"name": "billing", "username": admin.username, "password": admin.password}
        results = playbook.run([play], credentials_declared=[declared])
        assert not any(item["result"].get("changed") for item in results)
        assert sim.control.counts() == {}

    def test_a_misspelt_option_is_named_and_no_secret_with_it(self, playbook: Playbooks) -> None:
        play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.credentials"]}
        declared = {"name": "x", "usrname": "a", "password": "Canary-Password-1"}
        results = playbook.run([play], "-vvv", ok=False, credentials_declared=[declared])
        assert "usrname" in results.output
        assert "Canary-Password-1" not in results.output

    def test_one_that_is_refused_does_not_hold_up_the_others_and_is_named_at_the_end(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        admin = sim.admin
        right = {"username": admin.username, "password": admin.password, "security_token": admin.security_token}
        declared = [{**right, "name": "wrong", "password": "Not-The-Password-1"}, {**right, "name": "right"}]
        play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.credentials"]}
        results = playbook.run([play], ok=False, credentials_declared=declared)
        assert (playbook.folder / "store" / "right.json").exists()
        assert not (playbook.folder / "store" / "wrong.json").exists()
        shown = results.output
        assert shown.count("[ERROR]") == shown.count("failed: [localhost] (item=wrong)") == 1
        assert "(item=right)" in shown and len(shown.splitlines()) < 30


def test_site_declares_ranges_and_delivers_although_a_credential_is_refused_and_fails_at_its_end(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    wrong = {"name": "wrong", "username": sim.admin.username, "password": "Not-The-Password-1"}
    file = {"credential": "billing", "dest": str(playbook.folder / "app.env"), "notify": []}
    org = {"network_access_trusted_ip_ranges": ["198.51.100.0/24"], "credentials_declared": [wrong]}
    listed = {
        "salesforce_orgs": {"hosts": {"acme": org}},
        "salesforce_applications": {
            "hosts": {"web1": {"ansible_connection": "local", "app_credentials_targets": [file]}}
        },
    }
    (playbook.folder / "hosts.json").write_text(json.dumps(listed))
    results = playbook.run(ROOT / "playbooks" / "site.yml", "-i", str(playbook.folder / "hosts.json"), ok=False)
    assert [item["start"] for item in sim.control.org()["trusted_ranges"]] == ["198.51.100.0"]
    assert (playbook.folder / "app.env").exists()
    assert results.last["msg"] == "Not stored, for the reasons above: wrong: invalid_credentials"
    assert results.output.count("could not log in at") == 3  # of which Ansible shows the first by itself
    lines = results.of("Say what has changed, what is due, and what needs a person")["msg"]
    assert [line for line in lines if not line.startswith("Due ")] == [  # that depends on the day
        "Changed: lists of trusted IP ranges: 1; targets of applications: 1",
        "Credentials were not stored: acme",
    ]


def test_site_does_by_a_tag_only_what_the_tag_says(sim: SimulatedOrg, playbook: Playbooks) -> None:
    ranges = [{"range": "198.51.100.0/24", "description": "Office"}]
    variables = {"ansible_connection": "local", "network_access_trusted_ip_ranges": ranges}
    file = {"credential": "billing", "dest": str(playbook.folder / "app.env"), "notify": []}
    listed = {
        "salesforce_orgs": {"hosts": {"acme": variables}},
        "salesforce_applications": {"hosts": {"web1": {**variables, "app_credentials_targets": [file]}}},
    }
    (playbook.folder / "hosts.json").write_text(json.dumps(listed))
    book = ROOT / "playbooks" / "site.yml"
    admin = sim.admin
    declared = {"name": "reports", "username": admin.username, "password": admin.password}
    only = ("-i", str(playbook.folder / "hosts.json"), "--tags", "credentials")
    playbook.run(book, *only, credentials_declared=[declared])
    assert (playbook.folder / "store" / "reports.json").exists()
    assert not sim.control.org()["trusted_ranges"] and not (playbook.folder / "app.env").exists()
    results = playbook.run(book, *only, ok=False, credentials_declared=[{**declared, "password": "Not-The-Password-1"}])
    assert results.last["msg"].endswith(" reports: invalid_credentials")
    playbook.run(book, "-i", str(playbook.folder / "hosts.json"), "--tags", "network_access")
    assert [item["start"] for item in sim.control.org()["trusted_ranges"]] == ["198.51.100.0"]
    assert not (playbook.folder / "app.env").exists()
    playbook.run(book, "-i", str(playbook.folder / "hosts.json"), "--tags", "applications")
    assert (playbook.folder / "app.env").exists()


class TestWhatIsWrongWithTheInventory:
    """The site says what is misspelt or missing before it has changed anything."""

    def site(self, playbook: Playbooks, *options: str, **variables: Any) -> Results:
        dest = str(playbook.folder / variables.pop("folder", "") / "app.env")
        files = [{"credential": "billing", "dest": dest, "notify": variables.pop("notify", [])}]
        listed = {
            "salesforce_orgs": {"hosts": {"acme": variables}},
            "salesforce_applications": {
                "hosts": {"web1": {"ansible_connection": "local", "app_credentials_targets": files}}
            },
        }
        (playbook.folder / "hosts.json").write_text(json.dumps(listed))
        ok = variables.pop("ok", False)
        return playbook.run(ROOT / "playbooks" / "site.yml", "-i", str(playbook.folder / "hosts.json"), *options, ok=ok)

    def test_a_misspelt_variable_of_an_org_is_named_with_the_nearest_one(
        self, sim: SimulatedOrg, playbook: Playbooks
    ) -> None:
        results = self.site(playbook, network_access_trusted_ip_range=["198.51.100.0/24"])
        assert "(did you mean network_access_trusted_ip_ranges?)" in results.output
        assert not sim.control.org()["trusted_ranges"]

    def test_check_mode_warns_of_a_folder_that_is_missing_on_a_host(self, playbook: Playbooks) -> None:
        folder = playbook.folder / "billing"

        def warns() -> bool:
            output = self.site(playbook, "--check", folder=folder.name, ok=True).output
            # Ansible breaks a warning wherever a line ends, also within a path.
            return f"{folder}doesnotexistonthishost" in "".join(output.split())

        assert warns()
        folder.mkdir()
        assert not warns()

    @pytest.mark.parametrize("options", [(), ("--check",)])
    def test_a_topic_without_a_handler_is_named_and_its_file_not_written(
        self, playbook: Playbooks, options: tuple[str, ...]
    ) -> None:
        results = self.site(playbook, *options, notify=["Restart billing"])
        assert "no handler of this play has the name or listens to Restart billing" in results.output
        assert not (playbook.folder / "app.env").exists()
        handlers = [{"name": "restart", "listen": "Restart billing", "ansible.builtin.debug": {"msg": "restarted"}}]
        (playbook.folder / "handlers.yml").write_text(json.dumps(handlers))
        self.site(playbook, *options, notify=["Restart billing"], ok=True)


def test_network_access_leaves_ranges_alone_when_none_are_declared(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.clear_requests()
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.network_access"]}
    playbook.run([play])
    assert sim.control.counts() == {}
    playbook.run([play], network_access_trusted_ip_ranges=["198.51.100.0/24"])
    assert [item["start"] for item in sim.control.org()["trusted_ranges"]] == ["198.51.100.0"]
