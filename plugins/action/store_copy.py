# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run store_copy on the controller."""

from __future__ import annotations

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import store_copy
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.action import ControllerAction


class ActionModule(ControllerAction):
    """See the module of the same name."""

    spec = store_copy.SPEC
    backend = staticmethod(store_copy.run)
