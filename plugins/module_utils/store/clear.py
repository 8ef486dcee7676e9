# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be read of stored credentials without their keys. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import build_store
from .base import ClearStore


def open_clear(options: Mapping[str, Any]) -> ClearStore:
    """The store that the options name, none of whose credentials is opened; raises OptionError for unusable ones."""
    return build_store(options, None)
