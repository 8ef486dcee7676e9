# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for the key-value engine of OpenBao and HashiCorp Vault, which keeps asking while the leader changes.

It takes no more than the standard library, as hvac takes longer to import than a lookup to run.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import json
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

from ..authorities import environment_authorities
from ..deadline import call_within
from ..errors import OptionError, StoreError
from ..text import HEADER_VALUE
from .blobs import MAX_BYTES, parse_object
from .keys import expanded

if TYPE_CHECKING:
    from .options import StoreOptions
TOKEN_VARIABLES = ("VAULT_TOKEN", "BAO_TOKEN")
RETRY_SECONDS = 30.0  # more than a cluster takes to elect a leader
EXCHANGE_SECONDS = 10.0  # for one request with its whole answer
# What a node answers that is sealed, or has lost its leader, or has not heard yet of what the leader told us. A
# redirect to the leader is one of these too: it is not followed, as it would carry the token to another address.
TRANSIENT = (307, 412, 429, 472, 473, 500, 502, 503, 504)
Response = tuple[int, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class KvAddress:
    """Where a key-value engine is, and how to log in there. Secrets never show in its repr.

    Attributes:
        address: of the server, with its port.
        location: what follows C(/v1/), as the user wrote it.
        mount: where the engine is, as far as the location says; the server knows better.
        path: the place in the engine.
    """

    address: str
    location: str
    mount: str
    path: str
    token: str | None = field(default=None, repr=False)
    role_id: str | None = None
    secret_id: str | None = field(default=None, repr=False)
    namespace: str | None = None
    ca_path: str | None = None

    @classmethod
    def of(cls, options: StoreOptions) -> KvAddress:
        """Read the options of a store; raises OptionError when they cannot be used."""
        address, location = _parts(options.location)
        mount, path = _split(location)
        given = {name: getattr(options, name) for name in ("token", "role_id", "secret_id", "namespace", "ca_path")}
        if bool(given["role_id"]) != bool(given["secret_id"]):
            missing = "store_secret_id" if given["role_id"] else "store_role_id"
            raise OptionError(missing, "must be given too: an AppRole login takes both")
        if not given["token"] and not given["role_id"]:
            given["token"] = next(filter(None, map(os.environ.get, TOKEN_VARIABLES)), None)
            if not given["token"]:
                raise OptionError("store_token", "a server needs it, or store_role_id and store_secret_id")
        for name in ("token", "namespace"):  # of which an error of http.client would quote the whole
            if not HEADER_VALUE.fullmatch(given[name] or "none"):
                raise OptionError(f"store_{name}", "holds a blank or another character that no header may have")
        if given["ca_path"]:
            given["ca_path"] = str(expanded("store_ca_path", given["ca_path"]))
            if not Path(given["ca_path"]).is_file():
                raise OptionError("store_ca_path", f"{given['ca_path']} is not a file")
        return cls(address=address, location=location, mount=mount, path=path, **given)

    @property
    def url(self) -> str:
        """The option C(store)."""
        return f"{self.address}/v1/{self.location}"


def _parts(store: str) -> tuple[str, str]:
    try:
        parts = urlsplit(store)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise OptionError("store", "is not a valid URL") from None
    if parts.scheme != "https" or not host:
        raise OptionError("store", "must start with https:// so that no secret travels in the clear, or be a folder")
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    plain = not (parts.query or parts.fragment or parts.username is not None)
    if not plain or len(segments) < 3 or segments[0] != "v1" or ".." in segments:
        raise OptionError("store", "a server is named as https://HOST:PORT/v1/MOUNT/PATH")
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}:{port or 443}", "/".join(segments[1:])


def _split(location: str) -> tuple[str, str]:
    """Mount and path of C(MOUNT/PATH), or of C(MOUNT/data/PATH) as the server's API and its policies write it."""
    first, *segments = location.split("/")
    at = segments.index("data") + 1 if "data" in segments[:-1] else 1
    mount, path = [first, *segments][:at], "/".join([first, *segments][at:])
    if path == "data":
        raise OptionError("store", "names an engine without a path in it; add one, as in /data/salesforce")
    return "/".join(mount), path.removeprefix("data/")


