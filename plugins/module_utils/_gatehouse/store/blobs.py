# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of credentials needs of the place where it keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Content = dict[str, Any]
HISTORY = 10  # how many writes are kept, which is what a key-value server does by itself
LOCK_SECONDS = 300.0  # longer than a rotation that waits for its mail
MAX_BYTES = 8 * 1024 * 1024  # of one blob, which in memory takes twenty times as much; 10,000 deliveries are 5 MiB


@dataclass(frozen=True)
class Blob:
    """One write of a blob.

    Attributes:
        where: the file or address, for errors.
        content: what was written; None when there is nothing, or nothing any more.
        number: of the write, where a server counts them.
    """

    where: str
    content: Content | None
    number: int = 0


class Lock(Protocol):
    """A lock while it is held."""

    def require(self) -> None:
        """Raise StoreError when it has been lost meanwhile."""


class Blobs(Protocol):
    """JSON objects by name, each with its earlier versions, in a folder or on a server. Input and output only.

    Every method raises StoreError that names the file or address, or OptionError when the place cannot be used.

    Attributes:
        place: the folder or address.
        local_folder: where on this machine other things may be kept beside them; None when nothing can be written.
    """

    @property
    def place(self) -> str: ...
    @property
    def local_folder(self) -> Path | None: ...

    def names(self) -> list[str]:
        """Return all names, sorted."""

    def get(self, name: str) -> Blob:
        """Read the last write."""

    def versions(self, name: str) -> list[Blob]:
        """Read the last HISTORY writes, oldest first; none of what is gone."""

    def put(self, name: str, content: Content, *, replaces: Blob, lock: Lock | None = None) -> bool:
        """Write in place of what was read; return False when another was faster, and so nothing was written.

        Args:
            lock: what the caller holds of the name; None when it holds nothing.
        """

    def rewrite(self, name: str, change: Callable[[Blob], Content], *, lock: Lock | None = None) -> bool:
        """Replace every version by what the change makes of it; what cannot be replaced is destroyed, the last one
        excepted. Return False when there is nothing under the name.
        """

    def delete(self, name: str, *, lock: Lock) -> None:
        """Remove all versions, the last one last."""

    def purge(self) -> None:
        """Remove what no read returns: what killed writers left, and versions of what is gone.

        Raises StoreError for what somebody else has put there and an older key may open.
        """

    def lock(self, name: str, seconds: float) -> AbstractContextManager[Lock]:
        """Lock a name across processes; raises StoreError when another holds it for so many seconds.

        The lock ends when its holder dies. It cannot be taken twice.
        """


def parse_object(data: bytes) -> Content:
    """Parse a JSON object; raises ValueError for anything else, without a word of it."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is damaged: not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("is damaged: not a JSON object")
    return content
