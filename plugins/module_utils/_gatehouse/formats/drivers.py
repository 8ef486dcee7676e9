# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection strings of database drivers. Pure."""

from __future__ import annotations

import re

from .encoders import Quote, as_text, quote_unescaped, require_printable
from .fields import NotRepresentable
from .model import Values

_PLAIN = re.compile(r"[A-Za-z0-9@._+/:-]*")
_ODBC_DRIVER = "DataDirect 8.0 Salesforce"
_ODBC_LINE = 999  # unixODBC cuts a longer one off


def _quote_progress(key: str, value: str) -> str:
    """Quote as Progress's JDBC drivers do: in braces if it has such, or outer blanks, as their manual says."""
    require_printable(key, value)
    if ";" in value:
        raise NotRepresentable(key, "';', which ends a value in any quotes that the manual of its reader tells of")
    return f"{{{value}}}" if value != value.strip() or set(value) & set("{}") else value


def _quote_odbc(key: str, value: str) -> str:
    """Quote as ODBC does: in braces, of which the first that closes ends them to some driver managers."""
    require_printable(key, value)
    if _PLAIN.fullmatch(value):
        return value
    if "}" in value:
        raise NotRepresentable(key, "'}', which would end it")
    return f"{{{value}}}"


def _quote_cdata(key: str, value: str) -> str:
    """Quote by one kind of quotes, which the reader cannot escape."""
    require_printable(key, value)
    return value if _PLAIN.fullmatch(value) else quote_unescaped(key, value, "\"'")


def _quote_ado_net(key: str, value: str) -> str:
    """Quote as in an ADO.NET connection string."""
    require_printable(key, value)
    return value if _PLAIN.fullmatch(value) else '"' + value.replace('"', '""') + '"'


def _join(values: Values, quote: Quote) -> str:
    return ";".join(f"{key}={quote(key, as_text(value))}" for key, value in values.items())


def progress_url(values: Values) -> str:
    """Write a URL for java.sql.DriverManager."""
    rest = dict(values)
    return f"jdbc:datadirect:sforce://{rest.pop('host')};{_join(rest, _quote_progress)}\n"


def odbc_string(values: Values) -> str:
    """Write a connection string without a data source name."""
    return f"DRIVER={_ODBC_DRIVER};{_join(values, _quote_odbc)}\n"


def odbc_source(values: Values, *, name: str = "Salesforce") -> str:
    """Write a data source for C(odbc.ini), where a value is the rest of its line."""
    if not re.fullmatch(r"[\w.-]([\w. -]{0,30}[\w.-])?", name, re.ASCII):
        raise NotRepresentable(
            "name", f"{name!r} as the name of a data source: letters, digits, . _ - and blanks, at most 32"
        )
    lines = [f"[{name}]", f"Driver={_ODBC_DRIVER}"]
    for key, value in values.items():
        lines.append(f"{key}={value}")
        if len(lines[-1].encode()) > _ODBC_LINE:
            raise NotRepresentable(key, f"a value with which its line has more than {_ODBC_LINE} bytes")
    return "\n".join(lines) + "\n"


def cdata_url(values: Values) -> str:
    """Write a URL for java.sql.DriverManager."""
    return f"jdbc:salesforce:{_join(values, _quote_cdata)};\n"


def ado_net_string(values: Values) -> str:
    """Write a connection string for ADO.NET."""
    return f"{_join(values, _quote_ado_net)}\n"
