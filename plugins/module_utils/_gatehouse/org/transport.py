# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS to an org, with the promises that every request keeps.

Verified TLS, allowed hosts only, no redirects, bounded time and size, and no XML that could harm its reader.
"""

from __future__ import annotations

import io
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from ..auth.connection import Connection, is_allowed
from ..errors import NoResponseError, OptionError, OrgError

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError, NewConnectionError
except ImportError:  # told to the user by require_libraries()
    HTTPAdapter = object  # type: ignore[assignment,misc]
T = TypeVar("T")
MAX_ANSWER = 8 * 1024 * 1024  # bytes, of which a parser makes twenty times as many; 10,000 ranges are about 2 MiB
MAX_PAGE = 512 * 1024  # a page of Setup is about 100 KiB
MAX_LOGIN_ANSWER = 128 * 1024  # 3 KiB in earnest; its parser needs a thousand times as much
CHUNK = 16 * 1024  # as it comes; what is compressed may grow by a thousand
TOTAL_TIMEOUT_FACTOR = 4  # a whole answer may take this many times the timeout
CONNECT_TIMEOUT = 10.0
RETRYABLE_STATUSES = (
    429,
    502,
    503,
    504,
)  # from whatever stands before the org, or the org itself; never with more to know
MAX_RETRY_AFTER = 3600.0


class OrgAdapter(HTTPAdapter):
    """Carries requests for one connection and refuses whatever would break the promises above."""

    def __init__(self, connection: Connection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Connect from the given local address, where there is one."""
        if self._connection.source_address:
            kwargs["source_address"] = (self._connection.source_address, 0)
        super().init_poolmanager(*args, **kwargs)

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, *, proxies: Mapping[str, str] | None = None, **_ignored: Any
    ) -> requests.Response:
        """Send one request. The caller's own timeout and verify are ignored: they are the connection's to say."""
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
                verify=self._connection.ca_path or True,
                proxies=proxies,
            )
            return response, _read(response, host, self._limit)

        response, body = _with_deadline(TOTAL_TIMEOUT_FACTOR * timeout, exchange, host)
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


def _with_deadline(seconds: float, exchange: Callable[[], T], host: str) -> T:
    """The result of an exchange, or NoResponseError when it takes longer.

    The timeout of a socket starts anew with each byte, so that who sends one now and then could hold us for days. The
    exchange is in a thread of its own, which is then left behind.
    """
    done: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((exchange(), None))
        except BaseException as exc:
            done.put((None, exc))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, problem = done.get(timeout=seconds)
    except queue.Empty:
        raise NoResponseError(f"{host} took too long to finish its answer") from None
    if problem is not None:
        raise problem
    return cast(T, result)


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
    """A requests session that keeps the promises of this module; simple-salesforce is given it for all its calls."""
    return _open(connection, OrgAdapter(connection, limit))


def open_pages(connection: Connection) -> requests.Session:
    """A requests session of its own for pages: no other request gets its cookies, and it follows no redirect."""
    session = _open(connection, PageAdapter(connection, MAX_PAGE))
    session.resolve_redirects = lambda *_args, **_kwargs: iter(())  # type: ignore[method-assign]
    return session


def _open(connection: Connection, adapter: OrgAdapter) -> requests.Session:
    if connection.ca_path is not None and not Path(connection.ca_path).is_file():
        raise OptionError("ca_path", f"{connection.ca_path} is not a readable file")
    session = requests.Session()
    # The environment's CA bundle and .netrc would otherwise override what the user declared here.
    session.trust_env = False
    session.proxies = requests.utils.get_environ_proxies(connection.login_url)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def send_once(url: str, send: Callable[[], T]) -> T:
    """The answer to a request that must not be repeated. Without one it is not known what was done.

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
    host = urlsplit(url).hostname
    try:
        yield
    except requests.exceptions.SSLError as exc:
        reason = next((arg for arg in _causes(exc) if isinstance(arg, ssl.SSLError)), None)
        told = getattr(reason, "verify_message", "") or getattr(reason, "reason", "") or "no details"
        raise OrgError(
            f"TLS with {host} failed: {told}. If it uses its own authority, name it in ca_path", cause="tls_untrusted"
        ) from None
    except requests.exceptions.Timeout as exc:
        sent = not isinstance(exc, requests.exceptions.ConnectTimeout)
        raise NoResponseError(f"{host} did not answer in time", sent=sent) from None
    except (requests.exceptions.RequestException, OSError) as exc:
        causes = list(_causes(exc))
        system = next((arg for arg in causes if isinstance(arg, OSError) and arg.strerror), None)
        told = system.strerror if system else type(exc).__name__
        sent = not any(isinstance(arg, NewConnectionError) for arg in causes)
        raise NoResponseError(f"{host} cannot be reached: {told}", sent=sent) from None


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was made from; requests and urllib3 nest them in arguments as well as in causes."""
    seen: list[BaseException | None] = [exc]
    while seen:
        current = seen.pop(0)
        if isinstance(current, BaseException):
            yield current
            seen += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def unexpected_response(response: requests.Response) -> OrgError:
    """For an answer that is not Salesforce's: says the status, never the content."""
    host = urlsplit(response.url).hostname
    try:
        phrase = HTTPStatus(response.status_code).phrase
    except ValueError:
        phrase = "no standard meaning"
    kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
    problem = f"{host} did not answer as Salesforce does: HTTP {response.status_code} ({phrase}), {kind}"
    if response.status_code >= 500 or response.status_code in RETRYABLE_STATUSES:
        return NoResponseError(problem, retry_after=_retry_after(response))
    return OrgError(problem)


def _retry_after(response: requests.Response) -> float:
    """Seconds that the answer asks to wait, given as such or as a date; 0 when it does not."""
    told = response.headers.get("Retry-After", "")
    try:
        seconds = float(told) if told.strip().isdecimal() else parsedate_to_datetime(told).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
