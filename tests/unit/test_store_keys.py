# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key files open a store, and which are refused, without a key in any error."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    OptionError,
    StoreError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import keys as subject

OLD, NEW = (base64.urlsafe_b64encode(byte * 32).decode() for byte in (b"o", b"n"))


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A file of keys, or a program."""
    file = folder / "key"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_first_key_seals_and_every_key_opens(tmp_path: Path) -> None:
    old = subject.load_keys(key_file(tmp_path, f"{OLD}\n"))
    rotated = subject.load_keys(key_file(tmp_path, f"# newest first\n\n  {NEW}  \n{OLD}\n"))
    assert subject.unseal(rotated, subject.seal(old, b"text")) == b"text"
    with pytest.raises(StoreError, match="none of the keys opens it"):
        subject.unseal(old, subject.seal(rotated, b"text"))


def test_a_file_changed_meanwhile_is_read_again(tmp_path: Path) -> None:
    sealed = subject.seal(subject.load_keys(key_file(tmp_path, OLD)), b"text")
    with pytest.raises(StoreError, match=f"than store_key_file {tmp_path}/key has, or changed. See docs/recover.md"):
        subject.unseal(subject.load_keys(key_file(tmp_path, f"#\n{NEW}")), sealed)


def test_a_program_prints_the_keys_and_is_run_once(tmp_path: Path) -> None:
    program = key_file(tmp_path, f"#!/bin/sh\necho run >> {tmp_path}/runs\necho {NEW}\necho {OLD}\n", 0o700)
    sealed = subject.seal(subject.load_keys(program), b"text")
    assert subject.unseal(subject.load_keys(program), sealed) == b"text"
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_program_is_not_read_by_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "a b; touch $(id)"
    folder.mkdir()
    subject.load_keys(key_file(folder, f"#!/bin/sh\necho {NEW}\n", 0o755))


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("", 0o600, "holds no key"),
        ("# only a comment\n", 0o600, "holds no key"),
        ("CANARY\n", 0o600, "line 1: not a Fernet key"),
        (f"{NEW}\n\n{OLD}CANARY\n", 0o600, "line 3: not a Fernet key"),
        (NEW, 0o640, r"open to others \(mode 0640\)"),
        (NEW, 0o604, "open to others"),
        (f"#!/bin/sh\necho {NEW}\n", 0o722, "others may change"),
        ("#!/bin/sh\necho CANARY; echo CANARY >&2; exit 3\n", 0o700, "ended with status 3"),
        ("#!/bin/sh\necho CANARY >&2\n", 0o700, "printed no key"),
        ("#!/bin/sh\necho CANARY\n", 0o700, "line 1: not a Fernet key"),
        ("#!/no/such/CANARY\n", 0o700, "is executable but cannot be run"),
        (NEW, 0o700, "is executable but cannot be run"),
    ],
)
def test_what_is_no_key_file_is_told_without_what_is_in_it(tmp_path: Path, text: str, mode: int, problem: str) -> None:
    file = key_file(tmp_path, text, mode)
    with pytest.raises(OptionError, match=problem) as caught:
        subject.load_keys(file)
    assert caught.value.option == "store_key_file"
    assert str(file) in str(caught.value)
    for secret in ("CANARY", NEW, OLD):
        assert secret not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PROGRAM_SECONDS", 0.2)
    with pytest.raises(OptionError, match="did not end within 0.2 seconds"):
        subject.load_keys(key_file(tmp_path, "#!/bin/sh\nexec sleep 30\n", 0o700))


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="missing does not exist"):
        subject.load_keys(tmp_path / "missing")
    with pytest.raises(OptionError, match="is not a file"):
        subject.load_keys(tmp_path)


def test_the_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = key_file(tmp_path, NEW)
    owner = file.stat().st_uid
    if owner == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(OptionError, match="belongs to another user"):
        subject.load_keys(file)


def test_a_generated_key_opens_a_store_and_is_the_owners_alone(tmp_path: Path) -> None:
    file = subject.generate_key(tmp_path / "new" / "salesforce.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["salesforce.key"]
    keys = subject.load_keys(file)
    assert subject.unseal(keys, subject.seal(keys, b"text")) == b"text"


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file = key_file(tmp_path, OLD)
    with pytest.raises(OptionError, match="never overwritten"):
        subject.generate_key(file)
    assert file.read_text() == OLD
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "HAS_CRYPTOGRAPHY", False)
    for use in (subject.load_keys, subject.generate_key):
        with pytest.raises(GatehouseError, match="pip install cryptography"):
            use(tmp_path / "key")


def test_a_home_that_is_not_known_is_told() -> None:
    with pytest.raises(OptionError, match="^store_key_file: ~nobody-of-that-name/key"):
        subject.load_keys("~nobody-of-that-name/key")
