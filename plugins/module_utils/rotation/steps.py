# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a rotation. Private to gatehouse.salesforce."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from .. import record
from ..connection import Connection
from ..credentials import REFUSED
from ..errors import Interrupted, LoginError, MailError, OptionError, OrgError
from ..journal import ASKED, ASKING, STORED, Journal
from ..mailbox import CLOCK_SLACK, Position, TokenMail
from ..record import PASSWORD_FLOWS, Credential, CredentialPlan, Verification
from ..store import Store
from .stuck import WHY_NO_MAIL, Stuck, stuck
from .wanted import Outcome, Wanted
from .way import Mailbox, Org, Way

# Verdicts on what was tried. The last one is of a token that is missing, or that does not count.
NOT_LET_IN = (*REFUSED, "token_required_here")
UNKNOWN = "(not known yet)"


class Rotation:
    """One run of a rotation, over a credential that is locked."""

    def __init__(self, store: Store, credential: Credential, wanted: Wanted, way: Way, *, check_mode: bool) -> None:
        self._store = store
        self._before = credential
        self._credential = credential
        self._wanted = wanted
        self._way = way
        self._check_mode = check_mode
        self._resumed = credential.rotation is not None
        self._warnings: list[str] = []

    def run(self) -> None:
        """Do what is to be done."""
        if self._before.connection.auth not in PASSWORD_FLOWS:
            raise OptionError(
                "name", f"credential {self._before.name!r} logs in by {self._before.connection.auth}, without a token"
            )
        self._dispose()
        if self._wanted.force and self._journal and self._journal.method == "found":
            self._note(None)  # it holds nothing but that the stored token was refused
        given = self._given()
        if self._check_mode:
            self._foresee(given)
        elif given:
            self._take(given)
        elif self._journal:
            self._finish_earlier()
        elif self._is_due():
            self._renew()
        elif self._wanted.check_login or self._before.verification.cause in REFUSED:
            self._check()

    def outcome(self) -> Outcome:
        """What became of it."""
        plan = CredentialPlan(self._before, self._credential)
        return Outcome(
            changed=bool(plan),
            rotated=bool(plan),
            resumed=self._resumed,
            version=self._credential.version,
            diff=plan.diff(),
            credential=record.to_clear(self._credential),
            warnings=self._warnings,
        )

    @property
    def _journal(self) -> Journal | None:
        return self._credential.rotation

    @property
    def _target(self) -> Connection:
        """Whose token is renewed: of a pair, that of the user on standby."""
        credential, journal = self._credential, self._journal
        if credential.standby is None or (journal and journal.username == credential.connection.username):
            return credential.connection
        return credential.standby

    def _given(self) -> str | None:
        """The token that was given, if it is a new one."""
        given = self._wanted.given
        if not given or record.is_replaced(self._credential, given):
            return None
        known = self._before.verified and any(user.security_token == given for user in self._credential.users)
        return None if known else given

    def _is_due(self) -> bool:
        if self._wanted.force or self._wanted.max_age is None:
            return self._wanted.force
        age = _utc_now() - datetime.datetime.fromisoformat(self._since())
        if age < -CLOCK_SLACK:
            self._warnings.append(
                f"the token of {self._credential.name!r} is dated {self._since()}, which is in the future, so its age "
                "is not known. Set the clock right; if it is, force: true renews the token and its date"
            )
        return age >= self._wanted.max_age

    def _since(self) -> str:
        """Since when the user in use has the token, as far as that is known."""
        return self._credential.token_since or self._credential.updated

    def _foresee(self, given: str | None) -> None:
        """Have outcome() tell what a run would change. What could stop it is looked at; nothing is asked for."""
        journal = self._journal
        if journal and not given:
            self._require_end(journal)
        if not (given or journal or self._is_due()):
            if self._before.verification.cause in REFUSED and not self._wanted.has_mailbox:
                self._check()
            return
        target = self._credential.connection if given and not journal else self._target
        new_password = journal is not None and journal.password is not None
        if not (given or journal):
            self._require_options()
            new_password = self._look_ahead(self._way.enter(target)) is not None
        # A user without a token goes on without one when only the password is changed.
        new_token = UNKNOWN if target.security_token or not new_password else None
        foreseen = dataclasses.replace(
            target, security_token=given or new_token, password=UNKNOWN if new_password else target.password
        )
        self._credential = record.rotated(self._credential, foreseen, now=_now())

    # What is written.

    def _write(self, credential: Credential) -> None:
        if not self._check_mode:
            self._store.write(credential, replaces=self._credential.version)
        self._credential = credential

    def _note(self, journal: Journal | None, **changes: Any) -> None:
        """Write the journal, with these changes."""
        if journal is not None:
            journal = dataclasses.replace(journal, **changes)
        self._write(dataclasses.replace(self._credential, rotation=journal))

    def _store_new(self, connection: Connection, mail: TokenMail | None = None, mailbox: Mailbox | None = None) -> None:
        """Store a connection that has just passed a login; then deal with the mail that brought its token."""
        journal = self._journal
        done = record.rotated(self._credential, connection, now=_now())
        if mail is not None and journal is not None and not self._wanted.keeps_mail:
            position = (mail.uid_validity, mail.uids[0])
            done = dataclasses.replace(
                done,
                rotation=dataclasses.replace(journal, step=STORED, position=position, mails=mail.uids, password=None),
            )
        self._write(done)
        self._dispose(mailbox)

    # The steps.

    def _renew(self) -> None:
        """Begin a rotation, and bring it to its end."""
        target, method = self._target, self._wanted.method
        self._require_options()
        try:
            org = self._way.enter(target)
        except LoginError as exc:
            self._look_for_another(target, exc)
            return
        password = self._look_ahead(org)
        with self._mailbox() as mailbox:
            position = mailbox.position() if mailbox else None
            self._note(
                Journal(
                    method=method,
                    step=ASKING,
                    username=target.username or "",
                    started=_now(),
                    position=position,
                    password=password,
                )
            )
            self._ask_first(org)
            self._receive(mailbox, self._wanted.wait)

    def _look_ahead(self, org: Org) -> str | None:
        """Find what would stop a rotation while nothing was done yet; gives the new password, if there is to be one."""
        method = self._wanted.method
        obstacles = org.obstacles(method)
        if obstacles:
            raise OrgError(
                f"the token of {self._target.username} cannot be renewed by method {method}, and nothing was done: "
                + "; ".join(obstacles),
                cause="not_approved",
            )
        return org.new_password() if method == "password" else None

    def _require_options(self) -> None:
        """Raise OptionError for what is known to stop a rotation without asking anybody."""
        self._require_mailbox(self._wanted.method)
        behind = self._behind()
        if behind:
            raise OptionError(
                "name",
                f"{', '.join(behind)} may still use {self._target.username}, whose token would be renewed, as the "
                "present version was not delivered there; deliver it first",
            )

    def _require_mailbox(self, method: str) -> None:
        target = self._target
        if not self._wanted.has_mailbox and (method == "reset" or target.security_token):
            raise OptionError("mailbox", f"is needed: the new token of {target.username} comes by mail")

    def _require_end(self, journal: Journal) -> None:
        """Raise what is known to keep an earlier rotation from its end without asking anybody."""
        if journal.step == ASKING:
            self._require_mailbox(journal.method)
        if journal.is_spent and not self._wanted.force:
            raise self._stuck(journal)
        if journal.step == ASKED and journal.method != "password" and not self._wanted.has_mailbox:
            raise self._stuck(journal)

    def _stuck(self, journal: Journal) -> Stuck:
        waited = f"within {self._wanted.wait:g} seconds" if self._wanted.has_mailbox else "as no mailbox was given"
        return stuck(journal, waited=waited)

    def _behind(self) -> list[str]:
        """The consumers of a pair that do not use the user who is in use now."""
        if self._credential.standby is None:
            return []
        held = self._store.deliveries(self._credential.name)
        clear = record.to_clear(self._credential)
        return sorted(consumer for consumer, delivery in held.items() if not delivery.is_of(clear))

    def _ask(self, org: Org, *, again: bool = True) -> None:
        """Ask the org for what the journal says is about to be asked for; raises OrgError if it was not asked for."""
        journal = self._journal
        if journal is None:
            return
        try:
            if journal.method == "password":
                org.change_password(self._target.password or "", journal.password or "", again=again)
            else:
                org.reset_security_token()
        except Interrupted as exc:
            if not exc.sent:
                raise
            self._warnings.append(f"whether the org has made a new token is not known until its mail comes: {exc}")
            return
        self._note(journal, step=ASKED)

    def _ask_first(self, org: Org) -> None:
        """Ask for what was certainly not asked for yet: when it is refused, there is nothing to be finished."""
        try:
            self._ask(org, again=False)
        except OrgError:
            self._note(None)
            raise

    def _finish_earlier(self) -> None:
        """Bring to its end what an earlier run has begun."""
        journal, wanted = self._journal, self._wanted
        if journal is None:
            return
        self._require_end(journal)
        another_chance = wanted.force and bool(journal.refused)
        patience = wanted.wait if journal.step == ASKED and journal.method != "found" and not another_chance else 0
        with self._mailbox() as mailbox:
            if self._receive(mailbox, patience, last=False):
                return
            asked = self._ask_again() if journal.step == ASKING else self._ask_anew(mailbox)
            if another_chance and not asked:  # no other token can be had than those that were refused
                self._note(journal, tried=(), refused=())
            self._receive(mailbox, wanted.wait if asked else 0)

    def _ask_again(self) -> bool:
        """Ask for what may have been asked for already. A second reset does no harm; a password changes only once.

        When the org does not do it, or there is no session, a login with what is stored tells whether it was done.
        """
        org, refusal = self._way.enter_again(self._target), None
        if org is not None:
            try:
                self._ask(org)
            except Interrupted:
                raise
            except OrgError as exc:
                refusal = None if isinstance(exc, LoginError) else exc  # the session has ended just now
            else:
                return True
        try:
            self._way.log_in(self._target)
        except LoginError as exc:
            if exc.cause not in NOT_LET_IN:
                raise
            self._note(self._journal, step=ASKED)
            return True
        if refusal is not None:
            self._note(None)
            raise refusal
        self._ask_first(self._way.enter(self._target))
        return True

    def _ask_anew(self, mailbox: Mailbox | None) -> bool:
        """Reset the token once more, as its mail has not come: possible while there is a session from before."""
        journal, wanted = self._journal, self._wanted
        if journal is None or mailbox is None or wanted.method != "reset" or (journal.refused and not wanted.force):
            return False
        org = self._way.enter_again(self._target)
        if org is None or org.obstacles("reset"):
            return False
        # What was refused is left behind. What has not been seen yet is not: the mail may come at this very moment.
        position = mailbox.position() if journal.refused else journal.position
        self._note(journal, method="reset", position=position, tried=(), refused=())
        try:
            self._ask(org)
        except OrgError:
            self._note(journal)
            raise
        return True

    def _receive(self, mailbox: Mailbox | None, wait: float, *, last: bool = True) -> bool:
        """Read the new token from its mail, log in with it and store it; whether that was done.

        Args:
            last: raise Stuck instead of giving false.
        """
        if not self._target.security_token and self._without_mail():
            return True
        for mail in self._mails(mailbox, wait):
            if self._try(mail, mailbox):
                return True
            if self._spent():
                break
        if self._without_mail():
            return True
        if self._journal and (last or (self._spent() and not self._wanted.force)):
            raise self._stuck(self._journal)
        return False

    def _mails(self, mailbox: Mailbox | None, wait: float) -> Iterator[TokenMail]:
        journal = self._journal
        if mailbox is None or journal is None or self._spent():
            return
        since = Position(*journal.position) if journal.position else None
        started = datetime.datetime.fromisoformat(journal.started)
        for mail in mailbox.tokens(journal.username, since=since, since_time=started, wait=wait):
            if self._may_try(mail.token):
                yield mail

    def _try(self, mail: TokenMail, mailbox: Mailbox | None) -> bool:
        """Whether the token of a mail lets in. It is then stored."""
        journal, target = self._journal, self._target
        password = (journal.password if journal else None) or target.password
        candidate = dataclasses.replace(target, password=password, security_token=mail.token)
        if not self._lets_in(candidate):
            return False
        self._store_new(candidate, mail, mailbox)
        return True

    def _lets_in(self, candidate: Connection) -> bool:
        """Whether a login passes. One that is refused is noted down, and so not repeated by the next run, either."""
        journal, token = self._journal, candidate.security_token or ""
        if journal and token not in journal.tried:
            self._note(journal, tried=(*journal.tried, token))
        try:
            self._way.log_in(candidate)
        except LoginError as exc:
            if exc.cause not in NOT_LET_IN:
                raise
            if journal := self._journal:
                self._note(journal, refused=(*journal.refused, token))
            return False
        return True

    def _may_try(self, token: str) -> bool:
        """Whether a token is worth a login: not one that is known to be dead, and not one too many."""
        known = token == self._target.security_token or record.is_replaced(self._credential, token)
        return not known and (self._journal is None or self._journal.may_try(token))

    def _spent(self) -> bool:
        return self._journal is not None and self._journal.is_spent

    def _without_mail(self) -> bool:
        """Store a new password without a token where a login from here needs none; whether that was done."""
        journal, target = self._journal, self._target
        if journal is None or journal.method != "password" or journal.step != ASKED or journal.refused:
            return False
        had_token = bool(target.security_token)
        org = self._way.enter_again(target)
        if had_token and (org is None or org.needs_token()):
            return False
        candidate = dataclasses.replace(target, password=journal.password, security_token=None)
        if not self._lets_in(candidate):
            return False
        if had_token:
            self._warnings.append(
                f"{target.username} has a new password, and no mail has brought its new token. It logs in from trusted "
                f"addresses only, as from here; {WHY_NO_MAIL}"
            )
        self._store_new(candidate)
        return True

    def _take(self, token: str) -> None:
        """Store a token that somebody received, if it lets in."""
        journal = self._journal
        target = self._target if journal else self._credential.connection
        # Whether the password of a journal was set is not always known.
        passwords = [target.password] if journal is None else [journal.password, target.password]
        refusal = None
        for password in filter(None, passwords):
            candidate = dataclasses.replace(target, password=password, security_token=token)
            try:
                self._way.log_in(candidate)
            except LoginError as exc:
                if exc.cause not in NOT_LET_IN:
                    raise
                refusal = refusal or exc
            else:
                self._store_new(candidate)
                return
        if refusal is not None:
            raise refusal

    def _check(self) -> None:
        """Log in with what is stored, and look for another token if it is refused."""
        connection = self._credential.connection
        known = self._before.verification
        if known.cause in REFUSED:
            refusal = LoginError(f"{known.detail or 'refused before'}, so not tried again", cause=str(known.cause))
            self._look_for_another(connection, refusal)
            return
        try:
            self._way.log_in(connection)
        except LoginError as exc:
            self._look_for_another(connection, exc)
            return
        if self._before.verified is None:
            passed = Verification(result="ok", cause="ok", detail="logged in")
            self._write(record.verified(self._credential, passed, now=_now()))

    def _look_for_another(self, target: Connection, refusal: LoginError) -> None:
        """Take a newer token from the mailbox, as somebody else has reset it; raises the refusal if there is none."""
        if refusal.cause not in NOT_LET_IN or not self._wanted.has_mailbox:
            raise refusal
        since = self._since() if target == self._credential.connection else self._credential.created
        # The refusal is noted down as well: what is stored is not tried again by the next run.
        self._note(Journal(method="found", step=ASKED, username=target.username or "", started=since))
        with self._mailbox() as mailbox:
            if not self._receive(mailbox, 0, last=False):
                raise LoginError(f"{refusal}; and the mailbox has no newer token of this user", cause=refusal.cause)

    def _mailbox(self) -> AbstractContextManager[Mailbox | None]:
        return self._way.open_mailbox() if self._wanted.has_mailbox else contextlib.nullcontext()

    def _dispose(self, mailbox: Mailbox | None = None) -> None:
        """Deal with the mail whose token is stored, and end the journal.

        Args:
            mailbox: where it is open already.
        """
        journal = self._journal
        if journal is None or journal.step != STORED:
            return
        try:
            with contextlib.nullcontext(mailbox) if mailbox or self._check_mode else self._mailbox() as opened:
                if opened and journal.position and journal.mails:
                    opened.dispose(journal.mails, validity=journal.position[0])
        except MailError as exc:
            self._warnings.append(f"the new token is stored, but its mail is still in the mailbox: {exc}")
        self._note(None)


def _now() -> str:
    return _utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
