# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests can ask of the simulated org: one function for each command of the control interface."""

from __future__ import annotations

import dataclasses
import datetime
import typing
from collections.abc import Callable, Iterable
from typing import Any, cast

from . import app_clients, clock, ids, mail, oauth, passwords, seed
from .addresses import IpRange, parse_range, text
from .apps import App, ExternalClientApp
from .faults import Fault, Faults, Hook
from .journal import Journal
from .postman import Postman
from .seed import ranges as _ranges
from .state import Mail, Org, PermissionSet, Profile, State, User

Range = str | dict[str, str | None]


class Commands:
    """Every public method is a command; arguments and results are plain JSON values."""

    def __init__(self, state: State, faults: Faults, journal: Journal, postman: Postman) -> None:
        self._state = state
        self._faults = faults
        self._journal = journal
        self._postman = postman

    def run(self, name: str, arguments: dict[str, Any]) -> Any:
        command = self._find(name)
        with self._state.lock:
            return command(**arguments)

    def _find(self, name: str) -> Callable[..., Any]:
        command = getattr(self, name, None)
        if name.startswith("_") or name in ("run", "run_hook") or not callable(command):
            raise LookupError(f"no command {name!r}")
        return cast(Callable[..., Any], command)

    def run_hook(self, hook: Hook) -> None:
        for command in hook.commands:
            arguments = dict(command)
            self.run(arguments.pop("command"), arguments)

    # -- orgs, profiles, users ---------------------------------------------------------------------------------------

    def add_org(self, name: str, **fields: Any) -> dict[str, Any]:
        """Fields as in a seed."""
        return _show_org(seed.add_org(self._state, name, **fields))

    def set_org(self, org: str | None = None, **fields: Any) -> dict[str, Any]:
        """Fields, settings and switches of an org, without any audit row."""
        found = self._state.org(org)
        seed.configure_org(found, **fields)
        return _show_org(found)

    def set_switches(self, org: str | None = None, **switches: Any) -> None:
        found = self._state.org(org)
        found.switches = found.switches.changed(switches)

    def org(self, org: str | None = None) -> dict[str, Any]:
        return _show_org(self._state.org(org))

    def orgs(self) -> list[str]:
        return [org.name for org in self._state.orgs.values()]

    def set_profile(self, name: str, org: str | None = None, **fields: Any) -> dict[str, Any]:
        return _show_profile(seed.set_profile(self._state, self._state.org(org), name, **fields))

    def add_user(self, username: str, password: str, org: str | None = None, **fields: Any) -> dict[str, Any]:
        return _show_user(self._state, seed.add_user(self._state, self._state.org(org), username, password, **fields))

    def set_user(self, username: str, **fields: Any) -> dict[str, Any]:
        user = self._state.user(username)
        seed.set_user(self._state, user, **fields)
        return _show_user(self._state, user)

    def user(self, username: str) -> dict[str, Any]:
        return _show_user(self._state, self._state.user(username))

    def add_app(self, consumer_key: str, org: str | None = None, **fields: Any) -> dict[str, Any]:
        """A connected app, with the certificate that was uploaded to it."""
        app = self._state.add_app(self._state.org(org), consumer_key)
        seed.set_app(app, **fields)
        return _show_app(app)

    def set_app(self, consumer_key: str, **fields: Any) -> dict[str, Any]:
        app = self._state.app(consumer_key)
        seed.set_app(app, **fields)
        return _show_app(app)

    def external_client_apps(self, org: str | None = None) -> dict[str, Any]:
        """All External Client Apps of an org, by name."""
        return {name: _show_external(app) for name, app in self._state.org(org).external_client_apps.items()}

    def external_client_app(self, name: str, org: str | None = None) -> dict[str, Any]:
        """The components of an app by type, and its key and secret."""
        found = self.external_client_apps(org)
        if name not in found:
            raise LookupError(f"no External Client App {name!r}")
        return cast(dict[str, Any], found[name])

    def add_external_client_app(self, name: str, org: str | None = None, **fields: Any) -> dict[str, Any]:
        """An app as somebody makes it on the pages of Setup: fields as in a seed."""
        found = self._state.org(org)
        return _show_external(seed.add_external_client_app(self._state, found, name, **fields))

    def set_external_client_app_settings(self, org: str | None = None, **settings: bool) -> dict[str, str]:
        """The settings of all External Client Apps, such as `enableClientSecretInRestApiAccess`."""
        return seed.set_external_client_app_settings(self._state.org(org), settings)

    def set_permission_set(self, name: str, org: str | None = None, **fields: Any) -> dict[str, Any]:
        """Add or change a permission set: label, description, permissions, and the users it is `assigned` to."""
        found = self._state.org(org)
        return _show_permission_set(found, seed.set_permission_set(self._state, found, name, **fields))

    def permission_set(self, name: str, org: str | None = None) -> dict[str, Any]:
        found = self._state.org(org)
        one = found.grants.find(name)
        if one is None:
            raise LookupError(f"no permission set {name!r}")
        return _show_permission_set(found, one)

    def permission_sets(self, org: str | None = None) -> list[str]:
        return [one.name for one in self._state.org(org).grants.sets.values()]

    def grant_refresh_token(self, consumer_key: str, username: str) -> str:
        """A refresh token, as the web server flow gives one to an app that a user has agreed to."""
        app = app_clients.find(self._state, consumer_key) or self._state.app(consumer_key)
        return oauth.grant_refresh_token(app, self._state.user(username).username)

    def unlock(self, username: str) -> None:
        user = self._state.user(username)
        user.locked_until, user.failed_attempts = None, 0

    def reset_token(self, username: str) -> str:
        """What *Reset My Security Token* does: a new token, and a mail that brings it."""
        user = self._state.user(username)
        return passwords.reset_token(self._state, self._state.orgs[user.org_id], user)

    def mails(self) -> list[dict[str, str]]:
        return [{**dataclasses.asdict(mail), "sent": clock.stamp(mail.sent)} for mail in self._state.mails]

    def set_mail(self, org: str | None = None, **settings: Any) -> dict[str, Any]:
        """How mails are delivered and look, of one org or of all: settings as in mail.MailSettings."""
        found = self._state.org(org) if org else None
        return dataclasses.asdict(self._postman.set(found, settings))

    def send_token_mail(self, username: str, token: str | None = None, **settings: Any) -> str:
        """A mail as the org sends it, but with any token (an invented one if none is given), which it gives back."""
        org, letter = self._letter(username, token)
        changed = self._postman.settings(org).changed(settings)
        self._postman.post(changed, letter.to, mail.compose(org, letter, changed, self._postman.number()))
        return letter.token

    def send_forged(self, username: str, kind: str = "right_sender", token: str | None = None, **settings: Any) -> str:
        """A look-alike of a token mail that somebody else sends to the user: kinds as in mail.Forgery."""
        org, letter = self._letter(username, token)
        changed, forgery = self._postman.settings(org).changed(settings), typing.cast(mail.Forgery, kind)
        self._postman.post(changed, letter.to, mail.forge(org, letter, forgery, changed, self._postman.number()))
        return letter.token

    def mail_queue(self) -> dict[str, Any]:
        """How many mails are `waiting` and `delivered`, and the `failures`."""
        return self._postman.report()

    # -- ranges ------------------------------------------------------------------------------------------------------

    def set_trusted_ranges(self, ranges: Iterable[Range], org: str | None = None, by: str | None = None) -> None:
        """Replace the list as an administrator would, audit rows included."""
        self._state.set_trusted_ranges(self._state.org(org), _ranges(ranges), self._author(by))

    def add_trusted_range(self, range: Range, org: str | None = None, by: str | None = None) -> None:
        found = self._state.org(org)
        self._state.set_trusted_ranges(found, (*found.trusted_ranges, parse_range(range)), self._author(by))

    def remove_trusted_range(self, range: Range, org: str | None = None, by: str | None = None) -> None:
        found = self._state.org(org)
        self._state.set_trusted_ranges(found, _without(found.trusted_ranges, range), self._author(by))

    def set_login_ip_ranges(
        self, profile: str, ranges: Iterable[Range], org: str | None = None, by: str | None = None
    ) -> None:
        found, target = self._profile(org, profile)
        self._state.set_login_ip_ranges(found, target, _ranges(ranges), self._author(by))

    def add_login_ip_range(self, profile: str, range: Range, org: str | None = None, by: str | None = None) -> None:
        found, target = self._profile(org, profile)
        kept = (*target.login_ip_ranges, parse_range(range))
        self._state.set_login_ip_ranges(found, target, kept, self._author(by))

    def remove_login_ip_range(self, profile: str, range: Range, org: str | None = None, by: str | None = None) -> None:
        """As Setup does it: here even the last range can go."""
        found, target = self._profile(org, profile)
        kept = _without(target.login_ip_ranges, range)
        self._state.set_login_ip_ranges(found, target, kept, self._author(by))

    # -- history and sessions ----------------------------------------------------------------------------------------

    def login_history(self, org: str | None = None) -> list[dict[str, Any]]:
        rows = self._state.org(org).login_history
        return [{**dataclasses.asdict(row), "login_time": clock.stamp(row.login_time)} for row in rows]

    def add_logins(self, rows: Iterable[dict[str, Any]]) -> int:
        """Rows of LoginHistory: `username`, `source_ip`, and `status`, `login_time`, `count` or other columns."""
        added = 0
        for row in rows:
            values = dict(row)
            user = self._state.user(values.pop("username"))
            if "login_time" in values:
                values["login_time"] = clock.parse(values["login_time"])
            count, status = values.pop("count", 1), values.pop("status", "Success")
            source_ip = values.pop("source_ip")
            for _unused in range(count):
                self._state.record_login(user, source_ip, status, **values)
            added += count
        return added

    def audit_trail(self, org: str | None = None) -> list[dict[str, Any]]:
        rows = self._state.org(org).audit_trail
        return [{**dataclasses.asdict(row), "created_date": clock.stamp(row.created_date)} for row in rows]

    def add_audit(
        self, action: str, display: str, section: str = "", org: str | None = None, by: str | None = None
    ) -> None:
        self._state.audit(self._state.org(org), self._author(by), action, section, display)

    def sessions(self) -> list[dict[str, Any]]:
        return [
            {
                "org": self._state.orgs[session.org_id].name,
                "username": self._state.orgs[session.org_id].users[session.user_id].username,
                "peer": session.peer,
                "created": clock.stamp(session.created),
                "last_used": clock.stamp(session.last_used),
                "restricted": session.restricted,
            }
            for session in self._state.sessions.values()
        ]

    def end_sessions(self, username: str | None = None) -> int:
        """End all sessions, or all of one user."""
        user = self._state.user(username) if username else None
        ended = [key for key, one in self._state.sessions.items() if user is None or one.user_id == user.id]
        for key in ended:
            del self._state.sessions[key]
        return len(ended)

    # -- clock, faults, log ------------------------------------------------------------------------------------------

    def now(self) -> str:
        return self._state.clock.now().isoformat()

    def advance(self, seconds: float) -> str:
        return self._state.clock.advance(seconds).isoformat()

    def set_clock(self, now: str | None = None, frozen: bool | None = None) -> str:
        if frozen is not None:
            self._state.clock.freeze(frozen)
        if now is not None:
            self._state.clock.set(clock.parse(now))
        return self.now()

    def inject(self, kind: Any, **fields: Any) -> None:
        """A fault for the next requests; fields as in faults.Fault."""
        self._faults.add_fault(Fault(kind, **fields))

    def hook(self, operation: str, commands: list[dict[str, Any]], **fields: Any) -> None:
        """Commands around the next requests; each is a mapping with `command` and its arguments."""
        for command in commands:
            self._find(command["command"])
        self._faults.add_hook(Hook(operation, commands, **fields))

    def pending(self) -> dict[str, Any]:
        return self._faults.pending()

    def clear_faults(self) -> None:
        self._faults.clear()

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        return self._journal.entries(operation)

    def counts(self) -> dict[str, int]:
        return self._journal.counts()

    def clear_requests(self) -> None:
        self._journal.clear()

    def reset(self, seed_data: dict[str, Any] | None = None) -> None:
        """Forget everything, clock included, and start from another seed (the default one if none is given)."""
        self._state.clear()
        self._state.clock.reset()
        self._faults.clear()
        self._journal.clear()
        self._postman.reset()
        seed.plant(self._state, seed_data or seed.DEFAULT_SEED)

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _author(self, username: str | None) -> str | None:
        return self._state.user(username).id if username else None

    def _letter(self, username: str, token: str | None) -> tuple[Org, Mail]:
        user = self._state.user(username)
        now = self._state.clock.now()
        return self._state.orgs[user.org_id], mail.token_mail(user.username, token or ids.token(), user.email, now)

    def _profile(self, org: str | None, name: str) -> tuple[Org, Profile]:
        found = self._state.org(org)
        profile = found.profile(name)
        if profile is None:
            raise LookupError(f"no profile {name!r}")
        return found, profile


