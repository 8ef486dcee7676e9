# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Azure Key Vault that deliveries use, as its REST reference says, and of the login that it asks for."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.targets.service import Answer, Request, Service

VAULT, LOGIN, TENANT = "shop.vault.azure.net", "login.microsoftonline.com", "11111111-2222-3333-4444-555555555555"
RESOURCE = "https://vault.azure.net"
_PATH = re.compile(r"/(?P<kind>secrets|deletedsecrets)/(?P<name>[-0-9a-zA-Z]{1,127})(?P<rest>/versions|/recover|/)?")


class Refused(Exception):
    """An error as Azure words it."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(code, {"error": {"code": name, "message": message}})


@dataclass
class Version:
    """A version of a secret, with the second in which it was made."""

    id: str
    value: str
    created: int
    enabled: bool = True


@dataclass
class KeyVault(Service):
    """A vault with soft delete, and the application that may use it.

    Attributes:
        lists_nothing: whether the list of the versions of a secret that is not there is empty, and not an error. The
            reference does not say.
        secrets: the versions of each secret, the oldest first.
        deleted: those that are deleted and can be recovered.
    """

    client_id: str = "66666666-7777-8888-9999-000000000000"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    lists_nothing: bool = False
    secrets: dict[str, list[Version]] = field(default_factory=dict)
    deleted: dict[str, list[Version]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._tokens: set[str] = set()
        self._clock = 1_767_225_600

    def add(self, name: str, value: str) -> Version:
        """Add a version, a second after the one before."""
        self._clock += 1
        version = Version(secrets.token_hex(16), value, self._clock)
        self.secrets.setdefault(name, []).append(version)
        return version

    def answer(self, request: Request) -> Answer:
        """Answer a request of a login, or one to the vault."""
        try:
            if request.headers["host"] == LOGIN:
                return Answer(200, self._login(request))
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
                challenge = f'Bearer authorization="https://{LOGIN}/{TENANT}", resource="{RESOURCE}"'
                error = {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer token."}}
                return Answer(401, error, {"WWW-Authenticate": challenge})
            if "api-version" not in request.query:
                raise Refused(400, "BadParameter", "api-version must be specified")
            return Answer(200, self._of_secret(request))
        except Refused as exc:
            return exc.answer

    def _login(self, request: Request) -> Any:
        base = f"https://{LOGIN}/{TENANT}"
        if request.path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            return {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        form = request.body or {}
        if (
            request.path != f"/{TENANT}/oauth2/v2.0/token"
            or form.get("client_id") != self.client_id
            or form.get("client_secret") != self.client_secret
            or form.get("scope") != f"{RESOURCE}/.default"
        ):
            raise Refused(400, "invalid_request", f"no login at {request.path}")
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}

    def _of_secret(self, request: Request) -> Any:
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise Refused(400, "BadParameter", f"{request.path} is not known here")
        name, rest = match["name"], match["rest"] or ""
        asked = f"{request.method} {match['kind']}{rest}"
        if asked == "PUT secrets":
            if name in self.deleted:
                raise Refused(409, "Conflict", f"Secret {name} is currently in a deleted but recoverable state")
            return self._bundle(name, self.add(name, request.body["value"]))
        if asked == "GET secrets/versions" and self.lists_nothing and name not in self.secrets:
            return {"value": [], "nextLink": None}
        kept = self.deleted if match["kind"] == "deletedsecrets" else self.secrets
        if name not in kept:
            raise Refused(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        newest = kept[name][-1]
        if asked == "GET secrets/versions":
            # In no order that the reference would name.
            listed = sorted(kept[name], key=lambda version: version.id)
            return {"value": [self._item(name, version) for version in listed], "nextLink": None}
        if asked in ("GET secrets", "GET secrets/"):
            if not newest.enabled:
                raise Refused(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
            return self._bundle(name, newest)
        if asked == "DELETE secrets":
            self.deleted[name] = self.secrets.pop(name)
            return self._deleted(name)
        if asked == "GET deletedsecrets":
            return self._deleted(name)
        if asked == "POST deletedsecrets/recover":
            self.secrets[name] = self.deleted.pop(name)
            return self._item(name, newest)
        raise Refused(400, "BadParameter", f"{asked} is not known here")

    def _item(self, name: str, version: Version) -> dict[str, Any]:
        attributes = {
            "enabled": version.enabled,
            "created": version.created,
            "updated": version.created,
            "recoveryLevel": "Recoverable+Purgeable",
        }
        return {"id": f"https://{VAULT}/secrets/{name}/{version.id}", "attributes": attributes}

    def _bundle(self, name: str, version: Version) -> dict[str, Any]:
        return {**self._item(name, version), "value": version.value}

    def _deleted(self, name: str) -> dict[str, Any]:
        return {
            **self._item(name, self.deleted[name][-1]),
            "recoveryId": f"https://{VAULT}/deletedsecrets/{name}",
            "deletedDate": self._clock,
            "scheduledPurgeDate": self._clock + 90 * 86_400,
        }
