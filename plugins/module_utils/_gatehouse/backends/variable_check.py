# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of a host, as every task of the collection does first, and do no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..task.context import Task
from ..task.options import Spec

SPEC: Spec = {}


def run(_options: Mapping[str, Any], _task: Task) -> dict[str, Any]:
    """Report that there is nothing else to do."""
    return {"changed": False}
