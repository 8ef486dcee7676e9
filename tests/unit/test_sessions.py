# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session serves everybody who may share it, and nobody else."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError, LoginError
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
    return new_cache(tmp_path)


def new_cache(tmp_path: Path) -> SessionCache:
    """Return a cache with a key of its own."""
    return SessionCache(tmp_path / "sessions", Fernet(Fernet.generate_key()), LoginAttempts(tmp_path / "run", None))


def test_the_second_to_ask_gets_the_session_of_the_first(cache: SessionCache, door: Door) -> None:
    first = cache.get_or_open(CONNECTION, door.log_in, failed=None)
    assert cache.get_or_open(CONNECTION, door.log_in, failed=None) == first
    assert door.count == 1


def test_many_processes_that_ask_at_once_cause_one_login(cache: SessionCache, door: Door) -> None:
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=cache.get_or_open, args=(CONNECTION, door.log_in), kwargs={"failed": None})
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
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    cache.get_or_open(dataclasses.replace(CONNECTION, **change), door.log_in, failed=None)
    assert door.count == 2


def test_another_api_version_shares_it(cache: SessionCache, door: Door) -> None:
    for version in ("60.0", "67.0"):
        cache.get_or_open(dataclasses.replace(CONNECTION, api_version=version), door.log_in, failed=None)
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
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    monkeypatch.setattr(name, value)
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
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
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    renewed = cache.open_new(CONNECTION, door.log_in)
    assert door.count == 2
    assert cache.get_or_open(CONNECTION, door.log_in, failed=None) == renewed


def test_it_counts_as_fresh_for_a_minute_after_the_org_took_it(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    assert not cache.recently_confirmed(CONNECTION)
    cache.mark_confirmed(CONNECTION)
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    assert cache.recently_confirmed(CONNECTION)
    (file,) = (tmp_path / "sessions").glob("*.session")
    os.utime(file, (time.time() - 61,) * 2)
    assert not cache.recently_confirmed(CONNECTION)
    cache.mark_confirmed(CONNECTION)
    assert cache.recently_confirmed(CONNECTION)


def test_a_session_that_the_org_refuses_is_replaced_once_for_all_who_hold_it(cache: SessionCache, door: Door) -> None:
    stale = cache.get_or_open(CONNECTION, door.log_in, failed=None)
    fresh = cache.get_or_open(CONNECTION, door.log_in, failed=stale)
    assert fresh != stale
    assert cache.get_or_open(CONNECTION, door.log_in, failed=stale) == fresh
    assert door.count == 2


def test_a_refused_login_leaves_nothing_behind(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    def refuse(_connection: Connection) -> Session:
        raise LoginError("no", cause="invalid_credentials")

    with pytest.raises(LoginError):
        cache.get_or_open(CONNECTION, refuse, failed=None)
    assert not list((tmp_path / "sessions").glob("*.session"))


def test_the_file_is_private_and_holds_nothing_readable(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    session = cache.get_or_open(CONNECTION, door.log_in, failed=None)
    folder = tmp_path / "sessions"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes() + path.name.encode()
        for secret in (session.access_token, "Canary", "int@example.com"):
            assert secret.encode() not in content


def test_another_key_cannot_open_it_and_logs_in_anew(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    other = new_cache(tmp_path)
    other.get_or_open(CONNECTION, door.log_in, failed=None)
    assert door.count == 2


def test_a_session_can_be_forgotten(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    cache.forget(CONNECTION)
    assert not (tmp_path / "sessions").exists()
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    cache.forget(CONNECTION)
    assert cache.cached(CONNECTION) is None
    assert list((tmp_path / "sessions").glob("*.session")) == []


def test_what_has_not_been_used_for_a_day_is_removed_with_the_next_login(
    cache: SessionCache, door: Door, tmp_path: Path
) -> None:
    """Salesforce has ended it by then; the credential may be gone, or log in as another user."""
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    (old,) = (tmp_path / "sessions").glob("*.session")
    left = tmp_path / "sessions" / ".session-of-a-killed-run"
    left.touch(mode=0o600)
    for file in (old, left):
        os.utime(file, (time.time() - 25 * 3600,) * 2)
    recent = dataclasses.replace(CONNECTION, username="recent@example.com")
    other = dataclasses.replace(CONNECTION, username="other@example.com")
    for connection in (recent, other):
        cache.get_or_open(connection, door.log_in, failed=None)
    assert not old.exists() and not left.exists()
    assert cache.cached(recent) and cache.cached(other)


def test_a_folder_where_no_session_can_be_kept_is_told_before_a_login(door: Door, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = new_cache(tmp_path / "file")
    with pytest.raises(GatehouseError, match="file/sessions: no session can be kept there: "):
        cache.get_or_open(CONNECTION, door.log_in, failed=None)
    assert door.count == 0


def test_a_clock_that_was_set_back_makes_no_session_confirmed_for_ever(
    cache: SessionCache, door: Door, tmp_path: Path
) -> None:
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    (file,) = (tmp_path / "sessions").glob("*.session")
    os.utime(file, (time.time() + 7200,) * 2)
    assert not cache.recently_confirmed(CONNECTION)
    cache.get_or_open(dataclasses.replace(CONNECTION, username="other@example.com"), door.log_in, failed=None)
    assert not file.exists(), "it would never grow old"


def test_a_session_file_renamed_to_another_user_s_is_not_taken(cache: SessionCache, door: Door, tmp_path: Path) -> None:
    """Both may have the same password and no token."""
    folder = tmp_path / "sessions"
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    (mine,) = folder.glob("*.session")
    other = dataclasses.replace(CONNECTION, username="other@example.com")
    cache.get_or_open(other, door.log_in, failed=None)
    (others,) = set(folder.glob("*.session")) - {mine}
    mine.replace(others)
    assert cache.cached(other) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"[]", b"3", b"{}", b'{"belongs_to": 1}', b"[" * 20_000, b'{"bad_password": [true, "", ""]}'],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_session_file_with_anything_else_in_it_is_replaced(
    door: Door, tmp_path: Path, content: bytes, sealed: bool
) -> None:
    cipher = Fernet(Fernet.generate_key())
    cache = SessionCache(tmp_path / "sessions", cipher, LoginAttempts(tmp_path / "run", None))
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    (file,) = (tmp_path / "sessions").glob("*.session")
    file.write_bytes(cipher.encrypt(content) if sealed else content)
    assert cache.cached(CONNECTION) is None
    cache.get_or_open(CONNECTION, door.log_in, failed=None)
    assert door.count == 2 and cache.cached(CONNECTION)
