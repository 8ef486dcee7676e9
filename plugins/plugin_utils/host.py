# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that hand a secret to the managed host, and nowhere else. Private to gatehouse.salesforce."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.action import ControllerAction


class HostAction(ControllerAction):
    """Has the module of its name run on the host, where it gets other arguments than the user gave."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Remember the host's variables, which say how its Python is called."""
        self._task_vars = task_vars or {}
        return super().run(tmp, task_vars)

    def on_host(self, arguments: dict[str, Any], task: Task, *, answer: str) -> dict[str, Any]:
        """What the module found on the host; raises GatehouseError when it did not tell.

        Args:
            arguments: they reach the host through the standard input of Python, in memory only.
            answer: the key by which a result of the module is known.
        """
        self._require_stdin()
        found: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=self._task_vars)
        if answer in found:
            return found
        # Of a module that broke off Ansible tells the exception only, as an object.
        broken = getattr(getattr(found.get("exception"), "event", None), "msg", "with no reason given")
        said = found.get("msg", f"the module broke off: {broken}")
        problem = GatehouseError(str(task.secrets.mask(said)))
        problem.result = task.secrets.mask(
            {name: found[name] for name in ("module_stdout", "module_stderr") if name in found}
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

    def _configure_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> Any:
        """Forget the arguments as soon as they are a part of the module: Ansible's debug log shows them afterwards."""
        built = super()._configure_module(module_name=module_name, module_args=module_args, task_vars=task_vars)
        module_args.clear()
        return built
