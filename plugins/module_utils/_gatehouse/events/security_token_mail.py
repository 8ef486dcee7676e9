# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source security_token_mail: somebody has reset a token that no rotation asked for."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..credentials.changes import is_replaced
from ..credentials.credential import Credential
from ..errors import MailError, OptionError, StoreError
from ..mailbox.imap import ImapConnection, Position
from ..mailbox.mailbox import Mailbox, NewMail
from ..mailbox.settings import SPEC as MAILBOX
from ..mailbox.settings import mail_settings
from ..mailbox.token_mail import token
from ..store.base import Store
from ..task.context import Task
from .memory import Cursor, Event, Seen, make_event
from .source import Source, Watch
from .stored_users import StoredUser, stored_users

SOURCE = "security_token_mail"
REMEMBERED = 100  # ids of the latest events, for mails that are read twice


def is_known(credential: Credential, username: str, mail_token: str) -> bool:
    """Whether a token from a mail is stored, was replaced meanwhile, or was tried by a rotation and refused."""
    journal = credential.rotation
    return (
        any(user.security_token == mail_token for user in credential.users if _same(user.username, username))
        or is_replaced(credential, mail_token)
        or (journal is not None and mail_token in journal.refused)
    )


def _same(one: str | None, other: str) -> bool:
    return (one or "").lower() == other.lower()


class SecurityTokenMail(Watch):
    """Looks at a mailbox, over a connection that stays open."""

    def __init__(self, options: Mapping[str, Any], task: Task) -> None:
        if options["mailbox"] is None:
            raise OptionError("mailbox", "is required")
        self._settings = mail_settings(options["mailbox"])
        if self._settings.oauth:
            task.secrets.add(*self._settings.oauth.secret_texts)
        task.secrets.add(*filter(None, (self._settings.password, self._settings.access_token)))
        self._names: list[str] | None = options["names"]
        self._task = task
        self._connection: ImapConnection | None = None
        self._pause = 1.0

    def look(self, cursor: Cursor | None) -> Seen:
        """Return the tokens that have come since the last look and that nobody here asked for."""
        try:
            mailbox = Mailbox(self._connected())
            if cursor is None:
                now = datetime.datetime.now(datetime.UTC)
                return Seen({"position": list(mailbox.position()), "time": now.isoformat(), "recent": []})
            since_time = datetime.datetime.fromisoformat(cursor["time"])
            mails, position = mailbox.arrivals(Position(*cursor["position"]), since_time)
        except MailError as exc:
            self.close()
            if exc.cause == "login_refused":
                raise OptionError("mailbox", f"{exc}. It is not tried again") from None
            raise
        users, problems = stored_users(self._task.store, self._names) if mails else ([], [])
        events, waiting = self._events(mails, users)
        # A mail that a rotation may have asked for is looked at again, and with it what came after it.
        if waiting is not None:
            position = position._replace(next_uid=waiting)
        new = [event for event in events if event["id"] not in cursor["recent"]]
        recent = [*cursor["recent"], *(event["id"] for event in new)][-REMEMBERED:]
        if mails or waiting is not None:
            self._pause = 1.0
        seen_until = max([since_time, *(mail.received for mail in mails)])
        return Seen({"position": list(position), "time": seen_until.isoformat(), "recent": recent}, new, problems)

    def wait(self, seconds: float) -> None:
        """Wait for the server to announce a mail."""
        # Short at first: a mail that comes after the look and before IDLE is not announced by all servers.
        pause, self._pause = min(self._pause, seconds), min(2 * self._pause, seconds)
        if self._connection is None:
            time.sleep(pause)
            return
        try:
            self._connection.await_mail(pause)
        except MailError:
            self.close()
            raise

    def close(self) -> None:
        """Log out."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> ImapConnection:
        if self._connection is None:
            memory = self._task.store_options.open_notes() if self._settings.oauth else None
            connection = ImapConnection(self._settings, memory)
            try:
                connection.connect()
            except MailError:
                connection.close()
                raise
            self._connection = connection
            self._pause = 1.0
        return self._connection

    def _events(self, mails: Iterable[NewMail], users: Iterable[StoredUser]) -> tuple[list[Event], int | None]:
        """Return the events, and the UID of the first mail that cannot be judged yet."""
        events, waiting = list[Event](), None
        for mail in mails:
            for user in users:
                brought = token(mail.raw, user.username)
                if not brought:
                    continue
                credential = _read_unlocked(self._task.store, user.credential)
                if credential is None:
                    waiting = waiting or mail.uid
                elif not is_known(credential, user.username, brought):
                    events.append(_event(user, mail))
        return events, waiting


def _read_unlocked(store: Store, name: str) -> Credential | None:
    """Return a credential that no rotation is working on; None while one is, as it may have asked for the mail.

    What a rotation that died has asked for is for the next one to take, which the event may start.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(store.lock(name, seconds=0))
        except StoreError:
            return None
        return store.read(name)


def _event(user: StoredUser, mail: NewMail) -> Event:
    received = mail.received.strftime("%Y-%m-%dT%H:%M:%SZ")
    return make_event(
        SOURCE,
        *(user.credential, user.username.lower(), received),
        credential=user.credential,
        username=user.username,
        received=received,
        sender_verified=mail.authenticated,
    )


SECURITY_TOKEN_MAIL = Source(
    name=SOURCE,
    interval=60.0,
    spec={
        "names": {"type": "list", "elements": "str"},
        "mailbox": {"type": "dict", "options": MAILBOX, "apply_defaults": True},
    },
    open=SecurityTokenMail,
)
