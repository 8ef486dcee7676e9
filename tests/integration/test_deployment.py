# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment as people have them: hosts reached by SSH, supervised web applications, nginx in front of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import Host, inventory, managed_hosts
from tests.integration.conftest import Playbooks, Results
from tests.readers.install import Absent


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """Three hosts, each with an sshd, an address and a user of its own."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(managed_hosts("web1", "web2", "web3"))
        except Absent as exc:
            pytest.skip(f"no managed hosts ({exc}), so deployments over SSH are NOT TESTED")
        yield made


def by_host(results: Results, task: str) -> dict[str, dict[str, Any]]:
    """What each host returned for the task of that name."""
    return {item["host"]: item["result"] for item in results if item["task"] == task}


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
