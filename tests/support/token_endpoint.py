# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token endpoint, and the introspection by which a mail server asks about its tokens, on loopback.

It checks what RFC 6749 and RFC 7523 say to check, and revokes everything when a refresh token is used twice, as the
strictest providers do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.simulated_org import ca

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Refused(Exception):
    """An error of RFC 6749, section 5.2."""


@dataclasses.dataclass
class Client:
    """A client that is registered.

    Attributes:
        mailbox: whose tokens it gets.
        certificate: with which it signs.
    """

    mailbox: str
    secret: str | None = None
    refresh_token: str | None = None
    certificate: x509.Certificate | None = None


@dataclasses.dataclass
class TokenEndpoint:
    """The endpoint, what it knows and what it was asked.

    Attributes:
        url: where tokens are given, by https.
        introspection_url: where a mail server asks, by http on loopback.
        lifetime: of an access token, in seconds; None where it is not said.
        requests: the forms that were sent to it.
    """

    url: str = ""
    introspection_url: str = ""
    clients: dict[str, Client] = dataclasses.field(default_factory=dict)
    tokens: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
    lifetime: int | None = 3600
    rotates: bool = False
    requests: list[dict[str, str]] = dataclasses.field(default_factory=list)
    answer: tuple[int, bytes] | None = None

    def issue(self, mailbox: str) -> str:
        """Give an access token for a mailbox."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (mailbox, time.time() + (self.lifetime or 3600))
        return token

    def introspect(self, form: dict[str, str]) -> dict[str, Any]:
        """Say whose a token is (RFC 7662)."""
        mailbox, ends = self.tokens.get(form.get("token", ""), ("", 0.0))
        return {"active": True, "sub": mailbox, "exp": int(ends)} if time.time() < ends else {"active": False}

    def give(self, form: dict[str, str]) -> dict[str, Any]:
        """Answer a request for a token; raises Refused."""
        grant = form.get("grant_type", "")
        if grant == JWT_BEARER:
            claims = jwt.decode(form["assertion"], options={"verify_signature": False})
            client = self._client(str(claims["iss"]))
            self._verify(form["assertion"], client, "RS256")
            if claims["sub"] != client.mailbox:
                raise Refused("unauthorized_client")
            return self._answer(client)
        client = self._client(form.get("client_id", ""))
        self._authenticate(form, client)
        if grant == "refresh_token":
            if form["refresh_token"] != client.refresh_token:
                client.refresh_token = None  # it was used before, so somebody may have stolen it
                raise Refused("invalid_grant")
            replaced = {}
            if self.rotates:
                client.refresh_token = secrets.token_urlsafe(24)
                replaced["refresh_token"] = client.refresh_token
            return {**self._answer(client), **replaced}
        if grant == "client_credentials":
            return self._answer(client)
        raise Refused("unsupported_grant_type")

    def _client(self, client_id: str) -> Client:
        if client_id not in self.clients:
            raise Refused("invalid_client")
        return self.clients[client_id]

    def _authenticate(self, form: dict[str, str], client: Client) -> None:
        if client.certificate is not None:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise Refused("invalid_client")
            expected = jwt.utils.base64url_encode(client.certificate.fingerprint(hashes.SHA256())).decode()
            if jwt.get_unverified_header(form["client_assertion"]).get("x5t#S256") != expected:
                raise Refused("invalid_client")
            claims = self._verify(form["client_assertion"], client, "PS256")
            if not claims["sub"] == claims["iss"] == form["client_id"]:
                raise Refused("invalid_client")
        elif client.secret is not None and form.get("client_secret") != client.secret:
            raise Refused("invalid_client")

    def _verify(self, assertion: str, client: Client, algorithm: str) -> dict[str, Any]:
        if client.certificate is None:
            raise Refused("invalid_client")
        try:
            key: Any = client.certificate.public_key()
            return dict(jwt.decode(assertion, key, algorithms=[algorithm], audience=self.url))
        except jwt.PyJWTError:
            raise Refused("invalid_client") from None

    def _answer(self, client: Client) -> dict[str, Any]:
        lasts = {} if self.lifetime is None else {"expires_in": self.lifetime}
        return {"access_token": self.issue(client.mailbox), "token_type": "Bearer", **lasts}


@contextlib.contextmanager
def token_endpoint(certificates: ca.Certificates) -> Iterator[TokenEndpoint]:
    """Run an endpoint whose certificate is below this authority."""
    endpoint = TokenEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.server is plain:
                self._send(200, json.dumps(endpoint.introspect(form)).encode())
                return
            endpoint.requests.append(form)
            if endpoint.answer is not None:
                self._send(*endpoint.answer)
                return
            try:
                self._send(200, json.dumps(endpoint.give(form)).encode())
            except (Refused, KeyError) as exc:
                error = str(exc) if isinstance(exc, Refused) else "invalid_request"
                told = {"error": error, "error_description": f"AADSTS7000215: you sent {body}"}
                self._send(400, json.dumps(told).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    plain = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    secure = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    endpoint.url = f"https://localhost:{secure.server_port}/token"
    endpoint.introspection_url = f"http://127.0.0.1:{plain.server_port}/introspect"
    servers = (plain, secure)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield endpoint
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
