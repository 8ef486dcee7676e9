# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many orgs in one run beside as many hosts of what Ansible does itself, and plans of many thousand ranges."""

from __future__ import annotations

import contextlib
import datetime
import gc
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.demo.__main__ import SECRETS, prepare
from tests.support.processes import COLLECTIONS, ROOT, ansible_environment, simulated_org

FOLDER = ROOT / "build" / "bench-orgs"
ORGS, FORKS, RANGES = 50, 10, 10
ORG_ROUNDS, PLAN_ROUNDS = 3, 7
NAMES = [f"org{number:02}" for number in range(ORGS)]

MANY = 500

AIMS = {"orgs_50_to_ping_50": 0.5, "orgs_500_to_debug_500": 1.8, "plan_10000_seconds": 0.2, "plan_20000_to_10000": 2.5}


def measure() -> dict[str, float]:
    """All figures, each the median of some rounds."""
    return {**measure_orgs(), **measure_many_orgs(), **measure_plans()}


def measure_orgs() -> dict[str, float]:
    """One run with forks 10: the role network_access unchanged on 50 orgs, then ping on 50 hosts, again and again.

    All that the role does counts, its argument spec too. Sessions are open, as they are in any run soon after another.
    """
    role = [{"hosts": "all", "gather_facts": False, "roles": ["gatehouse.salesforce.network_access"]}]
    ping = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "ping", "ansible.builtin.ping": {}}]}]
    with many_orgs(NAMES):
        run_plays((role + ping) * (1 + ORG_ROUNDS))
    rounds = [[0.0, 0.0]]
    for task, seconds in json.loads((FOLDER / "times.json").read_text()):
        rounds[-1][task == "ping"] += seconds
        if task == "ping":
            rounds.append([0.0, 0.0])
    # The first round opens the sessions; what comes after the last ping is nothing.
    orgs, pings = (statistics.median(times) for times in zip(*rounds[1:-1], strict=True))
    return {"orgs_50_seconds": orgs, "ping_50_seconds": pings, "orgs_50_to_ping_50": orgs / pings}


def measure_many_orgs() -> dict[str, float]:
    """Whole processes with forks 10: the ranges of 500 orgs unchanged, of 50 of them, and debug on 500 hosts.

    Sessions are open, as they are in any run soon after another.
    """
    names = [f"org{number:03}" for number in range(MANY)]
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"ranges": "{{ network_access_trusted_ip_ranges }}"}}
    tasks = {
        "orgs": {"name": "ranges", **ranges},
        "debug": {"name": "debug", "ansible.builtin.debug": {"msg": "hello"}},
    }
    plays = {kind: [{"hosts": "all", "gather_facts": False, "tasks": [task]}] for kind, task in tasks.items()}
    kinds = {"orgs_500": ("orgs", []), "debug_500": ("debug", []), "orgs_50": ("orgs", ["--limit", "all[0:49]"])}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with many_orgs(names):
        run_plays(plays["orgs"])
        for _round in range(ORG_ROUNDS):
            for kind, (play, options) in kinds.items():
                times[kind].append(run_plays(plays[play], *options))
    seconds = {kind: statistics.median(measured) for kind, measured in times.items()}
    return {
        **{f"{kind}_process_seconds": value for kind, value in seconds.items()},
        "orgs_500_to_debug_500": seconds["orgs_500"] / seconds["debug_500"],
        "orgs_500_to_orgs_50": seconds["orgs_500"] / MANY / (seconds["orgs_50"] / ORGS),
    }


@contextlib.contextmanager
def many_orgs(names: list[str]) -> Iterator[dict[str, Any]]:
    """Start so many orgs, with a host for each in the inventory, store their credentials, and give their server."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    with simulated_org(FOLDER / "org", {"orgs": [_org(name) for name in names]}) as org:
        prepare(FOLDER, org, SECRETS)
        hosts = {name: {"gatehouse_salesforce_credential": name, "ansible_connection": "local"} for name in names}
        variables = {"network_access_trusted_ip_ranges": _ranges()}
        (FOLDER / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        run_plays([_credentials()])
        yield org


def _org(name: str) -> dict[str, Any]:
    user = {
        "username": f"admin@{name}.example",
        "password": SECRETS["vault_acme_admin_password"],
        "security_token": SECRETS["vault_acme_admin_security_token"],
    }
    return {"name": name, "trusted_ranges": [item["range"] for item in _ranges()], "users": [user]}


def _ranges() -> list[dict[str, str]]:
    return [{"range": f"20.0.{number}.0/24"} for number in range(RANGES)]


def _credentials() -> dict[str, Any]:
    """The play that stores the credential of each org."""
    credential = {
        "name": "{{ inventory_hostname }}",
        "username": "admin@{{ inventory_hostname }}.example",
        "password": "{{ vault_acme_admin_password }}",
        "security_token": "{{ vault_acme_admin_security_token }}",
    }
    tasks = [{"name": "store", "gatehouse.salesforce.credential": credential}]
    return {"hosts": "all", "gather_facts": False, "tasks": tasks}


def run_plays(plays: list[dict[str, Any]], *options: str) -> float:
    """Run plays in a process of its own, and return its seconds."""
    (FOLDER / "playbook.json").write_text(json.dumps(plays))
    environment = ansible_environment(
        ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="task_times",
        TASK_TIMES=str(FOLDER / "times.json"),
    )
    command = ["ansible-playbook", "playbook.json", "-i", "inventory.json", "-e", "@variables.json"]
    with (FOLDER / "output.txt").open("w") as output:
        started = time.perf_counter()
        subprocess.run(
            [*command, "--forks", str(FORKS), *options], cwd=FOLDER, env=environment, stdout=output, check=True
        )
        return time.perf_counter() - started


def measure_plans() -> dict[str, float]:
    """Seconds to read what is declared and to plan it against as many ranges in the org, half of them changed."""
    small, large = (_plan_seconds(count) for count in (10_000, 20_000))
    return {"plan_10000_seconds": small, "plan_20000_seconds": large, "plan_20000_to_10000": large / small}


def _plan_seconds(count: int) -> float:
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import (
        parse_range,
        unique,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.temporary_access import (
        parse_entries,
        plan_temporary,
    )

    entries = [
        {"range": f"20.{number >> 8}.{number & 255}.0/24", "description": f"Site {number}"} for number in range(count)
    ]
    # Every fourth with another description, every fourth elsewhere.
    current = [
        parse_range(
            str(entry["range"]) if number % 4 else f"30.{number >> 8}.{number & 255}.0/24",
            f"Site {number}" if number % 4 != 1 else "Other",
        )
        for number, entry in enumerate(entries)
    ]
    now = datetime.datetime.now(datetime.UTC)
    times = []
    for _round in range(PLAN_ROUNDS):
        gc.collect()
        started = time.perf_counter()
        declared, at_least = parse_entries(entries, now)
        change = plan_temporary(current, unique(declared), "exact", now=now, at_least=at_least)
        times.append(time.perf_counter() - started)
        if not len(change.added) == len(change.removed) == len(change.updated) == count // 4:
            raise RuntimeError("the plan that was measured is wrong")
    return statistics.median(times)
