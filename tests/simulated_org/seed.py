# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orgs, profiles and users from plain data: a seed file, or the control interface."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from . import app_clients, ids, schemas, settings
from .addresses import IpRange, parse_range
from .apps import APP_FLOWS, App, Consumer, ExternalClientApp, Part
from .external_client_apps import new_secret
from .state import Org, PermissionSet, Profile, State, User

# What a server without a seed holds. Invented secrets, like all of them here.
DEFAULT_SEED: dict[str, Any] = {
    "orgs": [
        {
            "name": "simulated",
            "users": [
                {
                    "username": "admin@simulated.example",
                    "password": "Correct-Horse1",
                    "security_token": "SimTok3nSimTok3nSimTok3nS",
                    "first_name": "Ada",
                    "last_name": "Admin",
                }
            ],
        }
    ]
}

_ORG_FIELDS = {
    "sandbox",
    "organization_type",
    "instance_url",
    "metadata_url",
    "locked",
    "api_enabled",
    "soap_login_enabled",
    "username_password_flow_enabled",
    "own_host_only",
    "external_client_apps_enabled",
}
_APP_FIELDS = {
    "name",
    "consumer_secret",
    "certificate",
    "run_as",
    "permitted_users",
    "ip_relaxation",
    "web",
    "rotates_refresh_tokens",
    "secret_for_refresh",
    "jwt_tokens",
    "scopes",
}
_APP_CHOICES = {"permitted_users": ("admin_approved", "self_authorize"), "ip_relaxation": ("enforce", "relax")}
_USER_FIELDS = {
    "password",
    "security_token",
    "email",
    "first_name",
    "last_name",
    "active",
    "frozen",
    "totp",
    "token_was_reset",
    "password_expired",
}


