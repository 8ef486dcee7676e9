# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to log in: what is sent, what comes of it, and what a refusal is called."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    AUTH_FLOWS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.signing import sign_assertion
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    OptionError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import FLOWS, login
from tests.simulated_org import Control, SimulatedOrg
from tests.unit.simulator.apps import key_pair

KEY, SECRET = "SimKey", "Canary-App-Secret"
BY_APP = ("username_password", "jwt_bearer", "client_credentials")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedOrg]:
    folder = tmp_path_factory.mktemp("org")
    with SimulatedOrg(folder=folder, addresses=("127.0.0.1", "127.0.0.2")) as server:
        yield server


@pytest.fixture
def sim(server: SimulatedOrg) -> SimulatedOrg:
    """An org with its own host at another address than the login host, and an app."""
    server.commands.reset()
    control = server.control
    control.set_org(instance_url=server.listeners[1].url)
    user = server.admin.username
    control.add_app(KEY, consumer_secret=SECRET, certificate=key_pair()[1], run_as=user, approved_users=[user])
    return server


def connection(sim: SimulatedOrg, auth: str, **changes: Any) -> Connection:
    """All that any flow needs; each takes what it needs."""
    own_host = auth == "client_credentials"
    admin = sim.admin
    given: dict[str, Any] = {
        "auth": auth,
        "login_url": sim.listeners[1].url if own_host else sim.url,
        "username": None if own_host else admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
        "consumer_key": KEY,
        "consumer_secret": SECRET,
        "private_key": key_pair()[0],
        "ca_path": sim.ca_path,
        "allowed_hosts": ("localhost", "127.0.0.2"),
    }
    return Connection(**{**given, **changes})


def refused(sim: SimulatedOrg, auth: str, **changes: Any) -> LoginError:
    """The refusal of a login, which was asked for once and holds no secret."""
    before = sum(sim.control.counts().values())
    with pytest.raises(LoginError) as caught:
        login(connection(sim, auth, **changes))
    assert sum(sim.control.counts().values()) == before + 1, "a refused login is never repeated"
    for secret in connection(sim, auth, **changes).secrets.values():
        assert secret not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("auth", ["security_token", *BY_APP])
def test_each_flow_opens_a_session_of_the_user_in_the_orgs_own_host(sim: SimulatedOrg, auth: str) -> None:
    session = login(connection(sim, auth))
    user = sim.control.user(sim.admin.username)
    assert session.instance_url == sim.listeners[1].url
    assert session.user_id == user["id"]
    assert [one["username"] for one in sim.control.sessions()] == [sim.admin.username]
    assert session.access_token not in repr(session)


def test_a_session_is_taken_as_it_is_without_a_request(sim: SimulatedOrg) -> None:
    given = {"access_token": "00D!given", "instance_url": sim.url}
    session = login(connection(sim, "session", **given))
    assert (session.access_token, session.instance_url) == ("00D!given", sim.url)
    assert sim.control.counts() == {}


def test_there_is_a_function_for_each_flow() -> None:

    assert set(FLOWS) == set(AUTH_FLOWS)


def test_a_trusted_address_needs_no_token(sim: SimulatedOrg) -> None:
    sim.control.set_org(trusted_ranges=["127.0.0.7"])
    for auth in ("security_token", "username_password"):
        assert login(connection(sim, auth, security_token=None, source_address="127.0.0.7"))
        assert refused(sim, auth, security_token=None).cause != "ok"


