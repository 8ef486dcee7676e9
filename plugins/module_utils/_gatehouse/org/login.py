# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in: a connection in, a session out, exactly one attempt.

simple-salesforce sends the logins. What came back is read by auth/protocol.py, as on managed hosts: the library cuts
"-api" out of the host of a session and quotes answers in its errors. Its SalesforceLogin builds
https://DOMAIN.salesforce.com for the flows by an app, so these use its token_login, which takes any URL.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..auth import protocol
from ..auth.connection import Connection
from ..auth.refusals import login_error
from ..auth.signing import sign_assertion
from ..errors import LoginError, LoginUnansweredError, NoResponseError, OptionError, OrgError
from ..text import HEADER_VALUE
from .transport import MAX_LOGIN_ANSWER, open_transport, translate_errors, unexpected_response

try:
    import requests
    from simple_salesforce.login import SalesforceLogin, token_login
except ImportError:  # reported by require_libraries()
    pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """An open session of one user in one org.

    Attributes:
        refresh_token: a new one, to be stored before the session is used: the one that was sent may be dead.
    """

    access_token: str = dataclasses.field(repr=False)
    instance_url: str
    user_id: str | None = None
    refresh_token: str | None = dataclasses.field(default=None, repr=False)

    def describe(self, connection: Connection) -> dict[str, str | None]:
        """Return which org it is in, and as whom, as results of tasks say it."""
        return {
            "id": protocol.org_id_of(self.access_token),
            "host": urlsplit(self.instance_url).hostname,
            "user": connection.username or self.user_id,
        }


def login(connection: Connection) -> Session:
    """Log in once by the connection's flow.

    Raises:
        LoginError: the org refused, with its cause. Never repeat it.
        LoginUnansweredError: the response was unreadable; whether the login counted is unknown. Never repeat it.
        OrgError: the org could not be reached; nothing was sent.
        OptionError: the connection cannot be used; nothing was sent.
    """
    connection.checked()
    try:
        return FLOWS[connection.auth](connection)
    except LoginError:
        raise
    except OrgError as exc:
        if exc.cause == "tls_untrusted" or (isinstance(exc, NoResponseError) and not exc.sent):
            raise OrgError(f"{exc}. Nothing was sent, and no login was counted", cause=exc.cause) from None
        problem = f"{exc}. Whether the login was counted is not known, so it is not repeated"
        raise LoginUnansweredError(problem, cause=exc.cause) from None


def _given_session(connection: Connection) -> Session:
    """Return a session that somebody else has opened."""
    return Session(access_token=connection.access_token or "", instance_url=connection.instance_url or "")


def _by_soap(connection: Connection) -> Session:
    """Log in by SOAP. The token is joined to the password here, as simple-salesforce escapes only the password."""

    def send(transport: requests.Session) -> object:
        return SalesforceLogin(
            username=connection.username,
            password=connection.login_password,
            security_token="",  # noqa: S106
            session=transport,
            sf_version=protocol.soap_version(connection),
            scratch_url=connection.login_url.rstrip("/"),
        )

    return _open_session(connection, send, protocol.read_soap_answer)


def _by_app(connection: Connection) -> Session:
    """Ask the token endpoint."""
    assertion = sign_assertion(connection) if connection.auth == "jwt_bearer" else None
    form, headers = protocol.token_request(connection, assertion)
    if connection.auth == "refresh_token":
        sent = {"client_id": connection.consumer_key, "client_secret": connection.consumer_secret}
        sent |= {"grant_type": "refresh_token", "refresh_token": connection.refresh_token}
        form = {name: value for name, value in sent.items() if value}

    def send(transport: requests.Session) -> object:
        return token_login(
            token_url=protocol.token_url(connection),
            token_data=dict(form),
            domain="",
            consumer_key="",  # used in a warning only
            headers=dict(headers),
            proxies=None,
            session=transport,
        )

    return _open_session(connection, send, protocol.read_token_answer)


FLOWS: Mapping[str, Callable[[Connection], Session]] = {
    "security_token": _by_soap,
    "username_password": _by_app,
    "jwt_bearer": _by_app,
    "client_credentials": _by_app,
    "refresh_token": _by_app,
    "session": _given_session,
}


def _open_session(
    connection: Connection,
    send: Callable[[requests.Session], object],
    read: Callable[[int, bytes], protocol.Opened],
) -> Session:
    """Send a login once and return the session that its answer names."""
    answer = _send_once(connection, send)
    try:
        try:
            opened = read(answer.status_code, answer.content)
            refresh_token = _new_refresh_token(answer.content) if connection.auth == "refresh_token" else None
        except protocol.Refused as exc:
            raise login_error(connection, exc) from None
    except protocol.UnreadableAnswer:
        raise unexpected_response(answer) from None
    try:
        connection.require_allowed(opened.instance_url, option="instance_url")
    except OptionError as exc:
        raise OrgError(f"the login was accepted, but its answer leads elsewhere: {exc}") from None
    user_id = opened.user_id if opened.user_id.isalnum() and opened.user_id.startswith("005") else None
    return Session(
        access_token=opened.access_token,
        instance_url=opened.instance_url,
        user_id=user_id,
        refresh_token=refresh_token,
    )


def _new_refresh_token(body: bytes) -> str | None:
    """Return the token that came in place of the one that was sent, if there is one; raises UnreadableAnswer."""
    token = protocol.read_object(body).get("refresh_token")
    if token is not None and not (isinstance(token, str) and HEADER_VALUE.fullmatch(token)):
        raise protocol.UnreadableAnswer
    return token


def _send_once(connection: Connection, send: Callable[[requests.Session], object]) -> requests.Response:
    """Return the answer to one request, whatever simple-salesforce makes of it."""
    answers: list[requests.Response] = []

    def keep(answer: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        answers.append(answer)

    transport = open_transport(connection, MAX_LOGIN_ANSWER)
    transport.hooks["response"].append(keep)
    with transport, translate_errors(connection.login_url), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            send(transport)
        except (OrgError, requests.exceptions.RequestException):
            if not answers:
                raise
        except Exception:  # its own errors quote the answer, or stem from parsing before checking
            if not answers:
                raise OrgError(f"{urlsplit(connection.login_url).hostname} gave no answer to the login") from None
    return answers[-1]
