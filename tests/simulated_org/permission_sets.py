# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permission sets by metadata."""

from __future__ import annotations

from . import ids, soap, tables
from .save import Change, Element, Failure, Saving, check_elements
from .state import Org, PermissionSet

# Elements of the schema; those that we do not hold are taken and forgotten.
_KNOWN = frozenset(
    {
        "applicationVisibilities",
        "classAccesses",
        "customMetadataTypeAccesses",
        "customPermissions",
        "customSettingAccesses",
        "description",
        "emailRoutingAddressAccesses",
        "externalCredentialPrincipalAccesses",
        "externalDataSourceAccesses",
        "fieldPermissions",
        "flowAccesses",
        "fullName",
        "hasActivationRequired",
        "label",
        "license",
        "objectPermissions",
        "pageAccesses",
        "recordTypeVisibilities",
        "tabSettings",
        "userPermissions",
    }
)


# What an org wants with these (REPORTED, from the tooltips of Setup).
_REQUIRED = {"ModifyMetadata": "ViewSetup", "ResetPasswords": "ViewSetup"}


def render(org: Org, name: str, version: float) -> str | None:
    """Write the permission set in schema order; it has no element for External Client Apps (CONFIRMED)."""
    one = org.grants.find(name)
    if one is None:
        return None
    permissions = "".join(
        f"<userPermissions><enabled>true</enabled><name>{permission}</name></userPermissions>"
        for permission in sorted(one.permissions)
    )
    return (
        soap.tag("fullName", one.name)
        + soap.optional("description", one.description)
        + "<hasActivationRequired>false</hasActivationRequired>"
        + soap.tag("label", one.label)
        + soap.optional("license", one.license)
        + permissions
    )


def save(saving: Saving, element: Element) -> Change:
    """Add or change a permission set; what is not listed is kept."""
    check_elements(element, _KNOWN, "PermissionSet")
    org, name = saving.caller.org, saving.full_name(element)
    label = soap.child_text(element, "label")
    if not label:
        raise Failure("REQUIRED_FIELD_MISSING", "Required field is missing: label", ["label"])
    one = org.grants.find(name)
    created = one is None
    if one is None:
        saving.may_create(name)
        check_name(name)
        one = PermissionSet(saving.state.ids.new(ids.PERMISSION_SET), name, label)
        org.grants.sets[one.id] = one
    else:
        saving.may_update(name)
    before = (one.label, one.description, one.license, set(one.permissions))
    one.label = label
    one.description = soap.child_text(element, "description") or one.description
    one.license = soap.child_text(element, "license") or one.license
    _save_permissions(org, one, element)
    after = (one.label, one.description, one.license, one.permissions)
    return Change(created=created, changed=created or before != after, id=one.id)


def _save_permissions(org: Org, one: PermissionSet, element: Element) -> None:
    if org.switches.permission_left_out == "removed":
        one.permissions.clear()
    for child in element:
        if soap.local_name(child) == "userPermissions":
            permission = (soap.child_text(child, "name") or "").strip()
            enabled = (soap.child_text(child, "enabled") or "").strip() in ("true", "1")
            if permission not in tables.permissions_of(org):
                raise Failure("INVALID_CROSS_REFERENCE_KEY", f"Unknown user permission: {permission}")
            (one.permissions.add if enabled else one.permissions.discard)(permission)
    for permission, required in _REQUIRED.items():
        refused = org.switches.permission_dependencies == "refused"
        if refused and permission in one.permissions and required not in one.permissions:
            problem = f"Permission {permission} depends on permission(s): {required}"
            raise Failure("FIELD_INTEGRITY_EXCEPTION", problem)


def check_name(name: str) -> None:
    """Refuse a name that is no API name: letters, digits and single underscores, a letter first (CONFIRMED)."""
    plain = name.replace("_", "a")
    if not (name and name[0].isalpha() and plain.isalnum() and plain.isascii()) or "__" in name or name.endswith("_"):
        raise Failure("INVALID_FIELD", f"The API name {name} can only contain underscores and alphanumeric characters")


def delete(org: Org, name: str) -> bool:
    """Delete a permission set with its accesses; one that users have stays (the code is INVENTED)."""
    one = org.grants.find(name)
    if one is None:
        return False
    if any(set_id == one.id for set_id, _unused in org.grants.assignments.values()):
        raise Failure("DELETE_FAILED", f"You can't delete the permission set {one.label}: it is assigned to users.")
    del org.grants.sets[one.id]
    org.grants.accesses = {row: pair for row, pair in org.grants.accesses.items() if pair[0] != one.id}
    return True
