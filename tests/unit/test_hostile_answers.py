# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever answers in Salesforce's place: a clear error, in bounded time and memory, without what it said.

A proxy, a captive portal, or a liar: a bare TLS server sends the bytes of each case to every kind of request.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import LoginError, OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org import rest, retry, transport
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import SessionCache
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import CONNECTION
from tests.simulated_org import ca
from tests.unit.simulator.apps import key_pair

MIB = 1024 * 1024
XML, JSON, HTML = "text/xml; charset=UTF-8", "application/json", "text/html"
TIMEOUT = 1.0
SHORT = 0.2  # where nothing but the timeout ends an exchange

Pieces = Iterable[bytes]


def http(body: bytes, kind: str | None = XML, status: str = "200 OK", **headers: str) -> list[bytes]:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "", ""]).encode(), body]


def chunked(pieces: Pieces, kind: str = XML, **headers: str) -> Iterator[bytes]:
    """An answer whose end is not told."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Transfer-Encoding: chunked"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    yield "\r\n".join([*lines, "", ""]).encode()
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


def silence() -> Iterator[bytes]:
    time.sleep(3 * SHORT)
    yield b"CANARY"


def slowly(pieces: Pieces) -> Iterator[bytes]:
    """Never so slow that a socket would time out."""
    for piece in pieces:
        yield piece
        time.sleep(SHORT / 4)


class Liar:
    """A TLS server that sends the same bytes to whoever asks anything."""

    def __init__(self, certificates: ca.Certificates) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.certificate, certificates.key)
        self.answer: Callable[[], Pieces] = lambda: ()
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self.closing = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.closing:
            with contextlib.suppress(OSError):
                peer = self._listener.accept()[0]
                threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), peer:
            peer.settimeout(30)
            with self.context.wrap_socket(peer, server_side=True) as tls:
                self._read_request(tls)
                self.requests += 1
                for piece in self.answer():
                    if self.closing:
                        return
                    tls.sendall(piece)

    @staticmethod
    def _read_request(tls: ssl.SSLSocket) -> None:
        """All of it, as a connection that is closed with something unread is reset."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += tls.recv(65536)
        head, _unused, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += tls.recv(65536)

    def close(self) -> None:
        self.closing = True
        self._listener.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    return ca.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(certificates: ca.Certificates) -> Iterator[Liar]:
    server = Liar(certificates)
    yield server
    server.close()


@pytest.fixture
def liar(server: Liar, monkeypatch: pytest.MonkeyPatch) -> Liar:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", (0.01, 0.01))
    server.requests = 0
    return server


def connection(liar: Liar, certificates: ca.Certificates, **changes: Any) -> Connection:
    given: dict[str, Any] = {
        "login_url": liar.url,
        "username": "int@example.com",
        "password": "Canary-Password-1",
        "security_token": "CanaryToken",
        "consumer_key": "key",
        "consumer_secret": "Canary-App-Secret",
        "private_key": key_pair()[0],
        "access_token": "00DCanary!session",
        "instance_url": liar.url,
        "ca_path": str(certificates.ca),
        "allowed_hosts": ("localhost",),
        "timeout": TIMEOUT,
    }
    return Connection(**{**given, **changes})


class Asking:
    """Every kind of request that there is."""

    KINDS = ("security_token", "jwt_bearer", "metadata", "query", "check")

    def __init__(self, liar: Liar, certificates: ca.Certificates, folder: Path) -> None:
        self.timeout = TIMEOUT
        self._liar, self._certificates = liar, certificates
        self._cache = SessionCache(folder / "sessions", Fernet(Fernet.generate_key()), LoginAttempts(folder, None))

    def _connection(self, auth: str) -> Connection:
        return connection(self._liar, self._certificates, auth=auth, timeout=self.timeout)

    def __call__(self, kind: str) -> object:
        if kind in ("security_token", "jwt_bearer"):
            return login(self._connection(kind))
        org = Org(self._connection("session"), self._cache)
        if kind == "metadata":
            return org.metadata(lambda api: api.read_trusted_ranges())
        return org.query("SELECT Id FROM User") if kind == "query" else org.session()


@pytest.fixture
def ask(liar: Liar, certificates: ca.Certificates, tmp_path: Path) -> Asking:
    return Asking(liar, certificates, tmp_path)


def billion_laughs() -> bytes:
    entities = "".join(f'<!ENTITY x{number} "{f"&x{number - 1};" * 10}">' for number in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x0 "CANARY">{entities}]><a>&x11;</a>'.encode()


