# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that hand a secret to the managed host, and nowhere else. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.consumer import Host
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.text import escape_controls
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.action import ControllerAction

INTERPRETER = "discovered_interpreter_python"
NOTES = ("ansible_facts", "warnings")


class HostAction(ControllerAction):
    """Runs a module on the host with other arguments than the user gave."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Remember the host's variables, which say how its Python is called."""
        self._task_vars = task_vars or {}
        return super().run(tmp, task_vars)

    def on_host(
        self, arguments: dict[str, Any], task: Task, *, answer: str, module: str | None = None
    ) -> dict[str, Any]:
        """Return the result of a module on the host; raises GatehouseError when it has none.

        Whoever has taken the host over decides what it answers. Of facts, which Ansible puts above the inventory's
        variables, only the path of the host's own Python is handed on.

        Args:
            arguments: they reach the host through the standard input of Python, in memory only.
            answer: the key that every result of the module has.
            module: its name; that of the task by default.
        """
        self._require_stdin()
        found: dict[str, Any] = escape_controls(
            self._execute_module(module_name=module, module_args=arguments, task_vars=self._task_vars)
        )
        if answer in found:
            return {name: value for name, value in found.items() if name not in NOTES} | _notes(found)
        # When a module crashes, Ansible returns nothing but the exception.
        crash = _message(found.get("exception")) or "with no reason given"
        reason = found["msg"] if isinstance(found.get("msg"), str) else f"the module crashed: {crash}"
        problem = GatehouseError(str(task.secrets.mask(reason)))
        problem.result = task.secrets.mask(
            {name: found[name] for name in ("module_stdout", "module_stderr", "rc") if name in found}
        )
        raise problem

    def _require_stdin(self) -> None:
        """Have the module sent to the standard input of Python: otherwise a file on the host would hold the secret."""
        if any(parent.__module__.startswith("ansible_mitogen") for parent in type(self).__mro__):
            raise GatehouseError(
                "mitogen sends modules to hosts in its own way, in which a secret is not known to stay out of files; "
                "run this play with strategy: linear or free; nothing was sent"
            )
        try:
            self._connection.set_option("pipelining", True)
        except (KeyError, AnsibleError):
            pass  # a connection that always does, or never
        if not self._is_pipelining_enabled("new"):
            raise GatehouseError(
                "the secret would be written into a file on the host, as this connection or become_method cannot "
                "pipeline (sudo can, su cannot), or ANSIBLE_KEEP_REMOTE_FILES is set; nothing was sent"
            )

    def _parse_returned_data(self, *args: Any, **rest: Any) -> Any:
        """Drop facts that are none before Ansible adds the path of the host's Python to them.

        From ansible-core 2.21 on this is an object, which has checked them.
        """
        data = super()._parse_returned_data(*args, **rest)
        if isinstance(data, dict) and not isinstance(data.get("ansible_facts", {}), dict):
            del data["ansible_facts"]
        return data

    def _configure_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> Any:
        """Forget the arguments as soon as they are a part of the module: Ansible's debug log shows them afterwards."""
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        module_args.clear()
        return built


class AppFileAction(HostAction):
    """Has the module app_credential write, compare or remove files on the host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Forget what the host of another task has answered."""
        self._facts: dict[str, str] = {}
        self._warnings: list[str] = []
        return super().run(tmp, task_vars)

    @property
    def host_name(self) -> str:
        """The name by which the store knows the host."""
        return str(self._task.delegate_to or self._task_vars["inventory_hostname"])

    def asker(self, task: Task) -> Host:
        """Return a function that runs the module on the host."""

        def ask(arguments: dict[str, Any]) -> dict[str, Any]:
            found = self.on_host(arguments, task, answer="status", module="gatehouse.salesforce.app_credential")
            self._facts.update(found.get("ansible_facts", {}))
            self._warnings.extend(found.get("warnings", []))
            return found

        return ask

    def with_notes(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result with what may be handed on of the host's answers."""
        warnings = list(dict.fromkeys([*result.get("warnings", []), *self._warnings]))
        notes = {"ansible_facts": self._facts, "warnings": warnings}
        return result | {name: note for name, note in notes.items() if note}


def _notes(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be passed on of an answer beside the result itself."""
    facts, warnings = found.get("ansible_facts"), found.get("warnings")
    notes: dict[str, Any] = {}
    if isinstance(facts, Mapping) and isinstance(facts.get(INTERPRETER), str):
        notes["ansible_facts"] = {INTERPRETER: facts[INTERPRETER]}
    if isinstance(warnings, list):
        texts = [item if isinstance(item, str) else _message(item) for item in warnings]
        notes["warnings"] = [escape_controls(text) for text in texts if text]
    return notes


def _message(event: Any) -> str | None:
    """Return the text of what Ansible keeps as an object: an exception, and in ansible-core 2.20 a warning."""
    text = getattr(getattr(event, "event", None), "msg", None)
    return text if isinstance(text, str) else None
