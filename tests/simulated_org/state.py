# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated orgs hold: plain records, and the registry that finds them.

Every change is made under `State.lock`; rows of history are immutable, so that readers may work on a copied list.
"""

from __future__ import annotations

import datetime
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from . import ids, settings
from .addresses import IpRange, text
from .apps import App, ExternalClientApp
from .clock import Clock
from .switches import Switches

ADMIN_PERMISSIONS = frozenset(
    {
        "ApiEnabled",
        "AssignPermissionSets",
        "CustomizeApplication",
        "ManageIpAddresses",
        "ManagePasswordPolicies",
        "ManageProfilesPermissionsets",
        "ManageUsers",
        "ModifyAllData",
        "ModifyMetadata",
        "MonitorLoginHistory",
        "ResetPasswords",
        "UseAnyApiAuth",
        "ViewSetup",
        "ViewSetupAuditTrail",
    }
)
STANDARD_PERMISSIONS = frozenset({"ApiEnabled", "UseAnyApiAuth"})
QUERY_CURSORS_KEPT = 50
# Action and text of a range that is deleted, and of one that is added.
TRUSTED_RANGE_ROWS = {
    "createIpWhiteList": (("deleteIpWhiteList", "Deleted Ip WhiteList"), ("createIpWhiteList", "Created Ip WhiteList")),
    "addresses": (
        ("deletedTrustedIpRange", "Deleted Trusted IP Range"),
        ("addedTrustedIpRange", "Added Trusted IP Range"),
    ),
}


@dataclass
class Profile:
    """A profile; its label is what people see, its name what the Metadata API uses."""

    id: str
    name: str
    label: str
    permissions: set[str]
    custom: bool = False
    user_license: str = "Salesforce"
    description: str | None = None
    login_ip_ranges: tuple[IpRange, ...] = ()
    # Weekday (0 is Monday) to allowed minutes of the day, in the org's time zone; None: no restriction at all.
    login_hours: dict[int, tuple[int, int]] | None = None


@dataclass
class User:
    """A user; user names are global, as at the login host."""

    id: str
    org_id: str
    username: str
    password: str
    profile_id: str
    security_token: str | None = None
    email: str = ""
    first_name: str = ""
    last_name: str = "User"
    permissions: set[str] = field(default_factory=set)
    active: bool = True
    frozen: bool = False
    totp: str | None = None
    token_was_reset: bool = True
    password_expired: bool = False
    password_changed: datetime.datetime = datetime.datetime.min
    created: datetime.datetime = datetime.datetime.min
    last_login: datetime.datetime | None = None
    old_passwords: list[str] = field(default_factory=list)
    failed_attempts: int = 0
    # None: not locked; datetime.max: until an administrator unlocks.
    locked_until: datetime.datetime | None = None
    recent_logins: deque[datetime.datetime] = field(default_factory=deque)
    rate_blocked_until: datetime.datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass
class Session:
    """A session: sliding idle expiry, bound to an org and a user."""

    id: str
    org_id: str
    user_id: str
    peer: str
    created: datetime.datetime
    last_used: datetime.datetime
    # A session of an expired password can only set the password.
    restricted: bool = False
    # Whether it may be bridged to pages, and was.
    web: bool = True
    bridged: bool = False
    # Whether an app logged in, rather than SOAP; whether its id is a JWT.
    by_app: bool = False
    jwt: bool = False
    # What the forms of its pages carry against forgery.
    confirmation: str = field(default_factory=secrets.token_urlsafe)


@dataclass
class PermissionSet:
    """A permission set; its API name is unique within the org."""

    id: str
    name: str
    label: str
    description: str | None = None
    license: str | None = None
    permissions: set[str] = field(default_factory=set)


@dataclass
class Grants:
    """Permission sets by id, and by their own ids who they are assigned to and which apps they open.

    An assignment is the pair of a permission set's id and a user's; an access, of a permission set's and an app's.
    """

    sets: dict[str, PermissionSet] = field(default_factory=dict)
    assignments: dict[str, tuple[str, str]] = field(default_factory=dict)
    accesses: dict[str, tuple[str, str]] = field(default_factory=dict)

    def find(self, name: str) -> PermissionSet | None:
        """A permission set by its API name, whose case does not matter."""
        return next((one for one in self.sets.values() if one.name.lower() == name.lower()), None)

    def copy(self) -> Grants:
        sets = {one.id: replace(one, permissions=set(one.permissions)) for one in self.sets.values()}
        return Grants(sets, dict(self.assignments), dict(self.accesses))

    def of(self, user_id: str) -> list[PermissionSet]:
        assigned = [set_id for set_id, assignee in self.assignments.values() if assignee == user_id]
        return [self.sets[set_id] for set_id in assigned if set_id in self.sets]


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One row of LoginHistory."""

    id: str
    user_id: str
    login_time: datetime.datetime
    source_ip: str
    status: str
    login_type: str = "OtherApi"
    api_type: str | None = "SOAP Partner"
    api_version: str | None = "64.0"
    application: str = "N/A"
    client_version: str = "N/A"
    login_url: str = "login.salesforce.com"
    login_sub_type: str | None = "SoapApiLogin"
    is_post: bool = True


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of SetupAuditTrail."""

    id: str
    action: str
    section: str
    display: str
    created_by_id: str
    created_date: datetime.datetime


@dataclass
class Mail:
    """A mail that the org would have sent."""

    to: str
    subject: str
    body: str
    sent: datetime.datetime
    username: str = ""
    token: str = ""


@dataclass
class Org:
    """One org."""

    id: str
    name: str
    automated_user_id: str
    sandbox: bool = False
    organization_type: str = "Enterprise Edition"
    instance_url: str | None = None
    metadata_url: str | None = None
    locked: bool = False
    api_enabled: bool = True
    soap_login_enabled: bool = True
    # *Allow OAuth Username-Password Flows*: off in new orgs since Summer '23.
    username_password_flow_enabled: bool = True
    # Whether the org has opted in to External Client Apps.
    external_client_apps_enabled: bool = True
    # The hosts, with their ports, at which its users are known; none: all. A sandbox is not at login.salesforce.com.
    hosts: tuple[str, ...] = ()
    # What an assertion may name as its audience, where that is not the login host or the org's own.
    audiences: tuple[str, ...] = ()
    # SOAP login only through the org's own host, not through the login hosts (a My Domain setting).
    own_host_only: bool = False
    switches: Switches = field(default_factory=Switches)
    trusted_ranges: tuple[IpRange, ...] = ()
    security_flags: dict[str, str] = field(default_factory=lambda: dict(settings.DEFAULT_FLAGS))
    password_policies: dict[str, str] = field(default_factory=lambda: dict(settings.DEFAULT_PASSWORD_POLICIES))
    session_settings: dict[str, str] = field(default_factory=lambda: dict(settings.DEFAULT_SESSION_SETTINGS))
    profiles: dict[str, Profile] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    grants: Grants = field(default_factory=Grants)
    external_client_app_settings: dict[str, str] = field(
        default_factory=lambda: dict(settings.DEFAULT_EXTERNAL_CLIENT_APP_SETTINGS)
    )
    # By name.
    external_client_apps: dict[str, ExternalClientApp] = field(default_factory=dict)
    # Names and consumer keys of apps that were deleted.
    deleted_apps: set[str] = field(default_factory=set)
    deploys: dict[str, Any] = field(default_factory=dict)
    retrieves: dict[str, Any] = field(default_factory=dict)
    login_history: list[LoginRow] = field(default_factory=list)
    audit_trail: list[AuditRow] = field(default_factory=list)
    # Query locators: the rows still to be served, already rendered.
    cursors: OrderedDict[str, list[dict[str, Any]]] = field(default_factory=OrderedDict)

    def profile(self, name: str) -> Profile | None:
        """A profile by label, metadata name or id."""
        matches = (one for one in self.profiles.values() if name in (one.label, one.name, one.id, one.id[:15]))
        return next(matches, None)

    def user(self, user_id: str) -> User | None:
        return self.users.get(ids.long_id(user_id)) if len(user_id) in (15, 18) else None

    def permissions(self, user: User) -> set[str]:
        assigned = (one.permissions for one in self.grants.of(user.id))
        return self.profiles[user.profile_id].permissions.union(user.permissions, *assigned)

    @property
    def session_timeout(self) -> datetime.timedelta:
        return datetime.timedelta(minutes=settings.TIMEOUT_MINUTES[self.session_settings["sessionTimeout"]])


class State:
    """All orgs, with the indices by which requests find them."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.lock = threading.RLock()
        self.clock = clock or Clock()
        self.ids = ids.IdFactory()
        self.orgs: dict[str, Org] = {}
        self.usernames: dict[str, User] = {}
        # By consumer key, which is global as user names are.
        self.apps: dict[str, App] = {}
        self.sessions: dict[str, Session] = {}
        # Deployments whose time has not come.
        self.pending_deploys: list[Any] = []
        self.mails: list[Mail] = []
        # Where mails go beside that list.
        self.deliver: Callable[[Org, Mail], None] = lambda org, mail: None

    def clear(self) -> None:
        with self.lock:
            self.orgs.clear()
            self.usernames.clear()
            self.apps.clear()
            self.sessions.clear()
            self.pending_deploys.clear()
            self.mails.clear()

    def add_org(self, name: str, **fields: Any) -> Org:
        """A new org with the two standard profiles."""
        with self.lock:
            if any(org.name == name for org in self.orgs.values()):
                raise ValueError(f"there is an org {name!r} already")
            org = Org(self.ids.new(ids.ORGANIZATION), name, self.ids.new(ids.USER), **fields)
            self.orgs[org.id] = org
            self.add_profile(org, "Admin", "System Administrator", ADMIN_PERMISSIONS)
            self.add_profile(org, "Standard", "Standard User", STANDARD_PERMISSIONS)
            return org

    def org(self, name: str | None = None) -> Org:
        """An org by name or id; without either, the first one."""
        for org in self.orgs.values():
            if name is None or name in (org.name, org.id, org.id[:15]):
                return org
        raise LookupError(f"no org {name or ''}".strip())

    def add_profile(
        self, org: Org, name: str, label: str | None = None, permissions: frozenset[str] = frozenset(), **fields: Any
    ) -> Profile:
        with self.lock:
            if org.profile(name):
                raise ValueError(f"there is a profile {name!r} already")
            profile = Profile(self.ids.new(ids.PROFILE), name, label or name, set(permissions), **fields)
            org.profiles[profile.id] = profile
            return profile

    def add_user(self, org: Org, username: str, password: str, *, profile: str = "Admin", **fields: Any) -> User:
        with self.lock:
            if username.lower() in self.usernames:
                raise ValueError(f"there is a user {username!r} already")
            found = org.profile(profile)
            if found is None:
                raise LookupError(f"no profile {profile!r}")
            now = self.clock.now()
            fields = {"email": username, "password_changed": now, "created": now, **fields}
            user = User(self.ids.new(ids.USER), org.id, username, password, found.id, **fields)
            org.users[user.id] = user
            self.usernames[username.lower()] = user
            return user

    def user(self, username: str) -> User:
        try:
            return self.usernames[username.lower()]
        except KeyError:
            raise LookupError(f"no user {username!r}") from None

    def user_at(self, host: str, username: str) -> User | None:
        """A user of an org that is to be reached at this host."""
        user = self.usernames.get(username.strip().lower())
        hosts = self.orgs[user.org_id].hosts if user else ()
        return None if hosts and host not in hosts else user

    def add_app(self, org: Org, consumer_key: str, **fields: Any) -> App:
        with self.lock:
            if consumer_key in self.apps:
                raise ValueError(f"there is an app {consumer_key!r} already")
            app = self.apps[consumer_key] = App(consumer_key, org.id, fields.pop("name", "Simulated App"), **fields)
            return app

    def app(self, consumer_key: str) -> App:
        try:
            return self.apps[consumer_key]
        except KeyError:
            raise LookupError(f"no app {consumer_key!r}") from None

    def send(self, org: Org, mail: Mail) -> None:
        with self.lock:
            self.mails.append(mail)
            self.deliver(org, mail)

    def open_session(
        self,
        user: User,
        peer: str,
        *,
        restricted: bool,
        web: bool = True,
        by_app: bool = False,
        jwt: bool = False,
    ) -> Session:
        """A new session, or the user's living one where the org shares them."""
        with self.lock:
            org, now = self.orgs[user.org_id], self.clock.now()
            user.last_login = now
            if org.switches.share_sessions:
                for session in self.sessions.values():
                    held = (session.user_id, session.restricted, session.web, session.by_app, session.jwt)
                    if held == (user.id, restricted, web, by_app, jwt) and self.alive(session):
                        session.last_used = now
                        return session
            session_id = ids.jwt_session_id(org.id, user.id) if jwt else ids.session_id(org.id)
            session = Session(session_id, org.id, user.id, peer, now, now, restricted, web, by_app=by_app, jwt=jwt)
            self.sessions[session.id] = session
            return session

    def alive(self, session: Session) -> bool:
        return self.clock.now() - session.last_used <= self.orgs[session.org_id].session_timeout

    def record_login(self, user: User, source_ip: str, status: str, **fields: Any) -> LoginRow:
        with self.lock:
            when = fields.pop("login_time", None) or self.clock.now()
            row = LoginRow(self.ids.new(ids.LOGIN_HISTORY), user.id, when, source_ip, status, **fields)
            self.orgs[user.org_id].login_history.append(row)
            return row

    def audit(self, org: Org, user_id: str | None, action: str, section: str, display: str) -> None:
        with self.lock:
            org.audit_trail.append(
                AuditRow(
                    self.ids.new(ids.SETUP_AUDIT_TRAIL),
                    action,
                    section,
                    display,
                    user_id or org.automated_user_id,
                    self.clock.now(),
                )
            )

    def set_trusted_ranges(self, org: Org, ranges: tuple[IpRange, ...], user_id: str | None = None) -> None:
        """Replace the org's ranges, with audit rows for what changed.

        Of trusted ranges only the action `createIpWhiteList` is REPORTED, and that its text has `Ip WhiteList`.
        """
        with self.lock:
            rows = _rows(org, org.trusted_ranges, ranges)
            org.trusted_ranges = ranges
            style = org.switches.trusted_range_audit
            if style == "no_addresses" and rows:
                self.audit(org, user_id, "changedNetworkAccess", "Network Access", "Changed Network Access")
            for added, bounds in rows if style in TRUSTED_RANGE_ROWS else ():
                action, words = TRUSTED_RANGE_ROWS[style][added]
                self.audit(org, user_id, action, "Network Access", f"{words} {bounds}")

    def set_login_ip_ranges(
        self, org: Org, profile: Profile, ranges: tuple[IpRange, ...], user_id: str | None = None
    ) -> None:
        """Replace a profile's ranges, with the audit rows that are REPORTED for it (`Deleted … to` as seen)."""
        with self.lock:
            rows = _rows(org, profile.login_ip_ranges, ranges)
            profile.login_ip_ranges = ranges
            for added, bounds in rows:
                action = "loginIpRange" if added else "deletedLoginIpRange_withProfile"
                display = f"{'Added' if added else 'Deleted'} Login Ip Range to {profile.label} {bounds}"
                self.audit(org, user_id, action, "Manage Users", display)


def _rows(org: Org, old: tuple[IpRange, ...], new: tuple[IpRange, ...]) -> list[tuple[bool, str]]:
    """What the audit trail tells of a list that is replaced: whether it was added, and from where to where it goes."""
    if org.switches.replaced_list_audit == "all":
        return [*((False, _words(one)) for one in old), *((True, _words(one)) for one in new)]
    before, after = {one.bounds: one for one in old}, {one.bounds: one for one in new}
    added = [(True, _words(one)) for bounds, one in after.items() if bounds not in before]
    return added + [(False, _words(one)) for bounds, one in before.items() if bounds not in after]


def _words(one: IpRange) -> str:
    return f"from {text(one.first)} to {text(one.last)}"
