# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an app, its permission set and the users whom a task names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import OptionError, OrgError
from ..org import queries
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
    return App(name=name, components=components, permission_set=read_permission_set(org, name, permission_set))


def read_permission_set(org: Org, app: str, name: str) -> PermissionSet:
    """Return the permission set of that name as it is, without an id when there is none; raises OrgError."""
    found = queries.find_permission_set(org, name)
    if found is None:
        return PermissionSet(name=name)
    set_id, description = found
    app_id = queries.external_client_app_id(org, app)
    return PermissionSet(
        name=name,
        id=set_id,
        made=description == SET_DESCRIPTION.format(app),
        users=queries.permission_set_members(org, set_id),
        opens=app_id is not None and queries.opens_entity(org, set_id, app_id),
    )


def require_users(org: Org, names: Sequence[str], option: str) -> dict[str, str]:
    """Return the ids of users by their names in lower case; raises OptionError for one who does not exist."""
    if not names:
        return {}
    ids = queries.active_users(org, names)
    for name in names:
        if name.lower() not in ids:
            raise OptionError(option, f"{name!r} is not an active user of this org")
    return ids


def _read_component(org: Org, kind: str, app: str, names: Sequence[str]) -> Component | None:
    """Return the app's component of a type. Its name need not begin with the app's, but most do: they come first."""
    ordered = [app] if kind == APP else sorted(names, key=lambda name: not name.startswith(app))
    records: Iterable[Component] = (parse_component(kind, record) for record in read_components(org, kind, ordered))
    return next((one for one in records if (one.name if kind == APP else one.values.get(PARENT)) == app), None)
