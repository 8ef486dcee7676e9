# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as a run in check mode would have left it so far."""

from __future__ import annotations

from pathlib import Path

from ..credentials.credential import Credential
from ..errors import CredentialNotFoundError
from .base import DELIVERIES, Store
from .blobs import Blob
from .folder import FolderBlobs


class ForeseenStore(Store):
    """A store that is read together with what the run would have written, which is sealed and goes with the run."""

    def __init__(self, stored: Store, folder: Path) -> None:
        """Read a store.

        Args:
            stored: the store, which stays as it is.
            folder: what the run keeps for this store; it need not exist yet.
        """
        super().__init__(stored._records, stored._deliveries, stored.fernet)
        self._written = FolderBlobs(folder)
        self._foreseen = Store(self._written, FolderBlobs(folder, DELIVERIES), stored.fernet)

    def foresee(self, credential: Credential) -> None:
        """Keep for the run what it would have written."""
        with self._foreseen.lock(credential.name):
            try:
                before = self._foreseen.read(credential.name).version
            except CredentialNotFoundError:
                before = None
            self._foreseen.write(credential, replaces=before)

    def is_foreseen(self, name: str) -> bool:
        """Whether the run would have written this credential."""
        return self._written.get(name).content is not None

    def names(self) -> list[str]:
        """Return the names of all credentials, sorted."""
        return sorted({*super().names(), *self._written.names()})

    def _existing(self, name: str) -> Blob:
        foreseen = self._written.get(name)
        return super()._existing(name) if foreseen.content is None else foreseen
