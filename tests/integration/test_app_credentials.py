# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials reach applications: whole, only where they differ, and nowhere else. Who holds what is known."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import Delivery
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from tests.integration.test_no_secret_leaks import forms
from tests.simulated_org import SimulatedOrg
from tests.support.deployments import DELIVER
from tests.support.plays import Playbooks, Results
from tests.support.processes import COLLECTIONS, ansible_environment
from tests.support.stores import open_store

pytestmark = pytest.mark.ansible

SECRETS = ("Canary&Pass<1>=%/ü", "CanaryToken00000000000001", "Canary&Pass<2>=%/ü", "CanaryToken00000000000002")
NOW = "2026-11-{:02}T08:00:00Z"
WRITE = "Write the credential of each application"


def put(store: Store, name: str, version: int) -> None:
    """Store a version of a credential, without a login. The first two have secrets that are recognised anywhere."""
    password, token = SECRETS[2 * (version % 2) :][:2]
    connection = Connection(username=f"{name}@acme.example", password=password, security_token=token)
    stored = Credential(
        name=name, connection=connection, version=version, created=NOW.format(1), updated=NOW.format(version)
    )
    store.write(stored, replaces=version - 1 or None)


@pytest.fixture
def store(playbook: Playbooks) -> Store:
    """A store of two credentials."""
    opened = open_store(str(playbook.folder / "store"), str(playbook.key_file))
    for name in ("billing", "shipping"):
        put(opened, name, 1)
    return opened


def play(*topics: str, hosts: str = "localhost", **more: Any) -> dict[str, Any]:
    """A play with the role, and a handler for each topic."""
    handlers = [
        {"name": f"restart {topic}", "listen": topic, "ansible.builtin.debug": {"msg": "restarted"}} for topic in topics
    ]
    roles = ["gatehouse.salesforce.app_credentials"]
    return {"hosts": hosts, "gather_facts": False, "roles": roles, "handlers": handlers, **more}


def deliver(playbook: Playbooks, *files: Mapping[str, Any], options: tuple[str, ...] = (), **more: Any) -> Results:
    """Run the role; a file that says nothing of a restart needs none."""
    listed = [{"notify": [], **file} for file in files]
    topics = sorted({topic for file in listed for topic in file["notify"]})
    return playbook.run([play(*topics)], *options, app_credentials_targets=listed, **more)


def restarted(results: Results) -> list[str]:
    """The topics whose handlers ran."""
    return [item["task"].removeprefix("restart ") for item in results if item["task"].startswith("restart ")]


def written(results: Results, host: str = "localhost") -> list[dict[str, Any]]:
    """What became of each file on a host."""
    found = (item for item in results if item["task"].endswith(WRITE) and item["host"] == host)
    return list(next(found)["result"]["targets"])


def changed(results: Results) -> list[bool]:
    return [item["changed"] for item in written(results)]


def assert_no_secret(text: str) -> None:
    assert not [form for secret in SECRETS for form in forms(secret) if form in text]


