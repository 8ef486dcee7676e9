# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login that verifies what is to be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..auth.connection import Connection
from ..org.client import Org
from ..org.login import Session, login
from ..store import read_or_none
from ..store.base import Store
from ..task.context import Task, kept_sessions
from .diagnosis import diagnosed_login
from .lockout import require_attempts_left


def when_it_worked(store: Store, name: str, connection: Connection) -> str | None:
    """When the password of a connection last passed a login under that name, as far as the store knows."""
    stored = read_or_none(store, name)
    if stored is None or stored.connection.password != connection.password:
        return None
    return stored.verified


def verified_login(
    store: Store, name: str, options: Mapping[str, Any], run: Task, *, own: Callable[[], Org | None] | None = None
) -> Callable[[Connection], object]:
    """Logs in once with a connection that is to be stored under that name, unless that could lock its user out.

    The session is kept, so that the tasks that follow need no login of their own. A refusal is explained as
    O(diagnose_with) says.

    Args:
        own: as for require_headroom().
    """

    def log_in(connection: Connection) -> object:
        run.hide(connection)  # of which some are stored only
        require_attempts_left(connection, options, run, own=own)
        return diagnosed_login(renewed, options, run, worked=worked)(connection)

    def renewed(connection: Connection) -> Session:
        sessions = kept_sessions(store, run)
        if connection.auth == "session":  # somebody else has logged in; whether the org takes it is to be asked
            return Org(connection, sessions).session()
        # Nobody else is asked meanwhile: two runs that ask with each other's user would wait for each other.
        return sessions.renew(connection, login)

    def worked(connection: Connection) -> str | None:
        return when_it_worked(store, name, connection)

    return log_in
