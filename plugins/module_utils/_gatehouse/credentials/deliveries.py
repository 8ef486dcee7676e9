# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which consumer holds which version of a credential. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from .serialisation import PublicFields


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one target holds: a file on a host, or a place in a service.

    Attributes:
        version: of the credential.
        updated: when that version was stored, which tells it from that of another credential that had the name before.
        format: the form in which it was written.
        encrypted: the name under which the host has encrypted it; None when it has not.
        delivered: when, as ISO 8601, UTC, in seconds.
        standby: whether it is the user on standby of a pair.
        settled: whether the application reads it, too: not as long as it is to be restarted for that.
        mark: what tells in a service that it is this delivery, such as the number of a version; None for a file.
        fingerprint: tells whether a text is the one that was delivered; None when it was read without the keys.
    """

    version: int
    updated: str
    format: str
    encrypted: str | None
    delivered: str
    standby: bool = False
    settled: bool = True
    mark: str | None = None
    fingerprint: str | None = dataclasses.field(default=None, repr=False)

    def is_of(self, clear: PublicFields | None) -> bool:
        """Whether the user in use of the version that is stored now is used, and nobody else.

        Args:
            clear: what is stored; None stands for a credential that is gone.
        """
        if clear is None or self.standby or not self.settled:
            return False
        return (self.version, self.updated) == (clear["version"], clear["updated"])


Deliveries = dict[str, Delivery]
FILE = "file"


def consumer_of(host: str, target: str, dest: str) -> str:
    """Return the name of a consumer: a file on a host, however its path is spelled, or a place in a service."""
    return f"{host}:{place_of(target, dest)}"


def place_of(target: str, dest: str) -> str:
    """Return a target's name within a host: the path of a file, or C(kv://secret/billing)."""
    return re.sub(r"/(\./|/)*", "/", dest) if target == FILE else f"{target}://{dest}"


def parts_of(consumer: str) -> tuple[str, str, str]:
    """Return host, target and place of a consumer. A host may contain colons."""
    host, place = re.split(r":(?=[/~]|[a-z_]+://)", consumer, maxsplit=1)
    service = re.match("([a-z_]+)://", place)
    return (host, service[1], place[service.end() :]) if service else (host, FILE, place)


def fingerprint(content: bytes) -> str:
    """Return a digest that tells contents apart. With it guesses can be tried, so it is kept sealed."""
    return hashlib.sha256(content).hexdigest()


def merge_deliveries(before: Mapping[str, Delivery], changes: Mapping[str, Delivery | None]) -> Deliveries:
    """Return the deliveries after the changes; None removes one. An unchanged delivery keeps its time."""
    after = dict(before)
    for consumer, delivery in changes.items():
        if delivery is None:
            after.pop(consumer, None)
        elif consumer not in before or delivery != dataclasses.replace(before[consumer], delivered=delivery.delivered):
            after[consumer] = delivery
    return after


def delivery_to_public(delivery: Delivery) -> dict[str, Any]:
    """Return what may be read of a delivery without keys."""
    return {name: value for name, value in dataclasses.asdict(delivery).items() if name != "fingerprint"}
