# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consumer secrets by Connect REST, behind the setting and two permissions, and their rotation in stages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from .packages import GLOBAL, OAUTH_POLICY
from .wire import RestAnswer, Wire

USER = "billing@acme.example"


@pytest.fixture
def session(wire: Wire) -> str:
    """An administrator who may read secrets, in an org with an app for client credentials."""
    wire.commands.add_user(USER, "Plain-Pony9", profile="Standard")
    wire.commands.set_org(instance_url="https://acme.my.example")
    flow = {"isClientCredentialsFlowEnabled": "true"}
    components = {GLOBAL: flow, OAUTH_POLICY: {**flow, "clientCredentialsFlowUser": USER}}
    wire.commands.add_external_client_app("Billing", components=components)
    wire.commands.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
    permissions = ["ExternalClientAppDeveloper", "ViewClientSecret"]
    wire.commands.set_permission_set("Secrets", permissions=permissions, assigned=[wire.admin.username])
    return wire.login().session


def call(wire: Wire, session: str, path: str, method: str = "GET", body: str = "", query: str = "") -> RestAnswer:
    path = path if path.startswith("/") else f"/services/data/v66.0/{path}"
    return wire.rest(session, path, method=method, body=body, query=query)


def consumer(wire: Wire, session: str) -> dict[str, Any]:
    (app,) = call(wire, session, "apps/oauth/usage").json["apps"]
    assert (app["developerName"], app["identifier"][:3]) == ("Billing", "0xI")
    (found,) = call(wire, session, f"apps/oauth/credentials/{app['identifier']}").json["consumers"]
    return dict(found)


def log_in(wire: Wire, key: str, secret: str) -> int:
    form = urlencode({"grant_type": "client_credentials", "client_id": key, "client_secret": secret})
    return wire.send("POST", "/services/oauth2/token", form, host="acme.my.example").status


def stage(wire: Wire, session: str) -> tuple[str, dict[str, Any]]:
    """The path of a new staged pair, and the pair."""
    path = consumer(wire, session)["stagedCredentialsUrl"]
    answer = call(wire, session, path, "POST", "{}")
    assert answer.status == 201
    (pair,) = answer.json["stagedCredentials"]
    return f"{path}/{pair['id']}", pair


def rotate(wire: Wire, session: str, path: str) -> RestAnswer:
    return call(wire, session, path, "PATCH", json.dumps({"command": "rotate"}))


@pytest.mark.parametrize(
    ("part", "names"), [("key", {"key"}), ("secret", {"secret"}), ("keyandsecret", {"key", "secret"})]
)
def test_parts(wire: Wire, session: str, part: str, names: set[str]) -> None:
    found = consumer(wire, session)
    assert found["id"].startswith("888")
    answer = call(wire, session, found["url"], query=f"part={part}").json
    assert {"key", "secret"} & set(answer) == names
    held = wire.commands.external_client_app("Billing")
    assert answer.get("secret", held["consumer_secret"]) == held["consumer_secret"]
    assert log_in(wire, found["key"], held["consumer_secret"]) == 200


@pytest.mark.parametrize("text", ["not currently enabled", "feature is not enabled", "not enabled for this user"])
def test_behind_the_setting(wire: Wire, session: str, text: str) -> None:
    url = consumer(wire, session)["url"]
    wire.commands.set_external_client_app_settings(enableClientSecretInRestApiAccess=False)
    wire.commands.set_switches(eca_secrets_off=text)
    answer = call(wire, session, url, query="part=secret")
    assert answer.status == 403
    assert text in answer.json[0]["message"]


@pytest.mark.parametrize("missing", ["ExternalClientAppDeveloper", "ViewClientSecret"])
def test_behind_two_permissions(wire: Wire, session: str, missing: str) -> None:
    url = consumer(wire, session)["url"]
    held = {"ExternalClientAppDeveloper", "ViewClientSecret"} - {missing}
    wire.commands.set_permission_set("Secrets", permissions=sorted(held))
    assert call(wire, session, url, query="part=secret").error == "INSUFFICIENT_ACCESS"


@pytest.mark.parametrize(("switch", "status"), [("any", 200), ("by_app", 403)])
def test_a_session_of_a_soap_login(wire: Wire, session: str, switch: str, status: int) -> None:
    url = consumer(wire, session)["url"]
    wire.commands.set_switches(eca_secrets_session=switch)
    assert call(wire, session, url, query="part=secret").status == status
    user = wire.sim.state.user(wire.admin.username)
    by_app = wire.sim.state.open_session(user, "203.0.113.9", restricted=False, by_app=True).id
    assert call(wire, by_app, url, query="part=secret").status == 200


