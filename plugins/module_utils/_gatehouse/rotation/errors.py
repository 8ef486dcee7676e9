# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of a rotation that cannot go on now."""

from __future__ import annotations

from collections.abc import Sequence

from ..credentials.journal import REQUESTED, Journal
from ..errors import GatehouseError

WHY_NO_MAIL = (
    "Salesforce mails a token after a change of the password only to a user who has reset the token once before"
)


class RotationIncomplete(GatehouseError):
    """A rotation that cannot go on now. What it has done is in the record's journal, and the text says what that is."""


UNVERIFIED_SENDERS = (
    "mailbox.authserv_id is not set, so anyone can send a mail that looks like one of Salesforce: it can cost two "
    "failed logins, and leave the application without a token until a person looks. Set it to the first word of the "
    "header field Authentication-Results of a mail that arrived in this mailbox"
)


def too_many_failed_logins(username: str, number: int) -> RotationIncomplete:
    """Return the error for a login that might lock the user, as nobody can tell how many are left."""
    return RotationIncomplete(
        f"{number} logins of {username} were refused, and nobody can see how many more would lock the user, so no "
        "other was made, whatever force says. Name in diagnose_with a credential that may see it; or reset the token "
        f"of {username} by hand, and give what comes as new_token"
    )


def incomplete(journal: Journal, *, waited: str, rejected: Sequence[str] = ()) -> RotationIncomplete:
    """Return the error that says what was done, what was not, and what to do.

    Args:
        waited: for how long a mail was waited for, such as C(within 300 seconds).
        rejected: mails that did not count, and why.
    """
    return RotationIncomplete(". ".join([_incomplete(journal, waited), *rejected]))


def _incomplete(journal: Journal, waited: str) -> str:
    user, since = journal.username, journal.started
    by_hand = f"reset the token of {user} by hand, and give what comes as new_token"
    if journal.refused:
        tokens = len([token for token in journal.refused if token])
        what = f"{tokens} token{'s' * (tokens > 1)} that came by mail for {user}" if tokens else "the new password"
        more = "no more are tried, as wrong tries lock the user out" if journal.is_spent else f"no other came {waited}"
        return (
            f"{what} {'were' if tokens > 1 else 'was'} refused, and {more}. Look whether the mails are from "
            f"Salesforce, and whether {user} is locked; after that, force: true tries once more. Or {by_hand}"
        )
    if journal.method == "found":
        return (
            f"the stored token of {user} is not accepted any more, and the mailbox has no newer one: {by_hand}. If it "
            "is right, as the user was only locked, force: true finds that out"
        )
    if journal.method == "password":
        done = "was changed" if journal.step == REQUESTED else "may have been changed, which is not known"
        return (
            f"the password of {user} {done} at {since}, and no mail with its new token was found {waited}. The new "
            f"password is kept in the record's journal, so nothing is lost. {WHY_NO_MAIL}. Run this again when the "
            f"mail has come, or with method: reset while the session lasts; or {by_hand}"
        )
    done = "was reset" if journal.step == REQUESTED else "may have been reset, which is not known"
    return (
        f"the token of {user} {done} at {since}, and no mail with the new one was found {waited}. Look whether mailbox "
        f"names the box and the folder that it comes to; then run this again. Or {by_hand}"
    )
