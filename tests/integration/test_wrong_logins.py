# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wrong secret is one failed login: by whatever kinds of tasks, on 12 hosts, with answers lost.

In five runs it is one, too, and two where a host made the first and nobody can be asked: later runs do not rely on its
word alone.
"""

from __future__ import annotations

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.wrong_logins import FAULTS, count_in_five_runs, count_in_one_run

pytestmark = pytest.mark.ansible


@pytest.mark.parametrize("fault", FAULTS)
def test_in_one_run(sim: SimulatedOrg, playbook: Playbooks, fault: str | None) -> None:
    assert count_in_one_run(sim, playbook, fault) == 1


@pytest.mark.parametrize(("first", "asks", "logins"), [("host", False, 2), ("host", True, 1), ("controller", False, 1)])
def test_in_five_runs(sim: SimulatedOrg, playbook: Playbooks, first: str, asks: bool, logins: int) -> None:
    assert count_in_five_runs(sim, playbook, first=first, asks=asks) == logins
    assert sim.control.user(sim.admin.username)["locked"] is False
