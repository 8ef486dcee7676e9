# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that seal a store's secrets."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..errors import GatehouseError, OptionError, StoreError
from ..files import create_file, replace_file

try:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    class _KeysOfFile(MultiFernet):
        """The keys in a file, whose name an error can give."""

        def __init__(self, keys: list[bytes], file: str) -> None:
            super().__init__([Fernet(key) for key in keys])
            self.file = file

except ImportError:  # reported by load_keys() and generate_key()
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True
OPTION = "store_key_file"
DEFAULT_KEY_FILE = "~/.config/gatehouse/salesforce.key"
PROGRAM_SECONDS = 60.0
VAULT_HEADER = b"$ANSIBLE_VAULT;"
MAX_BYTES = 1024 * 1024  # of a file of keys, each of which has 45
_VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\})")
_KEY = re.compile(rb"[A-Za-z0-9_-]{43}=")  # Python's base64 would skip over what does not belong there


def load_keys(path: str | os.PathLike[str]) -> MultiFernet:
    """Read the keys in a file, newest first, or those that an executable file prints; raises OptionError.

    A program is run once for each process, until its file changes.
    """
    return _KeysOfFile(key_texts(path), str(key_path(path)))


def fernet_of(keys: list[bytes]) -> MultiFernet:
    """Return what seals with the first key and opens with each."""
    return MultiFernet([Fernet(key) for key in keys])


