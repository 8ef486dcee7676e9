# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Metadata service: the CRUD calls, and what lists and describes components."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from . import app_clients, components, deploys, retrieves, soap
from .components import Type
from .errors import ApiError, ClientFault
from .save import Change, Failure, Saving, roll_back
from .sessions import Caller
from .state import State

FIRST_VERSION = 30.0
COMPONENTS_PER_CALL = 10
QUERIES_PER_CALL = 3
CRUD = ("createMetadata", "readMetadata", "updateMetadata", "upsertMetadata", "deleteMetadata")

How = Literal["create", "update", "upsert"]


@dataclass(frozen=True)
class _Saved:
    full_name: str
    failure: Failure | None
    created: bool = False


def perform(state: State, call: soap.Call, caller: Caller) -> str:
    """Answer one call with its payload. CRUD calls exist from version 30 on (CONFIRMED)."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None or (call.operation in CRUD and caller.version < FIRST_VERSION):
        raise ClientFault(f"No operation available for request {{{call.namespace}}}{call.operation}")
    with state.lock:
        return operation(state, call, caller)


def _check_count(count: int) -> None:
    if count > COMPONENTS_PER_CALL:
        # The limit is CONFIRMED, code and text are INVENTED.
        text = f"record limit reached. cannot submit more than {COMPONENTS_PER_CALL} records"
        raise ApiError("EXCEEDED_ID_LIMIT", text)


def _type(caller: Caller, name: str) -> Type:
    kind = components.by_name(name)
    if kind is None or not components.available(caller.org, kind, caller.version):
        raise ApiError("INVALID_TYPE", f"This type of metadata is not available for this organization: {name}")
    return kind


# -- reading -----------------------------------------------------------------------------------------------------------


def read_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    caller.require(*components.WRITE_PERMISSIONS)
    kind = _type(caller, (soap.child_text(call.element, "type") or "").strip())
    names = [name.strip() for name in soap.child_texts(call.element, "fullNames")]
    _check_count(len(names))
    records = [_record(caller, kind, name, kind.render(caller.org, name, caller.version)) for name in names]
    return f"<readMetadataResponse><result>{''.join(records)}</result></readMetadataResponse>"


def _record(caller: Caller, kind: Type, name: str, body: str | None) -> str:
    if body is None:
        if caller.org.switches.missing_component == "nil":
            return '<records xsi:nil="true"/>'
        body = soap.tag("fullName", name)
    if caller.org.switches.prefixed_types:
        return f'<records xmlns:met="{soap.METADATA}" xsi:type="met:{kind.name}">{body}</records>'
    return f'<records xsi:type="{kind.name}">{body}</records>'


def list_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    """List up to three types at once; without any component there is no result (CONFIRMED by a recording)."""
    caller.require(*components.WRITE_PERMISSIONS)
    queries = [child for child in call.element if soap.local_name(child) == "queries"]
    if len(queries) > QUERIES_PER_CALL:
        raise ApiError("EXCEEDED_ID_LIMIT", f"cannot list more than {QUERIES_PER_CALL} types")
    rows = []
    for query in queries:
        wanted = (soap.child_text(query, "type") or "").strip()
        found = components.members(wanted) or [_type(caller, wanted)]
        rows += [
            f"<result>{components.file_properties(caller, kind, named)}</result>"
            for kind in found
            if components.available(caller.org, kind, caller.version)
            for named in kind.names(caller.org)
        ]
    return f"<listMetadataResponse>{''.join(rows)}</listMetadataResponse>"


def describe_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    """Describe the types; the settings' one is called `Settings` here, not SecuritySettings (REPORTED)."""
    shown = {
        kind.package_name: kind for kind in components.TYPES if components.available(caller.org, kind, caller.version)
    }
    objects = "".join(
        f"<metadataObjects><directoryName>{kind.folder}</directoryName><inFolder>false</inFolder>"
        f"<metaFile>false</metaFile><suffix>{kind.suffix}</suffix><xmlName>{name}</xmlName></metadataObjects>"
        for name, kind in sorted(shown.items())
    )
    return (
        f"<describeMetadataResponse><result>{objects}<organizationNamespace></organizationNamespace>"
        "<partialSaveAllowed>true</partialSaveAllowed><testRequired>false</testRequired></result>"
        "</describeMetadataResponse>"
    )


def check_status(state: State, call: soap.Call, caller: Caller) -> str:
    """Answer the call of old for deployments and retrieves: it is in no WSDL of today, but jsforce uses it."""
    process = (soap.child_text(call.element, "asyncProcessId") or "").strip()
    done = retrieves.exists(caller, process) or deploys.find(caller, process).done
    return (
        f"<checkStatusResponse><result><done>{str(done).lower()}</done>{soap.tag('id', process)}"
        f"<state>{'Completed' if done else 'InProgress'}</state></result></checkStatusResponse>"
    )


# -- writing -----------------------------------------------------------------------------------------------------------


def create_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    return _write(state, call, caller, "create")


def update_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    return _write(state, call, caller, "update")


def upsert_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    return _write(state, call, caller, "upsert")


