# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables in a file. Pure.

The readers of such files quote differently. C(env) writes a value in a form that python-dotenv, systemd and sh agree
on, or not at all; the others are for one reader and hold what it can.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Mapping

from ..auth.connection import Connection
from .common import (
    OAUTH_PASSWORD,
    PASSWORD,
    Format,
    NotRepresentable,
    domain,
    host,
    in_sandbox,
    require_printable,
    require_production,
)

Quote = Callable[[str, str], str]
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_EXPANDED = re.compile(r"\$\{[^}]*\}")  # python-dotenv expands it within any quotes
_COMMENT = re.compile(r"\s#")


def quote_env(name: str, value: str) -> str:
    """The value as all readers understand it; raises NotRepresentable naming the characters that no such form has."""
    require_printable(name, value)
    if _PLAIN.fullmatch(value):
        return value  # docker --env-file, too, which would take quotes for a part of it
    _refuse_expansion(name, value)
    if not set(value) & set("'\\"):
        return f"'{value}'"  # nothing is special here, but the end and, to some, a backslash
    if value.endswith("\\"):
        raise NotRepresentable(name, "a backslash at the end: python-dotenv would read on behind the quote")
    if not set(value) & set("$`"):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    clash = " and ".join(repr(char) for char in "$`'\\" if char in value)
    raise NotRepresentable(name, f"{clash} in one value: its readers have no quoting in common for that")


def quote_dotenv(name: str, value: str) -> str:
    """The value as python-dotenv understands it."""
    require_printable(name, value)
    _refuse_expansion(name, value)
    if not value.endswith("\\"):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    # A backslash before the closing quote would escape that for python-dotenv; without quotes it is just itself.
    if value[0] in "'\" " or _COMMENT.search(value) or value.startswith("#"):
        raise NotRepresentable(name, "a backslash at the end together with a quote or blank at the start or ' #'")
    return value


def quote_node(name: str, value: str) -> str:
    """The value as node's dotenv understands it, which knows three kinds of quotes and no way to escape them."""
    require_printable(name, value)
    if value.endswith("\\"):
        # Before a closing quote it would escape that.
        if value[0] in "'\"` " or "#" in value:
            raise NotRepresentable(name, "a backslash at the end together with a quote or blank at the start or '#'")
        return value
    for quote in "'`\"":
        if quote not in value and not (quote == '"' and re.search(r"\\[nr]", value)):
            return f"{quote}{value}{quote}"
    raise NotRepresentable(name, "three kinds of quotes in one value")


def quote_systemd(name: str, value: str) -> str:
    """The value as systemd's EnvironmentFile understands it."""
    require_printable(name, value)
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def quote_docker(name: str, value: str) -> str:
    """The value itself: docker --env-file knows no quotes."""
    require_printable(name, value)
    return value


def quote_shell(name: str, value: str) -> str:
    """The value as a POSIX shell understands it."""
    require_printable(name, value)
    return shlex.quote(value)


def lines(variables: Mapping[str, str | None], quote: Quote = quote_env) -> str:
    """The variables that have a value, one a line."""
    return "".join(f"{name}={quote(name, value)}\n" for name, value in variables.items() if value)


def render_env(connection: Connection, *, quote: Quote = quote_env) -> str:
    """The variables that restforce reads."""
    return lines(variables(connection), quote)


def variables(connection: Connection) -> dict[str, str | None]:
    """The names are those of restforce."""
    return {
        "SALESFORCE_USERNAME": connection.username,
        "SALESFORCE_PASSWORD": connection.password,
        "SALESFORCE_SECURITY_TOKEN": connection.security_token,
        "SALESFORCE_CLIENT_ID": connection.consumer_key,
        "SALESFORCE_CLIENT_SECRET": connection.consumer_secret,
        "SALESFORCE_HOST": host(connection),
        "SALESFORCE_API_VERSION": connection.api_version,
    }


def render_sfdc_env(connection: Connection) -> str:
    """Three variables, none of which says where to log in."""
    require_production(connection)
    return lines(
        {
            "SFDC_USERNAME": connection.username,
            "SFDC_PASSWORD": connection.password,
            "SFDC_SECURITY_TOKEN": connection.security_token,
        }
    )


def render_meltano(connection: Connection) -> str:
    """Settings of the Singer tap as Meltano names them in the environment, for old and new versions of the tap."""
    place = domain(connection)
    if connection.auth == "client_credentials":
        settings: dict[str, str | None] = {
            "AUTH_METHOD": "client_credentials",
            "CLIENT_ID": connection.consumer_key,
            "CLIENT_SECRET": connection.consumer_secret,
        }
    else:
        if not connection.security_token:
            raise NotRepresentable("security_token", "a credential without it, which the tap takes for incomplete")
        settings = {
            "AUTH_METHOD": "password",
            "USERNAME": connection.username,
            "PASSWORD": connection.password,
            "SECURITY_TOKEN": connection.security_token,
            "IS_SANDBOX": "true" if place == "test" or in_sandbox(place) else "false",
        }
    return lines({f"TAP_SALESFORCE_{name}": value for name, value in {**settings, "DOMAIN": place}.items()})


def _refuse_expansion(name: str, value: str) -> None:
    if _EXPANDED.search(value):
        raise NotRepresentable(name, "'${' with a '}' after it: python-dotenv would expand it")


_RESTFORCE = "restforce, lib/restforce/config.rb"
_FLOWS = (*PASSWORD, *OAUTH_PASSWORD, "client_credentials")
FORMATS = (
    Format(
        name="env",
        description="`SALESFORCE_*` variables, quoted so that python-dotenv, systemd and a shell read the same",
        file=".env",
        flows=_FLOWS,
        source=_RESTFORCE,
        render=render_env,
    ),
    Format(
        name="dotenv",
        description="the same variables, quoted for python-dotenv",
        file=".env",
        flows=_FLOWS,
        source="python-dotenv, src/dotenv/parser.py",
        render=functools.partial(render_env, quote=quote_dotenv),
    ),
    Format(
        name="node_env",
        description="the same variables, quoted for node's dotenv, for jsforce and nforce",
        file=".env",
        flows=_FLOWS,
        source="dotenv for node, lib/main.js",
        render=functools.partial(render_env, quote=quote_node),
    ),
    Format(
        name="systemd_env",
        description="the same variables for systemd's `EnvironmentFile=`",
        file="/etc/default/NAME",
        flows=_FLOWS,
        source="systemd.exec(5)",
        render=functools.partial(render_env, quote=quote_systemd),
    ),
    Format(
        name="docker_env",
        description="the same variables for `docker run --env-file`, which knows no quotes; not for Compose",
        file="NAME.env",
        flows=_FLOWS,
        source="docker run reference, --env-file",
        render=functools.partial(render_env, quote=quote_docker),
    ),
    Format(
        name="shell_env",
        description="the same variables for a POSIX shell that reads the file by `.`",
        file="NAME.sh",
        flows=_FLOWS,
        source="POSIX, shell command language",
        render=functools.partial(render_env, quote=quote_shell),
    ),
    Format(
        name="sfdc_env",
        description="`SFDC_*` variables, quoted as `env`",
        file=".env",
        flows=PASSWORD,
        source="simple-mockforce, README",
        render=render_sfdc_env,
    ),
    Format(
        name="meltano",
        description="`TAP_SALESFORCE_*` variables, quoted as `env`; the tap insists on a security token",
        file=".env",
        flows=(*PASSWORD, "client_credentials"),
        source="MeltanoLabs tap-salesforce, salesforce/credentials.py",
        render=render_meltano,
    ),
)
