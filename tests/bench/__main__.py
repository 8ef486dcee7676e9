# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, as ratios from one run: C(make bench) prints a table and writes build/bench.json."""

from __future__ import annotations

import json

from tests.bench import guard, orgs, tasks
from tests.check import link_collection
from tests.processes import ROOT

RESULT = ROOT / "build" / "bench.json"
PARTS = (tasks.measure, guard.measure, orgs.measure)
AIMS = {
    "org_task_to_ping": "at most 0.3",
    "ranges_1000_to_10": "at most 2",
    "lookup_to_unvault": "at most 0.5",
    "guard_50000_rows_peak_mib": "under 200",
    "plan_10000_seconds": "under 0.2",
    "plan_20000_to_10000": "at most 2.5",
    "orgs_50_to_ping_50": "at most 0.5",
}


def main() -> None:
    """Measure, print, write."""
    link_collection()
    figures: dict[str, float] = {}
    for measure in PARTS:
        figures |= {name: round(value, 4) for name, value in measure().items()}
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:40} {value:12.4f}" + (f"   aim: {AIMS[name]}" if name in AIMS else ""))


if __name__ == "__main__":
    main()
