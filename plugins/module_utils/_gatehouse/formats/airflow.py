# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of Apache Airflow. Pure."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlencode

from ..auth.connection import Connection
from .common import Format, NotRepresentable, json_text
from .env import lines
from .simple_salesforce import arguments

_DEFAULT = "salesforce_default"  # what Airflow's Salesforce hook looks for


def render_airflow_uri(connection: Connection, *, name: str = _DEFAULT) -> str:
    """An environment variable that holds the connection as a URI."""
    login, password, extra = _parts(connection)
    user = ":".join(quote(part, safe="") for part in (login, password))
    return lines({_variable(name): f"salesforce://{user}@/?{urlencode(extra)}"})


def render_airflow_json(connection: Connection, *, name: str = _DEFAULT) -> str:
    """An environment variable that holds the connection as JSON."""
    text = json.dumps(_entry(connection), separators=(",", ":"))
    # Written as escapes, these leave a text that can be quoted for every reader of an environment file.
    for char in "$`":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return lines({_variable(name): text})


def render_airflow_connections(connection: Connection, *, name: str = _DEFAULT) -> str:
    """The connection by its id, for Airflow's local secrets backend or C(airflow connections import)."""
    return json_text({name: _entry(connection)})


def _parts(connection: Connection) -> tuple[str, str, dict[str, str]]:
    """User, password, and what the Salesforce hook wants beside them."""
    extra = arguments(connection)
    if "login_url" in extra:
        raise NotRepresentable("login_url", f"{connection.login_url}, only a host at salesforce.com")
    if extra.get("security_token") == "":
        raise NotRepresentable("security_token", "a credential without it, which Airflow's hook takes for incomplete")
    if "privatekey" in extra:
        extra["private_key"] = extra.pop("privatekey")
    return extra.pop("username", ""), extra.pop("password", ""), extra


def _entry(connection: Connection) -> dict[str, object]:
    login, password, extra = _parts(connection)
    found = {"conn_type": "salesforce", "login": login, "password": password, "extra": extra}
    return {key: value for key, value in found.items() if value}


def _variable(name: str) -> str:
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise NotRepresentable("name", f"{name!r} as the id of a connection: letters, digits and _ only")
    return f"AIRFLOW_CONN_{name.upper()}"


_FLOWS = ("security_token", "username_password", "jwt_bearer", "client_credentials")
FORMATS = (
    Format(
        name="airflow_uri",
        description="`AIRFLOW_CONN_NAME` with a URI; NAME is `salesforce_default` if not given",
        file="environment file",
        flows=_FLOWS,
        options=("name",),
        source="Airflow, managing connections; SalesforceHook",
        render=render_airflow_uri,
    ),
    Format(
        name="airflow_json",
        description="`AIRFLOW_CONN_NAME` with JSON",
        file="environment file",
        flows=_FLOWS,
        options=("name",),
        source="Airflow, managing connections; SalesforceHook",
        render=render_airflow_json,
    ),
    Format(
        name="airflow_connections",
        description="the connection for Airflow's local filesystem backend or `airflow connections import`",
        file="connections.json",
        flows=_FLOWS,
        options=("name",),
        source="Airflow, local filesystem secrets backend",
        render=render_airflow_connections,
    ),
)
