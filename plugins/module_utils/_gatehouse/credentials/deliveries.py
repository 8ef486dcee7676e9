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
    """What one file on one host holds.

    Attributes:
        version: of the credential.
        updated: when that version was stored, which tells it from that of another credential that had the name before.
        format: the form in which it was written.
        encrypted: the name under which the host has encrypted it; None when it has not.
        delivered: when, as ISO 8601, UTC, in seconds.
        standby: whether it is the user on standby of a pair.
        settled: whether the application reads it, too: not as long as it is to be restarted for that.
        fingerprint: tells whether a text is the one that was delivered; None when it was read without the keys.
    """

    version: int
    updated: str
    format: str
    encrypted: str | None
    delivered: str
    standby: bool = False
    settled: bool = True
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


def consumer_of(host: str, dest: str) -> str:
    """Return the name of a consumer: a file on a host, however its path is spelled."""
    path = re.sub(r"/(\./|/)*", "/", dest)
    return f"{host}:{path}"


def parts_of(consumer: str) -> tuple[str, str]:
    """Return host and file of a consumer. A host may contain colons, and a file begins with C(/) or C(~)."""
    at = min((place for place in (consumer.find(":/"), consumer.find(":~")) if place >= 0), default=len(consumer))
    return consumer[:at], consumer[at + 1 :]


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
