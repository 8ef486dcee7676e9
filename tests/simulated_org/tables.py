# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables that can be queried, over the records of an org."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from . import ids
from .errors import ApiError
from .sessions import Caller
from .soql import Field, Getter, Table
from .state import ADMIN_PERMISSIONS, AuditRow, LoginRow, Org, Profile, User

# Permissions that are fields of Profile and PermissionSet; there is one for each permission.
PERMISSIONS = sorted(ADMIN_PERMISSIONS | {"ApiUserOnly", "PasswordNeverExpires", "TwoFactorApi"})

LOGIN_TYPE_LABELS = {
    "Application": "Application",
    "Partner": "Partner Product",
    "OtherApi": "Other Apex API",
    "Oauth2": "Remote Access 2.0",
    "Oauth": "Remote Access Client",
}


def _constant(value: Any) -> Getter:
    return lambda row: value


def login_history(org: Org) -> Table:
    """Which fields can be filtered is CONFIRMED, but for SourceIp; none but the user's id is related."""
    labelled = org.switches.login_type == "label"

    def login_type(row: LoginRow) -> str:
        return LOGIN_TYPE_LABELS.get(row.login_type, row.login_type) if labelled else row.login_type

    fields = {
        "Id": Field(attrgetter("id")),
        "UserId": Field(attrgetter("user_id")),
        "LoginTime": Field(attrgetter("login_time")),
        "LoginType": Field(login_type),
        "SourceIp": Field(attrgetter("source_ip"), filterable=org.switches.source_ip_filterable, like=False),
        "LoginUrl": Field(attrgetter("login_url")),
        "AuthenticationServiceId": Field(_constant(None)),
        "Status": Field(attrgetter("status"), filterable=False),
        "Application": Field(attrgetter("application"), filterable=False),
        "ApiType": Field(attrgetter("api_type"), filterable=False),
        "ApiVersion": Field(attrgetter("api_version"), filterable=False),
        "ClientVersion": Field(attrgetter("client_version"), filterable=False),
        "Browser": Field(_constant("Unknown"), filterable=False),
        "Platform": Field(_constant("Unknown"), filterable=False),
        "TlsProtocol": Field(_constant("TLS 1.3")),
        "CipherSuite": Field(_constant("TLS_AES_256_GCM_SHA384")),
        "CountryIso": Field(_constant(None)),
        "NetworkId": Field(_constant("000000000000000AAA")),
        "OptionsIsGet": Field(lambda row: not row.is_post),
        "OptionsIsPost": Field(attrgetter("is_post")),
        "LoginGeoId": Field(_constant(None), filterable=False),
        "LoginSubType": Field(attrgetter("login_sub_type"), filterable=False),
        "AuthMethodReference": Field(_constant(None), filterable=False),
        "ForwardedForIp": Field(_constant(None), filterable=False),
    }
    return Table("LoginHistory", fields, attrgetter("id"))


def audit_trail(org: Org) -> Table:
    def author(row: AuditRow) -> User | None:
        return org.users.get(row.created_by_id)

    def author_field(name: str, default: Any = None) -> Getter:
        return lambda row: getattr(author(row), name, default)

    fields = {
        "Id": Field(attrgetter("id")),
        "Action": Field(attrgetter("action")),
        "Section": Field(attrgetter("section"), filterable=False),
        "Display": Field(attrgetter("display"), filterable=False),
        "CreatedDate": Field(attrgetter("created_date")),
        "CreatedById": Field(attrgetter("created_by_id")),
        "CreatedBy.Id": Field(attrgetter("created_by_id")),
        "CreatedBy.Name": Field(author_field("name", "Automated Process")),
        "CreatedBy.Username": Field(author_field("username", "autoproc")),
        "CreatedByContext": Field(_constant(None), filterable=False),
        "CreatedByIssuer": Field(_constant(None), filterable=False),
        "DelegateUser": Field(_constant(None), filterable=False),
    }
    return Table("SetupAuditTrail", fields, attrgetter("id"))


def users(org: Org) -> Table:
    def profile(row: User) -> Profile:
        return org.profiles[row.profile_id]

    fields = {
        "Id": Field(attrgetter("id")),
        "Username": Field(attrgetter("username")),
        "Name": Field(attrgetter("name")),
        "FirstName": Field(attrgetter("first_name")),
        "LastName": Field(attrgetter("last_name")),
        "Email": Field(attrgetter("email")),
        "IsActive": Field(attrgetter("active")),
        "UserType": Field(_constant("Standard")),
        "ProfileId": Field(attrgetter("profile_id")),
        "Profile.Id": Field(attrgetter("profile_id")),
        "Profile.Name": Field(lambda row: profile(row).label),
        "CreatedDate": Field(attrgetter("created")),
        "LastLoginDate": Field(attrgetter("last_login")),
        "LastPasswordChangeDate": Field(attrgetter("password_changed")),
    }
    return Table("User", fields, attrgetter("id"))


