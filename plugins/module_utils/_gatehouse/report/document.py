# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as a whole: made of what was collected, and written as and read from JSON. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import OptionError
from ..ranges.model import IpRange
from .changes import Change, find_changes
from .endings import Ending, find_endings
from .findings import Context, Finding, find
from .model import Credential, Org, fields_of, read_credential, read_org
from .policy import SEVERITIES, UNREADABLE, Rule

SCHEMA = 1  # of the JSON; one more whenever a key changes its meaning or goes


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Orgs as they were when they were read last, and since when each of their findings was known then."""

    orgs: tuple[Org, ...] = ()
    known: Mapping[tuple[str, str, str], str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a report says, in whatever form it is written.

    Attributes:
        generated: when, UTC.
        since: when the last report was generated; empty without one.
        kept: the last that is known of orgs that could not be read now, for the report after this one.
    """

    title: str
    generated: str
    since: str
    rules: Mapping[str, Rule]
    orgs: tuple[Org, ...]
    credentials: tuple[Credential, ...]
    findings: tuple[Finding, ...]
    endings: tuple[Ending, ...]
    changes: tuple[Change, ...]
    kept: Kept

    def count(self, severity: str) -> int:
        """Return how many findings of a severity there are."""
        return Counter(finding.severity for finding in self.findings)[severity]

    def at_least(self, severity: str) -> list[Finding]:
        """Return the findings that are at least as grave."""
        limit = SEVERITIES.index(severity)
        return [one for one in self.findings if SEVERITIES.index(one.severity) <= limit]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Previous:
    """The last report, as far as the next one needs it.

    Attributes:
        findings: the severity and the key of each finding.
        known: since when each of them is known, and those of orgs that could not be read then.
    """

    generated: str
    orgs: tuple[Org, ...]
    credentials: tuple[Credential, ...]
    findings: frozenset[tuple[str, ...]]
    known: Mapping[tuple[str, str, str], str]


def make_report(
    title: str,
    orgs: Sequence[Org],
    credentials: Sequence[Credential],
    rules: Mapping[str, Rule],
    *,
    now: datetime.datetime,
    shared: Sequence[IpRange] = (),
    previous: Previous | None = None,
) -> Report:
    """Derive all that a report says; raises OptionError for declared ranges that cannot be used."""
    endings = find_endings(orgs, credentials, now.date())
    context = Context(rules=rules, now=now, shared=shared, known=previous.known if previous else {})
    return Report(
        title=title,
        generated=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        since=previous.generated if previous else "",
        rules=rules,
        orgs=tuple(orgs),
        credentials=tuple(credentials),
        findings=find(orgs, credentials, endings, context),
        endings=endings,
        changes=find_changes(
            orgs, credentials, previous.orgs if previous else (), previous.credentials if previous else ()
        ),
        kept=_keep(orgs, previous) if previous else Kept(),
    )


def _keep(orgs: Iterable[Org], previous: Previous) -> Kept:
    """Return what the last report knew of the orgs that could not be read now."""
    unread = {org.name for org in orgs if org.problem is not None}
    return Kept(
        orgs=tuple(org for org in previous.orgs if org.name in unread and org.problem is None),
        known={key: since for key, since in previous.known.items() if key[1] in unread and key[0] != UNREADABLE},
    )


def to_json(report: Report) -> str:
    """Write a report as JSON, which read_previous() reads; docs/report.md documents its keys."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "title": report.title,
            "generated": report.generated,
            "since": report.since or None,
            "summary": {severity: report.count(severity) for severity in SEVERITIES if severity != "off"},
            "findings": [fields_of(one) for one in report.findings],
            "endings": [fields_of(one) for one in report.endings],
            "changes": [fields_of(one) for one in report.changes],
            "credentials": [_credential(one) for one in report.credentials],
            "orgs": [_org(one) for one in report.orgs],
            "kept": {
                "orgs": [_org(one) for one in report.kept.orgs],
                "findings": [
                    {"rule": rule, "org": org, "subject": subject, "since": since}
                    for (rule, org, subject), since in report.kept.known.items()
                ],
            },
        },
        separators=(",", ":"),
    )


def read_previous(text: str, option: str) -> Previous:
    """Read the JSON of an earlier report; raises OptionError where it is none, or of another schema."""
    try:
        found = json.loads(text)
        if found["schema"] != SCHEMA:
            raise OptionError(option, f"is of schema {found['schema']}, and not of {SCHEMA}; move it away")
        kept = found["kept"]
        read = [one for one in found["orgs"] if one["access"]]
        return Previous(
            generated=str(found["generated"]),
            orgs=tuple(read_org(one, f"{option}.orgs") for one in [*read, *kept["orgs"]]),
            credentials=tuple(read_credential(one, f"{option}.credentials") for one in found["credentials"]),
            findings=frozenset((one["severity"], *_key(one)) for one in found["findings"]),
            known={_key(one): str(one["since"]) for one in [*kept["findings"], *found["findings"]]},
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise OptionError(option, f"is no report that this collection has written ({type(exc).__name__})") from None


def _key(finding: Mapping[str, Any]) -> tuple[str, str, str]:
    return finding["rule"], finding["org"], finding["subject"]


def _org(org: Org) -> dict[str, Any]:
    """Return an org in the form that read_org() reads; what is declared is not a part of it."""
    if org.problem is not None:
        return {"name": org.name, "access": None, "msg": org.problem}
    return {
        "name": org.name,
        "org": {"id": org.id, "host": org.host, "user": org.user},
        "access": {
            "collected": org.collected,
            "days": org.days,
            "requests": org.requests,
            "trusted_ip_ranges": [item.as_result() for item in org.trusted],
            "profiles": [
                {
                    "profile": one.profile,
                    "name": one.name,
                    "users": one.users,
                    "usernames": one.usernames,
                    "login_ip_ranges": [item.as_result() for item in one.login_ip_ranges],
                }
                for one in org.profiles
            ],
            "session_settings": dict(org.session_settings),
            "logins": [fields_of(one) for one in org.logins],
            "logins_complete": org.logins_complete,
            "logins_by_day": [fields_of(one) for one in org.logins_by_day],
            "range_changes": [fields_of(one) for one in org.range_changes],
            "omitted": [fields_of(one) for one in org.omitted],
        },
    }


def _credential(one: Credential) -> dict[str, Any]:
    fields = fields_of(one)
    result, cause = fields.pop("result"), fields.pop("cause")
    consumers = [fields_of(consumer) for consumer in one.consumers]
    return {**fields, "consumers": consumers, "verification": {"result": result, "cause": cause}}
