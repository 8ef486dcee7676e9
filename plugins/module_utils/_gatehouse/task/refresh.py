# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open sessions of stored refresh tokens, of which an org may give a new one with each session.

The one that was sent is dead then. So whoever opens a session locks the credential, reads what is stored by now, and
stores the new token before anybody uses the session. Lost is a new token only if this process or machine dies between
the org's answer and that write; then the org has to be authorised again, unless it takes the old one for a while.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from ..auth.connection import Connection
from ..credentials.changes import complete_rotation
from ..credentials.credential import Credential
from ..org.client import Org
from ..org.login import Session, login
from ..org.sessions import SessionCache
from ..store.base import Store


def open_org(
    store: Store, credential: Credential, sessions: SessionCache, with_limits: Callable[[Connection], Connection]
) -> Org:
    """Return the org of a stored credential.

    Args:
        with_limits: adds the task's timeout and source address to a stored connection.
    """
    connection = with_limits(credential.connection)
    if connection.auth != "refresh_token":
        return Org(connection, sessions)

    def open_session(failed: Session | None) -> Session:
        with store.lock(credential.name):
            stored = store.read(credential.name)
            return sessions.get_or_open(with_limits(stored.connection), lambda to: refresh(to, stored), failed=failed)

    def refresh(to: Connection, stored: Credential) -> Session:
        session = login(to)
        if session.refresh_token:
            store.write(with_new_token(stored, session.refresh_token), replaces=stored.version)
        return session

    return Org(connection, sessions, open_session)


def with_new_token(stored: Credential, refresh_token: str) -> Credential:
    """Return a credential whose login has just brought another refresh token."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return complete_rotation(stored, dataclasses.replace(stored.connection, refresh_token=refresh_token), now=now)
