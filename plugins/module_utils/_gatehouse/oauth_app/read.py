# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an app, its permission set and the users whom a task names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import OptionError, OrgError
from ..org.client import Org
from ..org.deploy import list_names, read_components
from .model import APP, KINDS, PARENT, SET_DESCRIPTION, App, Component, PermissionSet
from .package import parse_component

NOT_AVAILABLE = (
    "name: the org has no External Client Apps; opt in to them in Setup > External Client App Settings, or use "
    "another org"
)


def read_app(org: Org, name: str, permission_set: str) -> App:
    """Return the app of that name as it is, without components when there is none; raises OrgError."""
    try:
        names = list_names(org, KINDS)
    except OrgError as exc:
        if "(INVALID_TYPE)" not in str(exc):
            raise
        raise OrgError(NOT_AVAILABLE) from None
    components: dict[str, Component] = {}
    if (APP, name) in names:
        for kind in KINDS:
            found = _read_component(org, kind, name, [full_name for one, full_name in names if one == kind])
            if found:
                components[kind] = found
    return App(name=name, components=components, permission_set=_read_set(org, name, permission_set))


def read_app_id(org: Org, name: str) -> str | None:
    """Return the id of an app; None when there is none. Raises OrgError."""
    rows = org.query(f"SELECT Id FROM ExternalClientApplication WHERE DeveloperName = {quote_text(name)}")  # noqa: S608
    return str(rows[0]["Id"]) if rows else None


def require_users(org: Org, names: Sequence[str], option: str) -> dict[str, str]:
    """Return the ids of users by their names in lower case; raises OptionError for one who does not exist."""
    if not names:
        return {}
    given = ", ".join(quote_text(name) for name in names)
    rows = org.query(f"SELECT Id, Username, IsActive FROM User WHERE Username IN ({given})")  # noqa: S608
    ids = {str(row["Username"]).lower(): str(row["Id"]) for row in rows if row["IsActive"]}
    for name in names:
        if name.lower() not in ids:
            raise OptionError(option, f"{name!r} is not an active user of this org")
    return ids


def quote_text(text: str) -> str:
    """Return a text as SOQL takes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _read_component(org: Org, kind: str, app: str, names: Sequence[str]) -> Component | None:
    """Return the app's component of a type. Its name need not begin with the app's, but most do: they come first."""
    ordered = [app] if kind == APP else sorted(names, key=lambda name: not name.startswith(app))
    records: Iterable[Component] = (parse_component(kind, record) for record in read_components(org, kind, ordered))
    return next((one for one in records if (one.name if kind == APP else one.values.get(PARENT)) == app), None)


def _read_set(org: Org, app: str, name: str) -> PermissionSet:
    rows = org.query(f"SELECT Id, Description FROM PermissionSet WHERE Name = {quote_text(name)}")  # noqa: S608
    if not rows:
        return PermissionSet(name=name)
    set_id, made = str(rows[0]["Id"]), rows[0].get("Description") == SET_DESCRIPTION.format(app)
    assigned = org.query(
        "SELECT Id, Assignee.Username FROM PermissionSetAssignment"  # noqa: S608
        f" WHERE PermissionSetId = {quote_text(set_id)}"
    )
    users = {str((row.get("Assignee") or {}).get("Username")): str(row["Id"]) for row in assigned}
    app_id = read_app_id(org, app)
    opens = app_id is not None and bool(
        org.query(
            f"SELECT Id FROM SetupEntityAccess WHERE ParentId = {quote_text(set_id)}"  # noqa: S608
            f" AND SetupEntityId = {quote_text(app_id)}"
        )
    )
    return PermissionSet(name=name, id=set_id, made=made, users=users, opens=opens)
