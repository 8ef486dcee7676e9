# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that are lost when many hosts of one run add to the same list, each its own."""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

from tests.simulated_org import SimulatedOrg
from tests.support.processes import COLLECTIONS

HOSTS, TASKS = 20, 10
LATENCY = 0.03

AIMS = {"ranges_lost": 0, "descriptions_lost": 0}


def measure() -> dict[str, float]:
    """200 tasks of 20 hosts at a time, in an org whose audit trail does not show what they do."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, XDG_STATE_HOME=folder),  # where tasks take turns
        SimulatedOrg() as sim,
    ):
        sim.control.set_switches(trusted_range_audit="none")
        sim.control.inject("delay", operation="readMetadata", times=None, seconds=LATENCY)
        login = {
            "login_url": sim.url,
            "ca_path": sim.ca_path,
            "allowed_hosts": ["localhost"],
            "username": sim.admin.username,
            "password": sim.admin.password,
            "security_token": sim.admin.security_token,
        }

        def play(host: int) -> None:
            for task in range(TASKS):
                entry = {"range": f"20.0.{host}.{task}", "description": f"task {task} of host {host}"}
                _run_task({**login, "ranges": [entry]}, Path(folder))

        with ThreadPoolExecutor(HOSTS) as hosts:
            list(hosts.map(play, range(HOSTS)))
        ranges = {item["start"]: item["description"] for item in sim.control.org()["trusted_ranges"]}
    wanted = {f"20.0.{host}.{task}": f"task {task} of host {host}" for host in range(HOSTS) for task in range(TASKS)}
    kept = wanted.keys() & ranges.keys()
    return {
        "ranges_lost": float(len(wanted) - len(kept)),
        "descriptions_lost": float(sum(ranges[start] != wanted[start] for start in kept)),
    }


def _run_task(arguments: dict[str, Any], folder: Path) -> None:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import trusted_ip_ranges
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task

    options = ArgumentSpecValidator(trusted_ip_ranges.SPEC).validate(arguments).validated_parameters
    if not trusted_ip_ranges.run(options, Task.read(options, check_mode=False, folder=folder))["changed"]:
        raise RuntimeError("a task that adds a range did not change anything")
