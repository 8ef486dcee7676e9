# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation needs of the org and the mailbox, for a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..access.token_need import needs_token
from ..auth.connection import Connection
from ..errors import GatehouseError
from ..mailbox.mailbox import Mailbox, open_mailbox
from ..mailbox.settings import mail_settings
from ..org.client import Org
from ..org.password import OldPasswordRefused, generate_password
from ..store.base import Store
from ..task.context import Task, kept_sessions, of_this_run, open_asker
from ..verification.verify import verified_login
from .obstacles import rotation_obstacles


class Gateway:
    """The way to the org and to the mailbox that a task's options say."""

    def __init__(self, store: Store, options: Mapping[str, Any], run: Task) -> None:
        self._store = store
        self._options = options
        self._run = run
        self._sessions = kept_sessions(store, run)

    def enter(self, connection: Connection) -> OrgUser:
        """The org over a session that is kept, or a new one by one login; raises LoginError."""
        if self._over_kept_session(connection) is None:
            self.log_in(connection)
        return self._entered(Org(of_this_run(connection, self._options), self._sessions), connection)

    def enter_again(self, connection: Connection) -> OrgUser | None:
        """The org over a session that is kept and still holds; None where there is none. No login is made."""
        org = self._over_kept_session(connection)
        return self._entered(org, connection) if org else None

    def _entered(self, org: Org, connection: Connection) -> OrgUser:
        return OrgUser(org, connection, open_asker(self._options, self._run, connection) or org, self._run)

    def log_in(self, connection: Connection) -> object:
        """One login; raises LoginError, or OrgError when it could not be tried."""
        self._run.hide(connection)
        name = self._options["name"]
        before = self._connection_before(connection)
        log_in = verified_login(
            self._store, name, self._options, self._run, own=lambda: self._over_kept_session(before)
        )
        return log_in(of_this_run(connection, self._options))

    @contextmanager
    def open_mailbox(self) -> Iterator[Mailbox]:
        """The mailbox; raises MailError."""
        with open_mailbox(mail_settings(self._options["mailbox"])) as mailbox:
            yield mailbox

    def _connection_before(self, connection: Connection) -> Connection:
        """What is stored for the user of a connection, whose session may be open still."""
        stored = self._store.read(self._options["name"])
        return next((user for user in stored.users if user.username == connection.username), stored.connection)

    def _over_kept_session(self, connection: Connection) -> Org | None:
        session = self._sessions.kept(of_this_run(connection, self._options))
        if session is None:
            return None
        by_session = dataclasses.replace(
            of_this_run(connection, self._options),
            auth="session",
            access_token=session.access_token,
            instance_url=session.instance_url,
        )
        org = Org(by_session, self._sessions)
        try:
            org.session()
        except GatehouseError:
            return None
        return org


class OrgUser:
    """An org, entered as the user whose token is to be renewed."""

    def __init__(self, org: Org, connection: Connection, asker: Org, run: Task) -> None:
        """Enter it over a session.

        Args:
            asker: the same org, as somebody who may see what is in the way of this user.
            run: learns what must not be told.
        """
        self._org = org
        self._asker = asker
        self._run = run
        self._username = connection.username or ""

    def obstacles(self, method: str) -> list[str]:
        """Why this user cannot get a new token by that method, each with what to do; nothing is changed."""
        return rotation_obstacles(self._asker, self._username, method)

    def new_password(self) -> str:
        """A password that the org's policy allows."""
        try:
            policies = self._asker.metadata(lambda api: api.read_password_policies())
        except GatehouseError:  # which not every user may read; what is generated meets them all
            policies = {}
        return generate_password(policies)

    def reset_security_token(self) -> None:
        """Reset the token; raises NoResponseError when it may have been reset, another OrgError when it was not."""
        self._org.reset_security_token()

    def change_password(self, old: str, new: str, *, again: bool) -> None:
        """Change the password; raises as reset_security_token() does. With again, it may have been changed before."""
        self._run.secrets.extend([old, new])
        try:
            self._org.change_own_password(old, new)
        except OldPasswordRefused:
            if not again:
                raise

    def needs_token(self) -> bool:
        """Whether a login from here needs the token; true when that is not known."""
        try:
            return needs_token(self._asker, self._username)
        except GatehouseError:
            return True
