# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consumer keys and secrets by Connect REST: reading them, and rotating them in stages.

Paths and fields are CONFIRMED by the documents, where not said otherwise; texts of errors are INVENTED.
"""

from __future__ import annotations

import datetime
import json
import re

from . import ids
from .apps import Consumer, ExternalClientApp, StagedPair
from .clock import stamp
from .errors import ApiError
from .external_client_apps import new_secret
from .http import Request, Response, json_response
from .schemas import APP, OAUTH
from .sessions import Caller
from .state import State

FIRST_VERSION, STAGED_FROM = 60.0, 65.0
STAGED_DAYS = 30
NEEDED = ("ExternalClientAppDeveloper", "ViewClientSecret")
PARTS = {"key": ("key",), "secret": ("secret",), "keyandsecret": ("key", "secret")}
HANG_SECONDS = 60.0
# REPORTED, as parts of longer texts.
OFF = {
    "not currently enabled": "The External Client App consumer secret REST API is not currently enabled for this org.",
    "feature is not enabled": "This feature is not enabled for your organization.",
    "not enabled for this user": "The requested resource is not enabled for this user type.",
}
_PATH = re.compile(r"apps/oauth/credentials/(\w{15,18})(?:/(\w{15,18})(/staged(?:/(\w{15,18}))?)?)?/?")


def operation(path: str, method: str) -> str | None:
    """Name an operation, for the request log and for faults."""
    if path.rstrip("/") == "apps/oauth/usage":
        return "listApps"
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    if match[4]:
        return {"PATCH": "rotateCredentials", "DELETE": "deleteStagedCredentials"}.get(method, "getStagedCredentials")
    if match[3]:
        return "stageCredentials" if method == "POST" else "getStagedCredentials"
    return "getCredentials" if match[2] else "listConsumers"


def perform(state: State, request: Request, caller: Caller, path: str, part: str) -> Response:
    """Answer a request for the apps that have usage, or for the credentials of one."""
    if caller.version < FIRST_VERSION or not caller.org.external_client_apps_enabled:
        raise _missing()
    if path.rstrip("/") == "apps/oauth/usage":
        return _usage(caller)
    match = _PATH.fullmatch(path)
    if match is None or (match[3] and caller.version < STAGED_FROM):
        raise _missing()
    _check_access(caller)
    app, consumer = _find(caller, match[1], match[2])
    if not match[2]:
        return json_response({"consumers": [_show(caller, app, consumer)]})
    if not match[3]:
        if part not in PARTS:
            raise ApiError("INVALID_PARAMETER", "part is one of key, secret, keyandsecret")
        values = {"key": consumer.key, "secret": consumer.secret}
        return json_response(
            {**_show(caller, app, consumer, key=False), **{name: values[name] for name in PARTS[part]}}
        )
    return _staged(state, request, caller, app, consumer, match[4])


def _missing() -> ApiError:
    return ApiError("NOT_FOUND", "The requested resource does not exist")


def _check_access(caller: Caller) -> None:
    """Refuse without the setting or a permission; whether a session of a SOAP login is good for it is UNKNOWN."""
    switches = caller.org.switches
    if caller.org.external_client_app_settings["enableClientSecretInRestApiAccess"] != "true":
        raise ApiError("FUNCTIONALITY_NOT_ENABLED", OFF[switches.eca_secrets_off])
    missing = set(NEEDED) - caller.permissions
    if missing or (switches.eca_secrets_session == "by_app" and not caller.session.by_app):
        raise ApiError("INSUFFICIENT_ACCESS", OFF["not enabled for this user"])


def _usage(caller: Caller) -> Response:
    apps = [
        {"developerName": name, "identifier": app.parts[APP].id, "label": app.parts[APP].values.get("label", name)}
        for name, app in caller.org.external_client_apps.items()
        if app.consumer and OAUTH in app.parts and (app.logins or caller.org.switches.eca_usage == "all")
    ]
    return json_response({"apps": apps})


def _find(caller: Caller, app_id: str, consumer_id: str | None) -> tuple[ExternalClientApp, Consumer]:
    for app in caller.org.external_client_apps.values():
        consumer = app.consumer
        mine = consumer and consumer_id in (None, consumer.id, consumer.id[:15])
        if consumer and mine and app.parts[APP].id == ids.long_id(app_id):
            return app, consumer
    raise _missing()


def _url(caller: Caller, app: ExternalClientApp, consumer: Consumer, rest: str = "") -> str:
    base = f"/services/data/v{caller.version:.1f}/apps/oauth/credentials"
    return f"{base}/{app.parts[APP].id}/{consumer.id}{rest}"


def _show(caller: Caller, app: ExternalClientApp, consumer: Consumer, *, key: bool = True) -> dict[str, str]:
    return {
        "id": consumer.id,
        **({"key": consumer.key} if key else {}),
        "name": app.parts[APP].name,
        "url": _url(caller, app, consumer),
        "stagedCredentialsUrl": _url(caller, app, consumer, "/staged"),
    }


# -- staged pairs ------------------------------------------------------------------------------------------------------


def _staged(
    state: State, request: Request, caller: Caller, app: ExternalClientApp, consumer: Consumer, staged_id: str | None
) -> Response:
    now, held = state.clock.now(), consumer.staged
    if staged_id is None:
        if request.method == "POST":
            if not request.body and caller.org.switches.eca_stage_without_body == "hangs":
                return Response(504, delay=HANG_SECONDS)
            return _collection(caller, app, consumer, _stage(state, caller, consumer), 201)
        return _collection(caller, app, consumer, held, 200, now)
    if held is None or held.id != ids.long_id(staged_id):
        raise _missing()
    if request.method == "DELETE":
        consumer.staged = None
        return Response(204, content_type=None)
    if request.method == "PATCH":
        _rotate(caller, consumer, held, request, now)
    return json_response(_pair(caller, app, consumer, held, now))


def _stage(state: State, caller: Caller, consumer: Consumer) -> StagedPair:
    """Make a new key and a new secret; there is one staged pair at a time (REPORTED)."""
    now = state.clock.now()
    if consumer.staged is not None and now < consumer.staged.expires:
        raise ApiError("DUPLICATE_VALUE", "There are staged credentials for this consumer already.")
    expires = now + datetime.timedelta(days=STAGED_DAYS)
    new_id = state.ids.new(ids.STAGED_CREDENTIALS)
    consumer.staged = StagedPair(new_id, ids.consumer_key(), new_secret(), "Active", caller.user.username, now, expires)
    return consumer.staged


def _rotate(caller: Caller, consumer: Consumer, held: StagedPair, request: Request, now: datetime.datetime) -> None:
    """Give the staged pair to the consumer; the one that it had takes its place for a while."""
    try:
        command = json.loads(request.body)["command"]
    except (ValueError, KeyError, TypeError):
        command = None
    if command != "rotate":
        raise ApiError("INVALID_PARAMETER", "command: rotate is expected")
    if held.state != "Active" or now >= held.expires:
        raise ApiError("INVALID_OPERATION", "Only active staged credentials can be rotated.")
    consumer.key, held.key = held.key, consumer.key
    consumer.secret, held.secret = held.secret, consumer.secret
    held.state = "Rotated"
    held.expires = now + datetime.timedelta(days=caller.org.switches.eca_rotated_pair_days)


def _collection(
    caller: Caller,
    app: ExternalClientApp,
    consumer: Consumer,
    held: StagedPair | None,
    status: int,
    now: datetime.datetime | None = None,
) -> Response:
    """Show a list of at most one pair; its name is REPORTED."""
    shown = [] if held is None else [_pair(caller, app, consumer, held, now or held.created)]
    return json_response({"stagedCredentials": shown}, status)


def _pair(
    caller: Caller, app: ExternalClientApp, consumer: Consumer, held: StagedPair, now: datetime.datetime
) -> dict[str, str]:
    own = _url(caller, app, consumer, f"/staged/{held.id}")
    return {
        "createdBy": held.author,
        "createdDate": stamp(held.created),
        "expirationDate": stamp(held.expires),
        "id": held.id,
        "key": held.key,
        "secret": held.secret,
        "stagedCredentialsUrl": own,
        "state": "Expired" if now >= held.expires else held.state,
        "url": own if caller.org.switches.eca_staged_url == "staged" else _url(caller, app, consumer),
    }
