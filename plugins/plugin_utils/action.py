# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller-side face of this collection's modules. Private to gatehouse.salesforce.

A module costs a Python start and a transfer for each task; an action runs in the worker that Ansible has forked
already, and the secrets of the store never leave the controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import VARIABLE_PREFIX, Spec
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_backend


class ControllerAction(ActionBase):
    """Runs a backend in process. A subclass names the backend and its argument spec."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    spec: ClassVar[Spec]
    backend: ClassVar[staticmethod[[Mapping[str, Any], Task], dict[str, Any]]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Validate the arguments, run the backend, return its result."""
        super().run(tmp, task_vars)
        arguments = self._arguments(task_vars or {})
        # Validation copies all it gets, which for a thousand entries costs more than the task; the backend checks them.
        lists = {name: value for name, value in arguments.items() if _is_raw_list(self.spec.get(name), value)}
        validated = ArgumentSpecValidator(self.spec).validate({**arguments, **dict.fromkeys(lists, [])})
        if validated.error_messages:
            return {"failed": True, "msg": "; ".join(validated.error_messages)}
        run = Task(check_mode=self._task.check_mode, folder=Path(constants.DEFAULT_LOCAL_TMP) / "gatehouse")
        result = run_backend(self.backend, {**validated.validated_parameters, **lists}, run)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def _arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, and for those not given the variables named after them."""
        arguments = dict(self._task.args)
        for name in self.spec:
            variable = f"{VARIABLE_PREFIX}{name}"
            if name not in arguments and variable in task_vars:
                arguments[name] = self._templar.template(task_vars[variable])
        return arguments


def _is_raw_list(option: dict[str, Any] | None, value: Any) -> bool:
    return option is not None and option.get("elements") == "raw" and isinstance(value, list)
