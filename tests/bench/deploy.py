# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unchanged delivery to many hosts costs beside ansible.builtin.template with as many files."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.bench.stores import credential
from tests.support.processes import ROOT, ansible_environment, write_private

FOLDER = ROOT / "build" / "bench-deploy"
AIMS = {"deploy_to_template": "at most 1.3"}
HOSTS, APPS, ROUNDS = 20, 5, 2
ROLE = "gatehouse.salesforce.app_credentials"
TEMPLATE = """SALESFORCE_USERNAME={{ app_username }}
SALESFORCE_PASSWORD={{ app_password }}
SALESFORCE_SECURITY_TOKEN={{ app_security_token }}
SALESFORCE_HOST=login.salesforce.com
SALESFORCE_API_VERSION=64.0
"""


def playbook() -> list[dict[str, Any]]:
    """Role and template in turns, the first of which write and the others find everything as it is."""
    folder = f"{FOLDER}/hosts/{{{{ inventory_hostname }}}}"
    files = [
        {"credential": f"app{number}", "dest": f"{folder}/role{number}.env", "notify": []} for number in range(APPS)
    ]
    template = {
        "src": str(FOLDER / "app.env.j2"),
        "dest": f"{folder}/template{{{{ item }}}}.env",
        "mode": "0600",
    }
    role: dict[str, Any] = {"roles": [ROLE], "vars": {"app_credentials_targets": files}}
    others: dict[str, Any] = {
        "tasks": [{"name": "template", "ansible.builtin.template": template, "loop": list(range(APPS))}]
    }
    plays = [role, others] * (1 + ROUNDS)
    mark = {"name": "mark", "ansible.builtin.debug": {"msg": "next"}, "run_once": True}
    return [{"hosts": "all", "gather_facts": False, **each, "post_tasks": [mark]} for each in plays]


def measure() -> dict[str, float]:
    """Medians of whole plays, and their ratio."""
    from tests.support.stores import open_store

    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    write_private(FOLDER / "store.key", Fernet.generate_key().decode())
    store = open_store(str(FOLDER / "store"), str(FOLDER / "store.key"))
    for number in range(APPS):
        store.write(credential(f"app{number}", 1), replaces=None)
    names = [f"host{number:02}" for number in range(HOSTS)]
    for name in names:
        (FOLDER / "hosts" / name).mkdir(parents=True)
    (FOLDER / "hosts.ini").write_text("".join(f"{name} ansible_connection=local\n" for name in names))
    (FOLDER / "app.env.j2").write_text(TEMPLATE)
    (FOLDER / "playbook.json").write_text(json.dumps(playbook()))
    variables = {
        "gatehouse_salesforce_store": str(FOLDER / "store"),
        "gatehouse_salesforce_store_key_file": str(FOLDER / "store.key"),
        **{f"app_{name}": "Bench-Value-1" for name in ("username", "password", "security_token")},
    }
    (FOLDER / "variables.json").write_text(json.dumps(variables))
    environment = ansible_environment(
        ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="task_times",
        TASK_TIMES=str(FOLDER / "times.json"),
    )
    command = ["ansible-playbook", "playbook.json", "-i", "hosts.ini", "-e", "@variables.json"]
    with (FOLDER / "output.txt").open("w") as output:
        subprocess.run(command, cwd=FOLDER, env=environment, stdout=output, check=True)
    role, template = _plays(json.loads((FOLDER / "times.json").read_text()))
    return {
        "deploy_100_files_first_seconds": role[0],
        "template_100_files_first_seconds": template[0],
        "deploy_100_files_unchanged_seconds": statistics.median(role[1:]),
        "template_100_files_unchanged_seconds": statistics.median(template[1:]),
        "deploy_to_template": statistics.median(role[1:]) / statistics.median(template[1:]),
    }


def _plays(times: list[tuple[str, float]]) -> tuple[list[float], list[float]]:
    """The seconds of each play of the role and of the template, up to its mark."""
    sums = [0.0]
    for name, seconds in times:
        if name == "mark":
            sums.append(0.0)
        else:
            sums[-1] += seconds
    return sums[0:-1:2], sums[1:-1:2]
