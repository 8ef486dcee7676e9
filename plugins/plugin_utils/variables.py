# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read this collection's options from variables, and refuse those that a managed host returned as facts.

Ansible puts the facts that a host returns above the inventory's variables. A host that somebody has taken over could
so decide which store is opened, which program prints its keys, or whose credentials are sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variable_names import PREFIXES, require_known_names


def require_no_facts(variables: Mapping[str, Any]) -> None:
    """Raise OptionError when a fact bears the name of a variable of this collection."""
    for fact in variables.get("ansible_facts") or ():
        if str(fact).lstrip("_").startswith((*PREFIXES, "gatehouse_", "sweep_")):
            host = variables.get("inventory_hostname", "this host")
            raise OptionError(
                str(fact),
                f"was returned by {host} as a fact, and a host must not set it; "
                f"find out why {host} returns it, and clear the fact cache (meta: clear_facts)",
            )


class TrustedVariables:
    """The variables of a host, without those that the host itself has returned as facts.

    A template that reads a fact is an error, too: the inventory's C(credential: "{{ app_name }}") must not become
    another one because the host returns a fact C(app_name).
    """

    def __init__(self, variables: Mapping[str, Any], templar: Templar, *, of_another_host: bool = False) -> None:
        """Drop the facts; raises OptionError when one of them bears the name of a variable of this collection.

        So does a variable whose name is misspelt.

        Args:
            of_another_host: whether they are of another host than the one that the task is for.
        """
        require_no_facts(variables)
        require_known_names(variables)
        self._host = variables.get("inventory_hostname", "this host")
        facts = _names_of_facts(variables)
        self._variables = (
            {name: value for name, value in variables.items() if name not in facts} if facts else variables
        )
        if facts or of_another_host:
            templar = templar.copy_with_new_env(available_variables=self._variables)
        self._templar = templar
        self._has_facts = bool(facts)

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def read(self, name: str) -> Any:
        """Return a variable's value, templated, or None; raises OptionError when that takes a fact."""
        return self.template(name, self._variables.get(name))

    def template(self, name: str, value: Any) -> Any:
        """Template the value of the variable or keyword of that name; raises OptionError when that takes a fact."""
        try:
            return self._templar.template(value)
        except AnsibleError as exc:
            if not self._has_facts:
                raise
            raise OptionError(
                name, f"cannot be read ({exc}); it must not depend on what {self._host} has returned as a fact"
            ) from None


def _names_of_facts(variables: Mapping[str, Any]) -> set[str]:
    """Return the variables that are, or may be, facts: Ansible injects them above those of the inventory."""
    facts = variables.get("ansible_facts") or {}
    names = {f"ansible_{fact}" for fact in facts}
    names |= {fact for fact in facts if fact in variables and variables[fact] == facts[fact]}
    return (names | {"ansible_facts", "ansible_local"}) & variables.keys() if facts else set()
