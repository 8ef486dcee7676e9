# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the REST API, by simple-salesforce."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..errors import NoResponseError, OrgError, SessionExpired
from .login import Session
from .transport import translate_errors, unexpected_response

try:
    import requests
    from simple_salesforce.api import Salesforce
    from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession
except ImportError:  # reported by require_libraries()
    pass
T = TypeVar("T")
MAX_QUERY_SECONDS = 600.0  # a hundred thousand rows are fifty pages


def query(
    transport: requests.Session,
    session: Session,
    version: str,
    soql: str,
    into: Callable[[Iterator[dict[str, Any]]], T],
) -> T:
    """Return what C(into) makes of the records of a SOQL query, page by page.

    Raises:
        SessionExpired: the session is no longer valid.
        OrgError: the org refused, with the code that it gave.
    """
    with translate_errors(session.instance_url):
        client = Salesforce(
            session_id=session.access_token,
            instance_url=session.instance_url,
            version=version,
            session=transport,
            object_pairs_hook=dict,
        )
        try:
            return into(_records(client, soql))
        except SalesforceExpiredSession:
            raise SessionExpired("the session has expired or was ended") from None
        except SalesforceError as exc:
            if exc.status >= 500:
                raise NoResponseError(f"the org cannot serve the query now: {_code(exc)}") from None
            raise OrgError(f"the org refused the query: {_code(exc)}") from None


def _records(client: Salesforce, soql: str) -> Iterator[dict[str, Any]]:
    """Yield the records, page after page, as long as the pages are what Salesforce sends."""
    deadline = time.monotonic() + MAX_QUERY_SECONDS
    page, following = _page(lambda: client.query(soql))
    while True:
        yield from page
        if not following:
            return
        if not page or time.monotonic() > deadline:
            raise OrgError("the org does not come to the end of the query's records")
        page, following = _page(lambda url=following: client.query_more(url, identifier_is_url=True))  # type: ignore[misc]


def _page(ask: Callable[[], Any]) -> tuple[list[dict[str, Any]], str | None]:
    """Return the records of a page, and where the next one is; None at the end."""
    try:
        answer = ask()
        records, following = answer["records"], None if answer["done"] else str(answer["nextRecordsUrl"])
        if isinstance(records, list) and all(isinstance(record, dict) for record in records):
            return records, following
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        if isinstance(exc, requests.exceptions.RequestException) and not isinstance(
            exc, requests.exceptions.JSONDecodeError
        ):
            raise
    raise OrgError("the org answered the query with something that is no list of records")


def check(transport: requests.Session, session: Session, version: str) -> Session:
    """Return the session itself, if the org accepts it; raises SessionExpired or OrgError."""
    url = f"{session.instance_url}/services/data/v{version}/"
    with translate_errors(url):
        response = transport.get(url, headers={"Authorization": f"Bearer {session.access_token}"})
    if response.status_code == 401:
        raise SessionExpired("the session has expired or was ended")
    try:
        if response.status_code == 200 and isinstance(response.json(), dict):
            return session
    except (ValueError, RecursionError):
        pass
    raise unexpected_response(response)


def _code(error: SalesforceError) -> str:
    """Return the error code alone: the rest of an answer may repeat what was sent."""
    try:
        content: Any = error.content  # typed as bytes, but decoded JSON where it is JSON
        return str(content[0]["errorCode"])[:80]
    except (KeyError, IndexError, TypeError):
        return f"HTTP {error.status}"
