# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials reach services by the modules of others: only where they differ, recorded as files are, and unseen."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_examples import blocks
from tests.integration.test_no_secret_leaks import forms
from tests.support.openbao import MOUNT, NAMESPACE, OpenBao
from tests.support.plays import Playbooks
from tests.support.processes import ROOT
from tests.support.service_apis import TOKEN, Api, Awx, GitHub, GitLab, serve
from tests.support.service_targets import PASSWORDS, STANDBY, Delivering, changed, ended

pytestmark = pytest.mark.ansible

GUIDE = ROOT / "docs" / "targets.md"
FIELDS = {"username": "username", "password": "password", "security_token": "security_token"}


def example(name: str) -> str:
    """The file of that name in the guide."""
    (block,) = (block for block in blocks(GUIDE, "yaml") if block.startswith(f"# {name}.yml\n"))
    return block


@pytest.fixture
def deliver(playbook: Playbooks) -> Delivering:
    return Delivering.begin(playbook)


@pytest.fixture
def apis() -> Iterator[dict[str, Api]]:
    """The servers by the names of the guide's files."""
    with ExitStack() as stack:
        made: dict[str, Api] = {"github": GitHub(), "gitlab": GitLab(), "awx": Awx()}
        yield {name: stack.enter_context(serve(api)) for name, api in made.items()}


@pytest.fixture
def targets(playbook: Playbooks, apis: dict[str, Api]) -> dict[str, dict[str, Any]]:
    """A target in each server, by the tasks of the guide."""
    for name in apis:
        (playbook.folder / f"{name}.yml").write_text(example(name))
    (listed,) = yaml.safe_load(example("group_vars/pipelines"))["app_credentials_targets"]
    options: dict[str, dict[str, Any]] = {
        "github": {**listed["target_options"], "api_url": apis["github"].url, "token": TOKEN},
        "gitlab": {"api_url": f"{apis['gitlab'].url}/api/v4", "project": "acme/billing", "token": TOKEN},
        "awx": {"url": apis["awx"].url, "organization": 1, "credential_type": 28, "token": TOKEN},
    }
    mapping = {"format": "mapping", "format_options": {"fields": FIELDS, "encoder": "json"}}
    return {
        name: {
            **listed,
            **(mapping if name == "awx" else {}),
            "tasks": str(playbook.folder / f"{name}.yml"),
            "restart": listed["restart"] if name == "github" else [],
            "notify": [],
            "target_options": given,
        }
        for name, given in options.items()
    }


@pytest.fixture
def kv(bao: OpenBao) -> dict[str, Any]:
    """The target of the guide on a real server, by a login that has the rights of the guide and no others."""
    name = f"kv-{secrets.token_hex(4)}"
    rights = {"metadata": ["read"], "data": ["create", "update"], "destroy": ["update"]}
    policy = {"path": {f"{MOUNT}/{part}/{name}/*": {"capabilities": allowed} for part, allowed in rights.items()}}
    bao.admin().sys.create_or_update_policy(name, json.dumps(policy))
    bao.admin().auth.approle.create_or_update_approle(name, token_policies=[name], token_ttl="1h")
    (listed,) = yaml.safe_load(example("host_vars/bao"))["app_credentials_targets"]
    reach = {
        "url": bao.node.url,
        "namespace": NAMESPACE,
        "ca_cert": str(bao.node.certificates.ca),
        "role_id": bao.admin().auth.approle.read_role_id(name)["data"]["role_id"],
        "secret_id": bao.admin().auth.approle.generate_secret_id(name)["data"]["secret_id"],
    }
    return {**listed, "dest": f"{MOUNT}/{name}/app", "target_options": {**listed["target_options"], **reach}}


def in_kv(bao: OpenBao, target: dict[str, Any]) -> Any:
    """What is there."""
    path = target["dest"].partition("/")[2]
    answer = bao.admin().secrets.kv.v2.read_secret_version(path=path, mount_point=MOUNT)
    return answer["data"]["data"]


