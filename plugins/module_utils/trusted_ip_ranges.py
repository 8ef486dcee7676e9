# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of trusted_ip_ranges. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .backend import Run, open_org
from .network_access import ensure_trusted_ranges
from .options import CONNECTION, RANGES, Spec
from .ranges import check_limits, parse_entries

SPEC: Spec = {**RANGES, **CONNECTION}


def run(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make the org's trusted ranges satisfy the options."""
    desired = parse_entries(options["ranges"])
    if options["state"] != "absent":
        check_limits(desired)
    outcome = ensure_trusted_ranges(open_org(options, run), desired, options["state"], check_mode=run.check_mode)
    change = outcome.plan
    return {
        "changed": bool(change),
        "diff": change.diff(),
        "ranges": [item.as_result() for item in change.after],
        "added": [item.as_result() for item in change.added],
        "removed": [item.as_result() for item in change.removed],
        "updated": [item.as_result() for item in change.updated],
        "warnings": list(outcome.warnings),
    }
