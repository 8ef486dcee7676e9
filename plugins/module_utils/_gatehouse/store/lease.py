# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a key-value server that ends by itself when its holder has died.

It is a secret that the server deletes after a while, by its own clock, and that the holder writes again until then.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator

from ..errors import GatehouseError, StoreError
from .secret import Secret

LEASE_SECONDS = 15.0
_POLL_SECONDS = 0.1


class Lease:
    """One lock while it is held."""

    def __init__(self, slot: Secret, number: int, seconds: float) -> None:
        self._slot = slot
        self._number: int | None = number
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._ended = threading.Event()

    def require(self) -> None:
        """Raise StoreError when it has been lost meanwhile."""
        if time.monotonic() >= self._until:
            raise StoreError("the lock was lost, as it could not be renewed in time; nothing was written")

    def keep(self) -> None:
        """Renew it again and again, until it is ended or lost."""
        while self._number is not None and not self._ended.wait(self._seconds / 3):
            started = time.monotonic()
            try:
                self._number = self._slot.put(_content(), self._number)
            except GatehouseError:
                return
            if self._number is not None:
                self._until = started + self._seconds

    def end(self) -> None:
        """Stop renewing it."""
        self._ended.set()

    def release(self, slot: Secret) -> None:
        """Give it up, so that others need not wait for its end."""
        with contextlib.suppress(GatehouseError):  # then it ends by itself
            if self._number is not None:
                slot.delete_version(self._number)


@contextlib.contextmanager
def hold_lease(name: str, slot: Secret, renewal: Secret, *, wait: float) -> Iterator[Lease]:
    """Hold the lock of a credential; raises StoreError when another holds it for too long.

    Args:
        slot: the secret.
        renewal: the same, for the thread that renews it.
        wait: seconds to wait for another holder.
    """
    seconds = LEASE_SECONDS
    started, number = _taken(slot, name, wait, seconds)
    lease = Lease(renewal, number, seconds - (time.monotonic() - started))
    keeper = threading.Thread(target=lease.keep, daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.end()
        keeper.join()
        lease.release(slot)


def _taken(slot: Secret, name: str, wait: float, seconds: float) -> tuple[float, int]:
    deadline = time.monotonic() + wait
    while True:
        last = slot.read()
        if last.content is None:
            slot.expire(seconds)
            started = time.monotonic()
            mine = slot.put(_content(), last.number)
            if mine is not None:
                return started, mine
        if time.monotonic() >= deadline:
            raise StoreError(f"credential {name!r} is being changed by another process; gave up after {wait:g} seconds")
        time.sleep(_POLL_SECONDS * (0.5 + secrets.randbelow(100) / 100))


def _content() -> dict[str, str]:
    """Return another one each time, so that a write whose answer was lost is recognised."""
    return {"held": secrets.token_hex(16)}
