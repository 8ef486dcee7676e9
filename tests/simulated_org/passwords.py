# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and security tokens: what changes them, and what that does to the token (CONFIRMED unless said)."""

from __future__ import annotations

import datetime
import secrets
import string
from collections.abc import Callable

from . import ids
from .errors import ApiError
from .sessions import Caller
from .state import Mail, Org, State, User

NO_MIX = "Your password must have a mix of letters and numbers."
# INVENTED texts; the rules are documented, and so is which characters are special: all of printable ASCII that is left.
WEAK = "Your password is not complex enough."
TOO_EARLY = "You have changed your password less than a day ago."
HOLDS_NAME = "Your password cannot contain your user name."
LIFETIME = datetime.timedelta(days=1)
# Anchors of the token mail are REPORTED; the rest of the text is ours.
TOKEN_SUBJECT = "Your new Salesforce security token"
TOKEN_BODY = (
    "We have sent you a new security token because you recently changed your password or requested to reset your "
    "security token.\r\n\r\nUsername: {username}\r\nSecurity token (case-sensitive): {token}\r\n\r\n"
    "For more information on using your security token, see the help.\r\n"
)


def target(caller: Caller, user_id: str | None) -> User:
    user = caller.org.user(user_id or "")
    if user is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    return user


def may_manage(caller: Caller, user: User) -> None:
    """Oneself, or *Reset User Passwords and Unlock Users*."""
    if user.id != caller.user.id and not caller.permissions & {"ManageUsers", "ResetPasswords"}:
        raise ApiError("INSUFFICIENT_ACCESS", "You do not have permission to view this record.")


def check_quality(caller: Caller, user: User, password: str) -> None:
    policies = caller.org.password_policies
    minimum = int(policies.get("minimumPasswordLength", "8"))
    if len(password) < minimum:
        raise ApiError("INVALID_NEW_PASSWORD", f"Your password must be at least {minimum} characters long.")
    complexity = policies.get("complexity", "AlphaNumeric")
    if not COMPLEXITY[complexity](_kinds(password)):
        raise ApiError("INVALID_NEW_PASSWORD", NO_MIX if complexity == "AlphaNumeric" else WEAK)
    if user.username.lower() in password.lower():
        raise ApiError("INVALID_NEW_PASSWORD", HOLDS_NAME)
    remembered = int(policies.get("historyRestriction", "0"))
    if remembered and password in [user.password, *reversed(user.old_passwords)][:remembered]:
        raise ApiError("INVALID_NEW_PASSWORD", "invalid repeated password")


def _kinds(password: str) -> set[str]:
    """Which kinds of characters a password has."""
    kinds = {
        "lower": string.ascii_lowercase,
        "upper": string.ascii_uppercase,
        "number": string.digits,
        "special": string.punctuation,
    }
    return {kind for kind, alphabet in kinds.items() if set(alphabet) & set(password)}


def _alpha(kinds: set[str]) -> bool:
    return bool(kinds & {"lower", "upper"}) and "number" in kinds


COMPLEXITY: dict[str, Callable[[set[str]], bool]] = {
    "NoRestriction": lambda kinds: True,
    "AlphaNumeric": _alpha,
    "SpecialCharacters": lambda kinds: _alpha(kinds) and "special" in kinds,
    "UpperLowerCaseNumeric": lambda kinds: kinds >= {"lower", "upper", "number"},
    "UpperLowerCaseNumericSpecialCharacters": lambda kinds: len(kinds) == 4,
    "Any3UpperLowerCaseNumericSpecialCharacters": lambda kinds: len(kinds) >= 3,
}


def _check_lifetime(state: State, caller: Caller) -> None:
    """A minimum lifetime of a day (CONFIRMED); code and text of the refusal are INVENTED."""
    lasts = caller.org.password_policies.get("minimumPasswordLifetime") == "true"
    if lasts and not caller.session.restricted and state.clock.now() - caller.user.password_changed < LIFETIME:
        raise ApiError("INVALID_NEW_PASSWORD", TOO_EARLY)


def _store(state: State, user: User, password: str) -> None:
    user.old_passwords.append(user.password)
    user.password, user.password_changed, user.password_expired = password, state.clock.now(), False


def new_token(state: State, user: User, *, mailed: bool) -> str:
    """A new token; the old one is dead at once. It is delivered only by mail."""
    user.security_token = ids.token()
    if mailed:
        body = TOKEN_BODY.format(username=user.username, token=user.security_token)
        mail = Mail(user.email, TOKEN_SUBJECT, body, state.clock.now(), user.username, user.security_token)
        state.send(state.orgs[user.org_id], mail)
    return user.security_token


def reset_token(state: State, org: Org, user: User) -> str:
    """What *Reset My Security Token* does. Whether the audit trail tells of it, and how, is UNKNOWN."""
    user.token_was_reset = True
    if org.switches.token_reset_audit == "invented":
        state.audit(org, user.id, "resetApiToken", "", f"Reset security token for user {user.name}")
    return new_token(state, user, mailed=True)


def _token_after_change(state: State, caller: Caller, user: User) -> None:
    mail = caller.org.switches.token_mail
    new_token(state, user, mailed=mail == "always" or (mail == "after_first_reset" and user.token_was_reset))


def set_password(state: State, caller: Caller, user: User, password: str) -> None:
    """setPassword: the user is not forced to change it afterwards; what it does to the token is UNKNOWN."""
    may_manage(caller, user)
    own = user.id == caller.user.id
    if own and not caller.session.restricted and not caller.org.switches.self_set_password:
        raise ApiError("INSUFFICIENT_ACCESS", "use changeOwnPassword to change your own password")
    check_quality(caller, user, password)
    if own:
        _check_lifetime(state, caller)
    _store(state, user, password)
    if caller.org.switches.set_password_kills_token or own:
        _token_after_change(state, caller, user)
    if own:
        caller.session.restricted = False


def change_own(state: State, caller: Caller, old: str, new: str) -> None:
    if caller.org.switches.own_change_check == "new_first":
        check_quality(caller, caller.user, new)
    if old != caller.user.password:
        raise ApiError("INVALID_OLD_PASSWORD", "invalid old password")
    check_quality(caller, caller.user, new)
    _check_lifetime(state, caller)
    _store(state, caller.user, new)
    _token_after_change(state, caller, caller.user)
    caller.session.restricted = False
    _end_sessions(state, caller)


def _end_sessions(state: State, caller: Caller) -> None:
    """What becomes of the user's sessions when it changes its own password is UNKNOWN."""
    fate, own = caller.org.switches.own_change_sessions, caller.session.id
    for key, session in list(state.sessions.items()):
        if session.user_id == caller.user.id and (fate == "ended" or (fate == "others_ended" and key != own)):
            del state.sessions[key]


def reset_password(state: State, caller: Caller, user: User) -> str:
    """A temporary password; the old one is dead at once, and a new token comes only with a permanent one (REPORTED)."""
    may_manage(caller, user)
    alphabet = string.ascii_letters + string.digits
    temporary = "2" + "".join(secrets.choice(alphabet) for _unused in range(12)) + "x"
    _store(state, user, temporary)
    user.password_expired = True
    user.security_token = None
    return temporary
