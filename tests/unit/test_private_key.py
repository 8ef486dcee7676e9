# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private key is given as text or by a file; what is neither is never repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.private_key import (
    key_text,
    signing_key,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import connection_from
from tests.unit.simulator.apps import key_pair

TEXT = key_pair()[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_text(TEXT)
    return path


def test_text_and_file_come_to_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    for value in (TEXT, str(file), "~/key.pem"):
        assert key_text(value) == TEXT
        assert connection_from({"auth": "jwt_bearer", "private_key": value}).private_key == TEXT


def test_an_empty_one_stays_empty_as_it_removes_the_stored_one() -> None:
    assert connection_from({"private_key": ""}).private_key == ""
    assert connection_from({"private_key": None}).private_key is None


@pytest.mark.parametrize(
    "value",
    [
        "MIICANARYKEYWITHOUTITSFIRSTLINE" * 60,
        "/nonexistent/CANARY",
        "~nobodyofthatname/CANARY",
        "CANARY\0",
        "/",
    ],
)
def test_what_is_neither_key_nor_file_is_not_repeated(value: str) -> None:
    with pytest.raises(OptionError) as caught:
        key_text(value)
    assert caught.value.option == "private_key"
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("content", [b"CANARY", b"", b"\xff\xfe\x00", b"x" * 1_000_000 + TEXT.encode()])
def test_a_file_without_a_key(file: Path, content: Any) -> None:
    file.write_bytes(content)
    with pytest.raises(OptionError) as caught:
        key_text(str(file))
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("text", [TEXT, f"\n\n  {TEXT}\n", TEXT.replace("\n", "\r\n")])
def test_blanks_around_a_key_do_not_matter(text: str) -> None:
    assert signing_key(text).key_size == 2048
