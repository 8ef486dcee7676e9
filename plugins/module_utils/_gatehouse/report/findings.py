# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what is against the rules, in what was collected. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ..access.login_history import BY_PASSWORD
from ..errors import OptionError
from ..ranges.lint import lint
from ..ranges.model import IpRange, unique
from ..ranges.plan import RangePlan
from ..ranges.temporary_access import expiry, has_expired, parse_entries, plan_temporary
from .endings import Ending
from .model import LABELS, LOGIN_RANGES, TRUSTED, USERS, Credential, Login, Org, moment
from .policy import LINT_RULES, SEVERITIES, UNREADABLE, Rule

SHOWN = 3  # users in a text


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something against a rule.

    Attributes:
        org: the name of the org; empty for what belongs to none, such as a credential of the store.
        subject: what it is about; with rule and org it tells a finding from all others.
        since: the day from which it is known, in UTC.
    """

    rule: str
    severity: str
    org: str
    subject: str
    text: str
    since: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by from one report to the next."""
        return (self.rule, self.org, self.subject)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What findings depend on beside what was collected.

    Attributes:
        shared: ranges that many customers share, such as clouds publish.
        known: since when the last report knew each finding, by its key.
    """

    rules: Mapping[str, Rule]
    now: datetime.datetime
    shared: Sequence[IpRange] = ()
    known: Mapping[tuple[str, str, str], str] = dataclasses.field(default_factory=dict)


# What a check yields: rule, subject, text, and since when, where that is known better than by the last report.
_Found: TypeAlias = "tuple[str, str, str, str | None]"


def find(
    orgs: Iterable[Org], credentials: Iterable[Credential], endings: Iterable[Ending], context: Context
) -> tuple[Finding, ...]:
    """Return all findings of rules that are not off, the gravest first."""
    stored = list(credentials)
    found: list[Finding] = []
    for org in orgs:
        found += _findings(org.name, _of_org(org, stored, context), context)
    for credential in stored:
        found += _findings("", _of_credential(credential, context), context)
    by_org: dict[str, list[Ending]] = {}
    for ending in endings:
        by_org.setdefault(ending.org, []).append(ending)
    for name, listed in by_org.items():
        found += _findings(name, _of_endings(listed, context), context)
    return tuple(sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.org, one.rule, one.subject)))


def _findings(org: str, found: Iterable[_Found], context: Context) -> Iterator[Finding]:
    for rule, subject, text, since in found:
        severity = context.rules[rule].severity
        if severity != "off":
            day = since or context.known.get((rule, org, subject)) or context.now.date().isoformat()
            yield Finding(rule=rule, severity=severity, org=org, subject=subject, text=text, since=day)


def _of_org(org: Org, credentials: Sequence[Credential], context: Context) -> Iterator[_Found]:
    if org.problem is not None:
        yield UNREADABLE, org.name, org.problem, None
        return
    for omission in org.omitted:
        needs = f"; the permission to see it is {omission.permission}" if omission.permission else ""
        yield "permission", omission.what, f"{omission.what}: {omission.problem}{needs}", None
    for title, ranges, logins in org.lists():
        yield from _of_ranges(title, ranges, _seen(org, title, logins), context)
    for title, plan in drift(org, context.now):
        yield from _of_plan(title, plan)
    names = {credential.name for credential in credentials}
    for name in org.declared.credentials:
        if name not in names:
            yield "drift", f"credential {name}", f"the credential {name} is declared, and not stored", None
    yield from _of_sessions(org, context.rules["session_setting"])
    yield from _of_password_logins(org, context.rules["password_login"])


def _seen(org: Org, title: str, logins: Iterable[Login]) -> list[tuple[str, datetime.datetime]]:
    """Return the addresses and times of logins, for lint(); none where logins, or whose they are, are not all known."""
    if not org.logins_complete or (title != TRUSTED and org.hides(USERS, LABELS)):
        return []
    start = moment(org.collected) - datetime.timedelta(days=org.days)
    # The first is no address, and says from when on all logins are known.
    return [("", start), *((login.address, moment(login.last)) for login in logins)]


def _of_ranges(
    title: str, ranges: Sequence[IpRange], seen: list[tuple[str, datetime.datetime]], context: Context
) -> Iterator[_Found]:
    prefixes = context.rules["wide_range"].limits
    doubts = lint(
        ranges,
        max_size={4: 2 ** (32 - prefixes["ipv4_prefix"]), 6: 2 ** (128 - prefixes["ipv6_prefix"])},
        shared=context.shared,
        logins=seen,
        unused_days=context.rules["unused_range"].limits["days"],
        now=context.now,
    )
    for doubt in doubts:
        # Of two entries the later one is the one too many; of an entry and a cloud's block, the entry.
        entry = doubt.entries[-1] if doubt.code in ("duplicate", "overlap") else doubt.entries[0]
        yield LINT_RULES[doubt.code], f"{title}: {entry}", f"{title}: {doubt.text}", None
    for item in ranges:
        until = expiry(item)
        if until is not None and has_expired(item, context.now):
            text = f"{title}: {item} was to be open until {until:%Y-%m-%d %H:%M} UTC, and is still there"
            yield "expired_range", f"{title}: {item}", text, until.date().isoformat()


def drift(org: Org, now: datetime.datetime) -> Iterator[tuple[str, RangePlan]]:
    """Yield, by list, what a run would change in an org to what is declared; raises OptionError for bad ranges.

    A list that the org has not shown is left out.
    """
    declared = org.declared
    if declared.trusted is not None and not org.hides(TRUSTED):
        yield TRUSTED, _plan(org.trusted, declared.trusted, declared.state, now, f"{org.name}: trusted_ip_ranges")
    for name, entries, state in () if org.hides(LOGIN_RANGES) else declared.profiles:
        current = next((one.login_ip_ranges for one in org.profiles if name in (one.profile, one.name)), None)
        if current is not None or not org.hides(LABELS):
            plan = _plan(current or (), entries, state, now, f"{org.name}: login_ip_ranges")
            yield f"login IP ranges of {name}", plan


def _plan(
    current: Sequence[IpRange], entries: Sequence[Any], state: str, now: datetime.datetime, option: str
) -> RangePlan:
    if state not in ("present", "absent", "exact"):
        raise OptionError(option, f"state must be present, absent or exact, not {state!r}")
    declared, at_least = parse_entries(entries, now, option=option)
    return plan_temporary(current, unique(declared, option=option), state, now=now, at_least=at_least)


def _of_plan(title: str, plan: RangePlan) -> Iterator[_Found]:
    for items, what in (
        (plan.added, "is declared, and not there"),
        (plan.removed, "is there, and not declared so"),
        (plan.updated, "has another description than declared"),
    ):
        for item in items:
            yield "drift", f"{title}: {item}", f"{title}: {item} {what}", None


def _of_sessions(org: Org, rule: Rule) -> Iterator[_Found]:
    for name, wanted in (rule.limits["require"] or {}).items():
        actual = org.session_settings.get(name)
        if actual != wanted:
            shown = "is not shown" if actual is None else f"is {actual}"
            yield "session_setting", str(name), f"the session setting {name} {shown}, and must be {wanted}", None


def _of_password_logins(org: Org, rule: Rule) -> Iterator[_Found]:
    after = rule.limits["after"]
    if after is None:
        return
    last: dict[str, str] = {}
    for login in org.logins:
        if login.way in BY_PASSWORD and login.last[:10] > after:
            last[login.username] = max(last.get(login.username, ""), login.last)
    for username, when in sorted(last.items()):
        yield "password_login", username, f"{username} logged in by password through the API on {when[:10]}", None


def _of_credential(credential: Credential, context: Context) -> Iterator[_Found]:
    name = credential.name
    if credential.result == "failed":
        yield "refused_credential", name, f"the last login with the credential {name} was refused", None
    days = context.rules["old_secret"].limits["days"]
    if credential.secret_since is not None:
        age = (context.now - moment(credential.secret_since)).days
        if age > days:
            since = (moment(credential.secret_since) + datetime.timedelta(days=days)).date().isoformat()
            yield "old_secret", name, f"the secret of the credential {name} is {age} days old", since
    for consumer in credential.consumers:
        if consumer.outdated:
            text = f"{consumer.consumer} has version {consumer.version} of {name}, and {credential.version} is current"
            yield "outdated_consumer", f"{name}: {consumer.consumer}", text, None


def _of_endings(endings: Sequence[Ending], context: Context) -> Iterator[_Found]:
    """Yield one finding for each end that is near; the table of endings has the logins one by one."""
    by_what: dict[str, list[Ending]] = {}
    for ending in endings:
        if ending.days_left <= context.rules["ending_login"].limits["days"]:
            by_what.setdefault(ending.what, []).append(ending)
    for what, listed in by_what.items():
        first, users = listed[0], {ending.username for ending in listed}
        some = ", ".join(sorted(users)[:SHOWN]) + (f" and {len(users) - SHOWN} more" if len(users) > SHOWN else "")
        days = abs(first.days_left)
        left = f"{days} day{'' if days == 1 else 's'} {'left' if first.days_left >= 0 else 'over'}"
        text = f"{first.why}: {some}; counted to {first.date} ({first.date_grade}), {left}. To do: {first.change}"
        yield "ending_login", what, text, None