class TestWriting:
    """One file."""

    def test_the_versions_before_and_after_are_told_and_no_secret(self, playbook: Playbooks, store: Store) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        first = written(deliver(playbook, file))[0]
        assert (first["version_before"], first["version"], first["changed"]) == (None, 1, True)
        assert first["consumer"] == f"localhost:{file['dest']}"
        put(store, "billing", 2)
        second = deliver(playbook, file, options=("--diff", "-v"))
        result = written(second)[0]
        assert (result["version_before"], result["version"]) == (1, 2)
        assert "-credential billing, version 1" in second.output and "+credential billing, version 2" in second.output
        third = written(deliver(playbook, file))[0]
        assert (third["version_before"], third["version"], third["changed"]) == (2, 2, False)

    def test_the_user_on_standby_of_a_pair_is_written_where_it_is_asked_for(
        self, playbook: Playbooks, store: Store
    ) -> None:
        before = store.read("billing")
        standby = Connection(username="standby@acme.example", password=SECRETS[0], security_token=SECRETS[1])
        store.write(dataclasses.replace(before, version=2, standby=standby), replaces=1)
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target)}
        deliver(playbook, file)
        assert "SALESFORCE_USERNAME=billing@acme.example" in target.read_text()
        deliver(playbook, {**file, "standby": True})
        assert "SALESFORCE_USERNAME=standby@acme.example" in target.read_text()

    def test_the_diff_tells_also_what_is_no_other_version(self, playbook: Playbooks, store: Store) -> None:
        before = store.read("billing")
        standby = Connection(username="standby@acme.example", password=SECRETS[0], security_token=SECRETS[1])
        store.write(dataclasses.replace(before, version=2, standby=standby), replaces=1)
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        deliver(playbook, file)

        def diff(**more: Any) -> tuple[Any, Any]:
            results = deliver(playbook, {**file, **more}, options=("--diff",))
            (found,) = next(item["result"]["diff"] for item in results if item["task"].endswith(WRITE))
            return found["before"], found["after"]

        assert diff(mode="0640") == ({"mode": "0600"}, {"mode": "0640"})
        version = "credential billing, version 2"
        assert diff(standby=True) == (f"{version}\n", f"{version}, the user on standby\n")
        assert diff() == (f"{version}, the user on standby\n", f"{version}\n")
        assert diff(format="json") == (f"{version}, in another form\n", f"{version}\n")

    def test_check_mode_tells_the_same_writes_nothing_and_records_nothing(
        self, playbook: Playbooks, store: Store
    ) -> None:
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target)}
        results = deliver(playbook, file, options=("--check", "--diff"))
        assert changed(results) == [True] and "+credential billing, version 1" in results.output
        assert not target.exists() and store.deliveries("billing") == {}
        deliver(playbook, file)
        before = target.read_bytes(), target.stat().st_ino
        put(store, "billing", 2)
        results = deliver(playbook, file, options=("--check", "--diff"))
        assert changed(results) == [True] and "-credential billing, version 1" in results.output
        assert (target.read_bytes(), target.stat().st_ino) == before
        assert [each.version for each in store.deliveries("billing").values()] == [1]
        assert changed(deliver(playbook, file)) == [True]
        assert changed(deliver(playbook, file, options=("--check",))) == [False]

    def test_a_version_that_leaves_the_file_as_it_is_changes_nothing_but_what_is_known(
        self, playbook: Playbooks, store: Store
    ) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        deliver(playbook, file)
        inode = Path(file["dest"]).stat().st_ino
        put(store, "billing", 2)
        put(store, "billing", 3)  # with the secrets of the first version
        result = written(deliver(playbook, file))[0]
        assert (result["changed"], result["version"]) == (False, 3)
        assert Path(file["dest"]).stat().st_ino == inode
        assert [each.version for each in store.deliveries("billing").values()] == [3]

    def test_an_unchanged_run_writes_nothing_anywhere(self, playbook: Playbooks, store: Store) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        deliver(playbook, file)
        noted = playbook.folder / "store" / ".deliveries" / "billing.json"
        target = Path(file["dest"])
        before = noted.stat().st_ino, target.stat().st_ino, target.stat().st_ctime_ns
        deliver(playbook, file)
        assert (noted.stat().st_ino, target.stat().st_ino, target.stat().st_ctime_ns) == before

    def test_a_file_that_was_changed_by_hand_is_put_right(self, playbook: Playbooks, store: Store) -> None:
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target)}
        deliver(playbook, file)
        good = target.read_bytes()
        target.write_text("SALESFORCE_PASSWORD=by-hand\n")
        results = deliver(playbook, file, options=("--diff",))
        assert "-content that is not known here" in results.output and "by-hand" not in results.output
        assert target.read_bytes() == good

    def test_a_new_file_is_never_open_to_others_even_where_the_old_one_was(
        self, playbook: Playbooks, store: Store
    ) -> None:
        target = playbook.folder / "app.env"
        target.write_text("old\n")
        target.chmod(0o644)
        looked_at = playbook.folder / "looked-at"
        command = f"/bin/sh -c 'stat -c %a \"$0\" > {looked_at}' %s"
        deliver(playbook, {"credential": "billing", "dest": str(target), "validate": command, "mode": "0640"})
        assert looked_at.read_text().strip() == "640"
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert [path.name for path in playbook.folder.glob(".*.env")] == []

    def test_owner_and_group_are_set_and_otherwise_stay(self, playbook: Playbooks, store: Store) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target)}
        deliver(playbook, {**file, "owner": "daemon", "group": "daemon"})
        owners = target.stat().st_uid, target.stat().st_gid
        assert owners[0] not in (0, os.geteuid())
        put(store, "billing", 2)
        assert changed(deliver(playbook, file)) == [True]
        assert (target.stat().st_uid, target.stat().st_gid) == owners

    def test_a_link_is_replaced_and_never_followed(self, playbook: Playbooks, store: Store) -> None:
        victim, target = playbook.folder / "victim", playbook.folder / "app.env"
        victim.write_text("precious")
        target.symlink_to(victim)
        file = {"credential": "billing", "dest": str(target), "backup": True}
        deliver(playbook, file)
        assert victim.read_text() == "precious" and not target.is_symlink()
        assert changed(deliver(playbook, file)) == [False]

    def test_a_command_that_fails_leaves_the_old_file_and_nothing_else(self, playbook: Playbooks, store: Store) -> None:
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target)}
        deliver(playbook, file)
        before = target.read_bytes(), target.stat().st_ino
        put(store, "billing", 2)
        # It shows what it was given, as checkers do.
        command = '/bin/sh -c \'cat "$0"; cat "$0" >&2; exit 3\' %s'
        results = deliver(playbook, {**file, "validate": command, "backup": True}, options=("-vvv",), ok=False)
        assert "ended with status 3; the file is as it was" in results.last["msg"]
        assert (target.read_bytes(), target.stat().st_ino) == before
        assert [path.name for path in playbook.folder.iterdir() if "app.env" in path.name or path.suffix == ".env"] == [
            "app.env"
        ]
        assert [each.version for each in store.deliveries("billing").values()] == [1]
        assert_no_secret(results.output)

    def test_a_backup_is_the_old_file_itself(self, playbook: Playbooks, store: Store) -> None:
        target = playbook.folder / "app.env"
        file = {"credential": "billing", "dest": str(target), "backup": True}
        assert "backup_file" not in written(deliver(playbook, file))[0]
        before = target.read_bytes(), target.stat().st_ino
        put(store, "billing", 2)
        kept = Path(written(deliver(playbook, file))[0]["backup_file"])
        assert (kept.read_bytes(), kept.stat().st_ino) == before
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert target.read_bytes() != before[0]

    @pytest.mark.every_core  # as it may mask the names of fields
    def test_an_application_reads_its_own_names(self, playbook: Playbooks, store: Store) -> None:
        target = playbook.folder / "app.json"
        options = {
            "encoder": "json",
            "fields": {"user": "username", "pass": "login_password", "security_token": "security_token"},
            "constants": {"tries": 3, "beta": True},
        }
        file = {"credential": "billing", "dest": str(target), "format": "mapping", "format_options": options}
        results = deliver(playbook, file, options=("--diff", "-vvv"))
        assert json.loads(target.read_text()) == {
            "user": "billing@acme.example",
            "pass": "".join(SECRETS[2:]),
            "security_token": SECRETS[3],
            "tries": 3,
            "beta": True,
        }
        assert written(results)[0]["consumer"] == f"localhost:{target}"
        assert_no_secret(results.output)
        assert changed(deliver(playbook, file)) == [False]
        options["fields"]["host"] = "host"  # type: ignore[index]
        assert changed(deliver(playbook, file)) == [True]

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"mode": "0644"}, "mode: '0644' would open the secret to everybody"),
            ({"mode": 600}, "mode: 600 must be a quoted octal number"),
            ({"mode": "u=rw"}, "mode: 'u=rw' must be a quoted octal number"),
            ({"dest": "app.env"}, "dest: 'app.env' must be the absolute path"),
            ({"dest": "/proc/self/app.env"}, "dest: '/proc/self/app.env' is no place for a file"),
            ({"dest": "/sys/app.env"}, "dest: '/sys/app.env' is no place for a file"),
            ({"dest": "/tmp/..//dev/shm/../app.env"}, "dest: '/tmp/..//dev/shm/../app.env' is no place for a file"),
            ({"dest": "/nonexistent/app.env"}, "/nonexistent"),
            ({"dest": "/tmp"}, "/tmp: is not a file"),
            ({"dest": "/tmp/a\0b"}, "embedded null"),
            ({"validate": "/bin/true"}, "validate: must contain %s"),
            ({"validate": "sh -c 'true %s"}, 'validate: "sh -c \'true %s" cannot be split into words: No closing'),
            ({"owner": "nobody-of-this-name"}, "app.env: owner: the host has no user 'nobody-of-this-name'"),
            ({"credential": "nobody"}, "no credential 'nobody'"),
            (
                {"format": "json", "format_options": {"name": "x"}},
                "format_options.name: format json has no such option",
            ),
            ({"format": "mapping"}, "fields: must name what to write, such as"),
            (
                {"format": "mapping", "format_options": {"fields": {"password": "sf-pass"}}},
                "fields: 'password' must be one of username, password, security_token, login_password, ",
            ),
            ({"standby": True}, "has no user on standby"),
        ],
    )
    def test_what_cannot_be_done_is_told(
        self, playbook: Playbooks, store: Store, options: dict[str, Any], problem: str
    ) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env"), **options}
        results = deliver(playbook, file, ok=False)
        told = results.last["msg"].removeprefix(f"{file['dest']}: ")
        assert (
            told != results.last["msg"] and not told.startswith(f"{file['dest']}: ") and problem in results.last["msg"]
        )
        assert store.deliveries("billing") == {}

    def test_without_the_action_nothing_is_done(self, playbook: Playbooks, store: Store) -> None:
        arguments = '{"ANSIBLE_MODULE_ARGS": {"credential": "billing", "dest": "/nonexistent/x"}}'
        run = ["-m", "ansible_collections.gatehouse.salesforce.plugins.modules.app_credential"]
        done = subprocess.run(
            [sys.executable, *run],
            input=arguments,
            capture_output=True,
            text=True,
            check=False,
            env=ansible_environment(PYTHONPATH=str(COLLECTIONS)),
        )
        assert done.returncode == 1 and "works by its action on the controller" in done.stdout + done.stderr


