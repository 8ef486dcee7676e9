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
from .model import APP, GLOBAL, KINDS, PARENT, POLICY, SET_DESCRIPTION, App, Component, PermissionSet
from .package import parse_component

NOT_AVAILABLE = (
    "name: the org has no External Client Apps; opt in to them in Setup > External Client App Settings, or use "
    "another org"
)


def read_app(org: Org, name: str, permission_set: str) -> App:
    """Return the app of that name as it is, without components when there is none; raises OrgError."""
    names = _list_names(org, KINDS)
    components: dict[str, Component] = {}
    if (APP, name) in names:
        for kind in KINDS:
            found = _read_component(org, kind, name, [full_name for one, full_name in names if one == kind])
            if found:
                components[kind] = found
    return App(name=name, components=components, permission_set=read_permission_set(org, name, permission_set))


def read_apps(org: Org, names: Sequence[str]) -> dict[str, App]:
    """Return those of the apps that exist, with what a rotation needs: not who may log in, nor what they may do."""
    kinds = (APP, GLOBAL, POLICY)
    listed = _list_names(org, kinds)
    found: dict[str, dict[str, Component]] = {name: {} for name in names if (APP, name) in listed}
    for kind in kinds:
        for one in _components(org, kind, [name for kind_of, name in listed if kind_of == kind], tuple(found)):
            parent = one.name if kind == APP else one.values.get(PARENT)
            if parent in found:
                found[parent][kind] = one
            if all(kind in components for components in found.values()):
                break
    return {
        name: App(name=name, components=components, permission_set=PermissionSet(name=name))
        for name, components in found.items()
    }


def find_app(org: Org, consumer_key: str) -> str | None:
    """Return the name of the app with that consumer key; None where there is none. Raises OrgError."""
    names = [name for _kind, name in _list_names(org, (GLOBAL,))]
    all_settings = _components(org, GLOBAL, names, ())
    return next((one.values.get(PARENT) for one in all_settings if one.values.get("consumerKey") == consumer_key), None)


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
        users=read_members(org, set_id),
        opens=app_id is not None and queries.opens_entity(org, set_id, app_id),
    )


def read_members(org: Org, set_id: str) -> dict[str, str]:
    """Return the names of the users who have a permission set, and the ids of their assignments; raises OrgError."""
    try:
        return queries.permission_set_members(org, set_id)
    except OrgError as exc:
        if "INVALID_TYPE" not in str(exc):
            raise
        raise OrgError(f"{exc}; give the user of the task the permission 'View Setup and Configuration'") from exc


def require_users(org: Org, names: Sequence[str], option: str) -> dict[str, str]:
    """Return the ids of users by their names in lower case; raises OptionError for one who does not exist."""
    if not names:
        return {}
    ids = queries.active_users(org, names)
    for name in names:
        if name.lower() not in ids:
            raise OptionError(option, f"{name!r} is not an active user of this org")
    return ids


def _list_names(org: Org, kinds: Sequence[str]) -> list[tuple[str, str]]:
    try:
        return list_names(org, kinds)
    except OrgError as exc:
        if "(INVALID_TYPE)" not in str(exc):
            raise
        raise OrgError(NOT_AVAILABLE) from None


def _components(org: Org, kind: str, names: Sequence[str], apps: tuple[str, ...]) -> Iterable[Component]:
    """Return components of a type. Their names need not begin with their app's, but most do: they come first."""
    ordered = list(apps) if kind == APP else sorted(names, key=lambda name: not name.startswith(apps))
    return (parse_component(kind, record) for record in read_components(org, kind, ordered))


def _read_component(org: Org, kind: str, app: str, names: Sequence[str]) -> Component | None:
    """Return the app's component of a type."""
    found = _components(org, kind, names, (app,))
    return next((one for one in found if (one.name if kind == APP else one.values.get(PARENT)) == app), None)
