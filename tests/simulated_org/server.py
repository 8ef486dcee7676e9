# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners: cheroot in front of the services, and the wire tricks that faults need."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import Gateway, HTTPConnection, HTTPServer
from cheroot.ssl import Adapter

from .ca import Certificates
from .http import Request, Response

LOG = logging.getLogger("simulated_org")
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 500: "Server Error"}

Handle = Callable[[Request], Response]


class TlsAdapter(Adapter):
    """TLS whose handshake happens in the worker, so that one slow caller does not hold up the others."""

    def __init__(self, certificates: Certificates) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.certificate, certificates.key)

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        return self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), {}

    def get_environ(self) -> dict[str, str]:
        return {}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return MakeFile(sock, mode, bufsize)


class Connection(HTTPConnection):
    """A connection that lets go of what a caller who has left did not fetch."""

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError, ValueError):
            self.wfile.close()


class Listener(HTTPServer):
    """One address; the port is chosen by the system unless given."""

    ConnectionClass = Connection

    def __init__(
        self, address: str, port: int, handle: Handle, *, threads: int, certificates: Certificates | None = None
    ) -> None:
        super().__init__((address, port), ServiceGateway, minthreads=threads, maxthreads=threads, server_name="sim")
        self.handle = handle
        self.ssl_adapter = TlsAdapter(certificates) if certificates else None
        self.shutdown_timeout = 1
        # Idle connections are looked at this often; stopping waits for it.
        self.expiration_interval = 0.05
        self.request_queue_size = 128
        self.keep_alive_conn_limit = 1000
        self.timeout = 30
        self.max_request_body_size = 64 * 1024 * 1024
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"listener-{address}", daemon=True)

    def begin(self) -> None:
        self.prepare()
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self.serve()

    def end(self) -> None:
        self.stopping.set()
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    @property
    def port(self) -> int:
        return int(self.bind_addr[1])

    @property
    def url(self) -> str:
        """The base URL: `localhost` for the usual address, others as they are."""
        host = {"127.0.0.1": "localhost"}.get(self.bind_addr[0], self.bind_addr[0])
        scheme = "https" if self.ssl_adapter else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        LOG.log(level, "%s", msg, exc_info=traceback)


class ServiceGateway(Gateway):
    """Turns cheroot's request into ours, and our answer into bytes."""

    def respond(self) -> None:
        response = self.req.server.handle(self._request())
        if response.delay:
            # Stopping the server ends the wait.
            self.req.server.stopping.wait(response.delay)
        if response.reset:
            self._reset()
            return
        self._write(response)

    def _request(self) -> Request:
        req = self.req
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in req.inheaders.items()}
        body = req.rfile.read() if "content-length" in headers or "transfer-encoding" in headers else b""
        host = headers.get("host")
        listener = req.server.url
        return Request(
            method=req.method.decode(),
            path=req.path.decode("latin-1"),
            query=req.qs.decode("latin-1"),
            headers=headers,
            body=body,
            peer=req.conn.remote_addr,
            base_url=f"{listener.partition('://')[0]}://{host}" if host else listener,
        )

    def _write(self, response: Response) -> None:
        req = self.req
        req.status = f"{response.status} {REASONS.get(response.status, 'Status')}".encode()
        req.outheaders = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
        if response.content_type:
            req.outheaders.append((b"Content-Type", response.content_type.encode()))
        if response.status != 204:
            req.outheaders.append((b"Content-Length", str(len(response.body)).encode()))
        body = response.body
        if response.truncate_to is not None:
            body = body[: response.truncate_to]
            req.close_connection = True
        req.ensure_headers_sent()
        if body and req.method != b"HEAD":
            req.write(body)

    def _reset(self) -> None:
        """Close with RST. Another socket takes over the descriptor, so that cheroot has something to close in order."""
        req = self.req
        linger_not_at_all = struct.pack("ii", 1, 0)
        req.conn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not_at_all)
        stand_in, other = socket.socketpair()
        with stand_in, other:
            os.dup2(stand_in.fileno(), req.conn.socket.fileno())
        req.close_connection = True
        req.sent_headers = True
