# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unchanged delivery to a hundred targets in services costs, beside as many files."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet

from tests.bench.stores import credential
from tests.support.collections import provide_collections
from tests.support.openbao import MOUNT, NAMESPACE, OpenBao, openbao
from tests.support.processes import ROOT, ansible_environment, write_private
from tests.support.service_apis import TOKEN, GitLab, serve
from tests.support.stores import open_store

FOLDER = ROOT / "build" / "bench-services"
AIMS = {"requests_of_an_unchanged_target": "at most 1"}
TARGETS = 100
PLAY = [{"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.app_credentials"]}]


def measure() -> dict[str, float]:
    """Seconds of whole runs of ansible-playbook, and requests."""
    provide_collections()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    write_private(FOLDER / "store.key", Fernet.generate_key().decode())
    store = open_store(str(FOLDER / "store"), str(FOLDER / "store.key"))
    store.write(credential("app", 1), replaces=None)
    (FOLDER / "playbook.json").write_text(json.dumps(PLAY))
    figures = {"deliver_100_files_unchanged_seconds": _unchanged([_file(number) for number in range(TARGETS)])}
    with openbao(FOLDER / "server") as server:
        kv = [_in_kv(server, number) for number in range(TARGETS)]
        figures["deliver_100_targets_unchanged_seconds"] = _unchanged(kv)
    with serve(GitLab()) as api:
        page = (ROOT / "docs" / "targets.md").read_text()
        tasks = FOLDER / "gitlab.yml"
        tasks.write_text(yaml.safe_dump(yaml.safe_load(page.partition("# gitlab.yml\n")[2].partition("```")[0])))
        options = {"api_url": f"{api.url}/api/v4", "project": "acme/billing", "token": TOKEN}
        variables = [
            {"target": "tasks", "tasks": str(tasks), "dest": f"V{number}", "target_options": options}
            for number in range(5)
        ]
        _unchanged(variables)
        gets = [request for request in api.requests if request.startswith("GET")]
        figures["requests_of_an_unchanged_target"] = len(gets) / len(variables) / 2  # each run reads
    return figures


def _file(number: int) -> dict[str, Any]:
    return {"dest": str(FOLDER / f"file{number}.env")}


def _in_kv(server: OpenBao, number: int) -> dict[str, Any]:
    options = {
        "url": server.node.url,
        "namespace": NAMESPACE,
        "ca_cert": str(server.node.certificates.ca),
        "token": server.root_token,
        "auth_method": "token",
    }
    return {"target": "kv", "dest": f"{MOUNT}/app/{number}", "format": "json", "target_options": options}


def _unchanged(targets: list[dict[str, Any]]) -> float:
    """Deliver, and return the seconds of the second run."""
    variables = {
        "gatehouse_salesforce_store": str(FOLDER / "store"),
        "gatehouse_salesforce_store_key_file": str(FOLDER / "store.key"),
        "app_credentials_targets": [{"credential": "app", "notify": [], **target} for target in targets],
    }
    write_private(FOLDER / "variables.json", json.dumps(variables))
    _run(FOLDER)
    began = time.monotonic()
    _run(FOLDER)
    return time.monotonic() - began


def _run(folder: Path) -> None:
    command = ["ansible-playbook", "playbook.json", "-e", "@variables.json"]
    with (folder / "output.txt").open("a") as output:
        subprocess.run(command, cwd=folder, env=ansible_environment(), stdout=output, stderr=output, check=True)
