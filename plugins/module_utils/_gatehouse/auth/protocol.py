# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what a login sends and read what comes back, for the controller and managed hosts alike. Pure.

Nothing but Python's own library is needed, from Python 3.9 on. What hosts need not know stands elsewhere: signing.py
signs assertions, refusals.py says what refusals mean.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..text import HEADER_VALUE
from .connection import SOAP_LOGIN_LAST_VERSION, Connection

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SOAP_HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"}
TOKEN_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
MAX_TEXT = 200  # characters of a refusal that count
_EXPIRED = "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
_NEAR = datetime.timedelta(minutes=1)
_ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>
<login xmlns="urn:partner.soap.sforce.com"><username>{username}</username><password>{password}</password></login>
</env:Body></env:Envelope>"""


class Opened(NamedTuple):
    """A session as the answer to a login names it; whether it may be used there is not checked yet."""

    access_token: str
    instance_url: str
    user_id: str


class UnreadableAnswer(Exception):
    """An answer that is not Salesforce's."""


class Refused(Exception):
    """The org refused a login.

    Attributes:
        local_address: from which it was sent, where that is known.
        code: what may be a code of Salesforce's.
        description: the text beside it, which is never shown.
    """

    local_address: str | None = None

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code[:MAX_TEXT])
        self.code, self.description = code[:MAX_TEXT], description[:MAX_TEXT]


def org_id_of(access_token: str) -> str | None:
    """Return the id of the org, with which an access token begins; None where it is a JWT."""
    match = re.match("00D[A-Za-z0-9]{12}(?=[A-Za-z0-9]*!)", access_token)
    return match[0] if match else None


def soap_version(connection: Connection) -> str:
    """Return the API version to send a SOAP login to, above which there is none."""
    return str(min(float(connection.api_version), SOAP_LOGIN_LAST_VERSION))


def soap_login_url(connection: Connection) -> str:
    """Return where a SOAP login goes."""
    return f"{connection.login_url.rstrip('/')}/services/Soap/u/{soap_version(connection)}"


def soap_envelope(connection: Connection) -> str:
    """Return the body of a SOAP login."""
    return _ENVELOPE.format(username=escape(connection.username or ""), password=escape(connection.login_password))


def token_url(connection: Connection) -> str:
    """Return the token endpoint."""
    return f"{connection.login_url.rstrip('/')}/services/oauth2/token"


def token_request(connection: Connection, assertion: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the form and the headers of a login through an app.

    Args:
        assertion: the signed one that jwt_bearer sends.
    """
    if connection.auth == "client_credentials":
        pair = f"{connection.consumer_key}:{connection.consumer_secret}"
        basic = base64.b64encode(pair.encode()).decode()
        return {"grant_type": "client_credentials"}, {**TOKEN_HEADERS, "Authorization": f"Basic {basic}"}
    if connection.auth == "jwt_bearer":
        return {"grant_type": JWT_BEARER, "assertion": assertion or ""}, TOKEN_HEADERS
    form = {
        "grant_type": "password",
        "client_id": connection.consumer_key or "",
        "client_secret": connection.consumer_secret or "",
        "username": connection.username or "",
        "password": connection.login_password,
    }
    return form, TOKEN_HEADERS


def read_soap_answer(status: int, body: bytes) -> Opened:
    """Return the session in the answer to a SOAP login.

    Raises:
        Refused: the org refused the login.
        UnreadableAnswer: what came is neither a session nor a refusal.
    """
    fields = _elements(body)
    if status != 200:
        code = fields.get("exceptionCode") or fields.get("faultcode", "").rpartition(":")[2]
        text = fields.get("exceptionMessage") or fields.get("faultstring", "")
        raise _refusal(code, text)
    if fields.get("passwordExpired") == "true":
        raise Refused(_EXPIRED)
    if not HEADER_VALUE.fullmatch(fields.get("sessionId", "")):
        raise UnreadableAnswer
    # Not by urlsplit, which raises an error for some texts: what is no address is refused where it would be used.
    instance_url = "/".join(fields.get("serverUrl", "").split("/")[:3])
    return Opened(fields["sessionId"], instance_url, fields.get("userId", ""))


def read_token_answer(status: int, body: bytes) -> Opened:
    """Return the session in the answer of the token endpoint; raises as read_soap_answer()."""
    fields = read_object(body)
    if status != 200:
        code = str(fields.get("error") or fields.get("errorCode") or "")
        raise _refusal(code, str(fields.get("error_description") or ""))
    access_token = str(fields.get("access_token") or "")
    if not HEADER_VALUE.fullmatch(access_token):
        raise UnreadableAnswer
    user_id = str(fields.get("id", "")).rpartition("/")[2]
    return Opened(access_token, str(fields.get("instance_url") or "").rstrip("/"), user_id)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the object in a JSON answer, or the first of its list; raises UnreadableAnswer for anything else."""
    try:
        answer = json.loads(body)
        if isinstance(answer, list):
            answer = answer[0]
    except (ValueError, IndexError, RecursionError):
        raise UnreadableAnswer from None
    if not isinstance(answer, dict):
        raise UnreadableAnswer
    return answer


def read_session_refusal(body: bytes) -> Refused:
    """Return the refusal in the answer to a REST call; raises UnreadableAnswer for anything else."""
    return _refusal(str(read_object(body).get("errorCode") or ""), "")


def is_code(text: str) -> bool:
    """Whether a text looks like one of Salesforce's codes, so that it may be shown."""
    return re.fullmatch(r"[A-Za-z][A-Za-z_]{2,60}", text) is not None


def _refusal(code: str, description: str) -> Refused:
    if not is_code(code):
        raise UnreadableAnswer
    return Refused(code, description)


def own_row(rows: Sequence[Mapping[str, Any]], sent_from: str | None) -> Mapping[str, Any] | None:
    """Return the row of a login among a user's last ones in LoginHistory; None where that cannot be told.

    Args:
        rows: newest first.
        sent_from: the address from which it was sent, which may be translated on the way.
    """
    for row in rows:
        if row.get("SourceIp") == sent_from:
            return row
    if not rows:
        return None
    # Others may use the same credential at the same time, from elsewhere.
    last = _time(rows[0])
    around = {
        row.get("SourceIp") for row in rows if last is None or (when := _time(row)) is None or last - when < _NEAR
    }
    return rows[0] if len(around) == 1 else None


def _time(row: Mapping[str, Any]) -> datetime.datetime | None:
    # Python before 3.11 reads no zone without a colon, as Salesforce writes it, so the zone is left out: it is UTC.
    try:
        return datetime.datetime.fromisoformat(str(row.get("LoginTime"))[:19])
    except ValueError:
        return None


def _elements(body: bytes) -> dict[str, str]:
    """Return the texts of an XML answer by their tags, without namespaces."""
    if b"<!DOCTYPE" in body.upper() or b"\0" in body:
        raise UnreadableAnswer
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - without a document type it is harmless
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        raise UnreadableAnswer from None
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
