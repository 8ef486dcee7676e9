# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and security tokens of the suite's own user, and the pages that reset a token."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import requests

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import NoResponseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.pages import (
    Form,
    Page,
    PageSessionError,
    get_page,
    open_page_session,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.token_reset import (
    BUTTON,
    CONFIRM,
    EDIT,
    Button,
    find_button,
    press,
)

from ..apps import lives, log_in, opened, session
from ..calls import Caller, Refusal, pages
from ..scene import Accepted, Scene, Unanswered, new_password, once
from . import one_of, question
from .logins import first_refusal

GET_RESETS = f"/_ui/system/security/{CONFIRM}?setupid=ResetApiToken"


# -- passwords ---------------------------------------------------------------------------------------------------------


@question("errors of the password resource", "user", "password")
def password_errors(scene: Scene) -> str:
    """Are errors of the password resource a list, or an object?"""
    path = f"sobjects/User/{scene.user_id}/password"
    caller = scene.admin
    headers = {"Authorization": f"Bearer {caller.token}"}
    url = f"{caller.url}/services/data/v64.0/{path}"
    reply = caller.send("POST", url, json={"NewPassword": "a"}, headers=headers)
    if reply.status < 400:
        raise Unanswered("a password of one letter was accepted")
    return "array" if isinstance(reply.json, list) else "object"


@question("password of oneself", "user", "app", "password")
def self_set_password(scene: Scene) -> bool:
    """May a user set the own password by setPassword?"""
    who = session(scene)
    password = new_password()
    try:
        who.rest("POST", f"sobjects/User/{scene.user_id}/password", {"NewPassword": password})
    except Refusal as exc:
        one_of(exc.code, "INSUFFICIENT_ACCESS", "INVALID_NEW_PASSWORD")
        return False
    return True


def _change_own(who: Caller, old: str, new: str) -> None:
    who.soap("u", "changeOwnPassword", f"<oldPassword>{old}</oldPassword><newPassword>{new}</newPassword>")


@question("password of oneself", "user", "app", "password")
def own_change_sessions(scene: Scene) -> str:
    """Do sessions of a user outlive a change of the own password?"""
    one, other = log_in(scene, opened(scene)), log_in(scene, opened(scene))
    if one.token == other.token:
        raise Unanswered("logins of one user share a session")
    old, new = scene.set_password(), new_password()
    _change_own(one, old, new)
    alive = (lives(one), lives(other))
    found = {(True, True): "kept", (True, False): "others_ended", (False, False): "ended"}.get(alive)
    return found or one_of("the session that changed it has ended, another one has not")


# -- the pages ---------------------------------------------------------------------------------------------------------


def _get(scene: Scene, path: str, *, token: str = "") -> requests.Response:
    """Get a page without a session, or with one of the API as it is."""
    transport = pages(scene.admin)
    if token:
        transport.cookies.set("sid", token)
    return transport.get(f"{scene.admin.url}{path}", allow_redirects=False)


def _has_button(form: Form) -> bool:
    return any(BUTTON in value.lower() for _name, value in form.buttons)


def _visitor(scene: Scene) -> Caller:
    """The own user, who may reset its token; what only a user says who never did is asked before."""
    scene.require("token")
    with contextlib.suppress(Unanswered):
        first_password(scene)
    return session(scene)


@question("pages without a session", "token")
def no_page_session(scene: Scene) -> str:
    """How does a page send somebody without a session to the login page?"""
    scene.require("token")
    answer = _get(scene, EDIT)
    if answer.is_redirect:
        return "redirect"
    return "script" if "startURL=" in answer.text else one_of(f"HTTP {answer.status_code}")


@question("sessions of pages", "user", "app", "token")
def page_session(scene: Scene) -> str:
    """Do pages take a session of the API that did not come through frontdoor.jsp?"""
    # A session of its own: the one of the run goes through the front door for others.
    who = log_in(scene, opened(scene))
    answer = _get(scene, EDIT, token=who.token)
    if not answer.is_redirect and BUTTON in answer.text.lower() and "startURL=" not in answer.text:
        return "any"
    try:
        find_button(pages(who), _session(who))
    except PageSessionError:
        raise Unanswered("the org shows its pages to no session of the app") from None
    return "bridged"


def _session(who: Caller) -> Any:
    if who.session is None:
        raise Unanswered("there is no session")
    return who.session


@question("the page that resets a token", "user", "app", "token")
def token_reset_page(scene: Scene) -> str:
    """What makes the button that resets a security token?"""
    who = _visitor(scene)
    transport = pages(who)
    open_page_session(transport, _session(who), EDIT)
    page = get_page(transport, who.url + EDIT, never=CONFIRM)
    for form in filter(_has_button, page.forms):
        return "form" if form.method == "post" else "get_form"
    if any(CONFIRM in link for link in page.links):
        return "link"
    return "button" if any(CONFIRM in script for script in page.scripts) else one_of("no button that is known")


@question("the page that resets a token", "user", "app", "token")
def token_reset_csrf(scene: Scene) -> str:
    """Does a mere GET of the second page reset the token, or does it ask for a POST with a token against forgery?"""
    who = _visitor(scene)
    transport = pages(who)
    open_page_session(transport, _session(who), EDIT)
    answer = transport.get(f"{who.url}{GET_RESETS}", allow_redirects=False)
    if answer.status_code >= 400 or any(_has_button(form) for form in Page(answer.url, answer.content).forms):
        return "post"
    if scene.asks_yes(f"Has a mail with a security token just come to {scene.mail}?"):
        return "none"
    raise Unanswered("a GET was answered, but no mail came")


@dataclass(frozen=True)
class Reset:
    """A reset by the button.

    Attributes:
        answer: its form.
        token: the one that came.
        audited: what the audit trail says of it.
        login: how a login with password and token was refused, or why none was sent; None where it was accepted.
    """

    answer: str
    token: str = field(repr=False)
    audited: list[str]
    login: Refusal | Unanswered | None


@once
def pressed(scene: Scene) -> Reset:
    """Set a password, press the button, and log in with what came."""
    who = _visitor(scene)
    transport = pages(who)
    password = scene.set_password()
    button = find_button(transport, _session(who))
    found: dict[str, str] = {}

    def reset() -> None:
        found["form"] = _press(transport, button)
        where = f"The security token in the mail that has just come to {scene.mail} (it is not shown)"
        found["token"] = scene.ask(where, secret=True)

    rows = [row for row in scene.audited(reset, looks=1) if row["CreatedById"] == scene.user_id]
    form, token = found["form"], found["token"]
    login: Refusal | Unanswered | None = None
    try:
        scene.log_in(password + token)
    except (Refusal, Unanswered) as exc:
        login = exc
    return Reset(form, token, [f"{row['Action']}: {row['Display']}" for row in rows], login)


def _press(transport: requests.Session, button: Button) -> str:
    """Press the button and return the form of the answer."""
    answers: list[bool] = []
    transport.hooks["response"].append(lambda answer, **_options: answers.append(answer.is_redirect))
    try:
        press(transport, button)
    except NoResponseError as exc:
        if not answers:
            raise Unanswered(str(exc)) from None
        return "other_words"
    return "redirect" if answers[-1] else "page"


def _login_of(reset: Reset) -> Refusal | None:
    if isinstance(reset.login, Unanswered):
        raise reset.login
    return reset.login


@question("the page that resets a token", "user", "app", "token")
def token_reset_answer(scene: Scene) -> str:
    """What is the answer to a reset?"""
    return pressed(scene).answer


@question("audit trail of token resets", "user", "app", "token")
def token_reset_audit(scene: Scene) -> str:
    """Does the audit trail tell of a reset (`invented`: it does)?"""
    return "invented" if pressed(scene).audited else "none"


@question("audit trail of token resets", "user", "app", "token")
def token_reset_audit_texts(scene: Scene) -> list[str]:
    """With which action and text does the audit trail tell of a reset?"""
    return pressed(scene).audited


# -- tokens ------------------------------------------------------------------------------------------------------------


@once
def first_password(scene: Scene) -> bool:
    """Whether a mail brings a token when an administrator sets the password of a user who never reset it."""
    scene.require("token")
    _unused = scene.user_id
    if not scene.user_is_new:
        raise Unanswered("the user is one of an earlier run, and has reset its token before")
    scene.set_password()
    return scene.asks_yes(f"Has a mail with a security token just come to {scene.mail}?")


@question("token and setPassword", "user", "app", "password", "token")
def token_mail(scene: Scene) -> str:
    """Does a mail bring a new token when an administrator sets a password?"""
    at_first = None
    try:
        at_first = first_password(scene)
    except Unanswered:
        if scene.user_is_new:
            raise
    if at_first:
        return "always"
    _unused = pressed(scene)
    scene.set_password()
    if not scene.asks_yes(f"Has another mail with a security token come to {scene.mail}, in the last minutes?"):
        return "never"
    if at_first is None:
        raise Unanswered("a mail came; whether it comes before the first reset, a user of an earlier run cannot say")
    return "after_first_reset"


@question("Use Any API Auth", "user", "app", "password", "token", "login")
def require_use_any_api_auth(scene: Scene) -> bool:
    """Does a SOAP login need the permission Use Any API Auth?"""
    refusal = _login_of(pressed(scene))
    return refusal is not None and one_of(refusal.code, "INSUFFICIENT_ACCESS") == "INSUFFICIENT_ACCESS"


@question("tokens where none is needed", "user", "app", "password", "token", "login")
def token_from_trusted(scene: Scene) -> str:
    """Is a token accepted at a trusted address, where none is needed?"""
    refusal = _login_of(pressed(scene))
    try:
        first_refusal(scene)
    except Accepted:
        pass
    else:
        raise Unanswered("the org does not trust the address from which this runs")
    return "accepted" if refusal is None else {"INVALID_LOGIN": "refused"}[one_of(refusal.code, "INVALID_LOGIN")]


@question("token and setPassword", "user", "app", "password", "token", "login")
def set_password_kills_token(scene: Scene) -> bool:
    """Does setPassword by an administrator kill the security token?"""
    reset = pressed(scene)
    allowed = scene.granted("UseAnyApiAuth") if _login_of(reset) else contextlib.nullcontext()
    with allowed:
        try:
            scene.log_in(scene.set_password() + reset.token)
        except Refusal as exc:
            return one_of(exc.code, "INVALID_LOGIN") == "INVALID_LOGIN"
    return False


@question("password of oneself", "user", "app", "password", "login")
def own_change_check(scene: Scene) -> str:
    """Which password does changeOwnPassword look at first, when both are wrong?"""
    who = session(scene)
    scene.set_password()
    wrong = new_password()
    mark = scene.attempts.check("changeOwnPassword", wrong)
    try:
        _change_own(who, wrong, "a")
    except Refusal as exc:
        scene.attempts.count(mark, refused=True)
        return {"INVALID_OLD_PASSWORD": "old_first", "INVALID_NEW_PASSWORD": "new_first"}[
            one_of(exc.code, "INVALID_OLD_PASSWORD", "INVALID_NEW_PASSWORD")
        ]
    raise Unanswered("a password of one letter was accepted")


# -- mails -------------------------------------------------------------------------------------------------------------


@question("mails that bring tokens", "user", "app", "token")
def token_mail_html(scene: Scene) -> str:
    """What do the headers and the HTML part of a token mail look like?"""
    _unused = pressed(scene)
    return scene.ask("From the source of the mail: sender, subject, and the HTML around the token, without the token")


@question("mails that bring tokens", "user", "app", "token")
def token_mail_languages(scene: Scene) -> str:
    """How is a token mail worded in the languages of the org?"""
    _unused = pressed(scene)
    return scene.ask("Languages of users of this org, and the line of a token mail in each, without the token")
