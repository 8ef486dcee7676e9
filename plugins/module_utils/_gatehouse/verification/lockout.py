# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out whether a user has logins left before Salesforce locks it or blocks it for an hour.

Sources: the limits of the login() call, and the password policies of the Metadata API.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..auth.connection import Connection
from ..credentials.credential import PASSWORD_FLOWS
from ..errors import GatehouseError, LoginError
from ..org.client import Org
from ..org.queries import find_user, logins_of

LOGINS_AN_HOUR = 3600
MAX_ATTEMPTS = {"ThreeAttempts": 3, "FiveAttempts": 5, "TenAttempts": 10}
LOCKOUT_INTERVALS = {
    "FifteenMinutes": datetime.timedelta(minutes=15),
    "ThirtyMinutes": datetime.timedelta(minutes=30),
    "SixtyMinutes": datetime.timedelta(hours=1),
}
# What may count as a failed login. How a wrong token is recorded, and whether a missing one counts, is not documented.
COUNTED_STATUSES = ("invalid password", "failed: api security token required")
HISTORY_WINDOW = datetime.timedelta(days=1)


def require_attempts_left(connection: Connection, administrator: Callable[[], Org | None]) -> bool:
    """Raise LoginError before a login that could lock the user out or exceed the hourly limit.

    Returns whether the org could be asked.

    Args:
        administrator: returns the org as somebody sees it who may read the user's login history.
    """
    if not connection.username:
        return False
    try:
        org = administrator()
        problem = _why_not(org, connection) if org else None
    except GatehouseError:
        return False
    if problem:
        raise problem
    return org is not None


def _why_not(org: Org, connection: Connection) -> LoginError | None:
    user = find_user(org, connection.username or "")
    if user is None:
        return None
    now = datetime.datetime.now(datetime.UTC)
    rows = logins_of(org, user.id, limit=LOGINS_AN_HOUR, since=now - HISTORY_WINDOW)
    if logins_since(rows, now - datetime.timedelta(hours=1)) >= LOGINS_AN_HOUR:
        return LoginError(
            f"{connection.username} has used up its {LOGINS_AN_HOUR} logins of this hour, so no login was made; wait",
            cause="rate_limited",
        )
    if connection.auth not in PASSWORD_FLOWS:
        return None
    policies = org.metadata(lambda api: api.read_password_policies())
    allowed, wrong = MAX_ATTEMPTS.get(policies.get("maxLoginAttempts", "")), failed_logins(rows)
    if allowed is None or wrong < allowed - 1:
        return None
    pause = LOCKOUT_INTERVALS.get(policies.get("lockoutInterval", ""))
    # A lock passes with time; that one failed login of many is forgotten with time is nowhere said.
    if pause and wrong % allowed != allowed - 1 and logins_since(rows, now - pause) == 0:
        return None
    return LoginError(
        f"{connection.username} has {wrong} of {allowed} failed logins; one more would lock the user, so no login was "
        "made. Log in by hand once, or unlock the user in Setup, and run this again",
        cause="user_locked",
    )


def failed_logins(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return how often password or token were wrong since the last success, the latest row first."""
    count = 0
    for row in rows:
        status = str(row.get("Status")).lower()
        if status == "success":
            break
        if status in COUNTED_STATUSES:
            count += 1
    return count


def logins_since(rows: Iterable[Mapping[str, Any]], since: datetime.datetime) -> int:
    """Return how many rows are not older."""
    return sum(datetime.datetime.fromisoformat(row["LoginTime"]) >= since for row in rows)
