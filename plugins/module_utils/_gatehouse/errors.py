# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this collection.

Their texts are shown to users as they are: they name the option at fault and never hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class GatehouseError(Exception):
    """Anything this collection reports to its user.

    Attributes:
        result: what a failed task returns beside the text.
    """

    result: Mapping[str, Any] = MappingProxyType({})


class SkippedError(GatehouseError):
    """What cannot be done in check mode, so that the task is skipped with this as a warning."""


class OptionError(GatehouseError):
    """A value that cannot be used, known before anything was sent or written."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}")
        self.option = option
        self.problem = problem

    def within(self, where: str) -> OptionError:
        """Return the same error for an option that is a part of another one."""
        return OptionError(f"{where}.{self.option}", self.problem)


class OrgError(GatehouseError):
    """The org could not be reached, refused a request, or could not be understood.

    Attributes:
        cause: one of the documented values of RV(verification.cause).
        address: at which Salesforce saw a login, where that is known.
        local_address: from which a login was sent, where that is known.
        why_not_sent: ends the text where a login was not sent, as an earlier one had failed.
        reported_by: the host which alone says so.
    """

    address: str | None = None
    local_address: str | None = None
    why_not_sent: str = ""
    reported_by: str | None = None

    def __init__(self, problem: str, *, cause: str = "unreachable") -> None:
        super().__init__(problem)
        self.cause = cause


class NoResponseError(OrgError):
    """No usable answer came, so what was asked may have been done or not. A read may be tried again.

    Attributes:
        retry_after: seconds that the org asks to wait.
        sent: false when it is certain that nothing got as far as the org.
    """

    def __init__(
        self, problem: str, *, cause: str = "unreachable", retry_after: float = 0.0, sent: bool = True
    ) -> None:
        super().__init__(problem, cause=cause)
        self.retry_after = retry_after
        self.sent = sent


class LoginError(OrgError):
    """A login was refused. It is never repeated: wrong tries lock the user out."""


class LoginUnansweredError(OrgError):
    """No answer to a login could be read, so whether it counts as a wrong try is not known. It is never repeated."""


class SessionExpired(OrgError):
    """The session is no longer valid; a new one may be opened once."""


class MailError(GatehouseError):
    """The mailbox could not be reached, entered or read.

    Attributes:
        cause: C(unreachable), C(tls), C(login_refused), C(no_folder), C(refused) or C(gone), which is a connection
            that was lost in the middle.
    """

    def __init__(self, problem: str, *, cause: str = "unreachable") -> None:
        super().__init__(problem)
        self.cause = cause


class StoreError(GatehouseError):
    """The credential store cannot do what was asked."""


class CredentialNotFoundError(StoreError):
    """The store has no record of that name."""


class DamagedRecordError(StoreError):
    """One record of the store cannot be read; others may be."""


class VersionConflictError(StoreError):
    """The record was changed by someone else since it was read."""
