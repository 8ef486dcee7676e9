# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions kept for reuse: one login serves all tasks, hosts and forks."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..auth.causes import FINAL_CAUSES
from ..auth.connection import Connection
from ..errors import GatehouseError, LoginError, LoginUnansweredError
from ..files import file_lock
from .login import Session

try:
    from cryptography.fernet import Fernet, InvalidToken
except ImportError:  # told to the user by require_libraries()
    pass
# Not tried again in a run: from this machine, a missing token may count as a wrong try as well (which is not
# documented), and whoever logs in too often is blocked for an hour.
REFUSED = (*FINAL_CAUSES, "token_required_here", "rate_limited")
MAX_AGE_SECONDS = 24 * 3600.0  # seconds; the longest time without use after which Salesforce ends a session
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
    What the org refused, and would refuse again, is not tried again in the same run.
    """

    def __init__(self, folder: Path, cipher: Cipher, run: Path) -> None:
        """Keep sessions in a folder.

        Args:
            folder: where they are.
            cipher: what seals them.
            run: a folder that this run has for itself, by which refusals of other runs are told from those of this one.
        """
        self._folder = folder
        self._cipher = cipher
        self._run = hashlib.sha256(str(run).encode()).hexdigest()[:16]

    def obtain(self, connection: Connection, log_in: LogIn, *, failed: Session | None) -> Session:
        """The kept session, or a new one by one login.

        Args:
            connection: whose session; another secret never gets this one's.
            log_in: opens a session.
            failed: a session that the org no longer takes.
        """
        with self._locked(connection) as path:
            kept = self._read(path, connection)
            if kept is not None and (failed is None or kept["access_token"] != failed.access_token):
                return Session(**kept)
            return self._opened(path, connection, log_in)

    def renew(self, connection: Connection, log_in: LogIn) -> Session:
        """A new session by one login, which is kept for whoever asks next."""
        with self._locked(connection) as path:
            return self._opened(path, connection, log_in)

    def kept(self, connection: Connection) -> Session | None:
        """The kept session, if there is one; whether the org still takes it is not asked."""
        found = self._read(self._file(connection), connection)
        return None if found is None else Session(**found)

    def forget(self, connection: Connection) -> None:
        """Remove the kept session, if there is one."""
        if self._folder.is_dir():
            with self._locked(connection) as path:
                path.unlink(missing_ok=True)

    def is_fresh(self, connection: Connection) -> bool:
        """Whether the kept session was taken by the org within the last minute."""
        try:
            return time.time() - self._file(connection).stat().st_mtime < CONFIRMED_SECONDS
        except FileNotFoundError:
            return False

    def refresh(self, connection: Connection) -> None:
        """Note down that the org has just taken the kept session."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._file(connection))

    def _opened(self, path: Path, connection: Connection, log_in: LogIn) -> Session:
        file, mine = path.with_suffix(f".{self._run}.refused"), _fingerprint(connection)
        refusals = self._unseal(file) or {}  # of logins with these secrets or others: answered or not, problem, cause
        if mine in refusals:
            answered, problem, cause = refusals[mine]
            again = "so not tried again: wrong tries lock the user out"
            if answered:
                raise LoginError(f"{problem}; refused before in this run, {again}", cause=cause)
            raise LoginUnansweredError(f"{problem}; tried before in this run, {again}", cause=cause)
        # First, so that neither a full disk nor the end of this process has it repeated.
        self._note(file, {**refusals, mine: (False, "what became of the login is not known", "unreachable")})
        try:
            session = log_in(connection)
        except GatehouseError as exc:
            answered = isinstance(exc, LoginError)
            if isinstance(exc, LoginUnansweredError) or (isinstance(exc, LoginError) and exc.cause in REFUSED):
                refusals[mine] = (answered, str(exc), exc.cause)
            self._note(file, refusals)
            raise
        self._note(file, refusals)
        self._write(path, connection, dataclasses.asdict(session))
        self._remove_old()
        return session

    def _note(self, file: Path, refusals: Mapping[str, tuple[bool, str, str]]) -> None:
        if refusals:
            self._seal(file, refusals)
        else:
            file.unlink(missing_ok=True)

    def _remove_old(self) -> None:
        for file in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if file.suffix != ".lock" and time.time() - file.stat().st_mtime > MAX_AGE_SECONDS:
                    file.unlink()

    @contextlib.contextmanager
    def _locked(self, connection: Connection) -> Iterator[Path]:
        """The file of a connection, held against all other processes."""
        path = self._file(connection)
        with contextlib.ExitStack() as stack:
            with self._told():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                stack.enter_context(file_lock(path.with_suffix(".lock")))
            yield path

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise GatehouseError(f"{self._folder}: no session can be kept there: {exc.strerror}") from None

    def _file(self, connection: Connection) -> Path:
        return self._folder / f"{_identity(connection)}.session"

    def _read(self, path: Path, connection: Connection) -> dict[str, Any] | None:
        """What the file holds; None when there is none, or it is another secret's, or another key's."""
        content = self._unseal(path)
        return content if content is not None and content.pop("secrets") == _fingerprint(connection) else None

    def _unseal(self, path: Path) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = json.loads(self._cipher.decrypt(path.read_bytes()))
        except (FileNotFoundError, InvalidToken, ValueError):
            return None
        return content

    def _write(self, path: Path, connection: Connection, content: Mapping[str, Any]) -> None:
        self._seal(path, {**content, "secrets": _fingerprint(connection)})

    def _seal(self, path: Path, content: Mapping[str, Any]) -> None:
        sealed = self._cipher.encrypt(json.dumps(content).encode())
        with self._told():
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".session-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(sealed)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


def _identity(connection: Connection) -> str:
    """A file name from what is not secret: who, where, and from where.

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
    """The local address of the default route. Nothing is sent: to connect a datagram socket only looks up the route."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0])
    return None


def _fingerprint(connection: Connection) -> str:
    """Tells whether a session was opened with these very secrets. Only ever written encrypted."""
    trusted = (connection.ca_path, sorted(connection.allowed_hosts))
    return hashlib.sha256(json.dumps([connection.secrets, trusted], sort_keys=True).encode()).hexdigest()


def new_run_cipher() -> Cipher:
    """A key that lives in this process and its forks only, for sessions that must not outlast the run."""
    return Fernet(Fernet.generate_key())
