# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module-side face, for where no action plugin applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..errors import GatehouseError, SkippedError
from .context import Task
from .options import Spec

# Result keys that may quote the org's response.
MASKED_KEYS = ("msg", "warnings", "verification")
Backend = Callable[[Mapping[str, Any], Task], dict[str, Any]]


def run_backend(backend: Backend, options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Run a backend and return the task's result, failed or not, with secrets masked in texts of the org's."""
    try:
        if options.get("state") != "absent" and options.get("verify") != "skip":  # these make no login
            task.require_administrator(options.get("name"))
        result = backend(options, task)
    except SkippedError as exc:
        result = {"changed": False, "skipped": True, "msg": str(exc), "warnings": [str(exc)]}
    except GatehouseError as exc:
        result = {"failed": True, "msg": str(exc), **exc.result}
    for org in task.opened:
        if described := org.describe():
            result = {**result, "org": described}
    return {**result, **{name: task.secrets.mask(result[name]) for name in MASKED_KEYS if name in result}}


def run_module(spec: Spec, backend: Backend) -> None:
    """Run a backend as an Ansible module and exit."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        task = Task.read(module.params, check_mode=module.check_mode, folder=Path(module.tmpdir))
    except GatehouseError as exc:
        module.fail_json(msg=str(exc))
    result = run_backend(backend, module.params, task)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
