# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a folder of credentials promises: whole records, sealed ones, and no lost change."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import store as stores
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    CredentialNotFoundError,
    OptionError,
    StoreError,
    VersionConflictError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.folder import FolderBlobs
from tests.support.folder_store import FolderStore
from tests.support.stores import open_store, store_options
from tests.unit.test_stores import delivery

NOW = "2026-01-05T08:00:00Z"
RAW_KEY = Fernet.generate_key()
KEY = Fernet(RAW_KEY)
WRITES = 125


def credential(name: str = "prod", version: int = 1, **fields: Any) -> Credential:
    """A credential whose secrets are recognised anywhere."""
    given = {"username": "user@example.com", "password": "CANARY-password", "security_token": "CANARY-token", **fields}
    return Credential(name=name, connection=Connection(**given), version=version, created=NOW, updated=NOW)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store that does not exist yet."""
    return FolderStore(tmp_path / "some" / "store", MultiFernet([KEY]))


def mode(path: Path) -> int:
    """The permissions of a path."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_is_written_is_read(store: FolderStore) -> None:
    written = dataclasses.replace(credential(), previous=Connection(username="u", password="CANARY-before"))
    store.write(written, replaces=None)
    assert store.read("prod") == written
    assert store.names() == ["prod"]


def test_a_record_shows_its_clear_part_and_no_secret(store: FolderStore) -> None:
    written = dataclasses.replace(credential(), previous=Connection(username="u", password="CANARY-before"))
    store.write(written, replaces=None)
    text = (store.folder / "prod.json").read_text()
    assert json.loads(text)["credential"]["username"] == "user@example.com"
    assert json.loads(text)["credential"]["secrets"] == ["password", "security_token"]
    assert "CANARY" not in text


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_folder_and_records_are_the_owners_alone_whatever_the_umask(store: FolderStore, umask: int) -> None:
    before = os.umask(umask)
    try:
        store.folder.parent.mkdir(mode=0o755, exist_ok=True)
        store.folder.mkdir(mode=0o700, exist_ok=True)
        store.folder.chmod(0o700)
        store.write(credential(), replaces=None)
        for path in (store.folder, *store.folder.rglob("*")):
            assert mode(path) & 0o077 == 0, path
    finally:
        os.umask(before)


