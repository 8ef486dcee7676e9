# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has learned about its logins, so that no wrong one is tried again.

Salesforce locks a user out after some wrong tries, and a hundred hosts with one wrong password are a hundred tries.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from ..auth.causes import FINAL_CAUSES
from ..auth.connection import Connection
from ..credentials.credential import Verification
from ..files import file_lock

# Keeps file names from telling anything of a secret; made at the first import, so that the forks of a run share it.
_RUN_KEY = secrets.token_bytes(32)


class LoginAttempts:
    """The outcomes of a run's logins, in a folder that is removed with the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tries"

    def once(self, connection: Connection, attempt: Callable[[], Verification]) -> Verification:
        """The outcome of an attempt, or of that which was refused before.

        Until somebody in the run has been let in, attempts with the same secrets wait for each other.
        """
        with self._locked(connection):
            known = self.outcome(connection)
            if known is not None and known.result == "failed":
                return known
            if known is None:
                return self.noted(connection, attempt())
        return self.noted(connection, attempt())

    def outcome(self, connection: Connection) -> Verification | None:
        """What came out of the login before, if that is of use to others."""
        try:
            return Verification(**json.loads(self._file(connection).read_text()))
        except FileNotFoundError:
            return None

    def noted(self, connection: Connection, verification: Verification) -> Verification:
        """The verification, noted down if it is of use to others."""
        if verification.result == "ok" or verification.cause in FINAL_CAUSES:
            file = self._file(connection)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_name(f"{file.name}.{os.getpid()}")
            new.write_text(json.dumps(verification.to_dict()))
            new.replace(file)
        return verification

    @contextlib.contextmanager
    def _locked(self, connection: Connection) -> Iterator[None]:
        file = self._file(connection).with_suffix(".lock")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file_lock(file):
            yield

    def _file(self, connection: Connection) -> Path:
        parts = [connection.auth, connection.login_url, connection.username, connection.consumer_key]
        text = json.dumps([*parts, connection.secrets], sort_keys=True)
        return self._folder / f"{hmac.new(_RUN_KEY, text.encode(), hashlib.sha256).hexdigest()[:32]}.json"