def _write(state: State, call: soap.Call, caller: Caller, how: How) -> str:
    """Save each component on its own (partial save, CONFIRMED), or all or none where the header asks for it."""
    elements = [child for child in call.element if soap.local_name(child) == "metadata"]
    _check_count(len(elements))
    kinds = {soap.type_of(element) for element in elements}
    if len(kinds) != 1:
        raise ApiError("INVALID_TYPE", f"one type of metadata per call: {', '.join(sorted(kinds))}")
    kind = _type(caller, kinds.pop())
    refusal = _refusal(caller, kind)
    names = [(soap.child_text(element, "fullName") or "").strip() for element in elements]
    jobs: list[Callable[[], Change]] = [
        lambda element=element: kind.save(Saving(state, caller, how), element)  # type: ignore[misc]
        for element in elements
    ]
    saved = _carry_out(state, call, caller, names, jobs, refusal)
    return f"<{how}MetadataResponse>{''.join(_save_result(one, how) for one in saved)}</{how}MetadataResponse>"


def delete_metadata(state: State, call: soap.Call, caller: Caller) -> str:
    """Delete components by name; of External Client Apps it is UNKNOWN whether that works."""
    kind = _type(caller, (soap.child_text(call.element, "type") or "").strip())
    names = [name.strip() for name in soap.child_texts(call.element, "fullNames")]
    _check_count(len(names))
    refusal = _refusal(caller, kind)
    delete = kind.delete
    if delete is None or (kind.of_apps and caller.org.switches.eca_delete_metadata == "refused"):
        raise ApiError("INVALID_TYPE", f"Cannot delete components of type {kind.name} by this call")

    def job(name: str) -> Change:
        if not delete(caller.org, name):
            raise Failure("INVALID_CROSS_REFERENCE_KEY", f"no {kind.name} named {name} found")
        return Change()

    jobs: list[Callable[[], Change]] = [lambda name=name: job(name) for name in names]  # type: ignore[misc]
    saved = _carry_out(state, call, caller, names, jobs, refusal)
    return f"<deleteMetadataResponse>{''.join(_save_result(one, 'delete') for one in saved)}</deleteMetadataResponse>"


def _refusal(caller: Caller, kind: Type) -> Failure | None:
    """Say why this caller may not write this type: by a fault or by a status, by switch (UNKNOWN)."""
    switches = caller.org.switches
    missing = components.missing_permission(caller, [kind])
    if missing and switches.insufficient_access == "fault":
        raise ApiError("INSUFFICIENT_ACCESS", missing)
    takes = {"all": True, "policies": kind.name.endswith("Policies"), "refused": False}[switches.eca_crud]
    if kind.of_apps and not takes:
        raise ApiError("INVALID_TYPE", f"This type of metadata is not available for this call: {kind.name}")
    return Failure("INSUFFICIENT_ACCESS", missing) if missing else None


def _carry_out(
    state: State,
    call: soap.Call,
    caller: Caller,
    names: Sequence[str],
    jobs: Sequence[Callable[[], Change]],
    refusal: Failure | None,
) -> list[_Saved]:
    all_or_none = (call.header("AllOrNoneHeader", "allOrNone") or "").strip() in ("true", "1")
    saved: list[_Saved] = []
    rolled_back = roll_back(caller.org, unless=lambda: not any(one.failure for one in saved))
    with rolled_back if all_or_none else contextlib.nullcontext():
        for name, job in zip(names, jobs, strict=True):
            saved.append(_Saved(name, refusal) if refusal else _attempt(caller, name, job))
        app_clients.settle(state, caller.org, caller.user.id)
    if all_or_none and any(one.failure for one in saved):
        undo = Failure("ALL_OR_NONE_OPERATION_ROLLED_BACK", "rolled back because another component failed")
        saved = [_Saved(one.full_name, one.failure or undo) for one in saved]
    return saved


def _attempt(caller: Caller, name: str, job: Callable[[], Change]) -> _Saved:
    try:
        with roll_back(caller.org, unless=lambda: True):
            change = job()
    except Failure as failure:
        return _Saved(name, failure)
    return _Saved(name, None, change.created)


def _save_result(saved: _Saved, how: str) -> str:
    """Write a SaveResult in schema order: errors, fullName, success; of an upsert, what was created comes first."""
    errors = f"<created>{str(saved.created).lower()}</created>" if how == "upsert" else ""
    if saved.failure:
        fields = "".join(soap.tag("fields", field) for field in saved.failure.fields)
        errors += (
            f"<errors>{fields}{soap.tag('message', saved.failure.message)}"
            f"{soap.tag('statusCode', saved.failure.code)}</errors>"
        )
    success = str(saved.failure is None).lower()
    return f"<result>{errors}{soap.tag('fullName', saved.full_name)}<success>{success}</success></result>"


_OPERATIONS: dict[str, Callable[[State, soap.Call, Caller], str]] = {
    "createMetadata": create_metadata,
    "readMetadata": read_metadata,
    "updateMetadata": update_metadata,
    "upsertMetadata": upsert_metadata,
    "deleteMetadata": delete_metadata,
    "listMetadata": list_metadata,
    "describeMetadata": describe_metadata,
    "deploy": deploys.deploy,
    "checkDeployStatus": deploys.check_status,
    "cancelDeploy": deploys.cancel,
    "checkStatus": check_status,
    "retrieve": retrieves.retrieve,
    "checkRetrieveStatus": retrieves.check_status,
}
