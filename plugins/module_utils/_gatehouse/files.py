# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks and whole-file writes that all processes of a machine respect.

Functions raise OSError, which the caller translates: only it knows which option names the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.02
_BESIDE_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@contextlib.contextmanager
def file_lock(path: Path, *, seconds: float | None = None) -> Iterator[None]:
    """Hold a lock file, which is created when missing and stays; its folder must exist.

    Args:
        path: the lock file; a link in its place is refused.
        seconds: how long to wait for it; None for ever.

    Raises:
        TimeoutError: another holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | _BESIDE_LINKS, 0o600)
    try:
        if seconds is None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        else:
            _lock_within(handle, seconds)
        yield
    finally:
        os.close(handle)


def replace_file(file: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file: a reader, even one after a crash, sees the old content or the new one, whole.

    Only one writer at a time: hold a lock. What a killed one leaves, unfinished_file(), the next one removes.

    Args:
        file: its folder must exist; the file is its owner's alone.
        content: all of it.
        durable: return only when the disk has it. False is for what need not outlive a crash of the machine.
    """
    new = unfinished_file(file)
    new.unlink(missing_ok=True)
    with _written(new, content, 0o600, durable=durable):
        os.replace(new, file)  # noqa: PTH105 - beside os.fsync, and where the tests interrupt it
        if durable:
            sync_folder(file.parent)


def create_file(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole and durably where there is none, however many writers try; raises FileExistsError."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with _written(new, content, mode, durable=True):
        os.link(new, file)  # unlike a rename, this never replaces anything
        sync_folder(file.parent)


def uncreated_files(file: Path) -> list[Path]:
    """Return what create_file() leaves behind when it is killed: other names of the file, or parts of it."""
    return sorted(file.parent.glob(f".{glob.escape(file.name)}.{'[0-9a-f]' * 16}"))


def unfinished_file(file: Path) -> Path:
    """Return where replace_file() writes, and what it leaves behind when it is killed."""
    return file.with_name(f".{file.name}.new")


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def can_write_below(folder: Path) -> bool:
    """Whether files can be created in a folder, or the folder itself when it does not exist yet."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _written(new: Path, content: bytes, mode: int, *, durable: bool) -> Iterator[None]:
    """Write a file beside the one that it is for, and remove it in the end if it is still there."""
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BESIDE_LINKS, mode)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            if durable:
                os.fsync(opened.fileno())
        yield
    finally:
        with contextlib.suppress(OSError):
            new.unlink()


def _lock_within(handle: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_POLL_SECONDS)