@pytest.mark.parametrize(("switch", "listed"), [("all", 1), ("used", 0)])
def test_an_app_that_nobody_used(wire: Wire, session: str, switch: str, listed: int) -> None:
    wire.commands.set_switches(eca_usage=switch)
    assert len(call(wire, session, "apps/oauth/usage").json["apps"]) == listed
    held = wire.commands.external_client_app("Billing")
    assert log_in(wire, held["consumer_key"], held["consumer_secret"]) == 200
    assert len(call(wire, session, "apps/oauth/usage").json["apps"]) == 1


class TestRotation:
    def test_both_pairs_are_live_before_and_after(self, wire: Wire, session: str) -> None:
        old = wire.commands.external_client_app("Billing")
        path, new = stage(wire, session)
        pairs = [(old["consumer_key"], old["consumer_secret"]), (new["key"], new["secret"])]
        assert [log_in(wire, *pair) for pair in pairs] == [200, 200]
        assert rotate(wire, session, path).json["state"] == "Rotated"
        assert consumer(wire, session)["key"] == new["key"]
        assert [log_in(wire, *pair) for pair in pairs] == [200, 200]
        assert call(wire, session, path, "DELETE").status == 204
        assert [log_in(wire, *pair) for pair in pairs] == [400, 200]

    def test_keys_and_secrets_of_two_pairs_do_not_mix(self, wire: Wire, session: str) -> None:
        old = wire.commands.external_client_app("Billing")
        _path, new = stage(wire, session)
        assert log_in(wire, new["key"], old["consumer_secret"]) == 400
        assert log_in(wire, old["consumer_key"], new["secret"]) == 400

    def test_a_staged_pair_may_be_good_only_after_its_rotation(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_staged_pair="after_rotation")
        path, new = stage(wire, session)
        assert log_in(wire, new["key"], new["secret"]) == 400
        rotate(wire, session, path)
        assert log_in(wire, new["key"], new["secret"]) == 200

    def test_the_old_pair_ends_by_itself(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_rotated_pair_days=2.0)
        old = wire.commands.external_client_app("Billing")
        rotate(wire, session, stage(wire, session)[0])
        wire.commands.advance(2 * 86400 + 1)
        assert log_in(wire, old["consumer_key"], old["consumer_secret"]) == 400

    def test_a_staged_pair_ends_after_thirty_days(self, wire: Wire, session: str) -> None:
        path, new = stage(wire, session)
        wire.commands.advance(30 * 86400 + 1)
        session = wire.login().session
        assert call(wire, session, path).json["state"] == "Expired"
        assert log_in(wire, new["key"], new["secret"]) == 400
        assert rotate(wire, session, path).status == 400

    def test_there_is_one_staged_pair_at_a_time(self, wire: Wire, session: str) -> None:
        path, new = stage(wire, session)
        collection = path.rpartition("/")[0]
        assert call(wire, session, collection, "POST", "{}").error == "DUPLICATE_VALUE"
        (found,) = call(wire, session, collection).json["stagedCredentials"]
        assert found["secret"] == new["secret"]

    @pytest.mark.parametrize("switch", ["staged", "consumer"])
    def test_the_url_of_a_pair(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_staged_url=switch)
        path, pair = stage(wire, session)
        assert (pair["url"] == path) is (switch == "staged")

    @pytest.mark.parametrize(("switch", "delay"), [("accepted", 0), ("hangs", 60)])
    def test_without_a_body(self, wire: Wire, session: str, switch: str, delay: float) -> None:
        wire.commands.set_switches(eca_stage_without_body=switch)
        path = consumer(wire, session)["stagedCredentialsUrl"]
        assert call(wire, session, path, "POST").response.delay == delay

    def test_what_it_cannot_do(self, wire: Wire, session: str) -> None:
        path, _pair = stage(wire, session)
        assert call(wire, session, path, "PATCH", "{}").error == "INVALID_PARAMETER"
        assert call(wire, session, f"{path[:-18]}889000000000001AAA").error == "NOT_FOUND"
        rotate(wire, session, path)
        assert rotate(wire, session, path).status == 400, "an old pair is not rotated back"
        assert wire.rest(session, path.replace("v66.0", "v64.0")).error == "NOT_FOUND"

    def test_a_lost_answer_to_a_rotation(self, wire: Wire, session: str) -> None:
        path, new = stage(wire, session)
        wire.commands.inject("reset", operation="rotateCredentials", executed=True)
        rotate(wire, session, path)
        assert consumer(wire, session)["key"] == new["key"]


def test_secrets_are_not_in_the_request_log(wire: Wire, session: str) -> None:
    held = wire.commands.external_client_app("Billing")
    call(wire, session, consumer(wire, session)["url"], query="part=keyandsecret")
    log_in(wire, held["consumer_key"], held["consumer_secret"])
    assert held["consumer_secret"] not in json.dumps(wire.commands.requests())
