# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run plays against a simulated org, by one of three engines that give the same results.

C(process) starts C(ansible-playbook). C(ansible) forks it from a process that has imported it. C(direct) calls the
action plugins in this process, and what they run on the host, where the tasks are nothing but tasks of this collection
without templates, and forks Ansible for all others. A play that C(direct) runs has no output, so a test that looks at
it is marked C(ansible).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from cryptography.fernet import Fernet

from tests.simulated_org import SimulatedOrg
from tests.support.forked_plays import PlaybookServer
from tests.support.modules import module_arguments
from tests.support.processes import ROOT, ansible_environment

CALLBACKS = ROOT / "tests" / "integration" / "callback"
TIMEOUT = 120
PLUGINS = "ansible_collections.gatehouse.salesforce.plugins"
COLLECTION = "gatehouse.salesforce."
DIRECT_OPTIONS = {"--check", "--diff"}
DIRECT_ON_HOST = COLLECTION + "app_credential"
DIRECT_KEYWORDS = {"name", "check_mode", "diff"}


class Results(list[dict[str, Any]]):
    """What the tasks of one run returned, in order; each has task, host, status and result."""

    returncode: int
    printed: str | None = None

    @property
    def output(self) -> str:
        """What Ansible printed."""
        if self.printed is None:
            raise AssertionError("this play ran without Ansible: mark a test that looks at the output as `ansible`")
        return self.printed

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last task."""
        return dict(self[-1]["result"])

    def of(self, task: str) -> dict[str, Any]:
        """The result of the task of that name."""
        return next(dict(item["result"]) for item in self if item["task"] == task)


class Playbooks:
    """Runs tasks as a playbook, with variables that lead to the simulated org and a store of this test."""

    def __init__(self, folder: Path, sim: SimulatedOrg, engine: str = "ansible") -> None:
        self.folder = folder
        self.engine = engine
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
        variables = self._variables(extra)
        # A run of its own folder and environment can be played in one thread only.
        alone = threading.current_thread() is threading.main_thread()
        if self.engine == "direct" and alone and not env and _is_direct(tasks, options, extra):
            results = _run_directly(tasks, options, variables, self.folder)
            assert (results.returncode == 0) == ok, results
            return results
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
        (self.folder / "variables.json").write_text(json.dumps(self._variables(extra)))
        book = plays if isinstance(plays, Path) else self.folder / "playbook.json"
        if not isinstance(plays, Path):
            book.write_text(json.dumps(plays))
        report = self.folder / "results.json"
        report.unlink(missing_ok=True)
        environment = _environment(
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            ANSIBLE_HOME=str(self.folder / "ansible"),
            ANSIBLE_LOCAL_TEMP=str(self.folder / "tmp"),
            TASK_RESULTS=str(report),
            **(env or {}),
        )
        arguments = [str(book), "-e", f"@{self.folder / 'variables.json'}", *options]
        # What Ansible reads when it is imported can be given to a process of its own only.
        forks = self.engine != "process" and not any(name.startswith("ANSIBLE_") for name in env or {})
        run = _server().run if forks else _run_process
        done = run(arguments, cwd=self.folder, env=environment, timeout=TIMEOUT)
        assert report.exists(), done.stdout
        results = Results(json.loads(report.read_text()))
        results.printed, results.returncode = done.stdout, done.returncode
        assert (done.returncode == 0) == ok, done.stdout
        return results

    def _variables(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**self.variables, **extra}.items() if value is not None}


def _environment(**extra: str) -> dict[str, str]:
    callbacks = {"ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS), "ANSIBLE_CALLBACKS_ENABLED": "results"}
    return ansible_environment(**callbacks, **extra)


@functools.cache
def _server() -> PlaybookServer:
    return PlaybookServer(_environment())


def _run_process(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ansible-playbook", *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def _is_direct(tasks: Sequence[Mapping[str, Any]], options: Sequence[str], variables: Mapping[str, Any]) -> bool:
    given = json.dumps([tasks, variables])
    modules = [_module(task) for task in tasks]
    return (
        DIRECT_OPTIONS.issuperset(options)
        and "{{" not in given
        and "{%" not in given
        and all(name.startswith(COLLECTION) for name in modules)
        and all(name == DIRECT_ON_HOST or _action(name)._requires_connection is False for name in modules)
    )


def _module(task: Mapping[str, Any]) -> str:
    """The name of the module of a task that is nothing but a call of it; otherwise an empty one."""
    names = [name for name in task if name not in DIRECT_KEYWORDS]
    return names[0] if len(names) == 1 else ""


def _action(module: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.action.{module.removeprefix(COLLECTION)}").ActionModule


def _run_directly(
    tasks: Sequence[Mapping[str, Any]], options: Sequence[str], variables: Mapping[str, Any], folder: Path
) -> Results:
    """Call the action of each task as a worker of Ansible does, up to the first that fails."""
    loader = DataLoader()
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=str(folder)), set_option=lambda *_: None)
    results = Results()
    results.returncode = 0
    named = {"inventory_hostname": "localhost", **variables}
    with _folder_of_a_run(folder):
        for task in tasks:
            module = _module(task)
            stated = Task()
            stated.action, stated.args = module, dict(task[module] or {})
            stated.check_mode = task.get("check_mode", "--check" in options)
            stated.diff = task.get("diff", "--diff" in options)
            templar = Templar(loader=loader, variables=variables)
            action = _action(module)(stated, connection, None, loader, templar, None)
            action._is_pipelining_enabled = lambda *_: True
            action._execute_module = functools.partial(_run_module, stated)
            # As Ansible leaves it, and the callback writes it down.
            result = json.loads(json.dumps({"changed": False, **action.run(task_vars=named)}, default=str))
            if not result.get("warnings"):
                result.pop("warnings", None)
            status = "failed" if result.get("failed") else "skipped" if result.get("skipped") else "ok"
            results.append({"task": task.get("name", module), "host": "localhost", "status": status, "result": result})
            if status == "failed":
                results.returncode = 2
                break
    return results


def _run_module(task: Task, module_name: str | None, module_args: Mapping[str, Any], **_given: Any) -> dict[str, Any]:
    """Run a module of this collection as on a host that is this machine, and return its result."""
    module = importlib.import_module(f"{PLUGINS}.modules.{(module_name or task.action).removeprefix(COLLECTION)}")
    internal = {"_ansible_check_mode": task.check_mode, "_ansible_diff": task.diff}
    answer = io.StringIO()
    with (
        module_arguments({**module_args, **internal}),
        contextlib.redirect_stdout(answer),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    return dict(json.loads(answer.getvalue()))


@contextlib.contextmanager
def _folder_of_a_run(folder: Path) -> Iterator[None]:
    """Give a run its own temporary folder, the usual working folder, and no variables of a user's environment."""
    folder.joinpath("tmp").mkdir(exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SALESFORCE_", "GATEHOUSE_"))}
    with (
        tempfile.TemporaryDirectory(dir=folder / "tmp") as temporary,
        mock.patch.object(constants, "DEFAULT_LOCAL_TMP", temporary),
        mock.patch.dict(os.environ, clean, clear=True),
        contextlib.chdir(folder),
    ):
        yield
