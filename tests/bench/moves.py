# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move to OAuth costs for each credential, and how many of its deaths it survives."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from tests.simulated_org import SimulatedOrg
from tests.support import plays
from tests.support.moves import BILLING, Move, count_survived
from tests.support.plays import Playbooks

CREDENTIALS = 50
KILLS = 200
FLOWS: tuple[Any, ...] = (
    BILLING,
    {"name": BILLING, "auth": "client_credentials"},
    {"name": BILLING, "app": "Other"},
    {"name": BILLING, "auth": "client_credentials", "app": "Other"},
)
AIMS = {"kills_survived_moving": f"{KILLS} of {KILLS}"}


def measure() -> dict[str, float]:
    """The figures."""
    return {**_cost(), **_kills()}


def _cost() -> dict[str, float]:
    """Seconds and requests of the org for each credential, each with an application on one host, of an empty org."""
    longer = mock.patch.object(plays, "TIMEOUT", 1800)
    with longer, tempfile.TemporaryDirectory(prefix="moves-") as name, SimulatedOrg() as org:
        names = [f"app{number}" for number in range(CREDENTIALS)]
        move = Move.prepare(Playbooks(Path(name), org), org, *names)
        started = time.perf_counter()
        move.run()
        seconds = time.perf_counter() - started
        requests = len(org.control.requests())
    return {
        f"move_{CREDENTIALS}_credentials_seconds_each": seconds / CREDENTIALS,
        f"move_{CREDENTIALS}_credentials_requests_each": requests / CREDENTIALS,
    }


def _kills() -> dict[str, float]:
    """Moves of one credential that were killed, in each flow in turn, and those that were finished."""
    killed = survived = 0
    for number, item in enumerate(FLOWS):
        if killed == KILLS:
            break
        with tempfile.TemporaryDirectory(prefix="moves-") as name, SimulatedOrg() as org:
            move = Move.prepare(Playbooks(Path(name), org), org, BILLING)
            here = count_survived(move, item, KILLS - killed, every=2, seed=number)
            killed, survived = killed + here[0], survived + here[1]
    return {"kills_while_moving": killed, "kills_survived_moving": survived}
