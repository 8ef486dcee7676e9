# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CONTRIBUTING.md and the execution environment's check show, run."""

from __future__ import annotations

import re
from typing import Any

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.processes import ROOT

PAGE = ROOT / "CONTRIBUTING.md"


def test_the_first_test_of_a_contributor_passes(sim: SimulatedOrg, playbook: Playbooks) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"SimulatedOrg": SimulatedOrg, "Playbooks": Playbooks}
    exec(source, names)  # the page's own code
    (example,) = (value for name, value in names.items() if name.startswith("test_"))
    example(sim, playbook)


def test_the_playbook_for_execution_environments_needs_no_org(playbook: Playbooks) -> None:
    results = playbook.run(ROOT / "tests" / "ee" / "all.yml")
    assert results.last["msg"] == "All assertions passed"
