# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments: packages that are checked or carried out as a whole, by SOAP and by REST."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import email.parser
import email.policy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import app_clients, components, ids, packages, soap
from .clock import stamp
from .errors import ApiError, ClientFault
from .http import Request, Response, json_response
from .packages import Component, Package, PackageProblem
from .save import Change, Failure, Saving, roll_back
from .sessions import Caller
from .state import State

OPTIONS = (
    "allowMissingFiles",
    "autoUpdatePackage",
    "checkOnly",
    "ignoreWarnings",
    "performRetrieve",
    "purgeOnDelete",
    "rollbackOnError",
    "singlePackage",
)


@dataclass(frozen=True)
class Message:
    """What became of one component: a DeployMessage."""

    kind: str
    name: str
    file: str
    change: Change = Change()
    deleted: bool = False
    problem: str = ""
    warning: bool = False
    success: bool = True


@dataclass
class Deploy:
    """One deployment; it has messages once it was worked through."""

    id: str
    caller: Caller
    data: bytes
    options: Mapping[str, bool]
    created: datetime.datetime
    due: datetime.datetime
    status: str = "Pending"
    messages: list[Message] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.status not in ("Pending", "InProgress")

    @property
    def success(self) -> bool:
        return self.status == "Succeeded"


# -- asking for one ----------------------------------------------------------------------------------------------------


def deploy(state: State, call: soap.Call, caller: Caller) -> str:
    """Accept a package; clients are seen that write `True` for true."""
    options = next((one for one in call.element if soap.local_name(one) == "DeployOptions"), None)
    sent = {} if options is None else {soap.local_name(one): soap.content(one).strip().lower() for one in options}
    text = soap.child_text(call.element, "ZipFile") or ""
    try:
        data = base64.b64decode(text)
    except binascii.Error:
        data = b""
    one = _submit(state, caller, data, {name: sent.get(name) in ("true", "1") for name in OPTIONS})
    return (
        f"<deployResponse><result><done>false</done>{soap.tag('id', one.id)}<state>Queued</state></result>"
        "</deployResponse>"
    )


def deploy_by_rest(state: State, request: Request, caller: Caller) -> Response:
    """Accept a form of two parts: the package, and its options as JSON, a part of two names (CONFIRMED)."""
    parts = _parts(request)
    text = next((parts[name] for name in ("json", "entity_content") if name in parts), b"{}")
    try:
        sent = json.loads(text).get("deployOptions", {})
        options = {name: sent.get(name) in (True, "true") for name in OPTIONS}
    except (ValueError, AttributeError):
        raise ApiError("JSON_PARSER_ERROR", "deployOptions are expected") from None
    if "file" not in parts:
        raise ApiError("INVALID_MULTIPART_REQUEST", "a part named file is expected")
    one = _submit(state, caller, parts["file"], options)
    answer = {
        "id": one.id,
        "validatedDeployRequestId": None,
        "deployOptions": sent,
        "deployResult": _result(one, False),
    }
    return json_response(answer, 201)


def _parts(request: Request) -> dict[str, bytes]:
    """Take a form apart by the names of its parts."""
    header = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(header + request.body)
    if not message.is_multipart():
        raise ApiError("INVALID_MULTIPART_REQUEST", "a form of several parts is expected")
    found = {}
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        found[str(part.get_param("name", "", header="content-disposition"))] = (
            payload if isinstance(payload, bytes) else b""
        )
    return found


def _submit(state: State, caller: Caller, data: bytes, options: Mapping[str, bool]) -> Deploy:
    missing = components.missing_permission(caller, [])
    if missing:
        raise ApiError("INSUFFICIENT_ACCESS", missing)
    now = state.clock.now()
    due = now + datetime.timedelta(seconds=caller.org.switches.deploy_seconds)
    one = Deploy(state.ids.new(ids.DEPLOY), caller, data, options, now, due)
    caller.org.deploys[one.id] = one
    state.pending_deploys.append(one)
    advance(state)
    return one


