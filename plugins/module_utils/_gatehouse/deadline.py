# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deadline for a whole exchange with a server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise what it raises; raises TimeoutError when it takes longer.

    A socket's own timeout restarts with every byte, so a server that sends one now and then could block us for days.
    The call runs in a thread, which is left behind when time is up: close what it waits for.
    """
    done: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((call(), None))
        except BaseException as exc:
            done.put((None, exc))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, problem = done.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise TimeoutError("took too long") from None
    if problem is not None:
        raise problem
    return cast(T, result)
