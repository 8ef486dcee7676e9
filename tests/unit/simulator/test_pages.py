# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages behind frontdoor.jsp, and what resets a security token."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlencode

import pytest

from tests.simulated_org.http import Response
from tests.simulated_org.pages import FRONT_DOOR, RESET_CONFIRM, RESET_EDIT

from .wire import Wire

FORM = "application/x-www-form-urlencoded"
TO_LOGIN = "https://login.example/?ec=302&startURL="


@pytest.fixture
def session(wire: Wire) -> str:
    return wire.login().session


def open_door(wire: Wire, session: str, *, method: str = "POST", back: str = RESET_EDIT) -> Response:
    fields = urlencode({"sid": session, "retURL": back})
    if method == "GET":
        return wire.send("GET", FRONT_DOOR, query=fields)
    return wire.send("POST", FRONT_DOOR, fields, content_type=FORM)


def visit(wire: Wire, session: str, path: str, *, query: str = "", body: str | None = None) -> Response:
    """A page, with the cookie that frontdoor.jsp gave."""
    door = dict(open_door(wire, session).headers)
    cookie = door.get("Set-Cookie", "").partition(";")[0]
    if body is None:
        return wire.send("GET", path, query=query, cookie=cookie)
    return wire.send("POST", path, body, cookie=cookie, content_type=FORM)


def location(answer: Response) -> str | None:
    return dict(answer.headers).get("Location")


def token(wire: Wire) -> str:
    return str(wire.commands.user(wire.admin.username)["security_token"])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_frontdoor_makes_a_cookie_of_a_session_and_goes_on(wire: Wire, session: str, method: str) -> None:
    answer = open_door(wire, session, method=method)
    assert (answer.status, location(answer)) == (302, f"https://login.example{RESET_EDIT}")
    assert dict(answer.headers)["Set-Cookie"] == f"sid={session}; Path=/; Secure"
    entry = wire.commands.requests("frontdoor")[0]
    assert entry["username"] == wire.admin.username
    assert entry["secrets"] == {"session": hashlib.sha256(session.encode()).hexdigest()}
    assert session not in str(entry)


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "evil"])
def test_frontdoor_goes_nowhere_else(wire: Wire, session: str, back: str) -> None:
    assert location(open_door(wire, session, back=back)) == "https://login.example/home/home.jsp"


@pytest.mark.parametrize("style", ["redirect", "script"])
@pytest.mark.parametrize("path", [RESET_EDIT, RESET_CONFIRM])
def test_without_a_session_there_is_the_login_page(wire: Wire, path: str, style: str) -> None:
    wire.commands.set_switches(no_page_session=style)
    before = token(wire)
    for answer in (wire.send("GET", path), wire.send("GET", path, cookie="sid=wrong"), open_door(wire, "wrong")):
        if style == "redirect":
            assert (location(answer) or "").startswith(TO_LOGIN)
        else:
            assert (answer.status, location(answer)) == (200, None)
            assert TO_LOGIN in answer.body.decode()
    assert token(wire) == before
    assert b'type="password"' in wire.send("GET", "/", query="ec=302").body


def test_a_session_that_came_through_the_api_only(wire: Wire, session: str) -> None:
    cookie = f"sid={session}"
    assert (location(wire.send("GET", RESET_EDIT, cookie=cookie)) or "").startswith(TO_LOGIN)
    wire.commands.set_switches(page_session="any")
    assert wire.send("GET", RESET_EDIT, cookie=cookie).status == 200


def test_an_app_needs_the_scope_web(wire: Wire) -> None:
    wire.commands.add_app("key", consumer_secret="secret", permitted_users="self_authorize", web=False)
    login = {"grant_type": "password", "client_id": "key", "client_secret": "secret"}
    login |= {"username": wire.admin.username, "password": wire.admin.login_password}
    answer = wire.send("POST", "/services/oauth2/token", urlencode(login), content_type=FORM)
    session = re.findall(r'"access_token": "([^"]+)"', answer.body.decode())[0]
    assert (location(open_door(wire, session)) or "").startswith(TO_LOGIN)


