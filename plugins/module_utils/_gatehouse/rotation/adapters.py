# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation needs of the org and the mailbox, for a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..access.token_need import needs_token
from ..auth.connection import Connection
from ..errors import GatehouseError, OptionError
from ..mailbox.mailbox import Mailbox, open_mailbox
from ..mailbox.oauth import Memory
from ..mailbox.settings import MailSettings
from ..masking import Secrets
from ..org.client import Org
from ..org.password import OldPasswordRefused, generate_password
from ..org.queries import find_user, logins_of
from ..org.sessions import SessionCache
from ..store.base import Store
from ..verification.verify import Verifier, when_it_worked
from .obstacles import rotation_obstacles


class Gateway:
    """Reaches the org and the mailbox for a rotation."""

    def __init__(
        self,
        name: str,
        store: Store,
        sessions: SessionCache,
        mail: MailSettings | None,
        mail_tokens: Memory | None = None,
        *,
        administrator: Callable[[Connection], Org | None],
        with_limits: Callable[[Connection], Connection],
        secrets: Secrets,
    ) -> None:
        """Reach them for the credential of that name.

        Args:
            mail: where the mails arrive; None where there is no mailbox.
            mail_tokens: keeps the tokens of a mailbox by OAuth.
            administrator: returns the org as somebody sees it who may read another user's data.
            with_limits: adds the task's timeout and source address to a stored connection.
            secrets: learn what must not be printed.
        """
        self._name = name
        self._store = store
        self._sessions = sessions
        self._mail = mail
        self._mail_tokens = mail_tokens
        self._administrator = administrator
        self._with_limits = with_limits
        self._secrets = secrets

    def open_session(self, connection: Connection) -> OrgUser:
        """Open the org over a cached session, or a new one by one login; raises LoginError."""
        if self._over_kept_session(connection) is None:
            self.log_in(connection)
        return self._entered(Org(self._with_limits(connection), self._sessions), connection)

    def reuse_session(self, connection: Connection) -> OrgUser | None:
        """Open the org over a cached session that is still valid; None where there is none. No login is made."""
        org = self._over_kept_session(connection)
        return self._entered(org, connection) if org else None

    def _entered(self, org: Org, connection: Connection) -> OrgUser:
        return OrgUser(org, connection, self._administrator(connection) or org, self._secrets)

    def log_in(self, connection: Connection) -> object:
        """Log in once; raises LoginError, or OrgError when it could not be tried."""
        before = self._connection_before(connection)
        verifier = Verifier(
            self._sessions, lambda user: self._administrator(user) or self._over_kept_session(before), self._secrets
        )
        last_success = when_it_worked(self._store, self._name, connection)
        # The journal of a rotation says itself which tokens are not to be tried again.
        return verifier.login(self._with_limits(connection), last_success=last_success, retry_refused=True)

    def sees_attempts(self, connection: Connection) -> bool:
        """Return whether the failed logins of a user, and how many lock it, can be read from the org."""
        try:
            org = self._administrator(connection) or self._over_kept_session(self._connection_before(connection))
            user = find_user(org, connection.username or "") if org else None
            if org is None or user is None:
                return False
            policies = org.metadata(lambda api: api.read_password_policies())
            return bool(policies and logins_of(org, user.id, limit=1))
        except GatehouseError:
            return False

    @contextmanager
    def open_mailbox(self) -> Iterator[Mailbox]:
        """Open the mailbox; raises MailError."""
        if self._mail is None:
            raise OptionError("mailbox", "is needed to read the mail with the new token")
        with open_mailbox(self._mail, self._mail_tokens) as mailbox:
            yield mailbox

    def _connection_before(self, connection: Connection) -> Connection:
        """Return what is stored for the user of a connection, whose session may be open still."""
        stored = self._store.read(self._name)
        return next((user for user in stored.users if user.username == connection.username), stored.connection)

    def _over_kept_session(self, connection: Connection) -> Org | None:
        session = self._sessions.cached(self._with_limits(connection))
        if session is None:
            return None
        by_session = dataclasses.replace(
            self._with_limits(connection),
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

    def __init__(self, org: Org, connection: Connection, asker: Org, secrets: Secrets) -> None:
        """Enter it over a session.

        Args:
            asker: the same org, as somebody who may see what is in the way of this user.
            secrets: learn what must not be printed.
        """
        self._org = org
        self._asker = asker
        self._secrets = secrets
        self._username = connection.username or ""

    def obstacles(self, method: str) -> list[str]:
        """Return why this user cannot get a new token by that method, each with what to do; nothing is changed."""
        return rotation_obstacles(self._asker, self._username, method)

    def new_password(self) -> str:
        """Generate a password that the org's policy allows."""
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
        self._secrets.add(old, new)
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
