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


def require_no_facts(variables: Mapping[str, Any], *names: str) -> None:
    """Raise OptionError when a fact bears the name of an option's variable, or one of these names."""
    for fact in variables.get("ansible_facts") or ():
        if str(fact).startswith(VARIABLE_PREFIX) or fact in names:
            host = variables.get("inventory_hostname", "this host")
            raise OptionError(
                str(fact),
                f"was returned by {host} as a fact, and a host must not set it; "
                f"find out why {host} returns it, and clear the fact cache (meta: clear_facts)",
            )


def trusted_variable(name: str, variables: Mapping[str, Any], default: Any = None) -> Any:
    """Return a variable's value, or the default; raises OptionError when it was returned by the host as a fact."""
    require_no_facts(variables, name)
    return variables.get(name, default)
