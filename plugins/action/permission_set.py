# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run permission_set on the controller."""

from __future__ import annotations

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.permission_set import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.action import ControllerAction


class ActionModule(ControllerAction):
    """See the module of the same name."""

    spec = SPEC
    backend = staticmethod(run)
