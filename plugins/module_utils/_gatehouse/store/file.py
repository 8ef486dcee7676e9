# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in a folder, one file each.

A file NAME.json is replaced whole or not at all, and stays for a while as .history/NAME/NUMBER.json. Who holds the
credential is in .deliveries/NAME.json.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials.credential import NAME, Credential, checked_name
from ..credentials.deliveries import Deliveries, Delivery, merge_deliveries
from ..credentials.serialization import PublicFields
from ..errors import CredentialNotFoundError, OptionError, StoreError
from .base import HISTORY, LOCK_SECONDS
from .sealed import (
    Content,
    clear_deliveries,
    clear_part,
    open_credential,
    open_deliveries,
    require_keys,
    require_version,
    seal_credential,
    seal_deliveries,
)

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
SUFFIX = ".json"
LOCKS = ".locks"
EARLIER = ".history"
DELIVERIES = ".deliveries"
_POLL_SECONDS = 0.02
_BESIDE_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class FileStore:
    """A folder of credentials.

    Attributes:
        folder: where they are; made at the first write.
    """

    def __init__(self, folder: Path, keys: MultiFernet | None) -> None:
        self.folder = folder
        self._keys = keys
        self._mine = threading.local()  # the names that this thread has locked

    @property
    def fernet(self) -> MultiFernet:
        """The keys that seal the secrets."""
        return require_keys(self._keys)

    def read(self, name: str) -> Credential:
        """One credential; raises CredentialNotFoundError, or StoreError when it cannot be trusted."""
        with self._found(name) as file:
            return self._opened(name, file)

    def clear(self, name: str) -> PublicFields:
        """Return what may be read without keys; raises CredentialNotFoundError, or StoreError when malformed."""
        with self._found(name) as file, _naming(file):
            return clear_part(name, lambda: _content_of(file))

    def history(self, name: str) -> list[Credential]:
        """What the last HISTORY writes of a credential wrote, in their order: the last one is what read() gives."""
        while True:
            current = self.read(name)
            with self._found(name) as file, contextlib.suppress(FileNotFoundError):
                earlier = [each for each in self._earlier(name) if not _is_same(each, file)]
                found = [*(self._opened(name, each) for each in earlier), current]
                if self.read(name) == current:
                    return found[-HISTORY:]
            # Somebody has just written.

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version (None: of nothing); raises VersionConflictError if it is gone."""
        name, file = credential.name, self._file(credential.name)
        content = self._sealed(credential)
        with self.lock(name):
            require_version(name, self._read_or_none(name), replaces)
            with self._told("written", file):
                if replaces is None:
                    self._remove_earlier(name)  # of another that had the name, and was removed by hand
                else:
                    self._keep(name)
                _replace(file, content)

    def reseal(self, name: str) -> None:
        """Seal one credential with the newest key; afterwards no older key opens anything of it."""
        with self.lock(name), self._found(name) as current:
            if self.deliveries(name):  # first, as the record shows whether all of it was done
                self._write_deliveries(name, {}, always=True)
            for file in (*self._earlier(name), current):
                if file != current and _is_same(file, current):
                    file.unlink()
                    continue
                content = self._sealed(self._opened(name, file))
                with self._told("written", file):
                    _replace(file, content)

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version, and its history; raises VersionConflictError if it has another."""
        file = self._file(name)
        with self.lock(name):
            require_version(name, self._read_or_none(name), replaces)
            with self._told("removed", file):
                self._remove_earlier(name)  # first, as the record shows whether all of it was done
                _new(file).unlink(missing_ok=True)
                file.unlink()
                _sync(self.folder)

    def names(self) -> list[str]:
        """The names of all credentials, sorted. None of them is opened."""
        if not self._folder_is_there():
            return []
        with os.scandir(self.folder) as entries:
            return _names_in(entry.name for entry in entries)

    def delivered(self) -> list[str]:
        """The names of all credentials that were delivered, sorted, and among them those that are gone from here."""
        if not self._folder_is_there():
            return []
        return _names_in(file.name for file in (self.folder / DELIVERIES).glob(f"*{SUFFIX}"))

    def clear_deliveries(self, name: str) -> Deliveries:
        """What may be read of who holds one credential; raises StoreError when that is no such list."""
        return self._read_deliveries(name, lambda content: clear_deliveries(name, content))

    def deliveries(self, name: str) -> Deliveries:
        """Who holds which version of a credential, by consumer; raises StoreError when that cannot be trusted."""
        return self._read_deliveries(name, lambda content: open_deliveries(self.fernet, name, content))

    def record_deliveries(self, name: str, changes: Mapping[str, Delivery | None]) -> bool:
        """Have it known who holds a credential now, and with None who does not any more; tells if that was news."""
        before = self.deliveries(name)
        return merge_deliveries(before, changes) != before and self._write_deliveries(name, changes)

    def _write_deliveries(self, name: str, changes: Mapping[str, Delivery | None], *, always: bool = False) -> bool:
        file = self._deliveries_file(name)
        lock = file.parent / LOCKS / name
        self._make_folder()
        with self._told("locked", lock):
            _make_private(lock.parent)
        with self._locked(lock, name, LOCK_SECONDS):
            before = self.deliveries(name)
            after = merge_deliveries(before, changes)
            if after == before and not (always and before):
                return False
            with self._told("written", file):
                if after:
                    content = seal_deliveries(self.fernet, name, after)
                    _replace(file, (json.dumps(content, indent=2) + "\n").encode())
                else:
                    file.unlink()
                    _sync(file.parent)
        return True

    def _deliveries_file(self, name: str) -> Path:
        return self.folder / DELIVERIES / f"{checked_name(name)}{SUFFIX}"

    def _read_deliveries(self, name: str, parse: Callable[[Callable[[], Content]], Deliveries]) -> Deliveries:
        file = self._deliveries_file(name)
        try:
            with _naming(file):
                return parse(lambda: _content_of(file)) if self._folder_is_there() else {}
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise StoreError(f"{file}: cannot be read: {exc.strerror}") from None

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
        with self._locked(file, name, seconds):
            self._held().add(name)
            try:
                yield
            finally:
                self._held().discard(name)

    @contextlib.contextmanager
    def _locked(self, file: Path, name: str, seconds: float) -> Iterator[None]:
        with self._told("locked", file):
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _BESIDE_LINKS, 0o600)
        try:
            _wait_for(descriptor, name, seconds)
            yield
        finally:
            os.close(descriptor)

    def _held(self) -> set[str]:
        names: set[str] = self._mine.__dict__.setdefault("names", set())
        return names

    def _file(self, name: str) -> Path:
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def _read_or_none(self, name: str) -> Credential | None:
        try:
            return self.read(name)
        except CredentialNotFoundError:
            return None

    def _opened(self, name: str, file: Path) -> Credential:
        with _naming(file):
            return open_credential(self.fernet, name, lambda: _content_of(file))

    def _sealed(self, credential: Credential) -> bytes:
        return (json.dumps(seal_credential(self.fernet, credential), indent=2) + "\n").encode()

    @contextlib.contextmanager
    def _found(self, name: str) -> Iterator[Path]:
        """The file of a record; what cannot be read of it is told."""
        file = self._file(name)
        if not self._folder_is_there():
            raise CredentialNotFoundError(f"no credential {name!r}: the store {self.folder} does not exist yet")
        try:
            yield file
        except FileNotFoundError:
            raise CredentialNotFoundError(f"no credential {name!r} in the store {self.folder}") from None
        except OSError as exc:
            raise StoreError(f"{file}: cannot be read: {exc.strerror}") from None

    def _earlier(self, name: str) -> list[Path]:
        """The files of earlier writes, oldest first."""
        return sorted((self.folder / EARLIER / name).glob(f"*{SUFFIX}"))

    def _remove_earlier(self, name: str) -> None:
        folder = self.folder / EARLIER / name
        if folder.is_dir():
            for file in folder.iterdir():
                file.unlink()
            _sync(folder)

    def _keep(self, name: str) -> None:
        """Keep the record that is about to be replaced as one of the earlier ones."""
        earlier = self._earlier(name)
        folder = self.folder / EARLIER / name
        _make_private(folder)
        if not earlier or not _is_same(earlier[-1], self._file(name)):  # as a write that was killed leaves it
            number = int(earlier[-1].stem) + 1 if earlier else 1
            os.link(self._file(name), folder / f"{number:010}{SUFFIX}", follow_symlinks=False)
        for file in earlier[: -(HISTORY - 2)]:
            file.unlink()

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


def _names_in(files: Iterable[str]) -> list[str]:
    """The names of credentials among those of files, sorted; others may be of anything."""
    return sorted(filter(NAME.fullmatch, (file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))))


def _refusal(exc: OSError) -> str:
    return "it is a symbolic link" if exc.errno == errno.ELOOP else exc.strerror or "refused by the system"


@contextlib.contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Have errors say which file they are about."""
    try:
        yield
    except StoreError as exc:
        raise StoreError(f"{file}: {exc}") from None


def _content_of(file: Path) -> Content:
    content: Content = json.loads(_bytes_of(file))
    return content


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
    new = _new(file)
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BESIDE_LINKS, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(new, file)  # noqa: PTH105 - beside os.fsync, and where the tests interrupt it
    _sync(file.parent)


def _new(file: Path) -> Path:
    """What is about to take the place of the file."""
    return file.with_name(f".{file.name}.new")


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, of which neither is a link to the other."""
    return os.path.samestat(one.lstat(), other.lstat())


def _make_private(folder: Path) -> None:
    """Make a folder and the one above it; mkdir() alone would leave the latter to the umask."""
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)


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
        except OSError as exc:
            raise StoreError(f"credential {name!r} cannot be locked: {exc.strerror}; use a folder that can") from None
