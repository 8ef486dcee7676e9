# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages that a task needs, and what to install when one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from .errors import GatehouseError


def require_libraries() -> None:
    """Raise GatehouseError naming the package that is missing from this Python."""
    for module, package in (("simple_salesforce", "simple-salesforce"), ("cryptography", "cryptography")):
        if find_spec(module) is None:
            raise GatehouseError(f"the Python package {package} is needed on the controller: pip install {package}")


def require_cryptography() -> None:
    """Raise GatehouseError where the package is missing from this Python."""
    if find_spec("cryptography") is None:
        raise GatehouseError("the Python package cryptography is needed on the controller: pip install cryptography")


def require_parts(user: str, collection: str, packages: Mapping[str, str]) -> None:
    """Raise GatehouseError naming what is missing of a collection of others and the Python packages that it needs.

    Args:
        user: what needs them, in words.
        packages: what pip is to install, by the name under which it is imported.
    """
    commands = [f"pip install {package}" for name, package in packages.items() if not _is_installed(name)]
    if not _is_installed(f"ansible_collections.{collection}"):
        commands.insert(0, f"ansible-galaxy collection install {collection}")
    if commands:
        raise GatehouseError(f"{user} needs what is missing on the controller: {' && '.join(commands)}")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package above it is
        return False