def profiles(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "Name": Field(attrgetter("label")),
        "Description": Field(attrgetter("description")),
        "UserType": Field(_constant("Standard")),
        **_permission_fields("", attrgetter("permissions")),
    }
    return Table("Profile", fields, attrgetter("id"))


def _permission_fields(prefix: str, held: Getter) -> dict[str, Field]:
    def holds(permission: str) -> Getter:
        return lambda row: permission in held(row)

    return {f"{prefix}Permissions{one}": Field(holds(one)) for one in PERMISSIONS}


@dataclass(frozen=True)
class Assignment:
    """What a user is granted: by its profile, which is a permission set, too, or beyond it."""

    id: str
    user: User
    profile: Profile
    by_profile: bool

    @property
    def permissions(self) -> set[str]:
        return self.profile.permissions if self.by_profile else self.user.permissions

    @property
    def label(self) -> str:
        return self.profile.label if self.by_profile else "More Permissions"


def assignments(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "AssigneeId": Field(attrgetter("user.id")),
        "Assignee.Username": Field(attrgetter("user.username")),
        "Assignee.Profile.Name": Field(attrgetter("profile.label")),
        "PermissionSet.Label": Field(attrgetter("label")),
        "PermissionSet.IsOwnedByProfile": Field(attrgetter("by_profile")),
        "PermissionSet.Profile.Name": Field(lambda row: row.profile.label if row.by_profile else None),
        **_permission_fields("PermissionSet.", attrgetter("permissions")),
    }
    return Table("PermissionSetAssignment", fields, attrgetter("id"))


def organizations(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "Name": Field(attrgetter("name")),
        "IsSandbox": Field(attrgetter("sandbox")),
        "InstanceName": Field(_constant("SIM0")),
        "OrganizationType": Field(_constant("Enterprise Edition")),
    }
    return Table("Organization", fields, attrgetter("id"))


def _login_rows(caller: Caller) -> Iterable[LoginRow]:
    """Everyone sees their own rows; all rows need Manage Users or Monitor Login History (CONFIRMED)."""
    if caller.permissions & {"ManageUsers", "MonitorLoginHistory"}:
        return list(caller.org.login_history)
    return [row for row in caller.org.login_history if row.user_id == caller.user.id]


def _audit_rows(caller: Caller) -> Iterable[AuditRow]:
    needed = caller.org.switches.audit_trail_permission
    if needed != "none" and needed not in caller.permissions:
        raise _unsupported("SetupAuditTrail")
    return list(caller.org.audit_trail)


def _assignment_rows(caller: Caller) -> Iterable[Assignment]:
    """Who may see them is CONFIRMED; the answer to others is not."""
    if not caller.permissions & {"ViewSetup", "AssignPermissionSets", "ManageUsers"}:
        raise _unsupported("PermissionSetAssignment")
    profiles_by_id = caller.org.profiles
    return [
        Assignment(
            ids.long_id(f"{ids.ASSIGNMENT}{user.id[3:14]}{int(by_profile)}"),
            user,
            profiles_by_id[user.profile_id],
            by_profile,
        )
        for user in caller.org.users.values()
        for by_profile in (True, False)
        if by_profile or user.permissions
    ]


_TABLES: dict[str, tuple[Callable[[Org], Table], Callable[[Caller], Iterable[Any]]]] = {
    "loginhistory": (login_history, _login_rows),
    "setupaudittrail": (audit_trail, _audit_rows),
    "user": (users, lambda caller: list(caller.org.users.values())),
    "profile": (profiles, lambda caller: list(caller.org.profiles.values())),
    "permissionsetassignment": (assignments, _assignment_rows),
    "organization": (organizations, lambda caller: [caller.org]),
}


def _unsupported(name: str) -> ApiError:
    return ApiError("INVALID_TYPE", f"sObject type '{name}' is not supported.")


def find(caller: Caller, name: str) -> tuple[Table, Iterable[Any]]:
    """A table and the rows of it that the caller may see."""
    if name.lower() not in _TABLES:
        raise _unsupported(name)
    table, rows = _TABLES[name.lower()]
    return table(caller.org), rows(caller)
