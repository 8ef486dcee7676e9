# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on invented orgs, as large as a test wants them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.document import Report, make_report
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.model import (
    read_credential,
    read_org,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.policy import read_policy

NOW = datetime.datetime(2026, 11, 24, 8, tzinfo=datetime.UTC)
WAYS = ("browser", "oauth", "browser", "soap_login", "browser", "username_password_flow", "oauth", "browser")
ACCESS = ("allowed", "token_required", "denied")


def invent_report(orgs: int, logins: int, *, name: str = "org{:03}") -> Report:
    """Return a report on so many orgs, each with so many sources of logins, and one that cannot be read."""
    read = [read_org(invent_org(name.format(number), number, logins), "orgs") for number in range(orgs)]
    closed = read_org({"name": name.format(999), "msg": "the org refused the login"}, "orgs")
    stored = [read_credential(invent_credential(name.format(number), number), "credentials") for number in range(orgs)]
    return make_report("Access report", [*read, closed], stored, read_policy({}), now=NOW)


def invent_org(name: str, number: int, logins: int) -> dict[str, Any]:
    """Return an org as it is collected."""
    block = f"20.{number % 250}"
    access = {
        "collected": "2026-11-24T08:00:00Z",
        "days": 30,
        "requests": 10,
        "trusted_ip_ranges": [
            *({"range": f"{block}.{part}.0/24", "description": f"Site {part}"} for part in range(8)),
            {"range": f"{block}.200.7", "description": "CI (expires 2026-12-20T10:00Z)"},
        ],
        "profiles": [
            _profile("Standard User", "Standard", 40, {"range": f"{block}.0.0/20", "description": "Offices"}),
            _profile("System Administrator", "Admin", 2),
        ],
        "session_settings": {"lockSessionsToIp": False, "sessionTimeout": "TwoHours"},
        "logins": list(_logins(name, block, logins)),
        "logins_complete": True,
        "logins_by_day": [
            {"day": f"2026-11-{day:02}", "way": way, "count": 1 + (day * len(way)) % 40}
            for day in range(1, 25)
            for way in sorted(set(WAYS))
        ],
        "range_changes": [
            {
                "when": "2026-11-20T09:00:00.000+0000",
                "who": f"ada@{name}.example",
                "text": f"Added Login Ip Range to Standard from {block}.0.0 to {block}.15.255",
                "range": f"{block}.0.0/20",
                "added": True,
            }
        ],
        "omitted": [],
    }
    identity = {"id": "00D5g000004xYzA", "host": f"{name}.my.salesforce.com", "user": f"admin@{name}.example"}
    return {"name": name, "access": access, "org": identity}


def _profile(label: str, name: str, users: int, *ranges: dict[str, str]) -> dict[str, Any]:
    names = [f"user{number}@acme.example" for number in range(users)]
    return {"profile": label, "name": name, "users": users, "usernames": names, "login_ip_ranges": list(ranges)}


def _logins(name: str, block: str, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        way = WAYS[number % len(WAYS)]
        yield {
            "username": f"user{number % 40}@{name}.example",
            "profile": "Standard User",
            "application": "Browser" if way == "browser" else f"application {number % 5}",
            "way": way,
            "api_version": "64.0" if way == "soap_login" else "",
            "address": f"{block}.{number % 18}.{number * 7 % 256}",
            "access": ACCESS[number % 7 % 3],
            "count": number + 1,
            "last": f"2026-11-{1 + number % 24:02}T06:00:01.000+0000",
        }


def invent_credential(name: str, number: int) -> dict[str, Any]:
    """Return a credential as credential_info does."""
    day = f"2026-{1 + number % 11:02}-20T08:00:00Z"
    consumer = {"consumer": f"host{number}:/etc/app.env", "version": 1 + number % 2, "outdated": number % 2 == 0}
    return {
        "name": f"{name}-integration",
        "auth": "security_token" if number % 3 else "jwt_bearer",
        "username": f"user3@{name}.example",
        "login_url": "https://login.salesforce.com",
        "version": 2,
        "updated": day,
        "verified": day,
        "secret_since": day,
        "verification": {"result": "ok", "cause": "ok"},
        "consumers": [consumer],
    }
