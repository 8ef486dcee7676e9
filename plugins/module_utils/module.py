# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module-side face, for where no action plugin applies. Private to gatehouse.salesforce."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from .backend import Backend, Run, run_backend
from .options import Spec


def run_module(spec: Spec, backend: Backend) -> None:
    """Run a backend as an Ansible module and exit."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    result = run_backend(backend, module.params, Run(check_mode=module.check_mode, folder=Path(module.tmpdir)))
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
