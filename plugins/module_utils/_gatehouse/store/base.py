# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials by name, sealed, with their history and their deliveries, wherever their blobs are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials.credential import Credential
from ..credentials.deliveries import Deliveries, Delivery, merge_deliveries
from ..credentials.serialisation import PublicFields
from ..errors import CredentialNotFoundError, GatehouseError, VersionConflictError
from ..near_names import did_you_mean
from .blobs import LOCK_SECONDS, Blob, Blobs, Content, Lock
from .sealed import (
    open_credential,
    open_deliveries,
    public_deliveries,
    public_fields,
    seal_credential,
    seal_deliveries,
)

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
DELIVERIES = ".deliveries"


class _NotFound(CredentialNotFoundError):
    """Looks for near names when its text is read: it is made for every name that is stored for the first time."""

    def __init__(self, name: str, store: PublicStore) -> None:
        super().__init__()
        self._name, self._store = name, store

    def __str__(self) -> str:
        near = ""
        with contextlib.suppress(GatehouseError):
            near = did_you_mean(self._name, self._store.names())
        return (
            f"no credential {self._name!r} in the store {self._store.place}{near}; the module credential stores one, "
            "and the option store (variable gatehouse_salesforce_store) names another store"
        )


class PublicStore:
    """What may be read without the keys, and so without checking it against what was sealed.

    Attributes:
        local_folder: where on this machine other things may be kept beside the store, under a name that starts with a
            dot; None where nothing can be written.
    """

    def __init__(self, records: Blobs, deliveries: Blobs) -> None:
        self._records = records
        self._deliveries = deliveries

    @property
    def place(self) -> str:
        """The folder or address of the store."""
        return self._records.place

    @property
    def local_folder(self) -> Path | None:
        """A folder of this machine; None where nothing can be written."""
        return self._records.local_folder

    def names(self) -> list[str]:
        """Return the names of all credentials, sorted. None of them is opened."""
        return self._records.names()

    def delivered_names(self) -> list[str]:
        """Return the names of all credentials that were delivered, sorted, those that were deleted among them."""
        return self._deliveries.names()

    def all_names(self) -> list[str]:
        """Return the names of all credentials, and of those that were deleted and may still be delivered, sorted."""
        return sorted({*self.names(), *self.delivered_names()})

    def read_public(self, name: str) -> PublicFields:
        """Read what needs no keys; raises CredentialNotFoundError, or StoreError when malformed."""
        return public_fields(name, self._existing(name))

    def read_public_deliveries(self, name: str) -> Deliveries:
        """Read what needs no keys of who has which version; raises StoreError when malformed."""
        blob = self._deliveries.get(name)
        return {} if blob.content is None else public_deliveries(name, blob)

    def _existing(self, name: str) -> Blob:
        blob = self._records.get(name)
        if blob.content is None:
            raise self._not_found(name)
        return blob

    def _not_found(self, name: str) -> CredentialNotFoundError:
        return _NotFound(name, self)


