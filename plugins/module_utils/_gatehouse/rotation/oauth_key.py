# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew what a credential logs in with by an app, so that no crash loses it and, where possible, no login fails.

The key of jwt_bearer: an app has one certificate. With two apps, the one that is not in use gets the certificate of a
new key, and the credential moves to it; with one, logins fail from then on until the new key is delivered.

The secret of client_credentials: the org makes a new pair of consumer key and secret and keeps the old one valid.

    no journal --(due)-----------------------------------> requesting: the journal has the new key; the app may have it
    requesting --(it logs in and is stored)--------------> stored: the old way in is left; with one app: no journal
    stored --(a later run, all consumers have the new)---> no journal: the old way in is closed

Every step may be done again, so a run that finds a journal goes the same way as the one that wrote it. Nothing is
stored that has not logged in.

Several credentials may share an app, and so its key. The first that is due replaces the key; the others take it over
from the store, whatever their age. A lock for the apps keeps two runs from replacing it at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from ..auth.connection import Connection
from ..credentials.changes import complete_rotation
from ..credentials.credential import KEYS, Credential
from ..credentials.journal import REQUESTING, STORED, Journal
from ..credentials.plan import CredentialPlan
from ..credentials.serialisation import to_public
from ..errors import LoginError, OptionError, StoreError
from ..oauth_app.apply import AppWriter
from ..oauth_app.certificate import MAX_COMMON_NAME, VALID_DAYS, make_key, read_certificate, self_sign
from ..oauth_app.consumer_secret import SecretReader
from ..oauth_app.model import App
from ..oauth_app.plan import plan_certificate, plan_disabled
from ..oauth_app.read import find_app, read_apps
from ..org.deploy import DeployError
from ..store.base import Store
from ..store.blobs import LOCK_SECONDS
from .state import Record, now, outdated_consumers, utc_now

