# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people, tools and killed runs leave in a store's folder: nothing is lost, nothing stays for an old key."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import store_key
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    OptionError,
    StoreError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import keys as key_files
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.support.folder_store import FolderStore
from tests.support.stores import open_store, store_options
from tests.unit.test_store_file import in_a_child
from tests.unit.test_stores import credential, delivery

OLD = Fernet(Fernet.generate_key())
MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with a credential of three versions that was delivered."""
    store = FolderStore(tmp_path / "store", MultiFernet([OLD]))
    for version in (1, 2, 3):
        store.write(credential(version=version), replaces=version - 1 or None)
    store.record_deliveries("prod", {"web1:/a": delivery()})
    return store


def opened_by(key: Fernet, folder: Path) -> list[str]:
    """The files below a folder of which a key opens something."""
    found = []
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        text = file.read_text()
        tokens = [json.loads(text)["sealed"]] if text.startswith("{") and text.endswith("}\n") else []
        for token in tokens:
            try:
                key.decrypt(token)
                found.append(str(file.relative_to(folder)))
            except InvalidToken:
                pass
    return found


def killed_at_replacement(number: int, act: Callable[[], object]) -> None:
    """Have a forked process killed when it has written a new file and is about to put it in place."""
    child = os.fork()
    if not child:
        real, done = os.replace, itertools.count()

        def replace(*paths: Any) -> None:
            if next(done) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*paths)

        os.replace = replace  # type: ignore[assignment]
        act()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


RECORDS = {
    "record": "prod.json",
    "earlier record": ".history/prod/0000000001.json",
    "deliveries": ".deliveries/prod.json",
}
ODD: dict[str, bytes] = {
    "nested 20,000 deep": b"[" * 20_000 + b"]" * 20_000,
    "an object nested 20,000 deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep in the readable part": b'{"name": "prod", "credential": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a text": b'"CANARY"',
    "other types": b'{"name": "prod", "credential": {"name": "prod", "version": []}, "deliveries": 7, "sealed": {}}',
    "no text": b"\xff\xfe\x00CANARY",
    "a number of 5,000 digits": b'{"credential": ' + b"7" * 5_000 + b', "sealed": "", "deliveries": {}}',
    "nothing": b"",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("record", RECORDS)
def test_odd_content_ends_in_a_store_error_that_names_the_file(store: FolderStore, record: str, odd: str) -> None:
    file = store.folder / RECORDS[record]
    file.write_bytes(ODD[odd])
    uses: dict[str, list[Callable[[], object]]] = {
        "record": [
            lambda: store.read("prod"),
            lambda: store.history("prod"),
            lambda: store.write(credential(version=4), replaces=3),
            lambda: store.delete("prod", replaces=3),
            lambda: store.reseal("prod"),
        ],
        "earlier record": [lambda: store.history("prod"), lambda: store.reseal("prod")],
        "deliveries": [
            lambda: store.deliveries("prod"),
            lambda: store.read_public_deliveries("prod"),
            lambda: store.record_deliveries("prod", {"web2:/a": delivery()}),
            lambda: store.reseal("prod"),
        ],
    }
    for use in uses[record]:
        with pytest.raises(StoreError) as caught:
            use()
        assert str(file) in str(caught.value)
        assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("record", RECORDS)
def test_a_file_of_3_gb_is_not_read(store: FolderStore, record: str) -> None:
    os.truncate(store.folder / RECORDS[record], 3 * 1024 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    use = store.deliveries if record == "deliveries" else store.history
    with pytest.raises(StoreError, match=r"\.json: is larger than 8 MiB"):
        use("prod")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MIB


def test_a_file_of_keys_of_3_gb_is_not_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch(mode=0o600)
    os.truncate(key, 3 * 1024 * MIB)
    with pytest.raises(OptionError, match="^store_key_file: .*key is larger than 1 MiB"):
        key_files.load_keys(key)


@pytest.mark.parametrize(
    "stray", ["anything.json", "0000000001 (conflicted copy).json", "0000000001.json~", "x/", "٣.json"]
)
def test_a_stray_file_in_the_history_disturbs_no_work_but_no_key_is_retired_over_it(
    store: FolderStore, stray: str
) -> None:
    folder = store.folder / ".history" / "prod"
    if stray.endswith("/"):
        (folder / stray).mkdir()
    else:
        shutil.copy2(folder / "0000000001.json", folder / stray)
    store.write(credential(version=4), replaces=3)
    assert [each.version for each in store.history("prod")] == [1, 2, 3, 4]
    with pytest.raises(StoreError, match=r"\.history/prod/.*: is no file of this store; move it away"):
        store.reseal("prod")


@pytest.mark.parametrize("stray", ["prod.json.bak", ".prod.json.XyZ123", "prod (1).json", ".deliveries/prod.json~"])
def test_a_copy_beside_a_record_is_named_before_a_key_is_retired(store: FolderStore, stray: str) -> None:
    (store.folder / stray).write_bytes((store.folder / "prod.json").read_bytes())
    (store.folder / "README.txt").write_text("not ours, and no copy")
    with pytest.raises(StoreError) as caught:
        store.purge()
    assert str(caught.value).startswith(f"{store.folder / stray}: is no file of this store; move it away")
    (store.folder / stray).unlink()
    store.purge()


class TestKills:
    """A run that is killed leaves half-written files; after a rotation the old key opens none of them."""

    def test_what_killed_reseals_left_is_removed_by_the_next(self, store: FolderStore) -> None:
        for version in range(4, 14):
            store.write(credential(version=version), replaces=version - 1)
        keys = [OLD]
        for number in range(11):  # the deliveries and ten versions
            keys.insert(0, Fernet(Fernet.generate_key()))
            resealing = FolderStore(store.folder, MultiFernet(keys))
            killed_at_replacement(number, lambda: resealing.reseal("prod"))  # noqa: B023 - called at once
            assert len(list(store.folder.rglob(".*.new"))) == 1
            assert [each.version for each in resealing.history("prod")] == list(range(4, 14))
        newest = FolderStore(store.folder, MultiFernet([Fernet(Fernet.generate_key()), *keys]))
        newest.reseal("prod")
        assert not list(store.folder.rglob(".*.new"))
        assert [opened_by(key, store.folder) for key in keys] == [[]] * len(keys)

    def test_reseals_killed_at_any_moment_lose_nothing(self, store: FolderStore, seed: int) -> None:
        chance = random.Random(seed)
        keys = [OLD]
        for _number in range(15):
            keys.insert(0, Fernet(Fernet.generate_key()))
            child = os.fork()
            if not child:
                FolderStore(store.folder, MultiFernet(keys)).reseal("prod")
                os._exit(0)
            time.sleep(chance.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        newest = FolderStore(store.folder, MultiFernet([Fernet(Fernet.generate_key()), *keys]))
        newest.reseal("prod")
        assert [each.version for each in newest.history("prod")] == [1, 2, 3]
        assert newest.deliveries("prod") == {"web1:/a": delivery()}
        assert [opened_by(key, store.folder) for key in keys] == [[]] * len(keys)

    @pytest.mark.parametrize("name", ["prod", "first"])
    def test_what_killed_writes_left_is_removed_before_a_key_is_retired(
        self, tmp_path: Path, store: FolderStore, name: str
    ) -> None:
        """The first write of a credential leaves a file of which no list knows."""
        options = {"store": str(store.folder), "store_key_file": str(tmp_path / "key"), "state": "rotated"}
        key_files.generate_key(options["store_key_file"])
        (old,) = key_files.key_texts(options["store_key_file"])
        store = FolderStore(store.folder, MultiFernet([Fernet(old), OLD]))
        store.reseal("prod")
        sealed = (store.folder / "prod.json").read_bytes()
        history = store.folder / ".history" / name
        history.mkdir(mode=0o700, exist_ok=True)
        places = [
            store.folder / f".{name}.json.new",
            store.folder / ".deliveries" / f".{name}.json.new",
            history / ".0000000040.json.new",
        ]
        for place in places:
            place.touch(mode=0o600)
            place.write_bytes(sealed)
        result = store_key.run(options, Task.read(options, check_mode=False, folder=tmp_path))
        assert result["resealed"] == ["prod"]
        assert opened_by(Fernet(old), store.folder) == []
        assert not [place for place in places if place.exists()]

    def test_the_history_of_a_credential_removed_by_hand_goes_with_its_key(
        self, tmp_path: Path, store: FolderStore
    ) -> None:
        (store.folder / "prod.json").unlink()
        store.purge()
        assert opened_by(OLD, store.folder) == [".deliveries/prod.json"]

    def test_a_pruned_version_takes_its_half_written_file_along(self, store: FolderStore) -> None:
        left = store.folder / ".history" / "prod" / ".0000000001.json.new"
        left.touch(mode=0o600)
        for version in range(4, 14):
            store.write(credential(version=version), replaces=version - 1)
        assert not left.exists()


class TestPaths:
    """A folder is named as people name it in a shell, or the reason says why not."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A home and a working directory that stays empty."""
        (tmp_path / "work").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path / "work")
        monkeypatch.delenv("NOT_SET", raising=False)
        yield
        assert list((tmp_path / "work").iterdir()) == []

    @pytest.mark.parametrize("given", ["$HOME/s", "${HOME}/s", "~/s"])
    def test_variables_and_homes_are_expanded(self, tmp_path: Path, given: str) -> None:
        key = key_files.generate_key("$HOME/key")
        assert key == tmp_path / "home" / "key"
        store = open_store(given, str(key))
        store.write(credential(), replaces=None)
        assert (tmp_path / "home" / "s" / "prod.json").exists()

    @pytest.mark.parametrize("given", ["$NOT_SET/s", "${NOT_SET}/s", "~nobody-of-that-name/s"])
    def test_what_is_not_known_is_refused(self, given: str) -> None:
        for open_it in (store_options(given).open_without_keys, lambda: key_files.load_keys(given)):
            with pytest.raises(OptionError, match=r"^store(_key_file)?: .*; give the whole path"):
                open_it()

    def test_a_home_alone_is_expanded(self, tmp_path: Path) -> None:
        assert store_options("~").open_without_keys().local_folder == tmp_path / "home"


