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
from .apps import ExternalClientApp, Part
from .errors import ApiError
from .schemas import APP, OAUTH, OAUTH_POLICY
from .sessions import Caller
from .soql import Field, Getter, Table
from .state import ADMIN_PERMISSIONS, AuditRow, LoginRow, Org, PermissionSet, Profile, User

# Permissions that are fields of Profile and PermissionSet; there is one for each permission.
PERMISSIONS = frozenset(
    ADMIN_PERMISSIONS
    | {
        "ApiUserOnly",
        "AssignPermissionSets",
        "ExternalClientAppAdmin",
        "ExternalClientAppDeveloper",
        "ExternalClientAppViewer",
        "PasswordNeverExpires",
        "TwoFactorApi",
        "ViewClientSecret",
    }
)

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
        **_permission_fields(org, "", attrgetter("permissions")),
    }
    return Table("Profile", fields, attrgetter("id"))


def permissions_of(org: Org) -> list[str]:
    """Return the names of the permissions that an org has."""
    return sorted(PERMISSIONS if org.switches.use_any_api_auth_exists else PERMISSIONS - {"UseAnyApiAuth"})


def _permission_fields(org: Org, prefix: str, held: Getter) -> dict[str, Field]:
    def holds(permission: str) -> Getter:
        return lambda row: permission in held(row)

    return {f"{prefix}Permissions{one}": Field(holds(one)) for one in permissions_of(org)}


@dataclass(frozen=True)
class Assignment:
    """What a user is granted: by its profile, which is a permission set, too, by another one, or beyond both."""

    id: str
    user: User
    profile: Profile
    granted: PermissionSet
    by_profile: bool = False


def assignments(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "AssigneeId": Field(attrgetter("user.id")),
        "Assignee.Id": Field(attrgetter("user.id")),
        "Assignee.Username": Field(attrgetter("user.username")),
        "Assignee.IsActive": Field(attrgetter("user.active")),
        "Assignee.Profile.Name": Field(attrgetter("profile.label")),
        "PermissionSetId": Field(attrgetter("granted.id")),
        "PermissionSet.Id": Field(attrgetter("granted.id")),
        "PermissionSet.Name": Field(attrgetter("granted.name")),
        "PermissionSet.Label": Field(attrgetter("granted.label")),
        "PermissionSet.IsOwnedByProfile": Field(attrgetter("by_profile")),
        "PermissionSet.Profile.Name": Field(lambda row: row.profile.label if row.by_profile else None),
        **_permission_fields(org, "PermissionSet.", attrgetter("granted.permissions")),
    }
    return Table("PermissionSetAssignment", fields, attrgetter("id"))


def permission_sets(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "Name": Field(attrgetter("name")),
        "Label": Field(attrgetter("label")),
        "Description": Field(attrgetter("description")),
        "IsOwnedByProfile": Field(lambda row: row.id.startswith(_profile_set_id(""))),
        **_permission_fields(org, "", attrgetter("permissions")),
    }
    return Table("PermissionSet", fields, attrgetter("id"))


def _profile_set_id(profile_id: str) -> str:
    """Return the id of the permission set that a profile is, too."""
    short = f"{ids.PERMISSION_SET}Pr{profile_id[5:15]}"
    return ids.long_id(short) if profile_id else short


def _profile_set(profile: Profile) -> PermissionSet:
    set_id = _profile_set_id(profile.id)
    return PermissionSet(set_id, f"X{set_id[:15]}", profile.label, permissions=profile.permissions)


def _set_rows(caller: Caller) -> Iterable[PermissionSet]:
    return [*map(_profile_set, caller.org.profiles.values()), *caller.org.grants.sets.values()]


@dataclass(frozen=True)
class Access:
    """A permission set that opens an app."""

    id: str
    granted: PermissionSet
    entity: str


def accesses(org: Org) -> Table:
    """Make the table SetupEntityAccess; the type of an External Client App is REPORTED."""
    fields = {
        "Id": Field(attrgetter("id")),
        "ParentId": Field(attrgetter("granted.id")),
        "Parent.Name": Field(attrgetter("granted.name")),
        "SetupEntityId": Field(attrgetter("entity")),
        "SetupEntityType": Field(_constant("ExternalClientApplication")),
    }
    return Table("SetupEntityAccess", fields, attrgetter("id"))


def _access_rows(caller: Caller) -> Iterable[Access]:
    grants = caller.org.grants
    return [
        Access(row, grants.sets[one], entity) for row, (one, entity) in grants.accesses.items() if one in grants.sets
    ]


