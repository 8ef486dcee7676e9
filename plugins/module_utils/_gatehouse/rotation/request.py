# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the org for a new token: once, once more, or only if it was not done before."""

from __future__ import annotations

from ..credentials.journal import REQUESTED
from ..errors import LoginError, NoResponseError, OrgError
from .model import Mailbox, Org
from .state import Rotation


def preflight(held: Rotation, org: Org) -> str | None:
    """Find what would stop a rotation while nothing was done yet; gives the new password, if there is to be one."""
    method = held.wanted.method
    obstacles = org.obstacles(method)
    if obstacles:
        raise OrgError(
            f"the token of {held.target.username} cannot be renewed by method {method}, and nothing was done: "
            + "; ".join(obstacles),
            cause="not_approved",
        )
    return org.new_password() if method == "password" else None


def request_first(held: Rotation, org: Org) -> None:
    """Ask for what was certainly not asked for yet: when it is refused, there is nothing to be finished."""
    try:
        _request(held, org, again=False)
    except OrgError:
        held.note(None)
        raise


def request_again(held: Rotation) -> None:
    """Ask for what may have been asked for already. A second reset does no harm; a password changes only once.

    When the org does not do it, or there is no session, a login with what is stored tells whether it was done.
    """
    org, refusal = held.way.enter_again(held.target), None
    if org is not None:
        try:
            _request(held, org)
        except NoResponseError:
            raise
        except OrgError as exc:
            refusal = None if isinstance(exc, LoginError) else exc  # the session has ended just now
        else:
            return
    if held.refusal_of(held.target) is not None:
        held.note(held.journal, step=REQUESTED)
        return
    if refusal is not None:
        held.note(None)
        raise refusal
    request_first(held, held.way.enter(held.target))


def request_new(held: Rotation, mailbox: Mailbox | None) -> bool:
    """Reset the token once more, as its mail has not come, if there is a session from before; whether that was done."""
    journal, wanted = held.under_way, held.wanted
    if mailbox is None or wanted.method != "reset" or (journal.refused and not wanted.force):
        return False
    org = held.way.enter_again(held.target)
    if org is None or org.obstacles("reset"):
        return False
    # What was refused is left behind. What has not been seen yet is not: the mail may come at this very moment.
    behind = {"position": mailbox.position(), "tried": (), "refused": ()} if journal.refused else {}
    held.note(journal, method="reset", **behind)
    try:
        _request(held, org)
    except OrgError:
        held.note(journal)
        raise
    return True


def _request(held: Rotation, org: Org, *, again: bool = True) -> None:
    """Ask the org for what the journal says is about to be asked for; raises OrgError if it was not asked for."""
    journal = held.under_way
    try:
        if journal.method == "password":
            org.change_password(held.target.password or "", journal.password or "", again=again)
        else:
            org.reset_security_token()
    except NoResponseError as exc:
        if not exc.sent:
            raise
        held.warnings.append(f"whether the org has made a new token is not known until its mail comes: {exc}")
        return
    held.note(journal, step=REQUESTED)
