# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of a rotation has to do, and in which order. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
import datetime

from .. import record
from ..connection import Connection
from ..credentials import REFUSED
from ..errors import LoginError, OptionError
from ..journal import ASKED, ASKING, Journal
from ..mailbox import CLOCK_SLACK
from ..record import PASSWORD_FLOWS, Verification
from .asking import ask_again, ask_anew, ask_first, look_ahead
from .held import NOT_LET_IN, Held, now, utc_now
from .receiving import dispose, receive, take

UNKNOWN = "(not known yet)"


def run(held: Held) -> None:
    """Do what is to be done."""
    connection, wanted = held.before.connection, held.wanted
    if connection.auth not in PASSWORD_FLOWS:
        problem = f"credential {held.before.name!r} logs in by {connection.auth}, without a token"
        raise OptionError("name", problem)
    dispose(held)
    if wanted.force and held.journal and held.journal.method == "found":
        held.note(None)  # it holds nothing but that the stored token was refused
    given = _given(held)
    if held.check_mode:
        _foresee(held, given)
    elif given:
        take(held, given)
    elif held.journal:
        _finish_earlier(held)
    elif _is_due(held):
        _renew(held)
    elif wanted.check_login or held.before.verification.cause in REFUSED:
        _check(held)


def _given(held: Held) -> str | None:
    """The token that was given, if it is a new one."""
    given = held.wanted.given
    if not given or record.is_replaced(held.credential, given):
        return None
    known = held.before.verified and any(user.security_token == given for user in held.credential.users)
    return None if known else given


def _is_due(held: Held) -> bool:
    wanted = held.wanted
    if wanted.force or wanted.max_age is None:
        return wanted.force
    age = utc_now() - datetime.datetime.fromisoformat(held.since)
    if age < -CLOCK_SLACK:
        held.warnings.append(
            f"the token of {held.credential.name!r} is dated {held.since}, which is in the future, so its age is not "
            "known. Set the clock right; if it is, force: true renews the token and its date"
        )
    return age >= wanted.max_age


def _foresee(held: Held, given: str | None) -> None:
    """Have the credential be as a run would leave it. What could stop that is looked at; nothing is asked for."""
    journal = held.journal
    if journal and not given:
        _require_end(held)
    if not (given or journal or _is_due(held)):
        if held.before.verification.cause in REFUSED and not held.wanted.has_mailbox:
            _check(held)
        return
    target = held.credential.connection if given and not journal else held.target
    new_password = journal is not None and journal.password is not None
    if not (given or journal):
        _require_options(held)
        new_password = look_ahead(held, held.way.enter(target)) is not None
    # A user without a token goes on without one when only the password is changed.
    new_token = UNKNOWN if target.security_token or not new_password else None
    foreseen = dataclasses.replace(
        target, security_token=given or new_token, password=UNKNOWN if new_password else target.password
    )
    held.credential = record.rotated(held.credential, foreseen, now=now())


def _renew(held: Held) -> None:
    """Begin a rotation, and bring it to its end."""
    target, wanted = held.target, held.wanted
    _require_options(held)
    try:
        org = held.way.enter(target)
    except LoginError as exc:
        _look_for_another(held, target, exc)
        return
    begun = Journal(
        method=wanted.method,
        step=ASKING,
        username=target.username or "",
        started=now(),
        password=look_ahead(held, org),
    )
    with held.mailbox() as mailbox:
        held.note(begun, position=mailbox.position() if mailbox else None)
        ask_first(held, org)
        if not receive(held, mailbox, wanted.wait):
            raise held.stuck()


def _require_options(held: Held) -> None:
    """Raise OptionError for what is known to stop a rotation without asking anybody."""
    held.require_mailbox(held.wanted.method)
    behind = _behind(held)
    if behind:
        raise OptionError(
            "name",
            f"{', '.join(behind)} may still use {held.target.username}, whose token would be renewed, as the present "
            "version was not delivered there; deliver it first",
        )


def _behind(held: Held) -> list[str]:
    """The consumers of a pair that do not use the user who is in use now."""
    if held.credential.standby is None:
        return []
    clear = record.to_clear(held.credential)
    deliveries = held.store.deliveries(held.credential.name)
    return sorted(consumer for consumer, delivery in deliveries.items() if not delivery.is_of(clear))


def _finish_earlier(held: Held) -> None:
    """Bring to its end what an earlier run has begun."""
    _require_end(held)
    journal, wanted = held.under_way, held.wanted
    another_chance = wanted.force and bool(journal.refused)
    patience = wanted.wait if journal.step == ASKED and journal.method != "found" and not another_chance else 0
    with held.mailbox() as mailbox:
        if receive(held, mailbox, patience):
            return
        if held.under_way.is_spent and not wanted.force:
            raise held.stuck()
        asked = True
        if journal.step == ASKING:
            ask_again(held)
        else:
            asked = ask_anew(held, mailbox)
        if another_chance and not asked:  # no other token can be had than those that were refused
            held.note(held.journal, tried=(), refused=())
        if not receive(held, mailbox, wanted.wait if asked else 0):
            raise held.stuck()


def _require_end(held: Held) -> None:
    """Raise what is known to keep an earlier rotation from its end without asking anybody."""
    journal, wanted = held.under_way, held.wanted
    if journal.step == ASKING:
        held.require_mailbox(journal.method)
    needs_mail = journal.step == ASKED and journal.method != "password"
    if (journal.is_spent and not wanted.force) or (needs_mail and not wanted.has_mailbox):
        raise held.stuck()


def _check(held: Held) -> None:
    """Log in with what is stored, and look for another token if it is refused."""
    connection, known = held.credential.connection, held.before.verification
    if known.cause in REFUSED:
        told = LoginError(f"{known.detail or 'refused before'}, so not tried again", cause=str(known.cause))
        _look_for_another(held, connection, told)
        return
    refusal = held.refusal_of(connection)
    if refusal is not None:
        _look_for_another(held, connection, refusal)
    elif held.before.verified is None:
        passed = Verification(result="ok", cause="ok", detail="logged in")
        held.write(record.verified(held.credential, passed, now=now()))


def _look_for_another(held: Held, target: Connection, refusal: LoginError) -> None:
    """Take a newer token from the mailbox, as somebody else has reset it; raises the refusal if there is none."""
    if refusal.cause not in NOT_LET_IN or not held.wanted.has_mailbox:
        raise refusal
    since = held.since if target == held.credential.connection else held.credential.created
    # The refusal is noted down as well: what is stored is not tried again by the next run.
    held.note(Journal(method="found", step=ASKED, username=target.username or "", started=since))
    with held.mailbox() as mailbox:
        if receive(held, mailbox, 0):
            return
    if held.under_way.is_spent:
        raise held.stuck()
    raise LoginError(f"{refusal}; and the mailbox has no newer token of this user", cause=refusal.cause)
