# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as a run in check mode would have left it so far."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..credentials.credential import Credential
from .base import Store
from .blobs import Blob, Content
from .folder import FolderBlobs
from .options import StoreOptions
from .sealed import seal_credential

REMOVED: Content = {}  # in place of a credential that the run would have removed


def foreseen_folder(options: StoreOptions, run_folder: Path) -> Path:
    """Return the folder, which need not exist, of what a run in check mode would have written to a store."""
    return run_folder / "foreseen" / hashlib.sha256(options.resolved.encode()).hexdigest()[:32]


class ForeseenStore(Store):
    """A store that is read together with what the run would have written, which is sealed and goes with the run."""

    def __init__(self, stored: Store, folder: Path) -> None:
        """Read a store.

        Args:
            stored: the store, which stays as it is.
            folder: what the run keeps for this store; it need not exist yet.
        """
        super().__init__(stored._records, stored._deliveries, stored.fernet)
        self._foreseen = FolderBlobs(folder)

    @classmethod
    def open(cls, options: StoreOptions, run_folder: Path) -> ForeseenStore:
        """Open the store of a run in check mode; raises OptionError when it or its keys cannot be used."""
        return cls(options.open(), foreseen_folder(options, run_folder))

    def foresee(self, name: str, credential: Credential | None) -> None:
        """Keep for the run what it would have written, or that it would have removed the credential (None)."""
        content = REMOVED if credential is None else seal_credential(self.fernet, credential)
        while not self._foreseen.put(name, content, replaces=self._foreseen.get(name)):
            pass  # another task of the run was faster

    def is_foreseen(self, name: str) -> bool:
        """Whether the run would have written this credential."""
        return self._foreseen.get(name).content not in (None, REMOVED)

    def names(self) -> list[str]:
        """Return the names of all credentials, sorted."""
        foreseen = {name: self._foreseen.get(name).content for name in self._foreseen.names()}
        removed = {name for name, content in foreseen.items() if content == REMOVED}
        return sorted({*super().names(), *foreseen} - removed)

    def _existing(self, name: str) -> Blob:
        foreseen = self._foreseen.get(name)
        if foreseen.content is None:
            return super()._existing(name)
        if foreseen.content == REMOVED:
            raise self._not_found(name)
        return foreseen
