# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Tooling API's queries: the tables of the plain query, and the field `Metadata` of settings and profiles.

That `SELECT Metadata FROM SecuritySettings` and `… FROM Profile WHERE Id = …` answer, one record at a time, is
CONFIRMED by the source of clients; the form of the answer follows the metadata.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

from . import components, soap, soql, tables
from .errors import ApiError
from .save import Element
from .sessions import Caller
from .soql import Field, Query, Table
from .state import Org

# Elements that are lists, however many there are.
LISTS = {"ipRanges", "loginIpRanges", "userPermissions", "trustedIpRanges", "customAttributes"}
_NUMBER = re.compile(r"\d{1,9}")


def find(caller: Caller, query: Query) -> tuple[Table, list[Any]]:
    """Find the table, with the field that the plain query does not have, and its rows."""
    name = query.table.lower()
    wants_metadata = any(field.lower() in ("metadata", "fullname") for field in query.fields)
    if name == "securitysettings":
        table = Table("SecuritySettings", {"Metadata": _metadata(caller, "SecuritySettings")}, lambda org: org.id)
        return table, [caller.org]
    table, rows = tables.find(caller, query.table)
    if name == "profile":
        own = {"Metadata": _metadata(caller, "Profile"), "FullName": Field(attrgetter("name"), filterable=False)}
        table = Table(table.name, {**table.fields, **own}, table.id_of)
    found = list(rows)
    if wants_metadata and len(soql.select(table, query, found)) > 1:
        text = (
            "When retrieving results with Metadata or FullName fields, the query qualifications must specify "
            "no more than one row for retrieval."
        )
        raise ApiError("MALFORMED_QUERY", text)
    return table, found


def _metadata(caller: Caller, name: str) -> Field:
    kind = components.by_name(name)
    assert kind is not None

    def get(row: Any) -> dict[str, Any]:
        full_name = "Security" if isinstance(row, Org) else row.name
        body = kind.render(caller.org, full_name, caller.version) or ""
        document = f'<m xmlns="{soap.METADATA}" xmlns:xsi="{soap.XSI}">{body}</m>'
        shown = _values(soap.parse_xml(document.encode()))
        assert isinstance(shown, dict)
        shown.pop("fullName", None)
        return shown

    return Field(get, filterable=False)


def _values(element: Element) -> Any:
    """Turn an element into JSON: true, false and numbers as such; lists even where there is one entry, or none."""
    if not len(element):
        text = soap.content(element)
        if soap.local_name(element) in ("networkAccess",):
            return {"ipRanges": []}
        return {"true": True, "false": False}.get(text, int(text) if _NUMBER.fullmatch(text) else text)
    found: dict[str, Any] = {}
    for child in element:
        name = soap.local_name(child)
        if name in LISTS:
            found.setdefault(name, []).append(_values(child))
        else:
            found[name] = _values(child)
    return found
