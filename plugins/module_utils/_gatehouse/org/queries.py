# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every read of an org by SOQL, and the only place where SOQL is written, but for the Tooling API.

Source of the fields, and of which of them can be filtered: the object reference.
"""

# ruff: noqa: S608 - each value in a query went through literal(), or is a time or a number
from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypedDict, TypeVar, overload

from ..auth.protocol import org_id_of
from ..errors import OrgError

T = TypeVar("T")
MAX_LISTED = 200  # values in a condition, whose length is limited
_USER_FIELDS = "Id, Username, Profile.Name, LastPasswordChangeDate"


class Queryable(Protocol):
    """An org, as far as queries need it."""

    @overload
    def query(self, soql: str) -> list[dict[str, Any]]: ...

    @overload
    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], T]) -> T: ...

    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], Any] = list) -> Any:
        """Return the records of a SOQL query, or what C(into) makes of them while they come in."""


class User(NamedTuple):
    """One user of an org.

    Attributes:
        profile: the label of the profile; empty where the org does not return it.
        password_changed: when the password was changed last, as Salesforce writes it; None where it is not returned.
    """

    id: str
    username: str
    profile: str
    password_changed: str | None = None


class LoginRow(TypedDict, total=False):
    """One row of LoginHistory. Salesforce's own logins have a text in place of an address."""

    Id: str
    UserId: str
    SourceIp: str | None
    Application: str | None
    ApiVersion: str | None
    LoginType: str | None
    LoginSubType: str | None
    Status: str | None
    LoginTime: str


class AuditRow(TypedDict, total=False):
    """One row of SetupAuditTrail."""

    Id: str
    Action: str | None
    Section: str | None
    Display: str | None
    CreatedDate: str | None
    CreatedById: str | None
    CreatedBy: Mapping[str, Any] | None


def literal(text: str) -> str:
    """Return a text as a SOQL string, quoted."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def moment(time: datetime.datetime) -> str:
    """Return a time as SOQL writes it, in whole seconds."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(org: Queryable, soql: str, into: Callable[[Iterator[dict[str, Any]]], T]) -> T:
    """Return what C(into) makes of the records; raise OrgError when they are not what was asked for."""
    try:
        return org.query(soql, into=into)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OrgError("the org answered the query with records that lack what was asked for") from None


def find_user(org: Queryable, username: str) -> User | None:
    """Return the user of that name; None where there is none, or this user may not see it."""
    return _first_user(org, f"Username = {literal(username)}")


def read_user(org: Queryable, user_id: str) -> User | None:
    """Return the user of that id; None where this user may not see it."""
    return _first_user(org, f"Id = {literal(user_id)}")


def _first_user(org: Queryable, condition: str) -> User | None:
    users = _read(org, f"SELECT {_USER_FIELDS} FROM User WHERE {condition}", lambda rows: list(map(_user, rows)))
    return users[0] if users else None


def read_users(org: Queryable, ids: Collection[str]) -> dict[str, User]:
    """Return users by their ids, of which there may be more than fit into a query."""

    def among(rows: Iterable[Mapping[str, Any]]) -> dict[str, User]:
        return {row["Id"]: _user(row) for row in rows if row["Id"] in ids}

    return _read(org, "SELECT Id, Username, Profile.Name FROM User", among)


def _user(row: Mapping[str, Any]) -> User:
    profile = (row.get("Profile") or {}).get("Name") or ""
    return User(row["Id"], str(row.get("Username") or row["Id"]), str(profile), row.get("LastPasswordChangeDate"))


def all_users(org: Queryable) -> dict[str, tuple[User, bool]]:
    """Return all users by their ids, each with whether it is active."""
    return _read(
        org,
        "SELECT Id, Username, Profile.Name, IsActive FROM User",
        lambda rows: {row["Id"]: (_user(row), row["IsActive"] is True) for row in rows},
    )


def users_logged_in_since(org: Queryable, since: datetime.datetime, *, limit: int) -> list[str]:
    """Return the ids of some users who logged in since then, as User says it, whatever LoginHistory shows."""
    soql = f"SELECT Id FROM User WHERE LastLoginDate >= {moment(since)} LIMIT {limit}"
    return _read(org, soql, lambda rows: [row["Id"] for row in rows])


def logins_since(org: Queryable, since: datetime.datetime, into: Callable[[Iterator[Any]], T]) -> T:
    """Return what C(into) makes of the rows of LoginHistory since then, the latest first.

    Status and application cannot be filtered.

    Without the permission Manage Users or Monitor Login History, Salesforce returns only the rows of one's own user.
    """
    fields = "UserId, SourceIp, Application, ApiVersion, LoginType, LoginSubType, Status, LoginTime"
    latest_first = f"WHERE LoginTime >= {moment(since)} ORDER BY LoginTime DESC"
    return _read(org, f"SELECT {fields} FROM LoginHistory {latest_first}", into)


def user_logins_since(
    org: Queryable, user_ids: Collection[str], since: datetime.datetime, *, limit: int
) -> list[dict[str, Any]]:
    """Return the first rows of LoginHistory (LoginRow) of these users since then, in their order."""
    among = f" AND UserId IN ({', '.join(map(literal, sorted(user_ids)))})" if len(user_ids) <= MAX_LISTED else ""
    rows = org.query(
        "SELECT Id, UserId, SourceIp, Application, Status, LoginTime FROM LoginHistory "
        f"WHERE LoginTime >= {moment(since)}{among} ORDER BY LoginTime LIMIT {limit}"
    )
    return [row for row in rows if row.get("Id") and row.get("LoginTime")]


