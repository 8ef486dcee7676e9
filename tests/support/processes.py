# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start what demo, tests and benchmark need, and stop it by its own process id."""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / "build" / "collections"
ON_ANSIBLE_2_19 = {
    "ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH": "ignore",
    "PYTHONPATH": str(ROOT / "tests" / "support" / "ansible_2_19"),
}
START_TIMEOUT = 20.0
# Below those that Linux gives to connections: one of them cannot take a port before its server does.
SERVER_PORTS = range(10_000, 32_000)
_given: set[int] = set()


def link_collection() -> None:
    """Make the checkout importable as ansible_collections.gatehouse.salesforce, whatever folder it was cloned into."""
    link = COLLECTIONS / "ansible_collections" / "gatehouse" / "salesforce"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)


@contextmanager
def simulated_org(folder: Path, seed: Mapping[str, Any], *options: str) -> Iterator[dict[str, Any]]:
    """A simulated org in a process of its own; gives its address, CA and control interface."""
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / "seed.json", json.dumps(seed))
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.simulated_org", "--folder", folder, "--ready-file", ready]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*map(str, command), "--seed", str(folder / "seed.json"), *options], cwd=ROOT, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the simulated org did not start: {(folder / 'log.txt').read_text()}")
                time.sleep(0.02)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            process.wait(10)


def free_port(address: str = "127.0.0.1") -> int:
    """A port of this address that nobody uses, and that this process was not given before."""
    for port in random.SystemRandom().sample(sorted(set(SERVER_PORTS) - _given), 100):
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"{address} has no free port")


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def find_python(*names: str) -> Path | None:
    """The first of these Pythons that there is, on the path or beside others of pyenv."""
    folders = [*map(Path, os.environ["PATH"].split(os.pathsep)), *sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    for candidate in (folder / name for name in names for folder in folders):
        # A pyenv shim exists for versions that are not active, and fails.
        if (
            candidate.is_file()
            and not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode
        ):
            return candidate
    return None


def ansible_environment(**extra: str) -> dict[str, str]:
    """The environment in which a child Ansible finds this collection and this Python's programs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SALESFORCE_", "GATEHOUSE_"))},
        "PATH": path,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        # Without a newer Python, the tests run on ansible-core 2.19: see tools/find-python.
        **(ON_ANSIBLE_2_19 if sys.version_info < (3, 12) else {}),
        **extra,
    }
