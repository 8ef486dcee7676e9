# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the cause of a refused login from login history and ranges. Pure."""

from __future__ import annotations

import dataclasses

from ..access.rules import Decision
from ..auth.causes import BY_ADDRESS, UNCERTAIN, Cause, cause_of_status


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


def weigh(refused: Cause, evidence: Evidence) -> Cause:
    """Return what is known of a refused login; at least what the refusal said itself."""
    if not evidence.user_known:
        return Cause(refused.code, "this org has no such user; look at the user name and at login_url")
    recorded = None
    if evidence.status is not None:
        recorded = cause_of_status(
            evidence.status, token_sent=evidence.token_sent, password_changed=evidence.password_changed
        )
    known = recorded if recorded is not None and _may_be(refused.code, recorded.code) else refused
    if known.code not in BY_ADDRESS or not evidence.address:
        return known
    why = _reason_of(known.code, evidence.decision)
    return Cause(known.code, f"{known.advice}. Salesforce saw the address {evidence.address}{why}")


def _may_be(refused: str, recorded: str) -> bool:
    """Whether a refusal can turn out to be what the history records; otherwise the row is another login's."""
    if refused == recorded:
        return True
    others = UNCERTAIN.get(refused, ())
    return others is None or recorded in others


def _reason_of(code: str, decision: Decision | None) -> str:
    """Return why the ranges refuse, if they do: they may have been changed since, or not be visible."""
    result = {"ip_denied": "denied", "token_required_here": "token_required"}[code]
    return f" ({decision.reason})" if decision is not None and decision.result == result else ""
