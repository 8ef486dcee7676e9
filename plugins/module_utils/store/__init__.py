# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where credentials are kept. Private to gatehouse.salesforce."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import OptionError, UnknownCredential
from ..record import Credential
from .base import Store
from .file import FileStore
from .keys import DEFAULT_KEY_FILE, generate_key, load_keys

ON_MISSING = ("error", "warn", "skip")


def open_store(store: str, store_key_file: str | None = None) -> Store:
    """The store that the two options name; raises OptionError when either cannot be used.

    Args:
        store: a folder, which need not exist before the first write.
        store_key_file: a file of keys or a program that prints them; DEFAULT_KEY_FILE when None or empty.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", store):
        raise OptionError("store", "a key-value server is not supported by this version; name a folder")
    if not store.strip():
        raise OptionError("store", "must not be empty")
    return FileStore(Path(store).expanduser(), load_keys(store_key_file or DEFAULT_KEY_FILE))


def read_each(
    store: Store, names: Iterable[str], *, on_missing: str, warn: Callable[[str], object]
) -> Iterator[Credential]:
    """The credentials of those names, in their order; an unknown one is an error, a warning, or nothing at all."""
    for name in names:
        try:
            yield store.read(name)
        except UnknownCredential as exc:
            if on_missing == "error":
                raise
            if on_missing == "warn":
                warn(str(exc))


__all__ = ["ON_MISSING", "FileStore", "Store", "generate_key", "open_store", "read_each"]
