# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wrong secret is one failed login: by whatever kinds of tasks, on 12 hosts, with answers lost.

In five runs it is one, too, and two where a host made the first: later runs do not rely on its word alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

HOSTS = ",".join(f"host{number:02}" for number in range(12))
WRONG = "Wrong-Canary-1"
LOCAL = {"ansible_connection": "local"}


def ways(stored: bool) -> list[dict[str, Any]]:
    """Return a task for each way to log in, with a stored credential or inline."""
    login = {"credential": "billing"} if stored else {}
    ranges = {"ranges": ["192.0.2.0/24"], "state": "present", **login}
    tasks: list[dict[str, Any]] = [
        {"gatehouse.salesforce.login_check": login},
        {"gatehouse.salesforce.network_access_info": login},
        {"gatehouse.salesforce.login_history_info": login},
        {"gatehouse.salesforce.trusted_ip_ranges": ranges},
        {"gatehouse.salesforce.login_ip_ranges": {"profile": "Standard", **ranges}},
    ]
    if stored:
        lookup = "{{ lookup('gatehouse.salesforce.access_token', 'billing') }}"
        tasks.append({"ansible.builtin.set_fact": {"seen": lookup}})
    else:
        tasks.append({"gatehouse.salesforce.credential": {"name": "copy-{{ inventory_hostname }}"}})
    return [{**task, "ignore_errors": True} for task in tasks]


def store(playbook: Playbooks) -> None:
    wrong = {"name": "billing", "password": WRONG, "verify": "skip"}
    playbook([{"gatehouse.salesforce.credential": wrong}])


def play(playbook: Playbooks, tasks: list[dict[str, Any]]) -> None:
    plays = [{"hosts": "all", "gather_facts": False, "vars": LOCAL, "tasks": tasks}]
    playbook.run(plays, "-i", HOSTS, "--forks", "6", gatehouse_salesforce_password=WRONG)


@pytest.mark.ansible
@pytest.mark.parametrize("fault", [None, "html", "reset", "truncate"])
def test_in_one_run(sim: SimulatedOrg, playbook: Playbooks, fault: str | None) -> None:
    """Inline and stored, as both send the same."""
    if fault:
        sim.control.inject(fault, operation="login", executed=True, times=None)
    store(playbook)
    play(playbook, [*ways(stored=False), *ways(stored=True)])
    assert sim.control.counts()["login"] == 1


@pytest.mark.ansible
@pytest.mark.parametrize(("first", "logins"), [("host", 2), ("controller", 1)])
def test_in_five_runs(sim: SimulatedOrg, playbook: Playbooks, first: str, logins: int) -> None:
    store(playbook)
    for number in range(5):
        tasks = ways(stored=number % 2 == 1)
        play(playbook, tasks if first == "host" else [*tasks[1:], tasks[0]])
    assert sim.control.counts()["login"] == logins
    assert sim.control.user(sim.admin.username)["locked"] is False
