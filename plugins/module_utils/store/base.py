# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of credentials can do. Private to gatehouse.salesforce."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..record import Credential

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Store(Protocol):
    """Named credentials, each write of which names the version that it replaces."""

    @property
    def fernet(self) -> MultiFernet:
        """The keys of this store, for what else is kept beside it."""

    @property
    def folder(self) -> Path:
        """Where on this machine other things may be kept beside it, under a name that starts with a dot."""

    def read(self, name: str) -> Credential:
        """One credential; raises UnknownCredential, or StoreError when it cannot be trusted."""

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version of it (None: of nothing); raises LostRace if it is not there."""

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version; raises LostRace if it has another."""

    def names(self) -> list[str]:
        """The names of all credentials, sorted."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold one credential for oneself, across processes; it may be written and deleted meanwhile."""
