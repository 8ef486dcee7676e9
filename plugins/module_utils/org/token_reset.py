# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of Setup that resets the own security token, and who cannot use it. Private to gatehouse.salesforce.

Salesforce documents no way for a program, and no API has one. That there are two addresses, and that a mere GET of the
second one resets the token, has been reported. So the first one is read, and what its button would send is sent, once.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..errors import Interrupted, LoginError, OrgError
from .login import Session
from .metadata import METADATA_NAMES
from .pages import (
    Form,
    Page,
    addresses_in,
    bridge,
    get_page,
    joined,
    leads_to_login,
    read_page,
    redirected,
    same_place,
)
from .transport import sent_once

try:
    import requests
except ImportError:  # told to the user by require_libraries()
    pass

if TYPE_CHECKING:
    from . import Org

T = TypeVar("T")

EDIT = "/_ui/system/security/ResetApiTokenEdit"
CONFIRM = "ResetApiTokenConfirm"  # never asked unless the page says how
BUTTON = "reset security token"
# What the answer says is not known. In these words it would have said that it was done; in others it leaves that open.
_DONE = re.compile(
    r"\b(sent|e-?mailed)\b[^.]*\bsecurity token\b|\bsecurity token\b[^.]*\b(sent|e-?mailed|has been reset|was reset)\b"
)
_NOT_DONE = re.compile(r"\b(not|cannot|can't|couldn't|unable|error|invalid|failed|denied)\b")
_LIFETIME = datetime.timedelta(days=1)


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
    """The button that resets the token of the session's user; nothing is reset yet.

    Raises:
        NoPageSession: the org does not open its pages to the session.
        OrgError: there is no button.
    """
    bridge(pages, session, EDIT)
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
    if not same_place(button.url, page.url):
        raise OrgError(f"the button to reset the token leads to {urlsplit(button.url).hostname!r}: not followed")
    return button


def press(pages: requests.Session, button: Button) -> None:
    """Press the button, once: the old token dies, and Salesforce mails a new one.

    Raises:
        Interrupted: whether the token was reset is not known.
        OrgError: the org refused, and nothing was reset.
    """
    headers = {"Referer": button.page}
    if button.method == "post":
        response = sent_once(
            button.url, lambda: pages.post(button.url, data=button.fields, headers=headers, allow_redirects=False)
        )
    else:
        response = sent_once(
            button.url, lambda: pages.get(button.url, params=button.fields, headers=headers, allow_redirects=False)
        )
    if leads_to_login(response) and not _leads_home(response):
        raise OrgError("the org wanted a login when it was asked to reset the security token, and did not reset it")
    if 400 <= response.status_code < 500:
        raise OrgError(f"the org refused to reset the security token (HTTP {response.status_code})")
    if not _is_done(button, response):
        raise Interrupted("the org answered the reset of the security token with a page that does not tell its outcome")


def _leads_home(response: requests.Response) -> bool:
    """Whether an answer sends its reader to the front page, as after what was done, or without a session."""
    target = urlsplit(redirected(response))
    return same_place(target.geturl(), response.url) and target.path in ("", "/") and not target.query


def _is_done(button: Button, response: requests.Response) -> bool:
    if response.is_redirect:
        target = redirected(response)
        back = button.returns_to
        return bool(back) and same_place(target, button.url) and urlsplit(target).path == back
    try:
        page = read_page(response)
    except OrgError:
        return False
    text = page.text.lower()
    return bool(_DONE.search(text)) and not _NOT_DONE.search(text) and next(_buttons(page), None) is None


def _buttons(page: Page) -> Iterator[Button]:
    """The buttons of a page that reset the token, the likeliest first: of a form, of a link, or of a script."""
    for form in page.forms:
        target = joined(page.url, form.action)
        labelled = any(BUTTON in label.lower() for _name, label in form.buttons)
        if _confirms(target) or (labelled and urlsplit(target).path == urlsplit(page.url).path):
            yield Button("post" if form.method == "post" else "get", target, _fields(form), page.url)
    scripted = (address for script in page.scripts for address in addresses_in(script))
    for address in (*page.links, *scripted):
        target = joined(page.url, address)
        if _confirms(target):
            yield Button("get", target, [], page.url)


def _confirms(url: str) -> bool:
    return urlsplit(url).path.endswith(f"/{CONFIRM}")


