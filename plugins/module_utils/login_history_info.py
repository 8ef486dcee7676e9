# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of login_history_info. Private to gatehouse.salesforce."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .backend import Run, open_org
from .guard import login_ranges_of, observed_logins, stranded_by, unchanged
from .login_history import Login, cover
from .network_access import RangeList, ensure_ranges
from .options import CONNECTION, RANGES, Spec
from .org import Org
from .range_lists import LoginRanges, TrustedRanges
from .ranges import IpRange, RangePlan, check_limits, parse_entries

SPEC: Spec = {
    "days": {"type": "int", "default": 30},
    "profiles": {"type": "list", "elements": "str", "default": []},
    # What the modules of these names would be told.
    "trusted_ip_ranges": {"type": "dict", "options": RANGES},
    "login_ip_ranges": {
        "type": "list",
        "elements": "dict",
        "options": {"profile": {"type": "str", "required": True}, **RANGES},
        "default": [],
    },
    **CONNECTION,
}


def run(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Tell who logged in from where, and whom a proposal would strand."""
    proposed, restricted = options.get("trusted_ip_ranges"), options["login_ip_ranges"]
    wanted = _desired(proposed, "trusted_ip_ranges") if proposed else ()
    wanted_by_profile = [_desired(item, f"login_ip_ranges[{number}]") for number, item in enumerate(restricted)]
    org = open_org(options, run)
    every = observed_logins(org, options["days"])
    labels = _names(org, options["profiles"])
    logins = [login for login in every if login.profile in labels] if labels else every
    login_ranges = login_ranges_of(org, {login.profile for login in logins})
    result = {
        "changed": False,
        "logins": [{**login.as_result(), "needs_token": login.needs_token} for login in logins],
        "proposal": _proposal(logins, login_ranges),
        "warnings": _warnings(org, every),
    }
    if proposed or restricted:
        trusted = TrustedRanges(org)
        change = _plan(org, trusted, wanted, proposed) if proposed else unchanged(trusted.read().ranges)
        changes: dict[str, RangePlan] = {}
        for item, desired in zip(restricted, wanted_by_profile, strict=True):
            target = LoginRanges(org, item["profile"])
            planned = _plan(org, target, desired, item)
            changes |= dict.fromkeys(target.names, planned)
        at_risk = stranded_by(logins, login_ranges, trusted=change, profiles=changes)
        result["at_risk"] = [item.as_result() for item in at_risk]
    return result


def _desired(declared: Mapping[str, Any], option: str) -> tuple[IpRange, ...]:
    desired = parse_entries(declared["ranges"], option=f"{option}.ranges")
    if declared["state"] != "absent":
        check_limits(desired, option=f"{option}.ranges")
    return desired


def _plan(org: Org, target: RangeList, desired: tuple[IpRange, ...], declared: Mapping[str, Any]) -> RangePlan:
    """What the declaring module would do, by the same way."""
    return ensure_ranges(org, target, desired, declared["state"], check_mode=True).plan


def _names(org: Org, profiles: Iterable[str]) -> set[str]:
    """All names of profiles, each of which must be there."""
    found: set[str] = set()
    for name in profiles:
        target = LoginRanges(org, name)
        target.read()
        found |= target.names
    return found


def _proposal(logins: list[Login], login_ranges: Mapping[str, tuple[IpRange, ...]]) -> dict[str, Any]:
    """The fewest ranges with which all these logins need no token, and with which each profile denies none of them."""
    by_password = [login for login in logins if login.needs_token and not login_ranges[login.profile]]
    by_profile: dict[str, list[Login]] = {}
    for login in logins:
        by_profile.setdefault(login.profile, []).append(login)
    return {
        "trusted_ip_ranges": {"ranges": _entries(by_password)},
        "login_ip_ranges": [
            {"profile": profile, "ranges": _entries(used)} for profile, used in sorted(by_profile.items()) if profile
        ],
    }


def _entries(logins: list[Login]) -> list[dict[str, str]]:
    return [item.as_entry() for item in cover(logins)]


def _warnings(org: Org, logins: list[Login]) -> list[str]:
    if any(login.user_id != org.user_id for login in logins):
        return []
    return [
        "The login history shows no login of any user but this run's own. Salesforce shows those of others only to "
        "users with the permission Manage Users or Monitor Login History."
    ]
