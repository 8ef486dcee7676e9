# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and render a credential on the controller, and have the managed host write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import app_credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import AppFileAction


class ActionModule(AppFileAction):
    """See the module of the same name."""

    spec = app_credential.SPEC

    def backend(self, options: Mapping[str, Any], task: Task) -> dict[str, Any]:
        """Deliver one credential to one host."""
        result = app_credential.run(options, task, host=self.host_name, ask=self.asker(task))
        return self.with_notes(result)
