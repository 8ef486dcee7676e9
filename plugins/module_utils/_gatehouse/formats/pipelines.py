# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that copy data out of Salesforce. Pure."""

from __future__ import annotations

from ..auth.connection import Connection
from .common import (
    OAUTH_PASSWORD,
    PASSWORD,
    PRODUCTION,
    SANDBOX,
    Format,
    NotRepresentable,
    host,
    is_sandbox,
    json_text,
    literal,
    of_sandbox,
    quoted,
    require_production,
)


def render_dlt(connection: Connection) -> str:
    """Secrets of the verified source C(salesforce), whose argument for the user is C(user_name)."""
    require_production(connection)
    fields = {
        "user_name": connection.username or "",
        "password": connection.password or "",
        "security_token": connection.security_token or "",
    }
    return "[sources.salesforce]\n" + "".join(f"{key} = {quoted(value)}\n" for key, value in fields.items())


def render_embulk(connection: Connection) -> str:
    """The part of a configuration that says where to read."""
    fields = {
        "type": "sfdc",
        "username": connection.username,
        "password": connection.password,
        "security_token": connection.security_token or "",
        "client_id": connection.consumer_key,
        "client_secret": connection.consumer_secret,
        "login_url": connection.login_url,
    }
    found = literal(fields, "{{", "{%")  # a file with the ending .liquid
    return "in:\n" + "".join(f"  {key}: {quoted(value)}\n" for key, value in found.items())


def render_logstash(connection: Connection) -> str:
    """Settings of the input C(salesforce)."""
    fields = {
        "client_id": connection.consumer_key,
        "client_secret": connection.consumer_secret,
        "username": connection.username,
        "password": connection.password,
        "security_token": connection.security_token or "",
        "api_version": connection.api_version,
    }
    place = host(connection).lower()
    if place not in (PRODUCTION, SANDBOX):
        fields["sfdc_instance_url"] = place
    settings = {key: _logstash_string(key, value) for key, value in literal(fields, "${").items()}
    if place == SANDBOX:
        settings["use_test_sandbox"] = "true"
    return "".join(f"{key} => {value}\n" for key, value in settings.items())


def _logstash_string(key: str, value: str) -> str:
    if value.endswith("\\"):
        raise NotRepresentable(key, "a backslash at the end")
    for quote in "'\"":
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise NotRepresentable(key, "both kinds of quotes in one value")


def render_adf(connection: Connection, *, name: str = "Salesforce") -> str:
    """A linked service of Azure Data Factory: its old kind for a password, its new one for OAuth."""
    common = {"environmentUrl": connection.login_url, "apiVersion": connection.api_version}
    if connection.auth == "security_token":
        kind, clear = "Salesforce", {"username": connection.username}
        secret = {"password": connection.password, "securityToken": connection.security_token or ""}
    else:
        kind = "SalesforceV2"
        clear = {"authenticationType": "OAuth2ClientCredentials", "clientId": connection.consumer_key}
        secret = {"clientSecret": connection.consumer_secret}
    literal({**clear, **secret}, "@{", start=("@",))  # expressions, in a SecureString too
    sealed = {key: {"type": "SecureString", "value": value} for key, value in secret.items()}
    return json_text({"name": name, "properties": {"type": kind, "typeProperties": {**common, **clear, **sealed}}})


def render_redash(connection: Connection) -> str:
    """Options of a data source."""
    return json_text(
        {
            "username": connection.username,
            "password": connection.password,
            "token": connection.security_token or "",
            "sandbox": is_sandbox(connection),
            "api_version": connection.api_version,
        }
    )


def render_singer(connection: Connection, *, refresh_token: str | None = None) -> str:
    """Configuration of the Singer tap."""
    return json_text(_refreshed(connection, refresh_token))


def render_airbyte(connection: Connection, *, refresh_token: str | None = None) -> str:
    """Configuration of the source."""
    return json_text({"auth_type": "Client", **_refreshed(connection, refresh_token)})


def _refreshed(connection: Connection, refresh_token: str | None) -> dict[str, object]:
    if not refresh_token:
        raise NotRepresentable("refresh_token", "a credential without it")
    return {
        "client_id": connection.consumer_key,
        "client_secret": connection.consumer_secret,
        "refresh_token": refresh_token,
        "is_sandbox": of_sandbox(connection),
    }


REFRESHED = ("username_password", "client_credentials")
FORMATS = (
    Format(
        name="dlt",
        description="dlt's verified source `salesforce`",
        file=".dlt/secrets.toml",
        flows=PASSWORD,
        source="dlt verified sources, salesforce/__init__.py",
        render=render_dlt,
    ),
    Format(
        name="embulk",
        description="embulk-input-sfdc, the `in:` part of a configuration",
        file="config.yml",
        flows=OAUTH_PASSWORD,
        source="embulk-input-sfdc, README",
        render=render_embulk,
    ),
    Format(
        name="logstash",
        description="the settings within `salesforce { }`",
        file="pipeline .conf",
        flows=OAUTH_PASSWORD,
        source="Logstash, Salesforce input plugin",
        render=render_logstash,
    ),
    Format(
        name="adf",
        description="a linked service NAME (`Salesforce`) of Azure Data Factory",
        file="linkedService/NAME.json",
        flows=(*PASSWORD, "client_credentials"),
        options=("name",),
        source="Azure Data Factory, SalesforceLinkedService, SalesforceV2LinkedService",
        render=render_adf,
    ),
    Format(
        name="redash",
        description="options of a Redash data source",
        file="body of POST /api/data_sources",
        flows=PASSWORD,
        source="Redash, query_runner/salesforce.py",
        render=render_redash,
    ),
    Format(
        name="singer",
        description="the Singer tap tap-salesforce, with OAuth",
        file="config.json",
        composed=None,
        flows=REFRESHED,
        options=("refresh_token",),
        source="tap-salesforce, README",
        render=render_singer,
    ),
    Format(
        name="airbyte",
        description="Airbyte's source `source-salesforce`",
        file="config.json",
        composed=None,
        flows=REFRESHED,
        options=("refresh_token",),
        source="Airbyte, source-salesforce specification",
        render=render_airbyte,
    ),
)
