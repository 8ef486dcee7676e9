# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login with nothing but Python's own library: what it sends, what it makes of answers, and of attacks."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import LOGGED_IN, Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.protocol import Refused
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.refusals import login_error
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginUnansweredError,
    OptionError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host.login_probe import check
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.support.processes import COLLECTIONS, free_port
from tests.unit.simulator.apps import assertion, key_pair

__all__ = ["simulated_org", "simulated_org_server"]

KEY = "3MVG9-invented-consumer-key"
Try = Callable[..., Verification]


@pytest.fixture
def wanted(simulated_org: SimulatedOrg) -> Connection:
    """The administrator's connection."""
    admin = simulated_org.admin
    return Connection(
        login_url=simulated_org.url,
        username=admin.username,
        password=admin.password,
        security_token=admin.security_token,
        allowed_hosts=("localhost",),
        timeout=5,
    )


@pytest.fixture
def attempt(simulated_org: SimulatedOrg, wanted: Connection) -> Try:
    """One check of the administrator's connection, with some fields changed."""
    authorities = Path(simulated_org.ca_path).read_text()

    def run(assertion: str | None = None, authorities: str | None = authorities, **changes: Any) -> Verification:
        given = dataclasses.replace(wanted, **changes)
        try:
            seen = check(given, assertion=assertion, authorities=authorities)
            return dataclasses.replace(LOGGED_IN, address=seen.address, local_address=seen.local_address)
        except Refused as exc:
            error = login_error(given, exc)
            return Verification("failed", error.cause, str(error), None, exc.local_address)
        except OrgError as exc:
            assert (exc.cause == "unreachable") <= (
                isinstance(exc, LoginUnansweredError) or "Nothing was sent" in str(exc)
            )
            return Verification("failed", exc.cause, str(exc), exc.address, exc.local_address)

    return run


