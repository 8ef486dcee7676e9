# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source login_failures: an org refuses the logins of stored users."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..auth.causes import Cause, cause_of_status
from ..errors import OptionError
from ..org.client import Org
from ..org.queries import active_users, logins_of, user_logins_since
from ..task.context import Task
from ..task.options import CONNECTION
from ..verification.lockout import failed_logins
from .memory import Cursor, Event, Seen, make_event, printable
from .source import Source, Watch
from .stored_users import StoredUser, stored_users

SOURCE = "login_failures"
OVERLAP = datetime.timedelta(minutes=2)  # rows may appear later than others that have a later time
MAX_ROWS = 2000  # in one look, which one request returns
MAX_COUNTED = 20  # users in one look whose failures in a row are counted, by a request each
COUNTED_ROWS = 50
SHOWN = 5  # addresses and applications in one event
MAX_TEXT = 100


class Failures(NamedTuple):
    """Refused logins of one user for one reason, in their order."""

    user_id: str
    cause: Cause | None
    rows: list[Mapping[str, Any]]


def new_failures(
    rows: Iterable[Mapping[str, Any]], seen: Collection[str], with_token: Mapping[str, bool]
) -> list[Failures]:
    """Return the refused logins that no look has returned before, by user and reason.

    Args:
        with_token: whether a token is stored, by the ids of the users that are of interest.
    """
    groups: dict[tuple[str, str], Failures] = {}
    for row in rows:
        user, status = str(row.get("UserId")), str(row.get("Status") or "")
        if user not in with_token or row["Id"] in seen or status.lower() in ("success", ""):
            continue
        cause = cause_of_status(status, token_sent=with_token[user])
        key = (user, cause.code if cause else status)
        groups.setdefault(key, Failures(user, cause, [])).rows.append(row)
    return list(groups.values())


def next_cursor(cursor: Cursor, rows: Sequence[Mapping[str, Any]]) -> Cursor:
    """Return where the next look begins: at the last row, less the overlap, whose rows are remembered."""
    if not rows:
        return cursor
    last = max(cursor["since"], *(_moment(row).isoformat() for row in rows))
    since = datetime.datetime.fromisoformat(last)
    if len(rows) >= MAX_ROWS:
        since += OVERLAP  # so many rows in so short a time: go on behind them
    recent = [row["Id"] for row in rows if _moment(row) >= since - OVERLAP]
    return {"since": since.isoformat(), "seen": recent}


def _moment(row: Mapping[str, Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(str(row["LoginTime"])).astimezone(datetime.UTC)


def failure_event(user: StoredUser, failures: Failures, in_a_row: int | None) -> Event:
    """Return the event for refused logins of a stored user.

    Args:
        in_a_row: how many failed since the last success; None where that was not counted.
    """
    rows, cause = failures.rows, failures.cause
    first = rows[0]
    return make_event(
        SOURCE,
        *(user.credential, first["Id"]),
        credential=user.credential,
        username=user.username,
        cause=cause.code if cause else "unknown",
        to_do=cause.advice if cause else "look at the login history of the user in Setup",
        status=printable(str(first.get("Status")), MAX_TEXT),
        failures=len(rows),
        failed_in_a_row=in_a_row,
        addresses=_some(row.get("SourceIp") for row in rows),
        applications=_some(row.get("Application") for row in rows),
        first=first["LoginTime"],
        last=rows[-1]["LoginTime"],
    )


def _some(texts: Iterable[Any]) -> list[str]:
    return sorted({printable(str(text), MAX_TEXT) for text in texts if text})[:SHOWN]


class LoginFailures(Watch):
    """Looks at the login history of an org, by one request."""

    def __init__(self, options: Mapping[str, Any], task: Task) -> None:
        if not options["credential"]:
            raise OptionError("credential", "is required; it needs the permission to see the logins of others")
        self._names: list[str] | None = options["names"]
        self._credential: str = options["credential"]
        self._task = task
        self._ids: dict[str, str] = {}  # of the users in the org, by their names in lower case
        self._asked: set[str] = set()

    def look(self, cursor: Cursor | None) -> Seen:
        """Return the refusals since the last look."""
        if cursor is None:
            return Seen({"since": datetime.datetime.now(datetime.UTC).isoformat(), "seen": []})
        org = self._task.org_of(self._credential)
        users, problems = stored_users(self._task.store_options.open_without_keys(), self._names)
        self._find_users(org, {user.username.lower() for user in users})
        by_id: dict[str, list[StoredUser]] = defaultdict(list)
        for user in users:
            if user.username.lower() in self._ids:
                by_id[self._ids[user.username.lower()]].append(user)
        if not by_id:
            return Seen(cursor, problems=problems)
        since = datetime.datetime.fromisoformat(cursor["since"]) - OVERLAP
        rows = user_logins_since(org, by_id, since, limit=MAX_ROWS)
        with_token = {user_id: any(user.has_token for user in found) for user_id, found in by_id.items()}
        found = new_failures(rows, cursor["seen"], with_token)
        counts = self._count_failures(org, [failures.user_id for failures in found])
        events = [
            failure_event(user, failures, counts.get(failures.user_id))
            for failures in found
            for user in by_id[failures.user_id]
        ]
        return Seen(next_cursor(cursor, rows), events, problems)

    def _find_users(self, org: Org, usernames: set[str]) -> None:
        """Ask the org for users that it was not asked for before."""
        new = sorted(usernames - self._asked)
        for start in range(0, len(new), 100):
            some = new[start : start + 100]
            self._ids |= active_users(org, some)
            self._asked |= set(some)

    @staticmethod
    def _count_failures(org: Org, user_ids: Sequence[str]) -> dict[str, int]:
        few = list(dict.fromkeys(user_ids))[:MAX_COUNTED]
        return {user_id: failed_logins(logins_of(org, user_id, limit=COUNTED_ROWS)) for user_id in few}


LOGIN_FAILURES = Source(
    name=SOURCE,
    interval=60.0,
    spec={
        "credential": CONNECTION["credential"],
        "names": {"type": "list", "elements": "str"},
    },
    open=LoginFailures,
)
