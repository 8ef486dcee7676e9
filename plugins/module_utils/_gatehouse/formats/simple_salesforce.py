# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keyword arguments of simple-salesforce. Pure."""

from __future__ import annotations

from ..auth.connection import AUTH_FLOWS, Connection
from .common import Format, NotRepresentable, domain, json_text, quoted


def arguments(connection: Connection) -> dict[str, str]:
    """What C(simple_salesforce.Salesforce()) takes.

    For a login URL that simple-salesforce cannot express as a C(domain), C(login_url) takes its place, which is for
    C(SalesforceLogin(scratch_url=...)).
    """
    found = {**_SECRETS[connection.auth](connection), "version": connection.api_version}
    return {name: value for name, value in found.items() if value is not None}


def render_json(connection: Connection) -> str:
    """One flat object, such that C(Salesforce(**json.load(file))) logs in."""
    return json_text(arguments(connection))


def render_yaml(connection: Connection) -> str:
    """One flat mapping."""
    return "".join(f"{name}: {quoted(value)}\n" for name, value in arguments(connection).items())


def render_toml(connection: Connection) -> str:
    """The same without a table, so that it can be put under any."""
    return "".join(f"{name} = {quoted(value)}\n" for name, value in arguments(connection).items())


def _place(connection: Connection) -> dict[str, str]:
    try:
        return {"domain": domain(connection)}
    except NotRepresentable:
        return {"login_url": connection.login_url}


def _security_token(connection: Connection) -> dict[str, str | None]:
    return {
        "username": connection.username,
        "password": connection.password,
        # Without this key simple-salesforce does not take the rest for a login, even where no token is needed.
        "security_token": connection.security_token or "",
        **_place(connection),
    }


def _username_password(connection: Connection) -> dict[str, str | None]:
    return {
        "username": connection.username,
        # The token has no place of its own in this flow, and with one simple-salesforce would choose another flow.
        "password": connection.login_password,
        "consumer_key": connection.consumer_key,
        "consumer_secret": connection.consumer_secret,
        **_place(connection),
    }


def _jwt_bearer(connection: Connection) -> dict[str, str | None]:
    return {
        "username": connection.username,
        "consumer_key": connection.consumer_key,
        "privatekey": connection.private_key,
        **_place(connection),
    }


def _client_credentials(connection: Connection) -> dict[str, str | None]:
    return {
        "consumer_key": connection.consumer_key,
        "consumer_secret": connection.consumer_secret,
        **_place(connection),
    }


def _session(connection: Connection) -> dict[str, str | None]:
    return {"session_id": connection.access_token, "instance_url": connection.instance_url}


_SECRETS = {
    "security_token": _security_token,
    "username_password": _username_password,
    "jwt_bearer": _jwt_bearer,
    "client_credentials": _client_credentials,
    "session": _session,
}
_SOURCE = "simple-salesforce, simple_salesforce/api.py"
FORMATS = (
    Format(
        name="json",
        description="the keyword arguments of simple-salesforce as one JSON object",
        file="any",
        flows=AUTH_FLOWS,
        source=_SOURCE,
        render=render_json,
    ),
    Format(
        name="yaml",
        description="the same as YAML",
        file="any",
        flows=AUTH_FLOWS,
        source=_SOURCE,
        render=render_yaml,
    ),
    Format(
        name="toml",
        description="the same as TOML",
        file="any",
        flows=AUTH_FLOWS,
        source=_SOURCE,
        render=render_toml,
    ),
)
