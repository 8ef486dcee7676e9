# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation against a world of plain objects, which can die at every step."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    declare,
    record_verification,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
    Credential,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import Delivery
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    MailError,
    NoResponseError,
    OptionError,
    OrgError,
    VersionConflictError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.imap import Position
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.mailbox import (
    MailboxSurvey,
    RejectedMail,
    TokenMail,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.progress import Progress
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.rotation import run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.rotation.errors import RotationIncomplete
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.rotation.model import (
    RotationOptions,
    RotationResult,
)
from tests.support.folder_store import FolderStore

BLUE, GREEN = "blue@example.com", "green@example.com"
LONG_AGO = "2026-01-01T00:00:00Z"
NOW = datetime.datetime.now(datetime.UTC)
DUE = datetime.timedelta(days=90)
LOCKED_AT = 10
OK = Verification(result="ok", cause="ok")


class Killed(BaseException):
    """The process dies here."""


@dataclasses.dataclass
class User:
    """A user as the org knows it."""

    password: str = "old-password"
    token: str = "OldToken"
    wrong_tries: int = 0
    has_reset_before: bool = True


class World:
    """An org, its mails, and a store; counts its steps, and dies at one of them where asked to."""

    def __init__(self, folder: Path) -> None:
        self.users = {BLUE: User(), GREEN: User()}
        self.store = FolderStore(folder / "store", MultiFernet([Fernet(Fernet.generate_key())]))
        self.mails: list[tuple[str, TokenMail]] = []
        self.on_the_way: list[tuple[str, TokenMail]] = []
        self.disposed: list[int] = []
        self.opened = 0
        self.tokens = (f"Token{number}" for number in itertools.count(1))
        self.steps: list[str] = []
        self.shown: list[str] = []
        self.polls: list[str] = []
        self.dies_at: int | None = None
        self.obstacles: list[str] = []
        self.trusts_us = False
        self.late = False
        self.has_session = True
        self.interrupts: list[str] = []
        self.refuses: list[OrgError] = []
        self.forged: list[str] = []
        self.attempts_are_seen = False
        self.mails_get_lost = False
        self.authserv_ids = ["mx.example.org"]
        self.rejected: list[RejectedMail] = []
        self._write = self.store.write
        self.store.write = self._noted_write  # type: ignore[method-assign]

    def _noted_write(self, credential: Credential, *, replaces: int | None) -> None:
        with self.step("write"):
            self._write(credential, replaces=replaces)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step that may be the last one: the process can die before it, and when it was done."""
        for moment in ("before", "after"):
            if moment == "after":
                yield
            self.steps.append(f"{moment} {name}")
            if self.dies_at is not None and len(self.steps) > self.dies_at:
                raise Killed(self.steps[-1])

    # What GatewayPort asks for.

    def open_session(self, connection: Connection) -> Inside:
        """Over the session that is there, or by a login."""
        if not self.has_session:
            self.log_in(connection)
        return Inside(self, connection.username or "")

    def reuse_session(self, connection: Connection) -> Inside | None:
        """Over the session that is there."""
        return Inside(self, connection.username or "") if self.has_session else None

    def sees_attempts(self, connection: Connection) -> bool:
        """As the world says."""
        return self.attempts_are_seen

    def log_in(self, connection: Connection) -> object:
        """A login, which counts when it is wrong; the last one that would lock is not made where that can be seen."""
        if self.attempts_are_seen and self.users[connection.username or ""].wrong_tries >= LOCKED_AT - 1:
            raise LoginError("one more would lock the user", cause="user_locked")
        with self.step("login"):
            user = self.users[connection.username or ""]
            right = user.password + ("" if self.trusts_us else user.token)
            if connection.login_password != right and connection.login_password != user.password + user.token:
                user.wrong_tries += 1
                raise LoginError("refused", cause="invalid_credentials")
        return None

    @contextlib.contextmanager
    def open_mailbox(self) -> Iterator[Box]:
        """The mailbox."""
        self.opened += 1
        yield Box(self)

    # What happens in it.

    def mail(self, username: str, token: str) -> None:
        """A mail with a token, for now or, when mails are late, for later."""
        number = len(self.mails) + len(self.on_the_way) + 1
        mail = TokenMail(uids=(number,), uid_validity=7, token=token, received=NOW, sent=None, authenticated=True)
        (self.on_the_way if self.late else self.mails).append((username, mail))

    def renew(self, username: str, *, mailed: bool = True) -> None:
        """A new token; the old one is dead at once."""
        self.users[username].token = next(self.tokens)
        for token in self.forged:
            self.mail(username, token)
        if mailed and not self.mails_get_lost:
            self.mail(username, self.users[username].token)

    def deliver(self) -> None:
        """Mails that were late come in."""
        self.mails += self.on_the_way
        self.on_the_way = []

    def lets_in(self) -> bool:
        """Whether what is stored logs in, for each user of the credential."""
        credential = self.store.read("billing")
        both = [credential.connection, *([credential.standby] if credential.standby else [])]
        return all(
            one.login_password == self.users[one.username or ""].password + self.users[one.username or ""].token
            for one in both
        )


@dataclasses.dataclass
class Inside:
    """The org, entered."""

    world: World
    username: str

    def obstacles(self, method: str) -> list[str]:
        """As the world says."""
        return self.world.obstacles

    def new_password(self) -> str:
        """Another one each time."""
        return f"new-password-{len(self.world.steps)}"

    def reset_security_token(self) -> None:
        """Reset and mail."""
        if self.world.refuses:
            raise self.world.refuses[0]
        with self.world.step("reset"):
            self.world.renew(self.username)
            self.world.users[self.username].has_reset_before = True
            if self.world.interrupts:
                raise NoResponseError(self.world.interrupts.pop())

    def change_password(self, old: str, new: str, *, again: bool) -> None:
        """Change, and mail if it was reset before."""
        user = self.world.users[self.username]
        if self.world.refuses:
            raise self.world.refuses[0]
        with self.world.step("change"):
            if user.password == old:
                user.password = new
                self.world.renew(self.username, mailed=user.has_reset_before)
            elif user.password != new or not again:
                raise OrgError("someone else has changed it")

    def needs_token(self) -> bool:
        """As the world says."""
        return not self.world.trusts_us


@dataclasses.dataclass
class Box:
    """The mailbox, opened."""

    world: World

    def position(self) -> Position:
        """Behind the last mail."""
        return Position(7, len(self.world.mails) + len(self.world.on_the_way) + 1)

    def tokens(
        self,
        username: str,
        *,
        since: Position | None,
        since_time: datetime.datetime,
        wait: float,
        poll: Callable[[str], None],
    ) -> Iterator[TokenMail]:
        """Those behind the position, newest first; the late ones come while one waits."""
        poll("looked")
        if wait > 60:
            self.world.deliver()
        for whose, mail in reversed(self.world.mails):
            if whose == username and (since is None or mail.uids[0] >= since.next_uid):
                with self.world.step("mail"):
                    pass
                yield mail

    def rejections(self, username: str, *, since: Position | None, since_time: datetime.datetime) -> list[RejectedMail]:
        """As the world says."""
        return self.world.rejected

    def survey(self) -> MailboxSurvey:
        """As the world says."""
        return MailboxSurvey("INBOX", 3, self.world.authserv_ids)

    def dispose(self, uids: Collection[int], *, validity: int) -> None:
        """Deal with mails."""
        with self.world.step("dispose"):
            if validity != 7:
                raise MailError("another mailbox")
            self.world.disposed += uids


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which the token of the credential billing is old."""
    made = World(tmp_path)
    plant(made)
    return made


def plant(world: World, **fields: Any) -> None:
    """The credential that is to be renewed."""
    user = Connection(username=BLUE, password="old-password", security_token="OldToken")
    credential = declare(None, dataclasses.replace(user, **fields), name="billing", now=LONG_AGO)
    world.store.write(record_verification(credential, OK, now=LONG_AGO), replaces=None)
    world.steps.clear()


def plant_pair(world: World) -> None:
    """A pair whose users are both old."""
    world.store.delete("billing", replaces=1)
    blue = Connection(username=BLUE, password="old-password", security_token="OldToken")
    green = dataclasses.replace(blue, username=GREEN)
    credential = declare(None, blue, standby=green, name="billing", now=LONG_AGO)
    world.store.write(record_verification(credential, OK, now=LONG_AGO), replaces=None)
    world.steps.clear()


def rotate(world: World, *, check_mode: bool = False, **wanted: Any) -> RotationResult:
    """One run, due unless said otherwise."""
    declared = RotationOptions(**{"max_age": DUE, "has_mailbox": True, "authserv_id": "mx.example.org", **wanted})
    progress = Progress(stage=world.shown.append, poll=world.polls.append)
    return run.ensure_token_age(world.store, "billing", declared, world, check_mode=check_mode, progress=progress)


@pytest.mark.parametrize("method", run.METHODS)
def test_an_old_token_is_renewed_and_the_next_run_has_nothing_to_do(world: World, method: str) -> None:
    outcome = rotate(world, method=method)
    assert (outcome.rotated, outcome.changed, outcome.resumed, outcome.version) == (True, True, False, 2)
    assert world.lets_in()
    assert world.store.read("billing").verified
    world.steps.clear()
    assert not rotate(world, method=method).changed
    assert world.steps == []


def test_a_token_that_is_young_enough_or_of_any_age_is_left_alone(world: World) -> None:
    assert not rotate(world, max_age=datetime.timedelta(days=36500)).changed
    assert not rotate(world, max_age=None).changed
    assert world.steps == []


def test_while_it_waits_for_the_mail_a_person_sees_for_whom_and_how_long(world: World) -> None:
    rotate(world)
    assert world.shown == [
        f"the new token of {BLUE} comes by mail: waiting for up to 300 s",
        f"a mail to {BLUE} has come after 0 s",
    ]
    assert world.polls == ["looked"]
    rotate(world)
    assert len(world.shown) == 2


def test_force_renews_whatever_the_age(world: World) -> None:
    assert rotate(world, max_age=None, force=True).rotated
    assert rotate(world, max_age=None, force=True).version == 3


def test_check_mode_tells_what_would_be_and_asks_for_nothing(world: World) -> None:
    outcome = rotate(world, check_mode=True)
    assert (outcome.rotated, outcome.version) == (True, 2)
    assert outcome.diff["after"]["security_token"] == "(secret, version 2)"
    assert world.steps == []
    world.obstacles = ["login IP ranges: remove them"]
    with pytest.raises(OrgError, match="login IP ranges"):
        rotate(world, check_mode=True)


def test_what_makes_a_reset_impossible_is_told_before_anything_is_done(world: World) -> None:
    world.obstacles = ["the profile has login IP ranges", "the user is API only"]
    with pytest.raises(OrgError, match=r"nothing was done: the profile has login IP ranges; the user is API only"):
        rotate(world)
    assert world.steps == []
    assert world.store.read("billing").rotation is None


def test_a_credential_without_a_token_to_renew_is_refused(world: World) -> None:
    world.store.delete("billing", replaces=1)
    flow = Connection(auth="jwt_bearer", username=BLUE, consumer_key="key", private_key="key")
    world.store.write(declare(None, flow, name="billing", now=LONG_AGO), replaces=None)
    with pytest.raises(OptionError, match="^name: .*jwt_bearer"):
        rotate(world)


def test_a_mailbox_is_asked_for_before_anything_is_done(world: World) -> None:
    world.has_session = False
    with pytest.raises(OptionError, match="^mailbox: "):
        rotate(world, has_mailbox=False)
    assert world.steps == []


def test_a_mail_that_is_late_is_found_by_the_next_run(world: World) -> None:
    world.late = True
    with pytest.raises(
        RotationIncomplete, match=r"was reset at .*, and no mail with the new one was found within 1 seconds"
    ):
        rotate(world, mail_timeout=1)
    assert world.store.read("billing").rotation
    world.deliver()
    assert rotate(world).resumed
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 0
    assert world.steps.count("after reset") == 1


def test_a_mail_that_came_and_did_not_count_is_reported_with_the_reason(world: World) -> None:
    world.late = True
    world.rejected = [RejectedMail(datetime.datetime(2026, 11, 30, 9, 15, tzinfo=datetime.UTC), "its sender is at x")]
    told = rf"A mail with a token for {BLUE} came at 2026-11-30T09:15:00Z and did not count: its sender is at x"
    with pytest.raises(RotationIncomplete, match=told):
        rotate(world, mail_timeout=1)


def test_a_mail_that_never_came_is_asked_for_once_more_while_there_is_a_session(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.on_the_way.clear()
    assert rotate(world).resumed
    assert world.lets_in()
    assert world.steps.count("after reset") == 2


def test_without_a_session_nothing_is_asked_for_again(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.has_session = False
    with pytest.raises(RotationIncomplete, match="give what comes as new_token"):
        rotate(world, mail_timeout=1)
    assert world.steps.count("after reset") == 1
    assert world.users[BLUE].wrong_tries == 0


def test_a_forged_mail_costs_one_wrong_try_at_most_once(world: World) -> None:
    world.forged = ["Forged"]
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    genuine = world.on_the_way.pop()
    world.deliver()
    world.has_session = False
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    assert world.users[BLUE].wrong_tries == 1
    world.mails.append(genuine)
    assert rotate(world).rotated
    assert world.users[BLUE].wrong_tries == 1


def test_two_tokens_that_are_refused_are_the_last_that_are_tried(world: World) -> None:
    world.forged = ["Forged1", "Forged2", "Forged3"]
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.on_the_way.pop()
    world.deliver()
    for _run in range(3):
        with pytest.raises(RotationIncomplete, match="2 tokens that came by mail"):
            rotate(world)
    assert world.users[BLUE].wrong_tries == 2
    world.forged = []
    world.late = False
    with pytest.raises(RotationIncomplete, match="nobody can see how many more would lock the user"):
        rotate(world, force=True)
    world.attempts_are_seen = True
    assert rotate(world, force=True).rotated
    assert world.lets_in()


def test_another_error_than_a_refusal_is_no_verdict_on_the_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(connection: Connection) -> None:
        raise OrgError("the org is down")

    with monkeypatch.context() as patch:
        patch.setattr(world, "log_in", down)
        with pytest.raises(OrgError, match="down"):
            rotate(world)
    assert rotate(world).resumed
    assert world.lets_in()


def test_a_reset_of_which_no_answer_came_is_settled_by_its_mail(world: World) -> None:
    world.interrupts = ["no answer"]
    outcome = rotate(world)
    assert outcome.rotated
    assert "not known until its mail comes" in outcome.warnings[0]
    assert world.lets_in()


def test_the_mail_is_dealt_with_when_its_token_is_stored(world: World) -> None:
    rotate(world, keep_mail=False)
    assert (world.disposed, world.opened) == ([1], 1)
    assert world.steps.index("after dispose") > world.steps.index("after login")
    assert world.store.read("billing").rotation is None


def test_a_mail_that_cannot_be_dealt_with_is_told_and_undoes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Box, uid: int, *, validity: int) -> None:
        raise MailError("the folder is gone")

    monkeypatch.setattr(Box, "dispose", gone)
    outcome = rotate(world, keep_mail=False)
    assert outcome.rotated
    assert "still in the mailbox: the folder is gone" in outcome.warnings[0]


def test_a_password_change_without_a_mail_is_explained_and_the_new_password_is_kept(world: World) -> None:
    world.users[BLUE].has_reset_before = False
    with pytest.raises(RotationIncomplete, match="only to a user who has reset the token once before"):
        rotate(world, method="password")
    journal = world.store.read("billing").rotation
    assert journal
    assert journal.password == world.users[BLUE].password
    with pytest.raises(RotationIncomplete):
        rotate(world, method="password")
    assert world.users[BLUE].wrong_tries == 0
    assert rotate(world, method="reset").resumed
    assert world.lets_in()


def test_a_password_change_without_a_mail_leaves_a_credential_that_works_where_no_token_is_needed(world: World) -> None:
    world.users[BLUE].has_reset_before = False
    world.trusts_us = True
    outcome = rotate(world, method="password")
    assert "trusted addresses only" in outcome.warnings[0]
    stored = world.store.read("billing").connection
    assert (stored.password, stored.security_token) == (world.users[BLUE].password, None)


def test_a_credential_that_never_had_a_token_gets_a_new_password_without_a_mailbox(world: World) -> None:
    world.store.delete("billing", replaces=1)
    plant(world, security_token=None)
    world.trusts_us = True
    outcome = rotate(world, method="password", has_mailbox=False)
    assert (outcome.rotated, outcome.warnings) == (True, [])
    assert world.store.read("billing").connection.password == world.users[BLUE].password


def test_a_token_that_somebody_received_is_tried_and_stored(world: World) -> None:
    world.renew(BLUE)
    with pytest.raises(LoginError):
        rotate(world, new_token="Mistyped")
    assert world.store.read("billing").version == 1
    given = world.users[BLUE].token
    assert rotate(world, new_token=given).rotated
    assert world.lets_in()
    world.steps.clear()
    assert not rotate(world, new_token=given).changed
    assert not rotate(world, new_token="OldToken").changed
    assert world.steps == []


def test_a_token_that_goes_on_being_given_though_it_is_stored_is_not_tried_when_it_is_dead(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    assert rotate(world, new_token="OldToken").resumed
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 0


def test_a_token_that_somebody_received_ends_a_rotation_whose_mail_went_elsewhere(world: World) -> None:
    world.users[BLUE].has_reset_before = False
    with pytest.raises(RotationIncomplete):
        rotate(world, method="password")
    assert rotate(world, new_token=world.users[BLUE].token).resumed
    assert world.lets_in()


def test_a_token_that_somebody_else_has_reset_is_found_in_the_mailbox(world: World) -> None:
    world.has_session = False
    world.renew(BLUE)
    assert rotate(world, max_age=None, verify=True).rotated
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 1


def test_a_token_that_was_revoked_is_not_tried_again_and_again(world: World) -> None:
    world.has_session = False
    world.users[BLUE].token = "NobodyKnows"
    for _run in range(3):
        with pytest.raises((LoginError, RotationIncomplete)):
            rotate(world, verify=True)
    assert world.users[BLUE].wrong_tries == 1


def test_a_rotation_of_a_pair_leaves_alone_what_is_in_use(world: World) -> None:
    plant_pair(world)
    rotate(world)
    stored = world.store.read("billing")
    assert stored.connection.username == GREEN
    assert stored.standby
    assert stored.standby.login_password == "old-passwordOldToken"
    assert world.users[BLUE] == User()
    assert world.lets_in()


@pytest.mark.parametrize("makes", [plant_pair, lambda _world: None], ids=["pair", "single"])
@pytest.mark.parametrize("method", run.METHODS)
@pytest.mark.parametrize("late", [False, True], ids=["prompt", "late"])
@pytest.mark.parametrize("session", [True, False], ids=["session", "no session"])
def test_a_run_that_dies_anywhere_is_finished_by_the_next(
    tmp_path: Path, makes: Any, method: str, late: bool, session: bool
) -> None:
    died = set()
    for moment in range(60):
        world = World(tmp_path / str(moment))
        plant(world)
        makes(world)
        world.late, world.dies_at = late, moment
        try:
            rotate(world, method=method, keep_mail=False)
        except Killed as death:
            died.add(str(death))
        else:
            break
        world.dies_at, world.has_session = None, session
        world.steps.clear()
        rotate(world, method=method, keep_mail=False)
        assert world.lets_in(), moment
        assert world.store.read("billing").rotation is None
        assert sum(user.wrong_tries for user in world.users.values()) <= 1
    assert {"before write", "after write", "before login", "after login", "before dispose", "after dispose"} < died
    assert "after reset" in died or "after change" in died


def test_runs_that_die_twice_are_finished_by_the_third(tmp_path: Path) -> None:
    deaths = 0
    for first, second in itertools.product(range(12), range(12)):
        world = World(tmp_path / f"{first}-{second}")
        plant(world)
        for world.dies_at in (first, second):
            world.steps.clear()
            try:
                rotate(world)
            except Killed:
                deaths += 1
        world.dies_at = None
        rotate(world)
        assert world.lets_in()
        assert world.users[BLUE].wrong_tries == 0
    assert deaths > 144


def test_of_two_runs_at_once_one_rotates_and_the_other_finds_it_fresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[RotationResult] = []
    second = threading.Thread(target=lambda: outcomes.append(rotate(world, force=True)))
    reset = Inside.reset_security_token

    def reset_while_another_starts(self: Inside) -> None:
        if not second.ident:
            second.start()
            second.join(0.3)
        reset(self)

    monkeypatch.setattr(Inside, "reset_security_token", reset_while_another_starts)
    outcomes.append(rotate(world, force=True))
    second.join()
    assert sorted(outcome.rotated for outcome in outcomes) == [False, True]
    assert world.steps.count("after reset") == 1


def die(world: World, step: str, **wanted: Any) -> None:
    """A rotation that dies at a step."""
    credential, user = world.store.read("billing"), dataclasses.replace(world.users[BLUE])
    for moment in itertools.count():
        world.steps.clear()
        world.dies_at = moment
        with contextlib.suppress(Killed):
            rotate(world, **wanted)
        world.dies_at = None
        if world.steps[-1] == step:
            world.steps.clear()
            return
        world.store.delete("billing", replaces=world.store.read("billing").version)
        world.store.write(credential, replaces=None)
        world.users[BLUE] = dataclasses.replace(user)
        world.mails.clear()


@pytest.mark.parametrize("method", run.METHODS)
def test_what_was_not_done_and_is_refused_for_good_ends_the_rotation(world: World, method: str) -> None:
    die(world, f"before {'reset' if method == 'reset' else 'change'}", method=method)
    world.refuses = [OrgError("not by its policy")]
    with pytest.raises(OrgError, match="policy"):
        rotate(world, method=method)
    assert world.store.read("billing").rotation is None
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 0


def test_a_password_that_was_changed_and_may_not_be_changed_again_is_not_taken_for_unchanged(world: World) -> None:
    world.users[BLUE].has_reset_before = False
    die(world, "after change", method="password")
    world.refuses = [OrgError("the org lets nobody take the present password again")]
    with pytest.raises(RotationIncomplete, match="was changed"):
        rotate(world, method="password", mail_timeout=1)
    world.refuses = []
    assert rotate(world, method="reset").resumed
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 1


def test_a_new_password_that_is_refused_without_a_token_is_not_tried_again(world: World) -> None:
    world.store.delete("billing", replaces=1)
    plant(world, security_token=None)
    world.trusts_us = True
    wanted: dict[str, Any] = {"method": "password", "has_mailbox": False}
    die(world, "before login", **wanted)
    world.users[BLUE].password = "set-by-an-administrator"
    for _run in range(3):
        with pytest.raises(RotationIncomplete, match="the new password was refused"):
            rotate(world, **wanted)
    assert world.users[BLUE].wrong_tries == 1


def test_a_token_that_was_refused_as_the_user_was_locked_gets_another_chance_by_force(world: World) -> None:
    genuine = world.log_in

    def locked(connection: Connection) -> None:
        raise LoginError("wrong, or locked", cause="invalid_credentials")

    world.log_in = locked  # type: ignore[method-assign]
    with pytest.raises(RotationIncomplete, match="1 token that came by mail for blue@example.com was refused"):
        rotate(world)
    world.log_in, world.has_session = genuine, False  # type: ignore[method-assign]
    with pytest.raises(RotationIncomplete, match="force: true"):
        rotate(world)
    assert rotate(world, force=True).rotated
    assert world.lets_in()
    assert world.steps.count("after reset") == 1


def test_a_stored_token_that_was_refused_as_the_user_was_locked_gets_another_chance_by_force(world: World) -> None:
    world.has_session = False
    genuine = world.log_in

    def locked(connection: Connection) -> None:
        raise LoginError("wrong, or locked", cause="invalid_credentials")

    world.log_in = locked  # type: ignore[method-assign]
    with pytest.raises(LoginError):
        rotate(world)
    world.log_in = genuine  # type: ignore[method-assign]
    with pytest.raises(RotationIncomplete, match="force: true"):
        rotate(world)
    assert rotate(world, force=True).rotated
    assert world.lets_in()


def test_a_mail_that_comes_while_another_one_is_asked_for_is_not_passed_over(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.refuses = [OrgError("Salesforce shows this user no button")]

    def enter_while_it_comes(connection: Connection) -> Inside:
        world.deliver()
        return Inside(world, connection.username or "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "reuse_session", enter_while_it_comes)
        with pytest.raises(OrgError, match="no button"):
            rotate(world, mail_timeout=1)
    world.has_session = False
    assert rotate(world, mail_timeout=1).resumed
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 0


def test_a_token_that_is_known_to_be_dead_is_not_tried_after_another_reset(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.on_the_way.clear()
    world.steps.clear()
    world.dies_at = 2  # after the note that it is asked for again
    with pytest.raises(Killed):
        rotate(world, mail_timeout=1)
    world.dies_at, world.has_session = None, False
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    assert world.users[BLUE].wrong_tries == 0


def test_a_token_from_a_person_ends_a_password_change_that_never_was(world: World) -> None:
    die(world, "before change", method="password")
    world.renew(BLUE, mailed=False)
    assert rotate(world, new_token=world.users[BLUE].token).resumed
    assert world.lets_in()
    assert world.users[BLUE].wrong_tries == 1


def test_a_credential_that_never_had_a_token_is_not_kept_waiting_for_a_mail(world: World) -> None:
    world.store.delete("billing", replaces=1)
    plant(world, security_token=None)
    world.trusts_us, world.late = True, True
    rotate(world, method="password")
    assert world.on_the_way
    assert world.store.read("billing").connection.security_token is None


def test_check_mode_does_not_take_a_mail_that_is_left_for_a_token_to_come(world: World) -> None:
    die(world, "before dispose", keep_mail=False)
    assert rotate(world, keep_mail=False, check_mode=True).changed is False
    assert world.steps == []
    assert rotate(world, keep_mail=False).changed is False


@pytest.mark.parametrize("token", ["OldToken", None])
@pytest.mark.parametrize("method", run.METHODS)
@pytest.mark.parametrize("died", [False, True])
def test_check_mode_tells_of_each_secret_that_a_run_would_renew(
    world: World, method: str, token: str | None, died: bool
) -> None:
    if method == "reset" and not token:
        return
    world.trusts_us = token is None
    world.users[BLUE].has_reset_before = token is not None
    world.store.delete("billing", replaces=1)
    plant(world, security_token=token)
    if died:
        die(world, f"before {'reset' if method == 'reset' else 'change'}", method=method)
    foreseen = rotate(world, method=method, check_mode=True)
    assert rotate(world, method=method).diff == foreseen.diff


def test_force_is_carried_out_though_something_else_was_changed_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = world.store.lock

    @contextlib.contextmanager
    def lock_after_another(name: str, *, seconds: float = 0) -> Iterator[None]:
        monkeypatch.setattr(world.store, "lock", lock)
        seen = world.store.read(name)
        moved = declare(
            seen, dataclasses.replace(seen.connection, api_version="63.0"), name=name, now="2026-01-02T00:00:00Z"
        )
        world.store.write(moved, replaces=seen.version)
        with lock(name, seconds=seconds):
            yield

    monkeypatch.setattr(world.store, "lock", lock_after_another)
    assert rotate(world, max_age=None, force=True).rotated


def test_nothing_that_is_told_holds_a_secret(world: World) -> None:
    outcome = rotate(world, method="password")
    connection = world.store.read("billing").connection
    for secret in ("OldToken", "old-password", connection.password, connection.security_token):
        assert secret
        assert secret not in repr(outcome)
        assert secret not in repr(world.store.read("billing"))


def test_a_pair_is_not_rotated_while_somebody_may_use_the_user_on_standby(world: World) -> None:
    plant_pair(world)
    rotate(world)
    stale = Delivery(version=1, updated=LONG_AGO, format="env", encrypted=None, delivered=LONG_AGO, fingerprint="x")
    world.store.record_deliveries("billing", {"web:/etc/billing.env": stale})
    with pytest.raises(OptionError, match=r"web:/etc/billing.env may still use blue@example.com"):
        rotate(world, force=True)
    stored = world.store.read("billing")
    fresh = dataclasses.replace(stale, version=2, updated=stored.updated)
    world.store.record_deliveries("billing", {"web:/etc/billing.env": fresh})
    assert rotate(world, force=True).rotated


def test_a_run_that_dies_in_a_login_does_not_make_room_for_a_third_candidate(world: World) -> None:
    world.forged, world.late = ["Forged1"], True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    world.on_the_way.pop()
    world.deliver()
    world.has_session = False
    for world.dies_at in itertools.count():
        world.steps.clear()
        with contextlib.suppress(Killed):
            rotate(world)
        if world.users[BLUE].wrong_tries:
            break
    world.dies_at = None
    for token in ("Forged2", "Forged3"):
        world.mail(BLUE, token)
    world.deliver()
    tried: list[str | None] = []
    log_in = world.log_in

    def noted(connection: Connection) -> object:
        tried.append(connection.security_token)
        return log_in(connection)

    world.log_in = noted  # type: ignore[method-assign]
    for _run in range(3):
        with pytest.raises(RotationIncomplete):
            rotate(world)
    assert {*tried, "Forged1"} == {"Forged1", "Forged3"}


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("method", run.METHODS)
def test_force_gives_tokens_that_were_refused_another_chance_whatever_the_method(
    world: World, method: str, session: bool
) -> None:
    genuine = world.log_in

    def locked(connection: Connection) -> None:
        raise LoginError("wrong, or locked", cause="invalid_credentials")

    world.log_in = locked  # type: ignore[method-assign]
    with pytest.raises(RotationIncomplete, match="force: true tries once more"):
        rotate(world, method=method)
    world.log_in, world.has_session = genuine, session  # type: ignore[method-assign]
    assert rotate(world, method=method, force=True).rotated
    assert world.lets_in()


def test_force_that_waited_for_another_run_does_not_try_again_what_that_one_was_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.forged = ["Forged1", "Forged2"]
    lock = world.store.lock

    @contextlib.contextmanager
    def lock_after_another(name: str, *, seconds: float = 0) -> Iterator[None]:
        monkeypatch.setattr(world.store, "lock", lock)
        world.renew(BLUE, mailed=False)
        world.late = True
        with pytest.raises(RotationIncomplete):
            rotate(world, mail_timeout=1)
        world.on_the_way.pop()
        world.deliver()
        with pytest.raises(RotationIncomplete):
            rotate(world)
        world.has_session = False
        with lock(name, seconds=seconds):
            yield

    monkeypatch.setattr(world.store, "lock", lock_after_another)
    with pytest.raises(RotationIncomplete, match="2 tokens"):
        rotate(world, force=True)
    assert world.users[BLUE].wrong_tries == 2


def test_a_token_of_the_user_on_standby_is_looked_for_since_before_the_roles_changed(world: World) -> None:
    plant_pair(world)
    stored = world.store.read("billing")
    world.store.write(
        dataclasses.replace(stored, version=2, secret_since="2026-06-01T00:00:00Z"), replaces=stored.version
    )
    world.has_session = False
    world.renew(GREEN)
    since: list[datetime.datetime] = []
    tokens = Box.tokens

    def noted(self: Box, username: str, **rest: Any) -> Iterator[TokenMail]:
        since.append(rest["since_time"])
        return tokens(self, username, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Box, "tokens", noted)
        assert rotate(world).rotated
    assert since == [datetime.datetime.fromisoformat(LONG_AGO)]
    assert world.lets_in()


def test_a_token_that_a_rotation_has_replaced_is_not_tried_when_another_one_is_looked_for(world: World) -> None:
    rotate(world)
    rotate(world, force=True)
    world.users[BLUE].token = "NobodyKnows"
    world.has_session = False
    with pytest.raises(LoginError, match="no newer token"):
        rotate(world, verify=True)
    assert world.users[BLUE].wrong_tries == 1


def test_a_token_that_is_dated_in_the_future_is_told(world: World) -> None:
    stored = world.store.read("billing")
    later = (NOW + datetime.timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.store.write(dataclasses.replace(stored, secret_since=later), replaces=1)
    outcome = rotate(world)
    assert not outcome.rotated
    assert f"dated {later}, which is in the future" in outcome.warnings[0]
    assert rotate(world, max_age=None).warnings == []
    assert rotate(world, force=True).warnings == []
    assert rotate(world).warnings == []


def test_a_rotation_that_may_not_have_begun_is_not_gone_on_with_without_a_mailbox(world: World) -> None:
    die(world, "before reset")
    for check_mode in (True, False):
        with pytest.raises(OptionError, match="^mailbox: "):
            rotate(world, has_mailbox=False, check_mode=check_mode)
    assert "after reset" not in world.steps
    assert world.lets_in()
    assert rotate(world).resumed


def test_check_mode_tells_when_a_rotation_cannot_come_to_its_end(world: World) -> None:
    world.late = True
    with pytest.raises(RotationIncomplete):
        rotate(world, mail_timeout=1)
    with pytest.raises(RotationIncomplete, match="no mailbox"):
        rotate(world, has_mailbox=False, check_mode=True)
    world.on_the_way.clear()
    world.late = False
    for token in ("Forged1", "Forged2"):
        world.mail(BLUE, token)
    with pytest.raises(RotationIncomplete):
        rotate(world)
    for check_mode in (True, False):
        with pytest.raises(RotationIncomplete, match="2 tokens"):
            rotate(world, check_mode=check_mode)
    assert rotate(world, check_mode=True, force=True).rotated


def test_check_mode_tells_of_a_stored_token_that_was_refused_before_where_no_mailbox_may_have_another(
    world: World,
) -> None:
    stored = world.store.read("billing")
    refused = Verification(result="failed", cause="stale_token", detail="the token is not valid")
    world.store.write(record_verification(stored, refused, now=LONG_AGO), replaces=1)
    for check_mode in (True, False):
        with pytest.raises(LoginError, match="not tried again"):
            rotate(world, max_age=None, has_mailbox=False, check_mode=check_mode)


def test_a_run_that_has_lost_its_lock_does_not_write_over_the_password_of_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.users[BLUE].has_reset_before = False
    new_password = Inside.new_password

    def after_another_run(self: Inside) -> str:
        monkeypatch.setattr(Inside, "new_password", new_password)
        with pytest.raises(RotationIncomplete):
            rotate(world, method="password")
        return "password-of-the-first-run"

    monkeypatch.setattr(Inside, "new_password", after_another_run)
    with pytest.raises(VersionConflictError, match="run it again"):
        rotate(world, method="password")
    journal = world.store.read("billing").rotation
    assert journal
    assert journal.password == world.users[BLUE].password


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("method", run.METHODS)
def test_force_in_every_run_never_locks_the_user(world: World, method: str, seen: bool, session: bool) -> None:
    world.attempts_are_seen = seen
    world.mails_get_lost = True
    world.forged = [f"Forged{number}" for number in range(20)]
    with pytest.raises(RotationIncomplete):
        rotate(world, method=method)
    world.has_session = session
    for _run in range(7):
        with pytest.raises((RotationIncomplete, LoginError)):
            rotate(world, method=method, force=True)
    assert world.users[BLUE].wrong_tries <= (LOCKED_AT - 1 if seen else 2)


@pytest.mark.parametrize("seen", [True, False])
def test_force_in_every_run_never_locks_a_user_whose_token_somebody_has_reset(world: World, seen: bool) -> None:
    world.attempts_are_seen, world.has_session = seen, False
    world.users[BLUE].token = "NobodyKnows"
    for number in range(4):
        world.mail(BLUE, f"Forged{number}")
    for _run in range(7):
        with pytest.raises((RotationIncomplete, LoginError)):
            rotate(world, force=True)
    assert world.users[BLUE].wrong_tries <= (LOCKED_AT - 1 if seen else 3)


def test_without_the_name_of_the_mail_server_a_run_that_reads_mails_warns(world: World) -> None:
    assert "it can cost two failed logins" in rotate(world, authserv_id=None).warnings[0]
    assert rotate(world, authserv_id=None).warnings == []
    assert rotate(world, force=True).warnings == []


def test_check_mode_reports_what_it_saw_in_the_mailbox(world: World) -> None:
    seen = {"folder": "INBOX", "mails": 3, "authserv_ids": ["mx.example.org"]}
    result = rotate(world, check_mode=True)
    assert (result.mailbox, result.warnings) == (seen, [])
    assert "name mx.example.org" in rotate(world, check_mode=True, authserv_id=None).warnings[0]
    assert "a token mail would not count" in rotate(world, check_mode=True, authserv_id="mx.example.net").warnings[0]
    assert rotate(world).mailbox is None
    assert rotate(world, check_mode=True).mailbox is None
    assert world.opened == 4


def test_check_mode_fails_where_the_mailbox_cannot_be_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Box) -> MailboxSurvey:
        raise MailError("mail server imap.example.org: has no folder 'Tokens'")

    monkeypatch.setattr(Box, "survey", refuse)
    with pytest.raises(MailError, match="no folder"):
        rotate(world, check_mode=True)
    assert world.steps == []
