# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a wrong secret to every kind of task on 12 hosts, and count the logins that the org refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

HOSTS = ",".join(f"host{number:02}" for number in range(12))
RUNS = 5
# What becomes of the answer to a login that Salesforce has counted; None when it arrives.
FAULTS = (None, "html", "reset", "truncate")
WRONG = "Wrong-Canary-1"
LOCAL = {"ansible_connection": "local"}
ASKED = ("asked@simulated.example", "Asked-Canary-1", "AskedToken000000000000001")


def ways_in(stored: bool) -> list[dict[str, Any]]:
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


def count_in_one_run(sim: SimulatedOrg, playbook: Playbooks, fault: str | None) -> int:
    """Return the logins of one run, inline and stored, as both send the same."""
    if fault:
        sim.control.inject(fault, operation="login", executed=True, times=None)
    _store(playbook)
    _play(playbook, [*ways_in(stored=False), *ways_in(stored=True)])
    logins: int = sim.control.counts()["login"]
    return logins


def count_in_five_runs(sim: SimulatedOrg, playbook: Playbooks, *, first: str, asks: bool = False) -> int:
    """Return the wrong logins of five runs.

    Args:
        first: who makes the first login, the controller or a managed C(host).
        asks: whether an administrator can be asked about it.
    """
    _store(playbook)
    extra: dict[str, Any] = {}
    if asks:
        login = dict(zip(("username", "password", "security_token"), ASKED, strict=True))
        sim.control.add_user(**login, profile="System Administrator")
        playbook([{"gatehouse.salesforce.credential": {"name": "asked", **login}}])
        extra = {"gatehouse_salesforce_diagnose_with": "asked"}
    sim.control.clear_requests()
    for number in range(RUNS):
        tasks = ways_in(stored=number % 2 == 1)
        _play(playbook, tasks if first == "host" else [*tasks[1:], tasks[0]], **extra)
    return sum(row["status"] != "Success" for row in sim.control.login_history())


def _store(playbook: Playbooks) -> None:
    wrong = {"name": "billing", "password": WRONG, "verify": "skip"}
    playbook([{"gatehouse.salesforce.credential": wrong}])


def _play(playbook: Playbooks, tasks: Sequence[dict[str, Any]], **extra: Any) -> None:
    plays = [{"hosts": "all", "gather_facts": False, "vars": LOCAL, "tasks": list(tasks)}]
    playbook.run(plays, "-i", HOSTS, "--forks", "6", gatehouse_salesforce_password=WRONG, **extra)
