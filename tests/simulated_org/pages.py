# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that a browser would see: frontdoor.jsp, and those that reset the security token.

The addresses of the token pages are REPORTED, that a mere GET of the second one resets is REPORTED, too. What the pages
look like and say is UNKNOWN: all of it is INVENTED, but for the name of the button.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from . import passwords
from .errors import ApiError
from .http import HTML, Outcome, Request, Response
from .sessions import Caller, identify
from .state import State

FRONT_DOOR = "/secur/frontdoor.jsp"
RESET_EDIT = "/_ui/system/security/ResetApiTokenEdit"
RESET_CONFIRM = "/_ui/system/security/ResetApiTokenConfirm"
HOME = "/home/home.jsp"
# For the request log and for faults. The login page stands for wherever a browser would have to log in.
OPERATIONS = {FRONT_DOOR: "frontdoor", RESET_EDIT: "resetTokenPage", RESET_CONFIRM: "resetToken", "/": "loginPage"}
AFTER_RESET = {"retURL": "/ui/setup/Setup?setupid=PersonalInfo", "setupid": "ResetApiToken"}
BUTTON = "Reset Security Token"  # REPORTED
CSRF_FIELD = "_CONFIRMATIONTOKEN"
API_VERSION = 64.0
NAVIGATION = (
    '<div id="nav"><a href="/_ui/system/security/ChangePassword">Change My Password</a>'
    '<a href="/_ui/system/security/ResetApiTokenEdit">Reset My Security Token</a></div>'
)


def operation(path: str) -> str | None:
    """The name of what a path stands for, if it is a page."""
    return OPERATIONS.get(path)


def session_user(state: State, request: Request) -> str | None:
    """The user of the session that a request carries in whichever form."""
    session = state.sessions.get(_sent(request).get("sid") or _cookie(request))
    return state.orgs[session.org_id].users[session.user_id].username if session else None


def perform(state: State, request: Request, outcome: Outcome) -> Response:
    """The answer to the request of a page."""
    return _PAGES[request.path](state, request, outcome)


def refusal(error: ApiError) -> Response:
    """An error that a test injected, as a page."""
    return _page("Error", f"<p>{escape(error.message)} ({escape(error.code)})</p>", status=error.rest_status)


def _front_door(state: State, request: Request, outcome: Outcome) -> Response:
    """Bridge a session of the API to pages: by GET, or by POST as is recommended (CONFIRMED)."""
    sent = _sent(request)
    try:
        caller = _identify(state, request, sent.get("sid", ""), outcome)
    except ApiError as error:
        outcome.result = error.code
        return _to_login(state, request, sent.get("sid", ""))
    if not caller.session.web:
        # An app needs the scope web or full for it (CONFIRMED).
        outcome.result = "no web scope"
        return _to_login(state, request, caller.session.id)
    with state.lock:
        caller.session.bridged = True
    http_only = "; HttpOnly" if caller.org.session_settings.get("requireHttpOnly") == "true" else ""
    cookie = ("Set-Cookie", f"sid={caller.session.id}; Path=/; Secure{http_only}")
    return Response(302, b"", HTML, (("Location", request.base_url + _way_back(sent)), cookie))


def _reset_edit(state: State, request: Request, outcome: Outcome) -> Response:
    """The page with the button; looking at it changes nothing."""
    try:
        caller = _visitor(state, request, outcome)
    except ApiError as error:
        outcome.result = error.code
        return _to_login(state, request, _cookie(request))
    if _obstacle(caller):
        outcome.result = "not possible"
        return _page("Reset Security Token", f"<p>{_obstacle(caller)}</p>")
    return _page("Reset Security Token", _button(caller))


def _button(caller: Caller) -> str:
    """The button, in each of the ways in which a page can have one."""
    switches = caller.org.switches
    target = f"{RESET_CONFIRM}?{urlencode(AFTER_RESET)}"
    look = "form" if switches.token_reset_csrf == "post" else switches.token_reset_page
    if look == "link":
        return f'<a class="btn" href="{escape(target)}">{BUTTON}</a>'
    if look == "button":
        script = f"navigateToUrl('{target}',null,'save');"
        return f'<input type="button" class="btn" value=" {BUTTON} " onclick="{escape(script)}">'
    hidden = dict(AFTER_RESET)
    if switches.token_reset_csrf == "post":
        hidden[CSRF_FIELD] = caller.session.confirmation
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items())
    method = "get" if look == "get_form" else "post"
    return (
        '<form action="/search" method="get"><input type="text" name="str"></form>'
        f'<form id="editPage" name="editPage" action="{RESET_CONFIRM}" method="{method}">'
        f'{fields}<input type="submit" name="cancel" value="Cancel">'
        f'<input type="submit" class="btn" name="save" value=" {BUTTON} "></form>'
    )


