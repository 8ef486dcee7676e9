# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SecuritySettings: trusted ranges, password policies and session settings."""

from __future__ import annotations

from functools import partial

from . import settings, soap
from .errors import ClientFault
from .save import Element, Failure, Plan, accept_ranges, check_elements, read_range, render_ranges
from .sessions import Caller
from .state import Org, State

FIRST_VERSION = 27.0
DESCRIPTION_FROM = 34.0
ENFORCEABLE_RANGES = 5
_RANGE = frozenset({"description", "end", "start"})
_KNOWN = frozenset(settings.SECURITY_FLAGS) | {
    "fullName",
    "networkAccess",
    "passwordPolicies",
    "sessionSettings",
    "singleSignOnSettings",
}


def render(org: Org, version: float) -> str:
    """All settings in schema order; `networkAccess` is there even when it is empty (CONFIRMED)."""
    ranges = render_ranges(
        org, org.trusted_ranges, element="ipRanges", start="start", end="end", described=version >= DESCRIPTION_FROM
    )
    groups = {
        "networkAccess": ranges,
        "passwordPolicies": _tags(settings.PASSWORD_POLICIES, org.password_policies),
        "sessionSettings": _tags(settings.SESSION_SETTINGS, org.session_settings),
    }
    parts = {name: f"<{name}>{body}</{name}>" if body else f"<{name}/>" for name, body in groups.items()}
    parts |= {name: soap.tag(name, value) for name, value in org.security_flags.items()}
    # The schema's order of these elements is alphabetical.
    return "<fullName>Security</fullName>" + "".join(parts[name] for name in sorted(parts))


def _tags(schema: dict[str, tuple[str, ...]], values: dict[str, str]) -> str:
    return "".join(soap.tag(name, values[name]) for name in schema if name in values)


def plan(state: State, caller: Caller, component: Element) -> Plan:
    """What an update would do: groups that are absent stay as they are, `networkAccess` replaces the whole list."""
    if caller.version < FIRST_VERSION:
        raise ClientFault("SecuritySettings is not available in this version")
    org = caller.org
    check_elements(component, _KNOWN, "SecuritySettings")
    steps: list[Plan] = []
    flags: dict[str, str] = {}
    for child in component:
        name = soap.local_name(child)
        if soap.is_nil(child):
            continue
        if name == "networkAccess":
            steps.append(_plan_network_access(state, caller, child))
        elif name == "passwordPolicies":
            steps.append(_plan_group(org.password_policies, settings.PASSWORD_POLICIES, child, "PasswordPolicies"))
        elif name == "sessionSettings":
            steps.append(_plan_group(org.session_settings, settings.SESSION_SETTINGS, child, "SessionSettings"))
            _check_enforcement(org, child)
        elif name in settings.SECURITY_FLAGS:
            flags[name] = soap.content(child).strip()
    steps.append(_checked(org.security_flags, settings.SECURITY_FLAGS, flags))
    return partial(_run, steps)


def _run(steps: list[Plan]) -> None:
    for step in steps:
        step()


def _plan_network_access(state: State, caller: Caller, element: Element) -> Plan:
    """The list as sent replaces the org's; an empty element removes every range (CONFIRMED)."""
    org = caller.org
    check_elements(element, {"ipRanges"}, "NetworkAccess")
    ranges = []
    for child in element:
        check_elements(child, _RANGE, "IpRange")
        ranges.append(read_range(org, child, "start", "end", described=caller.version >= DESCRIPTION_FROM))
    kept = accept_ranges(org, ranges, org.trusted_ranges)
    return partial(state.set_trusted_ranges, org, kept, caller.user.id)


def _plan_group(held: dict[str, str], schema: dict[str, tuple[str, ...]], element: Element, type_name: str) -> Plan:
    check_elements(element, frozenset(schema), type_name)
    values = {soap.local_name(child): soap.content(child).strip() for child in element if not soap.is_nil(child)}
    return _checked(held, schema, values)


def _check_enforcement(org: Org, element: Element) -> None:
    """Ranges cannot be enforced on every request where a profile has more than five (CONFIRMED code, INVENTED text)."""
    enforced = (soap.child_text(element, "enforceIpRangesEveryRequest") or "").strip() == "true"
    crowded = [one.label for one in org.profiles.values() if len(one.login_ip_ranges) > ENFORCEABLE_RANGES]
    if enforced and crowded:
        text = f"more than {ENFORCEABLE_RANGES} IP ranges in profile {', '.join(crowded)}"
        raise Failure("CANNOT_ENABLE_IP_RESTRICT_REQUESTS", text)


def _checked(held: dict[str, str], schema: dict[str, tuple[str, ...]], values: dict[str, str]) -> Plan:
    wrong = settings.problem(schema, values)
    if wrong:
        raise Failure("FIELD_INTEGRITY_EXCEPTION", wrong)
    return partial(held.update, values)