EXTERNAL = b'<?xml version="1.0"?><!doctype a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>CANARY&x;</a>'
PORTAL = b"<!DOCTYPE html><html><body>CANARY: accept our terms</body></html>"
BOMB = gzip.compress(b"<a>" + b" " * (100 * MIB), 9)
BOMB_TWICE = gzip.compress(gzip.compress(b" " * (400 * MIB), 9), 9)

CASES: dict[str, Callable[[], Pieces]] = {
    "portal": lambda: http(PORTAL, HTML),
    "portal-as-xml": lambda: http(PORTAL, XML),
    "portal-as-json": lambda: http(PORTAL, JSON),
    "portal-of-no-type": lambda: http(PORTAL, None),
    "entities": lambda: http(billion_laughs(), XML),
    "entities-as-html": lambda: http(billion_laughs(), HTML),
    "entities-as-plain-text": lambda: http(billion_laughs(), "text/plain"),
    "entities-as-a-fault": lambda: http(billion_laughs(), XML, "500 Server Error"),
    "entities-in-utf-16": lambda: http(billion_laughs().decode().encode("utf-16"), XML),
    "external-entity": lambda: http(EXTERNAL, XML),
    "empty": lambda: http(b""),
    "wrong-encoding": lambda: http(b'<?xml version="1.0" encoding="utf-8"?><a>CANARY \xff\xfe</a>'),
    "wrong-encoding-as-json": lambda: http(b'{"error": "CANARY \xff\xfe\x80"}' * 40_000, JSON, "400 Bad Request"),
    "unknown-encoding": lambda: http(b'<?xml version="1.0" encoding="x-canary"?><a>CANARY</a>'),
    "nested-xml": lambda: http(b"<a>" * 1_000_000),
    "nested-and-closed-xml": lambda: http(b"<a>" * 500_000 + b"</a>" * 500_000),
    "nested-json": lambda: http(b"[" * 4_000_000, JSON),
    "nested-json-as-an-error": lambda: http(b'{"error":' * 10_000, JSON, "400 Bad Request"),
    "many-elements": lambda: http(b"<a>" + b"<b/>" * 1_900_000 + b"</a>"),
    "100-mib": lambda: [http(b"")[0].replace(b": 0", b": 104857600"), *itertools.repeat(b" " * MIB, 100)],
    "without-end": lambda: chunked(itertools.repeat(b"CANARY" * 10_000)),
    "compressed-100-mib": lambda: http(BOMB, XML, Content_Encoding="gzip"),
    "compressed-twice": lambda: http(BOMB_TWICE, XML, Content_Encoding="gzip, gzip"),
    "compressed-badly": lambda: http(b"CANARY", XML, Content_Encoding="gzip"),
    "cut-short": lambda: [http(b"")[0].replace(b": 0", b": 4000"), b"<a>CANARY"],
    "no-http": lambda: [b"CANARY\r\n" * 100],
    "endless-header": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], itertools.repeat(b"CANARY" * 1000, 10_000)),
    "endless-headers": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X: CANARY\r\n", 100_000)),
    "bad-chunks": lambda: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nCANARY\r\n"],
    "redirect": lambda: http(b"", HTML, "302 Found", Location="https://evil.example/CANARY"),
}
SLOW_CASES: dict[str, Callable[[], Pieces]] = {
    "dripping-head": lambda: slowly(itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X"))),
    "dripping-body": lambda: slowly([http(b"x")[0].replace(b": 1", b": 1000"), *[b"x"] * 999]),
    "dripping-chunks": lambda: slowly(chunked(itertools.repeat(b" "))),
    "silence": silence,
}


@pytest.mark.parametrize("kind", Asking.KINDS)
@pytest.mark.parametrize("case", CASES)
def test_hostile_responses_give_a_clear_error_without_their_content(
    liar: Liar, ask: Asking, case: str, kind: str
) -> None:
    liar.answer = CASES[case]
    expect_a_clear_error(ask, kind)


@pytest.mark.parametrize("kind", Asking.KINDS)
@pytest.mark.parametrize("case", SLOW_CASES)
def test_slow_responses_give_the_same_error_in_bounded_time(liar: Liar, ask: Asking, case: str, kind: str) -> None:
    liar.answer = SLOW_CASES[case]
    ask.timeout = SHORT
    started = time.monotonic()
    expect_a_clear_error(ask, kind)
    # Twice the timeout for tries, and one last that may take four times.
    assert time.monotonic() - started < (2 + transport.TOTAL_TIMEOUT_FACTOR) * SHORT + 4


def expect_a_clear_error(ask: Asking, kind: str) -> None:
    with pytest.raises(OrgError) as caught:
        ask(kind)
    assert not isinstance(caught.value, LoginError)
    assert caught.value.cause == "unreachable"
    text = str(caught.value)
    assert text.startswith(("localhost ", "the org ")), text
    assert "canary" not in text.lower()


def test_a_hundred_megabytes_are_not_held_in_memory(liar: Liar, ask: Asking) -> None:
    liar.answer = CASES["100-mib"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OrgError, match="more than"):
        ask("metadata")
    # The server is in this process, too, but keeps but one of them.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b'"CANARY"',
        b"[1]",
        b'{"records": [1], "done": true}',
        b'{"records": {"a": 1}, "done": true}',
        b'{"records": [], "done": false}',
        b'{"records": [], "done": false, "nextRecordsUrl": "/services/data/v64.0/query/again"}',
        b'{"records": [{}], "done": false, "nextRecordsUrl": "@evil.example/CANARY"}',
        b'{"records": [{}], "done": false, "nextRecordsUrl": 7}',
        b'{"records": [' + b"[" * 100_000,
    ],
)
def test_a_query_that_is_answered_by_something_else(liar: Liar, ask: Asking, body: bytes) -> None:
    liar.answer = lambda: http(body, JSON)
    with pytest.raises(OrgError) as caught:
        ask("query")
    assert "CANARY" not in str(caught.value)


