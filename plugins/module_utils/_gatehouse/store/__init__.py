# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..credentials.credential import Credential
from ..errors import CredentialNotFoundError
from .base import PublicStore, Store
from .keys import generate_key
from .options import StoreOptions

ON_MISSING = ("error", "warn", "skip")


def read_each(
    store: Store, names: Iterable[str], *, on_missing: str, warn: Callable[[str], object], login_url: str | None = None
) -> Iterator[Credential]:
    """Read the credentials of those names, in their order; an unknown one is an error, a warning, or skipped.

    Raises OptionError for one that is not of the org at login_url, where that is given.
    """
    for name in names:
        try:
            credential = store.read(name)
            credential.require_same_org(login_url)
            yield credential
        except CredentialNotFoundError as exc:
            if on_missing == "error":
                raise
            if on_missing == "warn":
                warn(str(exc))


def read_or_none(store: Store, name: str) -> Credential | None:
    """Read the credential of that name, if there is one."""
    try:
        return store.read(name)
    except CredentialNotFoundError:
        return None


__all__ = [
    "ON_MISSING",
    "PublicStore",
    "Store",
    "StoreOptions",
    "generate_key",
    "read_each",
    "read_or_none",
]
