# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew the security token of a credential, so that no crash loses it.

A reset cannot be undone: the old token is dead before the new one is known, and the new one comes by mail only. So the
credential's record has a journal. It says what is about to happen before it happens; a run that reads a journal brings
it to its end, whoever wrote it. While a run works, it locks the credential.

    no journal --(token is due, no obstacle)--> requesting: a new token may have been requested
    requesting --(org confirms)---------------> requested: the old token is dead, the new one is in a mail
    requesting --(org refuses)----------------> no journal: nothing was done
    requested  --(token of a mail logs in)----> stored: the new token is stored, its mail is left
    requested  --(two tokens were refused)----> requested: no more are tried, until a person gives force or new_token
    stored     --(mail deleted or moved)------> no journal
    no journal --(stored token is refused)----> requested, method found: a newer token is looked for in the mailbox

Rules:
    1. The journal is written before each reset, each change of a password and each login with a token of a mail.
    2. A reset may be repeated, as it only makes one more token; a change of the password may not, so it is verified.
    3. A token that was refused is not tried again. Two failed logins are possible without looking; beyond them the org
       must show how many are left, and the last one is never made. The count is kept when force forgets what failed.
    4. Nothing is stored that has not logged in.

Example: a run resets the token and dies. The journal says C(requesting). The next run has the old session and resets
once more, or, without a session, logs in with the stored token: if it is refused, the reset was done, and the mail is
read (C(requested)); if it logs in, nothing was done, and the rotation begins anew. The first mail is forged and its
token is refused: it is noted in the journal. The second one logs in, and is stored together with C(stored) and the UID
of its mail. The mail is deleted, and the journal ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time

from ..auth.causes import NOT_ACCEPTED, SECRET_REJECTED, Verification
from ..auth.connection import Connection
from ..credentials.changes import complete_rotation, is_replaced, record_verification
from ..credentials.credential import PASSWORD_FLOWS, Credential
from ..credentials.journal import REQUESTED, REQUESTING, Journal
from ..credentials.plan import CredentialPlan
from ..credentials.serialisation import to_public
from ..errors import LoginError, OptionError
from ..progress import Progress
from ..store.base import Store
from ..store.blobs import LOCK_SECONDS
from .errors import UNVERIFIED_SENDERS
from .model import GatewayPort, RotationOptions, RotationResult
from .receive import accept_given_token, finish_mail, receive_token
from .request import preflight, request_again, request_first, request_new
from .state import Rotation, now

METHODS = ("reset", "password")
START_SECONDS = 10.0
POLL_SECONDS = 0.2


def ensure_token_age(
    store: Store,
    name: str,
    options: RotationOptions,
    gateway: GatewayPort,
    *,
    check_mode: bool,
    progress: Progress,
) -> RotationResult:
    """Make the token of a credential as young as options, and whole again when a run has died over it.

    Of several runs at a time one works; the others wait and then find what it has done.

    Raises:
        OptionError: the credential or the options cannot be used; nothing was done.
        OrgError, MailError: what was asked for was refused, or could not be reached; nothing is lost.
        Stuck: the new token has not come, or was refused; nothing is lost.
    """
    if options.method not in METHODS:
        raise OptionError("method", f"{options.method!r} is not one of {', '.join(METHODS)}")
    seen = store.read(name)
    with contextlib.nullcontext() if check_mode else store.lock(name, seconds=options.mail_timeout + LOCK_SECONDS):
        credential = store.read(name)
        if _state(credential) != _state(seen):  # somebody has renewed it, or tried to, while this run waited
            options = dataclasses.replace(options, force=False)
        rotation = Rotation(store, credential, options, gateway, check_mode=check_mode, progress=progress)
        run_rotation(rotation)
    return _outcome(rotation)


def wait_for_renewal(store: Store, name: str, *, seen: int, seconds: float) -> None:
    """Return when another task has renewed a credential or given it up, or none has begun to.

    Args:
        seen: the version of the credential before.
        seconds: how long the other task may take; raises StoreError after that.
    """
    latest_start = time.monotonic() + START_SECONDS
    while store.read(name).version == seen and time.monotonic() < latest_start:
        with store.lock(name, seconds=seconds):
            pass
        time.sleep(POLL_SECONDS)


