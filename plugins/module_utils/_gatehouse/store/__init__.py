# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where credentials are kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..credentials.credential import Credential
from ..errors import CredentialNotFoundError, OptionError
from .base import PublicStore, Store
from .file import FileStore
from .keys import expanded, generate_key, key_path, load_keys

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

ON_MISSING = ("error", "warn", "skip")


def open_store(store: str, store_key_file: str | None = None, **server: str | None) -> Store:
    """The store that the options name; raises OptionError when it cannot be used.

    Args:
        store: a folder, which need not exist before the first write, or the https address of a key-value server.
        store_key_file: a file of keys or a program that prints them; the usual one when None or empty.
        server: the other options of the store, which only a server needs.
    """
    return store_from({"store": store, "store_key_file": store_key_file, **server})


def store_from(options: Mapping[str, Any]) -> Store:
    """The store that the options of a task or lookup name; raises OptionError when it cannot be used."""
    return build_store(options, load_keys(key_path(options.get("store_key_file"))))


def build_store(options: Mapping[str, Any], keys: MultiFernet | None) -> Store:
    """The store that the options name, with these keys or none."""
    store = options["store"]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", store):
        from .kv import KvStore
        from .server import KvAddress  # what talks to a server takes long to import

        return KvStore(KvAddress.of(options), keys)
    if not store.strip():
        raise OptionError("store", "must not be empty")
    return FileStore(expanded("store", store), keys)


def read_each(
    store: Store, names: Iterable[str], *, on_missing: str, warn: Callable[[str], object]
) -> Iterator[Credential]:
    """The credentials of those names, in their order; an unknown one is an error, a warning, or nothing at all."""
    for name in names:
        try:
            yield store.read(name)
        except CredentialNotFoundError as exc:
            if on_missing == "error":
                raise
            if on_missing == "warn":
                warn(str(exc))


def read_or_none(store: Store, name: str) -> Credential | None:
    """The credential of that name, if there is one."""
    try:
        return store.read(name)
    except CredentialNotFoundError:
        return None


__all__ = ["ON_MISSING", "FileStore", "Store", "build_store", "generate_key", "open_store", "read_each", "store_from"]


def open_without_keys(options: Mapping[str, Any]) -> PublicStore:
    """The store that the options name, none of whose credentials is opened; raises OptionError for unusable ones."""
    return build_store(options, None)
