# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retrieves: components of an org as a package."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from . import components, ids, packages, soap
from .components import Named, Type
from .errors import ApiError
from .sessions import Caller
from .state import State


@dataclass(frozen=True)
class Retrieve:
    """One retrieve, carried out when it was asked for."""

    id: str
    data: bytes
    properties: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    problem: str = ""


def retrieve(state: State, call: soap.Call, caller: Caller) -> str:
    """Collect what is asked for; jsforce calls the element `request`, as the WSDL does not."""
    caller.require(*components.WRITE_PERMISSIONS)
    one = _collect(state, call, caller)
    caller.org.retrieves[one.id] = one
    return (
        f"<retrieveResponse><result><done>false</done>{soap.tag('id', one.id)}<state>Queued</state></result>"
        "</retrieveResponse>"
    )


def _collect(state: State, call: soap.Call, caller: Caller) -> Retrieve:
    request = next((one for one in call.element if soap.local_name(one) in ("retrieveRequest", "request")), None)
    retrieve_id = state.ids.new(ids.RETRIEVE)
    if request is None:
        return Retrieve(retrieve_id, b"", (), (), "retrieveRequest is missing")
    for name in soap.child_texts(request, "packageNames"):
        # Text and form are CONFIRMED by a client's test.
        return Retrieve(retrieve_id, b"", (), (), f"INVALID_CROSS_REFERENCE_KEY: No package named '{name}' found")
    unpackaged = next((one for one in request if soap.local_name(one) == "unpackaged"), None)
    files: dict[tuple[str, str], tuple[Type, Named]] = {}
    messages: list[tuple[str, str]] = []
    for types in () if unpackaged is None else unpackaged:
        if soap.local_name(types) != "types":
            continue
        package_name = (soap.child_text(types, "name") or "").strip()
        for member in (one.strip() for one in soap.child_texts(types, "members")):
            found = _members(caller, package_name, member)
            files |= {(kind.name, named.name): (kind, named) for kind, named in found}
            if not found and member != "*":
                text = f"Entity of type '{package_name}' named '{member}' cannot be found"
                messages.append(("unpackaged/package.xml", text))
    version = caller.version
    bodies = [(kind, named.name, kind.render(caller.org, named.name, version) or "") for kind, named in files.values()]
    properties = [components.file_properties(caller, kind, named, "unpackaged/") for kind, named in files.values()]
    return Retrieve(retrieve_id, packages.write(version, bodies), tuple(properties), tuple(messages))


def _members(caller: Caller, package_name: str, member: str) -> list[tuple[Type, Named]]:
    return [
        (kind, named)
        for kind in components.members(package_name)
        if components.available(caller.org, kind, caller.version)
        for named in kind.names(caller.org)
        if member in ("*", named.name)
    ]


def exists(caller: Caller, retrieve_id: str) -> bool:
    return _find(caller, retrieve_id) is not None


def _find(caller: Caller, retrieve_id: str) -> Retrieve | None:
    found = caller.org.retrieves.get(ids.long_id(retrieve_id)) if len(retrieve_id) in (15, 18) else None
    return found if isinstance(found, Retrieve) else None


def check_status(state: State, call: soap.Call, caller: Caller) -> str:
    """Write a RetrieveResult in schema order; without the zip where it is not wanted."""
    name = (soap.child_text(call.element, "asyncProcessId") or "").strip()
    one = _find(caller, name)
    if one is None:
        raise ApiError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {name}")
    wanted = (soap.child_text(call.element, "includeZip") or "true").strip().lower() in ("true", "1")
    problem = ""
    if one.problem:
        problem = soap.tag("errorMessage", one.problem) + "<errorStatusCode>UNKNOWN_EXCEPTION</errorStatusCode>"
    status = "Failed" if one.problem else "Succeeded"
    data = base64.b64encode(one.data).decode() if wanted else ""
    return (
        f"<checkRetrieveStatusResponse><result><done>true</done>{problem}"
        + "".join(f"<fileProperties>{item}</fileProperties>" for item in one.properties)
        + soap.tag("id", one.id)
        + "".join(
            f"<messages>{soap.tag('fileName', file)}{soap.tag('problem', text)}</messages>"
            for file, text in one.messages
        )
        + f"<status>{status}</status><success>{str(not one.problem).lower()}</success>"
        + f"{soap.tag('zipFile', data)}</result></checkRetrieveStatusResponse>"
    )