# -- carrying it out ---------------------------------------------------------------------------------------------------


def advance(state: State) -> None:
    """Work through the deployments whose time has come, one after the other."""
    if not state.pending_deploys:
        return
    with state.lock:
        now = state.clock.now()
        for one in [one for one in state.pending_deploys if one.due <= now]:
            state.pending_deploys.remove(one)
            if not one.done:
                _run(state, one)


def _run(state: State, one: Deploy) -> None:
    org = one.caller.org
    try:
        package = packages.read(one.data)
        _check_types(one, package)
    except PackageProblem as exc:
        one.messages = [Message("", exc.file or packages.MANIFEST, exc.file, problem=exc.problem, success=False)]
        one.status = "Failed"
        return
    caller = dataclasses.replace(one.caller, version=package.version)
    partial = not one.options["rollbackOnError"]

    def kept() -> bool:
        failed = any(not message.success for message in one.messages)
        one.status = ("SucceededPartial" if partial else "Failed") if failed else "Succeeded"
        return not one.options["checkOnly"] and (partial or not failed)

    before = frozenset(org.external_client_apps) if one.options["checkOnly"] else None
    with roll_back(org, unless=kept):
        one.messages.append(Message("", packages.MANIFEST, packages.MANIFEST))
        for item in package.before:
            one.messages.append(_delete(one, caller, item))
        for item in package.components:
            one.messages += _save(one, Saving(state, caller, "deploy", before), item)
        for item in package.after:
            one.messages.append(_delete(one, caller, item))
        app_clients.settle(state, org, caller.user.id)


def _check_types(one: Deploy, package: Package) -> None:
    org = one.caller.org
    for item in (*package.before, *package.components, *package.after):
        missing = not components.available(org, item.kind, package.version)
        if missing and (org.switches.eca_off == "unknown_type" or org.external_client_apps_enabled):
            problem = f"Unknown type name '{item.kind.name}' specified in package.xml"
            raise PackageProblem(packages.MANIFEST, problem)


def _save(one: Deploy, saving: Saving, item: Component) -> list[Message]:
    def work() -> Change:
        refusal = components.missing_permission(saving.caller, [item.kind])
        if refusal:
            raise Failure("INSUFFICIENT_ACCESS", refusal)
        assert item.element is not None
        return item.kind.save(saving, item.element)

    message = _attempt(one, item, work)
    ignored = one.options["ignoreWarnings"]
    warned = [
        Message(item.kind.name, item.name, item.path, problem=text, warning=True, success=ignored)
        for text in saving.warnings
    ]
    return [message, *warned]


def _delete(one: Deploy, caller: Caller, item: Component) -> Message:
    """Delete a component; of one that is not there, a warning or an error (UNKNOWN)."""
    delete, org = item.kind.delete, caller.org

    def work() -> Change:
        refusal = components.missing_permission(caller, [item.kind])
        if delete is None or refusal:
            raise Failure("DELETE_FAILED", refusal or f"{item.kind.name} cannot be deleted")
        return Change(changed=delete(org, item.name))

    message = _attempt(one, item, work)
    if message.success and not message.change.changed:
        problem = f"No {item.kind.name} named: {item.name} found"
        tolerated = org.switches.deploy_missing_deletion == "warning" or one.options["ignoreWarnings"]
        return dataclasses.replace(message, problem=problem, warning=True, success=tolerated)
    return dataclasses.replace(message, deleted=message.success)


def _attempt(one: Deploy, item: Component, work: Callable[[], Change]) -> Message:
    try:
        with roll_back(one.caller.org, unless=lambda: True):
            change = work()
    except (ClientFault, Failure) as exc:
        problem = exc.message if isinstance(exc, Failure) else f"Error parsing file: {exc}"
        return Message(item.kind.name, item.name, item.path, problem=problem, success=False)
    return Message(item.kind.name, item.name, item.path, change)


# -- telling of it -----------------------------------------------------------------------------------------------------


