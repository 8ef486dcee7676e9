# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTPS service on loopback that stands for one that does not run here."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.simulated_org.ca import Certificates


@dataclass(frozen=True)
class Request:
    """A request as a service sees it; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """A status, a body that becomes JSON, and headers."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """What answers, and what it was asked. A subclass has C(answer).

    Attributes:
        url: its address, once it runs.
        down: whether it closes each connection without an answer.
    """

    def __init__(self) -> None:
        self.url = ""
        self.down = False
        self.requests: list[str] = []

    def answer(self, request: Request) -> Answer:
        """Answer a request; called by one thread at a time."""
        raise NotImplementedError

    def asked(self) -> list[str]:
        """The requests since the last call."""
        asked, self.requests = self.requests, []
        return asked


def _read_form(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


@contextlib.contextmanager
def serve(service: Service, certificates: Certificates) -> Iterator[None]:
    """Run a service whose certificate is below this authority."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if service.down:
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                form = headers.get("content-type") == "application/x-www-form-urlencoded"
                read = _read_form if form else json.loads
                request = Request(
                    self.command, parts.path, _read_form(parts.query), headers, read(body.decode()) if body else None
                )
                service.requests.append(str(request))
                answer = service.answer(request)
            encoded = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"https://localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def proxy(services: Mapping[str, Service]) -> Iterator[str]:
    """Run an HTTP proxy through which a host is one of these services; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            service = services.get(self.path.removesuffix(":443"))
            if service is None:
                self.send_error(403)
                return
            with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
                back.start()
                _copy(self.connection, there)
                back.join()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
