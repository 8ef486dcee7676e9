# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a credential is declared: planned, tried with one login at most, stored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import credential as subject
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.credential import (
    Outcome,
    ensure_absent,
    ensure_present,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.journal import (
    REQUESTED,
    Journal,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    LoginError,
    OptionError,
    OrgError,
    StoreError,
)
from tests.support.folder_store import FolderStore

WANTED = Connection(
    username="user@example.com", password="CANARY-1", security_token="CANARY-t", timeout=7, source_address="192.0.2.9"
)
CHANGED = dataclasses.replace(WANTED, password="CANARY-2")


class Org:
    """Counts its logins, and refuses or accepts them."""

    def __init__(self) -> None:
        self.logins: list[Connection] = []
        self.accept()

    def refuse(self, error: OrgError) -> None:
        """Refuse from now on."""

        def answer() -> str:
            raise error

        self.answers = answer

    def accept(self) -> None:
        """Accept from now on."""
        self.answers = lambda: "session"

    def login(self, connection: Connection) -> str:
        """One login."""
        self.logins.append(connection)
        return self.answers()


@pytest.fixture
def org() -> Org:
    """An org that accepts."""
    return Org()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """A store that does not exist yet, in a world where time passes."""
    ticks = iter(range(1000))
    monkeypatch.setattr(subject, "_now", lambda: f"2026-01-01T00:00:{next(ticks):02}Z")
    return FolderStore(tmp_path / "store", MultiFernet([Fernet(Fernet.generate_key())]))


@pytest.fixture
def declare(store: FolderStore, org: Org) -> Callable[..., Outcome]:
    """Declare the credential C(prod)."""

    def run(wanted: Connection = WANTED, verify: str = "require", check_mode: bool = False) -> Outcome:
        return ensure_present(store, "prod", wanted, verify=verify, check_mode=check_mode, login=org.login)

    return run


def refused(cause: str = "bad_password") -> LoginError:
    """An org's refusal."""
    return LoginError("the org said no", cause=cause)


Declare = Callable[..., Outcome]


def test_a_new_credential_is_tried_once_and_stored_verified(declare: Declare, store: FolderStore, org: Org) -> None:
    outcome = declare()
    assert outcome.changed
    assert outcome.verification == {"result": "ok", "cause": "ok", "detail": "logged in"}
    assert outcome.credential is not None
    assert (outcome.credential["version"], outcome.credential["verified"]) == (1, store.read("prod").verified)
    assert store.read("prod").verified
    assert org.logins == [WANTED], "with the time limit and source address of the run"


def test_again_it_makes_no_login_and_no_write(declare: Declare, store: FolderStore, org: Org) -> None:
    declare()
    before = (store.folder / "prod.json").read_bytes()
    outcome = declare()
    assert not outcome.changed
    assert outcome.verification["result"] == "skipped"
    assert len(org.logins) == 1
    assert (store.folder / "prod.json").read_bytes() == before
    assert outcome.diff["before"] == outcome.diff["after"]


def test_a_changed_one_is_tried_once_with_what_is_kept(declare: Declare, store: FolderStore, org: Org) -> None:
    declare()
    outcome = declare(Connection(username="user@example.com", password="CANARY-2"))
    assert outcome.changed
    assert org.logins[-1].login_password == "CANARY-2CANARY-t"
    assert len(org.logins) == 2
    stored = store.read("prod")
    assert (stored.version, stored.previous) == (2, None), "nothing else is kept once the new one works"


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("verify", ["require", "warn", "skip"])
@pytest.mark.parametrize("state", ["absent", "same", "unverified", "other"])
def test_check_mode_foretells_the_change_and_touches_nothing(
    declare: Declare, store: FolderStore, org: Org, state: str, verify: str, check_mode: bool
) -> None:
    if state != "absent":
        declare(CHANGED if state == "other" else WANTED, verify="skip" if state == "unverified" else "require")
    org.logins.clear()
    before = {path: path.read_bytes() for path in store.folder.rglob("*.json")}
    outcome = declare(verify=verify, check_mode=check_mode)
    assert outcome.changed == (state in ("absent", "other"))
    tried = verify != "skip" and state != "same" and not check_mode
    assert len(org.logins) == tried
    assert outcome.verification["result"] == ("ok" if tried else "skipped")
    assert set(outcome.verification) == {"result", "cause", "detail"}
    if check_mode:
        assert {path: path.read_bytes() for path in store.folder.rglob("*.json")} == before
        assert store.folder.exists() == (state != "absent")
        assert declare(verify=verify).diff == outcome.diff
    else:
        assert not declare(verify=verify).changed


@pytest.mark.parametrize("cause", ["bad_password", "token_required_here", "user_locked", "ip_denied"])
def test_a_required_login_that_is_refused_fails_and_leaves_the_store_as_it_was(
    declare: Declare, store: FolderStore, org: Org, cause: str
) -> None:
    declare()
    before = store.read("prod")
    org.refuse(refused(cause))
    with pytest.raises(LoginError, match="credential 'prod' was not stored: the org said no") as caught:
        declare(CHANGED)
    assert caught.value.cause == cause
    assert store.read("prod") == before
    assert len(org.logins) == 2
    assert "CANARY" not in str(caught.value)


def test_a_new_one_that_is_refused_is_not_there(declare: Declare, store: FolderStore, org: Org) -> None:
    org.refuse(refused())
    with pytest.raises(LoginError):
        declare()
    assert store.names() == []


def test_an_org_that_cannot_be_reached_is_told_as_that(declare: Declare, store: FolderStore, org: Org) -> None:
    org.refuse(OrgError("no route", cause="unreachable"))
    with pytest.raises(OrgError, match="'prod' was not stored: no route") as caught:
        declare()
    assert not isinstance(caught.value, LoginError)
    assert caught.value.cause == "unreachable"
    assert store.names() == []


def test_warn_stores_what_failed_and_keeps_what_worked(declare: Declare, store: FolderStore, org: Org) -> None:
    declare()
    org.refuse(refused("token_required_here"))
    outcome = declare(CHANGED, verify="warn")
    assert outcome.changed
    assert outcome.verification == {"result": "failed", "cause": "token_required_here", "detail": "the org said no"}
    assert len(outcome.warnings) == 1
    assert "did not pass its login (token_required_here)" in outcome.warnings[0]
    stored = store.read("prod")
    assert (stored.version, stored.verified, stored.connection.password) == (2, None, "CANARY-2")
    assert stored.previous is not None
    assert stored.previous.password == "CANARY-1"
    org.accept()
    assert declare(CHANGED, verify="warn").verification["result"] == "ok"
    assert store.read("prod").previous is None


def test_wrong_secrets_are_not_tried_again_in_every_run(declare: Declare, org: Org) -> None:
    org.refuse(refused("bad_password"))
    declare(verify="warn")
    outcome = declare(verify="warn")
    assert len(org.logins) == 1
    assert (outcome.verification["result"], outcome.verification["cause"]) == ("failed", "bad_password")
    assert "not tried again" in str(outcome.verification["detail"])
    assert len(outcome.warnings) == 1
    org.accept()
    assert declare(verify="require").verification["result"] == "ok", "one may ask for it"


def test_skip_stores_what_was_not_tried_and_a_later_run_tries_it(
    declare: Declare, store: FolderStore, org: Org
) -> None:
    assert declare(verify="skip").changed
    assert org.logins == []
    outcome = declare()
    assert not outcome.changed, "the credential is the same; that it works is news, but no change"
    assert outcome.verification["result"] == "ok"
    assert store.read("prod").verified
    assert len(org.logins) == 1


def test_nothing_is_sent_for_what_cannot_be_used_or_stored(declare: Declare, store: FolderStore, org: Org) -> None:
    with pytest.raises(OptionError, match="^username: "):
        declare(dataclasses.replace(WANTED, username=None))
    with pytest.raises(OptionError, match="^verify: 'maybe' is not one of require, warn, skip"):
        declare(verify="maybe")
    store.folder.chmod(0o777)
    with pytest.raises(OptionError, match="^store: "):
        declare()
    assert org.logins == []


def test_a_tampered_record_is_not_replaced(declare: Declare, store: FolderStore, org: Org) -> None:
    declare()
    file = store.folder / "prod.json"
    file.write_text(file.read_text().replace("login.salesforce.com", "evil.salesforce.com"))
    with pytest.raises(StoreError, match="tampered"):
        declare(CHANGED)
    with pytest.raises(StoreError, match="tampered"):
        ensure_absent(store, "prod", check_mode=False)
    assert len(org.logins) == 1


def test_the_record_is_held_from_reading_to_writing(store: FolderStore) -> None:
    def login(_connection: Connection) -> None:
        with (
            pytest.raises(StoreError, match="being changed by another process"),
            FolderStore(store.folder, store.fernet).lock("prod", seconds=0),
        ):
            raise AssertionError("the lock was given twice")

    ensure_present(store, "prod", WANTED, verify="require", check_mode=False, login=login)


@pytest.mark.parametrize("check_mode", [False, True])
def test_absent_removes_it_once(declare: Declare, store: FolderStore, check_mode: bool) -> None:
    declare()
    outcome = ensure_absent(store, "prod", check_mode=check_mode)
    assert (outcome.changed, outcome.credential, outcome.diff["after"]) == (True, None, {})
    assert store.names() == (["prod"] if check_mode else [])
    assert ensure_absent(store, "prod", check_mode=False).changed == check_mode
    assert not ensure_absent(store, "prod", check_mode=False).changed


def test_absent_from_a_store_that_does_not_exist_makes_none(store: FolderStore) -> None:
    assert not ensure_absent(store, "prod", check_mode=False).changed
    assert not store.folder.exists()


def test_what_is_under_way_for_a_user_outlives_a_login_of_the_other(store: FolderStore, org: Org) -> None:
    """Otherwise the password that a rotation has set would be forgotten with its journal."""

    def declare(wanted: Connection, standby: Connection | None = None) -> None:
        ensure_present(store, "prod", wanted, standby=standby, verify="require", check_mode=False, login=org.login)

    declare(WANTED)
    journal = Journal(
        method="password", step=REQUESTED, username="user@example.com", started="", password="CANARY-next"
    )
    store.write(dataclasses.replace(store.read("prod"), rotation=journal), replaces=1)
    declare(WANTED, dataclasses.replace(WANTED, username="green@example.com"))
    assert store.read("prod").rotation == journal
    assert [login.username for login in org.logins] == ["user@example.com", "green@example.com"]
    declare(CHANGED)
    assert store.read("prod").rotation is None


def test_no_outcome_holds_a_secret(declare: Declare, store: FolderStore, org: Org) -> None:
    outcomes: list[Any] = [declare(), declare(CHANGED)]
    org.refuse(refused())
    outcomes += [declare(WANTED, verify="warn"), declare(WANTED, verify="warn")]
    outcomes.append(ensure_absent(store, "prod", check_mode=False))
    for outcome in outcomes:
        assert "CANARY" not in json.dumps(dataclasses.asdict(outcome))
