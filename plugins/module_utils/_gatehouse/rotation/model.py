# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared of a security token, and what became of that."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..auth.connection import Connection
from ..mailbox.imap import Position
from ..mailbox.mailbox import MailboxSurvey, RejectedMail, TokenMail


@dataclasses.dataclass(frozen=True, kw_only=True)
class RotationOptions:
    """What is declared of a security token.

    Attributes:
        method: how to get a new one, of METHODS.
        max_age: how old it may be; None for any age.
        force: renew it whatever its age.
        verify: log in with it even when it is young enough.
        new_token: a new token that somebody received.
        has_mailbox: whether its mail can be read.
        authserv_id: the name of the server whose word on senders counts; None to trust what a sender says.
        keep_mail: whether the mail is left as it is.
        mail_timeout: seconds to wait for the mail.
    """

    method: str = "reset"
    max_age: datetime.timedelta | None = None
    force: bool = False
    verify: bool = False
    new_token: str | None = dataclasses.field(default=None, repr=False)
    has_mailbox: bool = False
    authserv_id: str | None = None
    keep_mail: bool = True
    mail_timeout: float = 300.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class RotationResult:
    """What became of a declaration, as the module returns it; nowhere a secret.

    Attributes:
        rotated: whether the credential has another token than before, or in check mode would have.
        resumed: whether an earlier run had left something to be finished.
        mailbox: in check mode, what was seen in the mailbox.
    """

    changed: bool
    rotated: bool
    resumed: bool
    version: int
    diff: dict[str, dict[str, Any]]
    credential: dict[str, Any]
    warnings: list[str] = dataclasses.field(default_factory=list)
    mailbox: dict[str, Any] | None = None


class Org(Protocol):
    """The org, entered as the user whose token is to be renewed."""

    def obstacles(self, method: str) -> list[str]:
        """Return why this user cannot get a new token by that method, each with what to do; nothing is changed."""

    def new_password(self) -> str:
        """Generate a password that the org's policy allows."""

    def reset_security_token(self) -> None:
        """Reset the token; raises NoResponseError when it may have been reset, another OrgError when it was not."""

    def change_password(self, old: str, new: str, *, again: bool) -> None:
        """Change the password; raises as reset_security_token() does.

        Args:
            again: whether it may have been changed before, which is then no error.
        """

    def needs_token(self) -> bool:
        """Whether a login from here needs the token; true when that is not known."""


class Mailbox(Protocol):
    """The mailbox that receives the user's mail."""

    def position(self) -> Position:
        """Return where the next mail will be."""

    def tokens(
        self,
        username: str,
        *,
        since: Position | None,
        since_time: datetime.datetime,
        wait: float,
        poll: Callable[[str], None],
    ) -> Iterator[TokenMail]:
        """Yield the mails with tokens of this user, the likeliest first, while they arrive."""

    def survey(self) -> MailboxSurvey:
        """Look at the latest mails, for check mode."""

    def rejections(self, username: str, *, since: Position | None, since_time: datetime.datetime) -> list[RejectedMail]:
        """Return which of the latest mails bring the user a token and do not count, the newest first."""

    def dispose(self, uids: Collection[int], *, validity: int) -> None:
        """Flag, move or delete these mails, as the settings say."""


class GatewayPort(Protocol):
    """How a rotation reaches the org and the mailbox."""

    def open_session(self, connection: Connection) -> Org:
        """Open the org over a cached session, or a new one by one login; raises LoginError."""

    def reuse_session(self, connection: Connection) -> Org | None:
        """Open the org over a cached session that is still valid; None where there is none. No login is made."""

    def log_in(self, connection: Connection) -> object:
        """Log in once, also with what an earlier run was refused; raises LoginError, or OrgError if not tried."""

    def sees_attempts(self, connection: Connection) -> bool:
        """Return whether the failed logins of a user, and how many lock it, can be read from the org."""

    def open_mailbox(self) -> AbstractContextManager[Mailbox]:
        """Open the mailbox; raises OptionError when none is given, and MailError."""
