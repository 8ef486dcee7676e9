# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests, for tests that count calls or look for secrets on the wire."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass

from .http import Outcome, Request, Response

ENTRIES_KEPT = 100_000


@dataclass(frozen=True)
class Entry:
    """One request; secrets are SHA-256 digests."""

    time: str
    operation: str
    method: str
    path: str
    peer: str
    org: str | None
    username: str | None
    status: int
    result: str
    fault_injected: str | None
    secrets: dict[str, str]
    user_agent: str
    soap_action: str | None
    seconds: float


class Journal:
    """Thread-safe, bounded."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, time: str, request: Request, outcome: Outcome, response: Response, seconds: float) -> None:
        entry = Entry(
            time,
            outcome.operation,
            request.method,
            request.path,
            request.peer,
            outcome.org,
            outcome.username,
            response.status,
            outcome.result,
            outcome.fault_injected,
            outcome.secrets,
            request.headers.get("user-agent", ""),
            request.headers.get("soapaction"),
            round(seconds, 6),
        )
        with self._lock:
            self._entries.append(entry)
            self._counts[entry.operation] += 1

    def entries(self, operation: str | None = None) -> list[dict[str, object]]:
        with self._lock:
            found = list(self._entries)
        return [asdict(one) for one in found if operation in (None, one.operation)]

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._counts.clear()
