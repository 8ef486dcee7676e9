# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in once to verify what is to be stored."""

from __future__ import annotations

from collections.abc import Callable

from ..auth.connection import Connection
from ..errors import LoginError
from ..masking import Secrets
from ..org.client import Org
from ..org.login import Session, login
from ..org.sessions import LogIn, SessionCache
from ..store import Store, read_or_none
from .diagnosis import diagnose
from .lockout import require_attempts_left


def when_it_worked(store: Store, name: str, connection: Connection) -> str | None:
    """Return when the password of a connection last passed a login under that name, as far as the store knows."""
    stored = read_or_none(store, name)
    if stored is None or stored.connection.password != connection.password:
        return None
    return stored.verified


class Verifier:
    """Logs in once to verify what is to be stored, unless that could lock the user out, and diagnoses a refusal."""

    def __init__(
        self,
        sessions: SessionCache,
        administrator: Callable[[Connection], Org | None],
        secrets: Secrets,
        log_in: LogIn | None = None,
    ) -> None:
        """Verify logins.

        Args:
            sessions: keep the session, so that the tasks that follow need no login of their own.
            administrator: returns the org as somebody sees it who may read another user's login history.
            secrets: learn what the connections keep secret.
            log_in: logs in, if not by one plain attempt.
        """
        self._log_in = log_in
        self._sessions = sessions
        self._administrator = administrator
        self._secrets = secrets

    def login(
        self,
        connection: Connection,
        *,
        last_success: str | None = None,
        own: Org | None = None,
        retry_refused: bool = False,
    ) -> Session:
        """Log in once.

        Args:
            last_success: when the connection's password last passed a login, UTC, where that is known.
            own: the org over a session that the user has already, to ask what is left of its attempts.
            retry_refused: try secrets, too, that an earlier run found to be wrong.

        Raises:
            LoginError: the login was refused, or not made because it could lock the user out.
            OrgError: it could not be tried.
        """
        self._secrets.add(*connection.secret_texts)  # of which some are stored only
        org_asked = require_attempts_left(connection, lambda: self._administrator(connection) or own)
        if retry_refused:
            self._sessions.attempts.require_retry_allowed(connection, org_asked=org_asked)
        try:
            return self._open(connection)
        except LoginError as exc:
            raise diagnose(exc, connection, self._administrator, self._secrets, last_success=last_success) from exc

    def _open(self, connection: Connection) -> Session:
        if connection.auth == "session":  # somebody else has logged in; whether the org takes it is to be asked
            return Org(connection, self._sessions).session()
        # Nobody else is asked meanwhile: two runs that ask with each other's user would wait for each other.
        return self._sessions.open_new(connection, self._log_in or login)
