# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the user of an application wins a race against root, who writes a file in that user's folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

RACES = 400  # with an owner given, and as many without
AIMS = {"host_file_races_lost": "0"}


def measure() -> dict[str, float]:
    """All figures of this page; none where root is needed and missing."""
    if os.geteuid() != 0:
        return {}
    from tests.support.file_races import races_lost

    with tempfile.TemporaryDirectory(prefix="races-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        race = Path(folder, "race")
        lost = races_lost(race, RACES) + races_lost(race, RACES, owner="root", group="root")
    return {"host_file_races_lost": float(lost)}
