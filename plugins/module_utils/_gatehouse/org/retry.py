# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeat what is safe to repeat: reads, never a login or a write."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import NoResponseError

T = TypeVar("T")
BACKOFF_SECONDS = (0.5, 1.5)  # seconds before the second and the third try, give or take a half


class ReadRetry:
    """Repeats a read at most twice, within some seconds of the first attempt."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, read: Callable[[], T]) -> T:
        """Return the result of a read; raise what its last attempt raised."""
        started = time.monotonic()
        tries = 0
        while True:
            try:
                return read()
            except NoResponseError as exc:
                elapsed, tries = time.monotonic() - started, tries + 1
                if tries > len(BACKOFF_SECONDS):
                    raise _with_attempts(exc, tries, elapsed) from None
                # Many forks that were interrupted at once should not all come back at once.
                pause = max(BACKOFF_SECONDS[tries - 1] * random.uniform(0.5, 1.5), exc.retry_after)  # noqa: S311
                if elapsed + pause > self._seconds:
                    raise _with_attempts(exc, tries, elapsed) from None
            time.sleep(pause)


def _with_attempts(exc: NoResponseError, tries: int, seconds: float) -> NoResponseError:
    """Return the error with what was done about it."""
    times = "once" if tries == 1 else f"{tries} times in {seconds:.0f} s"
    asked = f"; it asks to wait {exc.retry_after:.0f} s" if exc.retry_after else ""
    return NoResponseError(f"{exc} (tried {times}{asked})", cause=exc.cause, retry_after=exc.retry_after, sent=exc.sent)
