# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions kept for reuse: one login serves all tasks, hosts and forks. Private to gatehouse.salesforce."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ..connection import Connection
from .login import Session

try:
    from cryptography.fernet import Fernet, InvalidToken
except ImportError:  # told to the user by require_libraries()
    pass


class Cipher(Protocol):
    """What encrypts a session at rest: a Fernet, or several."""

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt and authenticate."""

    def decrypt(self, token: bytes) -> bytes:
        """Undo encrypt(), or raise InvalidToken."""


class SessionCache:
    """Sessions in a folder, encrypted, one file for each user, org and way to reach it.

    A file is opened under a lock, so that of many processes that need a session one logs in and the others wait for it.
    """

    def __init__(self, folder: Path, cipher: Cipher) -> None:
        self._folder = folder
        self._cipher = cipher

    def obtain(
        self, connection: Connection, log_in: Callable[[Connection], Session], *, failed: Session | None
    ) -> Session:
        """The kept session, or a new one by one login.

        Args:
            connection: whose session; another secret never gets this one's.
            log_in: opens a session.
            failed: a session that the org no longer takes.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{_identity(connection)}.session"
        with self._locked(path):
            kept = self._read(path, connection)
            if kept is not None and (failed is None or kept.access_token != failed.access_token):
                return kept
            session = log_in(connection)
            self._write(path, connection, session)
            return session

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self, path: Path, connection: Connection) -> Session | None:
        """The session in the file; None when there is none, or it is another secret's, or another key's."""
        try:
            content = json.loads(self._cipher.decrypt(path.read_bytes()))
        except (FileNotFoundError, InvalidToken, ValueError):
            return None
        if content.pop("secrets") != _fingerprint(connection):
            return None
        return Session(**content)

    def _write(self, path: Path, connection: Connection, session: Session) -> None:
        content = {**dataclasses.asdict(session), "secrets": _fingerprint(connection)}
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".session-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._cipher.encrypt(json.dumps(content).encode()))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _identity(connection: Connection) -> str:
    """A file name from what is not secret; the address too, since an org may bind a session to it."""
    parts = (
        connection.auth,
        connection.login_url,
        connection.username,
        connection.api_version,
        connection.source_address,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _fingerprint(connection: Connection) -> str:
    """Tells whether a session was opened with these very secrets. Only ever written encrypted."""
    trusted = (connection.ca_path, sorted(connection.allowed_hosts))
    return hashlib.sha256(json.dumps([connection.secrets, trusted], sort_keys=True).encode()).hexdigest()


def new_run_cipher() -> Cipher:
    """A key that lives in this process and its forks only, for sessions that must not outlast the run."""
    return Fernet(Fernet.generate_key())
