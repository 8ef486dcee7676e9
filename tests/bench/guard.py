# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and time that the guard takes for 50,000 logins, each from an address of its own: no two can be summed up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.simulated_org.control import Control
from tests.support.processes import COLLECTIONS, ROOT, simulated_org

ROWS = 50_000
USERS = 500
ADMIN = {
    "username": "admin@acme.example",
    "password": "Bench-Password-1",
    "security_token": "BenchToken000000000000001",
}
TRUSTED = {"start": "20.0.0.0", "end": "20.0.255.255"}

AIMS = {"guard_50000_rows_peak_mib": "under 200"}


def measure() -> dict[str, float]:
    """Run the guard in a process of its own, with all that a task needs: its whole peak counts, imports included."""
    users = [
        {"username": f"user{number}@acme.example", "password": "x", "profile": "Standard"} for number in range(USERS)
    ]
    seed = {"orgs": [{"name": "Acme", "users": [ADMIN, *users], "trusted_ranges": [TRUSTED]}]}
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as folder, simulated_org(Path(folder), seed) as org:
        added = Control(org["control_url"], org["control_token"]).add_logins(
            [
                {
                    "username": f"user{number % USERS}@acme.example",
                    "source_ip": f"20.0.{number >> 8}.{number & 255}",
                    "application": f"application {number % 40}",
                }
                for number in range(ROWS)
            ]
        )
        assert added == ROWS
        ran = subprocess.run(
            [sys.executable, "-m", "tests.bench.guard", org["url"], org["ca_path"], folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


def peak_mib() -> float:
    """The most memory that this process had. What getrusage tells would count the parent it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def guard_once(url: str, ca_path: str, folder: str) -> dict[str, float]:
    """What one task took that would stop trusting all addresses from which anybody logged in."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.trusted_ip_ranges import (
        SPEC,
        run,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_backend

    options: dict[str, Any] = {
        "login_url": url,
        "ca_path": ca_path,
        "allowed_hosts": ["localhost"],
        "ranges": [],
        "state": "exact",
        **ADMIN,
    }
    options = ArgumentSpecValidator(SPEC).validate(options).validated_parameters
    started = time.monotonic()
    result = run_backend(run, options, Task.read(options, check_mode=True, folder=Path(folder)))
    seconds = time.monotonic() - started
    assert result["failed"] and len(result["at_risk"]) == ROWS, result["msg"]
    return {
        "guard_50000_rows_peak_mib": peak_mib(),
        "guard_50000_rows_seconds": seconds,
    }


if __name__ == "__main__":
    print(json.dumps(guard_once(*sys.argv[1:])))
