# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies, authorities of a company, certificates and addresses: the same from the controller and from a host."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.protocol import Refused
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.refusals import login_error
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    LoginUnansweredError,
    OptionError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host import login_probe
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org import login as org_login
from tests.simulated_org import SimulatedOrg, ca
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.support.processes import free_port

__all__ = ["simulated_org", "simulated_org_server"]

LogIn = Callable[[Connection], Any]


def from_controller(connection: Connection) -> Any:
    return org_login.login(connection)


def from_host(connection: Connection) -> Any:
    authorities = Path(connection.ca_path).read_text() if connection.ca_path else None
    return login_probe.check(connection, authorities=authorities)


both = pytest.mark.parametrize("log_in", [from_controller, from_host])


@pytest.fixture(autouse=True)
def no_environment(simulated_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connection(simulated_org: SimulatedOrg) -> Connection:
    return connection_to(simulated_org, simulated_org.url)


def connection_to(sim: SimulatedOrg, url: str, **changes: Any) -> Connection:
    admin = sim.admin
    given: dict[str, Any] = {
        "login_url": url,
        "username": admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
        "allowed_hosts": ("localhost", "::1"),
        "ca_path": str(sim.ca_path),
        "timeout": 5.0,
    }
    return Connection(**{**given, **changes})


class Proxy:
    """An HTTP proxy that opens tunnels, or answers with a status in place of it."""

    def __init__(self, *, status: str = "200 Connection established", tls: ssl.SSLContext | None = None) -> None:
        self.status, self.tls = status, tls
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += peer.recv(65536)
            self.asked.append(heard.decode())
            peer.sendall(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
            if not self.status.startswith("200"):
                return
            if self.tls:
                self.tls.wrap_socket(peer, server_side=True)  # somebody in the middle, who is not trusted
                return
            host, _colon, port = heard.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as org:
                threading.Thread(target=self._pipe, args=(org, peer), daemon=True).start()
                self._pipe(peer, org)

    @staticmethod
    def _pipe(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Proxy]]:
    """Start a proxy, and have the environment name it, with a user and password."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> Proxy:
            proxy = Proxy(**options)
            stack.callback(proxy.close)
            monkeypatch.setenv("https_proxy", f"http://me:CANARY@{proxy.address}")
            return proxy

        yield start


class TestProxies:
    """Named in errors without the password; and what is said of the login is true."""

    @both
    def test_a_login_goes_through_it(
        self, simulated_org: SimulatedOrg, connection: Connection, log_in: LogIn, through: Callable[..., Proxy]
    ) -> None:
        proxy = through()
        assert log_in(connection)
        assert proxy.asked[0].startswith("CONNECT localhost:")
        assert simulated_org.control.counts()["login"] == 1

    @both
    def test_one_that_refuses_is_named_and_no_login_was_counted(
        self, simulated_org: SimulatedOrg, connection: Connection, log_in: LogIn, through: Callable[..., Proxy]
    ) -> None:
        proxy = through(status="407 Proxy Authentication Required")
        problem = self.problem(connection, log_in)
        assert (
            f"localhost (by the proxy {proxy.address}) cannot be reached: the proxy answered with HTTP 407" in problem
        )
        assert simulated_org.control.counts() == {}

    @both
    def test_one_that_is_not_there(
        self, connection: Connection, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = f"127.0.0.1:{free_port()}"
        monkeypatch.setenv("https_proxy", f"http://me:CANARY@{address}/")
        assert f"(by the proxy {address}) cannot be reached" in self.problem(connection, log_in)

    @both
    def test_one_that_opens_tls_itself_is_not_trusted(
        self, connection: Connection, log_in: LogIn, through: Callable[..., Proxy], tmp_path: Path
    ) -> None:
        other = ca.create(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(other.certificate, other.key)
        proxy = through(tls=context)
        problem = self.problem(connection, log_in)
        assert f"TLS with localhost (by the proxy {proxy.address}) failed" in problem and "ca_path" in problem

    @both
    def test_a_host_that_is_to_be_reached_directly_is(
        self, connection: Connection, log_in: LogIn, through: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = through(status="407 No")
        monkeypatch.setenv("no_proxy", "localhost")
        assert log_in(connection) and not proxy.asked

    @staticmethod
    def problem(connection: Connection, log_in: LogIn) -> str:
        """Return the error of a login that was not sent."""
        with pytest.raises(OrgError) as caught:
            log_in(connection)
        assert not isinstance(caught.value, (LoginError, LoginUnansweredError))
        assert "Nothing was sent, and no login was counted" in str(caught.value)
        assert "CANARY" not in str(caught.value)
        return str(caught.value)


class TestAuthorities:
    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_those_of_the_environment_count_where_ca_path_is_not_given(
        self, simulated_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        connection = connection_to(simulated_org, simulated_org.url, ca_path=None)
        with pytest.raises(OrgError) as caught:
            from_controller(connection)
        assert caught.value.cause == "tls_untrusted"
        monkeypatch.setenv(variable, str(simulated_org.ca_path))
        assert from_controller(connection)

    def test_a_file_that_is_not_there_is_named_with_its_variable(
        self, simulated_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/company.pem")
        with pytest.raises(OptionError, match="ca_path: .*REQUESTS_CA_BUNDLE names /nonexistent/company.pem"):
            from_controller(connection_to(simulated_org, simulated_org.url, ca_path=None))

    @both
    def test_a_certificate_with_a_common_name_only_is_refused(
        self, simulated_org: SimulatedOrg, tmp_path: Path, log_in: LogIn
    ) -> None:
        certificate, key = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        heard: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve() -> None:
                with contextlib.suppress(OSError):
                    peer = listener.accept()[0]
                    with context.wrap_socket(peer, server_side=True) as tls:
                        heard.append(tls.recv(65536))

            threading.Thread(target=serve, daemon=True).start()
            url = f"https://localhost:{listener.getsockname()[1]}"
            with pytest.raises(OrgError) as caught:
                log_in(connection_to(simulated_org, url, ca_path=str(certificate)))
        assert caught.value.cause == "tls_untrusted"
        assert not any(heard), "nothing was sent"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost without alternative names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key_file


@both
def test_an_ipv6_address_can_be_the_login_url(tmp_path: Path, log_in: LogIn) -> None:
    with SimulatedOrg(folder=tmp_path, addresses=("::1",)) as sim:
        assert "[::1]" in sim.url
        assert log_in(connection_to(sim, sim.url))


@both
def test_the_session_stays_with_the_host_that_the_answer_names(
    simulated_org: SimulatedOrg, connection: Connection, log_in: LogIn
) -> None:
    """simple-salesforce cuts "-api" out of it, and what is left may be somebody else's org."""
    simulated_org.control.set_org(instance_url="https://acme-api.my.salesforce.com")
    if log_in is from_controller:
        assert log_in(connection).instance_url == "https://acme-api.my.salesforce.com"
    simulated_org.control.set_org(instance_url="https://acme-api.evil.example")
    with pytest.raises(OrgError, match="leads elsewhere.*acme-api.evil.example"):
        log_in(connection)


@both
@pytest.mark.parametrize(
    "url", ["https://evil.example;x.salesforce.com", "https://a..salesforce.com", "https://\u0661.salesforce.com", "x"]
)
def test_a_host_in_the_answer_that_is_none_gets_no_session(
    simulated_org: SimulatedOrg, connection: Connection, log_in: LogIn, url: str
) -> None:
    simulated_org.control.inject("server_url", operation="login", url=url)
    with pytest.raises(LoginUnansweredError, match="leads elsewhere"):
        log_in(connection)


@both
def test_chunks_of_a_negative_size_are_no_answer(simulated_org: SimulatedOrg, tmp_path: Path, log_in: LogIn) -> None:
    files = simulated_org.certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nCANARY\r\n")

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with pytest.raises(LoginUnansweredError) as caught:
            log_in(connection_to(simulated_org, url, timeout=1.0))
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://login.salesforce.com", True),
        ("https://LOGIN.salesforce.com/", True),
        ("https://test.salesforce.com", False),
        ("https://acme.my.salesforce.com", False),
    ],
)
def test_a_refusal_at_the_login_host_names_the_one_for_sandboxes(url: str, hint: bool) -> None:
    given = Connection(username="me@acme.example.uat", password="x", login_url=url)
    problem = str(login_error(given, Refused("INVALID_LOGIN")))
    assert ("https://test.salesforce.com (login_url)" in problem) == hint