class TestEveryService:
    """All in one list, as they have nothing to do with each other."""

    def test_only_what_differs_is_written_with_one_request_for_what_does_not_and_nothing_is_seen(
        self,
        deliver: Delivering,
        apis: dict[str, Api],
        targets: dict[str, dict[str, Any]],
        kv: dict[str, Any],
        bao: OpenBao,
    ) -> None:
        for name, target in targets.items():
            target["dest"] = f"LOGIN_{name.upper()}"
        listed = [kv, *targets.values()]
        output = []
        first = deliver(listed, "--diff", "-vvvv")
        output.append(first.output)
        assert set(changed(first).values()) == {True} and len(changed(first)) == 4
        assert "+credential billing, version 1" in first.output
        assert apis["github"].restarted == ["nightly.yml"]
        assert in_kv(bao, kv)["password"] == PASSWORDS[1]
        assert json.loads(apis["github"].value("LOGIN_GITHUB"))["password"] == PASSWORDS[1]
        assert json.loads(apis["gitlab"].value("LOGIN_GITLAB"))["password"] == PASSWORDS[1]
        assert apis["awx"].value("LOGIN_AWX") == {
            "username": "billing@acme.example",
            "password": PASSWORDS[1],
            "security_token": "x" * 24,
        }
        assert deliver.settled() == {f"localhost:{place}": (1, True) for place in changed(first)}
        for api in apis.values():
            api.requests.clear()
        second = deliver(listed, "--diff", "-vvvv")
        output.append(second.output)
        assert set(changed(second).values()) == {False}
        assert [len(api.requests) for api in apis.values()] == [1, 1, 1]

        deliver.put("billing", 2)
        foreseen = deliver(listed, "--check", "--diff")
        assert set(changed(foreseen).values()) == {True}
        assert (
            "-credential billing, version 1" in foreseen.output and "+credential billing, version 2" in foreseen.output
        )
        assert in_kv(bao, kv)["password"] == PASSWORDS[1] and len(apis["github"].restarted) == 1
        third = deliver(listed, "-vvvv")
        output.append(third.output)
        assert set(changed(third).values()) == {True} and len(apis["github"].restarted) == 2
        assert in_kv(bao, kv)["password"] == PASSWORDS[2]
        assert apis["awx"].value("LOGIN_AWX")["password"] == PASSWORDS[2]

        removed = deliver([{**target, "state": "absent"} for target in listed], "-vvvv")
        output.append(removed.output)
        assert set(changed(removed).values()) == {True}
        assert [api.kept for api in apis.values()] == [{}, {}, {}] and deliver.settled() == {}
        path = kv["dest"].partition("/")[2]
        versions = bao.admin().secrets.kv.v2.read_secret_metadata(path=path, mount_point=MOUNT)["data"]["versions"]
        assert [each["destroyed"] for each in versions.values()] == [True, True]
        hidden = (*PASSWORDS.values(), TOKEN, kv["target_options"]["secret_id"])
        assert not [form for secret in hidden for form in forms(secret) for text in output if form in text]

    def test_one_that_is_down_holds_up_no_other_and_the_next_run_finishes_it(
        self, deliver: Delivering, apis: dict[str, Api], targets: dict[str, dict[str, Any]], tmp_path: Path
    ) -> None:
        gitlab, awx = ({**targets[name], "notify": [f"Restart {name}"]} for name in ("gitlab", "awx"))
        file = {"credential": "billing", "dest": str(tmp_path / "app.env"), "notify": ["Restart file"]}
        apis["gitlab"].down = True
        found = deliver([gitlab, awx, file], ok=False)
        assert "tasks://SALESFORCE_LOGIN is listed more than once" in found.last["msg"]
        gitlab["dest"] = "GITLAB"
        found = deliver([gitlab, awx, file], ok=False)
        assert found.last["msg"].startswith("tasks://GITLAB: ") and "503" in found.last["msg"]
        assert {item["task"] for item in found} >= {"Restart awx"}
        assert deliver.settled() == {
            "localhost:tasks://SALESFORCE_LOGIN": (1, True),
            f"localhost:{file['dest']}": (1, True),
        }
        apis["gitlab"].down = False
        again = deliver([gitlab, awx, file])
        assert changed(again) == {file["dest"]: False, "tasks://GITLAB": True, "tasks://SALESFORCE_LOGIN": False}
        assert deliver.settled()["localhost:tasks://GITLAB"] == (1, True)

    def test_one_that_never_answers_or_says_anything_holds_up_no_other_and_its_words_are_cleaned(
        self, deliver: Delivering, tmp_path: Path
    ) -> None:
        login = {"users": [{"user": {"token": TOKEN}}]}
        said = f"\x1b[2J no: {TOKEN} {PASSWORDS[1]} {{{{ 7 * 7 }}}}"
        slow = {"name": "Wait for an answer", "ansible.builtin.command": {"argv": ["sleep", "60"]}}
        hostile = {
            "name": "Quote all",
            "ansible.builtin.fail": {"msg": "{{ lookup('file', '%s') }}" % (tmp_path / "said")},
            "register": "said",
            "failed_when": "said is failed",
        }
        (tmp_path / "said").write_text(said)
        listed: list[dict[str, Any]] = [{"credential": "billing", "dest": str(tmp_path / "app.env")}]
        for name, task in (("SLOW", slow), ("HOSTILE", hostile)):
            (tmp_path / f"{name}.yml").write_text(json.dumps([task]))
            reach = {"tasks": str(tmp_path / f"{name}.yml"), "target_options": {"kubeconfig": login}}
            listed.insert(0, {"credential": "billing", "target": "tasks", "dest": name, **reach})
        found = deliver(listed, "-e", "_app_credentials_timeout=2", ok=False)
        hostile_said, slow_said = found.last["msg"].split("\n")
        assert hostile_said == "tasks://HOSTILE: \\x1b[2J no: ******** ******** {{ 7 * 7 }}"
        assert slow_said.startswith("tasks://SLOW: ") and "2 second" in slow_said
        assert TOKEN not in found.output and PASSWORDS[1] not in found.output
        assert deliver.settled() == {f"localhost:{tmp_path}/app.env": (1, True)}

    def test_the_keyword_check_mode_keeps_services_and_handlers_from_doing_anything(
        self, deliver: Delivering, tmp_path: Path
    ) -> None:
        done = tmp_path / "done"
        version = {"ansible.builtin.set_fact": {"app_credentials_version": ""}}
        act = {"ansible.builtin.file": {"path": str(done), "state": "touch"}, "when": "app_credentials_entry != 'read'"}
        (tmp_path / "own.yml").write_text(json.dumps([version, act]))
        own = {"target": "tasks", "tasks": str(tmp_path / "own.yml"), "restart": ["x"]}
        listed = [
            {"credential": "billing", "dest": "OWN", **own},
            {"credential": "billing", "dest": str(tmp_path / "app.env"), "notify": ["Restart"]},
        ]
        role = {"name": "gatehouse.salesforce.app_credentials", "apply": {"check_mode": True}}
        restart = {"name": "Restart", "ansible.builtin.file": act["ansible.builtin.file"]}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.include_role": role}],
            "handlers": [restart],
        }
        found = deliver.playbook.run([play], app_credentials_targets=listed)
        assert set(changed(found).values()) == {True}
        assert not done.exists() and not (tmp_path / "app.env").exists() and deliver.settled() == {}

    def test_a_restart_that_a_service_refuses_is_made_up_for_and_a_pair_falls_back(
        self, deliver: Delivering, apis: dict[str, Api], targets: dict[str, dict[str, Any]]
    ) -> None:
        github = {**targets["github"], "credential": "pair", "restart": ["no/such"]}
        found = deliver([github], ok=False)
        assert "a handler failed" in found.last["msg"]
        assert deliver.settled("pair") == {"localhost:tasks://SALESFORCE_LOGIN": (1, False)}
        again = deliver([{**github, "restart": ["nightly.yml"]}])
        assert changed(again) == {"tasks://SALESFORCE_LOGIN": True} and apis["github"].restarted == ["nightly.yml"]
        deliver.put("pair", 2, standby=True)
        deliver([github], ok=False, rolls_back=True)
        assert json.loads(apis["github"].value("SALESFORCE_LOGIN"))["password"] == STANDBY