def key_texts(path: str | os.PathLike[str]) -> list[bytes]:
    """Read the keys themselves; raises OptionError."""
    _require_cryptography()
    file = key_path(path)
    try:
        found = file.stat()
    except FileNotFoundError:
        raise OptionError(
            OPTION,
            f"{file} does not exist; the playbook gatehouse.salesforce.init or the module "
            "gatehouse.salesforce.store_key creates a key",
        ) from None
    except OSError as exc:
        raise OptionError(OPTION, f"{file} cannot be read: {exc.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise OptionError(OPTION, f"{file} is not a file")
    return list(_loaded(file, found.st_mode, found.st_uid, found.st_ino, found.st_size, found.st_mtime_ns))


def key_path(path: str | os.PathLike[str] | None) -> Path:
    """Return the file of keys that the option names, or the usual one."""
    return expanded(OPTION, path or DEFAULT_KEY_FILE).absolute()


def expanded(option: str, path: str | os.PathLike[str]) -> Path:
    """Expand ~ and environment variables in a path, as Ansible does; raises OptionError when one is not known."""
    text = os.path.expandvars(path)
    unknown = _VARIABLE.search(text)
    if unknown:
        raise OptionError(option, f"{path}: the environment has no {unknown[0]}; give the whole path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise OptionError(option, f"{path}: there is no such home; give the whole path") from None


def new_key() -> bytes:
    """Generate a key."""
    _require_cryptography()
    return Fernet.generate_key()


def generate_key(path: str | os.PathLike[str]) -> Path:
    """Create a file with one new key, readable by its owner only; raises OptionError when there is a file already."""
    key, file = new_key(), key_path(path)
    make_folder_of(file)
    with _creating(file):
        try:
            create_file(file, key + b"\n")
        except FileExistsError:
            raise OptionError(OPTION, f"{file} exists already; a key is never overwritten") from None
    return file


def make_folder_of(file: Path) -> None:
    """Make the folder for a file of keys; raises OptionError."""
    with _creating(file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def rewrite_keys(file: Path, text: bytes) -> None:
    """Put the text in place of a file of keys, under a lock, whole or not at all; raises OptionError."""
    with _creating(file):
        replace_file(file, text)


def plain_text(file: Path) -> bytes | None:
    """Read a file of keys that can be rewritten; None for a program, and for one encrypted by Ansible Vault."""
    text = _text_of(file)
    return None if file.stat().st_mode & stat.S_IXUSR or text.startswith(VAULT_HEADER) else text


@contextlib.contextmanager
def _creating(file: Path) -> Iterator[None]:
    """Convert OSError to an OptionError."""
    try:
        yield
    except OSError as exc:
        raise OptionError(OPTION, f"{file} cannot be created: {exc.strerror}") from None


def seal(fernet: MultiFernet, data: bytes) -> str:
    """Encrypt and authenticate with the newest key."""
    return fernet.encrypt(data).decode("ascii")


def unseal(fernet: MultiFernet, sealed: str) -> bytes:
    """Decrypt what seal() returned; raises StoreError when no key fits or a bit of it was changed."""
    try:
        return fernet.decrypt(sealed)
    except InvalidToken:
        file = getattr(fernet, "file", None)
        than = f" than {OPTION} {file} has" if file else ""
        raise StoreError(
            f"none of the keys opens it: it was sealed with another key{than}, or changed. See docs/recover.md"
        ) from None


# The rest of the file's state is there to notice a change of it.
@functools.lru_cache(maxsize=16)
def _loaded(file: Path, mode: int, owner: int, *_state: int) -> tuple[bytes, ...]:
    program = bool(mode & stat.S_IXUSR)
    _require_owner(file, mode, owner)
    text = _printed_by(file) if program else _text_of(file)
    if text.startswith(VAULT_HEADER):
        text = _unvaulted(file, text)
    elif not program and mode & 0o077:
        raise OptionError(OPTION, f"{file} is open to others (mode {mode & 0o777:04o}); chmod 600 it")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    keys = [_key(file, number, line) for number, line in lines if line and not line.startswith(b"#")]
    if not keys:
        raise OptionError(OPTION, f"{file} holds no key" if not program else f"{file} printed no key")
    return tuple(dict.fromkeys(keys))  # ignore duplicates, or retiring one would remove the key itself


def _require_owner(file: Path, mode: int, owner: int) -> None:
    if owner not in (os.geteuid(), 0):
        raise OptionError(OPTION, f"{file} belongs to another user")
    if mode & stat.S_IXUSR and mode & 0o022:
        raise OptionError(OPTION, f"{file} is a program that others may change; chmod go-w it")


def _unvaulted(file: Path, text: bytes) -> bytes:
    """Decrypt what Ansible Vault has encrypted, with the vault passwords of this run."""
    try:
        vault = importlib.import_module("ansible.parsing.vault")  # which is not there where a module runs
    except ImportError:
        raise OptionError(OPTION, f"{file} is encrypted by Ansible Vault, which opens it on the controller") from None
    context = vault.VaultSecretsContext.current(optional=True)
    try:
        return bytes(vault.VaultLib(context.secrets if context else []).decrypt(text))
    except vault.AnsibleVaultError:
        raise OptionError(OPTION, f"{file} is encrypted by Ansible Vault; none of its passwords opens it") from None


def _text_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise OptionError(OPTION, f"{file} cannot be read: {exc.strerror}") from None
    if len(text) > MAX_BYTES:
        raise OptionError(OPTION, f"{file} is larger than {MAX_BYTES >> 20} MiB, so no file of keys")
    return text


def _printed_by(file: Path) -> bytes:
    """Run a program and return what it prints. Nothing of it gets into an error: it may print keys anywhere."""
    try:
        # It is what the user named, it runs on the controller, and no shell reads it.
        ran = subprocess.run(  # noqa: S603 # pylint: disable=ansible-bad-function
            [file], stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise OptionError(OPTION, f"{file} did not end within {PROGRAM_SECONDS:g} seconds") from None
    except OSError as exc:
        raise OptionError(OPTION, f"{file} is executable but cannot be run: {exc.strerror}") from None
    if ran.returncode != 0:
        raise OptionError(OPTION, f"{file} ended with status {ran.returncode}; run it by hand to see why")
    return ran.stdout


def _key(file: Path, number: int, line: bytes) -> bytes:
    if not _KEY.fullmatch(line):
        raise OptionError(OPTION, f"{file}, line {number}: not a Fernet key (32 bytes in URL-safe base64)")
    return line


def _require_cryptography() -> None:
    if not HAS_CRYPTOGRAPHY:
        raise GatehouseError("the Python package cryptography is needed on the controller: pip install cryptography")
