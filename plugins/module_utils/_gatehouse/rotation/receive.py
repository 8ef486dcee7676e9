# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the new token from its mail, log in with it, and store it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Iterator

from ..auth.connection import Connection
from ..credentials.changes import complete_rotation, is_replaced
from ..credentials.journal import REQUESTED, STORED
from ..errors import LoginError, MailError
from ..mailbox.imap import Position
from ..mailbox.mailbox import TokenMail
from .errors import UNVERIFIED_SENDERS, WHY_NO_MAIL
from .model import Mailbox
from .state import Rotation, now


def receive_token(rotation: Rotation, mailbox: Mailbox | None, wait: float) -> bool:
    """Read the new token from its mail, log in with it and store it; whether that was done."""
    if not rotation.user.security_token and _without_mail(rotation):
        return True
    for mail in _mails(rotation, mailbox, wait):
        journal, target = rotation.required_journal, rotation.user
        candidate = dataclasses.replace(target, password=journal.password or target.password, security_token=mail.token)
        rotation.require_attempts_left()
        if _logs_in(rotation, candidate):
            _store_new(rotation, candidate, mail, mailbox)
            return True
        if rotation.required_journal.is_spent:
            break
    if _without_mail(rotation):
        return True
    if mailbox is not None:
        _note_rejections(rotation, mailbox)
    return False


def _note_rejections(rotation: Rotation, mailbox: Mailbox) -> None:
    """Note which mails brought a token and did not count; that they cannot be read is no error here."""
    journal = rotation.required_journal
    since = Position(*journal.position) if journal.position else None
    started = datetime.datetime.fromisoformat(journal.started)
    with contextlib.suppress(MailError):
        rotation.rejected = [
            f"A mail with a token for {journal.username} came at {mail.received:%Y-%m-%dT%H:%M:%SZ} and did not count: "
            f"{mail.reason}"
            for mail in mailbox.rejections(journal.username, since=since, since_time=started)
        ]


def accept_given_token(rotation: Rotation, token: str) -> None:
    """Store a token that somebody received, if it logs in; raises LoginError."""
    journal = rotation.journal
    target = rotation.user if journal else rotation.credential.connection
    # Whether the password of a journal was set is not always known.
    passwords = [target.password] if journal is None else [journal.password, target.password]
    refusals: list[LoginError] = []
    for password in filter(None, passwords):
        candidate = dataclasses.replace(target, password=password, security_token=token)
        refusal = rotation.try_login(candidate)
        if refusal is None:
            _store_new(rotation, candidate)
            return
        refusals.append(refusal)
    raise refusals[0]


def finish_mail(rotation: Rotation, mailbox: Mailbox | None = None) -> None:
    """Deal with the mail whose token is stored, and end the journal.

    Args:
        mailbox: where it is open already.
    """
    journal = rotation.journal
    if journal is None or journal.step != STORED:
        return
    try:
        with contextlib.nullcontext(mailbox) if mailbox or rotation.check_mode else rotation.mailbox() as opened:
            if opened and journal.position:
                opened.dispose(journal.mails, validity=journal.position[0])
    except MailError as exc:
        rotation.warnings.append(f"the new token is stored, but its mail is still in the mailbox: {exc}")
    rotation.write_journal(None)


def _mails(rotation: Rotation, mailbox: Mailbox | None, wait: float) -> Iterator[TokenMail]:
    """Return those whose token is worth a login: not one that is known to be dead, and not one too many."""
    journal = rotation.required_journal
    if mailbox is None or journal.is_spent:
        return
    if not rotation.options.authserv_id and UNVERIFIED_SENDERS not in rotation.warnings:
        rotation.warnings.append(UNVERIFIED_SENDERS)
    since = Position(*journal.position) if journal.position else None
    started = datetime.datetime.fromisoformat(journal.started)
    begun = time.monotonic()
    if wait:
        rotation.progress.stage(f"the new token of {journal.username} comes by mail: waiting for up to {wait:.0f} s")
    mails = mailbox.tokens(journal.username, since=since, since_time=started, wait=wait, poll=rotation.progress.poll)
    for mail in mails:
        dead = mail.token == rotation.user.security_token or is_replaced(rotation.credential, mail.token)
        if not dead and rotation.required_journal.may_try(mail.token):
            if wait:
                rotation.progress.stage(f"a mail to {journal.username} has come after {time.monotonic() - begun:.0f} s")
            yield mail


def _logs_in(rotation: Rotation, candidate: Connection) -> bool:
    """Return whether a login passes. One that is refused is noted down, and so not repeated by the next run, either."""
    journal, token = rotation.required_journal, candidate.security_token or ""
    if token not in journal.tried:
        rotation.write_journal(journal, tried=(*journal.tried, token))
    if rotation.try_login(candidate) is None:
        return True
    rotation.write_journal(rotation.journal, refused=(*journal.refused, token))
    return False


def _without_mail(rotation: Rotation) -> bool:
    """Store a new password without a token where a login from here needs none; whether that was done."""
    journal, target = rotation.required_journal, rotation.user
    if journal.method != "password" or journal.step != REQUESTED or journal.refused:
        return False
    had_token = bool(target.security_token)
    org = rotation.gateway.reuse_session(target)
    if had_token and (org is None or org.needs_token()):
        return False
    candidate = dataclasses.replace(target, password=journal.password, security_token=None)
    if not _logs_in(rotation, candidate):
        return False
    if had_token:
        rotation.warnings.append(
            f"{target.username} has a new password, and no mail has brought its new token. It logs in from trusted "
            f"addresses only, as from here; {WHY_NO_MAIL}"
        )
    _store_new(rotation, candidate)
    return True


def _store_new(
    rotation: Rotation, connection: Connection, mail: TokenMail | None = None, mailbox: Mailbox | None = None
) -> None:
    """Store a connection that has just passed a login; then deal with the mail that brought its token."""
    done = complete_rotation(rotation.credential, connection, now=now())
    if mail is not None and not rotation.options.keep_mail:
        position = (mail.uid_validity, mail.uids[0])
        left = dataclasses.replace(
            rotation.required_journal, step=STORED, position=position, mails=mail.uids, password=None
        )
        done = dataclasses.replace(done, rotation=left)
    rotation.write(done)
    finish_mail(rotation, mailbox)