class TestKv:
    """What is there of others."""

    def test_what_somebody_changed_is_put_right_and_what_somebody_else_wrote_is_not_removed(
        self, deliver: Delivering, kv: dict[str, Any], bao: OpenBao
    ) -> None:
        server, path = bao.admin().secrets.kv.v2, kv["dest"].partition("/")[2]
        whole = {**kv, "key": "salesforce.env", "format": "env"}
        deliver([whole])
        assert PASSWORDS[1] in in_kv(bao, whole)["salesforce.env"]
        server.create_or_update_secret(path=path, secret={"x": "y"}, mount_point=MOUNT)
        found = deliver([{**whole, "state": "absent"}], ok=False)
        assert "contains something else than what was written there" in found.last["msg"]
        corrected = deliver([whole], "--diff")
        assert "-content that is not known here" in corrected.output and in_kv(bao, whole) != {"x": "y"}
        server.delete_latest_version_of_secret(path=path, mount_point=MOUNT)
        assert ended(deliver([whole]))[f"kv://{kv['dest']}"]["changed"] is True
        found = deliver([{**kv, "format": "env"}], ok=False)
        assert "name the key under which kv is to keep it" in found.last["msg"]

    def test_no_secret_is_sent_where_it_would_be_left_in_a_file(self, deliver: Delivering, kv: dict[str, Any]) -> None:
        found = deliver([kv], ok=False, env={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
        assert "nothing was sent" in found.last["msg"] and deliver.settled() == {}
