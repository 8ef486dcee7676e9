# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare a credential: plan, verify by one login, store. Private to gatehouse.salesforce."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from . import record
from .connection import Connection
from .errors import LoginError, OptionError, OrgError, UnknownCredential
from .record import Credential, CredentialPlan, Verification
from .store import Store

VERIFY = ("require", "warn", "skip")
# Salesforce counted these as wrong tries; a few more lock the user out.
REFUSED = ("bad_password", "stale_token", "invalid_credentials")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a declaration, as modules return it; nowhere a secret.

    Attributes:
        changed: whether the credential is another one than before; that a login was noted down does not count.
        credential: the credential afterwards; None when there is none.
    """

    changed: bool
    diff: dict[str, dict[str, Any]]
    credential: dict[str, Any] | None
    verification: dict[str, str | None]
    warnings: list[str] = dataclasses.field(default_factory=list)


def ensure_present(
    store: Store,
    name: str,
    wanted: Connection,
    *,
    verify: str,
    check_mode: bool,
    login: Callable[[Connection], object],
    standby: Connection | None = None,
) -> Outcome:
    """Make the store hold the credential as wanted, verified by at most one login of each of its users.

    Args:
        wanted: secrets that are None are kept as stored.
        standby: the other user of a pair; None keeps the one that is stored.
        verify: C(require) stores nothing that does not pass a login, C(warn) stores it all the same, C(skip) does not
            try.
        login: logs in with a connection, or raises LoginError, or OrgError when that could not be tried.

    Raises:
        OrgError: as login raised it, when verify is C(require); the store is as before.
        OptionError, StoreError: the credential cannot be used or stored; nothing was sent.
    """
    if verify not in VERIFY:
        raise OptionError("verify", f"{verify!r} is not one of {', '.join(VERIFY)}")
    with contextlib.nullcontext() if check_mode else store.lock(name):
        before = read_or_none(store, name)
        after = record.declared(before, wanted, standby=standby, name=name, now=_now())
        plan = CredentialPlan(before, after)
        skipped = _why_no_login(plan, verify=verify, check_mode=check_mode)
        users = _to_try(before, after)
        verification = skipped or _tried(after, users, wanted, login, required=verify == "require")
        if not skipped:
            names = [user.username for user in users]
            after = record.verified(after, verification, now=_now(), users=names)
        if not check_mode and after != before:
            store.write(after, replaces=before.version if before else None)
    return Outcome(
        changed=bool(plan),
        diff=plan.diff(),
        credential=record.to_clear(after),
        verification=verification.to_dict(),
        warnings=_warnings(name, verification),
    )


def ensure_absent(store: Store, name: str, *, check_mode: bool) -> Outcome:
    """Make the store hold no such credential."""
    before = read_or_none(store, name)
    if before and not check_mode:
        with store.lock(name):
            before = read_or_none(store, name)
            if before:
                store.delete(name, replaces=before.version)
    plan = CredentialPlan(before, None)
    return Outcome(changed=bool(plan), diff=plan.diff(), credential=None, verification=Verification().to_dict())


def read_or_none(store: Store, name: str) -> Credential | None:
    """The credential of that name, if there is one."""
    try:
        return store.read(name)
    except UnknownCredential:
        return None


def when_it_worked(store: Store, name: str, connection: Connection) -> str | None:
    """When the password of a connection last passed a login under that name, as far as the store knows."""
    stored = read_or_none(store, name)
    if stored is None or stored.connection.password != connection.password:
        return None
    return stored.verified


def _why_no_login(plan: CredentialPlan, *, verify: str, check_mode: bool) -> Verification | None:
    """The verification's result when no login is needed or none may be made; None to make one."""
    before = plan.before
    if verify == "skip":
        return Verification(detail="not asked for")
    if not plan and before and before.verified:
        return Verification(detail=f"unchanged since it passed a login at {before.verified}")
    if check_mode:
        return Verification(detail="no login is made in check mode")
    if verify == "warn" and not plan and before and before.verification.cause in REFUSED:
        return dataclasses.replace(
            before.verification,
            detail="refused before and unchanged since, so not tried again: wrong tries lock the user out",
        )
    return None


def _tried(
    credential: Credential,
    users: list[Connection],
    wanted: Connection,
    login: Callable[[Connection], object],
    *,
    required: bool,
) -> Verification:
    """The result of one login of each of these users, over the connection of this run."""
    of_this_run = {field: getattr(wanted, field) for field in record.OF_THE_RUN}
    for connection in users:
        try:
            login(dataclasses.replace(connection, **of_this_run))
        except OrgError as exc:
            if required:
                kind = LoginError if isinstance(exc, LoginError) else OrgError
                raise kind(f"credential {credential.name!r} was not stored: {exc}", cause=exc.cause) from exc
            return Verification(result="failed", cause=exc.cause, detail=str(exc))
    return Verification(result="ok", cause="ok", detail="logged in")


def _to_try(before: Credential | None, credential: Credential) -> list[Connection]:
    """The users of whom it is not known that they are let in; all of them when it is known of each."""
    works = before.users if before and before.verified else []
    return [user for user in credential.users if user not in works] or credential.users


def _warnings(name: str, verification: Verification) -> list[str]:
    if verification.result != "failed":
        return []
    return [f"credential {name!r} is stored but did not pass its login ({verification.cause}): {verification.detail}"]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
