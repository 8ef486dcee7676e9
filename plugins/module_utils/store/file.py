# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in a folder, one file each. Private to gatehouse.salesforce.

A file NAME.json holds what may be read by its owner, and a sealed part with the secrets and a copy of the former, so
that a hand that changes the one without the other is noticed. It is replaced whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LostRace, OptionError, StoreError, UnknownCredential
from ..record import Credential, checked_name, dump, parse
from .keys import seal, unseal

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SUFFIX = ".json"
LOCKS = ".locks"
LOCK_SECONDS = 300.0  # longer than a rotation that waits for its mail
_POLL_SECONDS = 0.02
_BESIDE_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class FileStore:
    """A folder of credentials.

    Attributes:
        folder: where they are; made at the first write.
        fernet: the keys that seal their secrets.
    """

    def __init__(self, folder: Path, keys: MultiFernet) -> None:
        self.folder = folder
        self.fernet = keys
        self._mine = threading.local()  # the names that this thread has locked

    def read(self, name: str) -> Credential:
        """One credential; raises UnknownCredential, or StoreError when it cannot be trusted."""
        file = self._file(name)
        if not self._folder_is_there():
            raise UnknownCredential(f"no credential {name!r}: the store {self.folder} does not exist yet")
        try:
            content = json.loads(_bytes_of(file))
            clear, sealed = content["credential"], content["sealed"]
            secret = json.loads(unseal(self.fernet, sealed))
            if secret["credential"] != clear:
                raise StoreError("it was tampered with: what may be read is not what was sealed")
            if clear["name"] != name:
                raise StoreError(f"it was tampered with: it is the credential {clear['name']!r} under another name")
            return parse(clear, secret)
        except FileNotFoundError:
            raise UnknownCredential(f"no credential {name!r} in the store {self.folder}") from None
        except StoreError as exc:
            raise StoreError(f"{file}: {exc}") from None
        except OSError as exc:
            raise StoreError(f"{file}: cannot be read: {exc.strerror}") from None
        except (ValueError, LookupError, TypeError, AttributeError):
            # Said without the cause: a decoder's message may quote what it read.
            raise StoreError(f"{file}: is damaged, or no credential") from None

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version of it (None: of nothing); raises LostRace if it is not there."""
        file = self._file(credential.name)
        clear, secret = dump(credential)
        sealed = seal(self.fernet, json.dumps({"credential": clear, **secret}).encode())
        text = json.dumps({"credential": clear, "sealed": sealed}, indent=2) + "\n"
        with self.lock(credential.name):
            self._require_version(credential.name, replaces)
            with self._told("written", file):
                _replace(file, text.encode())

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version; raises LostRace if it has another."""
        file = self._file(name)
        with self.lock(name):
            self._require_version(name, replaces)
            with self._told("removed", file):
                file.unlink()
                _sync(self.folder)

    def names(self) -> list[str]:
        """The names of all credentials, sorted. None of them is opened."""
        if not self._folder_is_there():
            return []
        with os.scandir(self.folder) as entries:
            return sorted(
                entry.name.removesuffix(SUFFIX)
                for entry in entries
                if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
            )

    @contextlib.contextmanager
    def lock(self, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold one credential for oneself, across processes; raises StoreError when another holds it for too long.

        A thread may lock again what it holds. The lock is on a file of its own, as the record's is replaced at each
        write, and is left behind: to remove it would pull it from under whoever waits for it.
        """
        if name in self._held():
            yield
            return
        self._make_folder()
        file = self.folder / LOCKS / checked_name(name)
        with self._told("locked", file):
            file.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _BESIDE_LINKS, 0o600)
        try:
            _wait_for(descriptor, name, seconds)
            self._held().add(name)
            try:
                yield
            finally:
                self._held().discard(name)
        finally:
            os.close(descriptor)

    def _held(self) -> set[str]:
        names: set[str] = self._mine.__dict__.setdefault("names", set())
        return names

    def _file(self, name: str) -> Path:
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def _require_version(self, name: str, expected: int | None) -> None:
        try:
            found: int | None = self.read(name).version
        except UnknownCredential:
            found = None
        if found != expected:
            raise LostRace(
                f"credential {name!r} was changed by someone else meanwhile: "
                f"the store has {_version(found)}, not {_version(expected)}; nothing was written"
            )

    def _folder_is_there(self) -> bool:
        """Whether there is a folder, which must be one that nobody else can change; raises OptionError otherwise."""
        try:
            found = self.folder.stat()
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise OptionError("store", f"{self.folder} cannot be used: {exc.strerror}") from None
        if not stat.S_ISDIR(found.st_mode):
            raise OptionError("store", f"{self.folder} is not a folder")
        if found.st_uid != os.geteuid():
            raise OptionError("store", f"{self.folder} belongs to another user")
        if found.st_mode & 0o022:
            raise OptionError(
                "store", f"{self.folder} can be changed by others (mode {found.st_mode & 0o777:04o}); chmod 700 it"
            )
        return True

    def _make_folder(self) -> None:
        if not self._folder_is_there():
            with self._told("created", self.folder):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _told(self, doing: str, file: Path) -> Iterator[None]:
        """Turn what the system refuses into a StoreError that names the file."""
        try:
            yield
        except OSError as exc:
            raise StoreError(f"{file}: cannot be {doing}: {_refusal(exc)}") from None


def _version(version: int | None) -> str:
    return "none" if version is None else f"version {version}"


def _refusal(exc: OSError) -> str:
    return "it is a symbolic link" if exc.errno == errno.ELOOP else exc.strerror or "refused by the system"


def _bytes_of(file: Path) -> bytes:
    """The content of a file that is ours alone; raises OSError or StoreError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _BESIDE_LINKS)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise StoreError("is a symbolic link, which is not followed") from None
        raise
    try:
        _require_private(os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(descriptor)


def _require_private(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("is not a file")
    if found.st_uid != os.geteuid():
        raise StoreError("belongs to another user")
    if found.st_mode & 0o077:
        raise StoreError(f"is open to others (mode {found.st_mode & 0o777:04o}); chmod 600 it")


def _replace(file: Path, content: bytes) -> None:
    """Put the content in place of the file: whoever reads it, even after a crash, finds the old or the new, whole.

    Only one writer is here at a time, so the name of the new file is fixed and what a crash left of it is removed.
    """
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BESIDE_LINKS, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(new, file)  # noqa: PTH105 - beside os.fsync, and where the tests interrupt it
    _sync(file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, name: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"credential {name!r} is being changed by another process; gave up after {seconds:g} seconds"
                ) from None
            time.sleep(_POLL_SECONDS)
