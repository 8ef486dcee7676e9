# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read this collection's options from variables, and refuse those that a managed host returned as facts.

Ansible puts the facts that a host returns above the inventory's variables. A host that somebody has taken over could
so decide which store is opened, which program prints its keys, or whose credentials are sent to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import VARIABLE_PREFIX

# What the names of this collection's variables begin with: options, roles and playbooks.
PREFIXES = (
    VARIABLE_PREFIX,
    "app_credentials_",
    "credentials_",
    "deliver_",
    "export_",
    "move_to_",
    "network_access_",
    "rotate_",
    "sweep_",
    "temporary_access_",
)


def require_no_facts(variables: Mapping[str, Any]) -> None:
    """Raise OptionError when a fact bears the name of a variable of this collection."""
    for fact in variables.get("ansible_facts") or ():
        if str(fact).startswith(PREFIXES):
            host = variables.get("inventory_hostname", "this host")
            raise OptionError(
                str(fact),
                f"was returned by {host} as a fact, and a host must not set it; "
                f"find out why {host} returns it, and clear the fact cache (meta: clear_facts)",
            )
