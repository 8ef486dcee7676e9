# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are replaced without loss, wherever it is interrupted, in both kinds of store."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import store_key
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import keys
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.unit.test_stores import Kind, credential, delivery, kind, store

__all__ = ["kind", "store"]  # fixtures
NAMES = ["a", "b", "c"]


@pytest.fixture
def filled(kind: Kind, store: Store) -> Store:
    """A store with a few credentials, each of two versions."""
    for name in NAMES:
        store.write(credential(name), replaces=None)
        store.write(credential(name, 2), replaces=1)
    return store


def run(kind: Kind, state: str, *, check_mode: bool = False) -> dict[str, Any]:
    """What the module does."""
    options = {"state": state, **kind.options}
    return store_key.run(options, Task.read(options, check_mode=check_mode, folder=Path("/nonexistent")))


def keys_of(kind: Kind) -> list[bytes]:
    """The keys in the file."""
    return key_file(kind).read_bytes().split()


def key_file(kind: Kind) -> Path:
    """The file of keys."""
    return Path(kind.options["store_key_file"])


def test_a_key_is_made_once_for_its_owner_alone(kind: Kind) -> None:
    key_file(kind).unlink()
    assert run(kind, "present", check_mode=True)["changed"] is True
    assert not key_file(kind).exists()
    first, second = run(kind, "present"), run(kind, "present")
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["newest"] == second["newest"]
    assert stat.S_IMODE(key_file(kind).stat().st_mode) == 0o600


def test_a_key_is_added_once_and_then_retired_once(kind: Kind, filled: Store) -> None:
    (old,) = keys_of(kind)
    assert [run(kind, "added")["changed"] for _time in range(2)] == [True, False]
    new, other = keys_of(kind)
    assert other == old
    assert kind.open().read("a") == credential("a", 2)
    result = run(kind, "retired")
    assert (result["changed"], result["resealed"], result["older"]) == (True, NAMES, [])
    assert keys_of(kind) == [new]
    assert [kind.open().read(name) for name in NAMES] == [credential(name, 2) for name in NAMES]
    assert run(kind, "retired")["changed"] is False


def test_a_rotation_leaves_nothing_that_the_old_key_opens_but_the_old_key_aside(kind: Kind, filled: Store) -> None:
    old = keys_of(kind)
    result = run(kind, "rotated")
    assert result["resealed"] == NAMES
    aside = Path(result["retired_file"])
    assert aside.read_bytes().split() == old
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    kind.keys(*old)
    for name in NAMES:
        with pytest.raises(StoreError, match="none of the keys opens it"):
            kind.open().read(name)


