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

from ansible_collections.gatehouse.salesforce.plugins.module_utils.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils.errors import LoginError
from ansible_collections.gatehouse.salesforce.plugins.module_utils.org.login import Session
from ansible_collections.gatehouse.salesforce.plugins.module_utils.org.sessions import SessionCache

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
    return SessionCache(tmp_path / "sessions", Fernet(Fernet.generate_key()))


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

    @pytest.mark.parametrize("cause", ["token_required_here", "ip_denied", "soap_login_disabled"])
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
    SessionCache(tmp_path / "sessions", Fernet(Fernet.generate_key())).obtain(CONNECTION, door.log_in, failed=None)
    assert door.count == 2
