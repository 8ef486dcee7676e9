# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving one metadata component: a plan that is carried out, or a failure that becomes a SaveResult."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lxml import etree

from . import soap
from .addresses import IpRange, RangeProblem, check_limits, make_range, text
from .errors import ClientFault
from .sessions import Caller
from .state import Org, State

Plan = Callable[[], None]
Element = etree._Element

SPECIFIC_CODES = {
    "address": "INVALID_INET_ADDRESS",
    "limit": "IP_RANGE_LIMIT_EXCEEDED",
    "description": "STRING_TOO_LONG",
    "missing": "REQUIRED_FIELD_MISSING",
}


class Failure(Exception):
    """One error of a SaveResult."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = tuple(fields)


@dataclass(frozen=True)
class Change:
    """What writing a component did."""

    created: bool = False
    changed: bool = True
    id: str = ""


@dataclass
class Saving:
    """One write on behalf of a caller; a deployment and an upsert create what an update would miss."""

    state: State
    caller: Caller
    how: Literal["create", "update", "upsert", "deploy"]
    # Of a deployment that only checks: the apps that were there before it.
    apps_before: frozenset[str] | None = None
    warnings: list[str] = field(default_factory=list)

    def full_name(self, element: Element) -> str:
        return (soap.child_text(element, "fullName") or "").strip()

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def may_create(self, name: str) -> None:
        if not name:
            raise Failure("REQUIRED_FIELD_MISSING", "Required field is missing: fullName", ["fullName"])
        if self.how == "update":
            # The status code exists; that it is the one for this case is an assumption.
            raise Failure("INVALID_CROSS_REFERENCE_KEY", f"In field: fullName - no component named {name} found")

    def may_update(self, name: str) -> None:
        if self.how == "create":
            text = f"The name {name} already exists: duplicate_developer_name"
            raise Failure("DUPLICATE_DEVELOPER_NAME", text, ["fullName"])


@contextlib.contextmanager
def roll_back(org: Org, *, unless: Callable[[], bool]) -> Iterator[None]:
    """Take back what metadata calls changed in an org, unless it is to stay; an error takes it back, too."""
    held = {
        "trusted_ranges": org.trusted_ranges,
        "security_flags": dict(org.security_flags),
        "password_policies": dict(org.password_policies),
        "session_settings": dict(org.session_settings),
        "username_password_flow_enabled": org.username_password_flow_enabled,
        "profiles": {one.id: replace(one, permissions=set(one.permissions)) for one in org.profiles.values()},
        "grants": org.grants.copy(),
        "external_client_app_settings": dict(org.external_client_app_settings),
        "external_client_apps": dict(org.external_client_apps),
        "deleted_apps": set(org.deleted_apps),
    }
    audited, kept = len(org.audit_trail), False
    try:
        yield
        kept = unless()
    finally:
        if not kept:
            del org.audit_trail[audited:]
            for name, value in held.items():
                setattr(org, name, value)


def check_elements(element: Element, allowed: frozenset[str] | set[str], type_name: str) -> None:
    """Refuse elements that the type does not have. The wording is INVENTED; order is not enforced."""
    for child in element:
        name = soap.local_name(child)
        if name not in allowed or soap.namespace(child) != soap.METADATA:
            raise ClientFault(f"Element {{{soap.namespace(child)}}}{name} invalid at this location in type {type_name}")


def read_range(org: Org, element: Element, start: str, end: str, *, described: bool) -> IpRange:
    """One range element; strings are trimmed (CONFIRMED), the rules' texts are INVENTED."""
    values = {soap.local_name(child): soap.content(child).strip() for child in element if not soap.is_nil(child)}
    description = values.get("description") if described else None
    cap = org.switches.description_cap
    try:
        return make_range(values.get(start, ""), values.get(end, ""), description, description_cap=cap)
    except RangeProblem as problem:
        raise range_failure(org, problem) from None


def range_failure(org: Org, problem: RangeProblem) -> Failure:
    specific = org.switches.range_error_code == "specific"
    return Failure(SPECIFIC_CODES[problem.kind] if specific else "FIELD_INTEGRITY_EXCEPTION", str(problem))


def accept_ranges(org: Org, new: Sequence[IpRange], old: Sequence[IpRange]) -> tuple[IpRange, ...]:
    """The list as the org would store it: duplicates by switch, limits by regime."""
    unique = tuple({one.bounds: one for one in new}.values())
    duplicates = len(unique) < len(new)
    if duplicates and org.switches.duplicate_ranges == "refused":
        raise range_failure(org, RangeProblem("address", "Duplicate IP range"))
    kept = unique if org.switches.duplicate_ranges == "dropped" else tuple(new)
    try:
        check_limits(kept, old, org.switches.range_limits)
    except RangeProblem as problem:
        raise range_failure(org, problem) from None
    return kept


def render_ranges(org: Org, ranges: Sequence[IpRange], *, element: str, start: str, end: str, described: bool) -> str:
    """The ranges as elements in schema order, in the org's notation and order."""
    switches = org.switches
    shown = list(ranges)
    if switches.range_order == "reversed":
        shown.reverse()
    elif switches.range_order == "shuffled":
        random.shuffle(shown)
    v4, v6 = switches.ipv4_notation, switches.ipv6_notation
    return "".join(
        f"<{element}>{soap.optional('description', one.description) if described else ''}"
        f"<{end}>{text(one.last, v4, v6)}</{end}><{start}>{text(one.first, v4, v6)}</{start}></{element}>"
        for one in shown
    )