def _without(held: tuple[IpRange, ...], unwanted: Range) -> tuple[IpRange, ...]:
    bounds = parse_range(unwanted).bounds
    return tuple(one for one in held if one.bounds != bounds)


def _show_range(one: IpRange) -> dict[str, str | None]:
    return {"start": text(one.first), "end": text(one.last), "description": one.description}


def _show_profile(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "name": profile.name,
        "label": profile.label,
        "custom": profile.custom,
        "permissions": sorted(profile.permissions),
        "login_ip_ranges": [_show_range(one) for one in profile.login_ip_ranges],
        "login_hours": profile.login_hours,
    }


def _show_org(org: Org) -> dict[str, Any]:
    return {
        "id": org.id,
        "name": org.name,
        "sandbox": org.sandbox,
        "instance_url": org.instance_url,
        "soap_login_enabled": org.soap_login_enabled,
        "username_password_flow_enabled": org.username_password_flow_enabled,
        "own_host_only": org.own_host_only,
        "api_enabled": org.api_enabled,
        "locked": org.locked,
        "switches": dataclasses.asdict(org.switches),
        "trusted_ranges": [_show_range(one) for one in org.trusted_ranges],
        "password_policies": dict(org.password_policies),
        "session_settings": dict(org.session_settings),
        "security_flags": dict(org.security_flags),
        "profiles": [_show_profile(one) for one in org.profiles.values()],
        "users": [one.username for one in org.users.values()],
    }


