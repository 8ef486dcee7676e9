# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key-value server that is slow, floods or lies: a StoreError that names it, in bounded time and memory."""

from __future__ import annotations

import datetime
import itertools
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store, client
from tests.simulated_org import ca
from tests.support.stores import open_store
from tests.unit.test_hostile_answers import Liar, Pieces, chunked, http
from tests.unit.test_stores import credential, delivery

MIB = 1024 * 1024
JSON = "application/json"
DEEP = b"[" * 20_000
LIMIT = 1.0  # seconds for a call with all its tries
Use = Callable[[Store], object]
USES: dict[str, Use] = {
    "read": lambda store: store.read("prod"),
    "read_public": lambda store: store.read_public("prod"),
    "names": lambda store: store.names(),
    "history": lambda store: store.history("prod"),
    "deliveries": lambda store: store.deliveries("prod"),
    "record_deliveries": lambda store: store.record_deliveries("prod", {"web1:/a": delivery()}),
    "write": lambda store: store.write(credential(), replaces=None),
    "purge": lambda store: store.purge(),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    """An authority and its server."""
    return ca.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(certificates: ca.Certificates) -> Iterator[Liar]:
    """A server that sends what a test wants."""
    liar = Liar(certificates)
    yield liar
    liar.close()


@pytest.fixture
def store(server: Liar, certificates: ca.Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store on that server, which is given up soon."""
    monkeypatch.setattr(client, "RETRY_SECONDS", LIMIT)
    monkeypatch.setattr(client, "EXCHANGE_SECONDS", LIMIT / 2)
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_bytes(Fernet.generate_key())
    server.requests = 0
    return open_store(
        f"{server.url}/v1/secret/salesforce",
        store_key_file=str(key),
        store_token="s.CANARY",
        store_ca_path=str(certificates.ca),
    )


def dripping(answer: bytes) -> Iterator[bytes]:
    """Never so slow that a socket would time out."""
    for number in itertools.count():
        yield answer[number : number + 1] or b"x"
        time.sleep(0.1)


def silence() -> Iterator[bytes]:
    """Say nothing for longer than anybody waits."""
    time.sleep(3 * LIMIT)
    yield b""


SLOW: dict[str, Callable[[], Pieces]] = {
    "status line": lambda: dripping(b"HTTP/1.1 2"),
    "header": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nX: "], dripping(b"")),
    "body": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], dripping(b'{"data": {')),
    "chunk": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"], dripping(b"")),
    "1xx without end": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": silence,
}


@pytest.mark.parametrize("use", ["read", "names", "write"])
@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_server_is_given_up_in_time(store: Store, server: Liar, slow: str, use: str) -> None:
    server.answer = SLOW[slow]
    started = time.monotonic()
    with pytest.raises(StoreError, match="did not answer in time|cannot be reached") as caught:
        USES[use](store)
    assert time.monotonic() - started < 3 * LIMIT
    assert server.url in str(caught.value)


def test_a_server_that_never_shakes_hands_is_given_up_in_time(store: Store, tmp_path: Path, server: Liar) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def accept() -> None:
        while True:
            peers.append(listener.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    silent = open_store(
        f"https://localhost:{listener.getsockname()[1]}/v1/secret/salesforce",
        store_key_file=str(tmp_path / "key"),
        store_token="s.CANARY",
    )
    started = time.monotonic()
    with pytest.raises(StoreError, match="did not answer in time"):
        silent.read("prod")
    assert time.monotonic() - started < 3 * LIMIT


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("declared", "answered with more than 8 MiB"),
        ("chunked", "answered with more than 8 MiB"),
        ("one chunk of less than nothing", "did not answer as HTTP wants it"),
    ],
)
def test_an_answer_of_600_mib_is_given_up_at_the_limit(store: Store, server: Liar, how: str, problem: str) -> None:
    sent: list[int] = []

    def flood() -> Iterator[bytes]:
        for _number in range(600):
            sent.append(1)
            yield b" " * MIB

    def answer() -> Pieces:
        if how == "chunked":
            return chunked(flood())
        size = f"Content-Length: {600 * MIB}" if how == "declared" else "Transfer-Encoding: chunked\r\n\r\n-1"
        return itertools.chain([f"HTTP/1.1 200 OK\r\n{size}\r\n\r\n".encode()], flood())

    server.answer = answer
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StoreError, match=problem):
        store.read("prod")
    assert len(sent) < 100
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MIB


def body(content: Any, status: str = "200 OK") -> list[bytes]:
    """An answer in JSON."""
    return http(content if isinstance(content, bytes) else json.dumps(content).encode(), JSON, status)


DATA: list[Any] = [[], "CANARY", 7, {}, {"keys": None}, {"keys": 3}, {"keys": {}}, {"data": {}}]
VERSIONS: list[Any] = [None, [], "CANARY", {"x": {}}, {"1": 7}, {"1": {}}]
METADATA: list[Any] = [None, [], {}, {"version": "1"}, "CANARY"]
ABSENT: list[Any] = ["CANARY", {}, {"metadata": 7}, {"metadata": {"version": []}}]
WHOLE: list[Any] = [DEEP, b'{"data":' * 20_000, b"\xff", b"", [], None, "CANARY", {}, {"data": None}]
UNKNOWN: list[Any] = [b"<html>CANARY</html>", {"errors": "CANARY"}, {"errors": [7]}]
ODD: list[list[bytes]] = [
    *(body(content) for content in WHOLE),
    *(body({"data": data}) for data in DATA),
    body({"data": {"keys": [None, 3, ["CANARY"], {}]}}),
    *(body({"data": {"versions": versions}}) for versions in VERSIONS),
    *(body({"data": {"data": {}, "metadata": metadata}}) for metadata in METADATA),
    body({"data": {"data": "CANARY", "metadata": {"version": 1}}}),
    body({"data": {"data": {"credential": DEEP.decode()}, "metadata": {"version": 1}, "versions": {}, "keys": []}}),
    *(body({"data": data}, "404 Not Found") for data in ABSENT),
    *(body(content, "404 Not Found") for content in UNKNOWN),
    *(body({"errors": ["CANARY"]}, status) for status in ("400 Bad", "403 Forbidden", "405 No", "418 Teapot", "299 x")),
    [b"CANARY\r\n\r\n"],
    [b"HTTP/9.9 CANARY\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"],
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}"],
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nCANARY\r\n"],
    [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"],
    [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n{}"],
    [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n{}"],
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_an_odd_answer_ends_in_a_store_error_without_its_content(
    store: Store, server: Liar, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.1)
    server.answer = lambda: ODD[number]
    for name, use in USES.items():
        try:
            result = use(store)
        except StoreError as exc:
            assert server.url in str(exc), name
            assert "CANARY" not in str(exc), name
        else:
            assert result in (None, [], {}), (name, result)


def test_no_answer_says_that_a_write_was_done_which_was_not(store: Store, server: Liar) -> None:
    server.answer = lambda: body({"data": {}}, "404 Not Found")
    with pytest.raises(StoreError):
        store.write(credential(), replaces=None)
    with pytest.raises(StoreError):
        store.record_deliveries("prod", {"web1:/a": delivery()})


def test_a_certificate_without_alternative_names_is_refused(store: Store, tmp_path: Path) -> None:
    """Its common name fits, which Python's own client would take."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = ca.Certificates(tmp_path / "server.pem", tmp_path / "server.pem", tmp_path / "server.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    unnamed = Liar(files)
    unnamed.answer = lambda: body({"errors": []}, "404 Not Found")
    options = {"store_key_file": str(tmp_path / "key"), "store_token": "s.CANARY", "store_ca_path": str(files.ca)}
    for use in USES.values():
        with pytest.raises(StoreError, match="its certificate is not trusted"):
            use(open_store(f"{unnamed.url}/v1/secret/salesforce", **options))
    assert unnamed.requests == 0
    unnamed.close()


def test_a_file_without_certificates_is_a_clear_error_at_once(store: Store, server: Liar, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("CANARY")
    other = open_store(
        f"{server.url}/v1/secret/salesforce",
        store_key_file=str(tmp_path / "key"),
        store_token="t",
        store_ca_path=str(empty),
    )
    with pytest.raises(OptionError, match="^store_ca_path: .*empty.pem, which holds no PEM certificates"):
        other.read("prod")
    assert server.requests == 0


def test_a_proxy_of_the_environment_tunnels_and_learns_no_secret(
    store: Store, server: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda: body({"data": {"keys": ["prod"]}})
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def tunnel() -> None:
        peer = listener.accept()[0]
        asked.append(peer.recv(65536))
        target = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def copy(one: socket.socket, other: socket.socket) -> None:
            while data := one.recv(65536):
                other.sendall(data)

        threading.Thread(target=copy, args=(target, peer), daemon=True).start()
        copy(peer, target)

    threading.Thread(target=tunnel, daemon=True).start()
    monkeypatch.setenv("https_proxy", f"http://user:pass%21@127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert store.names() == ["prod"]
    assert asked[0].startswith(b"CONNECT localhost:")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzIQ==" in asked[0]
    assert b"CANARY" not in asked[0]


def test_a_proxy_that_cannot_be_reached_is_named_without_its_password(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:CANARY@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(StoreError, match="cannot be reached through the proxy 127.0.0.1; gave up") as caught:
        store.names()
    assert "CANARY" not in str(caught.value)


def test_the_tls_of_the_client_is_strict(store: Store) -> None:
    context = store._records._client._context  # type: ignore[attr-defined]
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert not context.hostname_checks_common_name
