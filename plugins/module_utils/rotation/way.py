# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rotation reaches the org and the mailbox. Private to gatehouse.salesforce."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ..connection import Connection
from ..mailbox import Position, TokenMail


class Org(Protocol):
    """The org, entered as the user whose token is to be renewed."""

    def obstacles(self, method: str) -> list[str]:
        """Why this user cannot get a new token by that method, each with what to do; nothing is changed."""

    def new_password(self) -> str:
        """A password that the org's policy allows."""

    def reset_security_token(self) -> None:
        """Reset the token; raises Interrupted when that may have happened or not, another OrgError when it has not."""

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
        """Where the next mail will be."""

    def tokens(
        self, username: str, *, since: Position | None, since_time: datetime.datetime, wait: float
    ) -> Iterator[TokenMail]:
        """The mails with tokens of this user, the likeliest first, while they come in."""

    def dispose(self, uids: Collection[int], *, validity: int) -> None:
        """Flag, move or delete these mails, as the settings say."""


class Way(Protocol):
    """How a rotation reaches the org and the mailbox."""

    def enter(self, connection: Connection) -> Org:
        """The org over a session that is kept, or a new one by one login; raises LoginError."""

    def enter_again(self, connection: Connection) -> Org | None:
        """The org over a session that is kept and still holds; None where there is none. No login is made."""

    def log_in(self, connection: Connection) -> object:
        """One login; raises LoginError, or OrgError when it could not be tried."""

    def open_mailbox(self) -> AbstractContextManager[Mailbox]:
        """The mailbox; raises OptionError when none is given, and MailError."""
