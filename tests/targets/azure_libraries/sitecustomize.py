# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand for libraries of Azure that each module of azure.azcollection imports, and those of Key Vault never call.

They are 900 MB, and take longer to import than a whole test. A library that is installed is used.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

UNUSED = ("azure.mgmt.", "azure.storage.", "kiota_authentication_azure.", "msgraph.", "msgraph_core.")


class Unused(ModuleType):
    """A module that has whatever is imported from it."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nobody else has found."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module, if it is one of those."""
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if f"{name}.".startswith(UNUSED) else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return an empty one."""
        return Unused(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing more."""


sys.meta_path.append(Finder())
