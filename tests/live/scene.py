# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What questions share: an administrator's session, a user of this suite's own, and the owner's consent."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol, TypeVar
from xml.sax.saxutils import escape

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.files import replace_file
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import Secrets
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import Session
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import literal

from . import undo
from .calls import API_VERSION, Caller, Refusal, children, leaves
from .journal import Journal
from .packages import Deployed, Part, deploy
from .undo import MARK, PREFIX

T = TypeVar("T")
KINDS: Mapping[str, str] = {
    "user": "create one user, profiles and permission sets; all but the user are deleted, the user becomes inactive",
    "login": "log in as that user, also wrongly, but half as often at most as locks a user",
    "password": "set and change the password of that user",
    "token": "reset the security token of that user, and read what comes to its mail address",
    "ranges": "add trusted IP ranges of documentation addresses, and remove them",
    "app": "create External Client Apps, and delete them",
    "secret": "let consumer secrets be read by REST for a while, by a setting of the org",
}
DOCUMENTATION = ("192.0.2.0", "192.0.2.255")
LOCKED_AFTER = {"ThreeAttempts": 3, "FiveAttempts": 5, "TenAttempts": 10, "NoLimit": 10}
# Refusals by which no password was looked at, as there is no such call.
NO_LOGIN = ("INVALID_OPERATION", "UNSUPPORTED_API_VERSION")
HISTORY_LOOKS = 15  # at LoginHistory or the audit trail, a few seconds apart, until a row has come
HISTORY_SECONDS = 4.0
DAY = 86400.0  # seconds
BY_APP = ("Remote Access 2.0", "Oauth2")  # LoginType, as label or value
USER_FIELDS = {
    "FirstName": "Gatehouse",
    "LastName": MARK,
    "Alias": "gtlive",
    "TimeZoneSidKey": "GMT",
    "LocaleSidKey": "en_US",
    "EmailEncodingKey": "UTF-8",
    "LanguageLocaleKey": "en_US",
}


class Unanswered(Exception):
    """A question that this org, or this run, does not answer; the text is the reason."""


class Accepted(Unanswered):
    """A login that was to be refused was not."""


class Owner(Protocol):
    """The person that runs this."""

    def allows(self, kind: str) -> bool:
        """Whether a kind of change may be made."""

    def answer(self, question: str, *, secret: bool = False) -> str | None:
        """What is answered to a question; None where nobody is there."""


def once(observe: Callable[[Scene], T]) -> Callable[[Scene], T]:
    """Make a function of the scene that runs once in it; later calls get its result, or its error."""

    @wraps(observe)
    def look(scene: Scene) -> T:
        if observe not in scene.seen:
            try:
                scene.seen[observe] = (observe(scene), None)
            except (Unanswered, Refusal, GatehouseError, undo.UndoError) as exc:
                scene.seen[observe] = (None, exc)
        found, error = scene.seen[observe]
        if error is not None:
            raise error
        return found  # type: ignore[no-any-return]

    return look


class Attempts:
    """The books of wrong logins: none is sent twice, and half as many as lock a user are the most in a row.

    Args:
        in_a_row: how many were refused in earlier runs, since one was accepted.
    """

    def __init__(self, locked_after: int, in_a_row: int = 0) -> None:
        self.most = locked_after // 2
        self.in_a_row = in_a_row
        self._refused: set[str] = set()

    def check(self, *login: str) -> str:
        """Return the mark of a login that may be sent; raises Unanswered."""
        mark = hashlib.sha256(repr(login).encode()).hexdigest()
        if mark in self._refused:
            raise Unanswered("its login was refused before in this run, and is not sent twice")
        if self.in_a_row >= self.most:
            raise Unanswered(f"{self.in_a_row} logins in a row were refused, half as many as lock a user of this org")
        return mark

    def count(self, mark: str, *, refused: bool) -> None:
        """Enter the outcome of a login."""
        if refused:
            self.in_a_row += 1
            self._refused.add(mark)
        else:
            self.in_a_row = 0


