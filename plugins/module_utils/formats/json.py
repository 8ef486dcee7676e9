# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Format C(json): the keyword arguments of simple-salesforce. Pure. Private to gatehouse.salesforce."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from ..connection import Connection

_SALESFORCE = ".salesforce.com"


def render_json(connection: Connection) -> str:
    """One flat object, such that C(Salesforce(**json.load(file))) logs in.

    For a login URL that simple-salesforce cannot express as a C(domain), C(login_url) takes its place, which is for
    C(SalesforceLogin(scratch_url=...)).
    """
    arguments = {**_SECRETS[connection.auth](connection), "version": connection.api_version}
    return json.dumps(arguments, indent=2) + "\n"


def _place(connection: Connection) -> dict[str, str]:
    """Where to log in, as simple-salesforce has it: what stands before C(.salesforce.com)."""
    parts = urlsplit(connection.login_url)
    domain = parts.netloc.lower().removesuffix(_SALESFORCE)
    if domain == parts.netloc.lower() or parts.path.strip("/"):
        return {"login_url": connection.login_url}
    return {"domain": domain}


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