def check_status(state: State, call: soap.Call, caller: Caller) -> str:
    one = find(caller, soap.child_text(call.element, "asyncProcessId") or "")
    detailed = (soap.child_text(call.element, "includeDetails") or "").strip().lower() in ("true", "1")
    body = soap.from_json(_result(one, detailed))
    return f"<checkDeployStatusResponse><result>{body}</result></checkDeployStatusResponse>"


def status_by_rest(state: State, caller: Caller, deploy_id: str, *, detailed: bool) -> Response:
    one = find(caller, deploy_id)
    return json_response({"id": one.id, "validatedDeployRequestId": None, "deployResult": _result(one, detailed)})


def cancel(state: State, call: soap.Call, caller: Caller) -> str:
    one = find(caller, soap.child_text(call.element, "String") or soap.child_text(call.element, "id") or "")
    _cancel(one)
    return f"<cancelDeployResponse><result><done>true</done>{soap.tag('id', one.id)}</result></cancelDeployResponse>"


def cancel_by_rest(state: State, request: Request, caller: Caller, deploy_id: str) -> Response:
    one = find(caller, deploy_id)
    try:
        wanted = json.loads(request.body)["deployResult"]["status"]
    except (ValueError, KeyError, TypeError):
        wanted = ""
    if wanted != "Canceling":
        raise ApiError("JSON_PARSER_ERROR", "deployResult with status Canceling is expected")
    _cancel(one)
    return json_response({"id": one.id, "deployResult": _result(one, False)}, 202)


def _cancel(one: Deploy) -> None:
    if one.done:
        raise ApiError("INVALID_ID_FIELD", "Deployment already completed")
    one.status = "Canceled"


def find(caller: Caller, deploy_id: str) -> Deploy:
    found = caller.org.deploys.get(ids.long_id(deploy_id.strip())) if len(deploy_id.strip()) in (15, 18) else None
    if found is None:
        raise ApiError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {deploy_id}")
    assert isinstance(found, Deploy)
    return found


def _result(one: Deploy, detailed: bool) -> dict[str, Any]:
    """Show a DeployResult, in schema order."""
    failures = [message for message in one.messages if not message.success]
    counted = [message for message in one.messages if message.kind]
    when = stamp(one.created).replace("+0000", "Z")
    details: dict[str, Any] = {}
    if detailed:
        details = {
            "componentFailures": [_message(message, when) for message in failures],
            "componentSuccesses": [_message(message, when) for message in one.messages if message.success],
            "runTestResult": {"numFailures": 0, "numTestsRun": 0, "totalTime": 0.0},
        }
    user = one.caller.user
    return {
        "checkOnly": one.options["checkOnly"],
        **({"completedDate": stamp(one.due).replace("+0000", "Z")} if one.done else {}),
        "createdBy": user.id,
        "createdByName": user.name,
        "createdDate": when,
        "details": details,
        "done": one.done,
        "id": one.id,
        "ignoreWarnings": one.options["ignoreWarnings"],
        "lastModifiedDate": when,
        "numberComponentErrors": len(failures),
        "numberComponentsDeployed": len(counted) - len([one for one in failures if one.kind]) if one.done else 0,
        "numberComponentsTotal": len(counted),
        "numberTestErrors": 0,
        "numberTestsCompleted": 0,
        "numberTestsTotal": 0,
        "rollbackOnError": one.options["rollbackOnError"],
        "runTestsEnabled": False,
        "startDate": when,
        "status": one.status,
        "success": one.success,
    }


def _message(message: Message, when: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "changed": message.success and (message.change.changed or message.deleted),
        "componentType": message.kind,
        "created": message.change.created,
        "createdDate": when,
        "deleted": message.deleted,
        "fileName": message.file,
        "fullName": message.name,
    }
    if message.change.id:
        shown["id"] = message.change.id
    if message.problem:
        shown["problem"] = message.problem
        shown["problemType"] = "Warning" if message.warning else "Error"
    return {**shown, "success": message.success}
