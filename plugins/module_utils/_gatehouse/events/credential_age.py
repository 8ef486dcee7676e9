# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source credential_age: what ends or grows too old in the next days."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..access.profiles import Profiles
from ..access.range_lists import TrustedRanges, all_login_ranges
from ..auth.retirement import retirements
from ..credentials.credential import RENEWED
from ..credentials.serialisation import PublicFields, refuse_malformed
from ..durations import parse_duration
from ..errors import CredentialNotFoundError, DamagedRecordError, OptionError
from ..oauth_app.read import read_apps
from ..org.client import Org
from ..ranges.model import IpRange
from ..ranges.temporary_access import expiry
from ..task.context import Task
from .memory import Cursor, Event, Seen, make_event
from .source import Source, Watch

SOURCE = "credential_age"
NEAR, DUE = "near", "due"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ending:
    """Something that ends on a day.

    Attributes:
        what: C(secret_age), C(temporary_access), C(certificate), or a retirement as credential_info names it.
        subject: what ends: a credential, an app or a range.
        date: of the end.
        to_do: the way out.
    """

    what: str
    subject: str
    date: datetime.date
    to_do: str
    credential: str | None = None
    username: str | None = None
    certainty: str = "confirmed"


def secret_ending(fields: PublicFields, max_age: datetime.timedelta) -> Ending | None:
    """Return when a stored credential's token, key or app's secret is as old as allowed; None without one."""
    secret = RENEWED.get(fields["auth"], "security_token")
    if secret not in fields["secrets"]:
        return None
    since = datetime.datetime.fromisoformat(fields["secret_since"] or fields["updated"])
    return Ending(
        what="secret_age",
        subject=f"{secret} of {fields['name']}",
        date=(since + max_age).date(),
        to_do="rotate it, by the playbook rotate",
        credential=fields["name"],
        username=fields["username"],
    )


def retirement_endings(fields: PublicFields, today: datetime.date) -> Iterator[Ending]:
    """Yield what Salesforce has announced for a stored credential."""
    for end in retirements(fields["auth"], fields["verified"], today):
        yield Ending(
            what=end["what"],
            subject=fields["name"],
            date=datetime.date.fromisoformat(end["date"]),
            to_do=end["change"],
            credential=fields["name"],
            username=fields["username"],
            certainty=end["date_grade"],
        )


def range_endings(where: str, ranges: Iterable[IpRange]) -> Iterator[Ending]:
    """Yield when temporary access ends."""
    for item in ranges:
        until = expiry(item)
        if until is not None:
            to_do = "renew it, or let it end and run the playbook sweep"
            yield Ending(what="temporary_access", subject=f"{item} in {where}", date=until.date(), to_do=to_do)


def near_endings(
    endings: Iterable[Ending], reported: Mapping[str, Any], today: datetime.date, warn_days: int
) -> tuple[list[Event], dict[str, str]]:
    """Return an event for each end that has come near, or has come, since it was reported last.

    Returns:
        The events, and what has been reported: the day of each end, by the event's id, without what ends no more.
    """
    events, known = [], {}
    for end in sorted(endings, key=lambda end: (end.date, end.subject)):
        left = (end.date - today).days
        if left > warn_days:
            continue
        stage = NEAR if left > 0 else DUE
        event = make_event(
            SOURCE,
            *(end.what, end.subject, end.date, stage),
            what=end.what,
            stage=stage,
            subject=end.subject,
            credential=end.credential,
            username=end.username,
            date=end.date.isoformat(),
            days_left=left,
            certainty=end.certainty,
            to_do=end.to_do,
        )
        known[event["id"]] = end.date.isoformat()
        if event["id"] not in reported:
            events.append(event)
    return events, known


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Options:
    names: list[str] | None
    max_age: datetime.timedelta | None
    warn_days: int
    apps: list[str]


class CredentialAge(Watch):
    """Looks at the store and, if there is a credential for it, at an org."""

    def __init__(
        self, options: Mapping[str, Any], task: Task, now: Callable[[], datetime.datetime] | None = None
    ) -> None:
        self._task = task
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._options = _Options(
            names=options["names"],
            max_age=parse_duration(options["max_age"], "max_age") if options["max_age"] else None,
            warn_days=options["warn_days"],
            apps=options["apps"],
        )
        if options["warn_days"] < 0:
            raise OptionError("warn_days", "must not be negative")
        if options["apps"] and not options["credential"]:
            raise OptionError("apps", "needs a credential that may read the org")

    def look(self, cursor: Cursor | None) -> Seen:
        """Return the ends that have come near since the last look."""
        today = self._now().date()
        stored, problems = self._read_stored(today)
        endings = [*stored, *(self._read_org() if self._task.credential else ())]
        reported = (cursor or {}).get("reported", {})
        events, known = near_endings(endings, reported, today, self._options.warn_days)
        return Seen({"reported": known}, events, problems)

    def _read_stored(self, today: datetime.date) -> tuple[list[Ending], list[str]]:
        """Return the ends of stored credentials, and which of them cannot be read."""
        store = self._task.store_options.open_without_keys()
        endings, problems = list[Ending](), list[str]()
        for name in self._options.names if self._options.names is not None else store.names():
            try:
                with refuse_malformed(name):
                    fields = store.read_public(name)
                    secret = secret_ending(fields, self._options.max_age) if self._options.max_age else None
                    endings += [*([secret] if secret else []), *retirement_endings(fields, today)]
            except (CredentialNotFoundError, DamagedRecordError) as exc:
                problems.append(str(exc))
        return endings, problems

    def _read_org(self) -> Iterator[Ending]:
        org = self._task.org_of(str(self._task.credential))
        yield from range_endings("the trusted IP ranges", TrustedRanges(org).read().ranges)
        for label, ranges in all_login_ranges(org, Profiles(org)).items():
            yield from range_endings(f"the login IP ranges of {label}", ranges)
        yield from self._read_certificates(org)

    def _read_certificates(self, org: Org) -> Iterator[Ending]:
        for name, app in read_apps(org, self._options.apps).items() if self._options.apps else ():
            if app.certificate:
                to_do = "rotate the key, by rotate_keys of the playbook rotate"
                yield Ending(what="certificate", subject=name, date=app.certificate.expires.date(), to_do=to_do)


CREDENTIAL_AGE = Source(
    name=SOURCE,
    interval=3600.0,
    spec={
        "names": {"type": "list", "elements": "str"},
        "max_age": {"type": "str"},
        "warn_days": {"type": "int", "default": 14},
        "credential": {"type": "str"},
        "apps": {"type": "list", "elements": "str", "default": []},
    },
    open=CredentialAge,
)