class TestSoap:
    """User name, password and token."""

    def test_it_gets_in_and_tells_the_address_that_salesforce_saw(self, attempt: Try) -> None:
        found = attempt(source_address="127.0.0.9")
        assert (found.cause, found.address, found.local_address) == ("ok", "127.0.0.9", "127.0.0.9")

    def test_it_is_one_login_at_64_whatever_the_version(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        attempt(api_version="67.0")
        (entry,) = simulated_org.control.requests("login")
        assert entry["path"] == "/services/Soap/u/64.0"

    @pytest.mark.parametrize("password", ["<&>\"'", "]]>", "pä ss\u2028", "&lt;"])
    def test_a_password_that_xml_would_spoil_arrives_as_it_is(
        self, simulated_org: SimulatedOrg, attempt: Try, password: str
    ) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, password=password)
        assert attempt(password=password).cause == "ok"

    @pytest.mark.parametrize(
        ("changes", "cause"),
        [
            ({"password": "CANARY-wrong"}, "invalid_credentials"),
            ({"security_token": None}, "token_required_here"),
        ],
    )
    def test_a_refusal_has_its_cause_and_holds_no_secret(
        self, simulated_org: SimulatedOrg, attempt: Try, changes: dict[str, Any], cause: str
    ) -> None:
        found = attempt(**changes)
        assert found.cause == cause
        assert "CANARY" not in str(found) and simulated_org.admin.password not in str(found)

    @pytest.mark.parametrize("faultcode", ["prefixed", "bare"])
    def test_both_forms_of_a_fault_are_read(self, simulated_org: SimulatedOrg, attempt: Try, faultcode: str) -> None:
        simulated_org.control.set_switches(faultcode=faultcode)
        simulated_org.control.set_profile("Admin", login_ip_ranges=["203.0.113.7"])
        assert attempt().cause == "ip_denied"

    def test_an_expired_password_is_told_though_a_session_came(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, password_expired=True)
        assert attempt().cause == "password_expired"

    def test_a_code_that_nobody_has_seen_is_named(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        simulated_org.control.inject("error", operation="login", code="BRAND_NEW", message="CANARY")
        found = attempt()
        assert found.cause == "invalid_credentials" and "BRAND_NEW" in found.detail and "CANARY" not in found.detail

    def test_an_address_that_the_user_may_not_read_is_left_out(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        simulated_org.control.inject("status", operation="query", status=403)
        found = attempt()
        assert (found.cause, found.address) == ("ok", None)


class TestApps:
    """The flows by an app, which the token endpoint answers."""

    @pytest.fixture(autouse=True)
    def app(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.add_app(
            KEY,
            consumer_secret="invented",
            certificate=key_pair()[1],
            run_as=simulated_org.admin.username,
            approved_users=[simulated_org.admin.username],
        )
        simulated_org.control.set_org(instance_url=simulated_org.url)

    def signed(self, wanted: Connection) -> str:
        claims = {"iss": KEY, "sub": wanted.username, "aud": wanted.login_url, "exp": int(time.time()) + 120}
        return assertion(claims)

    @pytest.mark.parametrize("auth", ["username_password", "client_credentials"])
    def test_secrets_of_the_app_get_in(self, attempt: Try, auth: str) -> None:
        found = attempt(auth=auth, consumer_key=KEY, consumer_secret="invented")
        assert (found.cause, found.address) == ("ok", "127.0.0.1")

    def test_an_assertion_gets_in_without_the_private_key(self, wanted: Connection, attempt: Try) -> None:
        found = attempt(auth="jwt_bearer", consumer_key=KEY, password=None, assertion=self.signed(wanted))
        assert (found.cause, found.address) == ("ok", "127.0.0.1")

    def test_an_app_that_is_not_approved_is_told(
        self, simulated_org: SimulatedOrg, wanted: Connection, attempt: Try
    ) -> None:
        simulated_org.control.set_app(KEY, approved_users=[])
        found = attempt(auth="jwt_bearer", consumer_key=KEY, assertion=self.signed(wanted))
        assert found.cause == "not_approved"

    @pytest.mark.parametrize(("pair", "late", "words"), [("other", 0, "upload"), ("app", 3600, "clock")])
    def test_what_is_wrong_with_an_assertion_is_told(
        self, simulated_org: SimulatedOrg, wanted: Connection, attempt: Try, pair: str, late: int, words: str
    ) -> None:
        if pair == "other":
            simulated_org.control.set_app(KEY, certificate=key_pair("other")[1])
        signed = self.signed(wanted)
        simulated_org.control.advance(late)
        assert words in attempt(auth="jwt_bearer", consumer_key=KEY, assertion=signed).detail

    def test_a_consumer_key_that_is_not_there_is_told(self, attempt: Try) -> None:
        found = attempt(auth="username_password", consumer_key="nobody", consumer_secret="invented")
        assert found.cause == "invalid_credentials" and "consumer key" in found.detail


class TestSession:
    """An open session is used, not opened."""

    def test_one_that_has_ended_is_told(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        found = attempt(auth="session", access_token="00D!invented", instance_url=simulated_org.url)
        assert found.cause == "invalid_credentials" and "session" in found.detail
        assert "login" not in simulated_org.control.counts()


class TestTheWay:
    """What may be met between the host and Salesforce."""

    def test_an_authority_that_is_not_known_is_told(self, attempt: Try, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        assert attempt(authorities=None).cause == "tls_untrusted"

    def test_authorities_that_are_none_are_the_option_s_fault(self, attempt: Try) -> None:
        with pytest.raises(OptionError, match="ca_path"):
            attempt(authorities="no certificate")

    def test_a_certificate_for_another_host_is_refused(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        found = attempt(login_url=simulated_org.url.replace("localhost", "127.0.0.2"))
        assert found.cause in ("tls_untrusted", "unreachable")
        assert simulated_org.control.counts() == {}

    def test_nobody_there_is_unreachable(self, attempt: Try) -> None:
        found = attempt(login_url=f"https://localhost:{free_port()}")
        assert found.cause == "unreachable" and "refused" in found.detail

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ({"kind": "reset"}, "cannot be reached"),
            ({"kind": "html", "status": 200}, "did not answer as Salesforce does"),
            ({"kind": "html", "status": 503}, "HTTP 503"),
            ({"kind": "huge"}, "more than 1 MiB"),
            ({"kind": "truncate"}, "did not finish its answer"),
            ({"kind": "redirect", "url": "https://evil.example/"}, "redirect"),
            ({"kind": "server_url", "url": "https://evil.example"}, "evil.example"),
        ],
    )
    def test_what_is_not_salesforce_s_answer_is_told_and_the_login_not_repeated(
        self, simulated_org: SimulatedOrg, attempt: Try, fault: dict[str, Any], words: str
    ) -> None:
        simulated_org.control.inject(operation="login", **fault)
        found = attempt()
        assert found.cause == "unreachable" and words in found.detail
        assert simulated_org.control.counts() == {"login": 1}

    def test_no_answer_in_time_is_given_up(self, simulated_org: SimulatedOrg, attempt: Try) -> None:
        simulated_org.control.inject("delay", operation="login", seconds=20)
        started = time.monotonic()
        assert attempt(timeout=0.3).cause == "unreachable"
        assert time.monotonic() - started < 3


@contextlib.contextmanager
def liar(certificates: Any, answer: Callable[[ssl.SSLSocket], object]) -> Iterator[str]:
    """A server that answers one request with whatever it likes; gives its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller, _address = server.accept()
                with context.wrap_socket(caller, server_side=True) as wrapped:
                    heard = b""
                    while not heard.partition(b"\r\n\r\n")[2]:
                        heard += wrapped.recv(65536)
                    answer(wrapped)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}"
    thread.join(5)


def http(body: bytes, *, kind: str = "text/xml", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "%s">]><a>%s</a>' % (b"x" * 1000, b"&b;" * 1000)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        BOMB.decode().encode("utf-16"),
        b"<a>" * 50_000,
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"",
        b"<loginResponse><result><sessionId/></result></loginResponse>",
        b"<loginResponse><result><sessionId>a\nb</sessionId></result></loginResponse>",
    ],
    ids=["entities", "utf-16", "depth", "no text", "no encoding", "empty", "no session", "no header"],
)
def test_a_hostile_answer_is_a_clear_error(simulated_org: SimulatedOrg, attempt: Try, body: bytes) -> None:
    started = time.monotonic()
    with liar(simulated_org.certificates, lambda caller: caller.sendall(http(body))) as url:
        found = attempt(login_url=url)
    assert found.cause == "unreachable" and "did not answer as Salesforce does" in found.detail
    assert time.monotonic() - started < 5


def test_an_instance_that_is_no_address_is_told(simulated_org: SimulatedOrg, attempt: Try) -> None:
    body = b"<result><sessionId>a</sessionId><serverUrl>https://[x/services</serverUrl></result>"
    with liar(simulated_org.certificates, lambda caller: caller.sendall(http(body))) as url:
        found = attempt(login_url=url)
    assert found.cause == "unreachable" and "instance_url: is not a valid URL" in found.detail


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[]", b"3", b"<html>", b"{}", b'{"access_token": "a\\nb"}', b'{"access_token": ""}']
)
def test_hostile_json_is_a_clear_error(simulated_org: SimulatedOrg, attempt: Try, body: bytes) -> None:
    with liar(simulated_org.certificates, lambda caller: caller.sendall(http(body, kind="application/json"))) as url:
        found = attempt(login_url=url, auth="username_password", consumer_key=KEY, consumer_secret="invented")
    assert found.cause == "unreachable" and "did not answer as Salesforce does" in found.detail


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_one_byte_after_the_other_does_not_hold_it_up(
    simulated_org: SimulatedOrg, attempt: Try, beginning: bytes
) -> None:
    def drip(caller: ssl.SSLSocket) -> None:
        caller.sendall(beginning)
        for _unused in range(400):
            caller.sendall(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    with liar(simulated_org.certificates, drip) as url:
        assert attempt(login_url=url, timeout=0.25).cause == "unreachable"
        assert time.monotonic() - started < 4


def test_what_runs_on_the_host_imports_nothing_but_python() -> None:
    """Whatever of the collection it imports, as the controller's libraries are not there."""
    package = "ansible_collections.gatehouse.salesforce.plugins.module_utils"
    code = f"""
import sys
class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('requests', 'simple_salesforce', 'cryptography', 'jwt', 'zeep', 'lxml', 'yaml'):
            raise ImportError(name)
sys.meta_path.insert(0, NotThere())
sys.path.insert(0, {str(COLLECTIONS)!r})
import {package}._gatehouse.backends.login_check
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
