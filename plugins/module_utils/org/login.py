# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login flows: a connection in, a session out, exactly one attempt. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from ..connection import SOAP_LOGIN_LAST_VERSION, Connection
from ..errors import LoginError, OptionError, OrgError
from .transport import open_transport, unexpected, wire_errors

try:
    import requests
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed
    from simple_salesforce.login import SalesforceLogin
    from simple_salesforce.util import getUniqueElementValueFromXmlString
except ImportError:  # told to the user by require_libraries()
    pass

# Source: the fault codes of the partner WSDL and the login() page of the SOAP API guide.
CAUSES = {
    "INVALID_LOGIN": "invalid_credentials",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "token_required_here",
    "LOGIN_DURING_RESTRICTED_DOMAIN": "ip_denied",
    "LOGIN_DURING_RESTRICTED_TIME": "hours_denied",
    "PASSWORD_LOCKOUT": "user_locked",
    "ORG_LOCKED": "user_locked",
    "INVALID_OPERATION": "soap_login_disabled",
    "UNSUPPORTED_API_VERSION": "api_version_too_new",
    "API_DISABLED_FOR_ORG": "api_disabled",
    "INSUFFICIENT_ACCESS": "not_approved",
    "REQUEST_LIMIT_EXCEEDED": "rate_limited",
    "SERVER_UNAVAILABLE": "unreachable",
}
ADVICE = {
    "invalid_credentials": "the user name, the password or the security token is wrong, or the user is locked",
    "token_required_here": "this address is not trusted by the org, so the security token is needed",
    "ip_denied": "the login IP ranges of the user's profile do not hold this address",
    "hours_denied": "the login hours of the user's profile do not allow a login now",
    "user_locked": "the user is locked after too many wrong tries; wait, or unlock it in Setup",
    "soap_login_disabled": "this org has SOAP login switched off; enable it in Setup or use an OAuth flow",
    "api_version_too_new": "SOAP login ends with API version 64.0",
    "api_disabled": "the org or the user has no access to the API",
    "not_approved": "the user lacks the permission 'Use Any API Auth'",
    "rate_limited": "the org limits how often this user may log in; wait before the next try",
    "password_expired": "the password has expired; set a new one, which also ends the security token",
}


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
        OrgError: the org could not be reached or understood; whether the login counted is unknown.
        OptionError: the flow is not one that this version can use; nothing was sent.
    """
    connection.checked()
    if connection.auth == "session":
        return Session(access_token=connection.access_token or "", instance_url=connection.instance_url or "")
    if connection.auth != "security_token":
        raise OptionError("auth", f"{connection.auth} is not supported by this version")
    return _soap_login(connection)


def _soap_login(connection: Connection) -> Session:
    """SOAP login through simple-salesforce.

    The token is joined to the password here because simple-salesforce escapes only the password.
    """
    answers: list[requests.Response] = []
    transport = open_transport(connection)
    transport.hooks["response"].append(lambda answer, *_args, **_kwargs: answers.append(answer))
    with transport, wire_errors(connection.login_url):
        try:
            session_id, host = SalesforceLogin(
                username=connection.username,
                password=connection.login_password,
                security_token="",  # noqa: S106
                session=transport,
                sf_version=str(min(float(connection.api_version), SOAP_LOGIN_LAST_VERSION)),
                scratch_url=connection.login_url.rstrip("/"),
            )
        except SalesforceAuthenticationFailed as exc:
            raise _refusal(connection, str(exc.code), answers) from None
        except (OrgError, requests.exceptions.RequestException):
            raise
        except Exception:  # simple-salesforce parses before it checks: a page that is no SOAP ends here
            raise _not_salesforce(answers) from None
    instance_url = f"https://{host}"
    try:
        connection.require_allowed(instance_url, option="serverUrl")
    except OptionError as exc:
        raise OrgError(f"the login was accepted, but its answer leads elsewhere: {exc}") from None
    if _value(answers, "passwordExpired") == "true":
        raise LoginError(_sentence("password_expired", connection), cause="password_expired")
    return Session(access_token=session_id, instance_url=instance_url, user_id=_value(answers, "userId"))


def _refusal(connection: Connection, code: str, answers: list[requests.Response]) -> OrgError:
    cause = CAUSES.get(code)
    if cause is not None:
        return LoginError(f"{_sentence(cause, connection)} ({code})", cause=cause)
    if code.isupper() and code.replace("_", "").isalpha() and code != "UNKNOWN_EXCEPTION_CODE":
        return LoginError(f"{connection.username} was refused by the org: {code}", cause="invalid_credentials")
    return _not_salesforce(answers)


def _sentence(cause: str, connection: Connection) -> str:
    host = urlsplit(connection.login_url).hostname
    return f"{connection.username} could not log in at {host}: {ADVICE.get(cause, cause)}"


def _value(answers: list[requests.Response], element: str) -> str | None:
    return getUniqueElementValueFromXmlString(answers[-1].content, element)


def _not_salesforce(answers: list[requests.Response]) -> OrgError:
    return unexpected(answers[-1]) if answers else OrgError("no answer came to the login")
