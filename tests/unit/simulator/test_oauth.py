# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by an app: who gets a session at the token endpoint, and what everybody else is told."""

from __future__ import annotations

import base64
import datetime
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.simulated_org.http import Request, Response

from .apps import assertion, key_pair
from .wire import OUTSIDE, Wire

KEY, SECRET = "SimKey", "SimAppSecret"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
OWN_HOST = "https://acme.my.example"

Refusal = tuple[str, str]
FAILED: Refusal = ("invalid_grant", "authentication failure")


class Endpoint:
    """Asks for tokens on behalf of one app."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.admin = wire.admin
        self.set_switches = wire.commands.set_switches
        wire.commands.add_app(
            KEY, consumer_secret=SECRET, certificate=key_pair()[1], approved_users=[self.admin.username]
        )

    def set_app(self, **fields: Any) -> None:
        self.wire.commands.set_app(KEY, **fields)

    def post(
        self,
        form: dict[str, str],
        *,
        peer: str = OUTSIDE,
        host: str = "https://login.example",
        method: str = "POST",
        **headers: str,
    ) -> Response:
        body = urlencode(form).encode()
        return self.wire.sim.service.handle(Request(method, "/services/oauth2/token", "", headers, body, peer, host))

    def password(self, secret: str | None = None, *, peer: str = OUTSIDE, **changes: str) -> Response:
        form = {
            "grant_type": "password",
            "client_id": KEY,
            "client_secret": SECRET,
            "username": self.admin.username,
            "password": self.admin.login_password if secret is None else secret,
        }
        return self.post({**form, **changes}, peer=peer)

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": KEY,
            "sub": self.admin.username,
            "aud": "https://login.salesforce.com",
            "exp": self.in_seconds(180),
        }
        return {**claims, **changes}

    def in_seconds(self, seconds: float) -> int:
        return int((self.wire.sim.state.clock.now() + datetime.timedelta(seconds=seconds)).timestamp())

    def jwt(self, signed: str | None = None, *, peer: str = OUTSIDE, **changes: Any) -> Response:
        return self.post(
            {"grant_type": JWT_BEARER, "assertion": signed or assertion(self.claims(**changes))}, peer=peer
        )

    def client_credentials(self, *, host: str = OWN_HOST, basic: str | None = f"{KEY}:{SECRET}") -> Response:
        if basic is None:
            form = {"grant_type": "client_credentials", "client_id": KEY, "client_secret": SECRET}
            return self.post(form, host=host)
        header = f"Basic {base64.b64encode(basic.encode()).decode()}"
        return self.post({"grant_type": "client_credentials"}, host=host, authorization=header)

    def refresh(self, refresh_token: str, **changes: str) -> Response:
        return self.post({"grant_type": "refresh_token", "client_id": KEY, "refresh_token": refresh_token, **changes})

    def last_row(self) -> dict[str, Any]:
        return dict(self.wire.commands.login_history()[-1])


@pytest.fixture
def endpoint(wire: Wire) -> Endpoint:
    return Endpoint(wire)


def answer(response: Response) -> dict[str, str]:
    """The answer of a login that went well."""
    assert response.status == 200, response.body
    assert ("Cache-Control", "no-store") in response.headers
    return dict(json.loads(response.body))


def refused(response: Response) -> Refusal:
    assert response.status == 400
    assert ("Cache-Control", "no-store") in response.headers
    found = json.loads(response.body)
    assert set(found) == {"error", "error_description"}
    return found["error"], found["error_description"]


def url_safe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class TestAnswers:
    """Each flow has its own set of fields."""

    @pytest.fixture(autouse=True)
    def run_as(self, endpoint: Endpoint) -> None:
        endpoint.set_app(run_as=endpoint.admin.username)
        endpoint.wire.commands.set_org(instance_url=OWN_HOST)

    def test_password(self, endpoint: Endpoint) -> None:
        found = answer(endpoint.password())
        assert set(found) == {"access_token", "instance_url", "id", "token_type", "issued_at", "signature"}

    def test_jwt_bearer(self, endpoint: Endpoint) -> None:
        assert set(answer(endpoint.jwt())) == {"access_token", "scope", "instance_url", "id", "token_type"}

    def test_client_credentials_by_header_and_by_body(self, endpoint: Endpoint) -> None:
        for basic in (f"{KEY}:{SECRET}", None):
            assert answer(endpoint.client_credentials(basic=basic))["instance_url"] == OWN_HOST

    def test_refresh_token_brings_no_other_refresh_token(self, endpoint: Endpoint) -> None:
        refresh_token = endpoint.wire.commands.grant_refresh_token(KEY, endpoint.admin.username)
        assert "refresh_token" not in answer(endpoint.refresh(refresh_token))

    def test_the_token_is_a_session_of_the_user(self, endpoint: Endpoint) -> None:
        found = answer(endpoint.jwt())
        rows = endpoint.wire.query(found["access_token"], "SELECT Username FROM User").records
        assert rows[0]["Username"] == endpoint.admin.username
        assert endpoint.wire.read(found["access_token"]).ok
        assert found["id"].endswith(f"/{endpoint.wire.commands.user(endpoint.admin.username)['id']}")


class TestPassword:
    def test_the_token_is_needed_outside_trusted_ranges_only(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.password(endpoint.admin.password)) == FAILED
        endpoint.wire.commands.set_org(trusted_ranges=[OUTSIDE])
        assert answer(endpoint.password(endpoint.admin.password))

    @pytest.mark.parametrize(("needed", "allowed"), [(True, False), (False, True)])
    def test_whether_a_relaxed_app_needs_the_token_is_unknown(
        self, endpoint: Endpoint, needed: bool, allowed: bool
    ) -> None:
        endpoint.set_app(ip_relaxation="relax")
        endpoint.set_switches(relaxed_app_needs_token=needed)
        assert (endpoint.password(endpoint.admin.password).status == 200) is allowed

    @pytest.mark.parametrize(
        ("secret", "status"),
        [
            ("Correct-Horse1", "Failed: API security token required"),
            ("nonsense", "Invalid Password"),
            ("Correct-Horse1WrongToken", "Invalid Password"),
        ],
    )
    def test_the_older_texts_name_the_status_of_login_history(
        self, endpoint: Endpoint, secret: str, status: str
    ) -> None:
        assert refused(endpoint.password(secret)) == FAILED
        endpoint.set_switches(oauth_error_text="with_status", status_case="title")
        assert refused(endpoint.password(secret)) == ("invalid_grant", f"authentication failure - {status}")
        assert endpoint.last_row()["status"] == status

    def test_wrong_passwords_lock_the_user_out_as_by_soap(self, endpoint: Endpoint) -> None:
        for _unused in range(5):
            endpoint.password("nonsense")
            endpoint.wire.login("nonsense")
        assert refused(endpoint.password()) == FAILED
        assert endpoint.wire.commands.user(endpoint.admin.username)["locked"]

    def test_an_unknown_user_looks_like_a_wrong_password(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.password(username="nobody@simulated.example")) == FAILED

    @pytest.mark.parametrize("blocked_by", ["org", "app"])
    @pytest.mark.parametrize("error", ["invalid_grant", "unsupported_grant_type"])
    def test_the_flow_switched_off(self, endpoint: Endpoint, blocked_by: str, error: str) -> None:
        if blocked_by == "org":
            endpoint.wire.commands.set_org(username_password_flow_enabled=False)
        else:
            endpoint.set_app(flows=["jwt_bearer"])
        endpoint.set_switches(blocked_flow_error=error)
        assert refused(endpoint.password())[0] == error
        assert endpoint.last_row()["status"] == "Username-Password Flow Disabled"

    def test_an_expired_password_gives_a_session_for_nothing_or_a_refusal(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_user(endpoint.admin.username, password_expired=True)
        session = answer(endpoint.password())["access_token"]
        assert endpoint.wire.query(session, "SELECT Id FROM User").error == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
        endpoint.set_switches(oauth_expired_password="refused")
        response = endpoint.password()
        assert response.status == 401
        assert json.loads(response.body)[0]["errorCode"] == "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"

    def test_soap_login_switched_off_does_not_matter(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_org(soap_login_enabled=False)
        assert answer(endpoint.password())


class TestAssertions:
    @pytest.mark.parametrize("form", [int, str, lambda seconds: seconds * 1000, lambda seconds: str(seconds * 1000)])
    def test_exp_may_be_in_seconds_or_milliseconds_as_number_or_text(self, endpoint: Endpoint, form: Any) -> None:
        assert answer(endpoint.jwt(exp=form(endpoint.in_seconds(60))))

    @pytest.mark.parametrize(
        ("seconds", "refusal"),
        [
            (-1, ("invalid_grant", "expired authorization code")),
            (299, None),
            (3600, ("invalid_grant", "invalid assertion")),
        ],
    )
    def test_exp_is_in_the_near_future(self, endpoint: Endpoint, seconds: int, refusal: Refusal | None) -> None:
        response = endpoint.jwt(exp=endpoint.in_seconds(seconds))
        assert (refused(response) if refusal else None) == refusal

    @pytest.mark.parametrize("exp", [None, "soon", {}, 1e300])
    def test_exp_that_is_no_time(self, endpoint: Endpoint, exp: Any) -> None:
        assert refused(endpoint.jwt(exp=exp)) == ("invalid_grant", "invalid assertion")

    def test_without_exp(self, endpoint: Endpoint) -> None:
        claims = endpoint.claims()
        del claims["exp"]
        assert refused(endpoint.jwt(assertion(claims))) == ("invalid_grant", "invalid assertion")

    @pytest.mark.parametrize(
        ("sandbox", "audience", "accepted"),
        [
            (False, "https://login.salesforce.com", True),
            (False, "https://test.salesforce.com", False),
            (True, "https://test.salesforce.com", True),
            (True, "https://login.salesforce.com", False),
            (False, "https://login.example", True),
            (False, OWN_HOST, True),
            (False, "https://login.salesforce.com/", False),
            (False, "https://other.my.example", False),
            (False, ["https://login.salesforce.com"], False),
        ],
    )
    def test_aud_is_the_login_host_or_the_orgs_own(
        self, endpoint: Endpoint, sandbox: bool, audience: Any, accepted: bool
    ) -> None:
        endpoint.wire.commands.set_org(sandbox=sandbox, instance_url=OWN_HOST)
        response = endpoint.jwt(aud=audience)
        if accepted:
            assert answer(response)
        else:
            assert refused(response) == ("invalid_grant", "Audience validation failed")
            endpoint.set_switches(jwt_audience_text="audience is invalid")
            assert refused(endpoint.jwt(aud=audience)) == ("invalid_grant", "audience is invalid")

    def test_a_signature_by_another_key(self, endpoint: Endpoint) -> None:
        signed = assertion(endpoint.claims(), private_key=key_pair("other")[0])
        assert refused(endpoint.jwt(signed)) == ("invalid_grant", "invalid assertion")

    def test_a_claim_changed_after_signing(self, endpoint: Endpoint) -> None:
        head, _unused, signature = assertion(endpoint.claims(sub="nobody@simulated.example")).split(".")
        payload = url_safe(json.dumps(endpoint.claims()).encode())
        assert refused(endpoint.jwt(f"{head}.{payload}.{signature}")) == ("invalid_grant", "invalid assertion")

    def test_no_signature_and_the_certificate_as_a_shared_secret(self, endpoint: Endpoint) -> None:
        """The two classic forgeries."""
        unsigned = assertion(endpoint.claims(), private_key="", algorithm="none")
        assert refused(endpoint.jwt(unsigned)) == ("invalid_grant", "invalid assertion")
        claims = assertion(endpoint.claims()).split(".")[1]
        head = url_safe(b'{"alg":"HS256","typ":"JWT"}')
        signed = hmac.new(key_pair()[1].encode(), f"{head}.{claims}".encode(), "sha256").digest()
        assert refused(endpoint.jwt(f"{head}.{claims}.{url_safe(signed)}")) == ("invalid_grant", "invalid assertion")

    @pytest.mark.parametrize("change", [{"certificate": None}, {"flows": ["password"]}])
    def test_an_app_without_certificate_or_flow(self, endpoint: Endpoint, change: dict[str, Any]) -> None:
        endpoint.set_app(**change)
        assert refused(endpoint.jwt()) == ("invalid_grant", "invalid assertion")

    def test_a_certificate_that_has_run_out(self, endpoint: Endpoint) -> None:
        private, certificate = key_pair("old", days=-1)
        endpoint.set_app(certificate=certificate)
        signed = assertion(endpoint.claims(), private_key=private)
        assert refused(endpoint.jwt(signed)) == ("invalid_grant", "invalid assertion")

    def test_an_unknown_app(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.jwt(iss="other")) == ("invalid_client_id", "client identifier invalid")

    @pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.e30"])
    def test_what_is_no_assertion(self, endpoint: Endpoint, text: str) -> None:
        response = endpoint.post({"grant_type": JWT_BEARER, "assertion": text})
        assert refused(response) == ("invalid_client_id", "client identifier invalid")

    def test_the_password_and_the_token_do_not_matter(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.reset_token(endpoint.admin.username)
        endpoint.wire.commands.set_user(endpoint.admin.username, password_expired=True)
        session = answer(endpoint.jwt())["access_token"]
        assert endpoint.wire.query(session, "SELECT Id FROM User").status == 200


class TestApproval:
    def test_pre_authorised_users_only(self, endpoint: Endpoint) -> None:
        endpoint.set_app(approved_users=[])
        unapproved = ("invalid_app_access", "user is not admin approved to access this app")
        assert refused(endpoint.jwt()) == unapproved
        assert refused(endpoint.password()) == unapproved

    def test_self_authorisation_comes_before_an_assertion(self, endpoint: Endpoint) -> None:
        endpoint.set_app(approved_users=[], permitted_users="self_authorize")
        assert refused(endpoint.jwt()) == ("invalid_grant", "user hasn't approved this consumer")
        assert answer(endpoint.password())
        endpoint.wire.commands.grant_refresh_token(KEY, endpoint.admin.username)
        assert answer(endpoint.jwt())

    def test_an_unknown_user_has_approved_nothing(self, endpoint: Endpoint) -> None:
        response = endpoint.jwt(sub="nobody@simulated.example")
        assert refused(response) == ("invalid_grant", "user hasn't approved this consumer")

    def test_a_user_of_another_org(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.add_org("other")
        endpoint.wire.commands.add_user("other@example.com", "Other-Pass1", org="other")
        endpoint.set_app(approved_users=["other@example.com"])
        assert refused(endpoint.jwt(sub="other@example.com"))[0] == "invalid_app_access"


class TestClientCredentials:
    @pytest.fixture(autouse=True)
    def own_host(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_org(instance_url=OWN_HOST)

    def test_only_at_the_orgs_own_host(self, endpoint: Endpoint) -> None:
        endpoint.set_app(run_as=endpoint.admin.username)
        response = endpoint.client_credentials(host="https://login.example")
        assert refused(response) == ("invalid_grant", "request not supported on this domain")

    def test_without_a_user_to_run_as(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.client_credentials()) == ("invalid_grant", "no client credentials user enabled")

    @pytest.mark.parametrize("basic", [f"{KEY}:wrong", f"{KEY}:", f"{KEY}"])
    def test_a_wrong_secret(self, endpoint: Endpoint, basic: str) -> None:
        assert refused(endpoint.client_credentials(basic=basic)) == ("invalid_client", "invalid client credentials")

    @pytest.mark.parametrize("basic", ["other:secret", ":"])
    def test_an_unknown_app(self, endpoint: Endpoint, basic: str) -> None:
        assert refused(endpoint.client_credentials(basic=basic)) == ("invalid_client_id", "client identifier invalid")


class TestUsersAndAddresses:
    """What holds of a user holds for every flow."""

    @pytest.mark.parametrize("relaxation", ["enforce", "relax"])
    def test_login_ip_ranges_hold_unless_the_app_relaxes_them(self, endpoint: Endpoint, relaxation: str) -> None:
        endpoint.wire.commands.set_profile("Admin", login_ip_ranges=["198.51.100.0/24"])
        endpoint.set_app(ip_relaxation=relaxation)
        response = endpoint.jwt()
        if relaxation == "relax":
            assert answer(response)
        else:
            assert refused(response) == ("invalid_grant", "ip restricted")
            assert endpoint.last_row()["status"] == "Restricted IP"
            assert answer(endpoint.jwt(peer="198.51.100.7"))

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"active": False}, ("inactive_user", "user is inactive")),
            ({"frozen": True}, FAILED),
        ],
    )
    def test_users_who_may_not(self, endpoint: Endpoint, change: dict[str, Any], refusal: Refusal) -> None:
        endpoint.wire.commands.set_user(endpoint.admin.username, **change)
        assert refused(endpoint.jwt()) == refused(endpoint.password()) == refusal

    def test_login_hours(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_profile("Admin", login_hours={})
        assert refused(endpoint.jwt()) == ("invalid_grant", "invalid login hours")
        endpoint.set_switches(oauth_error_text="with_status")
        assert refused(endpoint.jwt()) == ("invalid_grant", "ip restricted or invalid login hours")

    def test_a_locked_org(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_org(locked=True)
        assert refused(endpoint.jwt())[0] == "inactive_org"

    def test_a_user_without_the_api(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.set_profile("Admin", permissions=[])
        assert refused(endpoint.jwt()) == FAILED
        assert endpoint.last_row()["status"] == "Failed: OAuth API access disabled"

    def test_too_many_logins_in_an_hour(self, endpoint: Endpoint) -> None:
        endpoint.set_switches(login_rate=2)
        assert [endpoint.jwt().status for _unused in range(3)] == [200, 200, 400]
        assert refused(endpoint.password()) == ("rate_limit_exceeded", "number of logins exceeded")

    def test_login_history_tells_app_and_flow(self, endpoint: Endpoint) -> None:
        endpoint.password()
        soql = "SELECT LoginType, LoginSubType, Application, Status, LoginUrl FROM LoginHistory"
        (row,) = endpoint.wire.query(answer(endpoint.jwt())["access_token"], soql + " LIMIT 1").records
        assert (row["LoginType"], row["Application"], row["Status"]) == (
            "Remote Access 2.0",
            "Simulated App",
            "Success",
        )
        assert row["LoginSubType"] == "OauthUsernamePassword"
        assert row["LoginUrl"] == "login.example"


class TestRefresh:
    @pytest.mark.parametrize("recorded", [False, True])
    def test_whether_a_row_is_left_is_unknown(self, endpoint: Endpoint, recorded: bool) -> None:
        endpoint.set_switches(refresh_recorded=recorded)
        refresh_token = endpoint.wire.commands.grant_refresh_token(KEY, endpoint.admin.username)
        assert answer(endpoint.refresh(refresh_token))
        assert len(endpoint.wire.commands.login_history()) == int(recorded)

    def test_a_wrong_one(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.refresh("wrong")) == ("invalid_grant", "expired access/refresh token")

    def test_a_secret_that_is_given_must_be_right(self, endpoint: Endpoint) -> None:
        refresh_token = endpoint.wire.commands.grant_refresh_token(KEY, endpoint.admin.username)
        assert refused(endpoint.refresh(refresh_token, client_secret="wrong"))[0] == "invalid_client"


class TestRequests:
    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"grant_type": "magic"}, "unsupported_grant_type"),
            ({"grant_type": ""}, "unsupported_grant_type"),
            ({"client_id": "other"}, "invalid_client_id"),
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"client_secret": ""}, "invalid_client"),
        ],
    )
    def test_what_cannot_be_served(self, endpoint: Endpoint, changes: dict[str, str], error: str) -> None:
        assert refused(endpoint.password(**changes))[0] == error

    def test_get_is_refused(self, endpoint: Endpoint) -> None:
        assert refused(endpoint.post({}, method="GET"))[0] == "invalid_request"

    def test_a_body_that_is_no_form(self, endpoint: Endpoint) -> None:
        request = Request("POST", "/services/oauth2/token", "", {}, b"\xff\xfe{", OUTSIDE, "https://login.example")
        for body in (b"\xff\xfe{", b"", b"{}"):
            response = endpoint.wire.sim.service.handle(replace(request, body=body))
            assert refused(response)[0] == "unsupported_grant_type"

    def test_the_request_log_names_the_user_and_no_secret(self, endpoint: Endpoint) -> None:
        endpoint.password()
        endpoint.jwt()
        entries = endpoint.wire.commands.requests("token")
        assert [entry["username"] for entry in entries[-2:]] == [endpoint.admin.username] * 2
        assert set(entries[-2]["secrets"]) == {"password", "client_secret"}
        text = json.dumps(entries)
        assert endpoint.admin.login_password not in text and SECRET not in text

    def test_an_injected_error_has_the_form_of_the_endpoint(self, endpoint: Endpoint) -> None:
        endpoint.wire.commands.inject("error", operation="token", code="rate_limit_exceeded", message="later")
        assert refused(endpoint.jwt()) == ("rate_limit_exceeded", "later")


@pytest.mark.parametrize("fields", [{"flows": ["magic"]}, {"ip_relaxation": "maybe"}, {"unknown": 1}])
def test_a_mistyped_app_is_refused(endpoint: Endpoint, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        endpoint.set_app(**fields)
