# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Format C(env): environment variables in a file. Pure. Private to gatehouse.salesforce.

The names are those of restforce. The file reads the same for python-dotenv, systemd's EnvironmentFile and sh, whose
quoting differs: a value is written in a form that they agree on, or not at all.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..connection import Connection
from ..errors import OptionError

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_EXPANDED = re.compile(r"\$\{[^}]*\}")  # python-dotenv expands it within any quotes


def render_env(connection: Connection) -> str:
    """The variables that the connection has a value for, one a line."""
    if connection.auth in ("jwt_bearer", "session"):
        raise OptionError("format", f"env has no variable for what auth {connection.auth} logs in with; use json")
    variables = {
        "SALESFORCE_USERNAME": connection.username,
        "SALESFORCE_PASSWORD": connection.password,
        "SALESFORCE_SECURITY_TOKEN": connection.security_token,
        "SALESFORCE_CLIENT_ID": connection.consumer_key,
        "SALESFORCE_CLIENT_SECRET": connection.consumer_secret,
        "SALESFORCE_HOST": urlsplit(connection.login_url).netloc,
        "SALESFORCE_API_VERSION": connection.api_version,
    }
    return "".join(f"{name}={quote_env(name, value)}\n" for name, value in variables.items() if value)


def quote_env(name: str, value: str) -> str:
    """The value as all readers understand it; raises OptionError naming the characters that no such form has."""
    if not value.isprintable():
        raise OptionError(name, "env cannot hold a line break or another unprintable character")
    if _PLAIN.fullmatch(value):
        return value  # docker --env-file, too, which would take quotes for a part of it
    if _EXPANDED.search(value):
        raise OptionError(name, "env cannot hold '${' with a '}' after it: python-dotenv would expand it")
    if not set(value) & set("'\\"):
        return f"'{value}'"  # nothing is special here, but the end and, to some, a backslash
    if not set(value) & set("$`"):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    clash = " and ".join(repr(char) for char in "$`'\\" if char in value)
    raise OptionError(name, f"env cannot hold {clash} in one value: its readers have no quoting in common for that")
