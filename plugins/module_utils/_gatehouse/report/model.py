# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is collected for a report, as it is read back from the modules that collect it. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..errors import OptionError
from ..ranges.model import IpRange, parse_address, parse_range

T = TypeVar("T")
# The parts of what is collected, as Omission.what names those that the org has not shown.
TRUSTED, LOGIN_RANGES, USERS, SETTINGS = "trusted IP ranges", "login IP ranges", "users", "session settings"
LABELS = "labels of profiles"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Successful logins of one user, by one application, way and API version, from one address.

    Attributes:
        access: what a login by password meets from there now: allowed, token_required, denied, or unknown.
        last: when the last one was, as Salesforce writes it.
    """

    username: str
    profile: str
    application: str
    way: str
    api_version: str
    address: str
    access: str
    count: int
    last: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One profile: how many active users it has, some of their names, and from where they may log in.

    Attributes:
        profile: its label, where it is known by that.
        name: its metadata name.
    """

    profile: str
    name: str
    users: int
    usernames: tuple[str, ...]
    login_ip_ranges: tuple[IpRange, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RangeChange:
    """One row of the audit trail about ranges; C(range) and C(added) are None where its text does not say."""

    when: str
    who: str
    text: str
    range: str | None
    added: bool | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Omission:
    """What the report lacks of an org, why, and which permission would show it."""

    what: str
    problem: str
    permission: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """How many logins there were on a day, UTC, by one way."""

    day: str
    way: str
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What the inventory declares of an org; None where it says nothing.

    Attributes:
        trusted: the trusted ranges.
        profiles: for each profile its ranges and the state of the list.
        state: what is to become of ranges that are not declared.
        credentials: the names of the credentials that are to be stored.
    """

    trusted: tuple[Any, ...] | None = None
    profiles: tuple[tuple[str, tuple[Any, ...], str], ...] = ()
    state: str = "present"
    credentials: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Org:
    """One org as it was collected; one that could not be read has only its name and the problem."""

    name: str
    problem: str | None = None
    id: str = ""
    host: str = ""
    user: str = ""
    collected: str = ""
    days: int = 0
    requests: int = 0
    trusted: tuple[IpRange, ...] = ()
    profiles: tuple[Profile, ...] = ()
    session_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    logins: tuple[Login, ...] = ()
    logins_complete: bool = False
    logins_by_day: tuple[DayCount, ...] = ()
    range_changes: tuple[RangeChange, ...] = ()
    omitted: tuple[Omission, ...] = ()
    declared: Declared = dataclasses.field(default_factory=Declared)

    def hides(self, *parts: str) -> bool:
        """Return whether the org has not shown one of these parts, so that nothing may be said about it."""
        return any(omission.what in parts for omission in self.omitted)

    def lists(self) -> Iterator[tuple[str, tuple[IpRange, ...], tuple[Login, ...]]]:
        """Yield each list of ranges: its title, its ranges, and the logins that it concerns."""
        yield TRUSTED, self.trusted, self.logins
        by_profile: dict[str, list[Login]] = {}
        for login in self.logins:
            by_profile.setdefault(login.profile, []).append(login)
        for profile in self.profiles:
            if profile.login_ip_ranges:
                logins = tuple(by_profile.get(profile.profile, ()))
                yield f"login IP ranges of {profile.profile}", profile.login_ip_ranges, logins


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """A file on a host that contains a credential, and whether it may not be the current version."""

    consumer: str
    version: int
    outdated: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A stored credential, of whose secrets nothing is known here."""

    name: str
    auth: str
    username: str
    login_url: str
    version: int
    updated: str
    verified: str | None
    secret_since: str | None
    result: str
    cause: str
    consumers: tuple[Consumer, ...]


def read_org(given: Mapping[str, Any], where: str) -> Org:
    """Read one org, as the option C(orgs) has it; raises OptionError for what no module has returned."""
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise OptionError(f"{where}.name", "must be the name of the org")
    access, identity = given.get("access"), given.get("org") or {}
    try:
        declared = _declared(given.get("declared") or {})
        if not access:
            return Org(name=name, problem=str(given.get("msg") or "nothing was collected"), declared=declared)
        org = Org(
            name=name,
            id=identity.get("id") or "",
            host=identity.get("host") or "",
            user=identity.get("user") or "",
            collected=access["collected"],
            days=access["days"],
            requests=access["requests"],
            trusted=_ranges(access["trusted_ip_ranges"]),
            profiles=tuple(
                _checked(
                    Profile(
                        profile=row["profile"],
                        name=row["name"],
                        users=row["users"],
                        usernames=tuple(map(str, row["usernames"])),
                        login_ip_ranges=_ranges(row["login_ip_ranges"]),
                    )
                )
                for row in access["profiles"]
            ),
            session_settings=dict(access["session_settings"]),
            logins=_rows(Login, access["logins"]),
            logins_complete=access["logins_complete"],
            logins_by_day=_rows(DayCount, access["logins_by_day"]),
            range_changes=_rows(RangeChange, access["range_changes"]),
            omitted=_rows(Omission, access["omitted"]),
            declared=declared,
        )
        moment(org.collected)
        return _checked(org)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise OptionError(where, f"is not what org_access_info has returned ({type(exc).__name__}: {exc})") from None


def read_credential(given: Mapping[str, Any], where: str) -> Credential:
    """Read one credential as credential_info returns it; raises OptionError for anything else."""
    try:
        verification = given.get("verification") or {}
        credential = Credential(
            name=given["name"],
            auth=given["auth"],
            username=given["username"] or "",
            login_url=given["login_url"] or "",
            version=given["version"],
            updated=given["updated"],
            verified=given["verified"],
            secret_since=given.get("secret_since"),
            result=verification.get("result") or "",
            cause=verification.get("cause") or "",
            consumers=_rows(Consumer, given["consumers"]),
        )
        if credential.secret_since is not None:
            moment(credential.secret_since)
        return _checked(credential)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise OptionError(where, f"is not what credential_info has returned ({type(exc).__name__}: {exc})") from None


def moment(text: str) -> datetime.datetime:
    """Return a time, such as Salesforce and this collection write them; raises ValueError."""
    time = datetime.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def fields_of(one: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name; unlike asdict(), with the values as they are, which is faster."""
    return {name: getattr(one, name) for name in _names(one)}


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)


def _rows(kind: type[T], rows: Iterable[Mapping[str, Any]]) -> tuple[T, ...]:
    names = _names(kind)
    return tuple(_checked(kind(**{name: row[name] for name in names})) for row in rows)


def _checked(one: T) -> T:
    """Return what was made of data, if its texts, numbers and times are such; raises TypeError or ValueError."""
    made: Any = type(one)
    for name, kind in _simple_types(made).items():
        if not isinstance(getattr(one, name), kind):
            raise TypeError(f"{name} is a {type(getattr(one, name)).__name__}")
    if isinstance(one, Login):
        moment(one.last)
        parse_address(one.address)
    return one


@functools.cache
def _simple_types(kind: type) -> dict[str, Any]:
    """Return the fields of a dataclass that isinstance() can check."""
    hints = typing.get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if hint in (str, int, bool, str | None, bool | None)}


def _ranges(rows: Iterable[Mapping[str, Any]]) -> tuple[IpRange, ...]:
    return tuple(sorted(parse_range(row["range"], row.get("description")) for row in rows))


def _declared(given: Mapping[str, Any]) -> Declared:
    trusted, state = given.get("trusted_ip_ranges"), given.get("state") or "present"
    return Declared(
        trusted=None if trusted is None else tuple(trusted),
        profiles=tuple(
            (row["profile"], tuple(row["ranges"]), row.get("state") or state)
            for row in given.get("login_ip_ranges") or ()
        ),
        state=state,
        credentials=tuple(given.get("credentials") or ()),
    )