class TestJwtBearer:
    def test_neither_password_nor_token_is_sent_or_needed(self, sim: SimulatedOrg) -> None:
        assert login(connection(sim, "jwt_bearer", password=None, security_token=None, consumer_secret=None))
        assert set(sim.control.requests("token")[0]["secrets"]) == {"assertion"}

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_the_audience_is_the_address_of_the_login(self, sim: SimulatedOrg, slash: str) -> None:
        for listener in sim.listeners:
            assert login(connection(sim, "jwt_bearer", login_url=f"{listener.url}{slash}"))

    def test_the_audience_is_written_as_salesforce_does_however_the_login_url_is(self, sim: SimulatedOrg) -> None:
        assert login(connection(sim, "jwt_bearer", login_url=sim.url.replace("localhost", "LocalHost")))
        given = connection(sim, "jwt_bearer", login_url="https://Login.Salesforce.com:443/")
        claims = jwt.decode(sign_assertion(given), options={"verify_signature": False})
        assert claims["aud"] == "https://login.salesforce.com"

    def test_the_audience_can_be_another_than_the_address(self, sim: SimulatedOrg) -> None:
        own, other = (listener.url for listener in sim.listeners)
        assert login(connection(sim, "jwt_bearer", login_url=own, audience=other))
        error = refused(sim, "jwt_bearer", audience="https://elsewhere.salesforce.com")
        assert error.cause == "flow_blocked" and "audience" in str(error)

    def test_another_key_than_the_apps(self, sim: SimulatedOrg) -> None:
        error = refused(sim, "jwt_bearer", private_key=key_pair("other")[0])
        assert error.cause == "invalid_credentials"
        assert "upload the certificate" in str(error)

    def test_a_clock_that_is_behind(self, sim: SimulatedOrg) -> None:
        sim.control.advance(3600)
        assert "clock" in str(refused(sim, "jwt_bearer"))

    def test_a_user_who_is_not_approved_is_told_in_no_other_way(self, sim: SimulatedOrg) -> None:
        """simple-salesforce would warn with the consumer key and an address to click."""
        sim.control.set_app(KEY, approved_users=[], permitted_users="self_authorize")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert refused(sim, "jwt_bearer").cause == "not_approved"

    @pytest.mark.parametrize(
        ("private_key", "problem"),
        [
            ("-----BEGIN PRIVATE KEY-----\nCanary\n-----END PRIVATE KEY-----\n", "not a private key"),
            (key_pair()[1], "is a certificate"),
            ("Canary", "not a private key"),
            (
                ec.generate_private_key(ec.SECP256R1())
                .private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                .decode(),
                "not an RSA key",
            ),
            (
                serialization.load_pem_private_key(key_pair()[0].encode(), None)
                .private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(b"pass"),
                )
                .decode(),
                "passphrase",
            ),
        ],
        ids=["garbage", "certificate", "no-pem", "elliptic", "passphrase"],
    )
    def test_a_key_that_cannot_sign_is_told_before_anything_is_sent(
        self, sim: SimulatedOrg, private_key: str, problem: str
    ) -> None:
        with pytest.raises(OptionError, match=problem) as caught:
            login(connection(sim, "jwt_bearer", private_key=private_key))
        assert caught.value.option == "private_key"
        assert "Canary" not in str(caught.value)
        assert sim.control.counts() == {}


class TestClientCredentials:
    @pytest.mark.parametrize("host", ["login", "test", "LOGIN"])
    def test_a_login_host_is_told_before_anything_is_sent(self, sim: SimulatedOrg, host: str) -> None:
        with pytest.raises(OptionError, match="My Domain") as caught:
            login(connection(sim, "client_credentials", login_url=f"https://{host}.salesforce.com"))
        assert caught.value.option == "login_url"

    def test_another_login_host_says_so_itself(self, sim: SimulatedOrg) -> None:
        error = refused(sim, "client_credentials", login_url=sim.url)
        assert error.cause == "flow_blocked"
        assert "My Domain" in str(error)

    def test_an_app_without_a_user_to_run_as(self, sim: SimulatedOrg) -> None:
        sim.control.set_app(KEY, run_as=None)
        error = refused(sim, "client_credentials")
        assert error.cause == "not_approved"
        assert KEY in str(error), "there is no user name to call it by"


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("username_password", {"password": "Wrong-Canary-1"}, "invalid_credentials"),
    ("username_password", {"consumer_secret": "Wrong-Canary-1"}, "invalid_credentials"),
    ("username_password", {"consumer_key": "other"}, "invalid_credentials"),
    ("client_credentials", {"consumer_secret": "Wrong-Canary-1"}, "invalid_credentials"),
    ("client_credentials", {"consumer_key": "other"}, "invalid_credentials"),
    ("jwt_bearer", {"consumer_key": "other"}, "invalid_credentials"),
    ("jwt_bearer", {"username": "nobody@simulated.example"}, "not_approved"),
    ("security_token", {"password": "Wrong-Canary-1"}, "invalid_credentials"),
    ("security_token", {"security_token": None}, "token_required_here"),
]


@pytest.mark.parametrize(("auth", "changes", "cause"), CASES)
def test_what_is_wrong_with_the_credential(sim: SimulatedOrg, auth: str, changes: dict[str, Any], cause: str) -> None:
    assert refused(sim, auth, **changes).cause == cause


def restrict(control: Control) -> None:
    control.set_profile("Admin", login_ip_ranges=["203.0.113.1"])


def forbid_hours(control: Control) -> None:
    control.set_profile("Admin", login_hours={})


def forbid_api(control: Control) -> None:
    control.set_org(api_enabled=False)


@pytest.mark.parametrize("texts", ["bare", "with_status"])
@pytest.mark.parametrize("auth", BY_APP)
@pytest.mark.parametrize(
    ("prepare", "cause"),
    [
        (restrict, "ip_denied"),
        (lambda control: control.set_switches(login_rate=0), "rate_limited"),
        (lambda control: control.set_user("admin@simulated.example", active=False), "user_locked"),
    ],
)
def test_what_keeps_a_user_out_whatever_the_flow(
    sim: SimulatedOrg, auth: str, texts: str, prepare: Any, cause: str
) -> None:
    sim.control.set_switches(oauth_error_text=texts)
    prepare(sim.control)
    assert refused(sim, auth).cause == cause


