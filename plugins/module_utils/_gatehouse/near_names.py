# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suggest what a misspelt name was meant to be. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    """Return the near names among names as a question to append, each after the prefix; empty where none is near."""
    near = difflib.get_close_matches(name, list(names))
    return f" (did you mean {' or '.join(f'{prefix}{item}' for item in near)}?)" if near else ""
