# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of credentials can do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..credentials.credential import Credential
from ..credentials.deliveries import Deliveries, Delivery
from ..credentials.serialization import PublicFields

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
HISTORY = 10  # how many writes of a credential are kept, which is what a key-value server does by itself
LOCK_SECONDS = 300.0  # longer than a rotation that waits for its mail


class PublicStore(Protocol):
    """What may be read without the keys, and so without checking it against what was sealed."""

    def names(self) -> list[str]:
        """The names of all credentials, sorted."""

    def clear(self, name: str) -> PublicFields:
        """Return what may be read without keys; raises CredentialNotFoundError, or StoreError when malformed."""

    def delivered(self) -> list[str]:
        """The names of all credentials that were delivered, sorted, and among them those that are gone from here."""

    def clear_deliveries(self, name: str) -> Deliveries:
        """What may be read of who holds one credential; raises StoreError when that is no such list."""


def all_names(store: PublicStore) -> list[str]:
    """The names of all credentials, and of those that are gone and still held by somebody, sorted."""
    return sorted({*store.names(), *store.delivered()})


class Store(PublicStore, Protocol):
    """Named credentials, each write of which names the version that it replaces."""

    @property
    def fernet(self) -> MultiFernet:
        """The keys of this store, for what else is kept beside it."""

    @property
    def folder(self) -> Path:
        """Where on this machine other things may be kept beside it, under a name that starts with a dot."""

    def read(self, name: str) -> Credential:
        """One credential; raises CredentialNotFoundError, or StoreError when it cannot be trusted."""

    def history(self, name: str) -> list[Credential]:
        """What the last HISTORY writes of a credential wrote, in their order: the last one is what read() gives."""

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version (None: of nothing); raises VersionConflictError if it is gone."""

    def reseal(self, name: str) -> None:
        """Seal one credential with the newest key; afterwards no older key opens anything of it."""

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version, and its history; raises VersionConflictError if it has another.

        Who holds it stays known, as it is to be taken away from them.
        """

    def deliveries(self, name: str) -> Deliveries:
        """Who holds which version of a credential, by consumer; raises StoreError when that cannot be trusted."""

    def record_deliveries(self, name: str, changes: Mapping[str, Delivery | None]) -> bool:
        """Have it known who holds a credential now, and with None who does not any more; tells if that was news.

        Nobody has to wait for whoever has locked the credential, which a rotation does until its mail has come.
        """

    def lock(self, name: str, *, seconds: float = LOCK_SECONDS) -> AbstractContextManager[None]:
        """Hold one credential for oneself, across processes; raises StoreError when another holds it for so long.

        A thread may lock again what it holds, and write and delete it. A holder that dies holds nothing: the lock ends
        with the process, or on a server with its lease.
        """
