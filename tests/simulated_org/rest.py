# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API: versions, query with paging, and the password resource."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from . import consumer_secrets, deploys, ids, passwords, records, soql, tables, tooling
from .errors import ApiError
from .http import Request, Response, json_response
from .sessions import Caller
from .state import QUERY_CURSORS_KEPT, State

FIRST_VERSION, LAST_VERSION = 31, 68
_DEPLOY = re.compile(r"metadata/deployRequest(?:/(\w{15,18}))?/?")
_PASSWORD = re.compile(r"sobjects/User/([A-Za-z0-9]{15,18})/password/?")


def error_response(error: ApiError, *, single: bool = False) -> Response:
    """Errors are a JSON array of objects (CONFIRMED)."""
    body: dict[str, Any] = {"message": error.message, "errorCode": error.code}
    return json_response(body if single else [body], error.rest_status)


def bearer(request: Request) -> str | None:
    scheme, _unused, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() in ("bearer", "oauth") else None


def user_info(caller: Caller) -> Response:
    """Whose session it is; the Salesforce CLI asks for it after a login."""
    user = caller.user
    shown = {
        "sub": f"https://login.salesforce.com/id/{user.org_id}/{user.id}",
        "user_id": user.id,
        "organization_id": user.org_id,
        "preferred_username": user.username,
        "name": user.name,
        "email": user.email,
        "active": user.active,
    }
    return json_response(shown)


def versions() -> Response:
    """The list of versions needs no session."""
    rows = [
        {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(FIRST_VERSION, LAST_VERSION + 1)
    ]
    return json_response(rows)


def _label(number: int) -> str:
    # Three releases a year; version 31 is Summer '14.
    year, season = divmod(number - 31, 3)
    name = ("Summer", "Winter", "Spring")[season]
    return f"{name} '{14 + year + (1 if season else 0)}"


def operation(rest_path: str, method: str) -> str:
    """The name of an operation, for the request log and for faults."""
    if rest_path in ("query", "query/"):
        return "query"
    if rest_path.startswith("query/"):
        return "queryMore"
    if _PASSWORD.fullmatch(rest_path):
        return {"GET": "getPassword", "HEAD": "getPassword", "POST": "setPassword", "DELETE": "resetPassword"}.get(
            method, "password"
        )
    if rest_path in ("tooling/query", "tooling/query/"):
        return "toolingQuery"
    if _DEPLOY.fullmatch(rest_path):
        return {"POST": "deploy", "PATCH": "cancelDeploy"}.get(method, "checkDeployStatus")
    found = consumer_secrets.operation(rest_path, method) or records.operation(rest_path, method)
    return found or rest_path.split("/")[0] or "resources"


def perform(state: State, request: Request, caller: Caller, rest_path: str) -> Response:
    """The answer to a request below `/services/data/vNN.0/`."""
    if rest_path in ("query", "query/"):
        return _query(state, request, caller)
    if rest_path.startswith("query/"):
        return _query_more(state, caller, rest_path.removeprefix("query/"))
    match = _PASSWORD.fullmatch(rest_path)
    if match:
        return _password(state, request, caller, match[1])
    if rest_path in ("tooling/query", "tooling/query/"):
        return _query(state, request, caller, by_tooling=True)
    if rest_path.startswith("metadata/"):
        return _deploy(state, request, caller, rest_path)
    if rest_path.startswith("apps/"):
        part = parse_qs(request.query).get("part", [""])[0]
        with state.lock:
            return consumer_secrets.perform(state, request, caller, rest_path, part)
    if rest_path.rstrip("/") == records.COLLECTION:
        return records.perform_collection(state, request, caller)
    if rest_path.startswith("sobjects/"):
        return records.perform(state, request, caller, rest_path)
    if rest_path == "limits/" or rest_path == "limits":
        return json_response({"DailyApiRequests": {"Max": 15000, "Remaining": 15000}})
    if rest_path == "":
        base = f"/services/data/v{caller.version:.1f}"
        return json_response({name: f"{base}/{name}" for name in ("limits", "query", "sobjects")})
    raise ApiError("NOT_FOUND", "The requested resource does not exist")


def _deploy(state: State, request: Request, caller: Caller, rest_path: str) -> Response:
    match = _DEPLOY.fullmatch(rest_path)
    if match is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    with state.lock:
        if not match[1]:
            if request.method != "POST":
                raise _not_allowed(request, "POST")
            return deploys.deploy_by_rest(state, request, caller)
        if request.method == "PATCH":
            return deploys.cancel_by_rest(state, request, caller, match[1])
        detailed = parse_qs(request.query).get("includeDetails", [""])[0] == "true"
        return deploys.status_by_rest(state, caller, match[1], detailed=detailed)


def _query(state: State, request: Request, caller: Caller, *, by_tooling: bool = False) -> Response:
    if request.method != "GET":
        raise _not_allowed(request, "GET")
    text = parse_qs(request.query).get("q", [""])[0]
    query = soql.parse(text, state.clock.now())
    version = f"{caller.version:.1f}"
    with state.lock:
        table, rows = tooling.find(caller, query) if by_tooling else tables.find(caller, query.table)
        found = soql.select(table, query, rows)
        if not query.fields:
            return json_response({"totalSize": len(found), "done": True, "records": []})
        records = list(map(soql.project(table, query.fields, version), found))
        return _page(state, caller, records, 0, None)


def _page(state: State, caller: Caller, records: list[dict[str, Any]], start: int, locator: str | None) -> Response:
    """One batch; where more follow, the answer names the next one (CONFIRMED form)."""
    end = start + caller.org.switches.query_batch_size
    answer: dict[str, Any] = {"totalSize": len(records), "done": end >= len(records)}
    if end < len(records):
        if locator is None:
            locator = ids.long_id(f"{ids.QUERY}{secrets.token_hex(6)}")
            caller.org.cursors[locator] = records
            while len(caller.org.cursors) > QUERY_CURSORS_KEPT:
                caller.org.cursors.popitem(last=False)
        answer["nextRecordsUrl"] = f"/services/data/v{caller.version:.1f}/query/{locator}-{end}"
    return json_response({**answer, "records": records[start:end]})


def _query_more(state: State, caller: Caller, name: str) -> Response:
    locator, _unused, start = name.rstrip("/").partition("-")
    with state.lock:
        records = caller.org.cursors.get(locator)
        if records is None or not start.isdigit():
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return _page(state, caller, records, int(start), locator)


def _password(state: State, request: Request, caller: Caller, user_id: str) -> Response:
    with state.lock:
        user = passwords.target(caller, user_id)
        if request.method in ("GET", "HEAD"):
            passwords.may_manage(caller, user)
            return json_response({"isExpired": user.password_expired})
        if request.method == "POST":
            passwords.set_password(state, caller, user, _new_password(request))
            return Response(204, content_type=None)
        if request.method == "DELETE":
            return json_response({"NewPassword": passwords.reset_password(state, caller, user)})
    raise _not_allowed(request, "HEAD,GET,POST,DELETE")


def _not_allowed(request: Request, allowed: str) -> ApiError:
    return ApiError("METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}")


def _new_password(request: Request) -> str:
    try:
        value = json.loads(request.body)["NewPassword"]
    except (ValueError, KeyError, TypeError):
        raise ApiError("JSON_PARSER_ERROR", "NewPassword is required") from None
    return str(value)
