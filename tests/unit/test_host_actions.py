# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that send a secret to a managed host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import HostAction

pytestmark = pytest.mark.ansible


def test_under_mitogen_nothing_is_sent_and_the_error_says_what_to_do() -> None:
    """Mitogen puts a class of its own between an action and Ansible's, whose way to a host is another one."""
    mixin = type("ActionModuleMixin", (), {"__module__": "ansible_mitogen.mixins"})
    action: Any = type("ActionModule", (mixin, HostAction), {})
    with pytest.raises(GatehouseError, match="run this play with strategy: linear or free; nothing was sent"):
        action._require_stdin(action.__new__(action))
