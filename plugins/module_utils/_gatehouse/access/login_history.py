# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logged in from where, and whom a change of ranges would strand. Pure.

Source of the fields and which of them can be filtered: object reference of LoginHistory.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import OptionError
from ..org.client import Org
from ..ranges.model import MAX_DESCRIPTION, IpRange, parse_address
from .rules import Access, Result

HIDDEN = (
    "the login history shows one user at most, though others logged in; Salesforce shows their logins only to users "
    "with the permission Manage Users or Monitor Login History"
)
RECENT_ROWS = 50  # among so many last logins this run's own is looked for, as refused ones may have come after it


def observed_logins(org: Org, days: int, *, option: str = "days") -> list[Login]:
    """The successful logins of the last days. Without the permission to see all, Salesforce shows only one's own."""
    collected = org.query(logins_soql(days, option=option), into=collect)
    wanted = {way.user_id for way in collected}
    return with_users(collected, org.query(USERS_SOQL, into=functools.partial(users_among, wanted=wanted)))


def own_address(org: Org) -> str | None:
    """The address at which Salesforce saw the last login of this run's user; None where it does not tell.

    Of a session that was opened elsewhere, or by a user who logs in from many places, this may be another one's.
    """
    if org.user_id is None:
        return None
    last = org.query(
        f"SELECT SourceIp, Status FROM LoginHistory WHERE UserId = '{org.user_id}' "  # noqa: S608 - an id of the org
        f"ORDER BY LoginTime DESC LIMIT {RECENT_ROWS}"
    )
    return next((address for row in last if (address := address_of(row))), None)


def own_profile(org: Org) -> str | None:
    """The label of the profile of this run's user."""
    if org.user_id is None:
        return None
    found = org.query(f"{USERS_SOQL} WHERE Id = '{org.user_id}'")
    return next((user.profile for user in users_among(found, {org.user_id}).values()), None)


def is_partial(org: Org, logins: Collection[Login], days: int, *, option: str = "days") -> bool:
    """Whether the history lacks logins that there were: it shows one user at most, and the org tells of another."""
    shown = {login.user_id for login in logins}
    return len(shown) <= 1 and any(row["Id"] not in shown for row in org.query(last_users_soql(days, option=option)))


MAX_DAYS = 3650  # rules out what is hardly meant
# A browser is challenged, not asked for a token; OAuth flows but username-password bring no password. Whether the org
# tells values or labels is not documented without doubt, so these are the beginnings of both.
_WITHOUT_PASSWORD = ("Application", "Remote Access", "Oauth", "Saml", "Certificate", "Third", "Lightning")
_BY_PASSWORD_ANYWAY = "OauthUsernamePassword"  # noqa: S105 - the name of a flow
_NO_APPLICATION = ("", "N/A")


class LoginSource(NamedTuple):
    """A way in: one user, by one application, from one address."""

    user_id: str
    application: str
    address: str
    needs_token: bool


class User(NamedTuple):
    """What is told of a user: the user name, and the label of the profile."""

    name: str
    profile: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Logins of one user, by one application, from one address.

    Attributes:
        profile: its label; empty where the org does not tell.
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

    def as_result(self) -> dict[str, Any]:
        """The form in which modules return it."""
        return {
            "username": self.username,
            "profile": self.profile,
            "application": self.application,
            "address": self.address,
            "count": self.count,
            "last": self.last,
        }


def logins_soql(days: int, *, option: str = "days") -> str:
    """All logins of the last days. Status and application cannot be filtered by the org."""
    fields = "UserId, SourceIp, Application, LoginType, LoginSubType, Status, LoginTime"
    return f"SELECT {fields} FROM LoginHistory WHERE LoginTime >= {_since(days, option)}"  # noqa: S608 - a time


def last_users_soql(days: int, *, option: str = "days") -> str:
    """Two users who logged in within the last days, by what the org tells of users."""
    return f"SELECT Id FROM User WHERE LastLoginDate >= {_since(days, option)} LIMIT 2"  # noqa: S608 - a time


def _since(days: int, option: str) -> str:
    if not 1 <= days <= MAX_DAYS:
        raise OptionError(option, f"must be from 1 to {MAX_DAYS}, not {days}")
    return f"{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


USERS_SOQL = "SELECT Id, Username, Profile.Name FROM User"


