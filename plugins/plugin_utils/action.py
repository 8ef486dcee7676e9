# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run this collection's modules on the controller, in process.

A module costs a Python start and a transfer for each task; an action runs in the worker that Ansible has forked
already, and the secrets of the store never leave the controller.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import mask
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.near_names import did_you_mean
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.progress import Progress
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import (
    OF_A_SERVER,
    OF_THE_LOGIN,
    VARIABLE_PREFIX,
    WHO_LOGS_IN,
    Spec,
    require_one_login,
    require_text,
    secrets_of,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_backend
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variables import TrustedVariables


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
        try:
            variables = TrustedVariables(task_vars or {}, self._templar)
            arguments = self._arguments(variables)
            require_text(self.spec, arguments)
            environment = self._task_environment(variables)
        except GatehouseError as exc:
            return {"failed": True, "msg": str(exc)}
        # Validation copies all it gets, which for a thousand entries costs more than the task; the backend checks them.
        raw = {name: value for name, value in arguments.items() if _is_raw(self.spec.get(name), value)}
        with _environment(environment):
            validated = ArgumentSpecValidator(self.spec).validate({**arguments, **dict.fromkeys(raw, [])})
            if validated.error_messages:
                return {"failed": True, "msg": without_values(validated.error_messages, arguments)}
            result = self._run_backend({**validated.validated_parameters, **raw}, variables)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def _run_backend(self, options: Mapping[str, Any], variables: TrustedVariables) -> dict[str, Any]:
        try:
            task = Task.read(
                options,
                check_mode=self._task.check_mode,
                folder=Path(constants.DEFAULT_LOCAL_TMP) / "gatehouse",
                login_url=self._login_url(variables),
                host=str(variables.read("inventory_hostname") or "localhost"),
                progress=Progress(stage=Display().display, poll=Display().v),
            )
        except GatehouseError as exc:
            return {"failed": True, "msg": mask(str(exc), secrets_of(options))}
        return run_backend(self.backend, options, task)

    def _arguments(self, variables: TrustedVariables) -> dict[str, Any]:
        """Return the task's arguments, and for those not given the variables named after them.

        What the task says about its login beats variables as a whole: never half of the one and half of the other.
        """
        arguments = {name: value for name, value in self._task.args.items() if name != "credential" or value}
        require_one_login(self.spec, arguments)
        skipped = list[str]()
        if "credential" in self.spec and "auth" in self.spec:
            if not arguments.get("credential") and any(arguments.get(name) for name in WHO_LOGS_IN):
                skipped.append("credential")
            elif arguments.get("credential") or variables.read(f"{VARIABLE_PREFIX}credential"):
                skipped += OF_THE_LOGIN
                require_one_login(self.spec, {"credential": True, **arguments})
        if "store" in self.spec and "://" not in str(
            arguments.get("store") or variables.read(f"{VARIABLE_PREFIX}store")
        ):
            skipped += OF_A_SERVER
        for name in self.spec:
            if name not in arguments and name not in skipped and f"{VARIABLE_PREFIX}{name}" in variables:
                arguments[name] = variables.read(f"{VARIABLE_PREFIX}{name}")
        return arguments

    def _login_url(self, variables: TrustedVariables) -> str | None:
        """Return the org's address by the host's variables, which a stored credential must not contradict."""
        url = variables.read(f"{VARIABLE_PREFIX}login_url")
        return url if isinstance(url, str) and url else None

    def _task_environment(self, variables: TrustedVariables) -> dict[str, str]:
        """Return the keyword C(environment) of the task and its blocks, merged from the outside in."""
        found: dict[str, str] = {}
        for given in self._task.environment or ():
            templated = variables.template("environment", given)
            if isinstance(templated, Mapping):
                found.update({str(name): str(value) for name, value in templated.items()})
        return found


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this worker's environment, such as a proxy, for one task."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def without_values(errors: list[str], arguments: Mapping[str, Any]) -> str:
    """Return validation errors without the values they quote: one may be a secret in the wrong place."""
    quoted = re.compile(r", got: .*|(?<=unable to convert to )(\w+): .*|(?<=cannot be converted).*", re.DOTALL)
    safe = [quoted.sub(r"\1", error) for error in errors]
    text = "; ".join(map(_named, safe))
    return str(mask(text, secrets_of(arguments)))


def _is_raw(option: dict[str, Any] | None, value: Any) -> bool:
    if option is None:
        return False
    return option.get("type") == "raw" or (option.get("elements") == "raw" and isinstance(value, list))


def _named(error: str) -> str:
    """Say what an error is about: of unknown options, ansible-core returns the names alone."""
    unknown, known, names = error.partition(". Supported parameters include: ")
    if not known:
        return error
    supported = names.rstrip(".").split(", ")
    near = (f"{name}{did_you_mean(name.rpartition('.')[2], supported)}" for name in unknown.split(", "))
    return f"unknown options: {', '.join(near)}{known}{names}"
