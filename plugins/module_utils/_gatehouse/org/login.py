# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login flows: a connection in, a session out, exactly one attempt.

All go through simple-salesforce. Its SalesforceLogin builds https://DOMAIN.salesforce.com for the flows by an app, so
these use its token_login, which takes any URL.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ..auth.causes import Cause, cause, cause_of_code, cause_of_oauth_error, is_code
from ..auth.connection import SOAP_LOGIN_LAST_VERSION, Connection
from ..auth.private_key import signing_key
from ..errors import LoginError, LoginUnansweredError, NoResponseError, OptionError, OrgError
from ..text import HEADER_VALUE
from .transport import MAX_LOGIN_ANSWER, open_transport, translate_errors, unexpected_response

try:
    import jwt
    import requests
    from simple_salesforce.login import SalesforceLogin, token_login
    from simple_salesforce.util import getUniqueElementValueFromXmlString
except ImportError:  # told to the user by require_libraries()
    pass
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 180  # the longest that every org is known to take


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """An open session of one user in one org."""

    access_token: str = dataclasses.field(repr=False)
    instance_url: str
    user_id: str | None = None


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
            raise OrgError(str(exc), cause=exc.cause) from None
        problem = f"{exc}. Whether the login was counted is not known, so it is not repeated"
        raise LoginUnansweredError(problem, cause=exc.cause) from None


def _session(connection: Connection) -> Session:
    """A session that somebody else has opened."""
    return Session(access_token=connection.access_token or "", instance_url=connection.instance_url or "")


def _security_token(connection: Connection) -> Session:
    """SOAP login. The token is joined to the password here, as simple-salesforce escapes only the password."""
    version = str(min(float(connection.api_version), SOAP_LOGIN_LAST_VERSION))
    with _asking(connection, _soap_refusal) as (transport, answers):
        session_id, host = SalesforceLogin(
            username=connection.username,
            password=connection.login_password,
            security_token="",  # noqa: S106
            session=transport,
            sf_version=version,
            scratch_url=connection.login_url.rstrip("/"),
        )
        answer = answers[-1].content
        expired = getUniqueElementValueFromXmlString(answer, "passwordExpired")
        user_id = getUniqueElementValueFromXmlString(answer, "userId")
    if expired == "true":
        raise _refused(connection, cause("password_expired"))
    return _opened(connection, session_id, host, user_id)


def _username_password(connection: Connection) -> Session:
    """The OAuth password flow, which Salesforce retires in February 2027."""
    form = {
        "grant_type": "password",
        "client_id": connection.consumer_key,
        "client_secret": connection.consumer_secret,
        "username": connection.username,
        "password": connection.login_password,
    }
    return _by_app(connection, form)


def _jwt_bearer(connection: Connection) -> Session:
    """An assertion, signed by the key whose certificate the app has."""
    return _by_app(connection, {"grant_type": JWT_BEARER, "assertion": signed_assertion(connection)})


def signed_assertion(connection: Connection) -> str:
    """What jwt_bearer sends: good for ASSERTION_SECONDS, at the host of the login URL."""
    claims = {
        "iss": connection.consumer_key,
        "sub": connection.username,
        "aud": f"https://{urlsplit(connection.login_url).netloc.lower().removesuffix(':443')}",
        "exp": int(time.time()) + ASSERTION_SECONDS,
    }
    return str(jwt.encode(claims, signing_key(connection.private_key or ""), algorithm="RS256"))


def _client_credentials(connection: Connection) -> Session:
    """The app itself, as the user that it names to run as."""
    basic = base64.b64encode(f"{connection.consumer_key}:{connection.consumer_secret}".encode()).decode()
    return _by_app(connection, {"grant_type": "client_credentials"}, {"Authorization": f"Basic {basic}"})


FLOWS: Mapping[str, Callable[[Connection], Session]] = {
    "security_token": _security_token,
    "username_password": _username_password,
    "jwt_bearer": _jwt_bearer,
    "client_credentials": _client_credentials,
    "session": _session,
}


