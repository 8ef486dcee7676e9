# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call an org."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from ..auth.connection import Connection
from ..auth.protocol import org_id_of
from ..errors import GatehouseError, LoginError, NoResponseError, OrgError, SessionExpired
from ..libraries import require_libraries
from .login import Session, login
from .metadata import MetadataApi
from .pages import PageSessionError
from .password import change_own_password
from .queries import find_org_id
from .rest import check, query
from .retry import ReadRetry
from .sessions import SessionCache
from .token_reset import Button, find_button, press
from .tooling import HINT, ToolingApi, is_jwt, needs_tooling
from .transport import open_pages, open_transport

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
T = TypeVar("T")
OpenSession = Callable[["Session | None"], "Session"]


class Org:
    """One org as one user. Opens the session when it is first needed, and once more when it has expired."""

    def __init__(self, connection: Connection, sessions: SessionCache, open_session: OpenSession | None = None) -> None:
        """Enter an org.

        Args:
            sessions: keep the session for others.
            open_session: returns another session than one that has failed, where a login needs more than one attempt.
        """
        require_libraries()
        self._open_session = open_session
        self._connection = connection.checked()
        self._sessions = sessions
        self._session: Session | None = None
        self._org_id: str | None = None
        self._transport = open_transport(connection)
        self._transport.hooks["response"].append(self._count)
        self.requests = 0  # answered so far, but for the login
        self._retry = ReadRetry(2 * connection.timeout)

    def _count(self, _response: requests.Response, **_options: Any) -> None:
        self.requests += 1

    def metadata(self, call: Callable[[MetadataApi], T]) -> T:
        """Return the result of a call of the Metadata API."""
        version = self._connection.api_version

        def run(session: Session) -> T:
            api = ToolingApi if needs_tooling(session, version) else MetadataApi
            return call(api(self._transport, session, version, self._retry))

        return self._with_session(run)

    @overload
    def query(self, soql: str) -> list[dict[str, Any]]: ...

    @overload
    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], T]) -> T: ...

    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], Any] = list) -> Any:
        """Return the records of a SOQL query, or what C(into) makes of them while they come in."""
        version = self._connection.api_version
        return self._with_session(
            lambda session: self._retry(lambda: query(self._transport, session, version, soql, into))
        )

    @property
    def user_id(self) -> str | None:
        """The id of the user that is logged in, where the login returned it."""
        return self._session.user_id if self._session else None

    @property
    def org_id(self) -> str:
        """The id of the org, with which an access token begins; of one that is a JWT, the org is asked. Needs a login.

        Raises OrgError when the org does not say it.
        """
        session = self._session or self._session_after(failed=None)
        if self._org_id is None:
            self._org_id = org_id_of(session.access_token) or find_org_id(self)
        return self._org_id

    def describe(self) -> dict[str, str | None] | None:
        """Return the org's id and host, and who is logged in; None while no session was needed."""
        if self._session is None:
            return None
        if is_jwt(self._session.access_token):
            with contextlib.suppress(GatehouseError):  # a task that failed may have no session any more
                self._org_id = self.org_id
        described = self._session.describe(self._connection)
        return {**described, "id": described["id"] or self._org_id}

    def session(self) -> Session:
        """Return a session that the org has confirmed within the last minute."""
        session = self._session or self._session_after(failed=None)
        if not self._sessions.recently_confirmed(self._connection):
            version = self._connection.api_version
            session = self._with_session(lambda session: self._retry(lambda: check(self._transport, session, version)))
            self._sessions.mark_confirmed(self._connection)
        return session

    def reset_security_token(self) -> None:
        """Reset the token of the user that is logged in, who then gets a mail with a new one. It is asked for once.

        Raises:
            NoResponseError: whether the token was reset is not known, unless C(sent) is false.
            OrgError: nothing was reset.
        """
        with open_pages(self._connection) as pages:
            try:
                button = self._with_session(lambda session: self._find_button(pages, session))
            except NoResponseError as exc:
                raise NoResponseError(str(exc), cause=exc.cause, retry_after=exc.retry_after, sent=False) from None
            press(pages, button)

    def _find_button(self, pages: requests.Session, session: Session) -> Button:
        try:
            return self._retry(lambda: find_button(pages, session))
        except PageSessionError as exc:
            # If it has ended, another one may do; if it is only pages that do not take it, none will.
            self._retry(lambda: check(self._transport, session, self._connection.api_version))
            raise OrgError(
                f"{exc}, though its API does, so the security token cannot be reset: an app needs the scope web or "
                "full for it, and users with the permission API Only User see no pages",
                cause="not_approved",
            ) from None

    def change_own_password(self, old: str, new: str) -> None:
        """Change the password of the user that is logged in; raises as password.change_own_password()."""
        version = self._connection.api_version
        self._with_session(lambda session: change_own_password(self._transport, session, version, old=old, new=new))

    def with_session(self, call: Callable[[requests.Session, Session, str], T]) -> T:
        """Return what a call makes of the transport, a session and the API version; a call may be made twice."""
        version = self._connection.api_version
        return self._with_session(lambda session: call(self._transport, session, version))

    def _with_session(self, call: Callable[[Session], T]) -> T:
        session = self._session or self._session_after(failed=None)
        try:
            return call(session)
        except SessionExpired:
            if self._connection.auth == "session":
                problem = "access_token: the session has ended; open another one"
                raise LoginError(problem, cause="invalid_credentials") from None
            fresh = self._session_after(failed=session)
        try:
            return call(fresh)
        except SessionExpired:
            problem = "the org does not accept the session that it has just opened"
            raise OrgError(problem + (HINT if is_jwt(fresh.access_token) else "")) from None

    def _session_after(self, *, failed: Session | None) -> Session:
        if self._connection.auth == "session":
            self._session = login(self._connection)
        elif self._open_session:
            self._session = self._open_session(failed)
        else:
            self._session = self._sessions.get_or_open(self._connection, login, failed=failed)
        return self._session