def _outcome(rotation: Rotation) -> RotationResult:
    plan = CredentialPlan(rotation.before, rotation.credential)
    return RotationResult(
        changed=bool(plan),
        rotated=bool(plan),
        resumed=rotation.before.rotation is not None,
        version=rotation.credential.version,
        diff=plan.diff(),
        credential=to_public(rotation.credential),
        warnings=rotation.warnings,
        mailbox=rotation.survey,
    )


def _state(credential: Credential) -> tuple[set[str], Journal | None]:
    """Return what logs its users in, and a rotation under way."""
    return {user.login_password for user in credential.users}, credential.rotation


UNKNOWN = "(not known yet)"


def run_rotation(rotation: Rotation) -> None:
    """Do what is to be done."""
    connection, options = rotation.before.connection, rotation.options
    if connection.auth not in PASSWORD_FLOWS:
        problem = f"credential {rotation.before.name!r} logs in by {connection.auth}, without a token"
        raise OptionError("name", problem)
    finish_mail(rotation)
    if options.force and rotation.journal and rotation.journal.method == "found":
        if not rotation.check_mode:
            rotation.require_attempts_left()
        rotation.write_journal(None)  # it contains nothing but that the stored token was refused
    given = _given(rotation)
    if rotation.check_mode:
        _predict(rotation, given)
    elif given:
        accept_given_token(rotation, given)
    elif rotation.journal:
        _finish_earlier(rotation)
    elif _is_due(rotation):
        _renew(rotation)
    elif options.verify or rotation.before.verification.cause in SECRET_REJECTED:
        _verify_stored(rotation)


def _given(rotation: Rotation) -> str | None:
    """Return the token that was given, if it is a new one."""
    given = rotation.options.new_token
    if not given or is_replaced(rotation.credential, given):
        return None
    known = rotation.before.verified and any(user.security_token == given for user in rotation.credential.users)
    return None if known else given


def _is_due(rotation: Rotation) -> bool:
    return rotation.options.force or rotation.is_due(rotation.options.max_age, "token")


def _predict(rotation: Rotation, given: str | None) -> None:
    """Have the credential be as a run would leave it. What could stop that is looked at; nothing is asked for."""
    journal = rotation.journal
    if journal and not given:
        _require_end(rotation)
    if not given and rotation.options.has_mailbox and (journal or _is_due(rotation)):
        _survey_mailbox(rotation)
    if not (given or journal or _is_due(rotation)):
        if rotation.before.verification.cause in SECRET_REJECTED and not rotation.options.has_mailbox:
            _verify_stored(rotation)
        return
    target = rotation.credential.connection if given and not journal else rotation.user
    new_password = journal is not None and journal.password is not None
    if not (given or journal):
        _require_options(rotation)
        new_password = preflight(rotation, rotation.gateway.open_session(target)) is not None
    # A user without a token goes on without one when only the password is changed.
    new_token = UNKNOWN if target.security_token or not new_password else None
    foreseen = dataclasses.replace(
        target, security_token=given or new_token, password=UNKNOWN if new_password else target.password
    )
    rotation.credential = complete_rotation(rotation.credential, foreseen, now=now())


def _survey_mailbox(rotation: Rotation) -> None:
    """Check mode: connect to the mailbox, and report whether its server's word on senders can be used."""
    with rotation.mailbox() as mailbox:
        if mailbox is None:
            return
        seen = mailbox.survey()
    rotation.survey = dataclasses.asdict(seen)
    desired, names = rotation.options.authserv_id, ", ".join(seen.authserv_ids)
    latest = f"the latest {seen.mails} mails in folder {seen.folder} of the mailbox"
    if not desired:
        rotation.warnings.append(UNVERIFIED_SENDERS + (f"; {latest} name {names}" if names else ""))
    elif seen.mails and desired.lower() not in seen.authserv_ids:
        rotation.warnings.append(
            f"none of {latest} bears an Authentication-Results of mailbox.authserv_id {desired!r}, so a token mail "
            f"would not count{f'; they name {names}' if names else ''}"
        )


