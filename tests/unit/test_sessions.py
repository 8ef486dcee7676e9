# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session serves everybody who may share it, and nobody else."""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    LoginError,
    LoginUnansweredError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import Session
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import SessionCache

CONNECTION = Connection(username="int@example.com", password="Canary-Pass-1", security_token="CanaryToken1")


class Door:
    """Counts logins, across processes, by lines in a file."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "logins"

    def log_in(self, connection: Connection) -> Session:
        time.sleep(0.05)
        with self._log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return Session(access_token=f"00D!{self.count}", instance_url="https://acme.my.salesforce.com", user_id="005")

    @property
    def count(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> SessionCache:
    return SessionCache(tmp_path / "sessions", Fernet(Fernet.generate_key()), tmp_path)


def test_the_second_to_ask_gets_the_session_of_the_first(cache: SessionCache, door: Door) -> None:
    first = cache.obtain(CONNECTION, door.log_in, failed=None)
    assert cache.obtain(CONNECTION, door.log_in, failed=None) == first
    assert door.count == 1


def test_many_processes_that_ask_at_once_cause_one_login(cache: SessionCache, door: Door) -> None:
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=cache.obtain, args=(CONNECTION, door.log_in), kwargs={"failed": None})
        for _unused in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert door.count == 1


@pytest.mark.parametrize(
    "change",
    [
        {"password": "another"},
        {"security_token": "another"},
        {"username": "other@example.com"},
        {"login_url": "https://test.salesforce.com"},
        {"source_address": "127.0.0.9"},
        {"ca_path": "/other/ca.pem"},
        {"consumer_key": "another"},
        {"auth": "username_password"},
        {"allowed_hosts": ("elsewhere.example",)},
    ],
)
def test_another_secret_user_org_or_address_never_gets_this_session(
    cache: SessionCache, door: Door, change: dict[str, Any]
) -> None:
    cache.obtain(CONNECTION, door.log_in, failed=None)
    cache.obtain(dataclasses.replace(CONNECTION, **change), door.log_in, failed=None)
    assert door.count == 2


def test_another_api_version_shares_it(cache: SessionCache, door: Door) -> None:
    for version in ("60.0", "67.0"):
        cache.obtain(dataclasses.replace(CONNECTION, api_version=version), door.log_in, failed=None)
    assert door.count == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("socket.socket", lambda *_args: NowhereToGo()),
        ("platform.node", lambda: "another-controller"),
        ("urllib.request.getproxies", lambda: {"https": "http://proxy.example:3128"}),
    ],
)
def test_a_machine_in_another_place_opens_its_own(
    cache: SessionCache, door: Door, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    """An org may bind a session to the address that opened it, and end it when it is used from elsewhere."""
    cache.obtain(CONNECTION, door.log_in, failed=None)
    monkeypatch.setattr(name, value)
    cache.obtain(CONNECTION, door.log_in, failed=None)
    assert door.count == 2


class NowhereToGo:
    """A socket of a machine that is in another network than before."""

    def __enter__(self) -> NowhereToGo:
        return self

    def __exit__(self, *_args: object) -> None: ...

    def connect(self, _address: object) -> None: ...

    def getsockname(self) -> tuple[str, int]:
        return "203.0.113.77", 0


def test_a_new_session_can_be_asked_for_and_serves_the_others(cache: SessionCache, door: Door) -> None:
    cache.obtain(CONNECTION, door.log_in, failed=None)
    renewed = cache.renew(CONNECTION, door.log_in)
    assert door.count == 2
    assert cache.obtain(CONNECTION, door.log_in, failed=None) == renewed


def test_it_counts_as_fresh_for_a_minute_after_the_org_took_it(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    assert not cache.is_fresh(CONNECTION)
    cache.refresh(CONNECTION)
    cache.obtain(CONNECTION, door.log_in, failed=None)
    assert cache.is_fresh(CONNECTION)
    (file,) = (tmp_path / "sessions").glob("*.session")
    os.utime(file, (time.time() - 61,) * 2)
    assert not cache.is_fresh(CONNECTION)
    cache.refresh(CONNECTION)
    assert cache.is_fresh(CONNECTION)


class Refusing:
    """An org that refuses, and counts."""

    def __init__(self, cause: str) -> None:
        self.cause, self.count = cause, 0

    def log_in(self, _connection: Connection) -> Session:
        self.count += 1
        raise LoginError("the org refused", cause=self.cause)

    def refuses(self, cache: SessionCache, connection: Connection = CONNECTION) -> str:
        with pytest.raises(LoginError) as caught:
            cache.obtain(connection, self.log_in, failed=None)
        assert caught.value.cause == self.cause
        return str(caught.value)


class TestRefusals:
    """A wrong try is made once in a run, whatever the number of tasks and hosts; ten lock the user out."""

    CIPHER = Fernet(Fernet.generate_key())

    def cache(self, tmp_path: Path, run: str = "run") -> SessionCache:
        return SessionCache(tmp_path / "sessions", self.CIPHER, tmp_path / run)

    def test_the_second_to_ask_is_told_without_another_try(self, tmp_path: Path) -> None:
        org = Refusing("invalid_credentials")
        assert org.refuses(self.cache(tmp_path)) == "the org refused"
        assert "the org refused; refused before in this run" in org.refuses(self.cache(tmp_path))
        assert org.count == 1

    def test_to_ask_for_a_new_session_is_no_way_around(self, tmp_path: Path, door: Door) -> None:
        Refusing("user_locked").refuses(self.cache(tmp_path))
        with pytest.raises(LoginError):
            self.cache(tmp_path).renew(CONNECTION, door.log_in)
        assert door.count == 0

    def test_the_next_run_tries_again(self, tmp_path: Path) -> None:
        org = Refusing("bad_password")
        org.refuses(self.cache(tmp_path))
        org.refuses(self.cache(tmp_path, "another run"))
        assert org.count == 2

    def test_other_secrets_are_tried(self, tmp_path: Path, door: Door) -> None:
        Refusing("stale_token").refuses(self.cache(tmp_path))
        other = dataclasses.replace(CONNECTION, security_token="another")
        assert self.cache(tmp_path).obtain(other, door.log_in, failed=None)

    def test_two_wrong_secrets_by_turns_are_tried_once_each(self, tmp_path: Path) -> None:
        org = Refusing("invalid_credentials")
        other = dataclasses.replace(CONNECTION, password="another")
        for connection in (CONNECTION, other, CONNECTION, other):
            org.refuses(self.cache(tmp_path), connection)
        assert org.count == 2

    def test_a_login_that_got_no_answer_may_have_been_counted_so_it_is_not_repeated_either(
        self, tmp_path: Path, door: Door
    ) -> None:
        def unanswered(_connection: Connection) -> Session:
            raise LoginUnansweredError("no answer came")

        for log_in in (unanswered, door.log_in):
            with pytest.raises(LoginUnansweredError, match="no answer came"):
                self.cache(tmp_path).obtain(CONNECTION, log_in, failed=None)
        assert door.count == 0
        assert self.cache(tmp_path, "another run").obtain(CONNECTION, door.log_in, failed=None)

    @pytest.mark.parametrize("cause", ["ip_denied", "soap_login_disabled"])
    def test_what_a_task_of_the_same_run_may_mend_is_tried_again(self, tmp_path: Path, cause: str) -> None:
        org = Refusing(cause)
        org.refuses(self.cache(tmp_path))
        org.refuses(self.cache(tmp_path))
        assert org.count == 2


def test_a_session_that_the_org_refuses_is_replaced_once_for_all_who_hold_it(cache: SessionCache, door: Door) -> None:
    stale = cache.obtain(CONNECTION, door.log_in, failed=None)
    fresh = cache.obtain(CONNECTION, door.log_in, failed=stale)
    assert fresh != stale
    assert cache.obtain(CONNECTION, door.log_in, failed=stale) == fresh
    assert door.count == 2


def test_a_refused_login_leaves_nothing_behind(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    def refuse(_connection: Connection) -> Session:
        raise LoginError("no", cause="invalid_credentials")

    with pytest.raises(LoginError):
        cache.obtain(CONNECTION, refuse, failed=None)
    assert not list((tmp_path / "sessions").glob("*.session"))


def test_the_file_is_private_and_holds_nothing_readable(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    session = cache.obtain(CONNECTION, door.log_in, failed=None)
    folder = tmp_path / "sessions"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes() + path.name.encode()
        for secret in (session.access_token, "Canary", "int@example.com"):
            assert secret.encode() not in content


def test_another_key_cannot_open_it_and_logs_in_anew(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    cache.obtain(CONNECTION, door.log_in, failed=None)
    other = SessionCache(tmp_path / "sessions", Fernet(Fernet.generate_key()), tmp_path)
    other.obtain(CONNECTION, door.log_in, failed=None)
    assert door.count == 2


def test_a_session_can_be_forgotten(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    cache.forget(CONNECTION)
    assert not (tmp_path / "sessions").exists()
    cache.obtain(CONNECTION, door.log_in, failed=None)
    cache.forget(CONNECTION)
    assert cache.kept(CONNECTION) is None
    assert list((tmp_path / "sessions").glob("*.session")) == []


def test_what_has_not_been_used_for_a_day_is_removed_with_the_next_login(
    cache: SessionCache, door: Door, tmp_path: Path
) -> None:
    """Salesforce has ended it by then; the credential may be gone, or log in as another user."""
    cache.obtain(CONNECTION, door.log_in, failed=None)
    (old,) = (tmp_path / "sessions").glob("*.session")
    left = tmp_path / "sessions" / ".session-of-a-killed-run"
    left.touch(mode=0o600)
    for file in (old, left):
        os.utime(file, (time.time() - 25 * 3600,) * 2)
    recent = dataclasses.replace(CONNECTION, username="recent@example.com")
    other = dataclasses.replace(CONNECTION, username="other@example.com")
    for connection in (recent, other):
        cache.obtain(connection, door.log_in, failed=None)
    assert not old.exists() and not left.exists()
    assert cache.kept(recent) and cache.kept(other)


def test_a_folder_where_no_session_can_be_kept_is_told_before_a_login(door: Door, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = SessionCache(tmp_path / "file" / "sessions", Fernet(Fernet.generate_key()), tmp_path / "run")
    with pytest.raises(GatehouseError, match="file/sessions: no session can be kept there: "):
        cache.obtain(CONNECTION, door.log_in, failed=None)
    assert door.count == 0


def test_a_refusal_that_could_not_be_noted_down_is_not_risked(
    cache: SessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk each of a hundred hosts would try the same wrong password."""
    org = Refusing("bad_password")

    def full(*_args: object, **_rest: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(GatehouseError, match="no session can be kept there: No space left on device"):
        cache.obtain(CONNECTION, org.log_in, failed=None)
    assert org.count == 0


def test_a_login_whose_process_was_killed_is_not_repeated_in_the_run(cache: SessionCache, door: Door) -> None:
    def killed(_connection: Connection) -> Session:
        os._exit(9)

    context = multiprocessing.get_context("fork")
    worker = context.Process(target=cache.obtain, args=(CONNECTION, killed), kwargs={"failed": None})
    worker.start()
    worker.join(10)
    with pytest.raises(LoginUnansweredError, match="not known.*so not tried again"):
        cache.obtain(CONNECTION, door.log_in, failed=None)
    assert door.count == 0
