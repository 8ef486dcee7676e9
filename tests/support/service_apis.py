# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small servers that answer as GitHub, GitLab and AWX do, and refuse what their documentation excludes."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "Canary-Api-Token-0001"
Answer = tuple[int, Any]


class Api:
    """What a server keeps, by name, and what it was asked.

    Attributes:
        down: whether it answers nothing but 503.
        restarted: what it was asked to run.
    """

    header: ClassVar[tuple[str, str]] = ("Authorization", f"Bearer {TOKEN}")

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.restarted: list[str] = []
        self.down = False
        self.count = itertools.count(1)
        self.url = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """Answer a request with a status and JSON."""
        raise NotImplementedError

    def value(self, name: str) -> Any:
        """What is kept under a name; None when nothing is."""
        return self.kept[name]["value"] if name in self.kept else None


class GitHub(Api):
    """Secrets of the actions of the repository acme/billing, and its workflows."""

    def __init__(self) -> None:
        from nacl.public import PrivateKey  # type: ignore[import-not-found, unused-ignore]

        super().__init__()
        self.key = PrivateKey.generate()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """Open the sealed box, which must be for the key that was handed out."""
        from nacl.exceptions import CryptoError  # type: ignore[import-not-found, unused-ignore]
        from nacl.public import SealedBox  # type: ignore[import-not-found, unused-ignore]

        match = re.fullmatch(r"/repos/acme/billing/actions/(secrets|workflows)/([^/]+)(/dispatches)?", path)
        if not match:
            return 404, {"message": "Not Found"}
        kind, name, dispatch = match.groups()
        if kind == "workflows":
            if not dispatch or method != "POST" or not body.get("ref"):
                return 422, {"message": "Invalid request"}
            self.restarted.append(name)
            return 204, None
        if name == "public-key":
            return 200, {"key_id": "568250167242549743", "key": base64.b64encode(bytes(self.key.public_key)).decode()}
        if method == "GET":
            if name not in self.kept:
                return 404, {"message": "Not Found"}
            return 200, {"name": name, "updated_at": self.kept[name]["updated_at"]}
        if method == "DELETE":
            return (204, None) if self.kept.pop(name, None) else (404, {"message": "Not Found"})
        if not re.fullmatch(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", name) or body["key_id"] != "568250167242549743":
            return 422, {"message": "Invalid request"}
        try:
            value = SealedBox(self.key).decrypt(base64.b64decode(body["encrypted_value"], validate=True)).decode()
        except (CryptoError, ValueError):
            return 422, {"message": "Bad encrypted value"}
        status = 204 if name in self.kept else 201
        self.kept[name] = {"value": value, "updated_at": f"2026-11-01T08:00:{next(self.count):02}Z"}
        return status, {} if status == 201 else None


class GitLab(Api):
    """Variables of the project acme/billing."""

    header = ("PRIVATE-TOKEN", TOKEN)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """Create by POST what is not there, and update by PUT what is."""
        match = re.fullmatch(r"/api/v4/projects/acme%2Fbilling/variables(?:/([A-Za-z0-9_]{1,255}))?", path)
        if not match:
            return 404, {"message": "404 Project Not Found"}
        name = str(match[1] or (body or {}).get("key"))
        is_there = name in self.kept
        if method == "POST" and (match[1] or is_there):
            return 400, {"message": {"key": [f"({name}) has already been taken"]}}
        if method != "POST" and not is_there:
            return 404, {"message": "404 Variable Not Found"}
        if method == "DELETE":
            del self.kept[name]
            return 204, None
        if method == "GET":
            return 200, self.kept[name]
        if not isinstance(body.get("value"), str) or len(body.get("description") or "") > 255:
            return 400, {"message": "value is invalid"}
        if body.get("variable_type") not in ("env_var", "file") or not isinstance(body.get("raw"), bool):
            return 400, {"message": "is invalid"}
        self.kept[name] = body
        return (201 if method == "POST" else 200), body


class Awx(Api):
    """Credentials of an AWX with one type, whose fields are those of simple-salesforce."""

    fields: ClassVar[set[str]] = {"username", "password", "security_token", "domain", "version"}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """Show no secret, and refuse inputs that the type does not have."""
        match = re.fullmatch(r"/api/v2/credentials/(?:(\d+)/)?", path)
        if not match:
            return 404, {"detail": "Not found."}
        if method == "GET":
            found = [self._shown(each) for name, each in self.kept.items() if [name] == query.get("name")]
            return 200, {"count": len(found), "results": found}
        if method == "POST" and {"name", "organization", "credential_type"} - set(body):
            return 400, {"detail": "This field is required."}
        there = next((each for each in self.kept.values() if str(each["id"]) == match[1]), None)
        if method != "POST" and there is None:
            return 404, {"detail": "Not found."}
        if method == "DELETE":
            assert there is not None
            del self.kept[there["name"]]
            return 204, None
        unknown = set(body["inputs"]) - self.fields
        if unknown or not all(isinstance(value, str) for value in body["inputs"].values()):
            return 400, {"inputs": [f"Additional properties are not allowed: {sorted(unknown)}"]}
        number = there["id"] if there else next(self.count)
        self.kept[body["name"]] = {**body, "id": number, "value": body["inputs"]}
        return (200 if there else 201), self._shown(self.kept[body["name"]])

    @staticmethod
    def _shown(kept: dict[str, Any]) -> dict[str, Any]:
        shown = {name: kept[name] for name in ("id", "name", "description")}
        return {**shown, "inputs": dict.fromkeys(kept["inputs"], "$encrypted$")}


@contextlib.contextmanager
def serve(api: Api) -> Iterator[Api]:
    """Run a server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            """Refuse what has no login, and answer the rest."""
            parts = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.requests.append(f"{self.command} {unquote(parts.path)}")
            name, value = api.header
            if api.down:
                status, body = 503, {"message": "Service Unavailable"}
            elif self.headers.get(name) != value:
                status, body = 401, {"message": "Bad credentials"}
            else:
                status, body = api.answer(self.command, parts.path, parse_qs(parts.query), json.loads(text or b"null"))
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
