# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a key-value server, and to keep asking while it changes its leader."""

from __future__ import annotations

import dataclasses
import functools
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlsplit

from ..errors import GatehouseError, OptionError, StoreError
from ..text import HEADER_VALUE

if TYPE_CHECKING:
    from .options import StoreOptions

TOKEN_VARIABLES = ("VAULT_TOKEN", "BAO_TOKEN")
RETRY_SECONDS = 30.0  # more than a cluster takes to elect a leader
TIMEOUT = 10
# What a node answers that is sealed, or has lost its leader, or has not heard yet of what the leader told us. A
# redirect to the leader is one of these too: it is not followed, as it would carry the token to another address.
TRANSIENT = (307, 412, 429, 472, 473, 500, 502, 503, 504)
Answer = tuple[int, dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KvAddress:
    """Where a key-value engine is, and how to log in there. Secrets never show in its repr."""

    address: str
    mount: str
    path: str
    token: str | None = dataclasses.field(default=None, repr=False)
    role_id: str | None = None
    secret_id: str | None = dataclasses.field(default=None, repr=False)
    namespace: str | None = None
    ca_path: str | None = None

    @classmethod
    def of(cls, options: StoreOptions) -> KvAddress:
        """The server that the options of a store name; raises OptionError when they cannot be used."""
        address, mount, path = _parts(options.location)
        given = {name: getattr(options, name) for name in ("token", "role_id", "secret_id", "namespace", "ca_path")}
        if bool(given["role_id"]) != bool(given["secret_id"]):
            missing = "store_secret_id" if given["role_id"] else "store_role_id"
            raise OptionError(missing, "must be given too: an AppRole login takes both")
        if not given["token"] and not given["role_id"]:
            given["token"] = next(filter(None, map(os.environ.get, TOKEN_VARIABLES)), None)
            if not given["token"]:
                raise OptionError("store_token", "a server needs it, or store_role_id and store_secret_id")
        for name in ("token", "namespace"):  # of which an error of http.client would tell the whole
            if not HEADER_VALUE.fullmatch(given[name] or "none"):
                raise OptionError(f"store_{name}", "holds a blank or another character that no header may have")
        if given["ca_path"] and not Path(given["ca_path"]).expanduser().is_file():
            raise OptionError("store_ca_path", f"{given['ca_path']} is not a file")
        return cls(address=address, mount=mount, path=path, **given)

    @property
    def url(self) -> str:
        """The option C(store)."""
        return f"{self.address}/v1/{self.mount}/{self.path}"


def _parts(store: str) -> tuple[str, str, str]:
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
    return f"https://{host}:{port or 443}", segments[1], "/".join(segments[2:])


class KvClient:
    """A way to ask one server, logged in when first needed.

    To log in and to read takes no more than the standard library, as hvac takes longer to import than a lookup to run.
    """

    def __init__(self, server: KvAddress) -> None:
        self.server = server
        self.token = server.token or ""
        self._index = ""

    def another(self) -> KvClient:
        """Another way to the same server, for use by another thread; it shares the login."""
        if not self.token:
            self._log_in()
        other = KvClient(self.server)
        other.token, other._index = self.token, self._index
        return other

    def get(self, path: str) -> Answer:
        """Status and body of what is read at a path; raises StoreError when it cannot be had."""
        if "_client" in vars(self):  # its connection stays open, which counts when a thousand credentials are listed
            return self.ask(lambda _kv: self._client.adapter.get(f"v1/{path}"))
        return self._allowed(lambda: self._send(path))

    def ask(self, call: Callable[[Any], Any]) -> Answer:
        """Status and body of the answer to a call of hvac's C(kv.v2); raises StoreError when it cannot be had.

        A call may be carried out more than once.
        """
        return self._allowed(lambda: self._call(call))

    def refuse(self, problem: str) -> NoReturn:
        """Raise StoreError."""
        raise StoreError(f"{self.server.url}: {problem}")

    def _allowed(self, send: Callable[[], Answer]) -> Answer:
        if not self.token:
            self._log_in()
        status, body = self._persistently(send)
        if status == 403 and self.server.role_id:  # the token that AppRole gave has run out, perhaps
            self._log_in()
            status, body = self._persistently(send)
        if status == 403:
            self.refuse("permission denied: the token is not valid, or its policy does not allow this")
        return status, body

    def _log_in(self) -> None:
        self.token = ""
        login = {"role_id": self.server.role_id, "secret_id": self.server.secret_id}
        status, body = self._persistently(lambda: self._send("auth/approle/login", login))
        auth = body.get("auth")
        if status != 200 or not isinstance(auth, dict) or not auth.get("client_token"):
            self.refuse(f"the AppRole login was refused (status {status}); see store_role_id and store_secret_id")
        self.token = auth["client_token"]

    def _persistently(self, send: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + RETRY_SECONDS
        pause = 0.05
        while True:
            try:
                status, body = send()
                if status not in TRANSIENT:
                    return status, body
                problem = f"does not work at the moment (status {status})"
            except (OSError, http.client.HTTPException) as exc:  # the errors of requests are such, too
                if "CERTIFICATE_VERIFY_FAILED" in str(exc):
                    self.refuse("its certificate is not trusted; see store_ca_path")
                problem = "cannot be reached"
            if time.monotonic() >= deadline:
                self.refuse(f"{problem}; gave up after {RETRY_SECONDS:g} seconds")
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _send(self, path: str, content: dict[str, Any] | None = None) -> Answer:
        data = None if content is None else json.dumps(content).encode()
        given = {
            "X-Vault-Request": "true",
            "X-Vault-Token": self.token,
            "X-Vault-Namespace": self.server.namespace,
            "X-Vault-Index": self._index,
        }
        headers = {name: value for name, value in given.items() if value}
        request = urllib.request.Request(f"{self.server.address}/v1/{path}", data, headers)  # noqa: S310 - https only
        try:
            answer = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as exc:
            answer = exc
        with answer:
            self._remember(answer.headers)
            return answer.status, _parsed(answer.read())

    def _call(self, call: Callable[[Any], Any]) -> Answer:
        client = self._client
        client.token = self.token
        if self._index:
            client.session.headers["X-Vault-Index"] = self._index
        answer = call(client.secrets.kv.v2)
        self._remember(answer.headers)
        return answer.status_code, _parsed(answer.content)

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=self._ca_path)
        return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect())

    @functools.cached_property
    def _client(self) -> Any:
        try:
            import hvac
        except ImportError:
            raise GatehouseError(
                "the Python package hvac is needed to change a store on a server: pip install hvac"
            ) from None
        client = hvac.Client(
            self.server.address,
            token=self.token,  # with None, hvac would look for one by itself
            namespace=self.server.namespace,
            verify=self._ca_path or _authorities(),
            timeout=TIMEOUT,
            allow_redirects=False,
            strict_http=True,
            adapter=hvac.adapters.RawAdapter,
        )
        client.adapter.ignore_exceptions = True  # a status says more than an exception of hvac's
        return client

    @property
    def _ca_path(self) -> str | None:
        return str(Path(self.server.ca_path).expanduser()) if self.server.ca_path else None

    def _remember(self, headers: Mapping[str, str]) -> None:
        """Have whichever node answers next know at least what this one did: standby nodes answer reads themselves."""
        self._index = headers.get("X-Vault-Index") or self._index


def _authorities() -> str | bool:
    """Those of the system, which the standard library trusts; requests by itself has others."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow nothing."""


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
