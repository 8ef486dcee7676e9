# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS to an org, with the promises that every request keeps.

Verified TLS, allowed hosts only, no redirects, bounded time and size, and no XML that could harm its reader.
"""

from __future__ import annotations

import io
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..auth.connection import Connection, is_allowed
from ..authorities import environment_authorities
from ..deadline import call_within
from ..errors import NoResponseError, OptionError, OrgError

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError
except ImportError:  # reported by require_libraries()
    HTTPAdapter = object  # type: ignore[assignment,misc]
T = TypeVar("T")
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")
MAX_ANSWER = 8 * 1024 * 1024  # bytes, of which a parser makes twenty times as many; 10,000 ranges are about 2 MiB
MAX_PAGE = 512 * 1024  # a page of Setup is about 100 KiB
MAX_LOGIN_ANSWER = 128 * 1024  # a real response has 3 KiB; the parser needs 1,000 times the size
CHUNK = 16 * 1024  # as it comes; what is compressed may grow by a thousand
TOTAL_TIMEOUT_FACTOR = 4  # a whole answer may take this many times the timeout
CONNECT_TIMEOUT = 10.0
RETRYABLE_STATUSES = (429, 502, 503, 504)  # sent by a proxy or by the org; the body is never useful
MAX_RETRY_AFTER = 3600.0  # seconds


class OrgAdapter(HTTPAdapter):
    """Carries requests for one connection and refuses whatever would break the promises above."""

    def __init__(self, connection: Connection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._authorities = _authorities(connection)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Connect from the given local address, where there is one."""
        if self._connection.source_address:
            kwargs["source_address"] = (self._connection.source_address, 0)
        super().init_poolmanager(*args, **kwargs)

    def send(self, request: requests.PreparedRequest, **_ignored: Any) -> requests.Response:  # type: ignore[override]
        """Send one request. The caller's own timeout, verify and proxies are ignored, as the connection decides."""
        parts = urlsplit(request.url or "")
        host = parts.hostname or ""
        if parts.scheme != "https" or not is_allowed(host, self._connection.allowed_hosts):
            raise OrgError(f"refused to send anything to {host!r}: it is not an allowed host")
        timeout = self._connection.timeout

        def exchange() -> tuple[requests.Response, bytes]:
            response = HTTPAdapter.send(
                self,
                request,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
                verify=self._authorities or True,
                proxies=requests.utils.get_environ_proxies(request.url or ""),
            )
            return response, _read(response, host, self._limit)

        try:
            response, body = call_within(TOTAL_TIMEOUT_FACTOR * timeout, exchange)
        except TimeoutError:
            raise NoResponseError(f"{host} took too long to finish its answer") from None
        if response.status_code in RETRYABLE_STATUSES:
            raise unexpected_response(response)
        self._refuse_harmful(response, body, host)
        response.raw = io.BytesIO(body)
        response.encoding = "utf-8"  # rather than guessed, which takes minutes for some megabytes
        return response

    def _refuse_harmful(self, response: requests.Response, body: bytes, host: str) -> None:
        """Salesforce sends UTF-8 without document types; anything else is not from Salesforce, or is an attack."""
        if response.is_redirect:
            raise OrgError(f"{host} answered with a redirect, which is not followed: it could lead secrets elsewhere")
        if "html" in response.headers.get("Content-Type", "").lower():
            raise unexpected_response(response)
        if b"<!DOCTYPE" in body.upper() or b"\0" in body:
            raise OrgError(f"{host} answered with what Salesforce does not send (a document type, or another encoding)")


class PageAdapter(OrgAdapter):
    """For pages that are made for browsers: HTML comes through, and redirects do, unfollowed, for the caller to judge.

    No XML parser may ever see what it gives.
    """

    def _refuse_harmful(self, response: requests.Response, body: bytes, host: str) -> None:
        is_page = "html" in response.headers.get("Content-Type", "").lower()
        if not (is_page or response.is_redirect) or b"\0" in body:
            raise unexpected_response(response)


def _read(response: requests.Response, host: str, limit: int) -> bytes:
    body = bytearray()
    if "," in response.headers.get("Content-Encoding", ""):
        raise OrgError(f"{host} answered with something compressed more than once, which Salesforce does not")
    try:
        for chunk in response.raw.stream(CHUNK, decode_content=True):
            body += chunk
            if len(body) > limit:
                response.close()
                raise OrgError(f"{host} answered with more than {limit >> 10} KiB")
    except HTTPError:
        raise NoResponseError(f"{host} did not finish its answer") from None
    response.raw.release_conn()
    return bytes(body)