def load(path: Path) -> dict[str, Any]:
    """A seed file, JSON or YAML."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        seed = json.loads(text)
    else:
        import yaml  # only needed here

        seed = yaml.safe_load(text)
    if not isinstance(seed, dict) or not isinstance(seed.get("orgs"), list):
        raise ValueError(f"{path}: a seed is a mapping with a list `orgs`")
    return seed


def plant(state: State, seed: Mapping[str, Any]) -> None:
    for org in seed["orgs"]:
        add_org(state, **org)


def ranges(values: Iterable[str | dict[str, str | None]]) -> tuple[IpRange, ...]:
    return tuple(map(parse_range, values))


def add_org(
    state: State,
    name: str,
    *,
    users: Iterable[Mapping[str, Any]] = (),
    profiles: Iterable[Mapping[str, Any]] = (),
    apps: Iterable[Mapping[str, Any]] = (),
    permission_sets: Iterable[Mapping[str, Any]] = (),
    external_client_apps: Iterable[Mapping[str, Any]] = (),
    **fields: Any,
) -> Org:
    """An org with its profiles and users. Ranges of a seed are there from the start, so they leave no audit rows."""
    with state.lock:
        org = state.add_org(name)
        configure_org(org, **fields)
        for profile in profiles:
            set_profile(state, org, **profile)
        for user in users:
            add_user(state, org, **user)
        for one in permission_sets:
            set_permission_set(state, org, **one)
        for one in external_client_apps:
            add_external_client_app(state, org, **one)
        for app in apps:
            set_app(state.add_app(org, app["consumer_key"]), **{k: v for k, v in app.items() if k != "consumer_key"})
        return org


def configure_org(org: Org, **fields: Any) -> None:
    """Set fields, switches and settings of an org."""
    org.switches = org.switches.changed(fields.pop("switches", {}))
    groups = (
        ("password_policies", settings.PASSWORD_POLICIES),
        ("session_settings", settings.SESSION_SETTINGS),
        ("security_flags", settings.SECURITY_FLAGS),
    )
    for group, schema in groups:
        values = {key: _text(value) for key, value in fields.pop(group, {}).items()}
        wrong = settings.problem(schema, values)
        if wrong:
            raise ValueError(wrong)
        getattr(org, group).update(values)
    for name in ("audiences", "hosts"):
        if name in fields:
            setattr(org, name, tuple(fields.pop(name)))
    if "trusted_ranges" in fields:
        org.trusted_ranges = ranges(fields.pop("trusted_ranges"))
    _assign(org, fields, _ORG_FIELDS)


def set_profile(state: State, org: Org, name: str, **fields: Any) -> Profile:
    """Change the profile of this name or label, or add it as a custom one."""
    profile = org.profile(name) or state.add_profile(org, name, fields.pop("label", None), custom=True)
    if "permissions" in fields:
        profile.permissions = set(fields.pop("permissions"))
    if "login_ip_ranges" in fields:
        profile.login_ip_ranges = ranges(fields.pop("login_ip_ranges"))
    if "login_hours" in fields:
        hours = fields.pop("login_hours")
        profile.login_hours = None if hours is None else {int(day): (pair[0], pair[1]) for day, pair in hours.items()}
    _assign(profile, fields, {"label", "user_license", "description"})
    return profile


def set_permission_set(state: State, org: Org, name: str, **fields: Any) -> PermissionSet:
    """Change the permission set of this name, or add it; `assigned` names all users who have it."""
    one = org.grants.find(name)
    if one is None:
        one = PermissionSet(state.ids.new(ids.PERMISSION_SET), name, name)
        org.grants.sets[one.id] = one
    if "permissions" in fields:
        one.permissions = set(fields.pop("permissions"))
    if "assigned" in fields:
        wanted = [state.user(username).id for username in fields.pop("assigned")]
        held = org.grants.assignments
        org.grants.assignments = {row: pair for row, pair in held.items() if pair[0] != one.id or pair[1] in wanted}
        for user_id in wanted:
            if (one.id, user_id) not in org.grants.assignments.values():
                org.grants.assignments[state.ids.new(ids.ASSIGNMENT)] = (one.id, user_id)
    _assign(one, fields, {"label", "description", "license"})
    return one


def set_external_client_app_settings(org: Org, values: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: _text(value) for name, value in values.items()}
    wrong = settings.problem(settings.EXTERNAL_CLIENT_APP_SETTINGS, texts)
    if wrong:
        raise ValueError(wrong)
    org.external_client_app_settings.update(texts)
    return org.external_client_app_settings


def add_external_client_app(
    state: State,
    org: Org,
    name: str,
    *,
    consumer_key: str | None = None,
    consumer_secret: str | None = None,
    components: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> ExternalClientApp:
    """An app with the names that pages of Setup give; `components` has elements by type, on top of the defaults."""
    if name in org.external_client_apps:
        raise ValueError(f"there is an External Client App {name!r} already")
    names = {
        schemas.APP: name,
        schemas.OAUTH: f"{name}_oauth",
        schemas.GLOBAL: f"{name}_glbloauth",
        schemas.OAUTH_POLICY: f"{name}_oauthPlcy",
        schemas.POLICY: f"{name}_plcy",
    }
    unknown = set(components) - set(names)
    if unknown:
        raise ValueError(f"unknown components: {', '.join(sorted(unknown))}")
    now, app = state.clock.now(), ExternalClientApp()
    for kind, full_name in names.items():
        parent = {} if kind == schemas.APP else {schemas.PARENT: name}
        values = {**schemas.SCHEMAS[kind].defaults, "label": name, **parent, **components.get(kind, {})}
        prefix = ids.EXTERNAL_CLIENT_APP if kind == schemas.APP else ids.APP_PART
        app.parts[kind] = Part(state.ids.new(prefix), full_name, values, org.automated_user_id, now, now)
    app.consumer = Consumer(
        state.ids.new(ids.CONSUMER), consumer_key or ids.consumer_key(), consumer_secret or new_secret()
    )
    org.external_client_apps[name] = app
    app_clients.settle(state, org, org.automated_user_id)
    return org.external_client_apps[name]


def add_user(state: State, org: Org, username: str, password: str, **fields: Any) -> User:
    user = state.add_user(org, username, password, profile=fields.pop("profile", "Admin"))
    set_user(state, user, **fields)
    return user


def set_app(app: App, **fields: Any) -> None:
    """Set fields of an app; `approved_users` are user names."""
    for name, choices in _APP_CHOICES.items():
        if fields.get(name, choices[0]) not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}")
    if "flows" in fields:
        app.flows = set(fields.pop("flows"))
        if not app.flows <= APP_FLOWS:
            raise ValueError(f"flows are among {', '.join(sorted(APP_FLOWS))}")
    if "approved_users" in fields:
        app.approved_users = set(fields.pop("approved_users"))
    _assign(app, fields, _APP_FIELDS)


def set_user(state: State, user: User, **fields: Any) -> None:
    """Set fields of a user; `profile` is a label or name, `permissions` are those beyond the profile's."""
    if "profile" in fields:
        profile = state.orgs[user.org_id].profile(fields.pop("profile"))
        if profile is None:
            raise LookupError("no such profile")
        user.profile_id = profile.id
    if "permissions" in fields:
        user.permissions = set(fields.pop("permissions"))
    if "password" in fields:
        user.password_changed = state.clock.now()
    _assign(user, fields, _USER_FIELDS)


def _assign(target: Any, fields: Mapping[str, Any], allowed: set[str]) -> None:
    unknown = set(fields) - allowed
    if unknown:
        raise ValueError(f"unknown {type(target).__name__.lower()} fields: {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        setattr(target, name, value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
