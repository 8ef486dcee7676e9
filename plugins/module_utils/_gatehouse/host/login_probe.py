# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in once with nothing but Python's own library, as it runs on managed hosts.

Verified TLS, allowed hosts, no redirect, one try, bounded time and size, no document types.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit

from ..auth import protocol
from ..auth.connection import Connection
from ..errors import LoginUnansweredError, NoResponseError, OptionError, OrgError

TOTAL_TIMEOUT_FACTOR = 4  # the whole check may take this many times the timeout
MAX_ANSWER = 1024 * 1024  # bytes; the answer to a login is about 3 KiB
ROWS = 50  # among so many last logins of the user this one is looked for


class _Answer(NamedTuple):
    status: int
    kind: str
    body: bytes


class Seen(NamedTuple):
    """A login that was accepted.

    Attributes:
        address: at which Salesforce saw it, where it says so.
        local_address: from which it was sent; addresses may be translated on the way.
        org_id, org_host: the org, as far as the answer names it.
    """

    address: str | None
    local_address: str | None
    org_id: str | None
    org_host: str | None


def check(connection: Connection, *, assertion: str | None = None, authorities: str | None = None) -> Seen:
    """Log in once by the connection's flow.

    Args:
        assertion: what jwt_bearer sends, signed on the controller: a private key has no business on a managed host.
        authorities: certificates in PEM form to trust instead of the system's.

    Raises:
        protocol.Refused: the org refused the login.
        LoginUnansweredError: the response was unreadable; whether the login counted is unknown.
        OrgError: the org could not be reached; nothing was sent.
    """
    wire = _Https(connection, authorities)
    try:
        with _deadline(TOTAL_TIMEOUT_FACTOR * connection.timeout):
            opened = _log_in(wire, connection, assertion)
            address = _source_ip(wire, connection, opened) if opened else None
    except protocol.Refused as exc:
        exc.local_address = wire.local_address
        raise
    except OrgError as exc:
        problem = OrgError(f"{exc}. Nothing was sent, and no login was counted", cause=exc.cause)
        if exc.cause != "tls_untrusted" and not (isinstance(exc, NoResponseError) and not exc.sent):
            text = f"{exc}. Whether the login was counted is not known, so it is not repeated"
            problem = LoginUnansweredError(text, cause=exc.cause)
        problem.local_address = wire.local_address
        raise problem from None
    token, url = (opened.access_token, opened.instance_url) if opened else _given(connection)
    return Seen(address, wire.local_address, protocol.org_id_of(token), _host(url))


def _given(connection: Connection) -> tuple[str, str]:
    return connection.access_token or "", connection.instance_url or ""


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
        context.hostname_checks_common_name = False  # as the controller's transport: alternative names only
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

    def request(self, url: str, headers: Mapping[str, str], body: str | None = None) -> _Answer:
        """Return the answer to one request; raises OrgError when there is none that could be read."""
        request = urllib.request.Request(  # noqa: S310 - there is a handler for https only
            url, None if body is None else body.encode(), {**headers, "Connection": "close"}
        )
        self.local_address = None
        with self._translate_errors(url), self._opener.open(request, timeout=self._timeout) as response:
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

    @contextlib.contextmanager
    def _translate_errors(self, url: str) -> Iterator[None]:
        """Turn what can go wrong on the way into an OrgError without any content."""
        place = f"{_host(url)}{_proxy(url)}"
        try:
            yield
        except (URLError, OSError, http.client.HTTPException, ValueError) as exc:
            reason = exc.reason if isinstance(exc, URLError) else exc
            if isinstance(reason, ssl.SSLError):
                detail = getattr(reason, "verify_message", "") or reason.reason or "no details"
                raise OrgError(
                    f"TLS with {place} failed: {detail}. If it uses its own authority, name it in ca_path",
                    cause="tls_untrusted",
                ) from None
            # Nothing is sent before the handshake is over.
            sent = self.local_address is not None
            if isinstance(reason, TimeoutError):
                raise NoResponseError(f"{place} did not answer in time", sent=sent) from None
            detail = getattr(reason, "strerror", None) or _tunnel_status(reason) or type(reason).__name__
            raise NoResponseError(f"{place} cannot be reached: {detail}", sent=sent) from None


def _log_in(wire: _Https, connection: Connection, assertion: str | None) -> protocol.Opened | None:
    if connection.auth == "session":
        _use_session(wire, connection)
        return None
    if connection.auth == "security_token":
        url, read = protocol.soap_login_url(connection), protocol.read_soap_answer
        answer = wire.request(url, protocol.SOAP_HEADERS, protocol.soap_envelope(connection))
    else:
        url, read = protocol.token_url(connection), protocol.read_token_answer
        form, headers = protocol.token_request(connection, assertion)
        answer = wire.request(url, headers, urlencode(form))
    try:
        opened = read(answer.status, answer.body)
    except protocol.UnreadableAnswer:
        raise _unexpected(answer, url) from None
    try:
        connection.require_allowed(opened.instance_url, option="instance_url")
    except OptionError as exc:
        raise OrgError(f"the login was accepted, but its answer leads elsewhere: {exc}") from None
    return opened


def _use_session(wire: _Https, connection: Connection) -> None:
    """Check the session with one REST call."""
    url = f"{(connection.instance_url or '').rstrip('/')}/services/data/v{connection.api_version}/"
    answer = wire.request(url, {"Authorization": f"Bearer {connection.access_token}"})
    try:
        if answer.status != 200:
            raise protocol.read_session_refusal(answer.body)
        protocol.read_object(answer.body)
    except protocol.UnreadableAnswer:
        raise _unexpected(answer, url) from None


def _source_ip(wire: _Https, connection: Connection, opened: protocol.Opened) -> str | None:
    """Return the address of this login in the history, where users may read of themselves; None where it is unknown."""
    if not opened.user_id.isalnum():
        return None
    soql = (
        f"SELECT Status, SourceIp, LoginTime FROM LoginHistory WHERE UserId = '{opened.user_id}' "  # noqa: S608 - an id
        f"ORDER BY LoginTime DESC LIMIT {ROWS}"
    )
    url = f"{opened.instance_url}/services/data/v{connection.api_version}/query?{urlencode({'q': soql})}"
    sent_from = wire.local_address
    try:
        answer = wire.request(url, {"Authorization": f"Bearer {opened.access_token}"})
        rows = [row for row in protocol.read_object(answer.body)["records"] if row["Status"] == "Success"]
        own = protocol.own_row(rows, sent_from)
        return None if own is None else str(own["SourceIp"])
    except (OrgError, protocol.UnreadableAnswer, LookupError, TypeError, AttributeError):
        return None
    finally:
        wire.local_address = sent_from


def _unexpected(answer: _Answer, url: str) -> OrgError:
    """Return the error for an answer that is not Salesforce's: its status, never its content."""
    return OrgError(f"{_host(url)} did not answer as Salesforce does: HTTP {answer.status}, {answer.kind[:60]}")


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def _proxy(url: str) -> str:
    """Return the proxy in the way as part of a sentence, without its user and password; empty where there is none."""
    host = _host(url) or ""
    proxy = urllib.request.getproxies().get("https", "")
    if not proxy or urllib.request.proxy_bypass(host):
        return ""
    return f" (by the proxy {re.sub('^[a-z0-9]+://', '', proxy).rpartition('@')[2].partition('/')[0]})"


def _tunnel_status(reason: object) -> str | None:
    """Return what a proxy answered in place of opening a tunnel."""
    match = re.match(r"Tunnel connection failed: (\d{3})", str(reason))
    return f"the proxy answered with HTTP {match[1]}" if match else None


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