def test_check_mode_tells_and_changes_nothing(kind: Kind, filled: Store) -> None:
    before = keys_of(kind)
    predicted = run(kind, "rotated", check_mode=True)
    assert (predicted["changed"], predicted["resealed"]) == (True, NAMES)
    assert keys_of(kind) == before
    assert kind.open().read("a") == credential("a", 2)
    assert len(kind.open().history("a")) == 2


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(12))
def test_a_rotation_killed_anywhere_loses_nothing_and_is_finished_by_the_next(
    kind: Kind, filled: Store, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    steps: list[str] = []

    def killing(name: str, real: Any) -> Any:
        def step(*args: Any, **kwargs: Any) -> Any:
            steps.append(name)
            if len(steps) == at + 1:
                raise Killed
            result = real(*args, **kwargs)
            steps.append(name)
            if len(steps) == at + 1:
                raise Killed
            return result

        return step

    (old,) = keys_of(kind)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(store_key, "rewrite_keys", killing("keys", keys.rewrite_keys))
        patched.setattr(type(filled), "reseal", killing("reseal", type(filled).reseal))
        run(kind, "rotated")
    assert [kind.open().read(name) for name in NAMES] == [credential(name, 2) for name in NAMES]
    run(kind, "rotated")
    assert len(keys_of(kind)) == 1
    assert old not in keys_of(kind)
    assert [kind.open().read(name) for name in NAMES] == [credential(name, 2) for name in NAMES]


def test_no_key_is_retired_while_something_cannot_be_opened(kind: Kind, filled: Store) -> None:
    run(kind, "added")
    kind.overwrite("b", {**kind.raw("b"), "sealed": "CANARY"})
    before = keys_of(kind)
    with pytest.raises(StoreError, match="b.*none of the keys opens it") as caught:
        run(kind, "retired")
    assert caught.value.result == {"resealed": ["a"], "changed": True}
    assert keys_of(kind) == before


def test_comments_in_the_file_stay(kind: Kind, filled: Store) -> None:
    key_file(kind).write_bytes(b"# of the acme org\n" + keys_of(kind)[0] + b"\n")
    run(kind, "rotated")
    assert b"# of the acme org\n" in key_file(kind).read_bytes()


def test_a_program_is_not_rewritten_but_what_it_prints_is_used(kind: Kind, filled: Store, tmp_path: Path) -> None:
    (old,) = keys_of(kind)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho {old.decode()}\n")
    program.chmod(0o700)
    kind.options["store_key_file"] = str(program)
    with pytest.raises(OptionError, match="store_key_file: .* cannot be rewritten"):
        run(kind, "added")
    kind.keys(b"#!/bin/sh", b"echo NEW", b"echo " + old)
    program.write_text(program.read_text().replace("NEW", keys.new_key().decode()))
    assert run(kind, "retired")["resealed"] == NAMES
    second = run(kind, "retired")
    assert (second["changed"], len(second["older"])) == (False, 1)
    assert os.access(program, os.X_OK)


def test_who_holds_a_credential_is_sealed_again_even_when_it_is_gone(kind: Kind, filled: Store) -> None:
    for name in ("a", "gone"):
        filled.record_deliveries(name, {"web1:/a": delivery()})
    assert "gone" in run(kind, "rotated")["resealed"]
    assert len(keys_of(kind)) == 1
    assert [kind.open().deliveries(name) for name in ("a", "gone")] == [{"web1:/a": delivery()}] * 2
    assert run(kind, "retired")["changed"] is False


def test_retiring_needs_a_file(kind: Kind) -> None:
    key_file(kind).unlink()
    with pytest.raises(OptionError, match="does not exist"):
        run(kind, "retired")


def test_a_key_that_stands_in_the_file_twice_is_not_retired(kind: Kind, filled: Store) -> None:
    (key,) = keys_of(kind)
    kind.keys(key, b"# once more", key)
    assert run(kind, "retired")["changed"] is False
    assert run(kind, "rotated")["resealed"] == NAMES
    assert len(key_file(kind).read_bytes().split(b"\n")[0]) == len(key)
    assert [kind.open().read(name) for name in NAMES] == [credential(name, 2) for name in NAMES]


@pytest.mark.parametrize("state", ["present", "rotated"])
def test_tasks_for_many_hosts_at_once_wait_for_each_other(
    kind: Kind, filled: Store, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Forks do the same to the same file, and none may take out what another has just sealed with."""
    if state == "present":
        key_file(kind).unlink()

    def host(number: int) -> None:
        def late(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                time.sleep(0.3 + number)
                return real(*args)

            return call

        for name in ("rewrite_keys", "generate_key"):
            monkeypatch.setattr(store_key, name, late(getattr(keys, name)))
        run(kind, state)

    context = multiprocessing.get_context("fork")
    hosts = [context.Process(target=host, args=(number,)) for number in (0, 1)]
    for each in hosts:
        each.start()
    for each in hosts:
        each.join(60)
    assert [each.exitcode for each in hosts] == [0, 0]
    if state == "rotated":
        assert [kind.open().read(name) for name in NAMES] == [credential(name, 2) for name in NAMES]


def test_a_link_to_the_file_stays_one(kind: Kind, filled: Store, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file(kind))
    old = keys_of(kind)
    kind.options["store_key_file"] = str(link)
    run(kind, "rotated")
    assert link.is_symlink()
    assert len(keys_of(kind)) == 1
    assert keys_of(kind) != old
    assert (tmp_path / "key").read_bytes() == link.read_bytes()


def test_a_place_where_no_file_can_be_made_is_told(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kind.options["store_key_file"] = str(tmp_path / "file" / "key")
    with pytest.raises(OptionError, match="^store_key_file: .*file/key cannot be created: File exists"):
        run(kind, "present")


def test_a_file_in_a_folder_that_cannot_be_changed_serves_all_the_same(
    kind: Kind, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(_path: Path) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(store_key, "file_lock", read_only)
    assert run(kind, "present")["changed"] is False
    assert run(kind, "retired")["changed"] is False


def test_what_cannot_be_the_name_of_a_credential_is_none(kind: Kind, filled: Store) -> None:
    kind.overwrite("a (copy)", kind.raw("a"))
    assert kind.open().names() == NAMES
    if kind.options["store"].startswith("https://"):
        assert run(kind, "rotated")["resealed"] == NAMES
    else:  # in a folder, no key is retired that opens a copy
        with pytest.raises(StoreError, match=r"a \(copy\)\.json: is no file of this store"):
            run(kind, "rotated")
