# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Metadata service: readMetadata and updateMetadata of SecuritySettings and Profile, and what surrounds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import security_settings, soap
from .errors import ApiError, ClientFault
from .profiles import plan_profile, render_profile
from .save import Element, Failure, Plan
from .sessions import Caller
from .state import State

FIRST_VERSION = 30.0
COMPONENTS_PER_CALL = 10
WRITE_PERMISSIONS = ("ModifyMetadata", "ModifyAllData")
TYPES = ("SecuritySettings", "Profile")


@dataclass(frozen=True)
class _Saved:
    full_name: str
    failure: Failure | None


def perform(state: State, call: soap.Call, caller: Caller) -> str:
    """The payload of the answer to one call. CRUD calls exist from version 30 on (CONFIRMED)."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None or (call.operation in ("readMetadata", "updateMetadata") and caller.version < FIRST_VERSION):
        raise ClientFault(f"No operation available for request {{{call.namespace}}}{call.operation}")
    with state.lock:
        return operation(state, call, caller)


def _check_count(count: int) -> None:
    if count > COMPONENTS_PER_CALL:
        # The limit is CONFIRMED, code and text are INVENTED.
        text = f"record limit reached. cannot submit more than {COMPONENTS_PER_CALL} records"
        raise ApiError("EXCEEDED_ID_LIMIT", text)


def read_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    caller.require(*WRITE_PERMISSIONS)
    kind = (soap.child_text(call.element, "type") or "").strip()
    names = [name.strip() for name in soap.child_texts(call.element, "fullNames")]
    _check_count(len(names))
    if kind == "SecuritySettings":
        # The full name is not matched strictly, one is read even as `passwordPolicies` (REPORTED).
        body = security_settings.render(caller.org, caller.version)
        records = [_record(caller, kind, body) for _unused in names]
    elif kind == "Profile":
        records = [_read_profile(caller, name) for name in names]
    else:
        raise ApiError("INVALID_TYPE", f"This type of metadata is not available for this organization: {kind}")
    return f"<readMetadataResponse><result>{''.join(records)}</result></readMetadataResponse>"


def _record(caller: Caller, kind: str, body: str) -> str:
    if caller.org.switches.prefixed_types:
        return f'<records xmlns:met="{soap.METADATA}" xsi:type="met:{kind}">{body}</records>'
    return f'<records xsi:type="{kind}">{body}</records>'


def _read_profile(caller: Caller, name: str) -> str:
    profile = next((one for one in caller.org.profiles.values() if one.name == name), None)
    if profile is not None:
        return _record(caller, "Profile", render_profile(caller.org, profile, caller.version))
    if caller.org.switches.missing_component == "nil":
        return '<records xsi:nil="true"/>'
    return _record(caller, "Profile", soap.tag("fullName", name))


def update_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    """Save each component on its own (partial save, CONFIRMED), or all or none where the header asks for it."""
    components = [child for child in call.element if soap.local_name(child) == "metadata"]
    _check_count(len(components))
    kinds = {soap.type_of(component) for component in components}
    if len(kinds) > 1 or not kinds <= set(TYPES):
        raise ApiError("INVALID_TYPE", f"one type of metadata per call: {', '.join(sorted(kinds))}")
    missing = _missing_permission(caller, kinds)
    if missing and caller.org.switches.insufficient_access == "fault":
        raise ApiError("INSUFFICIENT_ACCESS", missing)
    all_or_none = (call.header("AllOrNoneHeader", "allOrNone") or "").strip() in ("true", "1")
    plans: list[tuple[str, Plan | Failure]] = []
    for component in components:
        name = (soap.child_text(component, "fullName") or "").strip()
        plans.append((name, Failure("INSUFFICIENT_ACCESS", missing) if missing else _plan(state, caller, component)))
    saved = _apply(plans, all_or_none=all_or_none)
    return f"<updateMetadataResponse>{''.join(_save_result(one) for one in saved)}</updateMetadataResponse>"


def _missing_permission(caller: Caller, kinds: set[str]) -> str:
    """What the caller lacks; whether the permissions of the setup pages are checked too is UNKNOWN."""
    switches, permissions = caller.org.switches, caller.permissions
    if not permissions.intersection(WRITE_PERMISSIONS):
        return "insufficient access rights: requires Modify Metadata Through Metadata API Functions"
    if "SecuritySettings" in kinds and switches.manage_ip_addresses_checked and "ManageIpAddresses" not in permissions:
        return "insufficient access rights: requires Manage IP Addresses"
    manages_profiles = "ManageProfilesPermissionsets" in permissions
    if "Profile" in kinds and switches.manage_profiles_checked and not manages_profiles:
        return "insufficient access rights: requires Manage Profiles and Permission Sets"
    return ""


def _plan(state: State, caller: Caller, component: Element) -> Plan | Failure:
    try:
        if soap.type_of(component) == "Profile":
            return plan_profile(state, caller, component)
        return security_settings.plan(state, caller, component)
    except Failure as failure:
        return failure


def _apply(plans: list[tuple[str, Plan | Failure]], *, all_or_none: bool) -> list[_Saved]:
    failed = any(isinstance(plan, Failure) for _unused, plan in plans)
    saved = []
    for name, plan in plans:
        if isinstance(plan, Failure):
            saved.append(_Saved(name, plan))
        elif failed and all_or_none:
            rolled_back = Failure("ALL_OR_NONE_OPERATION_ROLLED_BACK", "rolled back because another component failed")
            saved.append(_Saved(name, rolled_back))
        else:
            plan()
            saved.append(_Saved(name, None))
    return saved


def _save_result(saved: _Saved) -> str:
    """SaveResult in schema order: errors, fullName, success."""
    errors = ""
    if saved.failure:
        fields = "".join(soap.tag("fields", field) for field in saved.failure.fields)
        errors = (
            f"<errors>{fields}{soap.tag('message', saved.failure.message)}"
            f"{soap.tag('statusCode', saved.failure.code)}</errors>"
        )
    success = str(saved.failure is None).lower()
    return f"<result>{errors}{soap.tag('fullName', saved.full_name)}<success>{success}</success></result>"


def describe_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    """The settings' type is called `Settings` here, not SecuritySettings (REPORTED)."""
    objects = "".join(
        f"<metadataObjects><directoryName>{folder}</directoryName><inFolder>false</inFolder>"
        f"<metaFile>false</metaFile><suffix>{suffix}</suffix><xmlName>{name}</xmlName></metadataObjects>"
        for folder, suffix, name in (("profiles", "profile", "Profile"), ("settings", "settings", "Settings"))
    )
    return (
        f"<describeMetadataResponse><result>{objects}<organizationNamespace></organizationNamespace>"
        "<partialSaveAllowed>true</partialSaveAllowed><testRequired>false</testRequired></result>"
        "</describeMetadataResponse>"
    )


_OPERATIONS: dict[str, Callable[[State, soap.Call, Caller], str]] = {
    "readMetadata": read_metadata,
    "updateMetadata": update_metadata,
    "describeMetadata": describe_metadata,
}