@dataclass(frozen=True)
class Component:
    """A component of an External Client App, with the app."""

    org: Org
    app: ExternalClientApp
    part: Part

    def value(self, name: str) -> Any:
        text = self.part.values.get(name)
        return {"true": True, "false": False}.get(text or "", text)

    def id_of(self, kind: str) -> str | None:
        part = self.app.parts.get(kind)
        return part.id if part else None


def _component_rows(kind: str) -> Callable[[Caller], Iterable[Component]]:
    def rows(caller: Caller) -> Iterable[Component]:
        if not caller.org.external_client_apps_enabled:
            raise _unsupported(kind)
        apps = caller.org.external_client_apps.values()
        return [Component(caller.org, app, app.parts[kind]) for app in apps if kind in app.parts]

    return rows


def _component_table(name: str, *elements: str, **fields: Getter) -> Callable[[Org], Table]:
    """Make a table whose columns are called after the elements (CONFIRMED for those that are here)."""

    def value(element: str) -> Getter:
        return lambda row: row.value(element)

    def table(org: Org) -> Table:
        shown = {
            "Id": Field(attrgetter("part.id")),
            "DeveloperName": Field(attrgetter("part.name")),
            "MasterLabel": Field(lambda row: row.value("label") or row.part.name),
            "CreatedById": Field(attrgetter("part.author_id")),
            "CreatedDate": Field(attrgetter("part.created")),
            "LastModifiedDate": Field(attrgetter("part.changed")),
            **{f"{one[0].upper()}{one[1:]}": Field(value(one)) for one in elements},
            **{one: Field(get) for one, get in fields.items()},
        }
        return Table(name, shown, attrgetter("part.id"))

    return table


def organizations(org: Org) -> Table:
    fields = {
        "Id": Field(attrgetter("id")),
        "Name": Field(attrgetter("name")),
        "IsSandbox": Field(attrgetter("sandbox")),
        "InstanceName": Field(_constant("SIM0")),
        "OrganizationType": Field(attrgetter("organization_type")),
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
    rows, sets = [], {one.id: _profile_set(one) for one in caller.org.profiles.values()}
    for user in caller.org.users.values():
        profile = caller.org.profiles[user.profile_id]
        beyond = PermissionSet("", "More", "More Permissions", permissions=user.permissions)
        rows.append(Assignment(_assignment_id(user, 1), user, profile, sets[profile.id], by_profile=True))
        rows += [Assignment(_assignment_id(user, 0), user, profile, beyond)] if user.permissions else []
    for row, (set_id, user_id) in caller.org.grants.assignments.items():
        user, one = caller.org.users[user_id], caller.org.grants.sets.get(set_id)
        rows += [Assignment(row, user, caller.org.profiles[user.profile_id], one)] if one else []
    return rows


def _assignment_id(user: User, place: int) -> str:
    return ids.long_id(f"{ids.ASSIGNMENT}{user.id[3:14]}{place}")


_TABLES: dict[str, tuple[Callable[[Org], Table], Callable[[Caller], Iterable[Any]]]] = {
    "loginhistory": (login_history, _login_rows),
    "setupaudittrail": (audit_trail, _audit_rows),
    "user": (users, lambda caller: list(caller.org.users.values())),
    "profile": (profiles, lambda caller: list(caller.org.profiles.values())),
    "permissionsetassignment": (assignments, _assignment_rows),
    "permissionset": (permission_sets, _set_rows),
    "setupentityaccess": (accesses, _access_rows),
    "externalclientapplication": (
        _component_table(
            APP, "description", "contactEmail", "contactPhone", "distributionState", "orgScopedExternalApp"
        ),
        _component_rows(APP),
    ),
    "extlclntappoauthsettings": (
        _component_table(
            OAUTH,
            "clientAssertionCertificate",
            ExternalClientApplicationId=lambda row: row.id_of(APP),
        ),
        _component_rows(OAUTH),
    ),
    "extlclntappoauthplcycnfg": (
        _component_table(
            "ExtlClntAppOauthPlcyCnfg",
            "ipRelaxationPolicyType",
            "clientCredentialsFlowUser",
            "isClientCredentialsFlowEnabled",
            "permittedUsersPolicyType",
            "refreshTokenPolicyType",
            ExternalClientApplicationId=lambda row: row.id_of(APP),
            ExtlClntAppOauthSettingsId=lambda row: row.id_of(OAUTH),
        ),
        _component_rows(OAUTH_POLICY),
    ),
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
