# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be installed to talk to an org. Private to gatehouse.salesforce."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import GatehouseError


def require_libraries() -> None:
    """Raise GatehouseError naming the package that is missing from this Python."""
    for module, package in (("simple_salesforce", "simple-salesforce"), ("cryptography", "cryptography")):
        if find_spec(module) is None:
            raise GatehouseError(f"the Python package {package} is needed on the controller: pip install {package}")
