# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Google's Secret Manager that deliveries use, as its REST reference says."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.targets.service import Answer, Request, Service

HOST, PROJECT, NUMBER = "secretmanager.googleapis.com", "shop", "123456789012"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# By request, what a role has to permit.
PERMISSIONS = {
    "POST secrets": "secretmanager.secrets.create",
    "DELETE secret": "secretmanager.secrets.delete",
    "POST secret:addVersion": "secretmanager.versions.add",
    "GET versions": "secretmanager.versions.list",
    "GET version": "secretmanager.versions.get",
    "GET version:access": "secretmanager.versions.access",
}
_PATH = re.compile(
    rf"/v1/projects/{PROJECT}/secrets(?:/(?P<secret>[-\w]{{1,255}}?)(?P<versions>/versions(?:/(?P<version>\w+))?)?)?"
    r"(?::(?P<verb>\w+))?"
)


class Refused(Exception):
    """An error as Google words it."""

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(code, {"error": {"code": code, "message": message, "status": status}})


@dataclass
class Version:
    """A version of a secret."""

    value: str
    state: str = "ENABLED"


@dataclass
class GoogleSecretManager(Service):
    """A project with secrets.

    Attributes:
        permissions: those that the service account has.
        secrets: the versions of each secret, the oldest first.
    """

    permissions: set[str] = field(default_factory=lambda: set(PERMISSIONS.values()))
    secrets: dict[str, list[Version]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._tokens: set[str] = set()

    @property
    def service_account(self) -> dict[str, str]:
        """The content of the account's file of keys."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": pem,
            "client_email": f"gatehouse@{PROJECT}.iam.gserviceaccount.com",
            "client_id": NUMBER,
            "token_uri": f"{self.url}/token",
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request for a token, or one to the Secret Manager."""
        try:
            if request.path == "/token":
                return self._token(request)
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
                raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            return Answer(200, self._of_secret(request))
        except Refused as exc:
            return exc.answer

    def _token(self, request: Request) -> Answer:
        claims = jwt.decode(request.body["assertion"], self._key.public_key(), algorithms=["RS256"], audience=AUDIENCE)
        assert claims["scope"] == SCOPE and claims["iss"] == self.service_account["client_email"]
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599})

    def _of_secret(self, request: Request) -> Any:
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise Refused(404, "NOT_FOUND", "Requested entity was not found.")
        name, number, verb = match["secret"], match["version"], match["verb"]
        kind = "version" if number else "versions" if match["versions"] else "secret" if name else "secrets"
        asked = f"{request.method} {kind}" + (f":{verb}" if verb else "")
        if asked not in PERMISSIONS:
            raise Refused(400, "INVALID_ARGUMENT", f"{asked} is none of the requests that are known here.")
        if PERMISSIONS[asked] not in self.permissions:
            raise Refused(403, "PERMISSION_DENIED", f"Permission '{PERMISSIONS[asked]}' denied for resource.")
        if asked == "POST secrets":
            return self._create(request)
        if name not in self.secrets:
            raise Refused(404, "NOT_FOUND", f"Secret [projects/{NUMBER}/secrets/{name}] not found.")
        if asked == "DELETE secret":
            del self.secrets[name]
            return {}
        if asked == "POST secret:addVersion":
            self.secrets[name].append(Version(base64.b64decode(request.body["payload"]["data"]).decode()))
            return self._version(name, len(self.secrets[name]))
        if asked == "GET versions":
            assert request.query == {"filter": "state:ENABLED"}
            numbers = [place for place, found in enumerate(self.secrets[name], 1) if found.state == "ENABLED"]
            listed = {"versions": [self._version(name, place) for place in reversed(numbers)]} if numbers else {}
            return {**listed, "totalSize": len(numbers)}
        place = len(self.secrets[name]) if number == "latest" else int(number)
        if not 1 <= place <= len(self.secrets[name]):
            raise Refused(404, "NOT_FOUND", f"Secret Version [{request.path}] not found.")
        described = self._version(name, place)
        if verb is None:
            return described
        if described["state"] != "ENABLED":
            raise Refused(400, "FAILED_PRECONDITION", f"Secret Version [{described['name']}] is in DISABLED state.")
        data = base64.b64encode(self.secrets[name][place - 1].value.encode()).decode()
        return {"name": described["name"], "payload": {"data": data}}

    def _create(self, request: Request) -> Any:
        name = request.query.get("secretId", "")
        if not re.fullmatch(r"[-\w]{1,255}", name) or "replication" not in request.body:
            raise Refused(400, "INVALID_ARGUMENT", "The provided Secret ID or Secret is invalid.")
        if name in self.secrets:
            raise Refused(409, "ALREADY_EXISTS", f"Secret [projects/{NUMBER}/secrets/{name}] already exists.")
        self.secrets[name] = []
        return {"name": f"projects/{NUMBER}/secrets/{name}", "createTime": "2026-01-01T00:00:00Z", **request.body}

    def _version(self, name: str, place: int) -> dict[str, Any]:
        return {
            "name": f"projects/{NUMBER}/secrets/{name}/versions/{place}",
            "createTime": "2026-01-01T00:00:00Z",
            "state": self.secrets[name][place - 1].state,
            "replicationStatus": {"automatic": {}},
            "etag": f'"{place}"',
        }
