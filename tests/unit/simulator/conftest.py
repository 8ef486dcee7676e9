# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the simulated org's own tests: most talk to the services directly, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org, simulated_org_server

from .wire import Wire

__all__ = ["simulated_org", "simulated_org_server"]

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "recordings"


@pytest.fixture(scope="session")
def _unstarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedOrg]:
    sim = SimulatedOrg(folder=tmp_path_factory.mktemp("unstarted"))
    yield sim
    sim.stop()


@pytest.fixture
def wire(_unstarted: SimulatedOrg) -> Wire:
    """The services with a fresh default seed and a frozen clock."""
    _unstarted.commands.reset()
    _unstarted.state.clock.freeze()
    return Wire(_unstarted)


@pytest.fixture
def recordings() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip("no recordings beside this checkout")
    return RECORDINGS
