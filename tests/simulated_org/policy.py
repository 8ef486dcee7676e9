# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this attempt log in? A pure function over the documented order of checks (CONFIRMED unless said otherwise)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .addresses import inside, number
from .state import Org, Profile, User

INVALID = "Invalid username, password, security token; or user locked out."
TOKEN_NEEDED = (
    f"{INVALID} Are you at a new location? When accessing Salesforce--either via a desktop client or the API--from "
    "outside of your company\N{RIGHT SINGLE QUOTATION MARK}s trusted networks, you must add a security token to your "
    "password to log in. To get your new security token, log in to Salesforce. From your personal settings, enter "
    "Reset My Security Token in the Quick Find box, then select Reset My Security Token."
)
SOAP_LOGIN_OFF = "{0} is disabled by default in this org. Contact the org administrator to enable {0}."
VERSION_WITHOUT_LOGIN = (
    "The SOAP Login operation is not available in the API version specified ({version:.1f}). "
    "Refer to the documentation for supported versions."
)
# INVENTED texts: the codes are documented, what the server says is not known.
RESTRICTED_TIME = "cannot log in at this time"
ORG_LOCKED = "organization is locked"
API_DISABLED = "API is not enabled for this Organization or Partner"
NO_USE_ANY_API_AUTH = "user does not have the Use Any API Auth permission"
RATE_EXCEEDED = "Login Rate Exceeded"


@dataclass(frozen=True)
class Attempt:
    """One login attempt: `secret` is password and token in one; None where something else than a password was shown."""

    secret: str | None
    peer: str
    now: datetime.datetime
    host: str = ""
    # By an app that relaxes IP restrictions.
    relaxed: bool = False


@dataclass(frozen=True)
class Verdict:
    """The outcome: no code means that the login succeeds; no status means that LoginHistory gets no row."""

    code: str | None = None
    message: str = ""
    status: str | None = "Success"
    counts: bool = False

    @property
    def allowed(self) -> bool:
        return self.code is None


SUCCESS = Verdict()