class Scene:
    """One run in one org."""

    def __init__(
        self,
        admin: Caller,
        journal: Journal,
        owner: Owner,
        *,
        org_id: str,
        wait: Callable[[float], object],
        mail: str = "nobody@example.com",
    ) -> None:
        """Enter with an administrator's session.

        Args:
            wait: sleeps for so many seconds.
            mail: the address of the suite's own user.
        """
        self.admin, self.journal, self.owner, self.wait, self.mail = admin, journal, owner, wait, mail
        self.username = undo.username_of(org_id)
        self.seen: dict[Any, Any] = {}
        self.run = secrets.token_hex(3)
        self._count = 0
        self.secrets = Secrets([admin.token, *admin.connection.secret_texts])
        self.profile = ""  # of the own user, at present
        self.user_is_new = False

    # -- consent and names ---------------------------------------------------------------------------------------------

    def require(self, kind: str) -> None:
        """Raise Unanswered unless the owner allows a kind of change."""
        if not self.owner.allows(kind):
            raise Unanswered(f"the owner does not allow to {KINDS[kind]}")

    def ask(self, question: str, *, secret: bool = False) -> str:
        """Return what the owner answers; raises Unanswered."""
        answer = self.owner.answer(question, secret=secret)
        if not answer:
            raise Unanswered(f"only its owner can look: {question}")
        if secret:
            self.secrets.add(answer.strip())
        return answer.strip()

    def asks_yes(self, question: str) -> bool:
        """Return whether the owner says yes; raises Unanswered for neither yes nor no."""
        answer = self.ask(f"{question} (yes or no)").lower()
        if answer not in ("y", "yes", "n", "no"):
            raise Unanswered(f"the owner did not say yes or no: {question}")
        return answer.startswith("y")

    def new_name(self) -> str:
        """Return a name that no run has used, as names of deleted things may not be free."""
        self._count += 1
        return f"{PREFIX}_{self.run}_{self._count:02d}"

    # -- the own user --------------------------------------------------------------------------------------------------

    @property
    def user_id(self) -> str:
        """The id of the own user, which is created when it is first needed."""
        self.require("user")
        return _own_user(self)

    @property
    def attempts(self) -> Attempts:
        """The books of its wrong logins."""
        return _attempts(self)

    def new_profile(self, *, ranges: Sequence[tuple[str, str]] = (), hours: Mapping[str, int] | None = None) -> str:
        """Create a profile that may use the API, with these login ranges or hours, and return its name."""
        self.require("user")
        name = self.new_name()
        self.journal.begin("profile", name)
        times = "".join(f"<{bound}>{minute}</{bound}>" for bound, minute in sorted((hours or {}).items()))
        body = (
            "<custom>true</custom>"
            + (f"<loginHours>{times}</loginHours>" if times else "")
            + "".join(login_range(*one) for one in ranges)
            + "<userLicense>Salesforce</userLicense>"
            + "<userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions>"
        )
        result = self.admin.write("create", "Profile", name, body)
        if not result:
            done = deploy(self.admin, self.wait, [Part("Profile", name, nested=body)])
            if not done:
                raise Unanswered(f"the org creates no profile: {result.problem}; {done.problem}")
        return name

    def profile_id(self, name: str) -> str:
        """Return the id of a profile by its metadata name."""
        found = [one["id"] for one in self.admin.list_components("Profile") if one.get("fullName") == name]
        if not found:
            raise Unanswered(f"the org does not list the profile {name} that it has just created")
        return found[0]

    @contextmanager
    def moved_to(self, profile: str) -> Iterator[None]:
        """Put the own user into another profile for a while."""
        _unused = self.user_id
        before = self.profile
        self._move(profile)
        try:
            yield
        finally:
            self._move(before)

    def _move(self, profile: str) -> None:
        self.admin.rest("PATCH", f"sobjects/User/{self.user_id}", {"ProfileId": self.profile_id(profile)})
        self.profile = profile

    def new_permission_set(self, *permissions: str, assign: bool = True) -> tuple[str, str]:
        """Create a permission set, give it to the own user, and return its name and id."""
        self.require("user")
        name = self.new_name()
        self.journal.begin("permission_set", name)
        granted = {f"Permissions{one}": True for one in permissions}
        fields = {"Name": name, "Label": name, "Description": MARK, **granted}
        try:
            set_id = self.admin.create("PermissionSet", **fields)
        except Refusal as exc:
            if "depends on" not in exc.text:
                raise
            set_id = self.admin.create("PermissionSet", **fields, PermissionsViewSetup=True)
        if assign:
            self.admin.create("PermissionSetAssignment", AssigneeId=self.user_id, PermissionSetId=set_id)
        return name, set_id

    @contextmanager
    def granted(self, *permissions: str) -> Iterator[None]:
        """Give the own user permissions for a while."""
        user_id = self.user_id
        name, set_id = self.new_permission_set(*permissions)
        try:
            yield
        finally:
            where = f"PermissionSetId = {literal(set_id)} AND AssigneeId = {literal(user_id)}"
            for row in self.admin.query(f"SELECT Id FROM PermissionSetAssignment WHERE {where}"):  # noqa: S608
                self.admin.rest("DELETE", f"sobjects/PermissionSetAssignment/{row['Id']}")

    def set_password(self) -> str:
        """Give the own user another password, as an administrator does, and return it."""
        self.require("password")
        password = new_password()
        self.secrets.add(password)
        self.admin.rest("POST", f"sobjects/User/{self.user_id}/password", {"NewPassword": password})
        return password

    def log_in(self, secret: str, *, version: str = API_VERSION, url: str = "") -> Caller:
        """Log in by SOAP as the own user, once; raises Refusal, or Unanswered where it must not be sent."""
        self.require("login")
        user_id = self.user_id
        at = Caller(self.connection(url or self.admin.connection.login_url))
        mark = self.attempts.check(at.url, version, secret, self.profile)
        content = f"<username>{escape(self.username)}</username><password>{escape(secret)}</password>"
        try:
            found = leaves(at.soap("u", "login", content, version=version))
        except Refusal as exc:
            if exc.code not in NO_LOGIN:
                self.attempts.count(mark, refused=True)
            raise
        self.attempts.count(mark, refused=False)
        self.secrets.add(found["sessionId"])
        session = Session(access_token=found["sessionId"], instance_url=self.admin.url, user_id=user_id)
        return Caller(at.connection, session)

    def connection(self, url: str) -> Connection:
        """Return how to reach a host, without anybody's credentials."""
        given = self.admin.connection
        return Connection(
            login_url=url,
            ca_path=given.ca_path,
            timeout=given.timeout,
            source_address=given.source_address,
            allowed_hosts=given.allowed_hosts,
        )

    def refused(self, secret: str, **options: Any) -> Refusal:
        """Return how a login is refused; raises Accepted for one that is not."""
        try:
            self.log_in(secret, **options)
        except Refusal as exc:
            return exc
        raise Accepted("the login was accepted, as the org trusts the address from which this runs")

    def status_after(self, act: Callable[[], object]) -> str:
        """Return the status of the row that an act leaves in the own user's LoginHistory; raises Unanswered without."""
        where = f"UserId = {literal(self.user_id)} ORDER BY LoginTime DESC LIMIT 50"
        soql = f"SELECT Id, Status FROM LoginHistory WHERE {where}"  # noqa: S608
        before = {row["Id"] for row in self.admin.query(soql)}
        act()
        for _unused in range(HISTORY_LOOKS):
            rows = [row for row in self.admin.query(soql) if row["Id"] not in before]
            if rows:
                return str(rows[0]["Status"])
            self.wait(HISTORY_SECONDS)
        raise Unanswered("the login history shows no row of that login")

    # -- trusted ranges and packages -----------------------------------------------------------------------------------

    def write_ranges(self, ranges: Sequence[tuple[str, str, str]]) -> str:
        """Replace the own trusted ranges (first, last, description); return what the org has against it, or nothing."""
        self.require("ranges")
        _note_ranges(self)
        return undo.write_own_ranges(self.admin, ranges)

    def read_ranges(self) -> list[dict[str, str]]:
        """Return the own trusted ranges as they are shown."""
        return [one for one in undo.read_ranges(self.admin) if undo.is_own(one)]

    @contextmanager
    def own_ranges(self, *ranges: tuple[str, str, str]) -> Iterator[list[dict[str, str]]]:
        """Have trusted ranges for a while; yields them as they are shown. Raises Unanswered where they are refused."""
        problem = self.write_ranges(ranges)
        if problem:
            raise Unanswered(f"the org refuses the ranges: {problem}")
        try:
            yield self.read_ranges()
        finally:
            self.write_ranges(())

    def deploy(self, *parts: Part, **options: Any) -> Deployed:
        """Deploy components of apps as the administrator."""
        self.require("app")
        return deploy(self.admin, self.wait, parts, **options)

    def now(self) -> float:
        """Return the time by the org's clock, and keep the administrator's session alive."""
        self.admin.rest("GET", "limits")
        return self.admin.date

    def audited(self, act: Callable[[], object], *, looks: int = HISTORY_LOOKS) -> list[dict[str, str]]:
        """Return the rows that an act leaves in the audit trail."""
        since = self.now() - 1
        before = {row["Id"] for row in self._audited_since(since)}
        act()
        for number in range(looks):
            if number:
                self.wait(HISTORY_SECONDS)
            rows = [row for row in self._audited_since(since) if row["Id"] not in before]
            if rows:
                return rows
        return []

    def _audited_since(self, moment: float) -> list[dict[str, str]]:
        soql = f"SELECT Id, Action, Display, CreatedById FROM SetupAuditTrail WHERE CreatedDate >= {_moment(moment)}"
        return list(self.admin.query(f"{soql} ORDER BY CreatedDate, Id"))


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_password() -> str:
    """Return a password that every policy of an org takes."""
    return f"{secrets.token_urlsafe(18)}aA1!"


