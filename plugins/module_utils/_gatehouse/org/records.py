# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records and resources by REST, each request of which may be repeated when its answer is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..errors import NoResponseError, OrgError, SessionExpired
from .client import Org
from .login import Session
from .retry import ReadRetry
from .transport import translate_errors, unexpected_response

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
RETRY_SECONDS = 60.0
# The permissions that writing records of these kinds takes, by their labels in Setup.
NEEDED_PERMISSION = {
    "PermissionSet": "Manage Profiles and Permission Sets",
    "PermissionSetAssignment": "Assign Permission Sets",
    "SetupEntityAccess": "Manage Profiles and Permission Sets",
}


class RestError(OrgError):
    """The org refused a request.

    Attributes:
        code: as the org gives it.
        text: what it says beside the code.
    """

    def __init__(self, problem: str, code: str, text: str) -> None:
        super().__init__(problem)
        self.code = code
        self.text = text


def create_record(org: Org, kind: str, fields: Mapping[str, Any]) -> str | None:
    """Create a record and return its id; None where there is such a one, as when an answer was lost.

    Raises:
        RestError: the org refused it; the error names the permission that is missing.
        OrgError: no answer came, or none that is Salesforce's.
    """
    try:
        created = send(org, "POST", f"sobjects/{kind}", fields).get("id")
    except RestError as exc:
        if not exc.code.startswith("DUPLICATE"):
            raise _with_permission(exc, kind) from exc
        return None
    return created if isinstance(created, str) and created.isalnum() else None


def delete_record(org: Org, kind: str, record_id: str) -> None:
    """Delete a record; that there is none is success, too. Raises as create_record()."""
    try:
        send(org, "DELETE", f"sobjects/{kind}/{quote(record_id)}")
    except RestError as exc:
        if exc.code not in ("NOT_FOUND", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"):
            raise _with_permission(exc, kind) from exc


def _with_permission(error: RestError, kind: str) -> RestError:
    """Return a refusal with the permission that it is about."""
    refused = error.code.startswith("INSUFFICIENT_ACCESS") or error.code == "INVALID_TYPE"  # may be hidden
    if not refused or kind not in NEEDED_PERMISSION:
        return error
    advice = f"give the user of the task the permission '{NEEDED_PERMISSION[kind]}'"
    return RestError(f"{error}; {advice}", error.code, error.text)


def send(
    org: Org, method: str, path: str, content: Mapping[str, Any] | None = None, *, at_least: str = "00.0"
) -> dict[str, Any]:
    """Return the object that a resource below C(/services/data/vNN.0/) answers; empty where it answers nothing.

    Args:
        at_least: the version of the API that the resource came with.

    Raises:
        RestError: the org refused it.
        OrgError: no answer came, or none that is Salesforce's.
    """

    def exchange(transport: requests.Session, token: str, url: str) -> dict[str, Any]:
        with translate_errors(url):
            response = transport.request(method, url, json=content, headers={"Authorization": f"Bearer {token}"})
        return _read(response, f"{method} {path.partition('?')[0]}")

    retry = ReadRetry(RETRY_SECONDS)

    def at(transport: requests.Session, session: Session, version: str) -> dict[str, Any]:
        base = f"{session.instance_url.rstrip('/')}/services/data/v{max(version, at_least)}"
        return retry(lambda: exchange(transport, session.access_token, f"{base}/{path}"))

    return org.with_session(at)


def _read(response: requests.Response, what: str) -> dict[str, Any]:
    if response.status_code == 401:
        raise SessionExpired("the session has expired or was ended")
    if response.status_code == 204:
        return {}
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        raise unexpected_response(response) from None
    if response.ok and isinstance(answer, dict):
        return answer
    first = answer[0] if isinstance(answer, list) and answer else None
    if isinstance(first, dict) and isinstance(first.get("errorCode"), str):
        code, text = first["errorCode"][:80], str(first.get("message", ""))[:300]
        if response.status_code >= 500:
            raise NoResponseError(f"the org cannot serve {what} now ({code})")
        raise RestError(f"the org refused {what}: {text} ({code})", code, text)
    raise unexpected_response(response)