def collect(rows: Iterable[Mapping[str, Any]]) -> dict[LoginSource, tuple[int, str]]:
    """Successful logins by their way in: how many, and the last. Keeps nothing of a row but what is new in it."""
    found: dict[LoginSource, tuple[int, str]] = {}
    for row in rows:
        address = address_of(row)
        if address is None:
            continue
        way = LoginSource(row["UserId"], row.get("Application") or "", address, _needs_token(row))
        count, last = found.get(way, (0, ""))
        found[way] = (count + 1, max(last, row.get("LoginTime") or ""))
    return found


def address_of(row: Mapping[str, Any]) -> str | None:
    """From where somebody got in; None where nobody did, and for Salesforce's own logins, which have texts there."""
    if str(row.get("Status")).lower() != "success":  # capitals vary
        return None
    try:
        return str(parse_address(row.get("SourceIp") or ""))
    except ValueError:
        return None


def users_among(rows: Iterable[Mapping[str, Any]], wanted: Collection[str]) -> dict[str, User]:
    """Those of the users whose ids are wanted."""
    return {
        row["Id"]: User(row.get("Username") or row["Id"], (row.get("Profile") or {}).get("Name") or "")
        for row in rows
        if row["Id"] in wanted
    }


def with_users(collected: Mapping[LoginSource, tuple[int, str]], users: Mapping[str, User]) -> list[Login]:
    """The collected logins with names, sorted by user and address."""
    logins = []
    for way, (count, last) in collected.items():
        user = users.get(way.user_id) or User(way.user_id, "")
        logins.append(
            Login(
                user_id=way.user_id,
                username=user.name,
                profile=user.profile,
                application=way.application,
                address=way.address,
                needs_token=way.needs_token,
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
        """The form in which modules return it."""
        return {**self.login.as_result(), "result": self.result, "reason": self.reason}


def stranded(logins: Iterable[Login], before: Mapping[str, Access], after: Mapping[str, Access]) -> list[Stranded]:
    """Those of the logins that fare worse after a change.

    Args:
        before, after: the rules by profile; a profile that is in neither is left out.
    """
    found = []
    for login in logins:
        if login.profile not in before:
            continue
        old, new = before[login.profile].login(login.address), after[login.profile].login(login.address)
        if new.result == "denied" != old.result or (
            login.needs_token and new.result == "token_required" and old.result == "allowed"
        ):
            found.append(Stranded(login, new.result, new.reason))
    return found


def smallest_cover(addresses: Iterable[str]) -> tuple[IpRange, ...]:
    """The fewest ranges that hold these addresses and no others."""
    numbers = sorted({(address.version, int(address)) for address in map(parse_address, addresses)})
    found: list[IpRange] = []
    for version, value in numbers:
        if found and found[-1].version == version and found[-1].last == value - 1:
            found[-1] = IpRange(version, found[-1].first, value)
        else:
            found.append(IpRange(version, value, value))
    return tuple(found)


def cover(logins: Iterable[Login]) -> tuple[IpRange, ...]:
    """The fewest ranges that let these logins in, each described by who uses it."""
    by_address: dict[tuple[int, int], list[Login]] = defaultdict(list)
    for login in logins:
        address = parse_address(login.address)
        by_address[address.version, int(address)].append(login)
    ranges = smallest_cover(login.address for used in by_address.values() for login in used)
    return tuple(
        dataclasses.replace(
            item,
            description=_described(
                login for value in range(item.first, item.last + 1) for login in by_address[item.version, value]
            ),
        )
        for item in ranges
    )


def _described(logins: Iterable[Login]) -> str:
    """Users and their applications, as many as a description holds."""
    applications: dict[str, set[str]] = defaultdict(set)
    for login in logins:
        applications[login.username] |= {login.application} - set(_NO_APPLICATION)
    told = {user: f" ({', '.join(sorted(names))})" if names else "" for user, names in sorted(applications.items())}
    return _fitting([user + names for user, names in told.items()]) or _fitting(list(told)) or f"{len(told)} users"


def _fitting(texts: list[str]) -> str | None:
    """As many of the texts as a description holds, and how many more there are."""
    for shown in range(min(len(texts), MAX_DESCRIPTION), 0, -1):
        more = f", and {len(texts) - shown} more" if shown < len(texts) else ""
        text = ", ".join(texts[:shown]) + more
        if len(text) <= MAX_DESCRIPTION:
            return text
    return None


def _needs_token(row: Mapping[str, Any]) -> bool:
    kind, flow = row.get("LoginType") or "", row.get("LoginSubType") or ""
    return flow == _BY_PASSWORD_ANYWAY or not kind.startswith(_WITHOUT_PASSWORD)
