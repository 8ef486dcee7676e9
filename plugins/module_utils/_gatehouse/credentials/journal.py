# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation under way, as its record remembers it. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

# A new token is about to be requested; whether it was is not known.
REQUESTING = "requesting"
# The org has made a new token, and the old one is dead; the new one is in a mail.
REQUESTED = "requested"
# The new token is stored; only its mail is left to be dealt with.
STORED = "stored"
# How what an app logs in with is renewed: its certificate, or its consumer secret.
OF_APPS = ("certificate", "secret")
MAX_CANDIDATES = 2  # that a rotation ever tries by a login, as wrong tries lock the user out


@dataclasses.dataclass(frozen=True, kw_only=True)
class Journal:
    """What a rotation has to know after a crash. It is written before each step that cannot be undone.

    Attributes:
        method: how a new token was requested: C(reset), C(password), or C(found) when somebody else requested it;
            one of OF_APPS for what an app logs in with.
        step: C(requesting), C(requested) or C(stored), see above.
        username: whose token it is.
        started: ISO 8601, UTC, in seconds.
        position: where in the mailbox what comes next will be, as UIDVALIDITY and UIDNEXT; None when not looked at.
        password: the new password, for C(password).
        tried: tokens from mails, recorded before a login with them was begun.
        refused: those of them that the org has refused.
        failed_logins: how many logins the org has refused; C(force) forgets what was refused, but not how often.
        mails: the UIDs of the mails with the token, until they have been dealt with.
        app: of OF_APPS: the app that gets the new certificate; once that is stored, the one whose old way in is left.
        consumer_key: of the old way in, once the new one is stored.
        private_key: the new key, for C(certificate).
    """

    method: str
    step: str
    username: str
    started: str
    position: tuple[int, int] | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    tried: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    refused: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    mails: tuple[int, ...] = ()
    failed_logins: int = 0
    app: str | None = None
    consumer_key: str | None = None
    private_key: str | None = dataclasses.field(default=None, repr=False)

    @property
    def of_app(self) -> bool:
        """Whether it is about what an app logs in with."""
        return self.method in OF_APPS

    @property
    def is_spent(self) -> bool:
        """Whether no more candidates may be tried."""
        return len(self.refused) >= MAX_CANDIDATES

    def may_try(self, token: str) -> bool:
        """Whether one more login may be made, with that token."""
        return token not in self.refused and (token in self.tried or len(self.tried) < MAX_CANDIDATES)

    def to_public(self) -> dict[str, str]:
        """Return the fields that are not secret."""
        return {"method": self.method, "step": self.step, "username": self.username, "started": self.started}


def dump(journal: Journal | None) -> dict[str, Any] | None:
    """Return a journal as a JSON object, which contains secrets."""
    return None if journal is None else dataclasses.asdict(journal)


def parse(found: dict[str, Any] | None) -> Journal | None:
    """Return the journal from what dump() returned; raises TypeError or KeyError for anything else."""
    if found is None:
        return None
    position = found["position"]
    lists = {name: tuple(found[name]) for name in ("tried", "refused", "mails")}
    return Journal(**{**found, **lists, "position": position and (position[0], position[1])})