def _by_app(connection: Connection, form: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Session:
    """Ask the token endpoint."""
    with _asking(connection, _oauth_refusal) as (transport, answers):
        access_token, host = token_login(
            token_url=f"{connection.login_url.rstrip('/')}/services/oauth2/token",
            token_data=dict(form),
            domain="",
            consumer_key="",  # used in a warning only
            headers=dict(headers or {}),
            proxies=None,
            session=transport,
        )
        identity = str(answers[-1].json().get("id"))
    user_id = re.search(r"/(005[A-Za-z0-9]{12,15})$", identity)
    return _opened(connection, access_token, host, user_id[1] if user_id else None)


Refusal: TypeAlias = "Callable[[requests.Response, Connection], Cause | None]"


@contextmanager
def _asking(connection: Connection, refusal: Refusal) -> Iterator[tuple[requests.Session, list[requests.Response]]]:
    """A transport, and the answers that came through it; turns what simple-salesforce raises into our own errors.

    Its exceptions quote the answer, or stem from parsing before checking: so the answer is looked at again.
    """
    answers: list[requests.Response] = []
    transport = open_transport(connection, MAX_LOGIN_ANSWER)
    transport.hooks["response"].append(lambda answer, *_args, **_kwargs: answers.append(answer))
    with transport, translate_errors(connection.login_url), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield transport, answers
        except (OrgError, requests.exceptions.RequestException):
            raise
        except Exception:
            if not answers:
                raise OrgError("no answer came to the login") from None
            found = refusal(answers[-1], connection)
            raise _refused(connection, found) if found else unexpected_response(answers[-1]) from None


def _soap_refusal(answer: requests.Response, _connection: Connection) -> Cause | None:
    try:
        code = getUniqueElementValueFromXmlString(answer.content, "sf:exceptionCode") or ""
        text = getUniqueElementValueFromXmlString(answer.content, "sf:exceptionMessage") or ""
    except Exception:  # whatever an XML parser meets in a page of a proxy
        return None
    return _coded(cause_of_code(code, text), code)


def _oauth_refusal(answer: requests.Response, connection: Connection) -> Cause | None:
    try:
        content = answer.json()
        told = content[0] if isinstance(content, list) else content
        code, text = str(told.get("error") or told["errorCode"]), str(told.get("error_description") or "")
    except Exception:  # no JSON, or none of this form, or nested too deeply
        return None
    return _coded(cause_of_oauth_error(code, text, token_sent=bool(connection.security_token)), code)


def _coded(found: Cause | None, code: str) -> Cause | None:
    """A finding with the code that led to it; what is not known to us, but looks like a code, is a refusal too."""
    if not is_code(code):
        return None
    if found is None:
        return Cause("invalid_credentials", f"the org refused it as {code}")
    return Cause(found.cause, f"{found.advice} ({code})")


def _refused(connection: Connection, found: Cause) -> LoginError:
    who = connection.username or f"the app {connection.consumer_key}"
    host = urlsplit(connection.login_url).hostname
    return LoginError(f"{who} could not log in at {host}: {found.advice}", cause=found.cause)


def _opened(connection: Connection, access_token: Any, host: str, user_id: str | None) -> Session:
    """The session, if it is one, in a place where it may be used."""
    instance_url = f"https://{host}".rstrip("/")
    try:
        connection.require_allowed(instance_url, option="instance_url")
    except OptionError as exc:
        raise OrgError(f"the login was accepted, but its answer leads elsewhere: {exc}") from None
    if not isinstance(access_token, str) or not HEADER_VALUE.fullmatch(access_token):
        raise OrgError(f"{urlsplit(connection.login_url).hostname} did not answer as Salesforce does: no access token")
    return Session(access_token=access_token, instance_url=instance_url, user_id=user_id)
