# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many logins an org sees of a run with many hosts: counted by the org."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from tests.bench.tasks import seed
from tests.demo.__main__ import SECRETS, prepare
from tests.simulated_org import Control
from tests.support.processes import ROOT, ansible_environment, simulated_org

FOLDER = ROOT / "build" / "bench-logins"
HOSTS, FORKS, TASKS = 100, 10, 5

AIMS = {"logins_100_hosts": "1"}


def playbook() -> list[dict[str, Any]]:
    """Each host stores the credential, which is verified, and then uses it in five tasks."""
    credential = {
        "name": "acme-admin",
        "username": "admin10@acme.example",
        "password": "{{ vault_acme_admin_password }}",
        "security_token": "{{ vault_acme_admin_security_token }}",
    }
    use = {"name": "use", "gatehouse.salesforce.network_access_info": {"credential": "acme-admin"}}
    tasks = [{"name": "store", "gatehouse.salesforce.credential": credential}, *[use] * TASKS]
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def measure() -> dict[str, float]:
    """Logins, and the calls that they served."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    (FOLDER / "playbook.json").write_text(json.dumps(playbook()))
    hosts = ",".join(f"host{number:03}" for number in range(HOSTS))
    command = ["ansible-playbook", "playbook.json", "-e", "@variables.json", "-i", hosts, "--forks", str(FORKS)]
    with simulated_org(FOLDER / "org", seed()) as org, (FOLDER / "output.txt").open("w") as output:
        prepare(FOLDER, org, SECRETS)
        subprocess.run(command, cwd=FOLDER, env=ansible_environment(), stdout=output, check=True)
        counts = Control(org["control_url"], org["control_token"]).counts()
    calls = sum(counts.values()) - counts["login"]
    assert calls >= HOSTS * TASKS, counts
    return {"logins_100_hosts": counts["login"], "calls_100_hosts": calls}
