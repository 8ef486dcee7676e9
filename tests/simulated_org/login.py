# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The partner and enterprise services: login, logout, getUserInfo and the password calls."""

from __future__ import annotations

import datetime
from urllib.parse import urlsplit

from . import passwords, policy, settings, soap
from .errors import ApiError, ClientFault
from .http import Outcome, Request, Response
from .policy import Attempt, Judge, Verdict
from .sessions import Caller, digest
from .state import Org, Session, State, User

LOGIN_REMOVED_IN = 65.0


def login(state: State, call: soap.Call, request: Request, version: float, outcome: Outcome) -> Response:
    """A login; the service makes every refusal of it a LoginFault."""
    username = (soap.child_text(call.element, "username") or "").strip()
    secret = soap.child_text(call.element, "password") or ""
    outcome.username, outcome.secrets["password"] = username, digest(secret)
    with state.lock:
        user = state.user_at(urlsplit(request.base_url).netloc, username)
        if version >= LOGIN_REMOVED_IN:
            raise _version_refusal(state.orgs[user.org_id] if user else None, version)
        if user is None:
            # No user, so no org whose LoginHistory could get a row (UNKNOWN whether a real one leaves any).
            raise ApiError("INVALID_LOGIN", policy.INVALID)
        org = state.orgs[user.org_id]
        outcome.org = org.name
        attempt = Attempt(secret, request.peer, state.clock.now(), urlsplit(request.base_url).netloc)
        verdict = settle(state, org, user, attempt)
        _record(state, user, call, request, version, verdict)
        if verdict.code:
            raise ApiError(verdict.code, verdict.message)
        session = state.open_session(user, request.peer, restricted=password_expired(org, user, state.clock.now()))
        return soap.answer(call.namespace, _login_response(org, user, session, call, request, version))


def _version_refusal(org: Org | None, version: float) -> ApiError:
    code = org.switches.login_v65 if org else "INVALID_OPERATION"
    return ApiError(code, policy.VERSION_WITHOUT_LOGIN.format(version=version))


def settle(state: State, org: Org, user: User, attempt: Attempt, judge: Judge = policy.judge) -> Verdict:
    """Judge an attempt and keep the books: the rate, and the wrong tries that lead to lockout."""
    if user.locked_until is not None and attempt.now >= user.locked_until:
        user.locked_until, user.failed_attempts = None, 0
    _count_rate(org, user, attempt.now)
    verdict = judge(org, user, attempt)
    if verdict.allowed:
        user.failed_attempts = 0
    elif verdict.counts:
        user.failed_attempts += 1
        allowed = settings.MAX_ATTEMPTS[org.password_policies["maxLoginAttempts"]]
        if allowed and user.failed_attempts >= allowed:
            minutes = settings.LOCKOUT_MINUTES[org.password_policies["lockoutInterval"]]
            pause = datetime.timedelta(minutes=minutes)
            user.locked_until = attempt.now + pause if minutes else datetime.datetime.max.replace(tzinfo=datetime.UTC)
    return verdict


def _count_rate(org: Org, user: User, now: datetime.datetime) -> None:
    hour = datetime.timedelta(hours=1)
    while user.recent_logins and user.recent_logins[0] <= now - hour:
        user.recent_logins.popleft()
    if user.rate_blocked_until is not None and now >= user.rate_blocked_until:
        user.rate_blocked_until = None
        user.recent_logins.clear()
    user.recent_logins.append(now)
    if user.rate_blocked_until is None and len(user.recent_logins) > org.switches.login_rate:
        user.rate_blocked_until = now + hour


def _record(state: State, user: User, call: soap.Call, request: Request, version: float, verdict: Verdict) -> None:
    if verdict.status is None:
        return
    state.record_login(
        user,
        request.peer,
        verdict.status,
        api_type="SOAP Enterprise" if call.namespace == soap.ENTERPRISE else "SOAP Partner",
        api_version=f"{version:.1f}",
        application=call.header("CallOptions", "client") or "N/A",
        login_url=urlsplit(request.base_url).hostname or "",
    )


