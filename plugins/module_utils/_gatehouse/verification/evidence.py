# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What login history and ranges say about a refused login. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..access.rules import Decision
from ..auth.causes import BY_ADDRESS, UNSPECIFIC, Cause, cause_of_status

if TYPE_CHECKING:
    from ..access.rules import Decision


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What an administrator's credential can learn about a refused login.

    Attributes:
        token_sent: whether a security token came after the password.
        user_known: whether the org has a user of that name.
        status: what LoginHistory says about this login; None where it has no row of it.
        address: at which Salesforce saw it.
        decision: what the present ranges mean for that address.
        password_changed: whether the password was changed since it last passed a login; None where that is not known.
    """

    token_sent: bool
    user_known: bool = True
    status: str | None = None
    address: str | None = None
    decision: Decision | None = None
    password_changed: bool | None = None


def diagnose(refused: Cause, evidence: Evidence) -> Cause:
    """What is known of a refused login once an administrator has looked; at least what the refusal said itself."""
    if not evidence.user_known:
        return Cause(refused.cause, "this org has no such user; look at the user name and at login_url")
    found = None
    if evidence.status is not None:
        found = cause_of_status(
            evidence.status, token_sent=evidence.token_sent, password_changed=evidence.password_changed
        )
    if found is None or refused.cause not in (*UNSPECIFIC, found.cause):
        found = refused
    if found.cause not in BY_ADDRESS or not evidence.address:
        return found
    why = _explained_by(found.cause, evidence.decision)
    return Cause(found.cause, f"{found.advice}. Salesforce saw the address {evidence.address}{why}")


def _explained_by(cause: str, decision: Decision | None) -> str:
    """Why the ranges refuse, if they do: they may have been changed since, or not be visible."""
    wanted = {"ip_denied": "denied", "token_required_here": "token_required"}[cause]
    return f" ({decision.reason})" if decision is not None and decision.result == wanted else ""