def _refuse_org(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    return Verdict("ORG_LOCKED", ORG_LOCKED, "Organization locked") if org.locked else None


def _refuse_soap(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    if org.own_host_only and attempt.host != urlsplit(org.instance_url or "").netloc:
        return Verdict(org.switches.wrong_host_code, INVALID, "Restricted domain")
    return _soap_login_off(org) if org.switches.soap_login_off_check == "first" else None


def _soap_login_off(org: Org) -> Verdict | None:
    return (
        None
        if org.soap_login_enabled
        else Verdict("INVALID_OPERATION", SOAP_LOGIN_OFF.format(org.switches.soap_login_off_text), None)
    )


def _refuse_user(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    if user.rate_blocked_until is not None and attempt.now < user.rate_blocked_until:
        text = INVALID if org.switches.rate_limit_code == "INVALID_LOGIN" else RATE_EXCEEDED
        return Verdict(org.switches.rate_limit_code, text, "Login rate exceeded")
    if user.locked_until is not None and attempt.now < user.locked_until:
        return Verdict(org.switches.lockout_code, INVALID, "Password lockout")
    if not user.active:
        return Verdict("INVALID_LOGIN", INVALID, "User is inactive")
    if user.frozen:
        return Verdict("INVALID_LOGIN", INVALID, "User is frozen")
    return None


def _refuse_hours(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    if profile.login_hours is None:
        return None
    start, end = profile.login_hours.get(attempt.now.weekday(), (0, 0))
    if start <= attempt.now.hour * 60 + attempt.now.minute < end:
        return None
    return Verdict("LOGIN_DURING_RESTRICTED_TIME", RESTRICTED_TIME, "Restricted time")


def _refuse_address(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    if attempt.relaxed or not profile.login_ip_ranges or inside(number(attempt.peer), profile.login_ip_ranges):
        return None
    return Verdict(
        "LOGIN_DURING_RESTRICTED_DOMAIN", "cannot log in from current domain", org.switches.restricted_ip_status
    )


def trusted(org: Org, profile: Profile, peer: str) -> bool:
    """Whether no token is needed: the profile's ranges decide alone where there are any."""
    return inside(number(peer), profile.login_ip_ranges or org.trusted_ranges)


def _refuse_secret(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    switches = org.switches
    if attempt.secret is None:
        return None
    bad = Verdict("INVALID_LOGIN", INVALID, _cased(org, "Invalid password"), counts=True)
    if not attempt.secret.startswith(user.password):
        return bad
    bad = replace(bad, status=_cased(org, switches.wrong_token_status))
    suffix = attempt.secret[len(user.password) :]
    if "TwoFactorApi" in org.permissions(user):
        # MFA for API Logins: the token is refused, a one-time code takes its place. Without one, the code is a guess.
        if suffix and suffix == user.totp:
            return None
        return bad if suffix else Verdict("INVALID_LOGIN", INVALID, "Multi-factor (formerly two-factor) required")
    if trusted(org, profile, attempt.peer) or (attempt.relaxed and not switches.relaxed_app_needs_token):
        with_token = suffix == user.security_token and switches.token_from_trusted == "accepted"
        return None if not suffix or with_token else bad
    if not suffix:
        text = TOKEN_NEEDED if switches.missing_token == "LOGIN_MUST_USE_SECURITY_TOKEN" else INVALID
        status = "Failed: API security token required"
        return Verdict(switches.missing_token, text, status, counts=switches.missing_token_counts)
    return None if suffix == user.security_token else bad


def _refuse_permission(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    permissions = org.permissions(user)
    if not org.api_enabled or "ApiEnabled" not in permissions:
        return Verdict("API_DISABLED_FOR_ORG", API_DISABLED, None)
    if org.switches.require_use_any_api_auth and "UseAnyApiAuth" not in permissions:
        return Verdict("INSUFFICIENT_ACCESS", NO_USE_ANY_API_AUTH, None)
    return _soap_login_off(org)


def _refuse_app_user(org: Org, user: User, profile: Profile, attempt: Attempt) -> Verdict | None:
    """The status is documented; whether the login is refused, or only what is called after it, is UNKNOWN."""
    if org.api_enabled and "ApiEnabled" in org.permissions(user):
        return None
    return Verdict("API_DISABLED_FOR_ORG", API_DISABLED, "Failed: OAuth API access disabled")


def _cased(org: Org, status: str) -> str:
    """Only for a wrong password are two spellings known."""
    return "Invalid Password" if (status, org.switches.status_case) == ("Invalid password", "title") else status


Check = Callable[[Org, User, Profile, Attempt], Verdict | None]
Judge = Callable[[Org, User, Attempt], Verdict]
_ADDRESS_FIRST: tuple[Check, ...] = (_refuse_user, _refuse_hours, _refuse_address, _refuse_secret)
_SECRET_FIRST: tuple[Check, ...] = (_refuse_user, _refuse_secret, _refuse_hours, _refuse_address)


def judge(org: Org, user: User, attempt: Attempt) -> Verdict:
    """A login by SOAP."""
    return _first(org, user, attempt, (_refuse_org, _refuse_soap, *_order(org), _refuse_permission))


def judge_app(org: Org, user: User, attempt: Attempt) -> Verdict:
    """A login by an app."""
    return _first(org, user, attempt, (_refuse_org, *_order(org), _refuse_app_user))


def _order(org: Org) -> tuple[Check, ...]:
    return _ADDRESS_FIRST if org.switches.range_check == "before_credentials" else _SECRET_FIRST


def _first(org: Org, user: User, attempt: Attempt, checks: tuple[Check, ...]) -> Verdict:
    """The first check that refuses decides."""
    profile = org.profiles[user.profile_id]
    refusals = (check(org, user, profile, attempt) for check in checks)
    return next((one for one in refusals if one), SUCCESS)
