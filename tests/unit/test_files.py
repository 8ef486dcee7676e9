# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a write of a whole file promises, and a lock."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import files


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order."""
    done: list[str] = []
    for name in ("fsync", "replace", "link"):
        real = getattr(os, name)

        def spy(*args: Any, name: str = name, real: Any = real) -> None:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            done.append("fsync folder" if folder else name)
            real(*args)

        monkeypatch.setattr(os, name, spy)
    return done


def test_content_is_on_the_disk_before_its_name_and_its_name_before_the_end(tmp_path: Path, steps: list[str]) -> None:
    files.replace_file(tmp_path / "a", b"new")
    assert steps == ["fsync", "replace", "fsync folder"]
    steps.clear()
    files.create_file(tmp_path / "b", b"new")
    assert steps == ["fsync", "link", "fsync folder"]


def test_what_need_not_outlive_the_machine_does_not_wait_for_the_disk(tmp_path: Path, steps: list[str]) -> None:
    files.replace_file(tmp_path / "a", b"new", durable=False)
    assert steps == ["replace"]


def test_a_file_is_its_owners_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    file.chmod(0o644)
    files.replace_file(file, b"new")
    files.create_file(tmp_path / "b", b"new", mode=0o600)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_file_is_created_once(tmp_path: Path) -> None:
    files.create_file(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        files.create_file(tmp_path / "a", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


def test_what_a_killed_writer_left_is_replaced_and_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    files.unfinished_file(tmp_path / "a").symlink_to(victim)
    files.replace_file(tmp_path / "a", b"new")
    assert victim.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "victim"]


def test_a_lock_is_waited_for_no_longer_than_is_said(tmp_path: Path) -> None:
    with files.file_lock(tmp_path / "lock"), pytest.raises(TimeoutError), files.file_lock(tmp_path / "lock", seconds=0):
        raise AssertionError("the lock was given twice")
    with files.file_lock(tmp_path / "lock", seconds=0):
        pass


def test_whether_a_folder_can_be_written_is_known_before_it_exists(tmp_path: Path) -> None:
    assert files.can_write_below(tmp_path / "not" / "yet")
    (tmp_path / "file").touch()
    assert not files.can_write_below(tmp_path / "file" / "below")