def _renew(rotation: Rotation) -> None:
    """Begin a rotation, and bring it to its end."""
    target, options = rotation.user, rotation.options
    _require_options(rotation)
    try:
        org = rotation.gateway.open_session(target)
    except LoginError as exc:
        rotation.failed_logins += exc.cause in NOT_ACCEPTED
        _recover_from_mailbox(rotation, target, exc)
        return
    begun = Journal(
        method=options.method,
        step=REQUESTING,
        username=target.username or "",
        started=now(),
        password=preflight(rotation, org),
    )
    with rotation.mailbox() as mailbox:
        rotation.write_journal(begun, position=mailbox.position() if mailbox else None)
        request_first(rotation, org)
        if not receive_token(rotation, mailbox, options.mail_timeout):
            raise rotation.incomplete()


def _require_options(rotation: Rotation) -> None:
    """Raise OptionError for what is known to stop a rotation without asking anybody."""
    rotation.require_mailbox(rotation.options.method)
    behind = rotation.behind() if rotation.credential.standby else []
    if behind:
        raise OptionError(
            "name",
            f"{', '.join(behind)} may still use {rotation.user.username}, whose token would be renewed, as the present "
            "version was not delivered there; deliver it first",
        )


def _finish_earlier(rotation: Rotation) -> None:
    """Bring to its end what an earlier run has begun."""
    _require_end(rotation)
    if rotation.options.force:
        rotation.require_attempts_left()
    journal, options = rotation.required_journal, rotation.options
    another_chance = options.force and bool(journal.refused)
    patience = (
        options.mail_timeout if journal.step == REQUESTED and journal.method != "found" and not another_chance else 0
    )
    with rotation.mailbox() as mailbox:
        if receive_token(rotation, mailbox, patience):
            return
        if rotation.required_journal.is_spent and not options.force:
            raise rotation.incomplete()
        asked = True
        if journal.step == REQUESTING:
            request_again(rotation)
        else:
            asked = request_new(rotation, mailbox)
        if another_chance and not asked:  # no other token can be had than those that were refused
            rotation.write_journal(rotation.journal, tried=(), refused=())
        if not receive_token(rotation, mailbox, options.mail_timeout if asked else 0):
            raise rotation.incomplete()


def _require_end(rotation: Rotation) -> None:
    """Raise what is known to keep an earlier rotation from its end without asking anybody."""
    journal, options = rotation.required_journal, rotation.options
    if journal.step == REQUESTING:
        rotation.require_mailbox(journal.method)
    needs_mail = journal.step == REQUESTED and journal.method != "password"
    if (journal.is_spent and not options.force) or (needs_mail and not options.has_mailbox):
        raise rotation.incomplete()


def _verify_stored(rotation: Rotation) -> None:
    """Log in with what is stored, and look for another token if it is refused."""
    connection, known = rotation.credential.connection, rotation.before.verification
    if known.cause in SECRET_REJECTED:
        told = LoginError(f"{known.detail or 'refused before'}, so not tried again", cause=str(known.cause))
        _recover_from_mailbox(rotation, connection, told)
        return
    refusal = rotation.try_login(connection)
    if refusal is not None:
        _recover_from_mailbox(rotation, connection, refusal)
    elif rotation.before.verified is None:
        passed = Verification(result="ok", cause="ok", detail="logged in")
        rotation.write(record_verification(rotation.credential, passed, now=now()))


def _recover_from_mailbox(rotation: Rotation, target: Connection, refusal: LoginError) -> None:
    """Take a newer token from the mailbox, as somebody else has reset it; raises the refusal if there is none."""
    if refusal.cause not in NOT_ACCEPTED or not rotation.options.has_mailbox:
        raise refusal
    since = rotation.credential.renewed if target == rotation.credential.connection else rotation.credential.created
    # The refusal is noted down as well: what is stored is not tried again by the next run.
    rotation.write_journal(Journal(method="found", step=REQUESTED, username=target.username or "", started=since))
    with rotation.mailbox() as mailbox:
        if receive_token(rotation, mailbox, 0):
            return
    if rotation.required_journal.is_spent:
        raise rotation.incomplete()
    why = ". ".join([f"{refusal}; and the mailbox has no newer token of this user", *rotation.rejected])
    raise LoginError(why, cause=refusal.cause)
