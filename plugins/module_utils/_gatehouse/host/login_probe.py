# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login with nothing but Python's own library, as it runs on managed hosts.

Verified TLS, allowed hosts, no redirect, one try, bounded time and size, no document types.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import json
import signal
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..auth.causes import Cause, cause, cause_of_code, cause_of_oauth_error, is_code, own_row
from ..auth.connection import SOAP_LOGIN_LAST_VERSION, Connection
from ..errors import OptionError, OrgError
from ..text import HEADER_VALUE

TOTAL_TIMEOUT_FACTOR = 4  # the whole check may take this many times the timeout
MAX_ANSWER = 1024 * 1024  # bytes; the answer to a login is about 3 KiB
ROWS = 50  # among so many last logins of the user this one is looked for
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>
<login xmlns="urn:partner.soap.sforce.com"><username>{username}</username><password>{password}</password></login>
</env:Body></env:Envelope>"""


@dataclasses.dataclass(frozen=True)  # without kw_only, as hosts may have Python 3.9
class ProbeResult:
    """What became of a login from here.

    Attributes:
        cause: one of the documented values of RV(verification.cause).
        detail: a sentence for the user, without secrets.
        address: at which Salesforce saw it, where it tells.
        local_address: from which it was sent; another one where addresses are translated on the way.
    """

    cause: str
    detail: str
    address: str | None = None
    local_address: str | None = None


class _Answer(NamedTuple):
    status: int
    kind: str
    body: bytes


class _Session(NamedTuple):
    access_token: str
    instance_url: str
    user_id: str


class _Refused(Exception):
    """The org does not let this user in."""

    def __init__(self, found: Cause) -> None:
        super().__init__(found.advice)
        self.found = found


def check(connection: Connection, *, assertion: str | None = None, authorities: str | None = None) -> ProbeResult:
    """Log in once by the connection's flow.

    Args:
        assertion: what jwt_bearer sends, signed elsewhere: a private key has no business on a managed host.
        authorities: certificates in PEM form to trust instead of the system's.
    """
    wire = _Https(connection, authorities)
    host = urlsplit(connection.instance_url or connection.login_url).hostname
    who = connection.username or connection.consumer_key or "the session"
    try:
        with _deadline(TOTAL_TIMEOUT_FACTOR * connection.timeout):
            session = _log_in(wire, connection, assertion)
            address = _source_ip(wire, connection, session) if session else None
    except _Refused as exc:
        text = f"{who} could not log in at {host}: {exc.found.advice}"
        return ProbeResult(cause=exc.found.cause, detail=text, local_address=wire.local_address)
    except OrgError as exc:
        return ProbeResult(cause=exc.cause, detail=str(exc), local_address=wire.local_address)
    return ProbeResult(cause="ok", detail="logged in", address=address, local_address=wire.local_address)


class _Https:
    """HTTPS from here, by the proxies of the environment, following nothing."""

    def __init__(self, connection: Connection, authorities: str | None) -> None:
        self.local_address: str | None = None
        self._timeout = connection.timeout
        source = (connection.source_address, 0) if connection.source_address else None
        try:
            context = ssl.create_default_context(cadata=authorities)
        except ssl.SSLError:
            raise OptionError("ca_path", "holds no certificates in PEM form") from None
        wire = self

        class Socket(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                wire.local_address = self.sock.getsockname()[0]

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Socket, req, context=context, source_address=source)

        # Not build_opener(): that would add handlers for http and file, and for redirects.
        self._opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.ProxyHandler(), Https()):
            self._opener.add_handler(handler)

    def ask(self, url: str, headers: Mapping[str, str], body: str | None = None) -> _Answer:
        """The answer to one request; raises OrgError when there is none that could be read."""
        request = urllib.request.Request(  # noqa: S310 - there is a handler for https only
            url, None if body is None else body.encode(), {**headers, "Connection": "close"}
        )
        with _wire_errors(urlsplit(url).hostname or ""), self._opener.open(request, timeout=self._timeout) as response:
            content = response.read(MAX_ANSWER + 1)
            kind = response.headers.get_content_type()
            missing = response.length  # as read() with a limit does not say that something is
        answer = _Answer(response.status, kind, content)
        if 300 <= answer.status < 400:
            raise OrgError(
                f"{_host(url)} answered with a redirect, which is not followed: it could lead secrets elsewhere"
            )
        if len(content) > MAX_ANSWER:
            raise OrgError(f"{_host(url)} answered with more than {MAX_ANSWER >> 20} MiB")
        if missing:
            raise OrgError(f"{_host(url)} did not finish its answer")
        return answer


def _log_in(wire: _Https, connection: Connection, assertion: str | None) -> _Session | None:
    if connection.auth == "security_token":
        return _by_soap(wire, connection)
    if connection.auth == "session":
        _with_session(wire, connection)
        return None
    return _by_app(wire, connection, assertion)


def _by_soap(wire: _Https, connection: Connection) -> _Session:
    version = min(float(connection.api_version), SOAP_LOGIN_LAST_VERSION)
    url = f"{connection.login_url.rstrip('/')}/services/Soap/u/{version}"
    envelope = _ENVELOPE.format(username=escape(connection.username or ""), password=escape(connection.login_password))
    answer = wire.ask(url, {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"}, envelope)
    told = _elements(answer, url)
    code = told.get("exceptionCode") or told.get("faultcode", "").rpartition(":")[2]
    if answer.status != 200:
        text = told.get("exceptionMessage") or told.get("faultstring", "")
        raise _refusal(cause_of_code(code, text), code, answer, url)
    if told.get("passwordExpired") == "true":
        raise _Refused(cause("password_expired"))
    if not HEADER_VALUE.fullmatch(told.get("sessionId", "")):
        raise _unexpected(answer, url)
    # Not by urlsplit, which raises an error for some texts: what is no address is refused where it would be used.
    where = "/".join(told.get("serverUrl", "").split("/")[:3])
    return _Session(told["sessionId"], where, told.get("userId", ""))


def _by_app(wire: _Https, connection: Connection, assertion: str | None) -> _Session:
    url = f"{connection.login_url.rstrip('/')}/services/oauth2/token"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if connection.auth == "client_credentials":
        pair = f"{connection.consumer_key}:{connection.consumer_secret}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        form = {"grant_type": "client_credentials"}
    elif connection.auth == "jwt_bearer":
        form = {"grant_type": JWT_BEARER, "assertion": assertion or ""}
    else:
        form = {
            "grant_type": "password",
            "client_id": connection.consumer_key or "",
            "client_secret": connection.consumer_secret or "",
            "username": connection.username or "",
            "password": connection.login_password,
        }
    answer = wire.ask(url, headers, urlencode(form))
    told = _object(answer, url)
    if answer.status != 200:
        code = str(told.get("error") or told.get("errorCode") or "")
        found = cause_of_oauth_error(
            code, str(told.get("error_description") or ""), token_sent=bool(connection.security_token)
        )
        raise _refusal(found, code, answer, url)
    if not HEADER_VALUE.fullmatch(str(told.get("access_token", ""))):
        raise _unexpected(answer, url)
    user_id = str(told.get("id", "")).rpartition("/")[2]
    return _Session(str(told["access_token"]), str(told.get("instance_url", "")), user_id)


def _with_session(wire: _Https, connection: Connection) -> None:
    """Use a session for something that needs one; whose it is, it does not tell."""
    url = f"{(connection.instance_url or '').rstrip('/')}/services/data/v{connection.api_version}/"
    answer = wire.ask(url, {"Authorization": f"Bearer {connection.access_token}"})
    if answer.status != 200:
        code = str(_object(answer, url).get("errorCode") or "")
        raise _refusal(cause_of_code(code), code, answer, url)
    _object(answer, url)


def _source_ip(wire: _Https, connection: Connection, session: _Session) -> str | None:
    """The address of this login in the history, where everybody may read of oneself; None where it is not told."""
    soql = (
        f"SELECT Status, SourceIp, LoginTime FROM LoginHistory WHERE UserId = '{session.user_id}' "  # noqa: S608 - an id
        f"ORDER BY LoginTime DESC LIMIT {ROWS}"
    )
    url = f"{session.instance_url}/services/data/v{connection.api_version}/query?{urlencode({'q': soql})}"
    try:
        connection.require_allowed(session.instance_url, option="instance_url")
    except OptionError as exc:
        raise OrgError(f"the login was accepted, but its answer leads elsewhere: {exc}") from None
    if not session.user_id.isalnum():
        return None
    try:
        told = _object(wire.ask(url, {"Authorization": f"Bearer {session.access_token}"}), url)
        rows = [row for row in told["records"] if row["Status"] == "Success"]
        own = own_row(rows, wire.local_address)
        return None if own is None else str(own["SourceIp"])
    except (OrgError, LookupError, TypeError, AttributeError):
        return None


def _elements(answer: _Answer, url: str) -> dict[str, str]:
    """The texts of an XML answer by their tags, without namespaces."""
    if b"<!DOCTYPE" in answer.body.upper() or b"\0" in answer.body:
        raise _unexpected(answer, url)
    try:
        root = ElementTree.fromstring(answer.body)  # noqa: S314 - without a document type it is harmless
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        raise _unexpected(answer, url) from None
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}


def _object(answer: _Answer, url: str) -> dict[str, Any]:
    """The object of a JSON answer, or the first of its list."""
    try:
        told = json.loads(answer.body)
        if isinstance(told, list):
            told = told[0]
    except (ValueError, IndexError, RecursionError):
        raise _unexpected(answer, url) from None
    if not isinstance(told, dict):
        raise _unexpected(answer, url)
    return told


def _refusal(found: Cause | None, code: str, answer: _Answer, url: str) -> Exception:
    """The error for a code; one that is not known to us, but looks like a code, is a refusal too."""
    if not is_code(code):
        return _unexpected(answer, url)
    if found is None:
        return _Refused(Cause("invalid_credentials", f"the org refused it as {code}"))
    return _Refused(Cause(found.cause, f"{found.advice} ({code})"))


def _unexpected(answer: _Answer, url: str) -> OrgError:
    """For an answer that is not Salesforce's: says the status, never the content."""
    return OrgError(f"{_host(url)} did not answer as Salesforce does: HTTP {answer.status}, {answer.kind[:60]}")


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


@contextlib.contextmanager
def _wire_errors(host: str) -> Iterator[None]:
    """Turn what can go wrong on the way into an OrgError without any content."""
    try:
        yield
    except (URLError, OSError, http.client.HTTPException) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
        if isinstance(reason, ssl.SSLError):
            told = getattr(reason, "verify_message", "") or reason.reason or "no details"
            raise OrgError(
                f"TLS with {host} failed: {told}. If it uses its own authority, name it in ca_path",
                cause="tls_untrusted",
            ) from None
        if isinstance(reason, TimeoutError):
            raise OrgError(f"{host} did not answer in time") from None
        told = getattr(reason, "strerror", None) or type(reason).__name__
        raise OrgError(f"{host} cannot be reached: {told}") from None


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after so much time, whatever is being waited for: a name, or one byte after the other."""

    def ring(*_args: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TimeoutError:
        raise OrgError("the whole check took too long") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
