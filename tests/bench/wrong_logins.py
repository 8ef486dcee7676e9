# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many failed logins one wrong secret costs, by all ways in, with answers lost, on 12 hosts and in five runs."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.wrong_logins import FAULTS, count_in_five_runs, count_in_one_run

AIMS = {"wrong_logins_counted": "1", "wrong_logins_counted_if_asked": "1"}


def measure() -> dict[str, float]:
    """The most of all cases: without an administrator who can be asked about the login, and with one."""
    alone = [
        *(_count(functools.partial(count_in_one_run, fault=fault)) for fault in FAULTS),
        *(_count(functools.partial(count_in_five_runs, first=first)) for first in ("host", "controller")),
    ]
    asked = _count(functools.partial(count_in_five_runs, first="host", asks=True))
    return {"wrong_logins_counted": float(max(alone)), "wrong_logins_counted_if_asked": float(asked)}


def _count(run: Callable[[SimulatedOrg, Playbooks], int]) -> int:
    with tempfile.TemporaryDirectory() as folder, SimulatedOrg() as sim:
        return run(sim, Playbooks(Path(folder), sim))
