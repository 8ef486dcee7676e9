# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the stores of tests by the options that users give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the collection is importable only once a test run has linked it
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store, StoreOptions


def store_options(store: str, **options: str | None) -> StoreOptions:
    """Read the options of a store, given by their names."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import StoreOptions

    return StoreOptions.read({"store": store, **options}.get)


def open_store(store: str, store_key_file: str | None = None, **server: str | None) -> Store:
    """Open a folder or a path of a key-value server."""
    return store_options(store, store_key_file=store_key_file, **server).open()
