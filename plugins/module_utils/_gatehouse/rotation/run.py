# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew the security token of a credential, so that no crash loses it.

The steps are: ask for a new token, read it from a mail, log in with it, store it. Before each step that cannot be
undone the record's journal says what is about to happen; a run that finds a journal brings it to its end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime

from ..auth.causes import NOT_ACCEPTED, SECRET_REJECTED, Verification
from ..auth.connection import Connection
from ..credentials.changes import complete_rotation, is_replaced, record_verification
from ..credentials.credential import PASSWORD_FLOWS, Credential
from ..credentials.journal import REQUESTED, REQUESTING, Journal
from ..credentials.plan import CredentialPlan
from ..credentials.serialization import to_public
from ..errors import LoginError, OptionError
from ..mailbox.mailbox import CLOCK_SLACK
from ..store.base import Store
from ..store.blobs import LOCK_SECONDS
from .model import GatewayPort, RotationOptions, RotationResult
from .receive import accept_given_token, finish_mail, receive_token
from .request import preflight, request_again, request_first, request_new
from .state import Rotation, now, utc_now

METHODS = ("reset", "password")


def ensure_token_age(
    store: Store, name: str, wanted: RotationOptions, way: GatewayPort, *, check_mode: bool
) -> RotationResult:
    """Make the token of a credential as young as wanted, and whole again when a run has died over it.

    Of several runs at a time one works; the others wait and then find what it has done.

    Raises:
        OptionError: the credential or the options cannot be used; nothing was done.
        OrgError, MailError: what was asked for was refused, or could not be reached; nothing is lost.
        Stuck: the new token has not come, or was refused; nothing is lost.
    """
    if wanted.method not in METHODS:
        raise OptionError("method", f"{wanted.method!r} is not one of {', '.join(METHODS)}")
    seen = store.read(name)
    with contextlib.nullcontext() if check_mode else store.lock(name, seconds=wanted.wait + LOCK_SECONDS):
        credential = store.read(name)
        if _state(credential) != _state(seen):  # somebody has renewed it, or tried to, while this run waited
            wanted = dataclasses.replace(wanted, force=False)
        held = Rotation(store, credential, wanted, way, check_mode=check_mode)
        run_rotation(held)
    return _outcome(held)


def _outcome(held: Rotation) -> RotationResult:
    plan = CredentialPlan(held.before, held.credential)
    return RotationResult(
        changed=bool(plan),
        rotated=bool(plan),
        resumed=held.before.rotation is not None,
        version=held.credential.version,
        diff=plan.diff(),
        credential=to_public(held.credential),
        warnings=held.warnings,
    )


def _state(credential: Credential) -> tuple[set[str], Journal | None]:
    """What logs its users in, and a rotation under way."""
    return {user.login_password for user in credential.users}, credential.rotation


UNKNOWN = "(not known yet)"


def run_rotation(held: Rotation) -> None:
    """Do what is to be done."""
    connection, wanted = held.before.connection, held.wanted
    if connection.auth not in PASSWORD_FLOWS:
        problem = f"credential {held.before.name!r} logs in by {connection.auth}, without a token"
        raise OptionError("name", problem)
    finish_mail(held)
    if wanted.force and held.journal and held.journal.method == "found":
        held.note(None)  # it holds nothing but that the stored token was refused
    given = _given(held)
    if held.check_mode:
        _predict(held, given)
    elif given:
        accept_given_token(held, given)
    elif held.journal:
        _finish_earlier(held)
    elif _is_due(held):
        _renew(held)
    elif wanted.check_login or held.before.verification.cause in SECRET_REJECTED:
        _verify_stored(held)


def _given(held: Rotation) -> str | None:
    """The token that was given, if it is a new one."""
    given = held.wanted.given
    if not given or is_replaced(held.credential, given):
        return None
    known = held.before.verified and any(user.security_token == given for user in held.credential.users)
    return None if known else given


def _is_due(held: Rotation) -> bool:
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


def _predict(held: Rotation, given: str | None) -> None:
    """Have the credential be as a run would leave it. What could stop that is looked at; nothing is asked for."""
    journal = held.journal
    if journal and not given:
        _require_end(held)
    if not (given or journal or _is_due(held)):
        if held.before.verification.cause in SECRET_REJECTED and not held.wanted.has_mailbox:
            _verify_stored(held)
        return
    target = held.credential.connection if given and not journal else held.target
    new_password = journal is not None and journal.password is not None
    if not (given or journal):
        _require_options(held)
        new_password = preflight(held, held.way.enter(target)) is not None
    # A user without a token goes on without one when only the password is changed.
    new_token = UNKNOWN if target.security_token or not new_password else None
    foreseen = dataclasses.replace(
        target, security_token=given or new_token, password=UNKNOWN if new_password else target.password
    )
    held.credential = complete_rotation(held.credential, foreseen, now=now())