class TestSeveral:
    """Several applications, on several hosts."""

    def test_only_the_application_whose_file_changed_restarts(self, playbook: Playbooks, store: Store) -> None:
        files: list[dict[str, Any]] = [
            {"credential": "billing", "dest": str(playbook.folder / "billing.env"), "notify": ["billing", "proxy"]},
            {"credential": "shipping", "dest": str(playbook.folder / "shipping.env"), "notify": ["shipping"]},
            {"credential": "shipping", "dest": str(playbook.folder / "other.env"), "notify": ["other"]},
        ]
        assert sorted(restarted(deliver(playbook, *files))) == ["billing", "other", "proxy", "shipping"]
        assert restarted(deliver(playbook, *files)) == []
        put(store, "billing", 2)
        assert sorted(restarted(deliver(playbook, *files))) == ["billing", "proxy"]
        put(store, "shipping", 2)
        assert sorted(restarted(deliver(playbook, *files))) == ["other", "shipping"]

    def test_a_file_that_another_credential_is_written_over_holds_the_former_no_more(
        self, playbook: Playbooks, store: Store
    ) -> None:
        target = playbook.folder / "app.env"
        deliver(playbook, {"credential": "billing", "dest": str(target)})
        deliver(playbook, {"credential": "shipping", "dest": str(target)}, options=("--check",))
        assert list(store.deliveries("billing")) == [f"localhost:{target}"]
        deliver(playbook, {"credential": "shipping", "dest": str(target)})
        assert (list(store.deliveries("billing")), list(store.deliveries("shipping"))) == ([], [f"localhost:{target}"])
        results = deliver(playbook, {"credential": "billing", "dest": str(target), "state": "absent"}, ok=False)
        assert "contains nothing that was written there of billing" in results.last["msg"] and target.exists()

    def test_a_file_that_is_listed_twice_is_told(self, playbook: Playbooks, store: Store) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        results = deliver(playbook, file, {**file, "credential": "shipping"}, ok=False)
        assert results.last["msg"] == f"{file['dest']} is listed more than once, and can contain one credential only"

    def test_a_file_is_one_however_its_path_is_spelled(self, playbook: Playbooks, store: Store) -> None:
        for spelled in ("//app.env", "/./app.env", "/app.env"):
            deliver(playbook, {"credential": "billing", "dest": f"{playbook.folder}{spelled}"})
        assert list(store.deliveries("billing")) == [f"localhost:{playbook.folder}/app.env"]

    def test_no_files_are_nothing_to_do(self, playbook: Playbooks, store: Store) -> None:
        assert not any(item["result"].get("changed") for item in deliver(playbook))

    def test_a_topic_may_be_given_as_a_text(self, playbook: Playbooks, store: Store) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "billing.env"), "notify": "billing"}
        book = [play("billing")]
        assert restarted(playbook.run(book, app_credentials_targets=[file])) == ["billing"]

    def test_one_that_cannot_be_written_keeps_no_other_from_its_restart(
        self, playbook: Playbooks, store: Store
    ) -> None:
        files: list[dict[str, Any]] = [
            {"credential": "billing", "dest": str(playbook.folder / "billing.env"), "notify": ["billing"]},
            {"credential": "billing", "dest": "/nonexistent/x.env", "notify": ["broken"]},
            {"credential": "shipping", "dest": str(playbook.folder / "shipping.env"), "notify": ["shipping"]},
        ]
        results = deliver(playbook, *files, ok=False)
        assert sorted(restarted(results)) == ["billing", "shipping"]
        assert "/nonexistent/x.env" in results.last["msg"]
        assert list(store.deliveries("billing")) == [f"localhost:{files[0]['dest']}"]

    def test_each_host_is_known_by_its_name_and_one_that_failed_is_not(self, playbook: Playbooks, store: Store) -> None:
        inventory = playbook.folder / "hosts.ini"
        hosts = ("web1", "web2", "web3")
        inventory.write_text("".join(f"{host} ansible_connection=local\n" for host in hosts))
        for host in hosts[:2]:
            (playbook.folder / host).mkdir()
        file = {
            "credential": "billing",
            "dest": f"{playbook.folder}/{{{{ inventory_hostname }}}}/app.env",
            "notify": ["app"],
        }
        book = [play("app", hosts="all", vars={"app_credentials_targets": [file]})]
        results = playbook.run(book, "-i", str(inventory), ok=False)
        assert {item["host"] for item in results if item["task"] == "restart app"} == {"web1", "web2"}
        held = [f"{host}:{playbook.folder}/{host}/app.env" for host in hosts[:2]]
        assert list(store.deliveries("billing")) == held
        put(store, "billing", 2)
        playbook.run(book, "-i", str(inventory), "--limit", "web2")
        info = playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last
        assert info["outdated"] == held[:1]
        assert any("not on version 2 yet" in text and "web1" in text for text in info["warnings"])

    def test_a_host_in_two_groups_gets_the_files_of_both(self, playbook: Playbooks, store: Store) -> None:
        groups = {
            name: {
                "hosts": {"web1": {"ansible_connection": "local"}},
                "vars": {
                    f"app_credentials_targets_{name}": [
                        {"credential": name, "dest": f"{playbook.folder}/{name}.env", "notify": []}
                    ]
                },
            }
            for name in ("billing", "shipping")
        }
        (playbook.folder / "hosts.json").write_text(json.dumps(groups))
        results = playbook.run([play(hosts="all")], "-i", str(playbook.folder / "hosts.json"))
        assert [entry["credential"] for entry in written(results, "web1")] == ["billing", "shipping"]

    def test_a_file_of_which_nobody_says_who_restarts_it_is_listed_as_not_restarted(
        self, playbook: Playbooks, store: Store
    ) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        results = playbook.run([play()], app_credentials_targets=[file])
        assert "nothing restarts what reads it" in results.output and not written(results)[0]["restarted"]
        (consumer,) = playbook([{"gatehouse.salesforce.credential_info": {}}]).last["credentials"][0]["consumers"]
        assert consumer["restarted"] is False

    def test_a_file_on_another_host_belongs_to_that_one(self, playbook: Playbooks, store: Store) -> None:
        task = {
            "gatehouse.salesforce.app_credential": {"credential": "billing", "dest": str(playbook.folder / "a.env")},
            "delegate_to": "elsewhere",
            "vars": {"ansible_connection": "local"},
        }
        assert playbook([task]).last["consumer"] == f"elsewhere:{playbook.folder}/a.env"


