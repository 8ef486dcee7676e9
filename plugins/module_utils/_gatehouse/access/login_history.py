# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read who logged in from where, and find the logins that a change of ranges would strand."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from ..errors import OptionError
from ..org.client import Org
from ..org.queries import User, logins_of, logins_since, read_user, read_users, users_logged_in_since
from ..ranges.model import MAX_DESCRIPTION, IpRange, parse_address
from .rules import Access, Result

HIDDEN = (
    "the login history shows one user at most, though others logged in; Salesforce shows their logins only to users "
    "with the permission Manage Users or Monitor Login History"
)
RECENT_ROWS = 50  # among so many last logins this run's own is looked for, as refused ones may have come after it
MAX_DAYS = 3650  # more is hardly meant
Way = Literal["soap_login", "username_password_flow", "oauth", "browser", "single_sign_on", "other"]
# Those that bring a password through the API, and so are asked for a token; named as their ends are (retirement.py).
BY_PASSWORD: tuple[Way, ...] = ("soap_login", "username_password_flow")
# A browser is challenged, not asked for a token; OAuth flows but username-password bring no password. Whether the org
# returns values or labels is not documented without doubt, so these are the beginnings of both.
_WAYS: Mapping[str, Way] = {
    "Application": "browser",
    "Remote Access": "oauth",
    "Oauth": "oauth",
    "Saml": "single_sign_on",
    "Third": "single_sign_on",
    "Certificate": "other",
    "Lightning": "other",
}
_BY_PASSWORD_ANYWAY = "OauthUsernamePassword"  # noqa: S105 - the name of a flow
_NO_APPLICATION = ("", "N/A")


def check_days(days: int, option: str) -> None:
    """Raise OptionError for what is no number of days to look back."""
    if not 1 <= days <= MAX_DAYS:
        raise OptionError(option, f"must be from 1 to {MAX_DAYS}, not {days}")


def observed_logins(org: Org, days: int, *, option: str = "days") -> list[Login]:
    """Return the successful logins of the last days, summed up.

    Without the permission to see all, Salesforce returns only those of one's own user: see is_partial().
    """
    summed = logins_since(org, since(days, option), sum_up)
    return with_users(summed, read_users(org, {source.user_id for source in summed}))


def is_partial(org: Org, logins: Collection[Login], days: int, *, option: str = "days") -> bool:
    """Whether the history lacks logins that there were: it shows one user at most, and the org knows of another."""
    shown = {login.user_id for login in logins}
    if len(shown) > 1:
        return False
    return not shown.issuperset(users_logged_in_since(org, since(days, option), limit=2))


def own_address(org: Org) -> str | None:
    """Return the address at which Salesforce saw the last login of this run's user; None where it does not say.

    Of a session that was opened elsewhere, or by a user who logs in from many places, this may be another one's.
    """
    if org.user_id is None:
        return None
    rows = logins_of(org, org.user_id, limit=RECENT_ROWS)
    return next((address for row in rows if (address := address_of(row))), None)


def own_profile(org: Org) -> str | None:
    """Return the label of the profile of this run's user; None where the org does not say."""
    user = None if org.user_id is None else read_user(org, org.user_id)
    return user.profile if user else None


def since(days: int, option: str) -> datetime.datetime:
    """Return the time so many days ago; raises OptionError for what is no number of days."""
    check_days(days, option)
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)


class LoginSource(NamedTuple):
    """Where logins come from: one user, by one application, from one address."""

    user_id: str
    application: str
    address: str
    needs_token: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Logins of one user, by one application, from one address.

    Attributes:
        profile: its label; empty where the org does not return it.
        needs_token: whether this kind of login is asked for the security token outside of trusted addresses.
        count: how many there were.
        last: when the last one was, as Salesforce writes it.
    """

    user_id: str
    username: str
    profile: str
    application: str
    address: str
    needs_token: bool
    count: int
    last: str

    @property
    def shown_application(self) -> str:
        """The application in a sentence; clients need not give their name."""
        return "an unnamed application" if self.application in _NO_APPLICATION else self.application

    def as_result(self) -> dict[str, Any]:
        """Return the form in which modules show it."""
        return {
            "username": self.username,
            "profile": self.profile,
            "application": self.application,
            "address": self.address,
            "count": self.count,
            "last": self.last,
        }


def sum_up(rows: Iterable[Mapping[str, Any]]) -> dict[LoginSource, tuple[int, str]]:
    """Count successful logins by their source, with the time of the last. Keeps nothing of a row but what is new."""
    summed: dict[LoginSource, tuple[int, str]] = {}
    for row in rows:
        address = address_of(row)
        if address is None:
            continue
        source = LoginSource(row["UserId"], row.get("Application") or "", address, way_of(row) in BY_PASSWORD)
        count, last = summed.get(source, (0, ""))
        summed[source] = (count + 1, max(last, row.get("LoginTime") or ""))
    return summed


def address_of(row: Mapping[str, Any]) -> str | None:
    """Return the address of a successful login; None for others, and for Salesforce's own, which have a text there."""
    if str(row.get("Status")).lower() != "success":  # capitals vary
        return None
    try:
        return str(parse_address(row.get("SourceIp") or ""))
    except ValueError:
        return None


