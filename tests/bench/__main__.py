# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, as ratios from one run: C(make bench) prints a table and writes build/bench.json."""

from __future__ import annotations

import json

from tests.bench import (
    deploy,
    events,
    formats,
    guard,
    hangs,
    host_files,
    logins,
    mail,
    moves,
    night,
    orgs,
    reading,
    report,
    rotation,
    services,
    stores,
    tasks,
    turns,
    wrong_logins,
)
from tests.support.processes import ROOT

RESULT = ROOT / "build" / "bench.json"
PARTS = (
    tasks,
    deploy,
    host_files,
    guard,
    turns,
    orgs,
    logins,
    wrong_logins,
    hangs,
    formats,
    stores,
    reading,
    mail,
    rotation,
    services,
    moves,
    night,
    report,
    events,
)


def main() -> None:
    """Measure, print, write."""
    figures: dict[str, float] = {}
    aims: dict[str, str] = {}
    for part in PARTS:
        figures |= {name: round(value, 4) for name, value in part.measure().items()}
        aims |= getattr(part, "AIMS", {})
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:40} {value:12.4f}" + (f"   aim: {aims[name]}" if name in aims else ""))


if __name__ == "__main__":
    main()
