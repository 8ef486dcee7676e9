# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of trusted_ip_ranges and login_ip_ranges. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .backend import Run, open_org
from .network_access import RangeList, ensure_ranges
from .options import CONNECTION, RANGES, Spec
from .org import Org
from .range_lists import LoginRanges, TrustedRanges
from .ranges import check_limits, parse_entries

TRUSTED_SPEC: Spec = {**RANGES, **CONNECTION}
LOGIN_SPEC: Spec = {"profile": {"type": "str", "required": True}, **RANGES, **CONNECTION}


def run_trusted(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make the org's trusted ranges satisfy the options."""
    return _run(options, run, TrustedRanges)


def run_login(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make a profile's login ranges satisfy the options."""
    return _run(options, run, lambda org: LoginRanges(org, options["profile"]))


def _run(options: Mapping[str, Any], run: Run, list_of: Callable[[Org], RangeList]) -> dict[str, Any]:
    desired = parse_entries(options["ranges"])
    if options["state"] != "absent":
        check_limits(desired)
    org = open_org(options, run)
    outcome = ensure_ranges(org, list_of(org), desired, options["state"], check_mode=run.check_mode)
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
