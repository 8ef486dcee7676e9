# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options of the lookups into the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store, StoreOptions
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.foreseen import ForeseenStore
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variables import TrustedVariables


def is_check_mode(variables: Mapping[str, Any] | None) -> bool:
    """Whether the run is one in check mode."""
    return (variables or {}).get("ansible_check_mode") is True


def open_store(option: Callable[[str], Any], variables: Mapping[str, Any] | None) -> Store:
    """Open the store of a lookup; in check mode it has what the run would have written so far."""
    options = StoreOptions.read(option)
    if is_check_mode(variables):
        return ForeseenStore.open(options, Path(constants.DEFAULT_LOCAL_TMP) / "gatehouse")
    return options.open()


def option_reader(
    lookup: LookupBase, variables: Mapping[str, Any] | None, arguments: Mapping[str, Any]
) -> Callable[[str], Any]:
    """Return a function that reads one option of a lookup by name; raises OptionError for variables set by a host.

    Ansible looks for an option in arguments, variables, environment and files, which takes longer than to open a
    credential; so only those are read that are needed, which are two of ten for most lookups.
    """
    trusted = TrustedVariables(variables or {}, lookup._templar)
    for name, value in arguments.items():
        lookup.set_option(name, value)

    def read(name: str) -> Any:
        # Ansible templates the variables that set a module's options, but not those that set a lookup's.
        names = [variable["name"] for variable in lookup.option_definitions[name].get("vars", ())]
        templated = {name: trusted.read(name) for name in names if name in trusted}
        value = lookup.get_option(name, hostvars=templated)
        # An empty one, as AWX sets them in the environment, counts as unset.
        return lookup.option_definitions[name].get("default") if value == "" else value

    return read