def open_transport(connection: Connection, limit: int = MAX_ANSWER) -> requests.Session:
    """Return a requests session that keeps the promises of this module; simple-salesforce gets it for all calls."""
    return _open(connection, OrgAdapter(connection, limit))


def open_pages(connection: Connection) -> requests.Session:
    """Return a requests session for pages alone: no other request gets its cookies, and it follows no redirect."""
    session = _open(connection, PageAdapter(connection, MAX_PAGE))
    session.resolve_redirects = lambda *_args, **_kwargs: iter(())  # type: ignore[method-assign]
    return session


def _open(connection: Connection, adapter: OrgAdapter) -> requests.Session:
    session = requests.Session()
    # A .netrc would otherwise add a password, and the environment's authorities override ca_path.
    session.trust_env = False
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _authorities(connection: Connection) -> str | None:
    """Return the file of authorities to trust: the connection's, or the environment's; None for the usual ones."""
    if connection.ca_path is not None:
        if not Path(connection.ca_path).is_file():
            raise OptionError("ca_path", f"{connection.ca_path} is not a readable file")
        return connection.ca_path
    named = environment_authorities()
    if named is None:
        return None
    variable, file = named
    if not os.access(file, os.R_OK):
        raise OptionError("ca_path", f"is not given, and {variable} names {file}, which cannot be read")
    return file


def _place(url: str) -> str:
    """Return the host of a URL, and the proxy in the way without its user and password."""
    host = str(urlsplit(url).hostname)
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not proxy:
        return host
    return f"{host} (by the proxy {proxy.rpartition('://')[2].rpartition('@')[2].partition('/')[0]})"


def send_once(url: str, send: Callable[[], T]) -> T:
    """Return the answer to a request that must not be repeated. Without one it is not known what was done.

    Raises:
        NoResponseError: with C(sent) false when it is certain that nothing was done.
    """
    try:
        with translate_errors(url):
            return send()
    except NoResponseError:
        raise
    except OrgError as exc:
        raise NoResponseError(str(exc), cause=exc.cause) from None


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn what can go wrong between here and the host of the URL into an OrgError without any content."""
    host = _place(url)
    try:
        yield
    except requests.exceptions.SSLError as exc:
        reason = next((arg for arg in _causes(exc) if isinstance(arg, ssl.SSLError)), None)
        detail = getattr(reason, "verify_message", "") or getattr(reason, "reason", "") or "no details"
        raise OrgError(
            f"TLS with {host} failed: {detail}. If it uses its own authority, name it in ca_path", cause="tls_untrusted"
        ) from None
    except requests.exceptions.Timeout as exc:
        sent = not isinstance(exc, requests.exceptions.ConnectTimeout)
        raise NoResponseError(f"{host} did not answer in time", sent=sent) from None
    except (requests.exceptions.RequestException, HTTPError, OSError) as exc:
        causes = list(_causes(exc))
        tunnel = next((match for cause in causes if (match := _TUNNEL_REFUSED.search(str(cause)))), None)
        system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
        if tunnel:
            detail = f"the proxy answered with HTTP {tunnel[1]}"
        else:
            detail = str(system.strerror) if system else type(exc).__name__
        unsent = tunnel or any(isinstance(cause, (NewConnectionError, ProxyError)) for cause in causes)
        raise NoResponseError(f"{host} cannot be reached: {detail}", sent=not unsent) from None


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it was made from; requests and urllib3 nest them in arguments as well as causes."""
    seen: list[BaseException | None] = [exc]
    while seen:
        current = seen.pop(0)
        if isinstance(current, BaseException):
            yield current
            seen += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def unexpected_response(response: requests.Response) -> OrgError:
    """Return the error for an answer that is not Salesforce's: its status, never its content."""
    host = urlsplit(response.url).hostname
    try:
        phrase = HTTPStatus(response.status_code).phrase
    except ValueError:
        phrase = "no standard meaning"
    kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
    problem = f"{host} did not answer as Salesforce does: HTTP {response.status_code} ({phrase}), {kind}"
    # A page for people comes from a proxy, or says with whatever status that the org is in maintenance.
    if response.status_code >= 500 or response.status_code in RETRYABLE_STATUSES or "html" in kind.lower():
        return NoResponseError(problem, retry_after=_retry_after(response))
    return OrgError(problem)


def _retry_after(response: requests.Response) -> float:
    """Return the seconds that the answer asks to wait, given as such or as a date; 0 when it does not."""
    value = response.headers.get("Retry-After", "")
    try:
        seconds = float(value) if value.strip().isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
