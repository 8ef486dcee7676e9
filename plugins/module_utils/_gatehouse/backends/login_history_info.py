# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of login_history_info."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..access.apply import ensure_ranges
from ..access.declare import RANGES, Target, check_declaration
from ..access.guard import stranded_by, unchanged
from ..access.login_history import HIDDEN, Login, cover, is_partial, observed_logins
from ..access.range_lists import LoginRanges, TrustedRanges, login_ranges_of
from ..errors import OptionError
from ..org.client import Org
from ..ranges.model import IpRange
from ..ranges.plan import RangePlan
from ..ranges.temporary_access import has_expired
from ..task.context import Task, open_org
from ..task.options import CONNECTION, Spec

# What says what is declared, of the options of the modules that declare it.
_DECLARED: Spec = {name: RANGES[name] for name in ("ranges", "state", "rewrite")}
SPEC: Spec = {
    "days": {"type": "int", "default": 30},
    "profiles": {"type": "list", "elements": "str", "default": []},
    "trusted_ip_ranges": {"type": "dict", "options": _DECLARED},
    "login_ip_ranges": {
        "type": "list",
        "elements": "dict",
        "options": {"profile": {"type": "str", "required": True}, **_DECLARED},
        "default": [],
    },
    **CONNECTION,
}


def run(options: Mapping[str, Any], run: Task) -> dict[str, Any]:
    """Tell who logged in from where, and whom a proposal would strand."""
    trusted = options.get("trusted_ip_ranges")
    plan_trusted = _planner(trusted, "trusted_ip_ranges") if trusted else None
    plan_profiles = [
        (item["profile"], _planner(item, f"login_ip_ranges[{number}]"))
        for number, item in enumerate(options["login_ip_ranges"])
    ]
    org = open_org(options, run)
    every = observed_logins(org, options["days"])
    labels = _names(org, options["profiles"])
    logins = [login for login in every if login.profile in labels] if labels else every
    login_ranges = login_ranges_of(org, {login.profile for login in logins})
    result = {
        "changed": False,
        "logins": [{**login.as_result(), "needs_token": login.needs_token} for login in logins],
        "proposal": _proposal(logins, login_ranges),
        "warnings": [f"{HIDDEN}."] if is_partial(org, every, options["days"]) else [],
    }
    if plan_trusted or plan_profiles:
        target = TrustedRanges(org)
        change = plan_trusted(org, target) if plan_trusted else unchanged(target.read().ranges)
        changes: dict[str, RangePlan] = {}
        for name, plan_profile in plan_profiles:
            profile = LoginRanges(org, name)
            planned = plan_profile(org, profile)
            changes |= dict.fromkeys(profile.names, planned)
        at_risk = stranded_by(logins, login_ranges, trusted=change, profiles=changes)
        result["at_risk"] = [item.as_result() for item in at_risk]
    return result


def _planner(options: Mapping[str, Any], where: str) -> Callable[[Org, Target], RangePlan]:
    """What tells what the declaring module would do, by the same way; raises OptionError for what it would refuse."""
    with _within(where):
        declared, _findings = check_declaration({**options, "guard_days": None})

    def plan(org: Org, target: Target) -> RangePlan:
        with _within(where):
            change = ensure_ranges(
                org,
                target,
                declared.ranges,
                options["state"],
                check_mode=True,
                make_plan=declared.make_plan,
                count_all=declared.count_all,
            ).plan
        # Who used a pass whose time is over has nothing to lose.
        now = datetime.datetime.now(datetime.UTC)
        return dataclasses.replace(change, before=tuple(item for item in change.before if not has_expired(item, now)))

    return plan


@contextmanager
def _within(where: str) -> Iterator[None]:
    """Name a refused option by the proposal that it is in."""
    try:
        yield
    except OptionError as exc:
        raise exc.within(where) from None


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
