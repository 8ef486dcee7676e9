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
        context.Process(target=cache.obtain, args=(CONNECTION, door.log_in), kwargs={"failed": None}) for _ in range(8)
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
    ],
)
def test_another_secret_user_org_or_address_never_gets_this_session(
    cache: SessionCache, door: Door, change: dict[str, str]
) -> None:
    cache.obtain(CONNECTION, door.log_in, failed=None)
    cache.obtain(dataclasses.replace(CONNECTION, **change), door.log_in, failed=None)  # type: ignore[arg-type]
    assert door.count == 2


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