def password_expired(org: Org, user: User, now: datetime.datetime) -> bool:
    days = settings.EXPIRATION_DAYS[org.password_policies["expiration"]]
    if user.password_expired:
        return True
    if not days or "PasswordNeverExpires" in org.permissions(user):
        return False
    return now - user.password_changed > datetime.timedelta(days=days)


def _login_response(org: Org, user: User, session: Session, call: soap.Call, request: Request, version: float) -> str:
    base = (org.instance_url or request.base_url).rstrip("/")
    letter = "c" if call.namespace == soap.ENTERPRISE else "u"
    metadata_base = (org.metadata_url or base).rstrip("/")
    return (
        "<loginResponse><result>"
        + soap.tag("metadataServerUrl", f"{metadata_base}/services/Soap/m/{version:.1f}/{org.id[:15]}")
        + soap.tag("passwordExpired", str(session.restricted).lower())
        + soap.tag("sandbox", str(org.sandbox).lower())
        + soap.tag("serverUrl", f"{base}/services/Soap/{letter}/{version:.1f}/{org.id[:15]}")
        + soap.tag("sessionId", session.id)
        + soap.tag("userId", user.id)
        + f"<userInfo>{_user_info(org, user)}</userInfo></result></loginResponse>"
    )


def _user_info(org: Org, user: User) -> str:
    """GetUserInfoResult, in the schema's order."""
    return (
        "<accessibilityMode>false</accessibilityMode><chatterExternal>false</chatterExternal>"
        "<currencySymbol>$</currencySymbol><orgAttachmentFileSizeLimit>5242880</orgAttachmentFileSizeLimit>"
        "<orgDefaultCurrencyIsoCode>USD</orgDefaultCurrencyIsoCode>"
        "<orgDefaultCurrencyLocale>en_US</orgDefaultCurrencyLocale>"
        "<orgDisallowHtmlAttachments>false</orgDisallowHtmlAttachments>"
        "<orgHasPersonAccounts>false</orgHasPersonAccounts>"
        + soap.tag("organizationId", org.id)
        + "<organizationMultiCurrency>false</organizationMultiCurrency>"
        + soap.tag("organizationName", org.name)
        + soap.tag("profileId", user.profile_id)
        + soap.nillable("roleId", None)
        + soap.tag("sessionSecondsValid", str(int(org.session_timeout.total_seconds())))
        + soap.nillable("userDefaultCurrencyIsoCode", None)
        + soap.tag("userEmail", user.email)
        + soap.tag("userFullName", user.name)
        + soap.tag("userId", user.id)
        + "<userLanguage>en_US</userLanguage><userLocale>en_US</userLocale>"
        + soap.tag("userName", user.username)
        + "<userTimeZone>America/Los_Angeles</userTimeZone><userType>Standard</userType>"
        "<userUiSkin>Theme3</userUiSkin>"
    )


def perform(state: State, call: soap.Call, caller: Caller) -> str:
    """The calls that need a session; the payload of their answer."""
    with state.lock:
        if call.operation == "getUserInfo":
            return f"<getUserInfoResponse><result>{_user_info(caller.org, caller.user)}</result></getUserInfoResponse>"
        if call.operation == "logout":
            state.sessions.pop(caller.session.id, None)
            return "<logoutResponse/>"
        if call.operation == "setPassword":
            user = passwords.target(caller, soap.child_text(call.element, "userId"))
            passwords.set_password(state, caller, user, soap.child_text(call.element, "password") or "")
            return "<setPasswordResponse><result/></setPasswordResponse>"
        if call.operation == "changeOwnPassword":
            passwords.change_own(
                state,
                caller,
                soap.child_text(call.element, "oldPassword") or "",
                soap.child_text(call.element, "newPassword") or "",
            )
            return "<changeOwnPasswordResponse><result/></changeOwnPasswordResponse>"
        if call.operation == "resetPassword":
            user = passwords.target(caller, soap.child_text(call.element, "userId"))
            password = passwords.reset_password(state, caller, user)
            return f"<resetPasswordResponse><result>{soap.tag('password', password)}</result></resetPasswordResponse>"
    raise ClientFault(f"No operation available for request {{{call.namespace}}}{call.operation}")


# What a session of an expired password may still call.
FOR_PASSWORD = frozenset({"setPassword", "changeOwnPassword", "logout"})
