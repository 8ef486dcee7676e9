# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real ansible-playbook runs against a simulated org that is fresh for each test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.format_readers.install import Absent
from tests.simulated_org import SimulatedOrg
from tests.support import dovecot as dovecots
from tests.support.dovecot import Dovecot, dovecot
from tests.support.hosts import Host, managed_hosts
from tests.support.processes import ansible_environment

CALLBACKS = Path(__file__).parent / "callback"
TIMEOUT = 120


class Results(list[dict[str, Any]]):
    """What the tasks of one run returned, in order; each has task, host, status and result."""

    output: str
    returncode: int

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last task."""
        return dict(self[-1]["result"])

    def of(self, task: str) -> dict[str, Any]:
        """The result of the task of that name."""
        return next(dict(item["result"]) for item in self if item["task"] == task)


class Playbooks:
    """Runs tasks as a playbook, with variables that lead to the simulated org and a store of this test."""

    def __init__(self, folder: Path, sim: SimulatedOrg) -> None:
        self.folder = folder
        self.key_file = folder / "store.key"
        self.key_file.touch(mode=0o600)
        self.key_file.write_bytes(Fernet.generate_key() + b"\n")
        admin = sim.admin
        self.variables: dict[str, Any] = {
            "gatehouse_salesforce_login_url": sim.url,
            "gatehouse_salesforce_ca_path": sim.ca_path,
            "gatehouse_salesforce_allowed_hosts": ["localhost"],
            "gatehouse_salesforce_username": admin.username,
            "gatehouse_salesforce_password": admin.password,
            "gatehouse_salesforce_security_token": admin.security_token,
            "gatehouse_salesforce_store": str(folder / "store"),
            "gatehouse_salesforce_store_key_file": str(self.key_file),
        }

    def __call__(
        self,
        tasks: Sequence[Mapping[str, Any]],
        *options: str,
        ok: bool = True,
        env: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> Results:
        """Run the tasks on localhost.

        Args:
            options: of ansible-playbook, such as C(--check).
            ok: whether the run is expected to succeed; otherwise it must fail.
            env: further environment variables.
            extra: further variables; None takes one of the usual ones away.
        """
        play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
        return self.run([play], *options, ok=ok, env=env, **extra)

    def run(
        self,
        plays: Sequence[Mapping[str, Any]] | Path,
        *options: str,
        ok: bool = True,
        env: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> Results:
        """Run whole plays, or a playbook file."""
        variables = {name: value for name, value in {**self.variables, **extra}.items() if value is not None}
        (self.folder / "variables.json").write_text(json.dumps(variables))
        book = plays if isinstance(plays, Path) else self.folder / "playbook.json"
        if not isinstance(plays, Path):
            book.write_text(json.dumps(plays))
        report = self.folder / "results.json"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            ["ansible-playbook", str(book), "-e", f"@{self.folder / 'variables.json'}", *options],
            cwd=self.folder,
            env=ansible_environment(
                ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS),
                ANSIBLE_CALLBACKS_ENABLED="results",
                ANSIBLE_LOCALHOST_WARNING="false",
                ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
                ANSIBLE_LOCAL_TEMP=str(self.folder / "tmp"),
                ANSIBLE_HOME=str(self.folder / "ansible"),
                TASK_RESULTS=str(report),
                **(env or {}),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert report.exists(), done.stdout
        results = Results(json.loads(report.read_text()))
        results.output, results.returncode = done.stdout, done.returncode
        assert (done.returncode == 0) == ok, done.stdout
        return results


@pytest.fixture
def sim() -> Iterator[SimulatedOrg]:
    """A simulated org with one administrator, in this process."""
    with SimulatedOrg() as org:
        yield org


@pytest.fixture
def playbook(tmp_path: Path, sim: SimulatedOrg) -> Playbooks:
    """Runs tasks as a playbook against the simulated org."""
    return Playbooks(tmp_path, sim)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    """A mail server, to which orgs mail tokens."""
    try:
        with dovecot() as started:
            yield started
    except dovecots.Absent as exc:
        pytest.skip(f"{exc}: what reads a real mailbox is NOT TESTED")


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """Three hosts, each with an sshd, an address and a user of its own."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(managed_hosts("web1", "web2", "web3"))
        except Absent as exc:
            pytest.skip(f"no managed hosts ({exc}), so what goes over SSH is NOT TESTED")
        yield made