def test_looking_at_the_page_changes_nothing(wire: Wire, session: str) -> None:
    before = token(wire)
    page = visit(wire, session, RESET_EDIT)
    assert page.status == 200
    assert b"Reset Security Token" in page.body
    assert token(wire) == before
    assert wire.commands.mails() == []


def test_a_mere_get_of_the_second_page_resets(wire: Wire, session: str) -> None:
    wire.commands.set_user(wire.admin.username, token_was_reset=False)
    before = token(wire)
    answer = visit(wire, session, RESET_CONFIRM, query="setupid=ResetApiToken")
    assert answer.status == 200
    assert token(wire) != before
    (mail,) = wire.commands.mails()
    assert token(wire) in mail["body"]
    assert wire.login(wire.admin.login_password).code == "INVALID_LOGIN"
    # From now on a change of the password mails a token, too.
    body = f"<changeOwnPassword><oldPassword>{wire.admin.password}</oldPassword><newPassword>Brand-New9</newPassword>"
    assert wire.call(session, f"{body}</changeOwnPassword>", service="u").ok
    assert len(wire.commands.mails()) == 2


def test_the_page_may_ask_for_a_post_with_a_token_of_its_own(wire: Wire, session: str) -> None:
    wire.commands.set_switches(token_reset_csrf="post")
    before = token(wire)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', visit(wire, session, RESET_EDIT).body.decode()))
    confirmation = fields["_CONFIRMATIONTOKEN"]
    assert visit(wire, session, RESET_CONFIRM).status == 403
    assert visit(wire, session, RESET_CONFIRM, query=urlencode(fields)).status == 403
    assert visit(wire, session, RESET_CONFIRM, body="_CONFIRMATIONTOKEN=wrong").status == 403
    assert token(wire) == before
    assert visit(wire, session, RESET_CONFIRM, body=urlencode({"_CONFIRMATIONTOKEN": confirmation})).status == 200
    assert token(wire) != before


@pytest.mark.parametrize(
    ("switch", "status", "goes_to"),
    [("page", 200, None), ("other_words", 200, None), ("redirect", 302, "https://login.example/here")],
)
def test_the_answer_to_a_reset(wire: Wire, session: str, switch: str, status: int, goes_to: str | None) -> None:
    wire.commands.set_switches(token_reset_answer=switch)
    answer = visit(wire, session, RESET_CONFIRM, query="retURL=/here")
    assert (answer.status, location(answer)) == (status, goes_to)
    assert len(wire.commands.mails()) == 1


@pytest.mark.parametrize("obstacle", ["ranges", "ApiUserOnly", "TwoFactorApi"])
def test_who_cannot_reset_gets_no_button_and_no_reset(wire: Wire, session: str, obstacle: str) -> None:
    if obstacle == "ranges":
        wire.commands.set_profile("Admin", login_ip_ranges=["203.0.113.0/24"])
    else:
        wire.commands.set_user(wire.admin.username, permissions=[obstacle])
    before = token(wire)
    page = visit(wire, session, RESET_EDIT).body.decode()
    assert "ResetApiTokenConfirm" not in page
    assert visit(wire, session, RESET_CONFIRM).status == 200
    assert token(wire) == before
    assert wire.commands.requests("resetToken")[0]["result"] == "not possible"


@pytest.mark.parametrize(("switch", "rows"), [("none", 0), ("invented", 1)])
def test_the_audit_trail(wire: Wire, session: str, switch: str, rows: int) -> None:
    wire.commands.set_switches(token_reset_audit=switch)
    visit(wire, session, RESET_CONFIRM)
    assert len(wire.commands.audit_trail()) == rows


def test_a_fault_is_a_page_too(wire: Wire, session: str) -> None:
    wire.commands.inject("error", operation="resetTokenPage")
    assert visit(wire, session, RESET_EDIT).status == 400