def test_a_query_without_end_ends(liar: Liar, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(rest, "MAX_QUERY_SECONDS", 0.5)
    body = b'{"records": [{"Id": "1"}], "done": false, "nextRecordsUrl": "/services/data/v64.0/query/again"}'
    liar.answer = lambda: http(body, JSON)
    with pytest.raises(OrgError, match="does not come to the end"):
        ask("query")


@pytest.mark.parametrize(
    "date",
    ["", "CANARY", "Mon, 01 Jan 0001 00:00:00 -0000", "Fri, 99 Zed 2026 99:99:99 GMT", "Tue, 24 Nov 2026 21:00:00"],
)
def test_a_date_that_is_none_does_not_matter(liar: Liar, ask: Asking, date: str) -> None:
    namespace = "http://soap.sforce.com/2006/04/metadata"
    body = (
        f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><readMetadataResponse '
        f'xmlns="{namespace}"><result><records><fullName>Security</fullName><networkAccess/></records></result>'
        "</readMetadataResponse></e:Body></e:Envelope>"
    )
    liar.answer = lambda: http(body.encode(), XML, Date=date)
    found: Any = ask("metadata")
    assert found.read_at.tzinfo is not None


class TestTls:
    """Verified always; nothing is said to somebody who cannot prove who it is."""

    @pytest.mark.parametrize("kind", Asking.KINDS)
    def test_another_authority(self, liar: Liar, tmp_path: Path, kind: str) -> None:
        other = ca.create(tmp_path / "other")
        with pytest.raises(OrgError, match="TLS with localhost failed") as caught:
            Asking(liar, other, tmp_path)(kind)
        assert caught.value.cause == "tls_untrusted"
        assert liar.requests == 0

    def test_another_name(self, liar: Liar, certificates: ca.Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("localhost", *rest, **more))
        elsewhere = liar.url.replace("localhost", "other.example")
        with pytest.raises(OrgError) as caught:
            login(
                connection(liar, certificates, login_url=elsewhere, instance_url=None, allowed_hosts=("other.example",))
            )
        assert caught.value.cause == "tls_untrusted"
        assert liar.requests == 0

    def test_the_environment_cannot_loosen_it(
        self, liar: Liar, certificates: ca.Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = ca.create(tmp_path / "other")
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(certificates.ca))
        monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
        with pytest.raises(OrgError) as caught:
            login(connection(liar, other))
        assert caught.value.cause == "tls_untrusted"

    def test_plain_text_where_tls_should_be(self, certificates: ca.Certificates) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(
                target=lambda: listener.accept()[0].sendall(b"HTTP/1.0 200 OK\r\n\r\n"), daemon=True
            ).start()
            url = f"https://localhost:{listener.getsockname()[1]}"
            given: dict[str, Any] = {"login_url": url, "allowed_hosts": ("localhost",), "ca_path": str(certificates.ca)}
            with pytest.raises(OrgError):
                login(Connection(username="u", password="Canary-1", timeout=TIMEOUT, **given))

    def test_no_option_turns_it_off(self) -> None:

        assert not [name for name in CONNECTION if "verify" in name or "validate" in name or "insecure" in name]
