# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a login failed, and what to do about it. Pure.

Sources: the fault codes of the partner WSDL, the login() page of the SOAP API guide, the errors of the OAuth flows, and
the LOGIN_STATUS table of the event log files, whose texts LoginHistory shows.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Salesforce counted these as wrong tries; a few more lock the user out.
REJECTED_CAUSES = ("bad_password", "stale_token", "invalid_credentials")
# One sentence for each cause: what is the matter, and what to do.
ADVICE = {
    "ok": "logged in",
    "bad_password": "the password is wrong; store the right one, and the security token that came after it",
    "stale_token": "the password is right but the security token is not; reset it as this user, store the new one",
    "token_required_here": "this address is not trusted by the org, so the security token is needed; store it, or have "
    "the address added to the trusted IP ranges",
    "invalid_credentials": "the user name, the password or the security token is wrong, or the user is locked; look at "
    "its login history in Setup",
    "user_locked": "the user is locked after too many wrong tries; wait, or unlock it in Setup",
    "password_expired": "the password has expired; set a new one, which also ends the security token",
    "ip_denied": "the login IP ranges of the user's profile do not hold this address; add it there",
    "hours_denied": "the login hours of the user's profile do not allow a login now; wait, or change them in Setup",
    "soap_login_disabled": "this org has SOAP login switched off; enable it in Setup > User Interface, or use an OAuth "
    "flow",
    "api_version_too_new": "SOAP login ends with API version 64.0; use that, or an OAuth flow",
    "flow_blocked": "the org does not allow this way to log in; allow it in Setup, or use jwt_bearer",
    "not_approved": "the user is not allowed to log in this way; for SOAP login it needs the permission 'Use Any API "
    "Auth', for OAuth the approval of the app",
    "rate_limited": "the org limits how often this user may log in; wait an hour before the next try",
    "api_disabled": "the org or the user has no access to the API; give the user the permission 'API Enabled'",
    "unreachable": "no answer came from Salesforce; look at the network, the proxy and login_url",
    "tls_untrusted": "the certificate is not one that is trusted here; name its authority in ca_path",
}
# Exception codes of SOAP and REST.
CAUSES = {
    "INVALID_LOGIN": "invalid_credentials",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "token_required_here",
    "LOGIN_CHALLENGE_ISSUED": "token_required_here",
    "LOGIN_CHALLENGE_PENDING": "token_required_here",
    "LOGIN_DURING_RESTRICTED_DOMAIN": "ip_denied",
    "LOGIN_DURING_RESTRICTED_TIME": "hours_denied",
    "PASSWORD_LOCKOUT": "user_locked",
    "ORG_LOCKED": "user_locked",
    "INVALID_OPERATION": "soap_login_disabled",
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "password_expired",
    "UNSUPPORTED_API_VERSION": "api_version_too_new",
    "API_DISABLED_FOR_ORG": "api_disabled",
    "FUNCTIONALITY_NOT_ENABLED": "api_disabled",
    "TRIAL_EXPIRED": "api_disabled",
    "INSUFFICIENT_ACCESS": "not_approved",
    "REQUEST_LIMIT_EXCEEDED": "rate_limited",
    "SERVER_UNAVAILABLE": "unreachable",
    "SSO_SERVICE_DOWN": "unreachable",
    "INVALID_SESSION_ID": "invalid_credentials",
}
# What a refusal says that does not tell all; anything else is believed, as the row found may be of another login.
UNSPECIFIC = ("invalid_credentials", "token_required_here")
BY_ADDRESS = ("ip_denied", "token_required_here")
_NEAR = datetime.timedelta(minutes=1)


class Cause(NamedTuple):
    """A cause, one of the documented values of RV(verification.cause), and one sentence about it."""

    cause: str
    advice: str


def cause(cause: str) -> Cause:
    """The cause with its usual advice."""
    return Cause(cause, ADVICE[cause])


_OF_CODES = {
    "ORG_LOCKED": Cause("user_locked", "the whole org is locked; ask Salesforce"),
    "TRIAL_EXPIRED": Cause("api_disabled", "the trial of this org has expired"),
    "INSUFFICIENT_ACCESS": Cause(
        "not_approved", "the user lacks the permission 'Use Any API Auth'; grant it, or use an OAuth flow"
    ),
    "INVALID_SESSION_ID": Cause("invalid_credentials", "the session has ended or never was one; open another"),
}


def cause_of_code(code: str, text: str = "") -> Cause | None:
    """What an exception code means; None for one that is not known to be about logins."""
    if "login rate exceeded" in text.lower():
        return cause("rate_limited")
    known = CAUSES.get(code)
    return None if known is None else _OF_CODES.get(code) or cause(known)


