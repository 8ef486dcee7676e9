# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name why a login failed, and what to do about it. Pure.

Sources: the fault codes of the partner WSDL, the login() page of the SOAP API guide, the errors of the OAuth flows, and
the LOGIN_STATUS table of the event log files, whose texts LoginHistory shows.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

# The sets of causes, each by what it means for the next login.
# The secret is wrong. Salesforce has counted a failed login, and a few more lock the user.
SECRET_REJECTED = ("bad_password", "stale_token", "invalid_credentials")
# The same from everywhere, until somebody changes the secret or the user.
SAME_EVERYWHERE = (*SECRET_REJECTED, "user_locked", "rate_limited")
# The same from this address. A missing token may count as a failed login, which is not documented.
SAME_FROM_HERE = (*SAME_EVERYWHERE, "token_required_here")
# Verdicts on password and token: another token may pass.
NOT_ACCEPTED = (*SECRET_REJECTED, "token_required_here")
# The address decides.
BY_ADDRESS = ("ip_denied", "token_required_here")
# What a refusal may turn out to be in the login history. What is not listed is certain: the row may be another login's.
UNCERTAIN: dict[str, tuple[str, ...] | None] = {
    "invalid_credentials": None,  # anything
    "token_required_here": None,
    "ip_denied": ("hours_denied",),  # which OAuth reports in one text
}
# One sentence for each cause: what is the matter, and what to do.
ADVICE = {
    "ok": "logged in",
    "bad_password": "the password is not the right one; store that, and the security token that came after it",
    "stale_token": "the password is right but the security token is not; reset it as this user, store the new one",
    "token_required_here": "this address is not trusted by the org, so the security token is needed; store it, or have "
    "the address added to the trusted IP ranges",
    "invalid_credentials": "the user name, the password or the security token is not right, or the user is locked; "
    "look at its login history in Setup",
    "user_locked": "the user is locked after too many failed logins; wait, or unlock it in Setup",
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


class Cause(NamedTuple):
    """One of the documented values of RV(verification.cause), and a sentence that says what to do."""

    code: str
    advice: str


@dataclasses.dataclass(frozen=True)
class Verification:
    """The outcome of a login.

    Attributes:
        result: C(ok), C(failed) or C(skipped).
        cause: the code of a Cause, or None when skipped.
        detail: a sentence for the user, without secrets.
        address: at which Salesforce saw the login, where that is known.
        local_address: from which it was sent; addresses may be translated on the way.
    """

    result: str = "skipped"
    cause: str | None = None
    detail: str = ""
    address: str | None = None
    local_address: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Return what modules return as RV(verification)."""
        return {"result": self.result, "cause": self.cause, "detail": self.detail}


LOGGED_IN = Verification("ok", "ok", "logged in")


def cause(code: str) -> Cause:
    """Return the cause with its usual advice."""
    return Cause(code, ADVICE[code])


_OF_CODES = {
    "ORG_LOCKED": Cause("user_locked", "the whole org is locked; ask Salesforce"),
    "TRIAL_EXPIRED": Cause("api_disabled", "the trial of this org has expired"),
    "INSUFFICIENT_ACCESS": Cause(
        "not_approved", "the user lacks the permission 'Use Any API Auth'; grant it, or use an OAuth flow"
    ),
    "INVALID_SESSION_ID": Cause("invalid_credentials", "the session has ended or never was one; open another"),
}


def cause_of_code(code: str, text: str = "") -> Cause | None:
    """Return what an exception code means; None for one that is not known to be about logins.

    Args:
        text: of the exception, which tells some apart.
    """
    if "login rate exceeded" in text.lower():
        return cause("rate_limited")
    # REPORTED: the same code as for an org with SOAP login switched off, of which two wordings are seen.
    if code == "INVALID_OPERATION" and "api version" in text.lower():
        return cause("api_version_too_new")
    known = CAUSES.get(code)
    return None if known is None else _OF_CODES.get(code) or cause(known)


_NOT_PREAUTHORISED = Cause(
    "not_approved",
    "the app may not act for this user; assign the user the permission set, or the profile, that the app's policy "
    "pre-authorises",
)
_APP_NOT_HERE = Cause(
    "flow_blocked", "this host does not know the app, which works in its own org only; set login_url to its My Domain"
)
_NO_REFRESH_SCOPE = Cause(
    "not_approved",
    "the app lacks the scope refresh_token, which jwt_bearer needs beside api; add it, and pre-authorise the user by a "
    "permission set",
)
# Beginnings of descriptions, as they are seen in clients; longer ones before shorter ones.
_GRANT_REFUSED = (
    (
        "ip restricted or invalid login hours",
        Cause(
            "ip_denied", "the user's profile does not allow this address, or not at this hour; look at both in Setup"
        ),
    ),
    ("ip restricted", cause("ip_denied")),
    ("user hasn't approved", _NOT_PREAUTHORISED),
    ("app_not_found", _APP_NOT_HERE),
    ("external client app is not installed", _APP_NOT_HERE),
    ("cross-org oauth flows are not supported", _APP_NOT_HERE),
    (
        "no client credentials user",
        Cause("not_approved", "the app names no user to run as; set one in its client credentials flow"),
    ),
    (
        "request not supported on this domain",
        Cause("flow_blocked", "this flow works at the org's own My Domain address only; set login_url to it"),
    ),
    (
        "audience",
        Cause("flow_blocked", "the assertion is for another address; set login_url, or audience, to the org's"),
    ),
    (
        "expired access/refresh token",
        Cause(
            "invalid_credentials",
            "the refresh token has expired, was revoked or was exchanged elsewhere for another one, or this org does "
            "not know it; authorise the org again, such as by sf org login web, and store what that gives",
        ),
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
    "invalid_client": Cause("invalid_credentials", "the consumer key or the consumer secret is not right"),
    "invalid_app_access": _NOT_PREAUTHORISED,
    "app_not_found": _APP_NOT_HERE,
    "inactive_user": Cause("user_locked", "the user is inactive; activate it in Setup"),
    "inactive_org": Cause("api_disabled", "the org is locked, closed or suspended"),
    "rate_limit_exceeded": cause("rate_limited"),
    "unsupported_grant_type": cause("flow_blocked"),
    "invalid_scope": Cause("flow_blocked", "the app does not have the scopes that this flow asks for"),
}


def cause_of_oauth_error(error: str, description: str = "", *, token_sent: bool = True) -> Cause | None:
    """Return what an error of the token endpoint means; None for one that is not known."""
    text = description.lower()
    if text.startswith("refresh_token scope is required"):
        return _NO_REFRESH_SCOPE
    known = next((known for beginning, known in _GRANT_REFUSED if text.startswith(beginning)), None)
    if error != "invalid_grant":
        at_app = known if known is _APP_NOT_HERE else None
        return at_app or _APP_REFUSED.get(error) or cause_of_code(error, description)
    if known:
        return known
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
    # REPORTED: on one page of Salesforce's, in place of the first.
    "failed: ip restricted": cause("ip_denied"),
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
    """Return what a status of LoginHistory means, whose capitals vary; None for one that says nothing more."""
    text = status.strip().lower()
    if text == "invalid password":
        return _wrong_password(token_sent, password_changed)
    if text == "failed: api security token required":
        return cause("stale_token" if token_sent else "token_required_here")
    return _STATUSES.get(text)


def _wrong_password(token_sent: bool, changed: bool | None) -> Cause:
    """Return the cause of a status that may mean either: that a wrong token is recorded so is inferred."""
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
        "Salesforce recorded that the password is not right, which may also stand for the security token; check the "
        "password by hand, and reset the token if it is right",
    )
