# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of Setup: how to get one with a session of the API, and what is on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from ..auth.connection import LOGIN_HOSTS
from ..errors import OrgError
from .login import Session
from .transport import translate_errors, unexpected_response

try:
    import requests
    from lxml import etree
except ImportError:  # reported by require_libraries()
    pass
FRONT_DOOR = "/secur/frontdoor.jsp"
MAX_REDIRECTS = 3
# What tells that a page sends its reader to the login page by a script.
_BOUNCE = "startURL="
_UNSENT = ("button", "reset", "file", "checkbox", "radio")


class PageSessionError(OrgError):
    """The org wants somebody to log in before it shows a page."""


@dataclasses.dataclass
class Form:
    """A form: where it goes, what it sends anyway, and the buttons that send it."""

    action: str
    method: str
    fields: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    buttons: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class Page:
    """What matters on a page, at an address.

    Attributes:
        links: where its links lead.
        scripts: what its elements do when they are clicked.
        text: what a person reads.
        asks_for_login: whether it is the login page, or leads there by a script.
    """

    def __init__(self, url: str, content: bytes) -> None:
        # The parser of the standard library takes hours for some pages of half a megabyte.
        parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
        try:
            read: etree._Element | None = etree.fromstring(content, parser)
        except etree.XMLSyntaxError:
            read = None
        root = etree.Element("html") if read is None else read  # of a page with nothing on it
        self.url = url
        self.forms = [_form(element) for element in root.iter("form")]
        self.links = [element.get("href", "") for element in root.iter("a")]
        self.scripts = [script for element in root.iter() if (script := element.get("onclick"))]
        secret = any(element.get("type", "").lower() == "password" for element in root.iter("input"))
        self.asks_for_login = secret or any(_BOUNCE in (element.text or "") for element in root.iter("script"))
        for element in root.iter("script", "style"):
            element.text = None
        self.text = " ".join(" ".join(root.itertext()).split())


def _form(element: etree._Element) -> Form:
    form = Form(element.get("action", ""), element.get("method", "get").lower())
    for control in element.iter("input", "button"):
        kind = control.get("type", "submit" if control.tag == "button" else "text").lower()
        field = (control.get("name", ""), control.get("value", ""))
        if control.get("disabled") is not None:
            continue
        if kind in ("submit", "image"):
            form.buttons.append(field)
        elif field[0] and (kind not in _UNSENT or control.get("checked") is not None):
            form.fields.append(field)
    return form


def open_page_session(pages: requests.Session, session: Session, target: str) -> None:
    """Make a session of the API one for pages, by the form that Salesforce documents: so it is in no address.

    Raises:
        PageSessionError: the org does not take it.
    """
    url = session.instance_url + FRONT_DOOR
    with translate_errors(url):
        form = {"sid": session.access_token, "retURL": target}
        response = pages.post(url, data=form, allow_redirects=False)
    if response.status_code >= 400:
        raise unexpected_response(response)
    if redirects_to_login(response) or not response.cookies.get("sid"):
        raise PageSessionError("the org does not open its pages to this session")
    # An adapter of ours hands out a copy of the answer, from which requests does not take cookies itself.
    pages.cookies.update(response.cookies)


def get_page(pages: requests.Session, url: str, *, never: str) -> Page:
    """Get a page, wherever it has moved to on its host; an address whose path contains C(never) is not requested.

    Raises:
        PageSessionError: the org wants somebody to log in first.
    """
    origin = urlsplit(url)
    for _unused in range(1 + MAX_REDIRECTS):
        with translate_errors(url):
            response = pages.get(url, allow_redirects=False)
        if redirects_to_login(response):
            raise PageSessionError("the org wants a login before it shows the page")
        if not response.is_redirect:
            return read_page(response)
        url = redirected(response)
        if not same_origin(url, origin.geturl()) or never.lower() in unquote(urlsplit(url).path).lower():
            raise OrgError(f"{origin.hostname} leads elsewhere with its page ({urlsplit(url).hostname}): not followed")
    raise OrgError(f"{origin.hostname} leads from page to page without end")


def read_page(response: requests.Response) -> Page:
    """Parse the page in a response."""
    if response.status_code != 200:
        raise unexpected_response(response)
    page = Page(response.url, response.content)
    if page.asks_for_login:
        raise PageSessionError("the org wants a login before it shows the page")
    return page


def redirected(response: requests.Response) -> str:
    """Return where a redirect leads."""
    return resolve_url(response.url, response.headers.get("Location", ""))


def resolve_url(url: str, address: str) -> str:
    """Resolve an address on a page; empty where it is none."""
    try:
        return urlsplit(urljoin(url, address)).geturl()
    except ValueError:
        return ""


def redirects_to_login(response: requests.Response) -> bool:
    """Return whether an answer sends its reader to the login page."""
    if not response.is_redirect:
        return False
    target = redirected(response)
    parts = urlsplit(target)
    if parts.hostname in LOGIN_HOSTS or "startURL" in parse_qs(parts.query):
        return True
    return same_origin(target, response.url) and parts.path.rstrip("/") in ("", "/login")


def same_origin(url: str, other: str) -> bool:
    """Return whether two addresses are of the same server."""
    return _place(url) == _place(other)


def _place(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None


def addresses_in(script: str) -> Iterator[str]:
    """Return the texts in quotation marks of a script, as far as they are plain."""
    for mark in ("'", '"'):
        for text in script.split(mark)[1::2]:
            plain = text.replace("\\/", "/")
            if "\\" not in plain:
                yield plain
