# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records by REST: users, permission sets, their assignments, and the apps that they open. All else is read only."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from . import ids, permission_sets, tables
from .errors import ApiError
from .external_client_apps import components
from .http import Request, Response, json_response
from .save import Failure, roll_back
from .schemas import APP
from .sessions import Caller
from .soql import Query, project
from .state import PermissionSet, State, User

Fields = Mapping[str, Any]
COLLECTION = "composite/sobjects"
RECORDS_PER_CALL = 200
_PATH = re.compile(r"sobjects/(\w+)(?:/(\w{15,18}|describe))?/?")
OPERATIONS = {"POST": "createRecord", "PATCH": "updateRecord", "DELETE": "deleteRecord", "GET": "getRecord"}


def operation(path: str, method: str) -> str | None:
    """Name an operation, for the request log and for faults."""
    if path.rstrip("/") == COLLECTION:
        return {"POST": "createRecords", "DELETE": "deleteRecords"}.get(method)
    return OPERATIONS.get(method) if _PATH.fullmatch(path) else None


def perform(state: State, request: Request, caller: Caller, path: str) -> Response:
    """Create, change, delete, read or describe."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    kind, record_id = match[1], match[2] or ""
    with state.lock:
        if request.method == "GET":
            return _describe(caller, kind) if record_id in ("", "describe") else _read(caller, kind, record_id)
        tables.find(caller, kind)
        writer = {"POST": _CREATE, "PATCH": _UPDATE, "DELETE": _DELETE}.get(request.method, {}).get(kind.lower())
        if writer is None:
            verb = {"POST": "create", "PATCH": "update", "DELETE": "delete"}.get(request.method, request.method)
            raise ApiError("INVALID_TYPE_FOR_OPERATION", f"entity type {kind} does not support {verb}")
        try:
            created = writer(state, caller, record_id, _fields(request))
        except Failure as failure:
            raise ApiError(failure.code, failure.message) from None
    if created:
        return json_response({"id": created, "success": True, "errors": []}, 201)
    return Response(204, content_type=None)


def perform_collection(state: State, request: Request, caller: Caller) -> Response:
    """Create or delete up to 200 records in one call, each on its own or all or none (CONFIRMED)."""
    if request.method == "DELETE":
        query = parse_qs(request.query)
        all_or_none = query.get("allOrNone", ["false"])[0] == "true"
        jobs = [_deletion(state, caller, one) for one in query.get("ids", [""])[0].split(",")]
    elif request.method == "POST":
        body = _fields(request)
        all_or_none, records = body.get("allOrNone") is True, body.get("records")
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise ApiError("JSON_PARSER_ERROR", "records are expected")
        jobs = [_creation(state, caller, one) for one in records]
    else:
        raise ApiError("METHOD_NOT_ALLOWED", "HTTP Method not allowed. Allowed are DELETE,POST")
    if len(jobs) > RECORDS_PER_CALL:
        raise ApiError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {RECORDS_PER_CALL} records")
    with state.lock:
        return json_response(_all(caller, jobs, all_or_none=all_or_none))


def _all(caller: Caller, jobs: Sequence[Callable[[], str]], *, all_or_none: bool) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    with roll_back(caller.org, unless=lambda: not all_or_none or all(one["success"] for one in results)):
        for job in jobs:
            try:
                results.append({"id": job(), "success": True, "errors": []})
            except (ApiError, Failure) as exc:
                error = {"statusCode": exc.code, "message": exc.message, "fields": []}
                results.append({"success": False, "errors": [error]})
    if all_or_none and not all(one["success"] for one in results):
        undo = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back", "fields": []}
        results = [{"success": False, "errors": [undo]} if one["success"] else one for one in results]
    return results


def _creation(state: State, caller: Caller, record: Fields) -> Callable[[], str]:
    def create() -> str:
        kind = str((record.get("attributes") or {}).get("type", ""))
        writer = _CREATE.get(kind.lower())
        if writer is None:
            raise ApiError("INVALID_TYPE_FOR_OPERATION", f"entity type {kind} does not support create")
        return writer(state, caller, "", record)

    return create


def _deletion(state: State, caller: Caller, record_id: str) -> Callable[[], str]:
    kinds = {
        ids.ASSIGNMENT: "permissionsetassignment",
        ids.PERMISSION_SET: "permissionset",
        ids.SETUP_ENTITY_ACCESS: "setupentityaccess",
    }

    def delete() -> str:
        writer = _DELETE.get(kinds.get(record_id[:3], ""))
        if writer is None:
            raise ApiError("INVALID_ID_FIELD", f"invalid record id: {record_id}")
        writer(state, caller, record_id, {})
        return record_id

    return delete


def _fields(request: Request) -> Fields:
    if request.method == "DELETE":
        return {}
    try:
        fields = json.loads(request.body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ApiError("JSON_PARSER_ERROR", "an object of fields is expected")
    return fields


def _describe(caller: Caller, kind: str) -> Response:
    """Say what may be done with a type, as far as clients ask for it."""
    table, _unused = tables.find(caller, kind)
    name = kind.lower()
    can = {"createable": name in _CREATE, "updateable": name in _UPDATE, "deletable": name in _DELETE}
    fields = [{"name": field} for field in table.fields if "." not in field]
    return json_response({"name": table.name, "queryable": True, **can, "fields": fields})


def _read(caller: Caller, kind: str, record_id: str) -> Response:
    table, rows = tables.find(caller, kind)
    row = next((one for one in rows if table.id_of(one) == ids.long_id(record_id)), None)
    if row is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    query = Query(table.name, tuple(name for name in table.fields if "." not in name))
    return json_response(project(table, query.fields, f"{caller.version:.1f}")(row))


# -- users -------------------------------------------------------------------------------------------------------------

# A user cannot be deleted (CONFIRMED). Codes are of the API's list; which one a case gets is an assumption.
_USER_REQUIRED = (
    "Username",
    "LastName",
    "Email",
    "Alias",
    "ProfileId",
    "TimeZoneSidKey",
    "LocaleSidKey",
    "EmailEncodingKey",
    "LanguageLocaleKey",
)
_USER_FIELDS = {"FirstName": "first_name", "LastName": "last_name", "Email": "email", "IsActive": "active"}


def _create_user(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageUsers")
    for name in _USER_REQUIRED:
        _text(fields, name)
    username = _text(fields, "Username")
    if username.lower() in state.usernames:
        raise ApiError("DUPLICATE_USERNAME", "Duplicate Username. The username already exists in this org or another.")
    profile = _profile(caller, _text(fields, "ProfileId"))
    # Nobody knows the password of a new user, and it has no security token.
    user = state.add_user(caller.org, username, secrets.token_urlsafe(), profile=profile)
    user.token_was_reset = False
    _fill_user(caller, user, fields)
    return user.id


def _update_user(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageUsers")
    user = caller.org.user(record_id)
    if user is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    _fill_user(caller, user, fields)
    return ""


def _profile(caller: Caller, profile_id: str) -> str:
    found = caller.org.profiles.get(ids.long_id(profile_id)) if len(profile_id) in (15, 18) else None
    if found is None:
        raise ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    return found.id


def _fill_user(caller: Caller, user: User, fields: Fields) -> None:
    for name, value in fields.items():
        if name in _USER_FIELDS:
            setattr(user, _USER_FIELDS[name], value)
        elif name == "ProfileId":
            user.profile_id = _profile(caller, str(value))
        elif name not in (*_USER_REQUIRED, "attributes"):
            raise ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type User")


# -- permission sets ---------------------------------------------------------------------------------------------------


def _require(caller: Caller, permission: str) -> None:
    if not {permission, "ModifyAllData"} & caller.permissions:
        text = "insufficient access rights on cross-reference id"
        raise ApiError("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", text)


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]")
    return value


def _create_permission_set(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageProfilesPermissionsets")
    name, label = _text(fields, "Name"), _text(fields, "Label")
    permission_sets.check_name(name)
    if caller.org.grants.find(name):
        raise ApiError("DUPLICATE_DEVELOPER_NAME", f"The permission set API name {name} has already been used")
    one = PermissionSet(state.ids.new(ids.PERMISSION_SET), name, label)
    _fill(one, fields)
    caller.org.grants.sets[one.id] = one
    return one.id


def _update_permission_set(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageProfilesPermissionsets")
    _fill(_permission_set(caller, record_id), fields)
    return ""


def _fill(one: PermissionSet, fields: Fields) -> None:
    for name, value in fields.items():
        permission = name.removeprefix("Permissions")
        if name == "Label":
            one.label = str(value)
        elif name == "Description":
            one.description = None if value is None else str(value)
        elif name != permission and permission in tables.PERMISSIONS:
            (one.permissions.add if value else one.permissions.discard)(permission)
        elif name not in ("Name", "LicenseId", "attributes"):
            raise ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type PermissionSet")


def _delete_permission_set(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageProfilesPermissionsets")
    permission_sets.delete(caller.org, _permission_set(caller, record_id).name)
    return ""


def _permission_set(caller: Caller, record_id: str) -> PermissionSet:
    one = caller.org.grants.sets.get(ids.long_id(record_id)) if len(record_id) in (15, 18) else None
    if one is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    return one


def _assign(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "AssignPermissionSets")
    org = caller.org
    user = org.user(_text(fields, "AssigneeId"))
    one = _permission_set(caller, _text(fields, "PermissionSetId"))
    if user is None:
        raise ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if not user.active:
        raise ApiError("INACTIVE_OWNER_OR_USER", "operation performed with inactive user")
    return _pair(state, org.grants.assignments, ids.ASSIGNMENT, (one.id, user.id), "Duplicate PermissionSetAssignment")


def _open(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageProfilesPermissionsets")
    org = caller.org
    one = _permission_set(caller, _text(fields, "ParentId"))
    entity = ids.long_id(_text(fields, "SetupEntityId"))
    if not any(part.id == entity for _name, part in components(org, APP)):
        raise ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    pair = (one.id, entity)
    return _pair(state, org.grants.accesses, ids.SETUP_ENTITY_ACCESS, pair, "duplicate value found: SetupEntityAccess")


def _pair(state: State, held: dict[str, tuple[str, str]], prefix: str, pair: tuple[str, str], duplicate: str) -> str:
    if pair in held.values():
        raise ApiError("DUPLICATE_VALUE", duplicate)
    row = state.ids.new(prefix)
    held[row] = pair
    return row


def _remove(held: dict[str, tuple[str, str]], record_id: str) -> str:
    if held.pop(ids.long_id(record_id) if len(record_id) in (15, 18) else "", None) is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    return ""


def _unassign(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "AssignPermissionSets")
    return _remove(caller.org.grants.assignments, record_id)


def _shut(state: State, caller: Caller, record_id: str, fields: Fields) -> str:
    _require(caller, "ManageProfilesPermissionsets")
    return _remove(caller.org.grants.accesses, record_id)


Writer = Callable[[State, Caller, str, Fields], str]
_CREATE: dict[str, Writer] = {
    "user": _create_user,
    "permissionset": _create_permission_set,
    "permissionsetassignment": _assign,
    "setupentityaccess": _open,
}
_UPDATE: dict[str, Writer] = {"user": _update_user, "permissionset": _update_permission_set}
_DELETE: dict[str, Writer] = {
    "permissionset": _delete_permission_set,
    "permissionsetassignment": _unassign,
    "setupentityaccess": _shut,
}
