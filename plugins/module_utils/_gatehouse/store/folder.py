# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs in a folder, one file each.

A file NAME.json is replaced whole or not at all, and stays for a while as .history/NAME/NUMBER.json.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..credentials.credential import NAME, checked_name
from ..errors import DamagedRecordError, OptionError, StoreError
from ..files import can_write_below, file_lock, replace_file, sync_folder, unfinished_file
from .blobs import HISTORY, LOCK_SECONDS, MAX_BYTES, Blob, Content, Lock, parse_object

SUFFIX = ".json"
UNFINISHED = ".*.json.new"  # what a killed writer leaves
PROBLEMS = {
    errno.ELOOP: "it is a symbolic link",
    errno.ENOLCK: "No locks available; use a folder on a file system with locks",
}
LOCKS = ".locks"
EARLIER = ".history"


class _FileLock:
    """A lock of the operating system, which cannot be lost."""

    def require(self) -> None:
        """Raise nothing."""


class FolderBlobs:
    """A folder of blobs, created at the first write.

    Attributes:
        folder: where they are.
    """

    def __init__(self, root: Path, part: str = "", *, history: int = HISTORY) -> None:
        """Use a folder, or a folder in it.

        Args:
            root: the folder, which nobody else may be able to change.
            part: the name of the one in it.
            history: how many writes to keep.
        """
        self.folder = root / part if part else root
        self._folders = list(dict.fromkeys((root, self.folder)))
        self._history = history

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder) if self.folder.exists() else f"{self.folder}, which does not exist yet"

    @property
    def local_folder(self) -> Path | None:
        """The folder, unless nothing can be written there."""
        return self.folder if can_write_below(self.folder) else None

    def names(self) -> list[str]:
        """Return all names, sorted."""
        if not self._exists():
            return []
        with _errors("read", self.folder), os.scandir(self.folder) as entries:
            return _names_in(entry.name for entry in entries)

    def get(self, name: str) -> Blob:
        """Read the last write."""
        file = self._file(name)
        return _read(file) if self._exists() else Blob(str(file), None)

    def versions(self, name: str) -> list[Blob]:
        """Read the last writes, oldest first; again when one is written meanwhile."""
        while True:
            current = self.get(name)
            if current.content is None:
                return []
            earlier = [_read(file) for file in self._earlier(name)]
            if self.get(name) == current and None not in [blob.content for blob in earlier]:
                # A write that was killed leaves the current one among the earlier ones.
                return [*(blob for blob in earlier if blob.content != current.content), current][-self._history :]

    def put(self, name: str, content: Content, *, replaces: Blob, lock: Lock | None = None) -> bool:
        """Write in place of what was read, unless another was faster."""
        file = self._file(name)
        with self._locked(name, lock), _errors("written", file):
            if self.get(name).content != replaces.content:
                return False
            if replaces.content is None:
                self._remove_earlier(name)  # of another that had the name, and was removed by hand
            elif self._history > 1:
                self._keep(name)
            replace_file(file, _text(content))
        return True

    def rewrite(self, name: str, change: Callable[[Blob], Content], *, lock: Lock | None = None) -> bool:
        """Replace every version by what the change makes of it."""
        current = self._file(name)
        if self.get(name).content is None:
            return False
        with self._locked(name, lock), _errors("written", current):
            earlier = self._earlier(name)
            self._require_no_stray(name, earlier)
            self._remove_unfinished(name)
            for file in earlier:
                if _is_same(file, current):  # as a write that was killed leaves it
                    file.unlink()
                else:
                    replace_file(file, _text(change(_read(file))))
            replace_file(current, _text(change(_read(current))))
        return True

    def delete(self, name: str, *, lock: Lock) -> None:  # noqa: ARG002 - it cannot be lost
        """Remove all versions, the last one last."""
        file = self._file(name)
        with _errors("removed", file):
            self._remove_earlier(name)
            self._remove_unfinished(name)
            file.unlink()
            sync_folder(self.folder)

    def purge(self) -> None:
        """Remove what killed writers left, and the history of what is gone; raise for copies of files."""
        if not self._exists():
            return
        unfinished = (file.name.removesuffix(".new").removeprefix(".") for file in self.folder.glob(UNFINISHED))
        earlier = (f"{folder.name}{SUFFIX}" for folder in (self.folder / EARLIER).glob("*"))
        for name in _names_in([*unfinished, *earlier]):
            file = self._file(name)
            with self.lock(name, LOCK_SECONDS), _errors("removed", unfinished_file(file)):
                self._remove_unfinished(name)
                if not os.path.lexists(file):
                    self._remove_earlier(name)
        with _errors("read", self.folder), os.scandir(self.folder) as entries:
            copies = (entry.name for entry in entries if SUFFIX in entry.name and not entry.is_dir())
            for name in sorted(copies):
                if not _names_in([name]) and not Path(name).match(UNFINISHED):
                    raise _stray(self.folder / name)

    def lock(self, name: str, seconds: float) -> AbstractContextManager[Lock]:
        """Lock a name by a file of its own, as the blob's is replaced at each write.

        The file is left behind: to remove it would pull it from under another process that waits for it.
        """
        return self._lock(checked_name(name), seconds)

    @contextlib.contextmanager
    def _lock(self, name: str, seconds: float) -> Iterator[Lock]:
        file = self.folder / LOCKS / name
        self._make_folders()
        with _errors("locked", file), contextlib.ExitStack() as stack:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                stack.enter_context(file_lock(file, seconds=seconds))
            except TimeoutError:
                raise StoreError(
                    f"credential {name!r} is being changed by another process; gave up after {seconds:g} seconds"
                ) from None
            held = stack.pop_all()
        with held:
            yield _FileLock()

    def _locked(self, name: str, lock: Lock | None) -> AbstractContextManager[object]:
        return self.lock(name, LOCK_SECONDS) if lock is None else contextlib.nullcontext()

    def _file(self, name: str) -> Path:
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def _earlier(self, name: str) -> list[Path]:
        """Return the files of earlier writes, oldest first."""
        folder = self.folder / EARLIER / name
        return sorted(file for file in folder.glob(f"*{SUFFIX}") if file.stem.isascii() and file.stem.isdecimal())

    def _keep(self, name: str) -> None:
        """Keep the blob that is about to be replaced as one of the earlier ones."""
        earlier, current = self._earlier(name), self._file(name)
        folder = self.folder / EARLIER / name
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
        if not earlier or not _is_same(earlier[-1], current):  # as a write that was killed leaves it
            number = int(earlier[-1].stem) + 1 if earlier else 1
            os.link(current, folder / f"{number:010}{SUFFIX}", follow_symlinks=False)
        for file in earlier[: -(self._history - 2)]:
            file.unlink()
            unfinished_file(file).unlink(missing_ok=True)

    def _remove_earlier(self, name: str) -> None:
        folder = self.folder / EARLIER / name
        if folder.is_dir():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            sync_folder(folder.parent)

    def _remove_unfinished(self, name: str) -> None:
        for file in (self.folder / EARLIER / name).glob(UNFINISHED):
            file.unlink()
        unfinished_file(self._file(name)).unlink(missing_ok=True)

    def _require_no_stray(self, name: str, earlier: list[Path]) -> None:
        """Raise StoreError for a file that is none of ours, such as a copy by a sync tool: an old key may open it."""
        for file in (self.folder / EARLIER / name).glob("*"):
            if file not in earlier and not file.match(UNFINISHED):
                raise _stray(file)

    def _exists(self) -> bool:
        """Return whether the folders exist, which nobody else may be able to change; raises OptionError otherwise."""
        return all(_is_private_folder(folder) for folder in self._folders)

    def _make_folders(self) -> None:
        if not self._exists():
            for folder in self._folders:
                with _errors("created", folder):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _stray(file: Path) -> StoreError:
    return StoreError(f"{file}: is no file of this store; move it away, as an older key may open it")


