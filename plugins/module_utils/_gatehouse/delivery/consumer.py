# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A consumer of a credential: one file on one host, and the version that it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..credentials.deliveries import Delivery
from ..errors import StoreError
from ..host.app_file import PASSED_THROUGH
from ..store.base import Store

Host = Callable[[dict[str, Any]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Consumer:
    """A file on a host, and what is known of it.

    Attributes:
        before: what was delivered to it; None when nothing was.
        ask: asks the host about the file, or to change it.
    """

    name: str
    options: Mapping[str, Any]
    store: Store
    before: Delivery | None
    ask: Host

    @property
    def result(self) -> dict[str, Any]:
        """What every result tells."""
        return {
            "consumer": self.name,
            "credential": self.options["credential"],
            "dest": self.options["dest"],
            "version_before": None,
            "version": None,
        }

    def asked(self, wanted: str | None, *, content: str | None = None, **more: Any) -> dict[str, Any]:
        """What the host answers; with the content it writes the file."""
        recorded = self.before.fingerprint if self.before else None
        return self.ask(
            {name: self.options[name] for name in PASSED_THROUGH}
            | {name: self.options[name] for name in ("credential", "encrypt", "encrypt_name")}
            | {"format_options": {"wanted": wanted, "recorded": recorded, "content": content}}
            | more
        )

    def note(self, delivery: Delivery | None, result: dict[str, Any], *, credential: str | None = None) -> None:
        """Have the store know what the consumer holds now of this credential, or of another one."""
        try:
            self.store.record_deliveries(credential or self.options["credential"], {self.name: delivery})
        except StoreError as exc:
            exc.result = result
            raise

    def take_from_others(self, result: dict[str, Any]) -> None:
        """Have the store know that the consumer holds no other credential any more."""
        for other in self.store.delivered_names():
            if other != self.options["credential"] and self.name in self.store.read_public_deliveries(other):
                self.note(None, result, credential=other)