def _renew(held: Rotation) -> None:
    """Begin a rotation, and bring it to its end."""
    target, wanted = held.target, held.wanted
    _require_options(held)
    try:
        org = held.way.enter(target)
    except LoginError as exc:
        _recover_from_mailbox(held, target, exc)
        return
    begun = Journal(
        method=wanted.method,
        step=REQUESTING,
        username=target.username or "",
        started=now(),
        password=preflight(held, org),
    )
    with held.mailbox() as mailbox:
        held.note(begun, position=mailbox.position() if mailbox else None)
        request_first(held, org)
        if not receive_token(held, mailbox, wanted.wait):
            raise held.stuck()


def _require_options(held: Rotation) -> None:
    """Raise OptionError for what is known to stop a rotation without asking anybody."""
    held.require_mailbox(held.wanted.method)
    behind = _behind(held)
    if behind:
        raise OptionError(
            "name",
            f"{', '.join(behind)} may still use {held.target.username}, whose token would be renewed, as the present "
            "version was not delivered there; deliver it first",
        )


def _behind(held: Rotation) -> list[str]:
    """The consumers of a pair that do not use the user who is in use now."""
    if held.credential.standby is None:
        return []
    clear = to_public(held.credential)
    deliveries = held.store.deliveries(held.credential.name)
    return sorted(consumer for consumer, delivery in deliveries.items() if not delivery.is_of(clear))


def _finish_earlier(held: Rotation) -> None:
    """Bring to its end what an earlier run has begun."""
    _require_end(held)
    journal, wanted = held.under_way, held.wanted
    another_chance = wanted.force and bool(journal.refused)
    patience = wanted.wait if journal.step == REQUESTED and journal.method != "found" and not another_chance else 0
    with held.mailbox() as mailbox:
        if receive_token(held, mailbox, patience):
            return
        if held.under_way.is_spent and not wanted.force:
            raise held.stuck()
        asked = True
        if journal.step == REQUESTING:
            request_again(held)
        else:
            asked = request_new(held, mailbox)
        if another_chance and not asked:  # no other token can be had than those that were refused
            held.note(held.journal, tried=(), refused=())
        if not receive_token(held, mailbox, wanted.wait if asked else 0):
            raise held.stuck()


def _require_end(held: Rotation) -> None:
    """Raise what is known to keep an earlier rotation from its end without asking anybody."""
    journal, wanted = held.under_way, held.wanted
    if journal.step == REQUESTING:
        held.require_mailbox(journal.method)
    needs_mail = journal.step == REQUESTED and journal.method != "password"
    if (journal.is_spent and not wanted.force) or (needs_mail and not wanted.has_mailbox):
        raise held.stuck()


def _verify_stored(held: Rotation) -> None:
    """Log in with what is stored, and look for another token if it is refused."""
    connection, known = held.credential.connection, held.before.verification
    if known.cause in SECRET_REJECTED:
        told = LoginError(f"{known.detail or 'refused before'}, so not tried again", cause=str(known.cause))
        _recover_from_mailbox(held, connection, told)
        return
    refusal = held.refusal_of(connection)
    if refusal is not None:
        _recover_from_mailbox(held, connection, refusal)
    elif held.before.verified is None:
        passed = Verification(result="ok", cause="ok", detail="logged in")
        held.write(record_verification(held.credential, passed, now=now()))


def _recover_from_mailbox(held: Rotation, target: Connection, refusal: LoginError) -> None:
    """Take a newer token from the mailbox, as somebody else has reset it; raises the refusal if there is none."""
    if refusal.cause not in NOT_ACCEPTED or not held.wanted.has_mailbox:
        raise refusal
    since = held.since if target == held.credential.connection else held.credential.created
    # The refusal is noted down as well: what is stored is not tried again by the next run.
    held.note(Journal(method="found", step=REQUESTED, username=target.username or "", started=since))
    with held.mailbox() as mailbox:
        if receive_token(held, mailbox, 0):
            return
    if held.under_way.is_spent:
        raise held.stuck()
    raise LoginError(f"{refusal}; and the mailbox has no newer token of this user", cause=refusal.cause)
