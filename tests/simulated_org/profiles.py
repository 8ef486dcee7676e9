# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profile: login IP ranges, login hours and user permissions, which are always retrieved (CONFIRMED)."""

from __future__ import annotations

from functools import partial

from . import soap
from .addresses import IpRange
from .errors import ClientFault
from .save import Change, Element, Failure, Plan, Saving, accept_ranges, check_elements, read_range, render_ranges
from .sessions import Caller
from .state import Org, Profile, State

DESCRIPTION_FROM = 31.0
RANGES_FROM = 17.0
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RANGE = frozenset({"description", "endAddress", "startAddress"})
# Elements of the schema that an update may carry; those that we do not hold are taken and forgotten.
_KNOWN = frozenset(
    {
        "applicationVisibilities",
        "categoryGroupVisibilities",
        "classAccesses",
        "custom",
        "customMetadataTypeAccesses",
        "customPermissions",
        "customSettingAccesses",
        "description",
        "externalDataSourceAccesses",
        "fieldPermissions",
        "flowAccesses",
        "fullName",
        "layoutAssignments",
        "loginFlows",
        "loginHours",
        "loginIpRanges",
        "objectPermissions",
        "pageAccesses",
        "profileActionOverrides",
        "recordTypeVisibilities",
        "tabVisibilities",
        "userLicense",
        "userPermissions",
    }
)


def render_profile(org: Org, profile: Profile, version: float) -> str:
    """The profile in schema order."""
    ranges = render_ranges(
        org,
        profile.login_ip_ranges,
        element="loginIpRanges",
        start="startAddress",
        end="endAddress",
        described=version >= DESCRIPTION_FROM,
    )
    permissions = "".join(
        f"<userPermissions><enabled>true</enabled><name>{name}</name></userPermissions>"
        for name in sorted(profile.permissions)
    )
    return (
        soap.tag("fullName", profile.name)
        + soap.tag("custom", str(profile.custom).lower())
        + soap.optional("description", profile.description)
        + _render_hours(profile)
        + (ranges if version >= RANGES_FROM else "")
        + soap.tag("userLicense", profile.user_license)
        + permissions
    )


def _render_hours(profile: Profile) -> str:
    if profile.login_hours is None:
        return ""
    bounds = {}
    for day, (start, end) in profile.login_hours.items():
        bounds[f"{DAYS[day]}Start"], bounds[f"{DAYS[day]}End"] = start, end
    return "<loginHours>" + "".join(soap.tag(name, str(bounds[name])) for name in sorted(bounds)) + "</loginHours>"


def plan_profile(state: State, caller: Caller, component: Element) -> Plan:
    """What an update would do; a profile overlays, what is not listed is kept (REPORTED)."""
    name = (soap.child_text(component, "fullName") or "").strip()
    check_elements(component, _KNOWN, "Profile")
    profile = _by_name(caller.org, name)
    if profile is None:
        # The status code exists; that it is the one for this case is an assumption.
        raise Failure("INVALID_CROSS_REFERENCE_KEY", f"In field: fullName - no Profile named {name} found")
    ranges = _planned_ranges(caller, profile, component)
    hours = [_read_hours(child) for child in component if soap.local_name(child) == "loginHours"]
    granted = dict(_read_permission(child) for child in component if soap.local_name(child) == "userPermissions")
    return partial(_carry_out, state, caller, profile, ranges, hours, granted)


def save_profile(saving: Saving, element: Element) -> Change:
    """Change a profile, or create it as a custom one."""
    org, name, version = saving.caller.org, saving.full_name(element), saving.caller.version
    profile = _by_name(org, name)
    if profile is None:
        saving.may_create(name)
        saving.state.add_profile(org, name, custom=True)
    else:
        saving.may_update(name)
    work = plan_profile(saving.state, saving.caller, element)
    before = render(org, name, version)
    work()
    return Change(created=profile is None, changed=profile is None or before != render(org, name, version))


def render(org: Org, name: str, version: float) -> str | None:
    """The profile of a name; None where there is none."""
    profile = _by_name(org, name)
    return None if profile is None else render_profile(org, profile, version)


def _by_name(org: Org, name: str) -> Profile | None:
    return next((one for one in org.profiles.values() if one.name == name), None)


def delete(org: Org, name: str) -> bool:
    """Delete a custom profile that no user has, not even an inactive one (the code is INVENTED)."""
    profile = _by_name(org, name)
    if profile is None:
        return False
    if not profile.custom or any(user.profile_id == profile.id for user in org.users.values()):
        raise Failure("DELETE_FAILED", f"You can't delete the profile {profile.label}: it is standard, or in use.")
    del org.profiles[profile.id]
    return True


def _planned_ranges(caller: Caller, profile: Profile, component: Element) -> tuple[IpRange, ...] | None:
    """The new list, or None for no change: without any entry nothing happens, so the last range cannot be removed."""
    org = caller.org
    elements = [child for child in component if soap.local_name(child) == "loginIpRanges"]
    empty = [child for child in elements if len(child) == 0 or soap.is_nil(child)]
    if empty and org.switches.empty_login_ip_ranges == "refused":
        raise Failure("REQUIRED_FIELD_MISSING", "Required fields are missing: [startAddress, endAddress]")
    sent = []
    for child in elements:
        if child in empty:
            continue
        check_elements(child, _RANGE, "ProfileLoginIpRange")
        described = caller.version >= DESCRIPTION_FROM
        sent.append(read_range(org, child, "startAddress", "endAddress", described=described))
    if not sent:
        return () if empty and org.switches.empty_login_ip_ranges == "removes" else None
    old = profile.login_ip_ranges
    if org.switches.profile_ranges_write == "merge":
        new = {one.bounds: one for one in sent}
        sent = [new.pop(one.bounds, one) for one in old] + list(new.values())
    return accept_ranges(org, sent, old)


def _read_hours(element: Element) -> dict[int, tuple[int, int]] | None:
    """Login hours; an empty element deletes them (CONFIRMED)."""
    values = {soap.local_name(child): soap.content(child).strip() for child in element}
    try:
        hours = {
            index: (int(values[f"{day}Start"]), int(values[f"{day}End"]))
            for index, day in enumerate(DAYS)
            if f"{day}Start" in values and f"{day}End" in values
        }
    except ValueError:
        raise Failure("FIELD_INTEGRITY_EXCEPTION", "login hours are minutes of the day") from None
    return hours or None


def _read_permission(element: Element) -> tuple[str, bool]:
    name = (soap.child_text(element, "name") or "").strip()
    if not name:
        raise ClientFault("userPermissions without name")
    return name, (soap.child_text(element, "enabled") or "").strip() in ("true", "1")


def _carry_out(
    state: State,
    caller: Caller,
    profile: Profile,
    ranges: tuple[IpRange, ...] | None,
    hours: list[dict[int, tuple[int, int]] | None],
    granted: dict[str, bool],
) -> None:
    if ranges is not None:
        state.set_login_ip_ranges(caller.org, profile, ranges, caller.user.id)
    if hours:
        profile.login_hours = hours[-1]
    profile.permissions |= {name for name, enabled in granted.items() if enabled}
    profile.permissions -= {name for name, enabled in granted.items() if not enabled}