def _is_private_folder(folder: Path) -> bool:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise OptionError("store", f"{folder} cannot be used: {exc.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise OptionError("store", f"{folder} is not a folder")
    if status.st_uid != os.geteuid():
        raise OptionError("store", f"{folder} belongs to another user")
    if status.st_mode & 0o022:
        raise OptionError(
            "store", f"{folder} can be changed by others (mode {status.st_mode & 0o777:04o}); chmod 700 it"
        )
    return True


def _names_in(files: Iterable[str]) -> list[str]:
    """Return the names of blobs among those of files, sorted; others may be of anything."""
    return sorted(set(filter(NAME.fullmatch, (file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX)))))


@contextlib.contextmanager
def _errors(doing: str, file: Path) -> Iterator[None]:
    """Convert OSError to a StoreError that names the file."""
    try:
        yield
    except OSError as exc:
        problem = PROBLEMS.get(exc.errno or 0) or exc.strerror or "refused by the system"
        raise StoreError(f"{file}: cannot be {doing}: {problem}") from None


def _text(content: Content) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def _read(file: Path) -> Blob:
    """Read a file that is ours alone; no content when there is none."""
    try:
        with _errors("read", file), contextlib.suppress(FileNotFoundError):
            return Blob(str(file), parse_object(_bytes_of(file)))
    except ValueError as exc:
        raise DamagedRecordError(f"{file}: {exc}") from None
    return Blob(str(file), None)


def _bytes_of(file: Path) -> bytes:
    """Return the content of a file that is ours alone; raises OSError, or ValueError with the reason."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise ValueError("is a symbolic link, which is not followed") from None
        raise
    try:
        _require_private(os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            content = opened.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES >> 20} MiB")
    return content


def _require_private(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a file")
    if status.st_uid != os.geteuid():
        raise ValueError("belongs to another user")
    if status.st_mode & 0o077:
        raise ValueError(f"is open to others (mode {status.st_mode & 0o777:04o}); chmod 600 it")


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, of which neither is a link to the other."""
    return os.path.samestat(one.lstat(), other.lstat())
