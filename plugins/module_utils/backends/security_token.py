# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module security_token. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..backend import Run, kept_sessions, of_this_run, open_asker
from ..connection import Connection
from ..errors import GatehouseError, OptionError
from ..expiry import parse_duration
from ..mailbox import SPEC as MAILBOX
from ..mailbox import Mailbox, mail_settings, open_mailbox
from ..options import LOGIN, STORE, Spec
from ..org import Org
from ..org.own_password import OldPasswordRefused, generate_password
from ..org.token_reset import obstacles
from ..rotation import METHODS, Wanted, ensure_young
from ..store import Store, store_from
from ..token_need import needs_token
from ..verified_login import verified_login

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "max_age": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "check_login": {"type": "bool", "default": False},
    "method": {"type": "str", "choices": list(METHODS), "default": "reset"},
    "new_token": {"type": "str", "no_log": True},
    "mailbox": {"type": "dict", "options": MAILBOX},
    "wait": {"type": "float", "default": 300.0},
    "diagnose_with": {"type": "str"},
    "timeout": LOGIN["timeout"],
    "source_address": LOGIN["source_address"],
    **STORE,
}

LONGEST_WAIT = 86400.0


def run(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make the token of a stored credential young enough."""
    given = (options.get("new_token") or "").strip()
    run.secrets.append(given)
    store, mailbox = store_from(options), options.get("mailbox")
    if not 0 <= options["wait"] <= LONGEST_WAIT:
        raise OptionError("wait", f"must be from 0 to {LONGEST_WAIT:.0f} seconds")
    if given and not (given.isascii() and given.isalnum()):
        raise OptionError("new_token", "is no security token, which has letters and digits only; nothing was tried")
    if mailbox is not None:
        mail_settings(mailbox)
    wanted = Wanted(
        method=options["method"],
        max_age=parse_duration(options["max_age"], "max_age") if options.get("max_age") else None,
        force=options["force"],
        check_login=options["check_login"],
        given=given or None,
        has_mailbox=mailbox is not None,
        keeps_mail=mailbox is None or mailbox["afterwards"] == "keep",
        wait=options["wait"],
    )
    way = Way(store, options, run)
    outcome = ensure_young(store, options["name"], wanted, way, check_mode=run.check_mode)
    return dataclasses.asdict(outcome)


class Way:
    """The way to the org and to the mailbox that a task's options say."""

    def __init__(self, store: Store, options: Mapping[str, Any], run: Run) -> None:
        self._store = store
        self._options = options
        self._run = run
        self._sessions = kept_sessions(store, run)

    def enter(self, connection: Connection) -> EnteredOrg:
        """The org over a session that is kept, or a new one by one login; raises LoginError."""
        if self._over_kept_session(connection) is None:
            self.log_in(connection)
        return self._entered(Org(of_this_run(connection, self._options), self._sessions), connection)

    def enter_again(self, connection: Connection) -> EnteredOrg | None:
        """The org over a session that is kept and still holds; None where there is none. No login is made."""
        org = self._over_kept_session(connection)
        return self._entered(org, connection) if org else None

    def _entered(self, org: Org, connection: Connection) -> EnteredOrg:
        return EnteredOrg(org, connection, open_asker(self._options, self._run, connection) or org, self._run)

    def log_in(self, connection: Connection) -> object:
        """One login; raises LoginError, or OrgError when it could not be tried."""
        self._run.hide(connection)
        name = self._options["name"]
        before = self._connection_before(connection)
        log_in = verified_login(
            self._store, name, self._options, self._run, own=lambda: self._over_kept_session(before)
        )
        return log_in(of_this_run(connection, self._options))

    @contextmanager
    def open_mailbox(self) -> Iterator[Mailbox]:
        """The mailbox; raises MailError."""
        with open_mailbox(mail_settings(self._options["mailbox"])) as mailbox:
            yield mailbox

    def _connection_before(self, connection: Connection) -> Connection:
        """What is stored for the user of a connection, whose session may be open still."""
        stored = self._store.read(self._options["name"])
        return next((user for user in stored.users if user.username == connection.username), stored.connection)

    def _over_kept_session(self, connection: Connection) -> Org | None:
        session = self._sessions.kept(of_this_run(connection, self._options))
        if session is None:
            return None
        by_session = dataclasses.replace(
            of_this_run(connection, self._options),
            auth="session",
            access_token=session.access_token,
            instance_url=session.instance_url,
        )
        org = Org(by_session, self._sessions)
        try:
            org.session()
        except GatehouseError:
            return None
        return org


class EnteredOrg:
    """An org, entered as the user whose token is to be renewed."""

    def __init__(self, org: Org, connection: Connection, asker: Org, run: Run) -> None:
        """Enter it over a session.

        Args:
            asker: the same org, as somebody who may see what is in the way of this user.
            run: learns what must not be told.
        """
        self._org = org
        self._asker = asker
        self._run = run
        self._username = connection.username or ""

    def obstacles(self, method: str) -> list[str]:
        """Why this user cannot get a new token by that method, each with what to do; nothing is changed."""
        return obstacles(self._asker, self._username, method)

    def new_password(self) -> str:
        """A password that the org's policy allows."""
        try:
            policies = self._asker.metadata(lambda api: api.read_password_policies())
        except GatehouseError:  # which not every user may read; what is generated meets them all
            policies = {}
        return generate_password(policies)

    def reset_security_token(self) -> None:
        """Reset the token; raises Interrupted when that may have happened or not, another OrgError when it has not."""
        self._org.reset_security_token()

    def change_password(self, old: str, new: str, *, again: bool) -> None:
        """Change the password; raises as reset_security_token() does. With again, it may have been changed before."""
        self._run.secrets.extend([old, new])
        try:
            self._org.change_own_password(old, new)
        except OldPasswordRefused:
            if not again:
                raise

    def needs_token(self) -> bool:
        """Whether a login from here needs the token; true when that is not known."""
        try:
            return needs_token(self._asker, self._username)
        except GatehouseError:
            return True