def test_the_folder_is_made_for_its_owner(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    assert mode(store.folder) == 0o700
    assert mode(store.folder / "prod.json") == 0o600


def test_reading_creates_nothing(store: FolderStore) -> None:
    with pytest.raises(CredentialNotFoundError, match="store .* does not exist yet"):
        store.read("prod")
    assert store.names() == []
    assert not store.folder.exists()


def test_an_unknown_name_is_told_with_the_store_and_the_way_out(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    with pytest.raises(
        CredentialNotFoundError,
        match="no credential 'other' in the store .*/some/store; the module credential stores one, and the "
        r"option store \(variable gatehouse_salesforce_store\) names another store",
    ):
        store.read("other")
    with pytest.raises(CredentialNotFoundError, match=r"'prd' in the store .*/some/store \(did you mean prod\?\); "):
        store.read("prd")
    with pytest.raises(OptionError, match="^name: "):
        store.read("../prod")


def test_a_write_names_the_version_that_it_replaces(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    store.write(credential(version=2), replaces=1)
    with pytest.raises(VersionConflictError, match="the store has version 2, not version 1; nothing was written"):
        store.write(credential(version=2, password="CANARY-late"), replaces=1)
    with pytest.raises(VersionConflictError, match="the store has version 2, not none"):
        store.write(credential(), replaces=None)
    with pytest.raises(VersionConflictError, match="the store has none, not version 1"):
        store.write(credential("other", version=2), replaces=1)
    assert store.read("prod") == credential(version=2)


def test_a_removal_names_the_version_that_it_removes(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    with pytest.raises(VersionConflictError):
        store.delete("prod", replaces=2)
    store.delete("prod", replaces=1)
    assert store.names() == []
    with pytest.raises(VersionConflictError):
        store.delete("prod", replaces=1)


# What somebody with an editor may do to the file of a record.
def _edit_the_address(record: dict[str, Any]) -> None:
    record["credential"]["login_url"] = "https://evil.salesforce.com"


def _edit_the_allowed_hosts(record: dict[str, Any]) -> None:
    record["credential"]["allowed_hosts"] = ["*"]


def _add_a_field(record: dict[str, Any]) -> None:
    record["credential"]["ca_path"] = "/tmp/evil.pem"


def _turn_back_the_version(record: dict[str, Any]) -> None:
    record["credential"]["version"] = 0


@pytest.mark.parametrize("edit", [_edit_the_address, _edit_the_allowed_hosts, _add_a_field, _turn_back_the_version])
def test_a_clear_part_changed_by_hand_is_detected(store: FolderStore, edit: Callable[[dict[str, Any]], None]) -> None:
    store.write(credential(), replaces=None)
    file = store.folder / "prod.json"
    record = json.loads(file.read_text())
    edit(record)
    file.write_text(json.dumps(record))
    with pytest.raises(StoreError, match=r"prod\.json: it was tampered with") as caught:
        store.read("prod")
    assert "CANARY" not in str(caught.value)
    with pytest.raises(StoreError, match="tampered"):
        store.write(credential(version=2), replaces=1)


def test_records_cannot_be_swapped(store: FolderStore) -> None:
    store.write(credential("test"), replaces=None)
    store.write(credential("prod"), replaces=None)
    (store.folder / "test.json").replace(store.folder / "prod.json")
    with pytest.raises(StoreError, match=r"prod\.json: it was tampered with: it is the credential 'test'"):
        store.read("prod")


def test_sealed_parts_cannot_be_swapped(store: FolderStore) -> None:
    store.write(credential("test"), replaces=None)
    store.write(credential("prod"), replaces=None)
    test, prod = (json.loads((store.folder / f"{name}.json").read_text()) for name in ("test", "prod"))
    (store.folder / "prod.json").write_text(json.dumps({**prod, "sealed": test["sealed"]}))
    with pytest.raises(StoreError, match="tampered"):
        store.read("prod")


def test_another_key_does_not_open_it(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    stranger = FolderStore(store.folder, MultiFernet([Fernet(Fernet.generate_key())]))
    with pytest.raises(StoreError, match=r"prod\.json: none of the keys opens it"):
        stranger.read("prod")


def test_a_store_is_read_with_the_old_key_and_written_with_the_new(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    new = Fernet(Fernet.generate_key())
    rotated = FolderStore(store.folder, MultiFernet([new, KEY]))
    assert rotated.read("prod") == credential()
    rotated.write(credential(version=2), replaces=1)
    assert FolderStore(store.folder, MultiFernet([new])).read("prod").version == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"CANARY"',
        b"{}",
        b'{"credential": {}, "sealed": 3}',
        b'{"sealed": "CANARY"}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_told_without_its_content(store: FolderStore, content: bytes) -> None:
    store.write(credential(), replaces=None)
    (store.folder / "prod.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"prod\.json: ") as caught:
        store.read("prod")
    assert not isinstance(caught.value, CredentialNotFoundError)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_each_byte_counts(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    file = store.folder / "prod.json"
    whole = file.read_bytes()
    for cut in range(0, len(whole) - 1, 7):
        file.write_bytes(whole[:cut])
        with pytest.raises(StoreError):
            store.read("prod")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_write_that_is_killed_leaves_the_old_record_and_the_next_write_goes_on(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store.write(credential(), replaces=None)

    def kill(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(os, step, kill)
        store.write(credential(version=2, password="CANARY-2"), replaces=1)
    assert store.read("prod") == credential()
    assert store.names() == ["prod"]
    for left in store.folder.iterdir():
        assert left.is_dir() or (mode(left) == 0o600 and "CANARY" not in left.read_text())
    assert store.history("prod") == [credential()]
    store.reseal("prod")
    assert store.history("prod") == [credential()]
    store.write(credential(version=2), replaces=1)
    assert store.history("prod") == [credential(), credential(version=2)]
    assert sorted(path.name for path in store.folder.iterdir()) == [".history", ".locks", "prod.json"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_who_holds_a_credential_is_for_the_owner_to_know(store: FolderStore, umask: int) -> None:
    before = os.umask(umask)
    try:
        store.record_deliveries("prod", {"web1:/a": delivery()})
    finally:
        os.umask(before)
    for path in (store.folder, *store.folder.rglob("*")):
        assert mode(path) & 0o077 == 0, path
    assert mode(store.folder / ".deliveries" / "prod.json") == 0o600


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_note_that_is_killed_leaves_the_old_one(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store.record_deliveries("prod", {"web1:/a": delivery()})

    def kill(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(os, step, kill)
        store.record_deliveries("prod", {"web1:/a": delivery(2)})
    assert store.deliveries("prod") == {"web1:/a": delivery()}
    assert store.delivered_names() == ["prod"]
    store.record_deliveries("prod", {"web1:/a": delivery(2)})
    assert store.deliveries("prod") == {"web1:/a": delivery(2)}


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def spy_replace(*paths: Any) -> None:
        done.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    store.write(credential(), replaces=None)
    assert done == ["file", "replace", "folder"]


def test_a_full_disk_is_told_and_loses_nothing(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(credential(), replaces=None)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(StoreError, match=r"cannot be written: No space left"):
        patched.setattr(os, "fsync", full)
        store.write(credential(version=2), replaces=1)
    assert store.read("prod") == credential()


def test_a_link_in_place_of_a_record_is_not_followed(store: FolderStore, tmp_path: Path) -> None:
    store.write(credential(), replaces=None)
    elsewhere = tmp_path / "elsewhere.json"
    (store.folder / "prod.json").rename(elsewhere)
    (store.folder / "prod.json").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is a symbolic link"):
        store.read("prod")
    with pytest.raises(StoreError, match="is a symbolic link"):
        store.write(credential(version=2), replaces=1)


@pytest.mark.parametrize("planted", [".prod.json.new", ".locks/prod"])
def test_a_link_in_place_of_a_file_at_work_harms_nothing(store: FolderStore, tmp_path: Path, planted: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (store.folder / ".locks").mkdir(mode=0o700, parents=True)
    store.folder.chmod(0o700)
    (store.folder / planted).symlink_to(victim)
    if planted.startswith(".locks"):
        with pytest.raises(StoreError, match="cannot be locked: it is a symbolic link"):
            store.write(credential(), replaces=None)
    else:
        store.write(credential(), replaces=None)
        assert store.read("prod") == credential()
    assert victim.read_text() == "precious"


def test_what_is_no_file_is_refused_and_does_not_hang(store: FolderStore) -> None:
    store.write(credential("other"), replaces=None)
    os.mkfifo(store.folder / "pipe.json", 0o600)
    (store.folder / "folder.json").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(StoreError, match="is not a file"):
            store.read(name)


@pytest.mark.parametrize("too_open", [0o640, 0o604, 0o620, 0o666])
def test_a_record_open_to_others_is_refused(store: FolderStore, too_open: int) -> None:
    store.write(credential(), replaces=None)
    (store.folder / "prod.json").chmod(too_open)
    with pytest.raises(StoreError, match=f"open to others .mode {too_open:04o}.; chmod 600"):
        store.read("prod")


@pytest.mark.parametrize("too_open", [0o770, 0o777, 0o1777, 0o702])
def test_a_folder_that_others_can_change_is_refused(store: FolderStore, too_open: int) -> None:
    store.write(credential(), replaces=None)
    store.folder.chmod(too_open)
    for use in (lambda: store.read("prod"), store.names, lambda: store.write(credential(version=2), replaces=1)):
        with pytest.raises(OptionError, match="^store: .* can be changed by others"):
            use()


@pytest.mark.parametrize("whose", ["record", "folder"])
def test_what_belongs_to_another_user_is_refused(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    store.write(credential(), replaces=None)
    path = store.folder if whose == "folder" else store.folder / "prod.json"
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    elif whose == "folder":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    else:
        pytest.skip("only root can give a file away")
    with pytest.raises((StoreError, OptionError), match="belongs to another user"):
        store.read("prod")


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is not a folder"):
        FolderStore(tmp_path / "file", MultiFernet([KEY])).read("prod")
    with pytest.raises(OptionError, match="cannot be used: Not a directory"):
        FolderStore(tmp_path / "file" / "below", MultiFernet([KEY])).read("prod")


def _change_ten_times(folder: Path, key: bytes) -> None:
    mine = FolderStore(folder, MultiFernet([Fernet(key)]))
    for _number in range(10):
        with mine.lock("prod"):
            current = mine.read("prod")
            time.sleep(0.002)
            mine.write(dataclasses.replace(current, version=current.version + 1), replaces=current.version)


def test_processes_wait_for_each_other_and_lose_no_change(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_change_ten_times, args=(store.folder, RAW_KEY)) for _number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert store.read("prod").version == 31


def test_threads_that_share_a_store_wait_for_each_other_too(store: FolderStore) -> None:
    entered = threading.Event()

    def enter() -> None:
        with store.lock("prod"):
            entered.set()

    other = threading.Thread(target=enter)
    with store.lock("prod"):
        other.start()
        assert not entered.wait(0.1)
    other.join(5)
    assert entered.is_set()


def test_a_lock_held_for_too_long_is_told(store: FolderStore) -> None:
    told = "'prod' is being changed by another process; gave up after 0.05 seconds"
    other = FolderStore(store.folder, store.fernet)
    with (
        store.lock("prod"),
        other.lock("other"),
        pytest.raises(StoreError, match=told),
        other.lock("prod", seconds=0.05),
    ):
        raise AssertionError("the lock was given twice")


def test_a_holder_may_lock_again_and_write(store: FolderStore) -> None:
    with store.lock("prod"), store.lock("prod"):
        store.write(credential(), replaces=None)
    with FolderStore(store.folder, store.fernet).lock("prod", seconds=0):
        pass


def test_a_lock_is_let_go_after_an_error(store: FolderStore) -> None:
    with pytest.raises(Killed), store.lock("prod"):
        raise Killed
    with FolderStore(store.folder, store.fernet).lock("prod", seconds=0):
        pass


def test_among_ten_thousand_records_one_is_opened_by_itself(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(credential(), replaces=None)
    content = (store.folder / "prod.json").read_bytes()
    for number in range(10_000):
        (store.folder / f"other{number}.json").write_bytes(content)
    opened: list[str] = []
    real_open = os.open

    def spy_open(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(Path(path).name)
        return real_open(path, *args, **kwargs)

    real_scandir = os.scandir

    def spy_scandir(path: Any) -> Any:
        assert Path(path) != store.folder, "the folder was listed"
        return real_scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", spy_open)
        patched.setattr(os, "scandir", spy_scandir)
        assert store.read("prod") == credential()
        assert opened == ["prod.json"]
        store.write(credential(version=2), replaces=1)
    assert set(opened) == {"prod.json", "prod", ".prod.json.new", "store"}
    assert len(store.names()) == 10_001


def test_names_are_those_of_records_only(store: FolderStore) -> None:
    store.write(credential("b"), replaces=None)
    store.write(credential("a"), replaces=None)
    (store.folder / "README").write_text("")
    (store.folder / ".sessions").mkdir()
    assert store.names() == ["a", "b"]


def test_a_store_is_opened_by_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OptionError, match=r"^store_key_file: .*/\.config/gatehouse/salesforce\.key does not exist"):
        open_store("~/store")
    key = stores.generate_key("~/.config/gatehouse/salesforce.key")
    for opened in (
        open_store("~/store"),
        open_store("~/store", str(key)),
        open_store("~/store", ""),
    ):
        assert opened.local_folder == tmp_path / "store"


def test_unknown_names_are_an_error_a_warning_or_nothing(store: FolderStore) -> None:
    store.write(credential("a"), replaces=None)
    warnings: list[str] = []

    def read(on_missing: str) -> list[str]:
        found = stores.read_each(store, ["x", "a"], on_missing=on_missing, warn=warnings.append)
        return [each.name for each in found]

    with pytest.raises(CredentialNotFoundError):
        read("error")
    assert read("skip") == ["a"]
    assert warnings == []
    assert read("warn") == ["a"]
    assert len(warnings) == 1
    assert "'x'" in warnings[0]


def in_a_child(act: Callable[[], object]) -> str:
    """What a forked process said of the error that it met."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            act()
        except StoreError as exc:
            os.write(writing, str(exc).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


def test_no_kill_during_writes_leaves_an_unreadable_record(store: FolderStore, seed: int) -> None:
    chance = random.Random(seed)
    store.write(credential(), replaces=None)
    version, kills = 1, 0
    while version < WRITES:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            for number in range(version, WRITES + 1):
                store.write(credential(version=number + 1, password=f"CANARY-{number + 1}"), replaces=number)
                os.write(writing, b".")
            os._exit(0)
        os.close(writing)
        time.sleep(chance.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            acknowledged = version + len(said.read())
        kills += 1
        found = store.history("prod")
        assert found[-1].version in (acknowledged, acknowledged + 1)
        assert [each.version for each in found] == list(
            range(found[-1].version - len(found) + 1, found[-1].version + 1)
        )
        version = found[-1].version
    assert kills > 3


def test_a_disk_that_takes_no_more_is_told_and_loses_nothing(store: FolderStore) -> None:
    store.write(credential(), replaces=None)

    def write_beyond_the_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        store.write(credential(version=2), replaces=1)

    assert "prod.json: cannot be written: File too large" in in_a_child(write_beyond_the_limit)
    assert store.read("prod") == credential()
    store.write(credential(version=2), replaces=1)
    assert store.history("prod") == [credential(), credential(version=2)]


def test_a_folder_that_cannot_be_written_is_told_and_still_read(request: pytest.FixtureRequest) -> None:
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-"))  # pytest's own folder is closed to other users
    request.addfinalizer(lambda: shutil.rmtree(folder))
    store = FolderStore(folder, MultiFernet([KEY]))

    def write_as_its_owner() -> None:
        if os.geteuid() == 0:  # for whom there is no such thing as a folder that cannot be written
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534)
            os.setuid(65534)
        folder.chmod(0o500)
        assert store.read("prod") == credential()
        store.write(credential(version=2), replaces=1)

    store.write(credential(), replaces=None)
    assert "prod.json: cannot be written: Permission denied" in in_a_child(write_as_its_owner)


def test_a_folder_without_locks_is_told(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match="cannot be locked: No locks available; use a folder on a file"):
        store.write(credential(), replaces=None)


def test_an_earlier_record_changed_by_hand_is_detected_too(store: FolderStore) -> None:
    store.write(credential(), replaces=None)
    store.write(credential(version=2), replaces=1)
    (earlier,) = (store.folder / ".history" / "prod").iterdir()
    record = json.loads(earlier.read_text())
    _edit_the_address(record)
    earlier.write_text(json.dumps(record))
    with pytest.raises(StoreError, match=r"0000000001\.json: it was tampered with"):
        store.history("prod")
    assert store.read("prod") == credential(version=2)


def test_a_history_that_is_written_meanwhile_is_read_again(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a rotation of keys would take the credential for one that is gone, and retire its key."""
    store.write(credential(), replaces=None)
    for version in range(1, 12):
        store.write(credential(version=version + 1), replaces=version)
    listed = FolderBlobs._earlier

    def then_written(blobs: FolderBlobs, name: str) -> list[Path]:
        found = listed(blobs, name)
        monkeypatch.undo()
        store.write(credential(version=13), replaces=12)
        return found

    monkeypatch.setattr(FolderBlobs, "_earlier", then_written)
    assert [each.version for each in store.history("prod")] == list(range(4, 14))


@pytest.mark.parametrize("at", range(4))
def test_a_removal_that_is_killed_is_finished_by_the_next(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    for version in (1, 2, 3):
        store.write(credential(version=version), replaces=version - 1 or None)
    removed: list[Path] = []
    unlink = Path.unlink

    def killing(path: Path, missing_ok: bool = False) -> None:
        if len(removed) == at:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(Path, "unlink", killing)
        store.delete("prod", replaces=3)
    if "prod" in store.names():
        store.delete("prod", replaces=3)
    assert [path for path in store.folder.rglob("*") if path.is_file() and path.parent.name != ".locks"] == []


def test_what_a_killed_write_left_is_removed_with_the_credential(store: FolderStore) -> None:
    for version in (1, 2):
        store.write(credential(version=version), replaces=version - 1 or None)
    for left in (store.folder / ".prod.json.new", store.folder / ".history" / "prod" / ".0000000001.json.new"):
        left.touch(mode=0o600)
    store.delete("prod", replaces=2)
    assert [path for path in store.folder.rglob("*") if path.is_file() and path.parent.name != ".locks"] == []


def test_a_new_credential_has_no_history_of_another_that_had_its_name(store: FolderStore) -> None:
    for version in (1, 2):
        store.write(credential(version=version), replaces=version - 1 or None)
    (store.folder / "prod.json").unlink()  # by hand
    store.write(credential(password="CANARY-other"), replaces=None)
    assert store.history("prod") == [credential(password="CANARY-other")]


def test_a_home_that_is_not_known_is_told() -> None:
    with pytest.raises(OptionError, match="^store: ~nobody-of-that-name/store"):
        store_options("~nobody-of-that-name/store").open_without_keys()
