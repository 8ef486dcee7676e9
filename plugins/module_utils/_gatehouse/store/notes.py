# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small secrets that are kept beside the credentials, such as the tokens of a mailbox."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from .blobs import LOCK_SECONDS, Blob, Blobs, Content, Lock
from .keys import seal, unseal

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
NOTES = ".notes"
_UNREADABLE = (ValueError, LookupError, TypeError, StoreError, RecursionError)


class Note:
    """One note, while its name is locked."""

    def __init__(self, notes: Notes, name: str, lock: Lock) -> None:
        self._notes = notes
        self._name = name
        self._lock = lock

    def read(self) -> dict[str, Any] | None:
        """Read it; None for nothing, and for what no key opens."""
        return self._notes.read(self._name)

    def write(self, value: dict[str, Any]) -> None:
        """Keep a value durably in place of what is there; raises StoreError."""
        self._notes.write(self._name, value, lock=self._lock)


class Notes:
    """Sealed objects by name."""

    def __init__(self, blobs: Blobs, fernet: MultiFernet) -> None:
        self._blobs = blobs
        self._fernet = fernet

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[Note]:
        """Lock a name across processes; raises StoreError when another holds it for too long."""
        with self._blobs.lock(name, LOCK_SECONDS) as lock:
            yield Note(self, name, lock)

    def read(self, name: str) -> dict[str, Any] | None:
        """Read what is kept under a name; None for nothing, and for what no key opens."""
        blob = self._blobs.get(name)
        with contextlib.suppress(*_UNREADABLE):
            return self._open(name, blob) if blob.content is not None else None
        return None

    def write(self, name: str, value: dict[str, Any], *, lock: Lock | None = None) -> None:
        """Keep a value durably in place of what is there; raises StoreError."""
        while not self._blobs.put(name, self._seal(name, value), replaces=self._blobs.get(name), lock=lock):
            pass  # another was faster

    def reseal(self) -> None:
        """Seal all with the newest key; what no key opens stays as it is."""
        for name in self._blobs.names():
            self._blobs.rewrite(name, functools.partial(self._reseal, name))

    def _reseal(self, name: str, blob: Blob) -> Content:
        with contextlib.suppress(*_UNREADABLE):
            return self._seal(name, self._open(name, blob))
        return blob.content or {}

    def _seal(self, name: str, value: dict[str, Any]) -> Content:
        return {"sealed": seal(self._fernet, json.dumps({"name": name, "value": value}).encode())}

    def _open(self, name: str, blob: Blob) -> dict[str, Any]:
        kept = json.loads(unseal(self._fernet, (blob.content or {})["sealed"]))
        if kept["name"] != name:
            raise ValueError("is another's")
        return dict(kept["value"])
