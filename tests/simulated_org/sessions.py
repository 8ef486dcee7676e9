# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which session does a request carry, and does it still hold?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .addresses import inside, number
from .errors import ApiError
from .http import Outcome
from .state import Org, Session, State, User

ILLEGAL = "Invalid Session ID found in SessionHeader: Illegal Session"
REST_EXPIRED = "Session expired or invalid"
EXPIRED_PASSWORD = (
    "The users password has expired, you must call SetPassword before attempting any other API operations"
)
# What clients say before they ask (CONFIRMED); what the server itself answers is UNKNOWN.
JWT_BY_SOAP_FROM = 68.0
JWT_BY_SOAP = "SOAP API does not support JWT-based access tokens for API versions below 68.0"


@dataclass(frozen=True)
class Caller:
    """Who is calling, from where, at which API version."""

    org: Org
    user: User
    session: Session
    peer: str
    base_url: str
    version: float

    @property
    def permissions(self) -> set[str]:
        return self.org.permissions(self.user)

    def require(self, *alternatives: str) -> None:
        if not self.permissions.intersection(alternatives):
            raise ApiError("INSUFFICIENT_ACCESS", f"insufficient access: requires {' or '.join(alternatives)}")


def digest(secret: str) -> str:
    """Secrets appear in logs as SHA-256 only."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _org_of(state: State, session_id: str) -> Org | None:
    try:
        return state.org(session_id.partition("!")[0])
    except LookupError:
        return None


def _illegal(state: State, session_id: str, *, rest: bool) -> ApiError:
    if rest:
        return ApiError("INVALID_SESSION_ID", REST_EXPIRED)
    org, text = _org_of(state, session_id), ILLEGAL
    if org and org.switches.invalid_session_text == "long":
        text += (
            f". Session not found, missing session hash: {digest(session_id)[:32]} "
            "This error usually occurs after a session expires or a user logs out."
        )
    return ApiError("INVALID_SESSION_ID", text)


def _holds(state: State, session: Session, user: User, peer: str) -> bool:
    org = state.orgs[session.org_id]
    locked_to_ip = org.session_settings.get("lockSessionsToIp") == "true"
    return user.active and not user.frozen and state.alive(session) and not (locked_to_ip and peer != session.peer)


def _check_address(org: Org, user: User, peer: str) -> None:
    ranges = org.profiles[user.profile_id].login_ip_ranges
    enforced = org.session_settings.get("enforceIpRangesEveryRequest") == "true"
    if enforced and ranges and not inside(number(peer), ranges):
        code = org.switches.enforced_range_code
        raise ApiError(code, REST_EXPIRED if code == "INVALID_SESSION_ID" else "cannot log in from current domain")


def identify(
    state: State,
    session_id: str | None,
    *,
    peer: str,
    base_url: str,
    version: float,
    outcome: Outcome,
    rest: bool = False,
    for_password: bool = False,
) -> Caller:
    """The caller behind a session id; using the session pushes its expiry (sliding, CONFIRMED).

    A session of an expired password may do nothing but set the password.
    """
    session_id = session_id or ""
    if session_id:
        outcome.secrets["session"] = digest(session_id)
    with state.lock:
        session = state.sessions.get(session_id)
        user = None if session is None else state.orgs[session.org_id].users.get(session.user_id)
        if session is None or user is None:
            raise _illegal(state, session_id, rest=rest)
        org = state.orgs[session.org_id]
        outcome.org, outcome.username = org.name, user.username
        if not _holds(state, session, user, peer):
            if not state.alive(session):
                del state.sessions[session_id]
            raise _illegal(state, session_id, rest=rest)
        _check_address(org, user, peer)
        if session.jwt and not rest and version < JWT_BY_SOAP_FROM and org.switches.jwt_token_by_soap != "accepted":
            raise ApiError(org.switches.jwt_token_by_soap, JWT_BY_SOAP)
        if session.restricted and not for_password:
            raise ApiError("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", EXPIRED_PASSWORD)
        session.last_used = state.clock.now()
        return Caller(org, user, session, peer, base_url, version)
