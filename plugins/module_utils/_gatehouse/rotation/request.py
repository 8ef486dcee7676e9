# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the org for a new token: once, once more, or only if it was not done before."""

from __future__ import annotations

from ..credentials.journal import REQUESTED
from ..errors import LoginError, NoResponseError, OrgError
from .model import Mailbox, Org
from .state import Rotation


def preflight(rotation: Rotation, org: Org) -> str | None:
    """Find what would stop a rotation while nothing was done yet; gives the new password, if there is to be one."""
    method = rotation.options.method
    obstacles = org.obstacles(method)
    if obstacles:
        raise OrgError(
            f"the token of {rotation.user.username} cannot be renewed by method {method}, and nothing was done: "
            + "; ".join(obstacles),
            cause="not_approved",
        )
    return org.new_password() if method == "password" else None


def request_first(rotation: Rotation, org: Org) -> None:
    """Ask for what was certainly not asked for yet: when it is refused, there is nothing to be finished."""
    try:
        _request(rotation, org, again=False)
    except OrgError:
        rotation.write_journal(None)
        raise


def request_again(rotation: Rotation) -> None:
    """Ask for what may have been asked for already. A second reset does no harm; a password changes only once.

    When the org does not do it, or there is no session, a login with what is stored tells whether it was done.
    """
    org, refusal = rotation.gateway.reuse_session(rotation.user), None
    if org is not None:
        try:
            _request(rotation, org)
        except NoResponseError:
            raise
        except OrgError as exc:
            refusal = None if isinstance(exc, LoginError) else exc  # the session has ended just now
        else:
            return
    if rotation.try_login(rotation.user) is not None:
        rotation.write_journal(rotation.journal, step=REQUESTED)
        return
    if refusal is not None:
        rotation.write_journal(None)
        raise refusal
    request_first(rotation, rotation.gateway.open_session(rotation.user))


def request_new(rotation: Rotation, mailbox: Mailbox | None) -> bool:
    """Reset the token once more, as its mail has not come, if there is a session from before; whether that was done."""
    journal, options = rotation.required_journal, rotation.options
    if mailbox is None or options.method != "reset" or (journal.refused and not options.force):
        return False
    org = rotation.gateway.reuse_session(rotation.user)
    if org is None or org.obstacles("reset"):
        return False
    # What was refused is left behind. What has not been seen yet is not: the mail may come at this very moment.
    behind = {"position": mailbox.position(), "tried": (), "refused": ()} if journal.refused else {}
    rotation.write_journal(journal, method="reset", **behind)
    try:
        _request(rotation, org)
    except OrgError:
        rotation.write_journal(journal)
        raise
    return True


def _request(rotation: Rotation, org: Org, *, again: bool = True) -> None:
    """Ask the org for what the journal says is about to be asked for; raises OrgError if it was not asked for."""
    journal = rotation.required_journal
    try:
        if journal.method == "password":
            org.change_password(rotation.user.password or "", journal.password or "", again=again)
        else:
            org.reset_security_token()
    except NoResponseError as exc:
        if not exc.sent:
            raise
        rotation.warnings.append(f"whether the org has made a new token is not known until its mail comes: {exc}")
        return
    rotation.write_journal(journal, step=REQUESTED)
