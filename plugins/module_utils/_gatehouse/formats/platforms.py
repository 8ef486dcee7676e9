# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms, secret stores and clients of other makers. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..auth.connection import AUTH_FLOWS, Connection
from .common import OAUTH_PASSWORD, PASSWORD, Format, NotRepresentable, domain, host, json_text, literal, of_sandbox
from .env import variables
from .pipelines import REFRESHED

_AUTH_URL_PART = re.compile(r"[A-Za-z0-9._-]+={0,2}")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_KUBERNETES_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


def render_kubernetes(connection: Connection, *, name: str = "salesforce") -> str:
    """A Secret with one key a field, for C(envFrom) or a volume. kubectl reads JSON as it reads YAML."""
    if not _KUBERNETES_NAME.fullmatch(name):
        raise NotRepresentable("name", f"{name!r} as a name: lower case letters, digits, - and .")
    fields = {
        **variables(connection),
        "SALESFORCE_PRIVATE_KEY": connection.private_key,
        "SALESFORCE_ACCESS_TOKEN": connection.access_token,
        "SALESFORCE_INSTANCE_URL": connection.instance_url,
    }
    return json_text(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "Opaque",
            "stringData": {key: value for key, value in fields.items() if value},
        }
    )


def render_systemd_credential(connection: Connection) -> str:
    """The login password alone, without a line break that would become a part of it."""
    return connection.login_password


def render_django(connection: Connection) -> str:
    """A Python module that settings import from, since settings have other databases too."""
    database = {
        "ENGINE": "salesforce.backend",
        "HOST": connection.login_url.rstrip("/"),
        "CONSUMER_KEY": connection.consumer_key,
        "CONSUMER_SECRET": connection.consumer_secret,
        "USER": connection.username,
        "PASSWORD": connection.login_password,
    }
    body = "".join(f"    {key!r}: {value!a},\n" for key, value in database.items())
    return f"SALESFORCE = {{\n{body}}}\n"


def render_sfdx_url(connection: Connection, *, refresh_token: str | None = None) -> str:
    """What C(sf org login sfdx-url) reads."""
    if not refresh_token:
        raise NotRepresentable("refresh_token", "a credential without it")
    place = urlsplit(connection.instance_url).netloc if connection.instance_url else host(connection)
    parts = {
        "consumer_key": connection.consumer_key or "",
        "consumer_secret": connection.consumer_secret or "",
        "refresh_token": refresh_token,
    }
    for option, value in parts.items():
        if not _AUTH_URL_PART.fullmatch(value):
            raise NotRepresentable(option, "any character but letters, digits, '.', '_', '-' and '=' at the end")
    return f"force://{':'.join(parts.values())}@{place}\n"


def render_keydra(connection: Connection) -> str:
    """The value of a secret that Keydra rotates."""
    return json_text(
        {
            "key": connection.username,
            "secret": connection.password,
            "token": connection.security_token or "",
            "domain": domain(connection),
        }
    )


def render_amazon_connect(connection: Connection) -> str:
    """The value of the secret; the user's name and the host are variables of the functions."""
    return json_text(
        {
            "Password": connection.password,
            "AccessToken": connection.security_token or "",
            "ConsumerKey": connection.consumer_key,
            "ConsumerSecret": connection.consumer_secret,
        }
    )


def render_kelverion(connection: Connection) -> str:
    """The fields of a connection."""
    return json_text(
        {
            "Username": connection.username,
            "Password": connection.password,
            "SecurityToken": connection.security_token or "",
            "ClientId": connection.consumer_key,
            "ClientSecret": connection.consumer_secret,
        }
    )


def render_vault(connection: Connection) -> str:
    """What C(vault write MOUNT/config/NAME @file) sends."""
    fields = {
        "login_url": connection.login_url,
        "client_id": connection.consumer_key,
        "client_secret": connection.consumer_secret,
    }
    if connection.auth == "jwt_bearer":
        fields |= {
            "private_key": connection.private_key,
            "username": connection.username,
            "audience": connection.login_url,
        }
    return json_text({key: value for key, value in fields.items() if value})


def render_n8n(connection: Connection, *, name: str = "Salesforce") -> str:
    """What C(n8n import:credentials) reads."""
    data = {
        "environment": "sandbox" if of_sandbox(connection) else "production",
        "clientId": connection.consumer_key,
        "username": connection.username,
        "privateKey": connection.private_key,
    }
    if host(connection).lower().endswith(".my.salesforce.com"):
        data["myDomainUrl"] = connection.login_url
    found = literal(data, start=("=",))  # an expression
    return json_text([{"id": name, "name": name, "type": "salesforceJwtApi", "data": found}])


FORMATS = (
    Format(
        name="kubernetes",
        description="a Secret NAME (`salesforce`) with `SALESFORCE_*` keys",
        file="manifest",
        flows=AUTH_FLOWS,
        options=("name",),
        source="Kubernetes API, Secret v1",
        render=render_kubernetes,
    ),
    Format(
        name="systemd_credential",
        description="the login password and nothing else: systemd's `LoadCredential=`, secrets of Docker",
        file="/etc/credstore/NAME",
        composed=True,
        flows=(*PASSWORD, *OAUTH_PASSWORD),
        source="systemd.exec(5)",
        render=render_systemd_credential,
    ),
    Format(
        name="django",
        description="django-salesforce: `from salesforce_database import SALESFORCE` in the settings",
        file="salesforce_database.py",
        composed=True,
        flows=OAUTH_PASSWORD,
        source="django-salesforce, salesforce/auth.py",
        render=render_django,
    ),
    Format(
        name="sfdx_url",
        description="the Salesforce CLI's `sf org login sfdx-url`",
        file="environment or file",
        composed=None,
        flows=REFRESHED,
        options=("refresh_token",),
        source="sfdx-core, AuthInfo.parseSfdxAuthUrl",
        render=render_sfdx_url,
    ),
    Format(
        name="keydra",
        description="the secret that Keydra rotates",
        file="AWS Secrets Manager",
        flows=PASSWORD,
        source="Keydra, providers/salesforce.py",
        render=render_keydra,
    ),
    Format(
        name="amazon_connect",
        description="Amazon Connect's Lambda package, which joins password and token itself and has the user elsewhere",
        file="AWS Secrets Manager",
        flows=OAUTH_PASSWORD,
        source="amazon-connect-salesforce-lambda, salesforce.py",
        render=render_amazon_connect,
    ),
    Format(
        name="kelverion",
        description="the fields of a connection of Kelverion's PowerShell module",
        file="connection of Azure Automation",
        flows=OAUTH_PASSWORD,
        source="Kelverion, Salesforce integration module",
        render=render_kelverion,
    ),
    Format(
        name="vault",
        description="configuration of a Salesforce secrets engine of Vault",
        file="argument of vault write",
        composed=None,
        flows=("jwt_bearer", "client_credentials"),
        source="vault-plugin-secrets-salesforce, path_config.go",
        render=render_vault,
    ),
    Format(
        name="n8n",
        description="n8n's credential NAME (`Salesforce`), for `n8n import:credentials`",
        file="JSON file",
        composed=None,
        flows=("jwt_bearer",),
        options=("name",),
        source="n8n, SalesforceJwtApi.credentials.ts",
        render=render_n8n,
    ),
)
