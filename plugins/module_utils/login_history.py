# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logged in from where, and whom a change of ranges would strand. Pure. Private to gatehouse.salesforce.

Source of the fields and which of them can be filtered: object reference of LoginHistory.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .access import Access, Result
from .ranges import IpRange, parse_address

# A browser is challenged, not asked for a token; OAuth flows but username-password bring no password.
_WITHOUT_PASSWORD = ("Remote Access", "Oauth", "Saml", "Certificate", "Third Party", "Lightning")
_BY_PASSWORD_ANYWAY = "OauthUsernamePassword"  # noqa: S105 - the name of a flow


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """Logins of one user, by one application, from one address.

    Attributes:
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


def logins_soql(since: datetime.datetime) -> str:
    """All logins since a time. Status and application cannot be filtered by the org."""
    moment = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = "UserId, SourceIp, Application, LoginType, LoginSubType, Status, LoginTime"
    return f"SELECT {fields} FROM LoginHistory WHERE LoginTime >= {moment}"  # noqa: S608 - a time, made here


USERS_SOQL = "SELECT Id, Username, Profile.Name FROM User"


def collect(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str, bool], tuple[int, str]]:
    """Successful logins by user, application, address and kind: how many, and the last. Takes rows one by one."""
    found: dict[tuple[str, str, str, bool], tuple[int, str]] = {}
    for row in rows:
        address = _address(row.get("SourceIp"))
        if row.get("Status") != "Success" or address is None:
            continue
        key = (row["UserId"], row.get("Application") or "", address, _needs_token(row))
        count, last = found.get(key, (0, ""))
        found[key] = (count + 1, max(last, row.get("LoginTime") or ""))
    return found


def with_users(
    collected: Mapping[tuple[str, str, str, bool], tuple[int, str]], users: Iterable[Mapping[str, Any]]
) -> list[Login]:
    """The collected logins with names, sorted by user and address."""
    named = {row["Id"]: row for row in users}
    logins = []
    for (user_id, application, address, needs_token), (count, last) in collected.items():
        user = named.get(user_id, {})
        logins.append(
            Login(
                user_id=user_id,
                username=user.get("Username") or user_id,
                profile=(user.get("Profile") or {}).get("Name") or "",
                application=application,
                address=address,
                needs_token=needs_token,
                count=count,
                last=last,
            )
        )
    return sorted(logins, key=lambda login: (login.username, login.address, login.application))


@dataclasses.dataclass(frozen=True)
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


def smallest_cover(addresses: Collection[str]) -> tuple[IpRange, ...]:
    """The fewest ranges that hold these addresses and no others."""
    numbers: dict[int, set[int]] = {4: set(), 6: set()}
    for text in addresses:
        address = parse_address(text)
        numbers[address.version].add(int(address))
    found: list[IpRange] = []
    for version, values in numbers.items():
        for value in sorted(values):
            if found and found[-1].version == version and found[-1].last == value - 1:
                found[-1] = IpRange(version, found[-1].first, value)
            else:
                found.append(IpRange(version, value, value))
    return tuple(found)


def _address(text: Any) -> str | None:
    """Salesforce's own logins have texts such as C(Salesforce.com IP) where others have addresses."""
    try:
        return str(parse_address(text or ""))
    except ValueError:
        return None


def _needs_token(row: Mapping[str, Any]) -> bool:
    kind, flow = row.get("LoginType") or "", row.get("LoginSubType") or ""
    if flow == _BY_PASSWORD_ANYWAY:
        return True
    return kind != "Application" and not any(kind.startswith(name) for name in _WITHOUT_PASSWORD)
