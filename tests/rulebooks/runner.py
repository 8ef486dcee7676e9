# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run rulebooks by the real ansible-rulebook, in an environment of its own."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.format_readers.install import ENVIRONMENT, FOLDER, Absent, once, require
from tests.support.processes import COLLECTIONS, ROOT, write_private

WANTED = Path(__file__).parent / "requirements.txt"
RULEBOOKS = ROOT / "extensions" / "eda" / "rulebooks"
START_TIMEOUT = 120.0


def install_rulebook() -> Path:
    """Return the folder of ansible-rulebook's programs; raises Absent where it cannot be installed."""
    require("java")
    if sys.version_info < (3, 12):
        raise Absent("ansible-core 2.21 needs Python 3.12")
    folder = FOLDER / "rulebook"
    with once(folder, WANTED) as missing:
        if missing:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run(
                [*pip, "--requirement", WANTED], env=ENVIRONMENT, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise Absent(done.stderr.strip()[-500:])
    return folder / "bin"


class Rulebook:
    """A rulebook that runs; what it prints goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        """All that was printed so far."""
        return self._log.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that a rule has printed so far, by the action print_event."""
        lines = self.output.splitlines()  # those of ansible-rulebook itself, which are pretty, are longer than a line
        return [ast.literal_eval(line) for line in lines if line.startswith("{'") and line.endswith("}")]

    def wait_for(self, condition: Callable[[Rulebook], Any], seconds: float = START_TIMEOUT) -> None:
        """Wait until a condition is true; raises AssertionError with the output when it does not become so."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert self.process.poll() is None and time.monotonic() < deadline, self.output[-5000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def run_rulebook(
    folder: Path, rulebook: Path | list[dict[str, Any]], *options: str, variables: Mapping[str, str] | None = None
) -> Iterator[Rulebook]:
    """Run a rulebook, given as a file or by its content, until the block ends.

    Args:
        folder: for its log.
        options: of C(ansible-rulebook).
        variables: of its environment.
    """
    programs = install_rulebook()
    if isinstance(rulebook, list):
        file = folder / "rulebook.yml"
        file.write_text(yaml.safe_dump(rulebook))
    else:
        file = rulebook
    inventory = folder / "inventory.yml"
    if not inventory.exists():
        write_private(inventory, "all:\n  hosts:\n    localhost:\n      ansible_connection: local\n")
    environment = {
        **ENVIRONMENT,
        "PATH": f"{programs}{os.pathsep}{ENVIRONMENT['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "PYTHONUNBUFFERED": "1",
        **(variables or {}),
    }
    command = [str(programs / "ansible-rulebook"), "--rulebook", str(file), "--inventory", str(inventory), "-vv"]
    log = folder / "rulebook.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    running = Rulebook(process, log)
    try:
        yield running
    finally:
        running.kill()
