# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of org_access_info."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..access.audit_trail import RangeChange, range_changes
from ..access.login_history import HIDDEN, check_days, since
from ..access.profiles import Profiles
from ..access.range_lists import TrustedRanges, all_login_ranges, always_activates_devices
from ..access.rules import Access
from ..errors import LoginError, LoginUnansweredError, NoResponseError, OptionError, OrgError
from ..org.client import Org
from ..org.queries import User, all_users, audit_rows, logins_since, users_logged_in_since
from ..ranges.model import IpRange
from ..report.logins import History, read_history
from ..task.context import Task
from ..task.options import CONNECTION, Spec
from .network_access_info import session_results

SPEC: Spec = {
    "days": {"type": "int", "default": 30},
    "max_logins": {"type": "int", "default": 50_000},
    **CONNECTION,
}
T = TypeVar("T")
SHOWN_USERS = 50  # names of each profile
AUDIT_DAYS = 180  # what the audit trail keeps
_NOT_KNOWN = ""  # which permission it takes
_METADATA = "Modify Metadata Through Metadata API Functions"
_HISTORY = "Manage Users or Monitor Login History"
_AUDIT = "View Setup and Configuration (as others report, View Setup Audit Trail from Spring '27 on)"


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Collect who can log in to an org from where, who did, and who changed that."""
    check_days(options["days"], "days")
    if options["max_logins"] < 1:
        raise OptionError("max_logins", f"must be at least 1, not {options['max_logins']}")
    org = task.org()
    org.session()  # what fails here concerns all
    collected = _Collected(org)
    access = collected.read(options["days"], options["max_logins"])
    return {"changed": False, "access": {**access, "requests": org.requests, "omitted": collected.omitted}}


class _Collected:
    """What an org shows; what it does not show to this user is noted, with the permission that it needs."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.omitted: list[dict[str, str]] = []

    def read(self, days: int, max_logins: int) -> dict[str, Any]:
        """Read all that there is to be shown."""
        org, start = self._org, since(days, "days")
        trusted = self._part("trusted IP ranges", _METADATA, lambda: TrustedRanges(org).read().ranges)
        settings = self._part(
            "session settings", _METADATA, lambda: org.metadata(lambda api: api.read_session_settings())
        )
        profiles = Profiles(org)
        login_ranges = self._part("login IP ranges", _METADATA, lambda: all_login_ranges(org, profiles)) or {}
        users = self._part("users", _NOT_KNOWN, lambda: all_users(org)) or {}
        history = self._part(
            "logins", _HISTORY, lambda: logins_since(org, start, lambda rows: read_history(rows, max_logins))
        )
        complete = self._is_complete(history, start, max_logins)
        history = history or History()
        rows = self._part("audit trail", _AUDIT, lambda: audit_rows(org, since(min(days, AUDIT_DAYS), "days"))) or []
        always = always_activates_devices(org)
        # What is met where the org has not shown the ranges that decide is not known.
        rules = {
            label: Access(ranges, trusted or (), device_activation_always=always)
            for label, ranges in login_ranges.items()
            if ranges or trusted is not None
        }
        names = {profile.name: profiles.display_name(profile) for profile in profiles.all} if login_ranges else {}
        self._note_hidden_labels(profiles if names else None)
        return {
            "collected": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "days": days,
            "trusted_ip_ranges": [item.as_result() for item in trusted or ()],
            "profiles": _profiles(names, login_ranges, users),
            "session_settings": session_results(settings or {}),
            "logins": _logins(history, users, rules),
            "logins_complete": complete,
            "logins_by_day": [
                {"day": day, "way": way, "count": count} for (day, way), count in sorted(history.by_day.items())
            ],
            "range_changes": [_change(change) for change in range_changes(rows)],
        }

    def _part(self, what: str, permission: str, read: Callable[[], T]) -> T | None:
        """Return a part of the whole; None where the org refuses it."""
        try:
            return read()
        except (LoginError, LoginUnansweredError, NoResponseError):
            raise
        except OrgError as exc:
            self.omitted.append({"what": what, "problem": str(exc), "permission": permission})
            return None

    def _note_hidden_labels(self, profiles: Profiles | None) -> None:
        hidden = sum(profile.label is None for profile in profiles.all) if profiles else 0
        if hidden:
            problem = f"{hidden} profiles are listed by their metadata names, and not with their users"
            self.omitted.append({"what": "labels of profiles", "problem": problem, "permission": "View All Profiles"})

    def _is_complete(self, history: History | None, start: datetime.datetime, limit: int) -> bool:
        """Return whether the history shows all logins, and note what it does not."""
        if history is None:
            return False
        if not history.complete:
            problem = f"only the latest {limit} rows of the login history were read (max_logins)"
            self.omitted.append({"what": "logins", "problem": problem, "permission": ""})
            return False
        if len(history.users) > 1:
            return True
        others = self._part("logins", _HISTORY, lambda: users_logged_in_since(self._org, start, limit=2))
        if others is None or history.users.issuperset(others):
            return others is not None
        self.omitted.append({"what": "logins", "problem": HIDDEN, "permission": _HISTORY})
        return False


def _profiles(
    names: Mapping[str, str],
    login_ranges: Mapping[str, tuple[IpRange, ...]],
    users: Mapping[str, tuple[User, bool]],
) -> list[dict[str, Any]]:
    """Return each profile with its users and ranges; one that only users name, with its users."""
    members: dict[str, list[str]] = defaultdict(list)
    for user, active in users.values():
        if active:
            members[user.profile].append(user.username)
    by_label = {label: name for name, label in names.items()}
    return [
        {
            "profile": label,
            "name": by_label.get(label, ""),
            "users": len(members[label]),
            "usernames": sorted(members[label])[:SHOWN_USERS],
            "login_ip_ranges": [item.as_result() for item in login_ranges.get(label, ())],
        }
        for label in sorted(({*by_label, *members}) - {""})
    ]


def _logins(
    history: History, users: Mapping[str, tuple[User, bool]], rules: Mapping[str, Access]
) -> list[dict[str, Any]]:
    """Return the logins by their source, those by the same user one after the other."""
    found = []
    for source, (count, last) in history.sources.items():
        user, _active = users.get(source.user_id) or (User(source.user_id, source.user_id, ""), True)
        found.append(
            {
                "username": user.username,
                "profile": user.profile,
                "application": source.application,
                "way": source.way,
                "api_version": source.api_version,
                "address": source.address,
                "access": rules[user.profile].login(source.address).result if user.profile in rules else "unknown",
                "count": count,
                "last": last,
            }
        )
    order = ("username", "application", "address", "way", "api_version")
    return sorted(found, key=lambda row: [row[name] for name in order])


def _change(change: RangeChange) -> dict[str, Any]:
    return {
        "when": change.when,
        "who": change.who,
        "text": change.text,
        "range": str(change.range) if change.range else None,
        "added": change.added,
    }
