# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that makes an app or rotates its secret loses an answer, at every step, with the step done or not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from .packages import POLICY, five, package
from .wire import Wire

USER = "billing@acme.example"
API = "/services/data/v66.0"
Step = Callable[[], object]


@pytest.fixture
def session(wire: Wire) -> str:
    """An administrator's session, in an org with an app, a permission set, and secrets that can be read."""
    wire.commands.add_user(USER, "Plain-Pony9", profile="Standard")
    permissions = ["ExternalClientAppDeveloper", "ViewClientSecret"]
    wire.commands.set_permission_set("Billing_access", permissions=permissions, assigned=[wire.admin.username])
    wire.commands.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
    wire.commands.add_external_client_app("Robots")
    return wire.login().session


def record(wire: Wire, session: str, method: str, path: str, body: Any = None) -> None:
    wire.rest(session, f"{API}/{path}", method=method, body="" if body is None else json.dumps(body))


def staged(wire: Wire, session: str) -> str:
    """The path of the staged pairs of the app that there is."""
    app_id = wire.rest(session, f"{API}/apps/oauth/usage").json["apps"][0]["identifier"]
    consumers = wire.rest(session, f"{API}/apps/oauth/credentials/{app_id}").json["consumers"]
    return str(consumers[0]["stagedCredentialsUrl"]).removeprefix(f"{API}/")


def deploy(wire: Wire, session: str) -> Step:
    data = base64.b64encode(package(five())).decode()
    options = "<DeployOptions><rollbackOnError>true</rollbackOnError></DeployOptions>"
    body = f"<deploy><ZipFile>{data}</ZipFile>{options}</deploy>"
    return lambda: wire.call(session, body, version="66.0")


def update(wire: Wire, session: str) -> Step:
    elements = "<externalClientApplication>Robots</externalClientApplication><isEnabled>false</isEnabled>"
    return lambda: wire.update(session, f"<fullName>Robots_plcy</fullName>{elements}", kind=POLICY)


def create_record(wire: Wire, session: str) -> Step:
    return lambda: record(wire, session, "POST", "sobjects/PermissionSet", {"Name": "Other", "Label": "Other"})


def update_record(wire: Wire, session: str) -> Step:
    set_id = wire.commands.permission_set("Billing_access")["id"]
    return lambda: record(wire, session, "PATCH", f"sobjects/PermissionSet/{set_id}", {"Label": "Changed"})


def delete_record(wire: Wire, session: str) -> Step:
    query = "SELECT Id FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Billing_access'"
    row = wire.query(session, query).records[0]["Id"]
    return lambda: record(wire, session, "DELETE", f"sobjects/PermissionSetAssignment/{row}")


def create_records(wire: Wire, session: str) -> Step:
    pair = {
        "attributes": {"type": "PermissionSetAssignment"},
        "PermissionSetId": wire.commands.permission_set("Billing_access")["id"],
        "AssigneeId": wire.commands.user(USER)["id"],
    }
    return lambda: record(wire, session, "POST", "composite/sobjects", {"records": [pair]})


def stage(wire: Wire, session: str) -> Step:
    path = staged(wire, session)
    return lambda: record(wire, session, "POST", path, {})


def rotate(wire: Wire, session: str) -> Step:
    path = staged(wire, session)
    new = wire.rest(session, f"{API}/{path}", method="POST", body="{}").json["stagedCredentials"][0]["id"]
    return lambda: record(wire, session, "PATCH", f"{path}/{new}", {"command": "rotate"})


def unstage(wire: Wire, session: str) -> Step:
    path = staged(wire, session)
    new = wire.rest(session, f"{API}/{path}", method="POST", body="{}").json["stagedCredentials"][0]["id"]
    return lambda: record(wire, session, "DELETE", f"{path}/{new}")


def refresh(wire: Wire, session: str) -> Step:
    """Here it is the answer that counts: it brings the refresh token that takes the place of the one shown."""
    wire.commands.add_app("desktop", rotates_refresh_tokens=True)
    value = wire.commands.grant_refresh_token("desktop", USER)
    form = urlencode({"grant_type": "refresh_token", "client_id": "desktop", "refresh_token": value})
    return lambda: wire.send("POST", "/services/oauth2/token", form)


STEPS = {
    "deploy": deploy,
    "updateMetadata": update,
    "createRecord": create_record,
    "updateRecord": update_record,
    "deleteRecord": delete_record,
    "createRecords": create_records,
    "stageCredentials": stage,
    "rotateCredentials": rotate,
    "deleteStagedCredentials": unstage,
    "token": refresh,
}


def state(wire: Wire) -> str:
    """All that the steps may change."""
    names = wire.commands.permission_sets()
    apps = [wire.commands.set_app("desktop")] if "desktop" in wire.sim.state.apps else []
    sets = [wire.commands.permission_set(name) for name in names]
    return json.dumps([wire.commands.external_client_apps(), sets, apps], default=str)


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("operation", sorted(STEPS))
def test_a_lost_answer(wire: Wire, session: str, operation: str, executed: bool) -> None:
    step = STEPS[operation](wire, session)
    before = state(wire)
    wire.commands.inject("reset", operation=operation, executed=executed)
    step()
    assert wire.commands.pending()["faults"] == [], "the fault met its operation"
    assert (state(wire) != before) is executed
