# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of metadata: where they lie in a package, and how they are listed, read, written and deleted."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from . import app_settings, external_client_apps, permission_sets, profiles, schemas, security_settings, soap
from .clock import stamp
from .save import Change, Element, Failure, Plan, Saving
from .sessions import Caller
from .state import Org, State

WRITE_PERMISSIONS = ("ModifyMetadata", "ModifyAllData")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Named:
    """One component as it is listed."""

    name: str
    id: str = ""
    author_id: str = ""
    created: datetime.datetime = EPOCH
    changed: datetime.datetime = EPOCH


@dataclass(frozen=True)
class Type:
    """One type; a settings' type is a member of the type `Settings` in packages."""

    name: str
    folder: str
    suffix: str
    names: Callable[[Org], Iterable[Named]]
    render: Callable[[Org, str, float], str | None]
    save: Callable[[Saving, Element], Change]
    delete: Callable[[Org, str], bool] | None = None
    member: str = ""

    @property
    def package_name(self) -> str:
        """The name in a manifest."""
        return "Settings" if self.member else self.name

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}.{self.suffix}"

    @property
    def of_apps(self) -> bool:
        return self.name in schemas.SCHEMAS


def available(org: Org, kind: Type, version: float) -> bool:
    return not kind.of_apps or external_client_apps.available(org, version)


def by_name(name: str) -> Type | None:
    """Find a type by the name that the CRUD calls use."""
    return next((one for one in TYPES if one.name == name), None)


def members(package_name: str) -> list[Type]:
    """Find the types behind a name in a manifest."""
    return [one for one in TYPES if one.package_name == package_name]


def missing_permission(caller: Caller, kinds: Sequence[Type]) -> str:
    """Say what the caller lacks; whether the permissions of the setup pages are checked too is UNKNOWN."""
    switches, permissions = caller.org.switches, caller.permissions
    if not permissions.intersection(WRITE_PERMISSIONS):
        return "insufficient access rights: requires Modify Metadata Through Metadata API Functions"
    names = {kind.name for kind in kinds}
    if "SecuritySettings" in names and switches.manage_ip_addresses_checked and "ManageIpAddresses" not in permissions:
        return "insufficient access rights: requires Manage IP Addresses"
    manages_profiles = "ManageProfilesPermissionsets" in permissions
    if "Profile" in names and switches.manage_profiles_checked and not manages_profiles:
        return "insufficient access rights: requires Manage Profiles and Permission Sets"
    if any(kind.of_apps for kind in kinds) and switches.eca_permission not in ("metadata", *permissions):
        return "insufficient access rights: requires the permission for External Client Apps"
    return ""


def file_properties(caller: Caller, kind: Type, named: Named, folder: str = "") -> str:
    """Write FileProperties in schema order."""
    author = caller.org.users.get(named.author_id)
    who = soap.tag("createdById", named.author_id) + soap.tag("createdByName", author.name if author else "Automated")
    return (
        who
        + soap.tag("createdDate", stamp(named.created).replace("+0000", "Z"))
        + soap.tag("fileName", folder + kind.path(named.name))
        + soap.tag("fullName", named.name)
        + soap.tag("id", named.id)
        + who.replace("createdBy", "lastModifiedBy")
        + soap.tag("lastModifiedDate", stamp(named.changed).replace("+0000", "Z"))
        + "<manageableState>unmanaged</manageableState>"
        + soap.tag("type", kind.package_name)
    )


def _save_by_plan(
    plan: Callable[[State, Caller, Element], Plan],
    render: Callable[[Org, str, float], str | None],
    saving: Saving,
    element: Element,
) -> Change:
    """Carry out a plan, and compare what can be read before and after it."""
    org, name, version = saving.caller.org, saving.full_name(element), saving.caller.version
    work = plan(saving.state, saving.caller, element)
    before = render(org, name, version)
    work()
    return Change(changed=before != render(org, name, version))


def _security(org: Org, name: str, version: float) -> str | None:
    """Write the settings. The full name is not matched strictly, one is read even as `passwordPolicies` (REPORTED)."""
    return security_settings.render(org, version)


def _only(name: str) -> Callable[[Org], Iterable[Named]]:
    return lambda org: [Named(name)]


def _app_names(kind: str, org: Org) -> Iterable[Named]:
    for _app, part in external_client_apps.components(org, kind):
        yield Named(part.name, part.id, part.author_id, part.created, part.changed)


def _app_type(kind: str) -> Type:
    schema = schemas.SCHEMAS[kind]

    def save(saving: Saving, element: Element) -> Change:
        if not available(saving.caller.org, by_name(kind) or TYPES[0], saving.caller.version):
            raise Failure("INVALID_TYPE", "Not available for deploy for this organization")
        return external_client_apps.save(saving, kind, element)

    return Type(
        kind,
        schema.folder,
        schema.suffix,
        partial(_app_names, kind),
        lambda org, name, version: external_client_apps.render(org, kind, name, version),
        save,
        lambda org, name: external_client_apps.delete(org, kind, name),
    )


# In the order in which a package is worked through.
TYPES = (
    Type(
        "SecuritySettings",
        "settings",
        "settings",
        _only("Security"),
        _security,
        partial(_save_by_plan, security_settings.plan, _security),
        member="Security",
    ),
    Type(
        "ExternalClientAppSettings",
        "settings",
        "settings",
        _only("ExternalClientApp"),
        app_settings.render_external_client_apps,
        app_settings.save_external_client_apps,
        member="ExternalClientApp",
    ),
    Type(
        "OauthOidcSettings",
        "settings",
        "settings",
        _only("OauthOidc"),
        app_settings.render_oauth,
        app_settings.save_oauth,
        member="OauthOidc",
    ),
    Type(
        "Profile",
        "profiles",
        "profile",
        lambda org: [Named(one.name, one.id) for one in org.profiles.values()],
        profiles.render,
        profiles.save_profile,
        profiles.delete,
    ),
    Type(
        "PermissionSet",
        "permissionsets",
        "permissionset",
        lambda org: [Named(one.name, one.id) for one in org.grants.sets.values()],
        permission_sets.render,
        permission_sets.save,
        permission_sets.delete,
    ),
    *(_app_type(kind) for kind in schemas.SCHEMAS),
)
