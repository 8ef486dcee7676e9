# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep sessions for reuse: one login serves all tasks, hosts and forks."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..auth.attempts import LoginAttempts
from ..auth.connection import Connection
from ..errors import GatehouseError
from ..files import file_lock, replace_file
from .login import Session

try:
    from cryptography.fernet import Fernet, InvalidToken
except ImportError:  # reported by require_libraries()
    pass
MAX_AGE_SECONDS = 24 * 3600.0  # seconds; the longest time without use after which Salesforce ends a session
CLOCK_SLACK = 3600.0  # seconds; a file from further in the future is one from before the clock was set back
CONFIRMED_SECONDS = 60.0  # seconds; the shortest time after which Salesforce ends a session is 15 minutes


class Cipher(Protocol):
    """What encrypts a session at rest: a Fernet, or several."""

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt and authenticate."""

    def decrypt(self, token: bytes) -> bytes:
        """Undo encrypt(), or raise InvalidToken."""


LogIn = Callable[[Connection], Session]


class SessionCache:
    """Sessions in a folder, encrypted, one file for each user, org and way to reach it.

    A file is opened under a lock, so that of many processes that need a session one logs in and the others wait for it.
    """

    def __init__(self, folder: Path, cipher: Cipher, attempts: LoginAttempts) -> None:
        """Keep sessions in a folder.

        Args:
            folder: it need not exist yet.
            cipher: encrypts the sessions.
            attempts: the logins of this run, so that none is made twice that was refused.
        """
        self._folder = folder
        self._cipher = cipher
        self.attempts = attempts

    def get_or_open(self, connection: Connection, log_in: LogIn, *, failed: Session | None) -> Session:
        """Return the cached session, or a new one by one login.

        Args:
            connection: whose session; another secret or user never gets this one's.
            log_in: opens a session.
            failed: a session that the org no longer accepts.
        """
        with self._locked(connection) as path:
            cached = self._read(path, connection)
            if cached is not None and (failed is None or cached.access_token != failed.access_token):
                return cached
            return self._open(path, connection, log_in)

    def open_new(self, connection: Connection, log_in: LogIn) -> Session:
        """Open a new session by one login, and cache it."""
        with self._locked(connection) as path:
            return self._open(path, connection, log_in)

    def cached(self, connection: Connection) -> Session | None:
        """Return the cached session, if there is one, without asking whether the org still accepts it."""
        return self._read(self._file(connection), connection)

    def forget(self, connection: Connection) -> None:
        """Remove the cached session, if there is one."""
        if self._folder.is_dir():
            with self._locked(connection) as path:
                path.unlink(missing_ok=True)

    def recently_confirmed(self, connection: Connection) -> bool:
        """Return whether the org accepted the cached session within the last minute."""
        try:
            age = time.time() - self._file(connection).stat().st_mtime
        except FileNotFoundError:
            return False
        return 0 <= age < CONFIRMED_SECONDS  # one from the future: the clock was set back

    def mark_confirmed(self, connection: Connection) -> None:
        """Note that the org has just accepted the cached session."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._file(connection))

    def _open(self, path: Path, connection: Connection, log_in: LogIn) -> Session:
        session = self.attempts.run_once(connection, lambda: log_in(connection))
        if session.refresh_token:  # whoever comes next has the new one
            connection = dataclasses.replace(connection, refresh_token=session.refresh_token)
        self._write(path, connection, dataclasses.replace(session, refresh_token=None))
        self._remove_old()
        return session

    def _remove_old(self) -> None:
        for file in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - file.stat().st_mtime
                if file.suffix != ".lock" and not -CLOCK_SLACK < age < MAX_AGE_SECONDS:
                    file.unlink()

    @contextlib.contextmanager
    def _locked(self, connection: Connection) -> Iterator[Path]:
        """Hold the file of a connection against all other processes."""
        path = self._file(connection)
        with contextlib.ExitStack() as stack:
            with self._translate_errors():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                stack.enter_context(file_lock(path.with_suffix(".lock")))
            yield path

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise GatehouseError(f"{self._folder}: no session can be kept there: {exc.strerror}") from None

    def _file(self, connection: Connection) -> Path:
        return self._folder / f"{_identity(connection)}.session"

    def _read(self, path: Path, connection: Connection) -> Session | None:
        """Return the session in a file; None when there is none, or it belongs to another secret, user or key."""
        try:
            content = json.loads(self._cipher.decrypt(path.read_bytes()))
            if content["belongs_to"] != _fingerprint(connection):
                return None
            return Session(**content["session"])
        except FileNotFoundError:
            return None
        except (OSError, InvalidToken, ValueError, LookupError, TypeError, RecursionError):
            return None  # whatever it is, the next login replaces it

    def _write(self, path: Path, connection: Connection, session: Session) -> None:
        content = {"session": dataclasses.asdict(session), "belongs_to": _fingerprint(connection)}
        sealed = self._cipher.encrypt(json.dumps(content).encode())
        with self._translate_errors():
            replace_file(path, sealed, durable=False)  # after a crash, one more login is made


def _identity(connection: Connection) -> str:
    """Return a file name from what is not secret: who, where, and from where.

    An org may bind a session to the address that opened it (lockSessionsToIp). So a store that several machines share,
    or a machine that has moved to another network, has a session for each place.
    """
    parts = (
        connection.auth,
        connection.login_url,
        connection.username,
        connection.consumer_key,
        connection.source_address or _own_address(),
        platform.node(),
        urllib.request.getproxies().get(urlsplit(connection.login_url).scheme),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _own_address() -> str | None:
    """Return the local address of the default route. Nothing is sent: connecting a datagram socket looks it up only."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return None


def _fingerprint(connection: Connection) -> str:
    """Return what a session belongs to: user, org, flow and secrets. Only ever written encrypted."""
    who = (connection.auth, connection.login_url, connection.username, connection.consumer_key)
    trusted = (connection.ca_path, sorted(connection.allowed_hosts))
    return hashlib.sha256(json.dumps([who, connection.secrets, trusted], sort_keys=True).encode()).hexdigest()


def new_run_cipher() -> Cipher:
    """Return a key that lives in this process and its forks only, for sessions that must not outlast the run."""
    return Fernet(Fernet.generate_key())
