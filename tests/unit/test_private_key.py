# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private key is given as text or by a file; what is neither is never repeated."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.private_key import (
    canonical_key,
    key_text,
    signing_key,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.unit.simulator.apps import key_pair

TEXT = key_pair()[0]
_key = serialization.load_pem_private_key(TEXT.encode(), None)
assert isinstance(_key, rsa.RSAPrivateKey)
KEY = _key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_text(TEXT)
    return path


def test_text_and_file_come_to_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    for value in (TEXT, str(file), "~/key.pem"):
        assert key_text(value) == TEXT
        assert inline_key(value, file.parent) == TEXT


def inline_key(value: str | None, folder: Path) -> str | None:
    """Return the key of the login that a task describes."""
    return Task.read(
        {"auth": "jwt_bearer", "private_key": value}, check_mode=False, folder=folder
    ).connection.private_key


def test_an_empty_one_stays_empty_as_it_removes_the_stored_one(tmp_path: Path) -> None:
    assert inline_key("", tmp_path) == ""
    assert inline_key(None, tmp_path) is None


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


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\n\n  {TEXT}\n",
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", " "),
        TEXT.replace("\n", ""),
        "".join(f"    {line}\n" for line in TEXT.splitlines()),
        f"Bag Attributes\n    friendlyName: acme\n{TEXT}{key_pair()[1]}",
    ],
    ids=["plain", "around", "crlf", "blanks", "joined", "indented", "with a certificate"],
)
def test_however_a_key_is_wrapped_it_comes_out_in_one_form_that_every_reader_takes(text: str) -> None:
    assert signing_key(text).key_size == 2048
    assert canonical_key(text) == TEXT
    done = subprocess.run(["openssl", "rsa", "-check", "-noout"], input=canonical_key(text).encode(), check=False)
    assert done.returncode == 0


def test_the_older_form_becomes_the_usual_one() -> None:
    older = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    assert "BEGIN RSA PRIVATE KEY" in older and canonical_key(older) == TEXT


def as_pem(kind: serialization.PrivateFormat, encryption: serialization.KeySerializationEncryption) -> str:
    return KEY.private_bytes(serialization.Encoding.PEM, kind, encryption).decode()


PASS = serialization.BestAvailableEncryption(b"CANARY")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.replace("\n", "\\n"), r"the two characters \n"),
        (as_pem(serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()), "ssh-keygen -p -m PEM"),
        (as_pem(serialization.PrivateFormat.PKCS8, PASS), "openssl pkey"),
        (as_pem(serialization.PrivateFormat.TraditionalOpenSSL, PASS), "openssl pkey"),
        (key_pair()[1], "is a certificate"),
        (TEXT[: len(TEXT) // 2], "is not a private key in PEM form"),
        (TEXT.replace("\n", "\nx", 3), "damaged or cut short"),
        ("CANARY", "login_key"),
    ],
    ids=["literal", "openssh", "pkcs8 passphrase", "older passphrase", "certificate", "half", "damaged", "nothing"],
)
def test_the_error_says_what_it_is_and_how_to_convert_it(text: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        signing_key(text)
    assert caught.value.option == "private_key" and words in str(caught.value)
    assert "CANARY" not in str(caught.value) and TEXT[100:140] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            KEY.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "openssl pkey -inform DER",
        ),
        (pkcs12.serialize_key_and_certificates(b"a", KEY, None, None, PASS), "openssl pkcs12"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "Ansible Vault"),
        (b"ssh-rsa AAAA CANARY", "public key"),
        (b"PuTTY-User-Key-File-3: ssh-rsa\nCANARY", "puttygen"),
    ],
    ids=["DER", "PKCS#12", "vault", "public", "PuTTY"],
)
def test_the_error_says_what_a_file_is_and_how_to_convert_it(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(OptionError) as caught:
        key_text(str(file))
    assert words in str(caught.value) and "CANARY" not in str(caught.value)


def test_text_encrypted_by_vault_is_said_to_be_that() -> None:
    with pytest.raises(OptionError, match="Ansible Vault"):
        key_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
