# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookups into the store share. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase


class LazyOptions(Mapping[str, Any]):
    """The options of a lookup, each looked for when it is asked for.

    Ansible looks for an option in arguments, variables, environment and files, which takes longer than to open a
    credential; most lookups need two of the ten that there are.
    """

    def __init__(self, lookup: LookupBase, variables: Mapping[str, Any] | None, arguments: Mapping[str, Any]) -> None:
        self._lookup = lookup
        self._variables = variables or {}
        for name, value in arguments.items():
            lookup.set_option(name, value)

    def __getitem__(self, name: str) -> Any:
        if name not in self._lookup.option_definitions:
            raise KeyError(name)
        return self._lookup.get_option(name, hostvars=self._templated(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup.option_definitions)

    def __len__(self) -> int:
        return len(self._lookup.option_definitions)

    def _templated(self, name: str) -> dict[str, Any]:
        """Return the variables that can set an option. Ansible templates those of modules, but not those of lookups."""
        names = [variable["name"] for variable in self._lookup.option_definitions[name].get("vars", ())]
        return {
            variable: self._lookup._templar.template(self._variables[variable])
            for variable in names
            if variable in self._variables
        }