def login_range(first: str, last: str) -> str:
    """Return a login range as XML."""
    return (
        f"<loginIpRanges><description>{PREFIX}</description><endAddress>{last}</endAddress>"
        f"<startAddress>{first}</startAddress></loginIpRanges>"
    )


@once
def _note_ranges(scene: Scene) -> int:
    """Save the list as it is, as it can only be written as a whole."""
    listed = json.dumps(undo.read_ranges(scene.admin), indent=2)
    replace_file(scene.journal.path.with_suffix(".trusted-ranges.json"), listed.encode())
    return scene.journal.begin("ranges", PREFIX)


@once
def _attempts(scene: Scene) -> Attempts:
    policies = children(scene.admin.read("SecuritySettings", "Security"), "passwordPolicies")
    locked_after = LOCKED_AFTER.get(policies[0].get("maxLoginAttempts", "") if policies else "", 3)
    return Attempts(locked_after, _refused_lately(scene))


def _refused_lately(scene: Scene) -> int:
    """Count the wrong logins of the last day, since one by password was accepted: earlier runs count, too."""
    where = f"UserId = {literal(scene.user_id)} AND LoginTime >= {_moment(scene.now() - DAY)}"
    soql = f"SELECT Status, LoginType FROM LoginHistory WHERE {where} ORDER BY LoginTime DESC LIMIT 200"  # noqa: S608
    rows = [row for row in scene.admin.query(soql) if row["LoginType"] not in BY_APP]
    return len(list(itertools.takewhile(lambda row: row["Status"] != "Success", rows)))


@once
def _own_user(scene: Scene) -> str:
    """Create the own user, or take up the one of an earlier run: users cannot be deleted."""
    scene.profile = scene.new_profile()
    fields = {**USER_FIELDS, "Email": scene.mail, "ProfileId": scene.profile_id(scene.profile), "IsActive": True}
    found = undo.find_user(scene.admin, scene.username)
    scene.journal.begin("user", scene.username)
    try:
        if found:
            scene.admin.rest("PATCH", f"sobjects/User/{found}", fields)
            return found
        scene.user_is_new = True
        return scene.admin.create("User", Username=scene.username, **fields)
    except Refusal as exc:
        raise Unanswered(f"the org gives no user (a licence may be missing): {exc}") from None