class KvClient:
    """A client of one engine, logged in when first needed. Its connection stays open; a thread needs its own client."""

    def __init__(self, address: KvAddress) -> None:
        self.address = address
        self.token = address.token or ""
        self._mount, self._path = address.mount, address.path
        self._asked_for_mount = False
        self._index = ""
        self._connection: http.client.HTTPSConnection | None = None

    def clone(self) -> KvClient:
        """Return another client of the same engine for another thread; it shares the login."""
        if not self.token:
            self._log_in()
        other = KvClient(self.address)
        other.token, other._index = self.token, self._index
        other._mount, other._path, other._asked_for_mount = self._mount, self._path, self._asked_for_mount
        return other

    def call(
        self, method: str, operation: str, name: str, content: Mapping[str, Any] | None = None, *, query: str = ""
    ) -> Response:
        """Return status and body of one operation of the engine; raises StoreError when there is none.

        A call may be carried out more than once.

        Args:
            method: of HTTP.
            operation: C(data), C(metadata), C(delete) or C(destroy).
            name: below the store's path; empty for the path itself.
            content: what to send.
            query: what to append to the URL, with its question mark.
        """

        def send() -> Response:
            path = "/".join(part for part in (self._mount, operation, self._path, name) if part)
            return self._authorised(method, quote(path) + query, content)

        status, body = send()
        if status in (403, 404, 405) and self._find_engine():
            status, body = send()
        if status == 403:
            self.fail("permission denied: the token is not valid, or its policy does not allow this")
        return status, body

    def require_engine(self) -> None:
        """Raise StoreError unless this is an engine of version 2: one of version 1 takes anything as a secret."""
        self._find_engine()

    def fail(self, problem: str) -> NoReturn:
        """Raise StoreError that names the store."""
        raise StoreError(f"{self.address.url}: {problem}")

    def _find_engine(self) -> bool:
        """Ask the server once where its engine is mounted; return whether that is elsewhere than was supposed."""
        if self._asked_for_mount:
            return False
        self._asked_for_mount = True
        status, body = self._authorised("GET", quote(f"sys/internal/ui/mounts/{self.address.location}"))
        data = body.get("data")
        if status != 200 or not isinstance(data, dict):
            return False  # it may not say; the address is taken as it is
        mount, options = str(data.get("path", "")).strip("/"), data.get("options")
        version = options.get("version") if isinstance(options, dict) else None
        if data.get("type") not in ("kv", "generic") or version != "2":
            self.fail(
                f"is this a key-value engine of version 2? The server has type {data.get('type')!r}"
                f", version {version or '1'!r} at {mount!r}"
            )
        location = self.address.location
        if location == mount:
            raise OptionError("store", f"names the engine {mount!r} without a path in it; add one, as in /salesforce")
        if mount == self._mount or not location.startswith(f"{mount}/"):
            return False
        self._mount, self._path = mount, location.removeprefix(f"{mount}/").removeprefix("data/")
        return True

    def _authorised(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Response:
        if not self.token:
            self._log_in()
        status, body = self._with_retries(method, path, content)
        if status == 403 and self.address.role_id:  # the token that AppRole gave has run out, perhaps
            self._log_in()
            status, body = self._with_retries(method, path, content)
        return status, body

    def _log_in(self) -> None:
        self.token = ""
        login = {"role_id": self.address.role_id, "secret_id": self.address.secret_id}
        status, body = self._with_retries("POST", "auth/approle/login", login)
        auth = body.get("auth")
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if status != 200 or not isinstance(token, str) or not HEADER_VALUE.fullmatch(token):
            self.fail(f"the AppRole login was refused (status {status}); see store_role_id and store_secret_id")
        self.token = token

    def _with_retries(self, method: str, path: str, content: Mapping[str, Any] | None) -> Response:
        deadline = time.monotonic() + RETRY_SECONDS
        pause = 0.05
        while True:
            left = deadline - time.monotonic()
            try:
                status, body = self._exchange(method, path, content, min(EXCHANGE_SECONDS, left))
                if not _is_transient(status, body):
                    return status, body
                problem = f"does not work at the moment (status {status})"
            except ssl.SSLCertVerificationError as exc:
                self.fail(f"its certificate is not trusted ({exc.verify_message}); see store_ca_path")
            except TimeoutError:
                problem = "did not answer in time"
            except OSError:
                problem = "cannot be reached"
            except (http.client.HTTPException, ValueError):
                problem = "did not answer as HTTP wants it"
            if time.monotonic() + pause >= deadline:
                self.fail(f"{problem}{self._proxy_hint}; gave up after {RETRY_SECONDS:g} seconds")
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _exchange(self, method: str, path: str, content: Mapping[str, Any] | None, seconds: float) -> Response:
        """Send one request and read the whole answer. The connection is kept only when all of that went well."""
        connection, self._connection = self._connection or self._connect(), None
        try:
            status, headers, body = call_within(seconds, lambda: self._send(connection, method, path, content))
        except BaseException:
            _abort(connection)
            raise
        if len(body) > MAX_BYTES:
            _abort(connection)
            self.fail(f"answered with more than {MAX_BYTES >> 20} MiB")
        self._connection = connection
        # Whichever node answers next must know at least what this one did: standby nodes answer reads themselves.
        self._index = headers.get("X-Vault-Index") or self._index
        try:
            return status, parse_object(body)
        except ValueError:
            return status, {}

    def _send(
        self, connection: http.client.HTTPSConnection, method: str, path: str, content: Mapping[str, Any] | None
    ) -> tuple[int, Message, bytes]:
        given = {
            "X-Vault-Request": "true",
            "X-Vault-Token": self.token,
            "X-Vault-Namespace": self.address.namespace,
            "X-Vault-Index": self._index,
        }
        headers = {name: value for name, value in given.items() if value}
        connection.request(method, f"/v1/{path}", None if content is None else json.dumps(content).encode(), headers)
        response = connection.getresponse()
        return response.status, response.headers, _read(response)

    def _connect(self) -> http.client.HTTPSConnection:
        parts = urlsplit(self.address.address)
        host, port = parts.hostname or "", parts.port
        if not self._proxy:
            return http.client.HTTPSConnection(host, port, timeout=EXCHANGE_SECONDS, context=self._context)
        proxy = urlsplit(self._proxy)
        connection = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port or 80, timeout=EXCHANGE_SECONDS, context=self._context
        )
        login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
        authorization = {"Proxy-Authorization": f"Basic {base64.b64encode(login).decode()}"} if proxy.username else {}
        connection.set_tunnel(host, port, authorization)
        return connection

    @functools.cached_property
    def _proxy(self) -> str:
        """The proxy of the environment for this server; empty for none."""
        proxy = urllib.request.getproxies().get("https", "")
        if not proxy or urllib.request.proxy_bypass(urlsplit(self.address.address).hostname or ""):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"

    @property
    def _proxy_hint(self) -> str:
        return f" through the proxy {urlsplit(self._proxy).hostname}" if self._proxy else ""

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        variable, named = environment_authorities() or ("", None)
        file = self.address.ca_path or named
        try:
            context = ssl.create_default_context(cafile=file)
        except OSError:
            source = "" if self.address.ca_path else f"is not given, and {variable} names "
            raise OptionError("store_ca_path", f"{source}{file}, which holds no PEM certificates") from None
        context.hostname_checks_common_name = False  # no authority issues a certificate without alternative names
        return context


def _is_transient(status: int, body: Mapping[str, Any]) -> bool:
    return status in TRANSIENT or (status == 400 and "Upgrading from non-versioned" in str(body.get("errors")))


def _read(response: http.client.HTTPResponse) -> bytes:
    """Read the body, or more than MAX_BYTES of it; a negative chunk size would have read() take all that comes."""
    body, buffer = bytearray(), memoryview(bytearray(64 * 1024))
    while (count := response.readinto(buffer)) and len(body) <= MAX_BYTES:
        body += buffer[:count]
    if response.length and len(body) <= MAX_BYTES:
        raise http.client.IncompleteRead(b"")
    return bytes(body)


def _abort(connection: http.client.HTTPSConnection) -> None:
    """Close a connection, even one that a thread is still reading from."""
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