UNKNOWN = "(not known yet)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyOptions:
    """What is declared of a key or an app's secret.

    Attributes:
        apps: the API names of one app, or of two that take turns; none to look for the one in use.
        max_age: how old it may be; None for any age.
        force: renew it whatever its age.
        verify: log in with one that is not due, too.
        valid_days: of a new certificate.
    """

    apps: tuple[str, ...] = ()
    max_age: datetime.timedelta | None = None
    force: bool = False
    verify: bool = False
    valid_days: int = VALID_DAYS


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyTools:
    """What reaches the org.

    Attributes:
        writer: writes to apps.
        secrets: returns what renews their secrets.
        log_in: logs in, once the org has taken a change over; raises LoginError.
        verify: logs in with what is stored; raises LoginError.
    """

    writer: AppWriter
    secrets: Callable[[], SecretReader]
    log_in: Callable[[Connection], object]
    verify: Callable[[Connection], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyResult:
    """What became of a declaration, as the module returns it; nowhere a secret.

    Attributes:
        rotated: whether the credential has another key or secret than before, or in check mode would have.
        resumed: whether an earlier run had left something to be finished.
        ended: whether the old way in was closed.
        waiting_for: the consumers and credentials for which it is left open.
        gap_seconds: for how long logins with the old key failed before the new one was stored; None without a gap.
    """

    changed: bool
    rotated: bool
    resumed: bool
    ended: bool
    waiting_for: list[str]
    gap_seconds: float | None
    version: int
    diff: dict[str, dict[str, Any]]
    credential: dict[str, Any]
    warnings: list[str]


def ensure_key_age(store: Store, name: str, options: KeyOptions, tools: KeyTools, *, check_mode: bool) -> KeyResult:
    """Make the key or secret of a credential as young as options, and whole again when a run has died over it.

    Raises:
        OptionError: the credential, the apps or the options cannot be used; nothing was done.
        OrgError: the org refused it, or could not be reached; nothing is lost.
    """
    seen = store.read(name)
    kind = {"jwt_bearer": KeyRotation, "client_credentials": SecretRotation}.get(seen.connection.auth)
    if kind is None:
        raise OptionError("name", f"credential {name!r} logs in by {seen.connection.auth}, not by {' or '.join(KEYS)}")
    with contextlib.nullcontext() if check_mode else store.lock(name, seconds=tools.writer.seconds + LOCK_SECONDS):
        credential = store.read(name)
        if (credential.connection, credential.rotation) != (seen.connection, seen.rotation):
            options = dataclasses.replace(options, force=False)  # somebody has renewed it while this run waited
        rotation = kind(store, credential, options, tools, check_mode=check_mode)
        rotation.run()
    return rotation.result()


class AppRotation(Record):
    """The rotation of what a credential logs in with by an app.

    Attributes:
        what: it is, in a word.
        method: its name in the journal.
    """

    what = ""
    method = ""

    def __init__(
        self, store: Store, credential: Credential, options: KeyOptions, tools: KeyTools, *, check_mode: bool
    ) -> None:
        super().__init__(store, credential, check_mode=check_mode)
        self.options = options
        self.tools = tools
        # The app whose old way in was closed.
        self.ended: str | None = None
        self.waiting_for: list[str] = []
        self.gap_seconds: float | None = None

    @property
    def begun(self) -> Journal | None:
        """The rotation under way, if it is of this kind."""
        journal = self.credential.rotation
        return journal if journal and journal.method == self.method and journal.step == REQUESTING else None

    @property
    def connection(self) -> Connection:
        """What is stored, or in check mode would be."""
        return self.credential.connection

    def run(self) -> None:
        """Do what is to be done."""
        journal = self.credential.rotation
        if journal and journal.method == self.method and journal.step == STORED:
            self._end_old(journal)
        if self.begun or self.options.force or self.is_due(self.options.max_age, self.what):
            self.renew()
        else:
            self.catch_up()
        if self.options.verify and self.connection == self.before.connection:
            self._verify()

    def _verify(self) -> None:
        """Log in with what is stored; raises LoginError that says what to do where somebody else has replaced it."""
        try:
            self.tools.verify(self.connection)
        except LoginError as exc:
            advice = f"If somebody else has replaced the {self.what}, store the new one, or give force: true"
            raise LoginError(f"{exc}. {advice}", cause=exc.cause) from exc

    def result(self) -> KeyResult:
        """Return what became of it."""
        plan = CredentialPlan(self.before, self.credential)
        return KeyResult(
            changed=bool(plan) or self.ended is not None,
            rotated=bool(plan),
            resumed=self.before.rotation is not None and self.before.rotation.step == REQUESTING,
            ended=self.ended is not None,
            waiting_for=self.waiting_for,
            gap_seconds=self.gap_seconds,
            version=self.credential.version,
            diff=self._diff(plan),
            credential=to_public(self.credential),
            warnings=self.warnings,
        )

    def _diff(self, plan: CredentialPlan) -> dict[str, dict[str, Any]]:
        sides = plan.diff()
        if self.ended is not None:
            for side, logs_in in (("before", True), ("after", False)):
                sides[side][f"old_{self.what}"] = {"app": self.ended, "logs_in": logs_in}
        return sides

    def renew(self) -> None:
        """Renew it, or finish what an earlier run has begun."""
        raise NotImplementedError

    def catch_up(self) -> None:
        """Take over what other credentials have renewed, before it is due here; nothing, where each has its own."""

    def close(self, app: str) -> None:
        """Close the old way in by an app; it may be closed already."""
        raise NotImplementedError

    def _end_old(self, journal: Journal) -> None:
        """Close what a rotation has left open, if nobody needs it any more."""
        others = [one.name for one in self._others(journal.consumer_key)]
        self.waiting_for = [*self.behind(), *others]
        if self.waiting_for:
            self.warnings.append(
                f"the {self.what} that {self.credential.name!r} had before is left valid, as {self._waiting()} may "
                "still use it; deliver what is stored now there, and the next run ends it"
            )
            return
        if not self.check_mode:
            self.close(journal.app or "")
        self.ended = journal.app or ""
        self.write_journal(None)

    def _waiting(self) -> str:
        return ", ".join(self.waiting_for)

    def _store(self, new: Connection, *, since: str | None = None, old: str | None = None) -> None:
        """Store a connection that has just logged in.

        Args:
            since: since when its key or secret is there, if not since now.
            old: the app by which the old one still logs in.
        """
        done = complete_rotation(self.credential, new, now=now())
        if not old and self.journal and self.journal.step == STORED:
            done = dataclasses.replace(done, rotation=self.journal)  # is still to be closed
        if old:
            left = Journal(
                method=self.method,
                step=STORED,
                username=new.username or "",
                started=now(),
                app=old,
                consumer_key=self.connection.consumer_key,
            )
            done = dataclasses.replace(done, rotation=left)
        self.write(dataclasses.replace(done, secret_since=since or done.secret_since))

    def _apps(self, names: tuple[str, ...]) -> dict[str, App]:
        """Return the apps of these names; raises OptionError for one that cannot be used."""
        apps = read_apps(self.tools.writer.org, names)
        for name in names:
            if name not in apps or apps[name].consumer_key is None:
                raise OptionError("apps", f"the org has no app {name}; the module external_client_app creates it")
            if not apps[name].made:
                raise OptionError(
                    "apps", f"{name} was not made by this collection; external_client_app adopts it by adopt: true"
                )
        return apps

    def _app_in_use(self) -> str:
        """Return the name of the app that has the credential's consumer key; raises OptionError."""
        found = find_app(self.tools.writer.org, self.connection.consumer_key or "")
        if found is None:
            raise OptionError(
                "name",
                f"no app of this org has the consumer key of {self.credential.name!r}; see whether credential logs in "
                "to the same org, and whether the app was deleted. If its secret was rotated elsewhere, "
                "external_client_app stores the new one by store_as",
            )
        return found

    def _others(self, consumer_key: str | None) -> list[Credential]:
        """Return the other credentials that log in by an app in the same way."""
        return [one for one in self._alike() if one.connection.consumer_key == consumer_key]

    def _alike(self) -> Iterator[Credential]:
        """Yield the other credentials that log in in the same way, by whatever app."""
        for name in self.store.names():
            with contextlib.suppress(StoreError):  # what cannot be read logs nobody in
                if name != self.credential.name and self.store.read_public(name)["auth"] == self.connection.auth:
                    yield self.store.read(name)

    def _lock(self, *apps: str) -> AbstractContextManager[None]:
        """Keep other runs from these apps, which several credentials may share."""
        if self.check_mode:
            return contextlib.nullcontext()
        text = json.dumps([self.connection.login_url, sorted(apps)])
        name = f"app-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        return self.store.lock(name, seconds=self.tools.writer.seconds + LOCK_SECONDS)


class KeyRotation(AppRotation):
    """The rotation of the key of jwt_bearer."""

    what = "key"
    method = "certificate"

    def run(self) -> None:
        """Do what is to be done; raises OptionError where the certificate would end before the key is due."""
        max_age, days = self.options.max_age, self.options.valid_days
        if max_age and max_age >= datetime.timedelta(days=days):
            raise OptionError("max_age", f"must be less than valid_days, {days}, or the certificate ends first")
        super().run()

    def renew(self) -> None:
        """Renew it, or finish what an earlier run has begun."""
        self._renew(due=True)

    def catch_up(self) -> None:
        """Take over the key by which another credential has replaced this one, in the same app or in the other."""
        used = self.connection.consumer_key
        if any(used in (one.connection.consumer_key, _left_by(one)) and self._is_newer(one) for one in self._alike()):
            self._renew(due=False)

    def _renew(self, *, due: bool) -> None:
        names = self.options.apps or (self._app_in_use(),)
        if len(names) > 2:
            raise OptionError("apps", "are one app, or two that take turns")
        with self._lock(*names):
            current, target = self._turn(self._apps(names))
            keys = {current.consumer_key, target.consumer_key}
            newer = [one for one in self._alike() if one.connection.consumer_key in keys and self._is_newer(one)]
            if newer:
                self._take_over(max(newer, key=lambda one: one.renewed), current)
            elif due:
                self._replace(current, target)

    def _is_newer(self, other: Credential) -> bool:
        same = _key_of(other) == _key_of(self.credential)
        return not same and other.verified is not None and other.renewed > self.credential.renewed

    def close(self, app: str) -> None:
        """Switch the old app off."""
        found = read_apps(self.tools.writer.org, (app,)).get(app)
        plan = plan_disabled(found, retired=True) if found else None
        if plan:
            self.tools.writer.deploy(plan.components)

    def _turn(self, apps: dict[str, App]) -> tuple[App, App]:
        """Return the app in use, and the one to get a new certificate, which is the same if there is only one."""
        current = next((app for app in apps.values() if app.consumer_key == self.connection.consumer_key), None)
        if current is None:
            raise OptionError(
                "apps",
                f"none of {', '.join(apps)} has the consumer key of {self.credential.name!r}; name the app that it "
                "logs in by, and see whether credential logs in to the same org",
            )
        target = next((app for app in apps.values() if app is not current), current)
        if self.begun and self.begun.app != target.name:
            raise OptionError(
                "apps", f"an earlier run has begun to give {self.begun.app} a new key; name it to finish that"
            )
        return current, target

    def _take_over(self, other: Credential, current: App) -> None:
        """Use the newer key that another credential has for the same app or for the other one."""
        key, app = other.connection.private_key, other.connection.consumer_key
        new = dataclasses.replace(self.connection, consumer_key=app, private_key=key)
        if not self.check_mode:
            self.tools.log_in(new)
        self._store(new, since=other.renewed, old=None if app == current.consumer_key else current.name)

    def _replace(self, current: App, target: App) -> None:
        """Give an app the certificate of a new key, and use that."""
        old = None if current is target else current.name
        if old:
            self._require_unused(current, target)
        begun = self.begun
        journal = begun or Journal(
            method=self.method,
            step=REQUESTING,
            username=self.connection.username or "",
            started=now(),
            app=target.name,
            private_key=make_key(),
        )
        key, started = journal.private_key or "", datetime.datetime.fromisoformat(journal.started)
        signed = self_sign(key, self.credential.name[:MAX_COMMON_NAME], started, self.options.valid_days)
        plan = plan_certificate(target, read_certificate(signed, key=key, now=utc_now()))
        new = dataclasses.replace(self.connection, consumer_key=target.consumer_key, private_key=key)
        if self.check_mode:
            self.tools.writer.deploy(plan.components, check_only=True)
            self._store(dataclasses.replace(new, private_key=UNKNOWN), old=old)
            return
        self.write_journal(journal)
        gap_began = time.monotonic()
        if plan:
            try:
                self.tools.writer.deploy(plan.components)
            except DeployError:  # the app is as before
                if not begun:
                    self.write_journal(None)
                raise
        self.tools.log_in(new)
        self._store(new, old=old)
        if not old:
            self._report_gap(target, time.monotonic() - gap_began)

    def _require_unused(self, current: App, target: App) -> None:
        """Raise OptionError when somebody may still log in by the app that is to get a new certificate."""
        users = [one.name for one in self._others(target.consumer_key)]
        if users:
            raise OptionError(
                "apps",
                f"{', '.join(users)} still logs in by {target.name}, whose key would be replaced; renew that first, "
                "which moves it to the other app",
            )
        shared = [self.credential, *self._others(current.consumer_key)]
        self.waiting_for = sorted({consumer for one in shared for consumer in outdated_consumers(self.store, one)})
        if self.waiting_for:
            raise OptionError(
                "name",
                f"{self._waiting()} may still log in by {target.name}, whose key would be replaced, as the present "
                "version was not delivered there; deliver it first",
            )

    def _report_gap(self, app: App, seconds: float) -> None:
        self.gap_seconds = round(seconds, 3)
        others = [one.name for one in self._others(app.consumer_key)]
        also = f", as do those of {', '.join(others)} until that is renewed, too" if others else ""
        self.warnings.append(
            f"the app {app.name} has one certificate, so logins with the old key of {self.credential.name!r} have "
            f"failed for up to {seconds:.1f} s, and fail until the new one is delivered{also}. Two apps that take "
            "turns (option apps) leave no such gap"
        )


class SecretRotation(AppRotation):
    """The rotation of the secret of client_credentials, which changes the consumer key, too."""

    what = "secret"
    method = "secret"

    def renew(self) -> None:
        """Renew it, or finish what an earlier run has begun."""
        if len(self.options.apps) > 1:
            raise OptionError("apps", "is one app for client_credentials, as its old secret is valid for a while")
        given = self.options.apps[0] if self.options.apps else None
        renewed = self._renewed_elsewhere()
        app = given or (self.begun and self.begun.app) or renewed or self._app_in_use()
        with self._lock(app):
            found = self._apps((app,))[app]
            if self.begun and self.begun.app != app:
                raise OptionError("apps", f"an earlier run has begun to renew the secret of {self.begun.app}; name it")
            if not self.begun and app != renewed and found.consumer_key != self.connection.consumer_key:
                raise OptionError(
                    "apps",
                    f"{app} does not have the consumer key of {self.credential.name!r}; name the app that it logs in "
                    "by. If its secret was rotated elsewhere, external_client_app stores the new one by store_as",
                )
            if self.waiting_for:
                raise OptionError(
                    "name",
                    f"{self._waiting()} may still use the secret before this one, which would end; deliver first",
                )
            new = dataclasses.replace(self.connection, consumer_key=UNKNOWN, consumer_secret=UNKNOWN)
            if not self.check_mode:
                new = self._with_new_pair(app)
                self.tools.log_in(new)
            self._store(new, old=app)

    def catch_up(self) -> None:
        """Take over the pair by which another credential has replaced this one, which ends in some days."""
        if self._renewed_elsewhere():
            self.renew()

    def _renewed_elsewhere(self) -> str | None:
        """Return the name of the app whose pair another credential has replaced; None where this one has the newest."""
        left = (one.rotation for one in self._alike() if _left_by(one) == self.connection.consumer_key)
        return next((journal.app for journal in left if journal), None)

    def close(self, app: str) -> None:
        """End the old pair."""
        self.tools.secrets().end_old(app, self.connection.consumer_key or "")

    def _with_new_pair(self, app: str) -> Connection:
        """Return the connection with a new pair, which the org makes."""
        begun = self.begun is not None

        def begin() -> None:
            if not self.begun:
                self.write_journal(Journal(method=self.method, step=REQUESTING, username="", started=now(), app=app))

        key = self.connection.consumer_key or ""
        pair = self.tools.secrets().renew(app, key, staged_by_us=begun, begin=begin)
        return dataclasses.replace(self.connection, consumer_key=pair.key, consumer_secret=pair.secret)


def _key_of(credential: Credential) -> tuple[str | None, str | None]:
    return credential.connection.consumer_key, credential.connection.private_key


def _left_by(credential: Credential) -> str | None:
    """Return the consumer key that a credential had before its last rotation, until that is ended."""
    journal = credential.rotation
    return journal.consumer_key if journal and journal.step == STORED else None
