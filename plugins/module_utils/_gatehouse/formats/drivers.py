# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection strings of database drivers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..auth.connection import Connection
from .common import PASSWORD, Format, NotRepresentable, host, is_sandbox, require_printable, require_trimmed

_PLAIN = re.compile(r"[A-Za-z0-9@._+/:-]*")
_ODBC_DRIVER = "DataDirect 8.0 Salesforce"
_ODBC_LINE = 999  # unixODBC cuts a longer one off


def progress(key: str, value: str) -> str:
    """The value as Progress's JDBC drivers take it: in braces if it has such, or outer blanks, as their manual says."""
    require_printable(key, value)
    if ";" in value:
        raise NotRepresentable(key, "';', which ends a value in any quotes that the manual of its reader tells of")
    return f"{{{value}}}" if value != value.strip() or set(value) & set("{}") else value


def odbc(key: str, value: str) -> str:
    """The value as ODBC quotes it: in braces, of which the first that closes ends them to some driver managers."""
    require_printable(key, value)
    if _PLAIN.fullmatch(value):
        return value
    if "}" in value:
        raise NotRepresentable(key, "'}', which would end it")
    return f"{{{value}}}"


def in_quotes(key: str, value: str) -> str:
    """The value in one kind of quotes, which the reader cannot escape."""
    require_printable(key, value)
    if _PLAIN.fullmatch(value):
        return value
    for quote in "\"'":
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise NotRepresentable(key, "both kinds of quotes in one value")


def ado_net(key: str, value: str) -> str:
    """The value as an ADO.NET connection string has it."""
    require_printable(key, value)
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace('"', '""') + '"'


def _joined(fields: Mapping[str, str | None], quote: Callable[[str, str], str]) -> str:
    return "".join(f"{key}={quote(key, value)};" for key, value in fields.items() if value)


def render_datadirect_jdbc(connection: Connection) -> str:
    """A URL for java.sql.DriverManager."""
    fields = {
        "User": connection.username,
        "Password": connection.password,
        "SecurityToken": connection.security_token,
    }
    return f"jdbc:datadirect:sforce://{host(connection)};{_joined(fields, progress)[:-1]}\n"


def _odbc_fields(connection: Connection) -> dict[str, str | None]:
    return {
        "HostName": host(connection),
        "LogonID": connection.username,
        "Password": connection.password,
        "SecurityToken": connection.security_token,
    }


def render_datadirect_odbc(connection: Connection) -> str:
    """A connection string without a data source name."""
    return f"DRIVER={_ODBC_DRIVER};{_joined(_odbc_fields(connection), odbc)[:-1]}\n"


def render_datadirect_odbc_ini(connection: Connection, *, name: str = "Salesforce") -> str:
    """A data source for C(odbc.ini), where a value is the rest of its line."""
    if not re.fullmatch(r"[\w.-]([\w. -]{0,30}[\w.-])?", name, re.ASCII):
        raise NotRepresentable(
            "name", f"{name!r} as the name of a data source: letters, digits, . _ - and blanks, at most 32"
        )
    lines = [f"[{name}]", f"Driver={_ODBC_DRIVER}"]
    for key, value in _odbc_fields(connection).items():
        if value:
            require_printable(key, value)
            require_trimmed(key, value)
            lines.append(f"{key}={value}")
            if len(lines[-1].encode()) > _ODBC_LINE:
                raise NotRepresentable(key, f"a value with which its line has more than {_ODBC_LINE} bytes")
    return "\n".join(lines) + "\n"


def render_cdata_jdbc(connection: Connection) -> str:
    """A URL for java.sql.DriverManager."""
    fields = {
        "User": connection.username,
        "Password": connection.password,
        "Security Token": connection.security_token,
        "Use Sandbox": "true" if is_sandbox(connection) else None,
    }
    return f"jdbc:salesforce:{_joined(fields, in_quotes)}\n"


def render_devart(connection: Connection) -> str:
    """A connection string for dotConnect."""
    fields = {
        "Server": host(connection),
        "User Id": connection.username,
        "Password": connection.password,
        "Security Token": connection.security_token,
    }
    return f"{_joined(fields, ado_net)[:-1]}\n"


FORMATS = (
    Format(
        name="datadirect_jdbc",
        description="Progress DataDirect's JDBC driver",
        file="JDBC URL",
        flows=PASSWORD,
        source="Progress DataDirect for JDBC 6.0, connection URL",
        render=render_datadirect_jdbc,
    ),
    Format(
        name="datadirect_odbc",
        description="Progress DataDirect's ODBC driver",
        file="connection string",
        flows=PASSWORD,
        source="Progress DataDirect for ODBC 8.0, user ID and password authentication",
        render=render_datadirect_odbc,
    ),
    Format(
        name="datadirect_odbc_ini",
        description="the same as a data source NAME (`Salesforce`)",
        file="odbc.ini",
        flows=PASSWORD,
        options=("name",),
        source="Progress DataDirect for ODBC 8.0, user ID and password authentication",
        render=render_datadirect_odbc_ini,
    ),
    Format(
        name="cdata_jdbc",
        description="CData's JDBC driver",
        file="JDBC URL",
        flows=PASSWORD,
        source="CData JDBC driver for Salesforce, connection string",
        render=render_cdata_jdbc,
    ),
    Format(
        name="devart",
        description="Devart dotConnect",
        file="connection string",
        flows=PASSWORD,
        source="Devart dotConnect for Salesforce, connection string",
        render=render_devart,
    ),
)
