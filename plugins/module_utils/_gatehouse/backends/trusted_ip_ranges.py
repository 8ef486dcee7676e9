# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of trusted_ip_ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..access.declare import declare_ranges
from ..access.options import RANGES, RangesOptions
from ..access.range_lists import TrustedRanges
from ..access.turns import Turns
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {**RANGES, **CONNECTION}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make the org's trusted ranges satisfy the options."""
    declared = RangesOptions.read(options)
    org = task.org()
    return declare_ranges(org, TrustedRanges(org), declared, check_mode=task.check_mode, turns=turns_of(task))


def turns_of(task: Task) -> Turns:
    """Return the turns of a task, with a lease where its login comes from a store on a server."""
    shares_lock = task.credential and task.store_options.on_server
    return Turns(task.folder, task.store.lock if shares_lock else None)