@pytest.mark.parametrize("name", [7, 42798, 1.5, True, None, ["prod"]])
def test_a_name_that_yaml_made_no_text_is_to_be_quoted(store: FolderStore, name: Any) -> None:
    for use in (store.read, store.read_public, store.history, store.deliveries):
        with pytest.raises(OptionError, match=r"^name: .* to YAML, not a text; quote it"):
            use(name)


def test_a_missing_key_names_the_module_that_creates_one(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"does not exist; the playbook gatehouse\.salesforce\.init or the module"):
        open_store(str(tmp_path / "store"), str(tmp_path / "key"))


def test_a_folder_that_cannot_be_written_is_read_and_keeps_nothing_else(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is on a read-only file system, where not even root may write."""

    def read_everything() -> None:
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, how: how == os.F_OK and real(path, how))
        monkeypatch.setattr(os, "mkdir", refuse)
        assert store.local_folder is None
        assert store.read("prod") == credential(version=3)
        assert len(store.history("prod")) == 3
        assert store.names() == store.delivered_names() == ["prod"]
        assert store.deliveries("prod") and store.read_public("prod")
        raise StoreError("all of it")

    def refuse(*_args: object) -> None:
        raise OSError(30, "Read-only file system")

    assert store.local_folder == store.folder
    assert in_a_child(read_everything) == "all of it"