class TestRestarts:
    """An application that was given something new is restarted, if need be by a later run."""

    FAILS: Mapping[str, Any] = {"ansible.builtin.command": {"argv": ["false"]}}
    # As seen by Ansible when a host dies: nobody listens at that port.
    DIES: Mapping[str, Any] = {
        "ansible.builtin.command": {"argv": ["true"]},
        "vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9},
    }

    @staticmethod
    def deliver(
        playbook: Playbooks, *files: Mapping[str, Any], handler: Mapping[str, Any] | None = None, ok: bool = True
    ) -> Results:
        """Run the role, with a handler for billing that may not do what it should."""
        book = play("shipping")
        if handler:
            book["handlers"].insert(0, {"name": "restart billing", "listen": "billing", **handler})
        else:
            book = play("billing", "shipping")
        return playbook.run([book], app_credentials_targets=list(files), ok=ok)

    @pytest.fixture
    def file(self, playbook: Playbooks, store: Store) -> dict[str, Any]:
        """A file that was delivered, and of whose credential there is another version since."""
        file = {"credential": "billing", "dest": str(playbook.folder / "billing.env"), "notify": ["billing"]}
        self.deliver(playbook, file)
        put(store, "billing", 2)
        return file

    @pytest.mark.parametrize("handler", [FAILS, DIES], ids=["a handler fails", "the host dies"])
    def test_a_restart_that_was_lost_is_made_up_for_by_the_next_run(
        self, playbook: Playbooks, store: Store, file: dict[str, Any], handler: Mapping[str, Any]
    ) -> None:
        self.deliver(playbook, file, handler=handler, ok=False)
        info = playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last
        assert info["outdated"] == [f"localhost:{file['dest']}"]
        assert any("(version 2, not restarted)" in text for text in info["warnings"])

        inode = Path(file["dest"]).stat().st_ino
        checked = deliver(playbook, file, options=("--check", "--diff"))
        assert changed(checked) == [True] and "not restarted since it was written" in checked.output
        again = self.deliver(playbook, file)
        assert restarted(again) == ["billing"] and Path(file["dest"]).stat().st_ino == inode
        assert playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last["outdated"] == []
        third = self.deliver(playbook, file)
        assert restarted(third) == [] and changed(third) == [False]

    def test_where_only_the_tag_of_the_role_is_run_the_restart_is_made_as_well(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        book = play("billing", roles=[{"role": "gatehouse.salesforce.app_credentials", "tags": ["credentials"]}])
        results = playbook.run([book], "--tags", "credentials", app_credentials_targets=[file])
        assert restarted(results) == ["billing"] and all(each.settled for each in store.deliveries("billing").values())

    def test_a_run_that_died_before_it_could_note_down_what_it_wrote_is_made_up_for(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        noted = playbook.folder / "store" / ".deliveries" / "billing.json"
        before = noted.read_bytes()
        self.deliver(playbook, file)
        noted.write_bytes(before)
        assert restarted(self.deliver(playbook, file)) == ["billing"]
        assert restarted(self.deliver(playbook, file)) == []

    @pytest.mark.parametrize("dies", [False, True], ids=["a handler fails", "the run dies before it is noted down"])
    def test_a_restart_without_a_file_that_was_removed_is_made_up_for_as_well(
        self, playbook: Playbooks, store: Store, file: dict[str, Any], dies: bool
    ) -> None:
        absent = {**file, "state": "absent"}
        if dies:
            Path(file["dest"]).unlink()
        else:
            self.deliver(playbook, absent, handler=self.FAILS, ok=False)
        info = playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last
        assert info["outdated"] == [f"localhost:{file['dest']}"]
        checked = deliver(playbook, absent, options=("--check", "--diff"))
        assert changed(checked) == [True] and "not restarted since it was removed" in checked.output
        assert restarted(self.deliver(playbook, absent)) == ["billing"]
        assert store.deliveries("billing") == {}
        assert restarted(self.deliver(playbook, absent)) == []

    def test_a_restart_that_was_lost_after_the_mode_of_a_file_has_changed_is_made_up_for(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        self.deliver(playbook, file)
        opened = {**file, "mode": "0640"}
        self.deliver(playbook, opened, handler=self.FAILS, ok=False)
        assert restarted(self.deliver(playbook, opened)) == ["billing"]
        assert restarted(self.deliver(playbook, opened)) == []

    def test_a_handler_that_fails_keeps_no_other_application_from_its_restart(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        other = {"credential": "shipping", "dest": str(playbook.folder / "shipping.env"), "notify": ["shipping"]}
        results = self.deliver(playbook, file, other, handler=self.FAILS, ok=False)
        assert restarted(results) == ["billing", "shipping"]
        assert f"{file['dest']} has changed, but a handler failed" in results.last["msg"]
        assert other["dest"] not in results.last["msg"]
        assert restarted(self.deliver(playbook, file, other)) == ["billing"]

    def test_a_restart_counts_for_what_the_file_held_then_and_not_for_what_another_run_has_written_since(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        another = {"name": "billing", "username": "billing@acme.example", "password": "Another-1", "verify": "skip"}
        book = play()
        book["handlers"] += [
            {"name": "store", "listen": "billing", "gatehouse.salesforce.credential": another},
            {"name": "write", "listen": "billing", "gatehouse.salesforce.app_credentials": {"step": "write"}},
        ]
        playbook.run([book], app_credentials_targets=[file])
        assert [(each.version, each.settled) for each in store.deliveries("billing").values()] == [(3, False)]
        assert restarted(self.deliver(playbook, file)) == ["billing"]
        assert [(each.version, each.settled) for each in store.deliveries("billing").values()] == [(3, True)]

    def test_a_file_counts_when_all_that_reads_it_was_restarted(
        self, playbook: Playbooks, store: Store, file: dict[str, Any]
    ) -> None:
        file["notify"] = ["shipping", "billing"]
        assert restarted(self.deliver(playbook, file, handler=self.FAILS, ok=False)) == ["shipping", "billing"]
        assert sorted(restarted(self.deliver(playbook, file))) == ["billing", "shipping"]

    def test_where_nothing_is_to_be_restarted_what_is_written_counts_at_once(
        self, playbook: Playbooks, store: Store
    ) -> None:
        task = {
            "gatehouse.salesforce.app_credential": {"credential": "billing", "dest": str(playbook.folder / "a.env")}
        }
        assert [item["result"]["changed"] for item in playbook([task, task])] == [True, False]
        assert all(each.settled for each in store.deliveries("billing").values())


class TestStandby:
    """The user on standby is not the one who is in use."""

    def test_a_file_that_contains_it_is_outdated(self, playbook: Playbooks, store: Store) -> None:
        before = store.read("billing")
        standby = Connection(username="standby@acme.example", password=SECRETS[0], security_token=SECRETS[1])
        store.write(dataclasses.replace(before, version=2, standby=standby), replaces=1)
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        first = written(deliver(playbook, {**file, "standby": True}))[0]
        assert not first["fallback"]
        info = playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last
        assert info["outdated"] == [f"localhost:{file['dest']}"]
        assert any("(version 2, the user on standby)" in text for text in info["warnings"])
        assert written(deliver(playbook, file))[0]["fallback"]
        assert playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last["outdated"] == []


class TestAbsent:
    """A file is taken away again, if it is ours."""

    @pytest.fixture
    def target(self, playbook: Playbooks, store: Store) -> Path:
        """A file that was delivered."""
        path = playbook.folder / "app.env"
        deliver(playbook, {"credential": "billing", "dest": str(path)})
        return path

    @staticmethod
    def absent(target: Path) -> dict[str, Any]:
        return {"credential": "billing", "dest": str(target), "state": "absent", "notify": ["app"]}

    def test_what_was_delivered_is_removed_once(self, playbook: Playbooks, store: Store, target: Path) -> None:
        checked = deliver(playbook, self.absent(target), options=("--check", "--diff"))
        assert changed(checked) == [True] and target.exists() and store.deliveries("billing")
        assert "-credential billing, version 1" in checked.output
        first = deliver(playbook, self.absent(target))
        assert changed(first) == [True] and restarted(first) == ["app"]
        assert not target.exists() and store.deliveries("billing") == {}
        second = deliver(playbook, self.absent(target))
        assert changed(second) == [False] and restarted(second) == []

    @pytest.mark.parametrize("how", ["written over", "a link", "of another format"])
    def test_what_somebody_has_changed_stays_and_is_told(
        self, playbook: Playbooks, store: Store, target: Path, how: str
    ) -> None:
        content = target.read_text()
        target.unlink()
        if how == "a link":
            (playbook.folder / "elsewhere").write_text(content)
            target.symlink_to(playbook.folder / "elsewhere")
        else:
            target.write_text(content + "# mine\n" if how == "written over" else "{}")
        left = target.read_text()
        results = deliver(playbook, self.absent(target), ok=False)
        assert f"{target} contains something else than what was written" in results.last["msg"]
        assert target.read_text() == left and restarted(results) == []
        assert list(store.deliveries("billing")) == [f"localhost:{target}"]

    def test_what_was_never_delivered_stays_and_is_told(self, playbook: Playbooks, store: Store) -> None:
        target = playbook.folder / "theirs.env"
        target.write_text("theirs")
        results = deliver(playbook, self.absent(target), ok=False)
        assert "contains nothing that was written there of billing" in results.last["msg"]
        assert target.read_text() == "theirs"

    def test_one_that_is_gone_already_is_forgotten(self, playbook: Playbooks, store: Store, target: Path) -> None:
        target.unlink()
        absent = {"credential": "billing", "dest": str(target), "state": "absent"}
        assert not playbook([{"gatehouse.salesforce.app_credential": absent}]).last["changed"]
        assert store.deliveries("billing") == {}

    def test_the_file_of_a_credential_that_is_gone_can_be_removed(
        self, playbook: Playbooks, store: Store, target: Path
    ) -> None:
        store.delete("billing", replaces=1)
        info: dict[str, Any] = {"gatehouse.salesforce.credential_info": {}}
        assert [each["name"] for each in playbook([info]).last["deleted"]] == ["billing"]
        assert changed(deliver(playbook, self.absent(target))) == [True]
        assert not target.exists()
        assert playbook([info]).last["deleted"] == []

    def test_it_is_recognised_after_the_keys_of_the_store_were_replaced(
        self, playbook: Playbooks, store: Store, target: Path
    ) -> None:
        playbook([{"gatehouse.salesforce.store_key": {"state": "rotated"}}])
        assert changed(deliver(playbook, self.absent(target))) == [True]


FAKE = """#!{python}
# Encrypts as systemd-creds does: differently each time, and for one name only. Keeps what it was started with.
import base64, os, sys
action, name, source, target = sys.argv[1:]
assert (source, target) == ("-", "-")
with open(os.path.dirname(sys.argv[0]) + "/arguments", "a") as log:
    print(*sys.argv, file=log)
content = sys.stdin.buffer.read()
if action == "encrypt":
    print(base64.b64encode(os.urandom(8) + name.encode() + bytes(255 - byte for byte in content)).decode())
else:
    opened = base64.b64decode(content.strip(), validate=True)[8:]
    if not opened.startswith(name.encode()):
        sys.exit("Embedded credential name does not match, refusing.")
    sys.stdout.buffer.write(bytes(255 - byte for byte in opened[len(name.encode()):]))
"""


def works() -> bool:
    """Whether this machine can encrypt for itself."""
    program = shutil.which("systemd-creds")
    if program is None:
        return False
    command = [program, "encrypt", "--name=x", "-", "-"]
    return subprocess.run(command, input=b"x", capture_output=True, check=False).returncode == 0


class TestEncrypted:
    """The host encrypts what a unit of systemd loads."""

    @pytest.fixture(params=["stand-in", "systemd-creds"])
    def path(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        """Where the program is found."""
        if request.param == "systemd-creds":
            if not works():
                pytest.skip("this machine has no systemd-creds that works")
            return os.environ["PATH"]
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "systemd-creds"
        program.write_text(FAKE.format(python=sys.executable))
        program.chmod(0o755)
        return f"{program.parent}:/usr/bin:/bin"

    def test_it_holds_the_secret_encrypted_and_a_second_run_changes_nothing(
        self, playbook: Playbooks, store: Store, path: str
    ) -> None:
        target = playbook.folder / "billing"
        file = {"credential": "billing", "dest": str(target), "format": "systemd_credential", "encrypt": True}
        book = [play(environment={"PATH": path})]

        def run(**more: Any) -> bool:
            return changed(playbook.run(book, app_credentials_targets=[{**file, **more}]))[0]

        assert run()
        assert_no_secret(target.read_text())
        program = shutil.which("systemd-creds", path=path)
        opened = [str(program), "decrypt", "--name=billing", "-", "-"]
        found = subprocess.run(opened, input=target.read_bytes(), capture_output=True, check=True).stdout
        assert found.decode() == "".join(SECRETS[2:])
        assert not run()
        put(store, "billing", 2)
        assert run() and not run()
        assert run(encrypt_name="salesforce") and not run(encrypt_name="salesforce")
        log = Path(str(program)).parent / "arguments"
        if log.exists():
            assert_no_secret(log.read_text())
        assert run(state="absent", encrypt=False) and not target.exists()

    def test_a_host_without_the_program_is_told(self, playbook: Playbooks, store: Store) -> None:
        empty = playbook.folder / "empty"
        empty.mkdir()
        target = playbook.folder / "billing"
        target.write_text("before")
        file = {"credential": "billing", "dest": str(target), "format": "systemd_credential", "encrypt": True}
        task = {"gatehouse.salesforce.app_credential": file, "environment": {"PATH": str(empty)}}
        if any(Path(folder, "systemd-creds").exists() for folder in ("/sbin", "/usr/sbin", "/usr/local/sbin")):
            pytest.skip("Ansible looks there, too")
        result = playbook([task], ok=False).last
        assert "the host has no systemd-creds" in result["msg"]
        assert target.read_text() == "before"


class TestSecrecy:
    """Nothing secret is seen on the way."""

    @pytest.fixture
    def tmp_path(self) -> Iterator[Path]:
        """A folder with a short name: Ansible makes a socket below it, whose path must not be over 107 characters."""
        with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
            yield Path(folder)

    def test_at_full_verbosity_with_debug_log_no_secret_and_no_fingerprint_shows(
        self, playbook: Playbooks, store: Store
    ) -> None:
        (playbook.folder / "remote").mkdir()
        env = {
            "ANSIBLE_DEBUG": "true",
            "ANSIBLE_LOG_PATH": str(playbook.folder / "log"),
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
            "ANSIBLE_REMOTE_TMP": str(playbook.folder / "remote"),
            "TMPDIR": str(playbook.folder / "remote"),
        }
        target = playbook.folder / "app.env"
        option = "Canary-Encryption-Key-0001"
        files: list[dict[str, Any]] = [
            {"credential": "billing", "dest": str(target)},
            {"credential": "billing", "dest": "/nonexistent/x"},
            {
                "credential": "billing",
                "dest": str(playbook.folder / "bad"),
                "format": "dataloader_properties",
                "format_options": {"encryption_key": option},
            },
        ]
        outputs = []
        for version in (2, 3):
            results = deliver(playbook, *files, options=("-vvvvv", "--diff"), ok=False, env=env)
            outputs.append(results.output)
            put(store, "billing", version)
        fingerprint = store.deliveries("billing")[f"localhost:{target}"].fingerprint
        (playbook.folder / "variables.json").unlink()
        for path in playbook.folder.rglob("*"):
            if path.is_file() and path != target:
                outputs.append(path.read_text(errors="replace"))
        for output in outputs:
            assert_no_secret(output)
            assert str(fingerprint) not in output
            assert option not in output

    def test_no_secret_is_sent_where_it_would_be_left_in_a_file(self, playbook: Playbooks, store: Store) -> None:
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        results = deliver(playbook, file, ok=False, env={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
        assert "nothing was sent" in results.last["msg"]
        assert not Path(file["dest"]).exists()

    def test_what_cannot_be_noted_down_does_not_keep_the_application_from_its_restart(
        self, playbook: Playbooks, store: Store
    ) -> None:
        target = playbook.folder / "app.env"
        locks = playbook.folder / "store" / ".deliveries" / ".locks"
        locks.parent.mkdir(mode=0o700)
        locks.write_text("")  # in place of a folder
        file = {"credential": "billing", "dest": str(target), "notify": ["app"]}
        results = deliver(playbook, file, ok=False)
        assert restarted(results) == ["app"] and target.exists()
        assert ".deliveries" in results.last["msg"]


class TestLogin:
    """The playbook deliver logs in from each host, when that is asked for."""

    @pytest.fixture
    def run(self, playbook: Playbooks) -> Callable[..., Results]:
        """Run it for one host, whose credential nobody is let in with."""
        wrong = {"name": "billing", "username": "nobody@acme.example", "password": "Wrong-1", "verify": "skip"}
        playbook([{"gatehouse.salesforce.credential": wrong}])
        file = {"credential": "billing", "dest": str(playbook.folder / "app.env")}
        variables = {"ansible_connection": "local", "app_credentials_targets": [file]}
        listed = {"salesforce_applications": {"hosts": {"web1": variables}}}
        (playbook.folder / "hosts.json").write_text(json.dumps(listed))
        return functools.partial(playbook.run, DELIVER, "-i", str(playbook.folder / "hosts.json"))

    def test_one_that_was_refused_is_told_once_or_always(self, run: Callable[..., Results]) -> None:
        assert "Not all that is current was delivered here" in run(ok=False).last["msg"]
        run()
        assert "Not all that is current was delivered here" in run(ok=False, deliver_check="always").last["msg"]

    def test_none_is_made_where_that_is_not_asked_for(self, run: Callable[..., Results], sim: SimulatedOrg) -> None:
        run(deliver_check="never")
        assert sim.control.counts() == {}

    def test_another_choice_is_told_before_anything_is_delivered(
        self, run: Callable[..., Results], playbook: Playbooks
    ) -> None:
        results = run(ok=False, deliver_check="allways")
        assert "value of deliver_check must be one of: changed, always, never, got: allways" in results.last["msg"]
        assert not (playbook.folder / "app.env").exists()


def test_a_host_that_is_gone_for_good_is_forgotten_without_being_asked(playbook: Playbooks, store: Store) -> None:
    gone = Delivery(version=1, updated=NOW.format(1), format="env", encrypted=None, delivered=NOW.format(1))
    gone = dataclasses.replace(gone, fingerprint="x")
    store.record_deliveries("billing", {"old-host:/etc/billing.env": gone, "other:/etc/billing.env": gone})
    forget = {
        "gatehouse.salesforce.app_credential": {
            "credential": "billing",
            "dest": "/etc/billing.env",
            "state": "forgotten",
        },
        "delegate_to": "old-host",
    }
    foreseen = playbook([forget], "--check", "--diff").last
    assert (foreseen["changed"], foreseen["diff"]["after"]) == (True, "")
    assert playbook([forget]).last["changed"]
    assert set(store.deliveries("billing")) == {"other:/etc/billing.env"}
    assert not playbook([forget]).last["changed"]
