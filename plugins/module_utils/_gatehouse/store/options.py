# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the store is and how to open it, as the options of a task or lookup say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from .base import DELIVERIES, PublicStore, Store
from .blobs import HISTORY, Blobs
from .folder import FolderBlobs
from .keys import expanded, key_path, load_keys
from .notes import NOTES, Notes

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """The options C(store) and C(store_*). Secrets never show in its repr.

    Attributes:
        location: a folder, which need not exist before the first write, or the https address of a key-value server.
        key_file: a file of keys or a program that prints them; None for the usual one.
        token, role_id, secret_id, namespace, ca_path: how to reach a server; a folder has no use for them.
    """

    location: str = ""
    key_file: str | None = None
    token: str | None = field(default=None, repr=False)
    role_id: str | None = None
    secret_id: str | None = field(default=None, repr=False)
    namespace: str | None = None
    ca_path: str | None = None

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> StoreOptions:
        """Read the options by name; those of a server only where there is one, as a lookup pays for each."""
        location, key_file = get("store"), get("store_key_file") or None
        if not _URL.match(location):
            return cls(location=location, key_file=key_file)
        names = ("token", "role_id", "secret_id", "namespace", "ca_path")
        return cls(location=location, key_file=key_file, **{name: get(f"store_{name}") or None for name in names})

    @property
    def on_server(self) -> bool:
        """Whether the store is on a key-value server, which other controllers may use too."""
        return bool(_URL.match(self.location))

    @property
    def resolved(self) -> str:
        """The store's folder or address, in one spelling."""
        return self.location.rstrip("/") if self.on_server else str(Path(self.location).expanduser().resolve())

    def open(self) -> Store:
        """Open the store; raises OptionError when it or its keys cannot be used."""
        return self.open_with(load_keys(key_path(self.key_file)))

    def open_with(self, keys: MultiFernet) -> Store:
        """Open the store with these keys; raises OptionError when it cannot be used."""
        return Store(*self._blobs(), keys)

    def open_without_keys(self) -> PublicStore:
        """Open the store for what may be read without keys; raises OptionError when it cannot be used."""
        return PublicStore(*self._blobs())

    def open_notes(self) -> Notes:
        """Open what is kept beside the credentials; raises OptionError when it or its keys cannot be used."""
        return Notes(self._opener()(NOTES, 1), load_keys(key_path(self.key_file)))

    def _blobs(self) -> tuple[Blobs, Blobs]:
        """Return where the records are, and where their deliveries are."""
        opener = self._opener()
        return opener("", HISTORY), opener(DELIVERIES, 1)

    def _opener(self) -> Callable[[str, int], Blobs]:
        """Return what opens a part of the store that keeps so many writes."""
        if _URL.match(self.location):
            from .client import KvAddress, KvClient  # takes long to import, and most stores are folders
            from .kv import KvBlobs

            client = KvClient(KvAddress.of(self))
            return lambda part, _history: KvBlobs(client, part)
        if not self.location.strip():
            raise OptionError("store", "must not be empty")
        folder = expanded("store", self.location)
        return lambda part, history: FolderBlobs(folder, part, history=history)