# Beginnings of descriptions, as they are seen in clients; longer ones before shorter ones.
_GRANT_REFUSED = (
    (
        "ip restricted or invalid login hours",
        Cause(
            "ip_denied", "the user's profile does not allow this address, or not at this hour; look at both in Setup"
        ),
    ),
    ("ip restricted", cause("ip_denied")),
    (
        "user hasn't approved",
        Cause("not_approved", "the app may not act for this user; have an administrator approve it in advance"),
    ),
    (
        "no client credentials user",
        Cause("not_approved", "the app names no user to run as; set one in its client credentials flow"),
    ),
    (
        "request not supported on this domain",
        Cause("flow_blocked", "this flow works at the org's own My Domain address only; set login_url to it"),
    ),
    ("audience", Cause("flow_blocked", "the assertion is for another address; set login_url to this org's")),
    (
        "expired access/refresh token",
        Cause("invalid_credentials", "the token has expired, or this org has no such user"),
    ),
    # REPORTED texts of assertions.
    (
        "invalid assertion",
        Cause(
            "invalid_credentials",
            "the app does not take this key; upload the certificate that belongs to private_key, or wait some minutes "
            "if that was just done; if it was, see whether the controller's clock is ahead",
        ),
    ),
    (
        "expired authorization code",
        Cause("invalid_credentials", "the assertion had expired when it came; set the controller's clock right"),
    ),
)
_APP_REFUSED = {
    "invalid_client_id": Cause("invalid_credentials", "no app has this consumer key; a new one takes some minutes"),
    "invalid_client": Cause("invalid_credentials", "the consumer key or the consumer secret is wrong"),
    "invalid_app_access": Cause("not_approved", "the app is not approved for this user; add the user's profile to it"),
    "inactive_user": Cause("user_locked", "the user is inactive; activate it in Setup"),
    "inactive_org": Cause("api_disabled", "the org is locked, closed or suspended"),
    "rate_limit_exceeded": cause("rate_limited"),
    "unsupported_grant_type": cause("flow_blocked"),
    "invalid_scope": Cause("flow_blocked", "the app does not have the scopes that this flow asks for"),
}


def cause_of_oauth_error(error: str, description: str = "", *, token_sent: bool = True) -> Cause | None:
    """What an error of the token endpoint means; None for one that is not known."""
    if error != "invalid_grant":
        return _APP_REFUSED.get(error) or cause_of_code(error, description)
    text = description.lower()
    for beginning, found in _GRANT_REFUSED:
        if text.startswith(beginning):
            return found
    # The older form has LoginHistory's status at its end.
    _failure, _dash, status = description.partition(" - ")
    return cause_of_status(status, token_sent=token_sent) or Cause(
        "invalid_credentials",
        f"{ADVICE['invalid_credentials']}. An org that does not allow this flow is reported to say the same",
    )


_STATUSES: dict[str, Cause] = {
    "invalid login": Cause("invalid_credentials", "the user name is not one of this org; look at login_url, too"),
    "restricted ip": cause("ip_denied"),
    "failed: ip address not allowed": cause("ip_denied"),
    "restricted country": Cause("ip_denied", "Salesforce takes no logins from this country"),
    "restricted time": cause("hours_denied"),
    "restricted domain": Cause(
        "flow_blocked", "the org takes logins at its own My Domain address only; set login_url to it"
    ),
    "password lockout": cause("user_locked"),
    # REPORTED: not in Salesforce's own list.
    "username-password flow disabled": cause("flow_blocked"),
    "user is inactive": Cause("user_locked", "the user is inactive; activate it in Setup"),
    "user is frozen": Cause("user_locked", "the user is frozen; unfreeze it in Setup"),
    "organization locked": Cause("user_locked", "the whole org is locked; ask Salesforce"),
    "organization is inactive": Cause("api_disabled", "the org is inactive"),
    "organization suspended": Cause("api_disabled", "the org is suspended"),
    "organization closed": Cause("api_disabled", "the org is closed"),
    "organization is in maintenance": Cause("unreachable", "the org is in maintenance; wait"),
    "login rate exceeded": cause("rate_limited"),
    "maximum logins exceeded": cause("rate_limited"),
    "failed: get access token limit exceeded": cause("rate_limited"),
    "failed: api version removed": Cause("flow_blocked", "this version of the API is no longer there"),
    "failed: oauth api access disabled": cause("api_disabled"),
    "failed: computer activation required": cause("token_required_here"),
    "failed: computer activation pending": cause("token_required_here"),
    "multi-factor (formerly two-factor) required": Cause(
        "flow_blocked",
        "the user has MFA for API Logins, so no token serves; use jwt_bearer, or take that permission away",
    ),
}


def cause_of_status(status: str, *, token_sent: bool, password_changed: bool | None = None) -> Cause | None:
    """What LoginHistory's status means; its capitals vary. None for one that says nothing more."""
    text = status.strip().lower()
    if text == "invalid password":
        return _wrong_password(token_sent, password_changed)
    if text == "failed: api security token required":
        return cause("stale_token" if token_sent else "token_required_here")
    return _STATUSES.get(text)


def _wrong_password(token_sent: bool, changed: bool | None) -> Cause:
    """Whether a wrong token is recorded as a wrong password is not documented, but inferred; so it may be either."""
    if not token_sent:
        return cause("bad_password")
    if changed:
        return Cause(
            "bad_password",
            "the password was changed since it last passed a login, which ended the security token, too; store both",
        )
    if changed is False:
        return Cause(
            "stale_token",
            "the password is the one that last passed a login, so the security token is no longer right; reset it as "
            "this user, store the new one",
        )
    return Cause(
        "bad_password",
        "Salesforce recorded a wrong password, which may also stand for a wrong security token; check the password by "
        "hand, and reset the token if it is right",
    )


def is_code(text: str) -> bool:
    """Whether a text looks like one of Salesforce's codes, so that it may be shown."""
    return re.fullmatch(r"[A-Za-z][A-Za-z_]{2,60}", text) is not None


# Verdicts on what was tried. The last one is of a token that is missing, or that does not count.
NOT_LOGGED_IN_CAUSES = (*REJECTED_CAUSES, "token_required_here")
# Another try from elsewhere in the same run would be as wrong.
FINAL_CAUSES = ("bad_password", "stale_token", "invalid_credentials", "user_locked")


def own_row(rows: Sequence[Mapping[str, Any]], sent_from: str | None) -> Mapping[str, Any] | None:
    """Which of a user's last rows in LoginHistory is the login in question; None where that cannot be told.

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
    try:
        return datetime.datetime.fromisoformat(str(row.get("LoginTime")))
    except ValueError:
        return None
