# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of three loses its leader while credentials are written and rotated."""

from __future__ import annotations

from pathlib import Path

from tests.bench.stores import leader_kill


def test_no_acknowledged_write_is_lost_and_all_go_on(tmp_path: Path) -> None:
    figures = leader_kill(tmp_path)
    assert figures["writes_lost_in_leader_kills"] == 0
    assert figures["writers_stuck_after_leader_kill"] == 0
    assert figures["writes_acknowledged_around_leader_kill"] > 20
