# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source access_changes: somebody has changed an org's IP ranges by hand."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..access.audit_trail import RangeChange, range_changes
from ..access.profiles import Profiles
from ..access.range_lists import TrustedRanges, all_login_ranges
from ..errors import LoginError, LoginUnansweredError, NoResponseError, OptionError, OrgError
from ..org.client import Org
from ..org.queries import audit_rows
from ..task.context import Task
from ..task.options import CONNECTION
from .memory import Cursor, Event, Seen, make_event, printable
from .source import Source, Watch
from .stored_users import stored_users

SOURCE = "access_changes"
TRUSTED = ""  # the name of the org-wide list among those of profiles
OVERLAP = datetime.timedelta(minutes=2)
COMPARE_SECONDS = 900.0  # between two comparisons where the audit trail shows nothing new
MAX_TEXT = 200
Lists = Mapping[str, Sequence[str]]


class Difference(NamedTuple):
    """What differs in one list: that of a profile, or TRUSTED."""

    profile: str
    added: list[str]
    removed: list[str]


def differences(before: Lists, after: Lists) -> list[Difference]:
    """Return what differs, list by list."""
    found = []
    for profile in sorted({*before, *after}):
        old, new = set(before.get(profile, ())), set(after.get(profile, ()))
        if old != new:
            found.append(Difference(profile, sorted(new - old), sorted(old - new)))
    return found


def without_own(difference: Difference, own: Iterable[RangeChange]) -> Difference:
    """Return what is left of a difference that this collection's own users have not made, by the audit trail.

    A row whose text does not say which range it is about explains nothing.
    """
    made = {(str(change.range), change.added) for change in own if change.range}
    return Difference(
        difference.profile,
        [item for item in difference.added if (item, True) not in made],
        [item for item in difference.removed if (item, False) not in made],
    )


def change_events(left: Iterable[Difference], others: Sequence[RangeChange], moment: str) -> list[Event]:
    """Return an event for each list that differs, and for each change in the audit trail that left no difference.

    Args:
        moment: since when it may have been changed.
    """
    events, explained = list[Event](), set[int]()
    for difference in left:
        changed = {*difference.added, *difference.removed}
        if not changed:
            continue
        by = [one for one in others if one.range is None or str(one.range) in changed]
        explained |= {id(one) for one in by}
        events.append(
            make_event(
                SOURCE,
                *(difference.profile, difference.added, difference.removed, moment),
                ranges="login" if difference.profile != TRUSTED else "trusted",
                profile=difference.profile or None,
                added=difference.added,
                removed=difference.removed,
                who=sorted({one.who for one in by}),
                when=max((one.when for one in by), default=None),
                text=printable(by[-1].text, MAX_TEXT) if by else None,
            )
        )
    for one in others:
        if id(one) not in explained:
            item = [str(one.range)] if one.range else []
            events.append(
                make_event(
                    SOURCE,
                    *(one.user_id, one.when, one.text),
                    ranges=None,
                    profile=None,
                    added=item if one.added else [],
                    removed=item if one.added is False else [],
                    who=[one.who],
                    when=one.when,
                    text=printable(one.text, MAX_TEXT),
                )
            )
    return events


def _moment(row: Mapping[str, Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(str(row["CreatedDate"])).astimezone(datetime.UTC)


class AccessChanges(Watch):
    """Looks at an org's audit trail and, when that shows something or from time to time, at its lists."""

    def __init__(self, options: Mapping[str, Any], task: Task) -> None:
        if not options["credential"]:
            raise OptionError("credential", "is required; it needs the permission to read IP ranges")
        self._credential: str = options["credential"]
        self._task = task
        self._compared = 0.0

    def look(self, cursor: Cursor | None) -> Seen:
        """Return the changes by others since the last look."""
        org = self._task.org_of(self._credential)
        if cursor is None:
            now = datetime.datetime.now(datetime.UTC).isoformat()
            return Seen({"since": now, "seen": [], "lists": self._read(org), "doubt": []})
        since = datetime.datetime.fromisoformat(cursor["since"])
        rows, problem = _audit_rows(org, since - OVERLAP)
        changes = range_changes(row for row in rows if row["Id"] not in cursor["seen"])
        lists: dict[str, list[str]] = cursor["lists"]
        if changes or cursor["doubt"] or time.monotonic() - self._compared >= COMPARE_SECONDS:
            lists = self._read(org)
        own_names, problems = self._own_names()
        own = [change for change in changes if change.who.lower() in own_names]
        others = [change for change in changes if change.who.lower() not in own_names]
        left = [without_own(difference, own) for difference in differences(cursor["lists"], lists)]
        # The trail may show a change a little later than the list does: the next look decides whose it is.
        doubt = [] if problem or others else [one.profile for one in left if one.added or one.removed]
        doubt = [profile for profile in doubt if profile not in cursor["doubt"]]
        events = change_events((one for one in left if one.profile not in doubt), others, cursor["since"])
        known = {**lists, **{profile: cursor["lists"].get(profile, []) for profile in doubt}}
        latest = max([since, *map(_moment, rows)])
        seen = [row["Id"] for row in rows if _moment(row) >= latest - OVERLAP]
        after = {"since": latest.isoformat(), "seen": seen, "lists": known, "doubt": doubt}
        return Seen(after, events, [*problems, *([problem] if problem else [])])

    def _own_names(self) -> tuple[set[str], list[str]]:
        """Return the users of this collection, in lower case: all that the store has; and what cannot be read of it."""
        users, problems = stored_users(self._task.store_options.open_without_keys(), None)
        return {user.username.lower() for user in users}, problems

    def _read(self, org: Org) -> dict[str, list[str]]:
        lists = {TRUSTED: TrustedRanges(org).read().ranges, **all_login_ranges(org, Profiles(org))}
        self._compared = time.monotonic()
        return {profile: sorted(map(str, ranges)) for profile, ranges in lists.items()}


def _audit_rows(org: Org, since: datetime.datetime) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of the audit trail, and why it cannot be read; the lists are compared all the same."""
    try:
        rows = audit_rows(org, since)
    except (LoginError, LoginUnansweredError, NoResponseError):
        raise
    except OrgError as exc:
        return [], f"the audit trail cannot be read, so who has changed a list is not known: {exc}"
    return [row for row in rows if row.get("Id") and row.get("CreatedDate")], None


ACCESS_CHANGES = Source(name=SOURCE, interval=60.0, spec={"credential": CONNECTION["credential"]}, open=AccessChanges)
