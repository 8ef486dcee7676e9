# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare a credential: verify it by a login, and store it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from ..auth.causes import LOGGED_IN, SECRET_REJECTED, Verification
from ..auth.connection import Connection
from ..auth.my_domain import leads_to
from ..auth.private_key import canonical_key
from ..auth.sfdx_url import OPTION as SFDX_URL
from ..auth.sfdx_url import read_sfdx_url
from ..credentials.changes import declare, record_verification, returns_to_password
from ..credentials.credential import OF_THE_RUN, OF_THE_USER, Credential
from ..credentials.plan import CredentialPlan
from ..credentials.serialisation import to_public
from ..errors import LoginError, OptionError, OrgError
from ..org.login import Session
from ..store import read_or_none
from ..store.base import Store
from ..task.context import Task
from ..task.options import LOGIN, STORE, Spec
from ..task.refresh import with_new_token
from ..verification.verify import Verifier, when_it_worked

VERIFY = ("require", "warn", "skip")
HOSTS_ONLY = ". If only managed hosts log in with it, store it with verify: skip, and check it there with login_check"
SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "verify": {"type": "str", "choices": list(VERIFY), "default": "require"},
    "diagnose_with": {"type": "str"},
    "standby": {
        "type": "dict",
        "options": {
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "security_token": {"type": "str", "no_log": True},
        },
    },
    "undo_move": {"type": "bool", "default": False},
    "sfdx_auth_url": {"type": "str", "no_log": True},
    **LOGIN,
    **STORE,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make the store hold the credential, or not."""
    url = options["sfdx_auth_url"] or ""
    task.secrets.add(url, *url.rpartition("@")[0].split(":")[2:])  # and its parts, as they stand there
    store = task.store
    if url and options["state"] == "present":
        task = dataclasses.replace(task, connection=_by_url(url, task))
    orgs: list[dict[str, str | None]] = []
    task.require_one_declaration(options["name"], _declared(options, task.connection))
    if options["state"] == "absent":
        if not task.check_mode:
            _forget_sessions(options["name"], task)  # first, as the credential tells whose they are
        outcome = ensure_absent(store, options["name"], check_mode=task.check_mode)
    elif not options["undo_move"] and (moved := _moved(options["name"], task)):
        outcome = _leave_moved(moved, task.connection)
    else:
        try:
            outcome = ensure_present(
                store,
                options["name"],
                _canonical(task.connection),
                verify=options["verify"],
                check_mode=task.check_mode,
                login=_login(options["name"], task, orgs),
                standby=_standby(options),
            )
        except OrgError as exc:
            exc.result = {"verification": Verification(result="failed", cause=exc.cause, detail=str(exc)).to_dict()}
            raise
    return {**dataclasses.asdict(outcome), **({"org": orgs[0]} if orgs else {})}


def _by_url(url: str, task: Task) -> Connection:
    """Return the login that an auth URL of the Salesforce CLI describes; raises OptionError."""
    given = task.connection
    for option in ("password", "security_token", "consumer_key", "consumer_secret", "private_key", "refresh_token"):
        if getattr(given, option):
            raise OptionError(option, f"cannot be given together with {SFDX_URL}, which has what it logs in with")
    connection = dataclasses.replace(given, **read_sfdx_url(url))  # type: ignore[arg-type]
    if task.login_url and not leads_to(task.login_url, connection.login_url):
        raise OptionError(SFDX_URL, f"is for {connection.login_url}, but login_url is {task.login_url}")
    try:
        return connection.checked()
    except OptionError as exc:
        raise OptionError(SFDX_URL, exc.problem) if exc.option == "login_url" else exc from None


def _declared(options: Mapping[str, Any], connection: Connection) -> dict[str, Any]:
    """Return what must not differ between hosts that declare one name."""
    if options["state"] == "absent":
        return {"state": "absent"}
    login = {name: value for name, value in dataclasses.asdict(connection).items() if name not in OF_THE_RUN}
    return {"login": login, "standby": options.get("standby")}


def _moved(name: str, task: Task) -> Credential | None:
    """Return the stored credential if its declaration is from before its move to OAuth."""
    stored = read_or_none(task.store, name)
    return stored if stored and returns_to_password(stored, task.connection) else None


def _leave_moved(moved: Credential, declared: Connection) -> Outcome:
    """Leave a credential that has moved to OAuth as it is, and say so."""
    plan = CredentialPlan(moved, moved)
    warning = (
        f"credential {moved.name!r} has moved to {moved.connection.auth}, so its declaration with {declared.auth} is "
        "ignored: remove it from the inventory. To go back, declare it with undo_move: true"
    )
    return Outcome(
        changed=False,
        diff=plan.diff(),
        credential=to_public(moved),
        verification=Verification(detail="its declaration is from before the move to OAuth").to_dict(),
        warnings=[warning],
    )


def _canonical(connection: Connection) -> Connection:
    """Return the connection with its key in the form that is stored and delivered."""
    if not connection.private_key:
        return connection
    return dataclasses.replace(connection, private_key=canonical_key(connection.private_key))


def _forget_sessions(name: str, task: Task) -> None:
    credential = read_or_none(task.store, name)
    for user in credential.users if credential else []:
        task.sessions.forget(task.with_limits(user))


def _login(name: str, task: Task, orgs: list[dict[str, str | None]]) -> Callable[[Connection], Session]:
    """Return what logs in, and adds the org to a list."""
    verifier = Verifier(task.sessions, task.administrator, task.secrets)

    def login(connection: Connection) -> Session:
        session = verifier.login(connection, last_success=when_it_worked(task.store, name, connection))
        orgs.append(session.describe(connection))
        return session

    return login


def _standby(options: Mapping[str, Any]) -> Connection | None:
    given = options.get("standby")
    return None if given is None else Connection(**{field: given.get(field) for field in OF_THE_USER})


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
        after = declare(before, wanted, standby=standby, name=name, now=_now())
        plan = CredentialPlan(before, after)
        skipped = _why_no_login(plan, verify=verify, check_mode=check_mode)
        users = _to_try(before, after)
        verification = skipped
        if verification is None:
            verification, after = _tried(after, users, wanted, login, required=verify == "require")
        if not skipped:
            names = [user.username for user in users]
            after = record_verification(after, verification, now=_now(), users=names)
        if not check_mode and after != before:
            store.write(after, replaces=before.version if before else None)
        if check_mode and plan:
            store.foresee(name, after)
    return Outcome(
        changed=bool(plan),
        diff=plan.diff(),
        credential=to_public(after),
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
    if before and check_mode:
        store.foresee(name, None)
    plan = CredentialPlan(before, None)
    return Outcome(changed=bool(plan), diff=plan.diff(), credential=None, verification=Verification().to_dict())


def _why_no_login(plan: CredentialPlan, *, verify: str, check_mode: bool) -> Verification | None:
    """Return the result when no login is needed or none may be made; None to make one."""
    before = plan.before
    if verify == "skip":
        return Verification(detail="not asked for")
    if not plan and before and before.verified:
        return Verification(detail=f"unchanged since it passed a login at {before.verified}")
    if check_mode:
        return Verification(detail="no login is made in check mode")
    if verify == "warn" and not plan and before and before.verification.cause in SECRET_REJECTED:
        return dataclasses.replace(
            before.verification,
            detail="refused before and unchanged since, so not tried again: failed logins lock the user",
        )
    return None


def _tried(
    credential: Credential,
    users: list[Connection],
    wanted: Connection,
    login: Callable[[Connection], object],
    *,
    required: bool,
) -> tuple[Verification, Credential]:
    """Log in once as each of these users, over the connection of this run.

    Returns the credential, too, with the refresh token that it is to have by now.
    """
    of_this_run = {field: getattr(wanted, field) for field in OF_THE_RUN}
    for connection in users:
        try:
            session = login(dataclasses.replace(connection, **of_this_run))
        except OrgError as exc:
            if required:
                kind = LoginError if isinstance(exc, LoginError) else OrgError
                way_out = HOSTS_ONLY if exc.cause == "ip_denied" else ""
                raise kind(f"credential {credential.name!r} was not stored: {exc}{way_out}", cause=exc.cause) from exc
            return Verification(result="failed", cause=exc.cause, detail=str(exc)), credential
        if isinstance(session, Session) and session.refresh_token:
            renewed = with_new_token(credential, session.refresh_token)
            credential = dataclasses.replace(renewed, version=credential.version)
    return LOGGED_IN, credential


def _to_try(before: Credential | None, credential: Credential) -> list[Connection]:
    """Return the users who are not known to log in; all of them when each is."""
    works = before.users if before and before.verified else []
    return [user for user in credential.users if user not in works] or credential.users


def _warnings(name: str, verification: Verification) -> list[str]:
    if verification.result != "failed":
        return []
    return [f"credential {name!r} is stored but did not pass its login ({verification.cause}): {verification.detail}"]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
