# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember login attempts, so that no wrong secret is tried twice.

Salesforce locks a user after some failed logins, and a hundred hosts with one wrong password are a hundred of them.
This is the one place that prevents it, for all kinds of tasks, stored and inline credentials, controller and hosts:

- An attempt is noted before it is sent. One whose answer was lost may have counted, so it is not repeated in the run.
- A secret that was refused in the run is not tried again in it, whoever asks.
- A secret that was refused in an earlier run is not tried again until it changes, or its note is removed.
- A refusal that a managed host reports stops the run's other logins with that secret, as it may have counted. Later
  runs log in again: first from the controller, as somebody who has taken the host over may have made it up.

Notes hold no secret. They are found by a digest of the login that needs the key beside them; that of the notes which
outlast a run is also slow to compute.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..errors import GatehouseError, LoginError, LoginUnansweredError, OrgError
from ..files import create_file, file_lock
from .causes import SAME_EVERYWHERE, SAME_FROM_HERE, SECRET_REJECTED
from .connection import Connection

T = TypeVar("T")
CONTROLLER = ""  # the place from which the controller logs in; other places are names of hosts
WARNING = "failed logins lock the user"
DEFAULT_MAX_ATTEMPTS = 10  # failed logins that lock a user, unless the org's policy says otherwise
MAX_DOUBTED = 2  # hosts of a run: a login history that lags behind must not cost more logins
FAILURES_COUNT_SECONDS = 24 * 3600.0
MAX_REFUSED = 20  # notes that outlast a run, for each user
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # about 30 ms
_KEY = "key"
_SUFFIX = ".json"


