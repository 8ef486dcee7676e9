# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module-side face, for where no action plugin applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..errors import GatehouseError
from ..masking import mask
from .context import Task
from .options import Spec, secrets_of

# What an org, or whoever answers in its place, can put words into.
TEXTS = ("msg", "warnings", "verification")
Backend = Callable[[Mapping[str, Any], Task], dict[str, Any]]


def run_backend(backend: Backend, options: Mapping[str, Any], run: Task) -> dict[str, Any]:
    """The result of a task, whether it went well or not. Texts in which an org had a say are masked."""
    try:
        result = backend(options, run)
    except GatehouseError as exc:
        result = {"failed": True, "msg": str(exc), **exc.result}
    secrets = [*secrets_of(options), *run.secrets]
    return {**result, **{name: mask(result[name], secrets) for name in TEXTS if name in result}}


def run_module(spec: Spec, backend: Backend) -> None:
    """Run a backend as an Ansible module and exit."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    result = run_backend(backend, module.params, Task(check_mode=module.check_mode, folder=Path(module.tmpdir)))
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