def _fields(form: Form) -> list[tuple[str, str]]:
    """What a form sends when its button is pressed: of several the one with the label, and never one that cancels."""
    buttons = [one for one in form.buttons if "cancel" not in one[0].lower()]
    buttons.sort(key=lambda one: BUTTON not in one[1].lower())
    return [*form.fields, *(one for one in buttons[:1] if one[0])]


def obstacles(org: Org, username: str, method: str = "reset") -> list[str]:
    """Why the user cannot get a new token by C(reset) or C(password), each with the way out. Nothing is changed.

    What the session's user may not see is not known, and so no obstacle.
    """
    user = _user(org, username)
    if method == "password":
        return list(_password_obstacles(org, username, user))
    return [*_range_obstacles(org, username, user), *_permission_obstacles(org, username)]


def _range_obstacles(org: Org, username: str, user: Mapping[str, Any]) -> Iterator[str]:
    profile = str((user.get("Profile") or {}).get("Name") or "")
    if not profile:
        return
    names = tuple(dict.fromkeys((METADATA_NAMES.get(profile, profile), profile)))
    found = _if_allowed(lambda: org.metadata(lambda api: api.read_login_ranges(names)))
    if any(one.ranges for one in found or ()):
        yield (
            f"the profile {profile} of {username} has login IP ranges, so Salesforce lets nobody reset a token there. "
            "Within the ranges no token is needed; store the credential without one. Or let a person remove the "
            f"ranges in Setup > Profiles > {profile} > Login IP Ranges, as the API cannot remove the last one, reset "
            "the token, and put the ranges back. Or move to OAuth, which needs no token"
        )


def _permission_obstacles(org: Org, username: str) -> Iterator[str]:
    only = _granted_by(org, username, "ApiUserOnly")
    if only:
        yield (
            f"{username} has the permission API Only User ({only}), which keeps it from the page that resets a token. "
            "Take it away for the reset and give it back; or use method password, if the token was reset once before, "
            "as only then its mail comes; or move to OAuth, which needs no token"
        )
    codes = _granted_by(org, username, "TwoFactorApi")
    if codes:
        yield (
            f"{username} has the permission MFA for API Logins ({codes}), so Salesforce takes a one-time code in place "
            "of the token. Take the permission away; or move to OAuth, which needs no token"
        )


def _password_obstacles(org: Org, username: str, user: Mapping[str, Any]) -> Iterator[str]:
    """The policy may ask a password to last a day."""
    try:
        changed = datetime.datetime.fromisoformat(str(user.get("LastPasswordChangeDate")))
    except ValueError:
        return
    until = changed.astimezone(datetime.UTC) + _LIFETIME
    if until <= datetime.datetime.now(datetime.UTC):
        return
    policies = _if_allowed(lambda: org.metadata(lambda api: api.read_password_policies()))
    if policies and policies.get("minimumPasswordLifetime") == "true":
        yield (
            f"the password of {username} was changed less than a day ago, and the org's policy asks it to last that "
            f"long; try again after {until:%Y-%m-%dT%H:%M:%SZ}"
        )


def _user(org: Org, username: str) -> Mapping[str, Any]:
    fields = "Profile.Name, LastPasswordChangeDate"
    soql = f"SELECT {fields} FROM User WHERE Username = '{_quoted(username)}'"  # noqa: S608 - quoted
    rows = _if_allowed(lambda: org.query(soql))
    return rows[0] if rows else {}


def _granted_by(org: Org, username: str, permission: str) -> str:
    """The profile and permission sets that give a permission to the user; empty where none does, or none is shown."""
    soql = (
        "SELECT PermissionSet.Label, PermissionSet.IsOwnedByProfile, PermissionSet.Profile.Name "  # noqa: S608 - quoted
        f"FROM PermissionSetAssignment WHERE Assignee.Username = '{_quoted(username)}' "
        f"AND PermissionSet.Permissions{permission} = true"
    )
    rows = _if_allowed(lambda: org.query(soql))
    return ", ".join(dict.fromkeys(_giver(row.get("PermissionSet") or {}) for row in rows or ()))


def _giver(permission_set: Mapping[str, Any]) -> str:
    if permission_set.get("IsOwnedByProfile"):
        return f"by the profile {(permission_set.get('Profile') or {}).get('Name')}"
    return f"by the permission set {permission_set.get('Label')}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _if_allowed(read: Callable[[], T]) -> T | None:
    """What is read; None where this user may not read it."""
    try:
        return read()
    except (Interrupted, LoginError):
        raise
    except OrgError:
        return None


__all__ = ["Button", "find_button", "obstacles", "press"]