class LoginAttempts:
    """The login attempts of one run, and the secrets that earlier runs found to be wrong."""

    def __init__(self, run_folder: Path, store_folder: Path | None) -> None:
        """Keep notes in two folders, which need not exist yet.

        Args:
            run_folder: what the run keeps for its tasks, which is removed with it.
            store_folder: where refused secrets are noted across runs; None to forget them with the run.
        """
        self._run_folder = run_folder / "attempts"
        self._refused_folder = store_folder / ".attempts" if store_folder else None

    def run_once(
        self,
        connection: Connection,
        log_in: Callable[[], T],
        *,
        place: str = CONTROLLER,
        confirm: Callable[[], bool | None] = lambda: None,
    ) -> T:
        """Log in, or raise what an earlier attempt with the same secrets led to.

        Until one attempt has succeeded, attempts with the same secrets wait for each other.

        Args:
            connection: what to log in with.
            log_in: sends one login; raises LoginError, LoginUnansweredError, or another error when nothing was sent.
            place: from where, as the address may decide.
            confirm: returns whether the org has recorded a refused login of the user in the last minutes; None where
                that is not known. It is called when a host reports a refusal.

        Raises:
            LoginError: the login was refused, now or before.
            LoginUnansweredError: there was no answer to the login, now or before.
        """
        with self._lock(connection) as file:
            note = _read(file)
            if note is None or note["state"] != "ok":
                self._require_new(connection, note, place)
                _renew(file, _note("sent", "unreachable", "what became of the login is not known", place))
                return self._send(connection, log_in, file, place, confirm, succeeded=False)
        return self._send(connection, log_in, file, place, confirm, succeeded=True)

    def has_succeeded(self, connection: Connection) -> bool:
        """Whether a login with these secrets has succeeded in this run."""
        note = _read(self._file(connection)) if self._run_folder.is_dir() else None
        return note is not None and note["state"] == "ok"

    def was_reported(self, connection: Connection) -> bool:
        """Whether a host of an earlier run reported that these secrets were refused, which nobody has confirmed."""
        file = self._refused_file(connection)
        note = _read(file) if file else None
        return note is not None and note["state"] == "reported"

    def require_retry_allowed(self, connection: Connection, *, org_asked: bool = False) -> None:
        """Let a secret be tried again that an earlier run found to be wrong, while that cannot lock the user.

        Args:
            connection: with which it is to be tried.
            org_asked: whether the org itself said that the user has attempts left.

        Raises:
            LoginError: so many logins of this user were refused of late that another might be the last.
        """
        failures = sum(int(note.get("failures") or 0) for note in self._notes_of_user(connection))
        if failures >= DEFAULT_MAX_ATTEMPTS - 1 and not org_asked:
            raise LoginError(
                f"{failures} logins of {connection.username} were refused since yesterday, and another one could lock "
                "the user, so none was made. Name diagnose_with, which asks the org how many are left, or wait a day",
                cause="user_locked",
            )
        file = self._refused_file(connection)
        if file is not None:
            note = _read(file)
            if note is not None:
                _write(file, {**note, "state": "forgiven"})

    def _notes_of_user(self, connection: Connection) -> Iterator[dict[str, Any]]:
        """Yield the refusals of a user since yesterday, whatever the secret was."""
        folder = self._refused_folder
        if folder is None or not (folder / _KEY).is_file():
            return
        for file in folder.glob(f"{_user(connection, _key(folder))}.*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime < FAILURES_COUNT_SECONDS:
                    yield _read(file) or {}

    def _forget_refused(self, connection: Connection) -> None:
        """Forget that a secret was wrong, as it is right now, and how often the user failed."""
        folder = self._refused_folder
        file = self._refused_file(connection)
        if file is not None:
            file.unlink(missing_ok=True)
        if folder is not None and (folder / _KEY).is_file():
            for other in folder.glob(f"{_user(connection, _key(folder))}.*{_SUFFIX}"):
                note = _read(other)
                if note is not None and note.get("failures"):
                    _write(other, {**note, "failures": 0})

    def _require_new(self, connection: Connection, note: dict[str, Any] | None, place: str) -> None:
        """Raise the error of an earlier attempt that another one would only repeat."""
        again = f"so not tried again: {WARNING}"
        if note is not None and note["state"] in ("refused", "reported"):
            if note["cause"] in SAME_EVERYWHERE or note["place"] == place:
                raise _repeated(LoginError, note, f"; refused before in this run, {again}", place)
        elif note is not None and note["state"] != "doubted":
            raise _repeated(LoginUnansweredError, note, f"; tried before in this run, {again}", place)
        file = self._refused_file(connection)
        earlier = _read(file) if file else None
        if earlier is not None and earlier["state"] not in ("forgiven", "reported"):
            why = (
                f"; refused at {earlier['at']} and unchanged since, {again}. If it is right by now, for example as the "
                f"user was unlocked, remove {file} and run this again"
            )
            raise _repeated(LoginError, earlier, why, place)

    def _send(
        self,
        connection: Connection,
        log_in: Callable[[], T],
        file: Path,
        place: str,
        confirm: Callable[[], bool | None],
        *,
        succeeded: bool,
    ) -> T:
        """Log in and note the outcome.

        Args:
            succeeded: whether these secrets have passed a login in this run, so that a lost answer was no wrong try.
        """
        try:
            result = log_in()
        except LoginError as exc:
            if exc.cause in SAME_FROM_HERE:
                self._note_refused(connection, exc, file, place, confirm, succeeded=succeeded)
            elif not succeeded:
                file.unlink(missing_ok=True)  # a task of the same run may mend it
            raise
        except LoginUnansweredError as exc:
            if not succeeded:
                _renew(file, _note("unanswered", exc.cause, str(exc), place))
            raise
        except GatehouseError:
            if not succeeded:
                file.unlink(missing_ok=True)  # nothing was sent
            raise
        if not succeeded:
            _renew(file, _note("ok", "ok", "logged in", place))
            if place == CONTROLLER:  # a host may say so of a secret that is wrong
                with contextlib.suppress(OSError, GatehouseError):
                    self._forget_refused(connection)
        return result

    def _note_refused(
        self,
        connection: Connection,
        exc: LoginError,
        file: Path,
        place: str,
        confirm: Callable[[], bool | None],
        *,
        succeeded: bool,
    ) -> None:
        """Note a refusal as far as it can be believed; raises LoginError when the org knows of none."""
        known = True
        if place != CONTROLLER:
            asked = confirm() if exc.cause in SAME_EVERYWHERE else None
            doubted = {*(_read(file) or {}).get("doubted", ()), place}
            if asked is False and len(doubted) <= MAX_DOUBTED:
                note = _note("ok", "ok", "logged in", place) if succeeded else _note("doubted", exc.cause, "", place)
                _write(file, {**note, "doubted": sorted(doubted)})
                raise LoginError(
                    f"{exc}. This is only what {place} reports: the org has recorded no refused login of "
                    f"{connection.username} in the last minutes, so other hosts may log in. See who controls {place}",
                    cause=exc.cause,
                ) from None
            known = bool(asked)
        state = "refused" if known else "reported"
        _renew(file, _note(state, exc.cause, str(exc), place))
        if exc.cause in SECRET_REJECTED:
            self._remember_refused(connection, exc, state)

    def _remember_refused(self, connection: Connection, exc: LoginError, state: str) -> None:
        """Note a refusal for later runs, where that is possible; this run has its own note."""
        if self._refused_folder is None:
            return
        with contextlib.suppress(OSError):
            for folder in (self._refused_folder.parent, self._refused_folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _key(self._refused_folder)
            file = _refused_name(self._refused_folder, connection)
            failures = int((_read(file) or {}).get("failures") or 0) + 1
            _write(file, {**_note(state, exc.cause, str(exc), CONTROLLER), "failures": failures})
            user = file.name.partition(".")[0]
            notes = sorted(self._refused_folder.glob(f"{user}.*{_SUFFIX}"), key=lambda note: note.stat().st_mtime)
            for old in notes[:-MAX_REFUSED]:
                old.unlink(missing_ok=True)

    def _refused_file(self, connection: Connection) -> Path | None:
        """Return the note of an earlier run about these secrets; None where there is none."""
        folder = self._refused_folder
        if folder is None or not (folder / _KEY).is_file():
            return None
        with contextlib.suppress(OSError):
            if any(folder.glob(f"{_user(connection, _key(folder))}.*{_SUFFIX}")):
                file = _refused_name(folder, connection)
                return file if file.exists() else None
        return None

    def _file(self, connection: Connection) -> Path:
        key = _key(self._run_folder)
        digest = hmac.new(key, _secret_text(connection), hashlib.sha256).hexdigest()[:32]
        return self._run_folder / f"{_user(connection, key)}.{digest}{_SUFFIX}"

    @contextlib.contextmanager
    def _lock(self, connection: Connection) -> Iterator[Path]:
        """Hold the note about these secrets against all other processes."""
        with contextlib.ExitStack() as stack:
            try:
                self._run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = self._file(connection)
                stack.enter_context(file_lock(file.with_suffix(".lock")))
            except OSError as exc:
                raise GatehouseError(
                    f"{self._run_folder}: a login cannot be noted there, so none was made: {exc.strerror}"
                ) from None
            yield file


def _refused_name(folder: Path, connection: Connection) -> Path:
    key = _key(folder)
    digest = hashlib.scrypt(_secret_text(connection), salt=key, **_SCRYPT).hex()[:32]
    return folder / f"{_user(connection, key)}.{digest}{_SUFFIX}"


def _user(connection: Connection, key: bytes) -> str:
    """Return a file name from who logs in, and where."""
    parts = [connection.auth, connection.login_url.rstrip("/").lower(), connection.username, connection.consumer_key]
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()[:32]


def _secret_text(connection: Connection) -> bytes:
    # Password and token as they are sent, as users may store them joined or apart.
    rest = [connection.consumer_secret, connection.private_key, connection.refresh_token, connection.access_token]
    return json.dumps([connection.login_password, *rest]).encode()


def _key(folder: Path) -> bytes:
    """Return the key of a folder's digests, which the first to ask makes."""
    file = folder / _KEY
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    with contextlib.suppress(FileExistsError):  # another process was faster
        create_file(file, secrets.token_bytes(32))
    return file.read_bytes()


def _repeated(kind: type[OrgError], note: dict[str, Any], why: str, place: str) -> OrgError:
    """Return the error of an earlier attempt, with why there is no other."""
    host = note["place"] if note["state"] != "refused" and note["place"] not in (CONTROLLER, place) else None
    if host:
        why += (
            f". Only {host} has reported this. If it is wrong, {host} may be under somebody else's control: remove it "
            f"from the inventory or exclude it (--limit '!{host}'), and run this again"
        )
    error = kind(note["detail"] + why, cause=note["cause"])
    error.reported_by = host
    error.why_not_sent = why
    return error


def _note(state: str, cause: str, detail: str, place: str) -> dict[str, Any]:
    at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"state": state, "cause": cause, "detail": detail, "place": place, "at": at}


def _read(file: Path) -> dict[str, Any] | None:
    """Return a note; None where there is none. One that cannot be read is that of an attempt without an answer."""
    try:
        note = json.loads(file.read_bytes())
        if isinstance(note, dict) and all(isinstance(note.get(name), str) for name in _note("", "", "", "")):
            return note
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        pass
    return _note("unanswered", "unreachable", f"{file} cannot be read", CONTROLLER)


def _renew(file: Path, note: dict[str, Any]) -> None:
    """Replace a note of this run, but not which hosts reported refusals that the org knows nothing of."""
    _write(file, {**note, "doubted": (_read(file) or {}).get("doubted", [])})


def _write(file: Path, note: dict[str, Any]) -> None:
    """Replace a note whole; raises GatehouseError, so that no login is made that could not be noted."""
    new = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as opened:
            opened.write(json.dumps(note).encode())
        new.replace(file)
    except OSError as exc:
        with contextlib.suppress(OSError):
            new.unlink()
        raise GatehouseError(f"{file.parent}: a login cannot be noted there: {exc.strerror}") from None
