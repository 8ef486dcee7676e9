# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared of a security token, and what became of that. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is declared of a security token.

    Attributes:
        method: how to get a new one, of METHODS.
        max_age: how old it may be; None for any age.
        force: renew it whatever its age.
        check_login: log in with it even when it is young enough.
        given: a new token that somebody received.
        has_mailbox: whether its mail can be read.
        keeps_mail: whether the mail is left as it is.
        wait: seconds to wait for the mail.
    """

    method: str = "reset"
    max_age: datetime.timedelta | None = None
    force: bool = False
    check_login: bool = False
    given: str | None = dataclasses.field(default=None, repr=False)
    has_mailbox: bool = False
    keeps_mail: bool = True
    wait: float = 300.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a declaration, as the module returns it; nowhere a secret.

    Attributes:
        rotated: whether the credential has another token than before, or in check mode would have.
        resumed: whether an earlier run had left something to be finished.
    """

    changed: bool
    rotated: bool
    resumed: bool
    version: int
    diff: dict[str, dict[str, Any]]
    credential: dict[str, Any]
    warnings: list[str] = dataclasses.field(default_factory=list)
