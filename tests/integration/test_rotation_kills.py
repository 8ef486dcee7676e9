# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that dies by kill -9 is finished by the next run."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import lease
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from tests.support.dovecot import Dovecot
from tests.support.openbao import OpenBao
from tests.support.rotations import USER, Scene, kill_at_random, scene
from tests.support.stores import open_store


@pytest.fixture(scope="module")
def rotation(tmp_path_factory: pytest.TempPathFactory, server: Dovecot) -> Iterator[Scene]:
    """A credential, an org and a mail server, each in a process of its own."""
    with scene(tmp_path_factory.mktemp("rotation"), server) as made:
        yield made


@pytest.mark.parametrize("method", ["reset", "password"])
def test_a_rotation_that_is_killed_before_or_after_any_step_is_finished_by_the_next(
    rotation: Scene, method: str
) -> None:
    kills = 0
    for step in range(100):
        was_killed = rotation.killed_at(step, force=True, method=method)
        rotation.finish(method=method)
        assert rotation.is_whole(), step
        if not was_killed:
            break
        kills += 1
    # Before and after: the position, three writes or more, what is asked for, the login, and the mail.
    assert kills >= 2 * 7


def test_of_50_rotations_that_are_killed_at_random_moments_each_is_finished_by_the_next(
    rotation: Scene, seed: int
) -> None:
    killed, survived = kill_at_random(rotation, 50, longest=0.6, seed=seed)
    assert (killed, survived) == (50, 50)


@pytest.fixture
def on_a_server(
    rotation: Scene, bao: OpenBao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[Scene, Store]]:
    """The same credential on a key-value server, where a lock is a lease that runs out; a short one here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    store = open_store(store_key_file=rotation.options["store_key_file"], **bao.options)
    store.write(rotation.stored(), replaces=None)
    rotation.control.set_mail(delay=2.5)
    yield dataclasses.replace(rotation, options={**rotation.options, **bao.options}), store
    rotation.control.set_mail(delay=0.0)
    rotation.store.write(store.read("billing"), replaces=rotation.stored().version)


def knows(rotation: Scene, store: Store) -> bool:
    """Whether the store has what the org knows, and nothing is left to be done."""
    stored, user = store.read("billing"), rotation.control.user(USER)
    known = (user["password"], user["security_token"])
    return stored.rotation is None and (stored.connection.password, stored.connection.security_token) == known


def test_the_lock_of_a_server_is_held_while_the_mail_is_awaited(on_a_server: tuple[Scene, Store]) -> None:
    rotation, store = on_a_server
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(rotation.run(force=True)["rotated"])) for _number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, True]
    assert knows(rotation, store)


def test_a_lock_that_is_lost_while_the_mail_is_awaited_costs_nothing_but_another_run(
    on_a_server: tuple[Scene, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation, store = on_a_server
    with monkeypatch.context() as patch:
        patch.setattr(lease.Lease, "keep", lambda _self: None)  # the server cannot be reached for a while
        with pytest.raises(GatehouseError, match="the lock was lost"):
            rotation.run(force=True)
    assert store.read("billing").rotation
    assert rotation.run()["resumed"]
    assert knows(rotation, store)
    assert {row["status"] for row in rotation.control.login_history()} == {"Success"}
