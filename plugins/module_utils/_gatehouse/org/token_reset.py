# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of Setup that resets the own security token, and who cannot use it.

Salesforce documents no way for a program, and no API has one. That there are two addresses, and that a mere GET of the
second one resets the token, has been reported. So the first one is read, and what its button would send is sent, once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..errors import NoResponseError, OrgError
from .login import Session
from .pages import (
    Form,
    Page,
    addresses_in,
    get_page,
    open_page_session,
    read_page,
    redirected,
    redirects_to_login,
    resolve_url,
    same_origin,
)
from .transport import send_once

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
T = TypeVar("T")
EDIT = "/_ui/system/security/ResetApiTokenEdit"
CONFIRM = "ResetApiTokenConfirm"  # never asked unless the page says how
BUTTON = "reset security token"
# What the answer says is not known. In these words it would have said that it was done; in others it leaves that open.
_TOKEN = re.compile(r"\bsecurity token\b")
_SENT = re.compile(r"\b(sent|e-?mailed)\b")
_RESET = re.compile(r"\b(has been|was) reset\b")
_MAX_TEXT = 256 * 1024  # characters
_NOT_DONE = re.compile(r"\b(not|cannot|can't|couldn't|unable|error|invalid|failed|denied)\b")


@dataclasses.dataclass(frozen=True)
class Button:
    """What the button of the page sends, which may be done once. What it holds against forgery is a secret."""

    method: str
    url: str = dataclasses.field(repr=False)
    fields: list[tuple[str, str]] = dataclasses.field(repr=False)
    page: str

    @property
    def returns_to(self) -> str:
        """The path to which a browser would be led back; empty where none is named."""
        named = dict([*parse_qsl(urlsplit(self.url).query), *self.fields])
        return urlsplit(named.get("retURL", "")).path


def find_button(pages: requests.Session, session: Session) -> Button:
    """Find the button that resets the token of the session's user; nothing is reset yet.

    Raises:
        PageSessionError: the org does not open its pages to the session.
        OrgError: there is no button.
    """
    open_page_session(pages, session, EDIT)
    page = get_page(pages, session.instance_url + EDIT, never=CONFIRM)
    button = next(_buttons(page), None)
    if button is None:
        raise OrgError(
            "Salesforce shows this user no button to reset the security token, so nothing was done. It has none for "
            "users with login IP ranges in their profile, with the permission API Only User, or with MFA for API "
            "Logins; if this user is none of them, the page is not as this collection knows it, and the token must be "
            "reset by hand",
            cause="not_approved",
        )
    if not same_origin(button.url, page.url):
        raise OrgError(f"the button to reset the token leads to {urlsplit(button.url).hostname!r}: not followed")
    return button


def press(pages: requests.Session, button: Button) -> None:
    """Press the button, once: the old token dies, and Salesforce mails a new one.

    Raises:
        NoResponseError: whether the token was reset is not known.
        OrgError: the org refused, and nothing was reset.
    """
    headers = {"Referer": button.page}
    if button.method == "post":
        response = send_once(
            button.url, lambda: pages.post(button.url, data=button.fields, headers=headers, allow_redirects=False)
        )
    else:
        response = send_once(
            button.url, lambda: pages.get(button.url, params=button.fields, headers=headers, allow_redirects=False)
        )
    if redirects_to_login(response) and not _leads_home(response):
        raise OrgError("the org wanted a login when it was asked to reset the security token, and did not reset it")
    if 400 <= response.status_code < 500:
        raise OrgError(f"the org refused to reset the security token (HTTP {response.status_code})")
    if not _is_done(button, response):
        raise NoResponseError(
            "the org answered the reset of the security token with a page that does not tell its outcome"
        )


def _leads_home(response: requests.Response) -> bool:
    """Return whether an answer sends its reader to the front page, as after what was done, or without a session."""
    target = urlsplit(redirected(response))
    return same_origin(target.geturl(), response.url) and target.path in ("", "/") and not target.query


def _is_done(button: Button, response: requests.Response) -> bool:
    if response.is_redirect:
        target = redirected(response)
        back = button.returns_to
        return bool(back) and same_origin(target, button.url) and urlsplit(target).path == back
    try:
        page = read_page(response)
    except OrgError:
        return False
    text = page.text[:_MAX_TEXT].lower()
    return _says_done(text) and not _NOT_DONE.search(text) and next(_buttons(page), None) is None


def _says_done(text: str) -> bool:
    """Return whether a sentence says that the token was sent or reset, in one pass, as the text may be long."""
    for sentence in text.split("."):
        token = _TOKEN.search(sentence)
        if token and (_SENT.search(sentence) or _RESET.search(sentence, token.end())):
            return True
    return False


def _buttons(page: Page) -> Iterator[Button]:
    """Find the buttons of a page that reset the token, the likeliest first: of a form, a link, or a script."""
    for form in page.forms:
        target = resolve_url(page.url, form.action)
        labelled = any(BUTTON in label.lower() for _name, label in form.buttons)
        if _confirms(target) or (labelled and urlsplit(target).path == urlsplit(page.url).path):
            yield Button("post" if form.method == "post" else "get", target, _fields(form), page.url)
    scripted = (address for script in page.scripts for address in addresses_in(script))
    for address in (*page.links, *scripted):
        target = resolve_url(page.url, address)
        if _confirms(target):
            yield Button("get", target, [], page.url)


def _confirms(url: str) -> bool:
    return urlsplit(url).path.endswith(f"/{CONFIRM}")


def _fields(form: Form) -> list[tuple[str, str]]:
    """Return what a form sends when its button is pressed: the one with the label, never one that cancels."""
    buttons = [one for one in form.buttons if "cancel" not in one[0].lower()]
    buttons.sort(key=lambda one: BUTTON not in one[1].lower())
    return [*form.fields, *(one for one in buttons[:1] if one[0])]
