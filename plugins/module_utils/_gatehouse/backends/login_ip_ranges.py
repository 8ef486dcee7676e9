# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module login_ip_ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..access.declare import RANGES, declare_ranges
from ..access.range_lists import LoginRanges
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {"profile": {"type": "str", "required": True}, **RANGES, **CONNECTION}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make a profile's login ranges satisfy the options."""
    return declare_ranges(options, task, lambda org: LoginRanges(org, options["profile"]))
