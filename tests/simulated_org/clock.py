# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated clock: starts at the wall clock or at a given time, and can be moved."""

from __future__ import annotations

import datetime
import threading
import time

UTC = datetime.UTC


class Clock:
    """Runs with the machine's monotonic clock unless frozen."""

    def __init__(self, now: datetime.datetime | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.Lock()
        self._base = now or datetime.datetime.now(UTC)
        self._started = None if frozen else time.monotonic()

    def now(self) -> datetime.datetime:
        with self._lock:
            return self._now()

    def _now(self) -> datetime.datetime:
        if self._started is None:
            return self._base
        return self._base + datetime.timedelta(seconds=time.monotonic() - self._started)

    def advance(self, seconds: float) -> datetime.datetime:
        with self._lock:
            self._base += datetime.timedelta(seconds=seconds)
            return self._now()

    def set(self, now: datetime.datetime) -> None:
        with self._lock:
            self._base = now
            if self._started is not None:
                self._started = time.monotonic()

    def reset(self) -> None:
        """Back to the wall clock, running."""
        with self._lock:
            self._base, self._started = datetime.datetime.now(UTC), time.monotonic()

    def freeze(self, frozen: bool = True) -> None:
        with self._lock:
            self._base = self._now()
            self._started = None if frozen else time.monotonic()


def stamp(moment: datetime.datetime) -> str:
    """Salesforce's date-time text; the rows we serve have whole seconds, as real ones have."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse(text: str) -> datetime.datetime:
    """An ISO date-time, offset written `Z`, `+00:00` or `+0000`."""
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
