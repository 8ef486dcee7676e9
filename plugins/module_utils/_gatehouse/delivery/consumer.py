# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A consumer of a credential: one target of one host, and the version that it contains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..credentials.deliveries import Delivery, consumer_of
from ..errors import GatehouseError, StoreError
from ..host.app_file import PAYLOAD, STATUSES
from ..masking import Secrets, register
from ..store.base import Store
from .target import Target

Host = Callable[[dict[str, Any]], Mapping[str, Any]]
ATTRIBUTES = ("owner", "group", "mode", "secontext")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostAnswer:
    """What the host says of its file. Whoever has taken the host over may say anything, so it is read strictly.

    Attributes:
        status: C(missing), C(current), C(previous) or C(other).
        diff: attributes of the file before and after.
    """

    status: str
    changed: bool
    diff: dict[str, dict[str, Any]] | None = None
    backup_file: str | None = None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> HostAnswer:
        """Read the result of the module; raises GatehouseError when it is none of this module's."""
        status, changed, backup = answer.get("status"), answer.get("changed"), answer.get("backup_file")
        if answer.get("failed") or answer.get("unreachable"):
            raise GatehouseError("the host says that it failed and that it did not, so what it has is not known")
        if (
            not isinstance(status, str)
            or status not in STATUSES
            or not isinstance(changed, bool)
            or not isinstance(backup, str | None)
        ):
            raise GatehouseError("the host gave an answer that is not this module's, so what it has is not known")
        return cls(status=status, changed=changed, diff=_diff(answer.get("diff")), backup_file=backup)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Consumer:
    """A target of a host, and what is known of it.

    Attributes:
        before: what was delivered to it; None when nothing was.
        ask: asks the host about a file, or to change it.
        restart: whether a restart has to follow a change; None when nobody has said so.
    """

    name: str
    target: Target
    store: Store
    before: Delivery | None
    ask: Host
    check_mode: bool
    secrets: Secrets
    restart: bool | None = False

    @classmethod
    def open(
        cls,
        target: Target,
        *,
        host: str,
        store: Store,
        ask: Host,
        check_mode: bool,
        secrets: Secrets,
        restart: bool | None = False,
    ) -> Consumer:
        """Look up what was delivered to a file on a host; raises StoreError."""
        name = consumer_of(host, target.kind, target.dest)
        before = store.deliveries(target.credential).get(name)
        return cls(
            name=name,
            target=target,
            store=store,
            before=before,
            ask=ask,
            check_mode=check_mode,
            secrets=secrets,
            restart=restart,
        )

    @property
    def result(self) -> dict[str, Any]:
        """What every result contains."""
        return {
            "consumer": self.name,
            "credential": self.target.credential,
            "target": self.target.kind,
            "dest": self.target.dest,
            "version_before": None,
            "version": None,
        }

    def query(self, wanted: str | None, *, content: str | None = None, encrypted: str | None = None) -> HostAnswer:
        """Ask the host what the file contains; with the content it writes the file.

        Args:
            wanted: the fingerprint of what it is to contain.
            encrypted: the name under which the host encrypts it; None when it does not.
        """
        payload = {
            "wanted": wanted,
            "recorded": self.before.fingerprint if self.before else None,
            "content": content,
        }
        register(*filter(None, payload.values()))
        arguments = {
            **self.target.on_host,
            "credential": self.target.credential,
            "dest": self.target.dest,
            "state": self.target.state,
            "encrypt": encrypted is not None,
            "encrypt_name": encrypted,
            PAYLOAD: payload,
        }
        return HostAnswer.read(self.ask(arguments))

    def record(self, delivery: Delivery | None, result: dict[str, Any], *, credential: str | None = None) -> None:
        """Record in the store what the file contains now of this credential, or of another one."""
        try:
            self.store.record_deliveries(credential or self.target.credential, {self.name: delivery})
        except StoreError as exc:
            exc.result = result
            raise

    def take_from_others(self, result: dict[str, Any]) -> None:
        """Record in the store that the file contains no other credential any more."""
        for other in self.store.delivered_names():
            if other != self.target.credential and self.name in self.store.read_public_deliveries(other):
                self.record(None, result, credential=other)


def _diff(given: Any) -> dict[str, dict[str, Any]] | None:
    if not isinstance(given, Mapping):
        return None
    before, after = given.get("before"), given.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return None
    return {"before": _attributes(before), "after": _attributes(after)}


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in ATTRIBUTES and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, list) and all(isinstance(part, str) for part in value))