def with_users(summed: Mapping[LoginSource, tuple[int, str]], users: Mapping[str, User]) -> list[Login]:
    """Return the logins with the names of their users, sorted by user and address."""
    logins = []
    for source, (count, last) in summed.items():
        user = users.get(source.user_id) or User(source.user_id, source.user_id, "")
        logins.append(
            Login(
                user_id=source.user_id,
                username=user.username,
                profile=user.profile,
                application=source.application,
                address=source.address,
                needs_token=source.needs_token,
                count=count,
                last=last,
            )
        )
    return sorted(logins, key=lambda login: (login.username, login.address, login.application, login.needs_token))


@dataclasses.dataclass(frozen=True, slots=True)
class Stranded:
    """Logins that a change would deny, or ask for a token that they did not need before."""

    login: Login
    result: Result
    reason: str

    def as_result(self) -> dict[str, Any]:
        """Return the form in which modules show it."""
        return {**self.login.as_result(), "result": self.result, "reason": self.reason}


def stranded(logins: Iterable[Login], before: Mapping[str, Access], after: Mapping[str, Access]) -> list[Stranded]:
    """Return those of the logins that fare worse after a change.

    Args:
        before, after: the rules by profile; a profile that is in neither is left out.
    """
    worse = []
    for login in logins:
        if login.profile not in before:
            continue
        old, new = before[login.profile].login(login.address), after[login.profile].login(login.address)
        if new.result == "denied" != old.result or (
            login.needs_token and new.result == "token_required" and old.result == "allowed"
        ):
            worse.append(Stranded(login, new.result, new.reason))
    return worse


def smallest_cover(addresses: Iterable[str]) -> tuple[IpRange, ...]:
    """Return the fewest ranges that contain these addresses and no others."""
    numbers = sorted({(address.version, int(address)) for address in map(parse_address, addresses)})
    ranges: list[IpRange] = []
    for version, value in numbers:
        if ranges and ranges[-1].version == version and ranges[-1].last == value - 1:
            ranges[-1] = IpRange(version, ranges[-1].first, value)
        else:
            ranges.append(IpRange(version, value, value))
    return tuple(ranges)


def cover(logins: Iterable[Login]) -> tuple[IpRange, ...]:
    """Return the fewest ranges that contain the addresses of these logins, each described by who uses it."""
    by_address: dict[tuple[int, int], list[Login]] = defaultdict(list)
    for login in logins:
        address = parse_address(login.address)
        by_address[address.version, int(address)].append(login)
    ranges = smallest_cover(login.address for used in by_address.values() for login in used)
    return tuple(
        dataclasses.replace(
            item,
            description=_describe(
                login for value in range(item.first, item.last + 1) for login in by_address[item.version, value]
            ),
        )
        for item in ranges
    )


def _describe(logins: Iterable[Login]) -> str:
    """Name users and their applications, as many as fit into a description."""
    applications: dict[str, set[str]] = defaultdict(set)
    for login in logins:
        applications[login.username] |= {login.application} - set(_NO_APPLICATION)
    texts = {user: f" ({', '.join(sorted(names))})" if names else "" for user, names in sorted(applications.items())}
    return _fit([user + names for user, names in texts.items()]) or _fit(list(texts)) or f"{len(texts)} users"


def _fit(texts: list[str]) -> str | None:
    """Join as many of the texts as fit into a description, and say how many more there are."""
    for shown in range(min(len(texts), MAX_DESCRIPTION), 0, -1):
        more = f", and {len(texts) - shown} more" if shown < len(texts) else ""
        text = ", ".join(texts[:shown]) + more
        if len(text) <= MAX_DESCRIPTION:
            return text
    return None


def way_of(row: Mapping[str, Any]) -> Way:
    """Return the way of a login. What is none of the others came by password through the API, which only SOAP takes."""
    kind = row.get("LoginType") or ""
    if row.get("LoginSubType") == _BY_PASSWORD_ANYWAY:
        return "username_password_flow"
    return next((way for beginning, way in _WAYS.items() if kind.startswith(beginning)), "soap_login")