def _show_app(app: App) -> dict[str, Any]:
    shown = {key: sorted(value) if isinstance(value, set) else value for key, value in vars(app).items()}
    return {**shown, "refresh_tokens": sorted(app.refresh_tokens)}


def _show_external(app: ExternalClientApp) -> dict[str, Any]:
    consumer = app.consumer
    return {
        "components": {kind: {"fullName": part.name, **part.values} for kind, part in app.parts.items()},
        "consumer_key": consumer.key if consumer else None,
        "consumer_secret": consumer.secret if consumer else None,
        "staged": consumer.staged.state if consumer and consumer.staged else None,
    }


def _show_permission_set(org: Org, one: PermissionSet) -> dict[str, Any]:
    users = [user_id for set_id, user_id in org.grants.assignments.values() if set_id == one.id]
    return {
        **vars(one),
        "permissions": sorted(one.permissions),
        "assigned": [org.users[user].username for user in users],
    }


def _show_user(state: State, user: User) -> dict[str, Any]:
    now = state.clock.now()
    locked_until = user.locked_until
    forever = locked_until is not None and locked_until.year == datetime.MAXYEAR
    return {
        "id": user.id,
        "username": user.username,
        "org": state.orgs[user.org_id].name,
        "profile": state.orgs[user.org_id].profiles[user.profile_id].label,
        "permissions": sorted(user.permissions),
        "email": user.email,
        "password": user.password,
        "security_token": user.security_token,
        "active": user.active,
        "frozen": user.frozen,
        "password_expired": user.password_expired,
        "failed_attempts": user.failed_attempts,
        "locked": locked_until is not None and now < locked_until,
        "locked_until": None if locked_until is None or forever else clock.stamp(locked_until),
    }
