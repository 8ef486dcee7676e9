# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of login_ip_ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..access.declare import declare_ranges
from ..access.options import RANGES, RangesOptions
from ..access.range_lists import LoginRanges
from ..task.context import Task
from ..task.options import CONNECTION, Spec
from .trusted_ip_ranges import turns_of

SPEC: Spec = {"profile": {"type": "str", "required": True}, **RANGES, **CONNECTION}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make a profile's login ranges satisfy the options."""
    declared = RangesOptions.read(options)
    org = task.org()
    target = LoginRanges(org, options["profile"])
    return declare_ranges(org, target, declared, check_mode=task.check_mode, turns=turns_of(task))