class Store(PublicStore):
    """Named credentials, each write of which names the version that it replaces.

    Attributes:
        fernet: the keys, for what else is kept beside the store.
    """

    def __init__(self, records: Blobs, deliveries: Blobs, fernet: MultiFernet) -> None:
        super().__init__(records, deliveries)
        self.fernet = fernet
        self._mine = threading.local()  # the locks that this thread holds

    def read(self, name: str) -> Credential:
        """Read one credential; raises CredentialNotFoundError, or StoreError when it cannot be trusted."""
        return self._open(name, self._existing(name))

    def history(self, name: str) -> list[Credential]:
        """Read what the last ten writes of a credential wrote, oldest first: the last one is what read() returns."""
        versions = [self._open(name, blob) for blob in self._records.versions(name)]
        if not versions:
            raise self._not_found(name)
        return versions

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version (None: of nothing); raises VersionConflictError if it is gone."""
        name = credential.name
        with self._locked(name) as lock:
            before = self._require_version(name, replaces)
            content = seal_credential(self.fernet, credential)
            if not self._records.put(name, content, replaces=before, lock=lock):
                raise version_conflict(name, "the store has another version than a moment ago")

    def foresee(self, name: str, credential: Credential | None) -> None:
        """Keep what check mode would have written or removed, where a run does; this store does not."""

    def is_foreseen(self, name: str) -> bool:
        """Whether a credential is as check mode would have left it, and not as it is stored."""
        return False

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version, and its history; raises VersionConflictError if it has another.

        Its deliveries stay known, as it is to be removed there too.
        """
        with self._locked(name) as lock:
            self._require_version(name, replaces)
            self._records.delete(name, lock=lock)

    def reseal(self, name: str) -> None:
        """Seal one credential with the newest key; afterwards no older key opens anything of it.

        On a server its earlier versions are destroyed for that.
        """
        with self._locked(name) as lock:
            # The record last, as it shows whether all of it was done.
            self._deliveries.rewrite(name, lambda blob: self._reseal_deliveries(name, blob))
            if not self._records.rewrite(name, lambda blob: self._reseal_record(name, blob), lock=lock):
                raise self._not_found(name)

    def purge(self) -> None:
        """Remove what no read returns and an old key may open, such as what a killed run left half written."""
        self._deliveries.purge()
        self._records.purge()

    def deliveries(self, name: str) -> Deliveries:
        """Read who has which version of a credential, by consumer; raises StoreError when that cannot be trusted."""
        return self._open_deliveries(name, self._deliveries.get(name))

    def record_deliveries(self, name: str, changes: Mapping[str, Delivery | None]) -> bool:
        """Record which consumers have a credential; None removes one. Return whether anything changed.

        This does not wait for the credential's lock, which a rotation holds until its mail has come.
        """
        while True:
            blob = self._deliveries.get(name)
            before = self._open_deliveries(name, blob)
            after = merge_deliveries(before, changes)
            if after == before:
                return False
            if self._deliveries.put(name, seal_deliveries(self.fernet, name, after), replaces=blob):
                return True
            # Another was faster, and what it wrote is to be kept.

    @contextlib.contextmanager
    def lock(self, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Lock one credential across processes; raises StoreError when another holds it for so many seconds.

        A thread may lock again what it holds, and write and delete it. The lock ends when its holder dies: with the
        process, or on a server with its lease.
        """
        with self._locked(name, seconds=seconds):
            yield

    @contextlib.contextmanager
    def _locked(self, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[Lock]:
        locks: dict[str, Lock] = self._mine.__dict__.setdefault("locks", {})
        if name in locks:
            yield locks[name]
            return
        with self._records.lock(name, seconds) as lock:
            locks[name] = lock
            try:
                yield lock
            finally:
                del locks[name]

    def _require_version(self, name: str, expected: int | None) -> Blob:
        """Return what is there; raises VersionConflictError unless it is that version, where None is nothing."""
        blob = self._records.get(name)
        version = None if blob.content is None else self._open(name, blob).version
        if version != expected:
            raise version_conflict(name, f"the store has {_version(version)}, not {_version(expected)}")
        return blob

    def _open(self, name: str, blob: Blob) -> Credential:
        return open_credential(self.fernet, name, blob)

    def _open_deliveries(self, name: str, blob: Blob) -> Deliveries:
        return {} if blob.content is None else open_deliveries(self.fernet, name, blob)

    def _reseal_record(self, name: str, blob: Blob) -> Content:
        return seal_credential(self.fernet, self._open(name, blob))

    def _reseal_deliveries(self, name: str, blob: Blob) -> Content:
        return seal_deliveries(self.fernet, name, self._open_deliveries(name, blob))


def version_conflict(name: str, why: str) -> VersionConflictError:
    """Return the error of a writer that comes too late."""
    return VersionConflictError(
        f"credential {name!r} was changed by someone else meanwhile: {why}; nothing was written"
    )


def _version(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
