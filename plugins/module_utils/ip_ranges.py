# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of trusted_ip_ranges and login_ip_ranges. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import guard
from .backend import Run, open_org
from .login_history import Stranded
from .network_access import RangeList, ensure_ranges
from .options import CONNECTION, RANGES, Spec
from .org import Org
from .range_lists import LoginRanges, TrustedRanges
from .ranges import IpRange, RangePlan, check_limits, parse_entries

GUARD: Spec = {
    "guard": {"type": "str", "choices": list(guard.MODES), "default": "fail"},
    "guard_days": {"type": "int", "default": 30},
}
TRUSTED_SPEC: Spec = {**RANGES, **GUARD, **CONNECTION}
LOGIN_SPEC: Spec = {"profile": {"type": "str", "required": True}, **RANGES, **GUARD, **CONNECTION}


def run_trusted(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make the org's trusted ranges satisfy the options."""
    desired, org = _desired(options), open_org(options, run)
    days = options["guard_days"]
    return _ensure(
        org, TrustedRanges(org), desired, options, run, lambda change: guard.trusted_at_risk(org, change, days)
    )


def run_login(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make a profile's login ranges satisfy the options."""
    desired, org = _desired(options), open_org(options, run)
    target, days = LoginRanges(org, options["profile"]), options["guard_days"]
    return _ensure(
        org, target, desired, options, run, lambda change: guard.login_at_risk(org, change, target.names, days)
    )


def _desired(options: Mapping[str, Any]) -> tuple[IpRange, ...]:
    desired = parse_entries(options["ranges"])
    if options["state"] != "absent":
        check_limits(desired)
    return desired


def _ensure(
    org: Org,
    target: RangeList,
    desired: tuple[IpRange, ...],
    options: Mapping[str, Any],
    run: Run,
    at_risk_of: Callable[[RangePlan], list[Stranded]],
) -> dict[str, Any]:
    at_risk: list[Stranded] = []
    mode, days = options["guard"], options["guard_days"]

    def review(change: RangePlan) -> None:
        if mode != "off":
            at_risk.extend(at_risk_of(change))
        if mode == "fail":
            guard.refuse(at_risk, days)

    outcome = ensure_ranges(org, target, desired, options["state"], check_mode=run.check_mode, review=review)
    change = outcome.plan
    return {
        "changed": bool(change),
        "diff": change.diff(),
        "ranges": [item.as_result() for item in change.after],
        "added": [item.as_result() for item in change.added],
        "removed": [item.as_result() for item in change.removed],
        "updated": [item.as_result() for item in change.updated],
        "at_risk": [item.as_result() for item in at_risk],
        "warnings": [*([guard.describe(at_risk, days)] if at_risk else []), *outcome.warnings],
    }
