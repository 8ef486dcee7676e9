# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of login_history_info."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..access.login_history import HIDDEN, Login, cover, is_partial, observed_logins
from ..access.profiles import Profiles
from ..access.range_lists import LoginRanges, login_ranges_of
from ..org.client import Org
from ..ranges.model import IpRange
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {
    "days": {"type": "int", "default": 30},
    "profiles": {"type": "list", "elements": "str", "default": []},
    **CONNECTION,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """List who logged in from where, and propose ranges for these logins."""
    org = task.org()
    every = observed_logins(org, options["days"])
    profiles = Profiles(org)
    labels = _labels(org, options["profiles"], profiles)
    logins = [login for login in every if login.profile in labels] if labels else every
    return {
        "changed": False,
        "logins": [{**login.as_result(), "needs_token": login.needs_token} for login in logins],
        "proposal": _proposal(logins, login_ranges_of(org, {login.profile for login in logins}, profiles)),
        "warnings": [f"{HIDDEN}."] if is_partial(org, every, options["days"]) else [],
    }


def _labels(org: Org, names: Iterable[str], profiles: Profiles) -> set[str]:
    """Return the labels of profiles, each of which must exist."""
    labels = set()
    for name in names:
        target = LoginRanges(org, name, profiles, option="profiles")
        target.read()
        labels |= target.names
    return labels


def _proposal(logins: list[Login], login_ranges: Mapping[str, tuple[IpRange, ...]]) -> dict[str, Any]:
    """Return the fewest ranges with which no login needs a token, and no profile denies one."""
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