def logins_of(
    org: Queryable, user_id: str, *, limit: int, since: datetime.datetime | None = None
) -> list[dict[str, Any]]:
    """Return a user's last rows of LoginHistory (LoginRow), the latest first."""
    after = f" AND LoginTime >= {moment(since)}" if since else ""
    return org.query(
        f"SELECT SourceIp, Status, LoginTime FROM LoginHistory WHERE UserId = {literal(user_id)}{after} "
        f"ORDER BY LoginTime DESC LIMIT {limit}"
    )


def profile_labels(org: Queryable) -> dict[str, str]:
    """Return the labels of the profiles that this user may see, by the first 15 characters of their ids."""
    return _read(org, "SELECT Id, Name FROM Profile", lambda rows: {row["Id"][:15]: str(row["Name"]) for row in rows})


def permission_givers(org: Queryable, username: str, permission: str) -> list[str]:
    """Return what gives a permission to a user: "by the profile X", "by the permission set Y".

    Args:
        permission: the name of its field without C(Permissions), such as C(ApiUserOnly).
    """
    soql = (
        "SELECT PermissionSet.Label, PermissionSet.IsOwnedByProfile, PermissionSet.Profile.Name "
        f"FROM PermissionSetAssignment WHERE Assignee.Username = {literal(username)} "
        f"AND PermissionSet.Permissions{permission} = true"
    )
    return _read(org, soql, lambda rows: list(dict.fromkeys(_giver(row.get("PermissionSet") or {}) for row in rows)))


def permission_givers_by_name(org: Queryable, username: str, permissions: Collection[str]) -> dict[str, list[str]]:
    """Return the same for several permissions, by their names.

    Raises OrgError, also where the org does not have one of them.
    """
    fields = ", ".join(f"PermissionSet.Permissions{name}" for name in permissions)
    soql = (
        f"SELECT PermissionSet.Label, PermissionSet.IsOwnedByProfile, PermissionSet.Profile.Name, {fields} "
        f"FROM PermissionSetAssignment WHERE Assignee.Username = {literal(username)}"
    )
    rows = _read(org, soql, lambda rows: [row["PermissionSet"] for row in rows])
    return {
        name: list(dict.fromkeys(_giver(row) for row in rows if row.get(f"Permissions{name}") is True))
        for name in permissions
    }


def _giver(permission_set: Mapping[str, Any]) -> str:
    if permission_set.get("IsOwnedByProfile"):
        return f"by the profile {(permission_set.get('Profile') or {}).get('Name')}"
    return f"by the permission set {permission_set.get('Label')}"


def find_org_id(org: Queryable) -> str:
    """Return the first 15 characters of the org's id, as access tokens begin with them; raises OrgError without one."""
    found = org_id_of(f"{_first_id(org, 'SELECT Id FROM Organization')}!")
    if found is None:
        raise OrgError("the org does not say which org it is")
    return found


def is_developer_edition(org: Queryable) -> bool:
    """Whether the org is a Developer Edition."""
    rows = org.query("SELECT OrganizationType FROM Organization")
    return any(row.get("OrganizationType") == "Developer Edition" for row in rows)


def audit_rows(org: Queryable, since: datetime.datetime) -> list[dict[str, Any]]:
    """Return the rows of the Setup Audit Trail (AuditRow) since then, the second included, in their order."""
    fields = "Id, Action, Section, Display, CreatedDate, CreatedById, CreatedBy.Username"
    return org.query(
        f"SELECT {fields} FROM SetupAuditTrail WHERE CreatedDate >= {moment(since)} ORDER BY CreatedDate, Id"
    )


def active_users(org: Queryable, usernames: Collection[str]) -> dict[str, str]:
    """Return the ids of those of the users who exist and are active, by their names in lower case."""
    names = ", ".join(map(literal, usernames))
    soql = f"SELECT Id, Username FROM User WHERE Username IN ({names}) AND IsActive = true"
    return _read(org, soql, lambda rows: {str(row["Username"]).lower(): str(row["Id"]) for row in rows})


def external_client_app_id(org: Queryable, name: str) -> str | None:
    """Return the id of the External Client App of that API name; None where there is none."""
    return _first_id(org, f"SELECT Id FROM ExternalClientApplication WHERE DeveloperName = {literal(name)}")


def find_permission_set(org: Queryable, name: str) -> tuple[str, str] | None:
    """Return the id and the description of the permission set of that API name; None where there is none."""
    soql = f"SELECT Id, Description FROM PermissionSet WHERE Name = {literal(name)}"
    rows = _read(org, soql, lambda rows: [(str(row["Id"]), str(row.get("Description") or "")) for row in rows])
    return rows[0] if rows else None


def permission_set_members(org: Queryable, set_id: str) -> dict[str, str]:
    """Return the names of the users who have a permission set, and the ids of their assignments."""
    soql = f"SELECT Id, Assignee.Username FROM PermissionSetAssignment WHERE PermissionSetId = {literal(set_id)}"
    return _read(org, soql, lambda rows: {str(row["Assignee"]["Username"]): str(row["Id"]) for row in rows})


def opens_entity(org: Queryable, set_id: str, entity_id: str) -> bool:
    """Return whether a permission set opens something of Setup, such as an app."""
    where = f"ParentId = {literal(set_id)} AND SetupEntityId = {literal(entity_id)}"
    return _first_id(org, f"SELECT Id FROM SetupEntityAccess WHERE {where}") is not None


def _first_id(org: Queryable, soql: str) -> str | None:
    ids = _read(org, soql, lambda rows: [str(row["Id"]) for row in rows])
    return ids[0] if ids else None