@pytest.mark.parametrize(
    ("prepare", "cause"),
    [
        (lambda control: control.set_user("admin@simulated.example", frozen=True), "user_locked"),
        (forbid_api, "api_disabled"),
    ],
)
def test_what_only_the_older_texts_tell(sim: SimulatedOrg, prepare: Any, cause: str) -> None:
    prepare(sim.control)
    assert refused(sim, "jwt_bearer").cause == "invalid_credentials"
    sim.control.set_switches(oauth_error_text="with_status")
    assert refused(sim, "jwt_bearer").cause == cause


def test_the_password_flow_switched_off(sim: SimulatedOrg) -> None:
    sim.control.set_org(username_password_flow_enabled=False)
    sim.control.set_switches(blocked_flow_error="unsupported_grant_type")
    assert refused(sim, "username_password").cause == "flow_blocked"


def test_an_expired_password(sim: SimulatedOrg) -> None:
    sim.control.set_user(sim.admin.username, password_expired=True)
    sim.control.set_switches(oauth_expired_password="refused")
    for auth in ("security_token", "username_password"):
        assert refused(sim, auth).cause == "password_expired"
    assert login(connection(sim, "jwt_bearer")), "which needs no password"


@pytest.mark.parametrize("auth", ["security_token", *BY_APP])
class TestTrouble:
    """A login whose outcome is unknown is an error that says so, not a refusal; and never a second try."""

    @pytest.fixture(autouse=True)
    def once(self, sim: SimulatedOrg) -> Iterator[None]:
        yield
        assert sum(sim.control.counts().values()) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 500},
            {"kind": "status", "status": 503, "content_type": "application/json", "body": '{"oops": "Canary"}'},
            {"kind": "status", "status": 200, "content_type": "application/json", "body": "{}"},
            {"kind": "status", "status": 200, "content_type": "application/json", "body": '["Canary"]'},
            {"kind": "status", "status": 200, "content_type": "application/json", "body": "null"},
            {"kind": "status", "status": 400, "content_type": "application/json", "body": '{"error": "<Canary>"}'},
            {"kind": "status", "status": 400, "content_type": "application/json", "body": "[" * 50_000},
            {"kind": "html", "status": 200, "body": "<html>Canary</html>"},
            {"kind": "html", "status": 502},
            {"kind": "redirect", "url": "https://evil.example/"},
            {"kind": "truncate"},
            {"kind": "reset"},
            {"kind": "delay", "seconds": 3},
        ],
        ids=lambda fault: "-".join(str(value)[:20] for value in fault.values()),
    )
    def test_an_answer_that_is_none(self, sim: SimulatedOrg, auth: str, fault: dict[str, Any]) -> None:
        sim.control.inject(**fault)
        started = time.monotonic()
        with pytest.raises(OrgError) as caught:
            login(connection(sim, auth, timeout=1.0))
        assert not isinstance(caught.value, LoginError)
        assert caught.value.cause == "unreachable"
        assert "Canary" not in str(caught.value)
        assert time.monotonic() - started < 5

    def test_an_instance_in_a_place_that_is_not_allowed(self, sim: SimulatedOrg, auth: str) -> None:
        own_host = sim.listeners[1].url
        if auth == "client_credentials":
            # The host must be the org's own, so the answer is forged.
            body = '{"access_token": "Canary", "instance_url": "https://evil.example", "id": ""}'
            sim.control.inject("status", status=200, content_type="application/json", body=body)
        else:
            sim.control.set_org(instance_url="https://evil.example")
        with pytest.raises(OrgError, match="leads elsewhere.*evil.example") as caught:
            login(connection(sim, auth, login_url=own_host if auth == "client_credentials" else sim.url))
        assert "Canary" not in str(caught.value)

    def test_an_authority_that_is_not_trusted(self, sim: SimulatedOrg, auth: str) -> None:
        with pytest.raises(OrgError) as caught:
            login(connection(sim, auth, ca_path=None))
        assert caught.value.cause == "tls_untrusted"
        # Nothing got through; let the check of the one request see one.
        login(dataclasses.replace(connection(sim, auth)))


@pytest.mark.parametrize("auth", BY_APP)
def test_an_unknown_error_is_told_by_its_code_alone(sim: SimulatedOrg, auth: str) -> None:
    sim.control.inject("error", operation="token", code="brand_new_error", message="Canary")
    error = refused(sim, auth)
    assert "brand_new_error" in str(error)
    assert "Canary" not in str(error)
