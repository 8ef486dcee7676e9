# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source remembers, so that no event is lost when its process dies. Pure.

The rule:

1. A look at the world returns events, and the cursor from which the next look begins. Both are stored by one atomic
   write, before any of these events is handed over.
2. An event stays stored after it was handed over: until ansible-rulebook confirms it, if it does (C(feedback)), and
   otherwise for C(replay_seconds) in which this process was alive.
3. A source that starts first hands over again what is stored, with the same id and C(redelivered: true).

So no event is lost unless the process dies more than C(replay_seconds) after it handed an event over whose action has
not ended; and without a death, none is handed over twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Event = dict[str, Any]
Cursor = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Seen:
    """What one look returned.

    Attributes:
        cursor: where the next look begins.
        problems: what could not be looked at.
    """

    cursor: Cursor
    events: Sequence[Event] = ()
    problems: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Memory:
    """What is stored.

    Attributes:
        cursor: None before the first look.
        pending: the events that may not have been dealt with, oldest first.
        owner: the process that writes; another one that starts takes its place.
    """

    cursor: Cursor | None = None
    pending: tuple[Event, ...] = ()
    owner: str = ""

    def after(self, seen: Seen) -> Memory:
        """Return what is to be stored after a look; an event that is pending already is not added again."""
        known = {event["id"] for event in self.pending}
        new = [event for event in seen.events if event["id"] not in known]
        return dataclasses.replace(self, cursor=seen.cursor, pending=(*self.pending, *new))

    def without(self, ids: Collection[str]) -> Memory:
        """Return the same without the events that have been dealt with."""
        return dataclasses.replace(self, pending=tuple(event for event in self.pending if event["id"] not in ids))


def dump(memory: Memory) -> dict[str, Any]:
    """Return a memory as a JSON object."""
    return {"cursor": memory.cursor, "pending": list(memory.pending), "owner": memory.owner}


def parse(found: Mapping[str, Any] | None) -> Memory:
    """Return the memory from what dump() returned; an empty one for anything else."""
    try:
        if found is not None:
            pending = tuple(dict(event) for event in found["pending"] if event["id"])
            return Memory(found["cursor"], pending, str(found["owner"]))
    except (LookupError, TypeError, ValueError):
        pass
    return Memory()


def printable(text: str, length: int) -> str:
    """Return a text of a server for an event: without control characters, and not longer than so many characters."""
    return "".join(char for char in text if char.isprintable())[:length]


def make_event(source: str, *identity: object, **fields: Any) -> Event:
    """Return an event whose id is the same each time the same thing is seen.

    Args:
        identity: what makes it this event and no other.
    """
    text = json.dumps([source, *map(str, identity)])
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:32], "kind": source, **fields}
