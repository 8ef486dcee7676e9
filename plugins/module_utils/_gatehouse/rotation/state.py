# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential that a rotation works on: what is known and what is written of it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from contextlib import AbstractContextManager
from typing import Any

from ..auth.causes import NOT_ACCEPTED
from ..auth.connection import Connection
from ..credentials.credential import Credential
from ..credentials.journal import MAX_CANDIDATES, Journal
from ..credentials.serialisation import to_public
from ..errors import LoginError, OptionError
from ..mailbox.mailbox import CLOCK_SLACK
from ..progress import Progress
from ..store.base import Store, version_conflict
from .errors import RotationIncomplete, incomplete, too_many_failed_logins
from .model import GatewayPort, Mailbox, RotationOptions


class Record:
    """A credential that is locked for this run.

    Attributes:
        before: as it was found.
        credential: as it is stored now; in check mode, as it would be.
        warnings: for the user.
    """

    def __init__(self, store: Store, credential: Credential, *, check_mode: bool) -> None:
        self.store = store
        self.before = credential
        self.credential = credential
        self.check_mode = check_mode
        self.warnings: list[str] = []

    @property
    def journal(self) -> Journal | None:
        """The rotation under way."""
        return self.credential.rotation

    @property
    def required_journal(self) -> Journal:
        """The rotation under way, where there certainly is one."""
        if self.credential.rotation is None:
            raise ValueError("no rotation is under way")
        return self.credential.rotation

    def write(self, credential: Credential) -> None:
        """Store it in place of what is stored now; raises VersionConflictError when that is not what this run knows.

        A journal has no version of its own, and a machine that slept may have lost its lock to another one unawares.
        """
        if not self.check_mode:
            if self.store.read(credential.name) != self.credential:
                raise version_conflict(credential.name, "another run works on it; run it again")
            self.store.write(credential, replaces=self.credential.version)
        self.credential = credential

    def write_journal(self, journal: Journal | None, **changes: Any) -> None:
        """Write the journal, with these changes."""
        if journal is not None:
            journal = dataclasses.replace(journal, **changes)
        self.write(dataclasses.replace(self.credential, rotation=journal))

    def is_due(self, max_age: datetime.timedelta | None, what: str) -> bool:
        """Whether what it logs in with is too old; warns of a date in the future.

        Args:
            max_age: None for any age.
            what: it is, in a word.
        """
        if max_age is None:
            return False
        since = self.credential.renewed
        age = utc_now() - datetime.datetime.fromisoformat(since)
        if age < -CLOCK_SLACK:
            self.warnings.append(
                f"the {what} of {self.credential.name!r} is dated {since}, which is in the future, so its age is not "
                f"known. Set the clock right; if it is, force: true renews the {what} and its date"
            )
        return age >= max_age

    def behind(self) -> list[str]:
        """Return the consumers that do not use what is stored now."""
        return outdated_consumers(self.store, self.credential)


class Rotation(Record):
    """The rotation of a security token.

    Attributes:
        survey: in check mode, what was seen in the mailbox.
        rejected: in words, mails that brought a token and did not count.
        failed_logins: that this rotation has made so far, in all its runs.
        progress: shows a person what is waited for.
    """

    def __init__(
        self,
        store: Store,
        credential: Credential,
        options: RotationOptions,
        gateway: GatewayPort,
        *,
        check_mode: bool,
        progress: Progress,
    ) -> None:
        super().__init__(store, credential, check_mode=check_mode)
        self.options = options
        self.gateway = gateway
        self.progress = progress
        self.survey: dict[str, Any] | None = None
        self.rejected: list[str] = []
        self.failed_logins = credential.rotation.failed_logins if credential.rotation else 0

    @property
    def user(self) -> Connection:
        """Whose token is renewed: of a pair, that of the user on standby."""
        credential, journal = self.credential, self.journal
        if credential.standby is None or (journal and journal.username == credential.connection.username):
            return credential.connection
        return credential.standby

    def write_journal(self, journal: Journal | None, **changes: Any) -> None:
        """Write the journal, with these changes and how many logins were refused."""
        super().write_journal(journal, **{"failed_logins": self.failed_logins, **changes})

    def try_login(self, connection: Connection) -> LoginError | None:
        """Return why a login was refused, or None when it passed; raises what is no verdict on what was tried."""
        try:
            self.gateway.log_in(connection)
        except LoginError as exc:
            if exc.cause not in NOT_ACCEPTED:
                raise
            self.failed_logins += 1
            return exc
        return None

    def require_attempts_left(self) -> None:
        """Raise RotationIncomplete when one more failed login might lock the user, as far as is known.

        A few are always possible. Beyond them somebody must see how many are left: then the login itself looks first.
        """
        if self.failed_logins >= MAX_CANDIDATES and not self.gateway.sees_attempts(self.user):
            raise too_many_failed_logins(self.user.username or "", self.failed_logins)

    def mailbox(self) -> AbstractContextManager[Mailbox | None]:
        """Open the mailbox, where one is given."""
        return self.gateway.open_mailbox() if self.options.has_mailbox else contextlib.nullcontext()

    def require_mailbox(self, method: str) -> None:
        """Raise OptionError when the token that this method brings could not be read."""
        if not self.options.has_mailbox and (method == "reset" or self.user.security_token):
            raise OptionError(
                "mailbox",
                f"is needed, here or in the variable gatehouse_salesforce_mailbox: the new token of "
                f"{self.user.username} comes by mail",
            )

    def incomplete(self) -> RotationIncomplete:
        """Return the error for a rotation under way that cannot go on now."""
        waited = (
            f"within {self.options.mail_timeout:g} seconds" if self.options.has_mailbox else "as no mailbox was given"
        )
        return incomplete(self.required_journal, waited=waited, rejected=self.rejected)


def outdated_consumers(store: Store, credential: Credential) -> list[str]:
    """Return those that do not use what is stored of a credential."""
    clear, deliveries = to_public(credential), store.deliveries(credential.name)
    return sorted(consumer for consumer, delivery in deliveries.items() if not delivery.is_of(clear))


def now() -> str:
    """Return the present time as records have it."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_now() -> datetime.datetime:
    """Return the present time, with its zone."""
    return datetime.datetime.now(datetime.UTC)
