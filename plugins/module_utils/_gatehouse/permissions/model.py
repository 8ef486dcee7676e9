# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A permission set as a file, as read and as planned. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any
from xml.etree import ElementTree

from ..errors import GatehouseError, OptionError
from ..oauth_app.model import Component
from ..text import NOT_XML_CHAR
from ..xml_files import local_name, parse_xml
from .table import SETS

KIND = "PermissionSet"
STATES = ("present", "exact", "absent")
# What is managed. Another element in a file is an error, as it would be neither compared nor shown.
ELEMENTS = ("description", "hasActivationRequired", "label", "userPermissions")
_API_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PermissionSet:
    """A permission set and its users.

    Attributes:
        name: the API name.
        permissions: the names of those that are enabled.
        users: the user names of those who have it, and the ids of their assignments.
    """

    name: str
    label: str
    description: str = ""
    permissions: frozenset[str] = frozenset()
    users: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return it as it is shown, returned and compared."""
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "permissions": sorted(self.permissions),
            "users": sorted(self.users, key=str.lower),
        }


@dataclasses.dataclass(frozen=True)
class Plan:
    """What becomes of a permission set; None is none."""

    before: PermissionSet | None
    after: PermissionSet | None

    @property
    def deploys(self) -> bool:
        """Whether the permission set itself is to be written."""
        if self.after is None:
            return False
        return self.before is None or _itself(self.before) != _itself(self.after)

    @property
    def added(self) -> list[str]:
        """Who is to get it."""
        return _missing(self.after, self.before)

    @property
    def removed(self) -> list[str]:
        """Who is to lose it."""
        return _missing(self.before, self.after)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.deploys or bool(self.added or self.removed) or (self.before is None) != (self.after is None)

    @property
    def diff(self) -> dict[str, Any]:
        """What is shown."""
        return {
            "before": self.before.summary() if self.before else {},
            "after": self.after.summary() if self.after else {},
        }

    @property
    def component(self) -> Component:
        """What is deployed. A permission that is to go is sent, as one that is left out may stay."""
        if self.after is None:
            raise ValueError("nothing is deployed")
        before = self.before.permissions if self.before else frozenset()
        wanted = dict.fromkeys(sorted(before - self.after.permissions), "false") | dict.fromkeys(
            sorted(self.after.permissions), "true"
        )
        nested = "".join(
            f"<userPermissions><enabled>{enabled}</enabled><name>{name}</name></userPermissions>"
            for name, enabled in sorted(wanted.items())
        )
        values = {"label": self.after.label, "hasActivationRequired": "false"}
        if self.after.description:
            values["description"] = self.after.description
        return Component(KIND, self.after.name, values, {"userPermissions": nested} if nested else {})


def make_plan(before: PermissionSet | None, declared: PermissionSet, users: Collection[str], *, state: str) -> Plan:
    """Return what becomes of a permission set in a state of STATES."""
    if state == "absent":
        return Plan(before, None)
    current = before.users if before else {}
    spelling = {name.lower(): name for name in current}
    wanted = {spelling.get(name.lower(), name): "" for name in users}
    kept = current if state == "present" else {name: current[name] for name in wanted if name in current}
    description = declared.description or (before.description if before else "")
    return Plan(before, dataclasses.replace(declared, description=description, users={**wanted, **kept}))


def require_api_name(name: str) -> None:
    """Raise OptionError for what is no name of a permission set."""
    if not _API_NAME.fullmatch(name):
        raise OptionError(
            "name", f"{name!r} is not an API name: letters, digits and single underscores, a letter first"
        )


def known_set(name: str) -> PermissionSet:
    """Return the permission set of that name that this collection brings along; raises OptionError."""
    if name not in SETS:
        raise OptionError("src", f"is required for {name}; without a file, there are {', '.join(SETS)}")
    known = SETS[name]
    return PermissionSet(
        name=name, label=known.label, description=known.description, permissions=frozenset(known.permissions)
    )


def read_file(name: str, src: str, content: str) -> PermissionSet:
    """Return the permission set in a metadata file; raises OptionError."""
    try:
        root = parse_xml(content)
    except GatehouseError as exc:
        raise OptionError("src", f"{src}: {exc}") from None
    if local_name(root) != KIND:
        raise OptionError("src", f"{src}: is a file of {local_name(root)[:50]}, not of {KIND}")
    for child in root:
        if local_name(child) not in ELEMENTS:
            raise OptionError(
                "src", f"{src}: has {local_name(child)[:50]}, and only {', '.join(ELEMENTS)} can be managed"
            )
    found = parse_record(name, root)
    if _text(root, "hasActivationRequired") not in ("", "false"):
        raise OptionError("src", f"{src}: requires an activation in each session, which nothing here does")
    if not found.label:
        raise OptionError("src", f"{src}: has no label")
    for name in found.permissions:
        if not _API_NAME.fullmatch(name):
            raise OptionError("src", f"{src}: {name[:50]!r} is not the name of a permission")
    if NOT_XML_CHAR.search(found.label + found.description):
        raise OptionError("src", f"{src}: has a control character")
    return found


def parse_record(name: str, record: ElementTree.Element, users: Mapping[str, str] | None = None) -> PermissionSet:
    """Return the permission set in an element of that type."""
    granted = {
        _text(child, "name")
        for child in record
        if local_name(child) == "userPermissions" and _text(child, "enabled") in ("true", "1")
    }
    return PermissionSet(
        name=name,
        label=_text(record, "label"),
        description=_text(record, "description"),
        permissions=frozenset(granted),
        users=users or {},
    )


def _text(element: ElementTree.Element, name: str) -> str:
    return next(((child.text or "").strip() for child in element if local_name(child) == name), "")


def _itself(one: PermissionSet) -> PermissionSet:
    return dataclasses.replace(one, users={})


def _missing(where: PermissionSet | None, other: PermissionSet | None) -> list[str]:
    there = other.users if other else {}
    return sorted((name for name in (where.users if where else {}) if name not in there), key=str.lower)