def _reset_confirm(state: State, request: Request, outcome: Outcome) -> Response:
    """Reset the token: a GET does it (REPORTED), unless the org asks for a POST with a token against forgery."""
    try:
        caller = _visitor(state, request, outcome)
    except ApiError as error:
        outcome.result = error.code
        return _to_login(state, request, _cookie(request))
    switches, sent = caller.org.switches, _sent(request)
    if _obstacle(caller):
        outcome.result = "not possible"
        return _page("Reset Security Token", f"<p>{_obstacle(caller)}</p>")
    confirmed = hmac.compare_digest(sent.get(CSRF_FIELD, "").encode(), caller.session.confirmation.encode())
    if switches.token_reset_csrf == "post" and not (request.method == "POST" and confirmed):
        outcome.result = "not confirmed"
        return _page("Invalid Link", "<p>The link that you followed is not valid.</p>", status=403)
    with state.lock:
        passwords.reset_token(state, caller.org, caller.user)
    if switches.token_reset_answer == "redirect":
        return Response(302, b"", HTML, (("Location", request.base_url + _way_back(sent)),))
    if switches.token_reset_answer == "other_words":
        return _page("Personal Information", "<p>Bitte sehen Sie in Ihrem Postfach nach.</p>")
    return _page("Reset Security Token", "<p>We have sent you an email with your new security token.</p>")


def _obstacle(caller: Caller) -> str:
    """Why this user cannot reset a token (CONFIRMED that it cannot; the texts are INVENTED)."""
    if caller.org.profiles[caller.user.profile_id].login_ip_ranges:
        return "Your profile has login IP ranges, so there is no use for a security token."
    if "TwoFactorApi" in caller.permissions:
        return "You log in to the API with a one-time code in place of a security token."
    # Such a user can use a bridged session only to change its password (CONFIRMED).
    return "This page is not for users of the API alone." if "ApiUserOnly" in caller.permissions else ""


def _login_page(state: State, request: Request, outcome: Outcome) -> Response:
    """Ids as REPORTED by browser automations."""
    body = (
        '<form id="login_form" action="/" method="post"><input id="username" name="username">'
        '<input id="password" name="pw" type="password">'
        '<input id="Login" name="Login" type="submit" value="Log In"></form>'
    )
    return _page("Login | Salesforce", body)


def _visitor(state: State, request: Request, outcome: Outcome) -> Caller:
    caller = _identify(state, request, _cookie(request), outcome)
    if caller.org.switches.page_session == "bridged" and not caller.session.bridged:
        raise ApiError("INVALID_SESSION_ID", "no session of a browser")
    return caller


def _identify(state: State, request: Request, session_id: str, outcome: Outcome) -> Caller:
    return identify(
        state, session_id, peer=request.peer, base_url=request.base_url, version=API_VERSION, outcome=outcome
    )


def _to_login(state: State, request: Request, session_id: str) -> Response:
    """Where somebody without a session is sent, by a redirect or by a script."""
    target = f"{request.base_url}/?ec=302&startURL={quote(request.path, safe='')}"
    org = next((one for one in state.orgs.values() if session_id.startswith(one.id[:15])), state.org())
    if org.switches.no_page_session == "script":
        return _page("", f"<script>window.location.replace('{target}');</script>", navigation="")
    return Response(302, b"", HTML, (("Location", target),))


def _page(title: str, body: str, *, status: int = 200, navigation: str = NAVIGATION) -> Response:
    text = f"<!DOCTYPE html><html><head><title>{escape(title)}</title></head><body>{navigation}{body}</body></html>"
    return Response(status, text.encode(), HTML)


def _sent(request: Request) -> Mapping[str, str]:
    """The fields of query and form."""
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    body = request.body.decode("utf-8", "replace") if request.method == "POST" and form else ""
    return dict([*parse_qsl(request.query), *parse_qsl(body)])


def _way_back(sent: Mapping[str, str]) -> str:
    """The path that a request names to go on with; it leads to no other host."""
    target = sent.get("retURL", "")
    elsewhere = not target.startswith("/") or target.startswith(("//", "/\\"))
    return HOME if elsewhere else quote(target, safe="/?=&%#,;:@", errors="replace")


def _cookie(request: Request) -> str:
    try:
        cookie = SimpleCookie(request.headers.get("cookie", "")).get("sid")
    except CookieError:
        return ""
    return cookie.value if cookie else ""


_PAGES: dict[str, Callable[[State, Request, Outcome], Response]] = {
    FRONT_DOOR: _front_door,
    RESET_EDIT: _reset_edit,
    RESET_CONFIRM: _reset_confirm,
    "/": _login_page,
}
