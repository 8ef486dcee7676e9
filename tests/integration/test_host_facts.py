# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that somebody has taken over decides what it answers, and nothing else, although facts outrank inventories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from tests.support.deployments import DELIVER, ROTATE
from tests.support.plays import Playbooks, Results
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

SECRETS = {"admin": "Canary-Admin-Password", "billing": "Canary-Billing-Password"}
NOW = "2026-11-01T08:00:00Z"
# What a host returns, by the name of the host.
WRITTEN = {
    "targets": [
        {
            "credential": "admin",
            "target": "file",
            "dest": "/x",
            "place": "/x",
            "standby": False,
            "changed": True,
            "topics": [],
            "restarts": False,
        }
    ]
}
FACTS: dict[str, dict[str, Any]] = {
    "files": {"app_credentials_targets": [{"credential": "admin", "dest": "FOLDER/x", "format": "env"}]},
    "more": {"app_credentials_targets_more": [{"credential": "admin", "dest": "FOLDER/x", "format": "env"}]},
    "junk": {"app_credentials_targets": "junk", "_app_credentials_written": WRITTEN},
    "written": {"_app_credentials_written": WRITTEN},
    "logins": {"_deliver_written": WRITTEN["targets"], "_deliver_logins": [["admin", False]]},
    "check": {"deliver_check": "never"},
    "program": {"gatehouse_salesforce_store_key_file": "FOLDER/program"},
    "store": {"gatehouse_salesforce_store": "https://evil.example/v1/a/b"},
    "declared": {"credentials_declared": [{"name": "admin", "state": "absent"}]},
}


@pytest.fixture
def hosts(playbook: Playbooks) -> Path:
    """An inventory of hosts whose Python writes down what it is sent, and answers what its user wants."""
    folder = playbook.folder
    store = open_store(str(folder / "store"), str(playbook.key_file))
    for name, password in SECRETS.items():
        connection = Connection(username=f"{name}@acme.example", password=password, security_token="Token")
        store.write(Credential(name=name, connection=connection, version=1, created=NOW, updated=NOW), replaces=None)
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    program.chmod(0o755)
    listed: dict[str, Any] = {}
    for name in FACTS:
        (folder / f"{name}.answer").write_text("{}")
        interpreter = folder / f"{name}.python"
        interpreter.write_text(f"#!/bin/sh\ncat >> {folder}/{name}.got\ncat {folder}/{name}.answer\n")
        interpreter.chmod(0o755)
        listed[name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(interpreter),
            "app_credentials_targets": [{"credential": "billing", "dest": f"{folder}/{name}.env", "notify": []}],
        }
    path = folder / "hosts.json"
    path.write_text(json.dumps({"salesforce_applications": {"hosts": listed}}))
    # As variables of the inventory, as what is given by -e is above facts.
    names = [name for name in playbook.variables if name.startswith("gatehouse_salesforce_store")]
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.json").write_text(json.dumps({name: playbook.variables.pop(name) for name in names}))
    return path


def answer(folder: Path, *names: str, **more: Any) -> None:
    """Have hosts answer whatever they are asked with their facts."""
    for name in names:
        text = json.dumps({"changed": True, "ping": "pong", "ansible_facts": FACTS[name], **more})
        (folder / f"{name}.answer").write_text(text.replace("FOLDER", str(folder)))


def run(
    playbook: Playbooks, hosts: Path, *books: Path | dict[str, Any], check: bool = False, ok: bool = False
) -> Results:
    """Run plays and playbooks as one."""
    plays = [{"import_playbook": str(book)} if isinstance(book, Path) else book for book in books]
    return playbook.run(plays, "-i", str(hosts), *(["--check"] if check else []), ok=ok)


PING = {"hosts": "salesforce_applications", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
SHOW = {
    "hosts": "salesforce_applications",
    "gather_facts": False,
    "tasks": [{"name": "facts", "ansible.builtin.debug": {"var": "ansible_facts"}}],
}


def test_a_fact_is_never_an_option_nor_a_list_of_files_nor_a_result(playbook: Playbooks, hosts: Path) -> None:
    spoofed = {name: facts for name, facts in FACTS.items() if name != "declared"}  # which a delivery has no use for
    answer(playbook.folder, *spoofed)
    results = run(playbook, hosts, PING, DELIVER)
    for name, facts in spoofed.items():
        texts = [str(item["result"].get("msg")) for item in results if item["host"] == name]
        assert any(fact in text and f"returned by {name} as a fact" in text for text in texts for fact in facts), texts
        got = (playbook.folder / f"{name}.got").read_text()
        assert not [secret for secret in SECRETS.values() if secret in got]
    assert not (playbook.folder / "ran").exists()


def test_an_answer_of_a_delivery_hands_on_no_facts_and_no_hosts(playbook: Playbooks, hosts: Path) -> None:
    added = {"host_name": "more-hosts", "groups": ["salesforce_applications"]}
    answer(playbook.folder, *FACTS, status="missing", add_host=added)
    results = run(playbook, hosts, {**SHOW, "roles": ["gatehouse.salesforce.app_credentials"]}, ok=True)
    shown = {item["host"]: item["result"]["ansible_facts"] for item in results if item["task"] == "facts"}
    assert set(shown) == set(FACTS)
    for name, facts in FACTS.items():
        assert SECRETS["billing"] in (playbook.folder / f"{name}.got").read_text(), "it was delivered to"
        assert not set(facts) & set(shown[name])


def test_a_rotation_leaves_out_a_host_whose_list_is_a_fact_and_names_it(playbook: Playbooks, hosts: Path) -> None:
    inventory = json.loads(hosts.read_text())
    inventory["salesforce_applications"]["hosts"]["more"]["app_credentials_targets"] = "no list"
    hosts.write_text(json.dumps(inventory))
    for name in FACTS:
        (playbook.folder / f"{name}.answer").write_text('{"status": "current", "changed": false, "ping": "pong"}')
    answer(playbook.folder, "files")
    results = run(playbook, hosts, PING, ROTATE, check=True)
    listed = results.of("List which credentials the applications use")
    assert listed["credentials"] == ["billing"] and set(listed["targets"]) == set(FACTS) - {"files", "more"}
    first, second = listed["problems"]
    assert first.startswith("files: app_credentials_targets") and "returned by files as a fact" in first
    assert second.startswith("more: app_credentials_targets: must be a list of targets")
    assert first in results.last["msg"] and second in results.last["msg"]


def test_a_fact_declares_no_credential(playbook: Playbooks, hosts: Path) -> None:
    answer(playbook.folder, "declared")
    role = {**PING, "roles": ["gatehouse.salesforce.credentials"], "hosts": "declared", "tasks": []}
    last = run(playbook, hosts, {**PING, "hosts": "declared"}, role).last
    (failed,) = (item["msg"] for item in last["results"])
    assert "credentials_declared" in failed and "returned by declared as a fact" in failed
