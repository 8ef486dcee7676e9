# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task and a lookup of this collection cost beside Ansible's own."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.demo.__main__ import SECRETS, org_seed, prepare
from tests.support.processes import ROOT, ansible_environment, simulated_org, write_private

FOLDER = ROOT / "build" / "bench"
AIMS = {"org_task_to_ping": "at most 0.3", "ranges_1000_to_10": "at most 2", "lookup_to_unvault": "at most 0.5"}
TASKS = 25
LOOKUPS = 1000
DISTINCT = 200  # ansible keeps a decrypted file, so that reading the same one again costs it nothing


def declared(count: int) -> list[dict[str, str]]:
    """Invented ranges."""
    return [{"range": f"20.{n >> 8}.{n & 255}.0/24", "description": f"Site {n}"} for n in range(count)]


def seed() -> dict[str, Any]:
    """Two orgs, one with 10 ranges and one with 1,000, each entered by an administrator."""
    base = org_seed(SECRETS)["orgs"][0]

    def org(count: int) -> dict[str, Any]:
        ranges = [
            {
                "start": item["range"].replace("/24", ""),
                "end": item["range"].replace(".0/24", ".255"),
                **_described(item),
            }
            for item in declared(count)
        ]
        user = {**base["users"][0], "username": f"admin{count}@acme.example"}
        return {"name": f"Org {count}", "trusted_ranges": ranges, "users": [user]}

    return {"orgs": [org(10), org(1000)]}


def _described(item: Mapping[str, str]) -> dict[str, str]:
    return {"description": item["description"]}


def playbook() -> list[dict[str, Any]]:
    """Each kind of task many times, after one of its kind that warms up."""

    def org_task(count: int) -> dict[str, Any]:
        return {
            "gatehouse.salesforce.trusted_ip_ranges": {
                "credential": f"admin{count}",
                "ranges": f"{{{{ ranges_{count} }}}}",
            }
        }

    kinds: dict[str, dict[str, Any]] = {
        "debug": {"ansible.builtin.debug": {"msg": "hello"}},
        "ping": {"ansible.builtin.ping": {}},
        # What Ansible itself spends on handing so many ranges to any task.
        "debug_10": {"ansible.builtin.debug": {"msg": "{{ ranges_10 }}"}},
        "debug_1000": {"ansible.builtin.debug": {"msg": "{{ ranges_1000 }}"}},
        "ranges_10": org_task(10),
        "ranges_1000": org_task(1000),
    }
    tasks = [
        {"name": f"credential {count}", "gatehouse.salesforce.credential": _credential(count)} for count in (10, 1000)
    ]
    copies = f"{{{{ range({DISTINCT}) | list }}}}"
    tasks.append(
        {
            "name": "copies",
            "gatehouse.salesforce.credential": {**_credential(10), "name": "copy{{ item }}", "verify": "skip"},
            "loop": copies,
        }
    )
    for name, task in kinds.items():
        tasks.append({"name": f"warm {name}", **task})
        tasks += [{"name": name, **task}] * TASKS
    for name, count, expression in (
        ("login_password", LOOKUPS, "lookup('gatehouse.salesforce.login_password', 'admin10')"),
        ("unvault", LOOKUPS, "lookup('ansible.builtin.unvault', vaulted_folder ~ '/0')"),
        ("login_password_distinct", DISTINCT, "lookup('gatehouse.salesforce.login_password', 'copy' ~ n)"),
        ("unvault_distinct", DISTINCT, "lookup('ansible.builtin.unvault', vaulted_folder ~ '/' ~ n)"),
    ):
        loop = f"{{% for n in range({count}) %}}{{{{ ({expression} | length) * 0 }}}}{{% endfor %}}"
        tasks.append({"name": name, "ansible.builtin.debug": {"msg": "{{ x | length }}"}, "vars": {"x": loop}})
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def _credential(count: int) -> dict[str, str]:
    return {
        "name": f"admin{count}",
        "username": f"admin{count}@acme.example",
        "password": "{{ vault_acme_admin_password }}",
        "security_token": "{{ vault_acme_admin_security_token }}",
    }


def times_of_tasks() -> dict[str, list[float]]:
    """The seconds that each task took, by its name."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    (FOLDER / "playbook.json").write_text(json.dumps(playbook()))
    (FOLDER / "ranges.json").write_text(json.dumps({"ranges_10": declared(10), "ranges_1000": declared(1000)}))
    write_private(FOLDER / "vault.password", "Bench-Vault-Password")
    vaulted = FOLDER / "vaulted"
    vaulted.mkdir()
    for number in range(DISTINCT):
        write_private(vaulted / str(number), "Gate-Admin-2026DemoAdminToken0000000000A")
    environment = ansible_environment(
        ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="task_times",
        ANSIBLE_VAULT_PASSWORD_FILE=str(FOLDER / "vault.password"),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        TASK_TIMES=str(FOLDER / "times.json"),
    )
    encrypt = ["ansible-vault", "encrypt", *map(str, vaulted.iterdir())]
    subprocess.run(encrypt, cwd=FOLDER, env=environment, capture_output=True, check=True)
    with simulated_org(FOLDER / "org", seed()) as org:
        prepare(FOLDER, org, SECRETS)
        options = ["-e", "@variables.json", "-e", "@ranges.json", "-e", f"vaulted_folder={vaulted}"]
        with (FOLDER / "output.txt").open("w") as output:
            command = ["ansible-playbook", "playbook.json", *options]
            subprocess.run(command, cwd=FOLDER, env=environment, stdout=output, check=True)
    times = defaultdict(list)
    for name, seconds in json.loads((FOLDER / "times.json").read_text()):
        times[name].append(seconds)
    return times


def measure() -> dict[str, float]:
    """Medians for tasks, sums for lookups, and their ratios."""
    times = times_of_tasks()
    typical = {name: statistics.median(values) for name, values in times.items()}
    return {
        "debug_task_seconds": typical["debug"],
        "ping_task_seconds": typical["ping"],
        "org_task_10_ranges_seconds": typical["ranges_10"],
        "org_task_1000_ranges_seconds": typical["ranges_1000"],
        "org_task_to_ping": typical["ranges_10"] / typical["ping"],
        "org_task_to_debug": typical["ranges_10"] / typical["debug"],
        "debug_1000_ranges_to_10": typical["debug_1000"] / typical["debug_10"],
        "ranges_1000_to_10": typical["ranges_1000"] / typical["ranges_10"],
        "lookups_1000_login_password_seconds": typical["login_password"],
        "lookups_1000_unvault_seconds": typical["unvault"],
        "lookup_to_unvault": typical["login_password"] / typical["unvault"],
        "lookup_to_unvault_distinct_files": typical["login_password_distinct"] / typical["unvault_distinct"],
    }
