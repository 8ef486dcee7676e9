# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs in a key-value engine, version 2, of OpenBao or HashiCorp Vault.

The server gets what a file would contain: secrets are sealed before they leave this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..credentials.credential import NAME, checked_name
from ..errors import VersionConflictError
from ..files import can_write_below
from .blobs import HISTORY, Blob, Content, Lock
from .client import KvClient
from .lease import hold_lease
from .secret import Secret

LOCKS = ".locks"


class KvBlobs:
    """The blobs under one path of a server."""

    def __init__(self, client: KvClient, part: str = "") -> None:
        """Use the path of a client, or one below it.

        Args:
            client: of the server.
            part: the name of the one below.
        """
        self._client = client
        self._part = part

    @property
    def place(self) -> str:
        """The address."""
        return _join(self._client.address.url, self._part)

    @property
    def local_folder(self) -> Path | None:
        """A cache of this machine, for itself, as an org may bind sessions to an address."""
        address = self._client.address
        place = hashlib.sha256(f"{address.namespace} {address.url}".encode()).hexdigest()[:32]
        with contextlib.suppress(RuntimeError):  # there is no home
            cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
            folder = cache / "gatehouse" / "salesforce" / place
            return folder if can_write_below(folder) else None
        return None

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(name for name in Secret(self._client, self._part).names() if NAME.fullmatch(name))

    def get(self, name: str) -> Blob:
        """Read the last write."""
        return self._secret(name).read()

    def versions(self, name: str) -> list[Blob]:
        """Read the last writes, oldest first."""
        secret = self._secret(name)
        if secret.read().content is None:
            return []
        blobs = [secret.read(number) for number in secret.numbers()[-HISTORY:]]
        return [blob for blob in blobs if blob.content is not None]

    def put(self, name: str, content: Content, *, replaces: Blob, lock: Lock | None = None) -> bool:
        """Write in place of what was read, unless another was faster."""
        if lock is not None:
            lock.require()
        else:
            self._client.require_engine()
        return self._secret(name).put(content, replaces.number) is not None

    def rewrite(self, name: str, change: Callable[[Blob], Content], *, lock: Lock | None = None) -> bool:
        """Write the last version as the change makes it, and destroy the others: a server changes none of them."""
        secret = self._secret(name)
        while True:
            before = secret.read()
            if before.content is None:
                return False
            if lock is not None:
                lock.require()
            number = secret.put(change(before), before.number)
            if number is not None:
                secret.destroy([earlier for earlier in secret.numbers() if earlier < number])
                return True
            if lock is not None:
                raise VersionConflictError(f"{before.where}: was changed by someone else meanwhile")

    def delete(self, name: str, *, lock: Lock) -> None:
        """Remove all versions."""
        lock.require()
        self._secret(name).remove()

    def purge(self) -> None:
        """Destroy what could be recovered of blobs that were deleted by hand."""
        for name in self.names():
            secret = self._secret(name)
            if secret.read().content is None:
                secret.destroy(secret.numbers())

    def lock(self, name: str, seconds: float) -> AbstractContextManager[Lock]:
        """Lock a name by a secret that the server deletes after a while."""
        return self._lock(checked_name(name), seconds)

    @contextlib.contextmanager
    def _lock(self, name: str, seconds: float) -> Iterator[Lock]:
        self._client.require_engine()
        path = _join(self._part, LOCKS, name)
        with hold_lease(name, Secret(self._client, path), Secret(self._client.clone(), path), wait=seconds) as lease:
            yield lease

    def _secret(self, name: str) -> Secret:
        return Secret(self._client, _join(self._part, checked_name(name)))


def _join(*parts: str) -> str:
    return "/".join(filter(None, parts))
