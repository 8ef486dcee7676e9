# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults and hooks that tests inject: spoiled answers, and changes of state around an operation."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .http import HTML, XML, Outcome, Response

Kind = Literal["status", "html", "delay", "reset", "truncate", "redirect", "huge", "server_url", "error"]
HTML_PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We are down</h1></body></html>"


@dataclass
class Fault:
    """A spoiled answer for the next `times` requests of an operation (`*` is any; None: until cleared)."""

    kind: Kind
    operation: str = "*"
    times: int | None = 1
    # Let this many matching requests pass unharmed first.
    after: int = 0
    # Match only this user's requests, as far as the user is known when the answer is ready.
    username: str | None = None
    # Whether the operation is carried out although its answer is spoiled.
    executed: bool = False
    status: int = 503
    body: str = ""
    content_type: str = XML
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    url: str = ""
    # Of `error`: a Salesforce error in the form of the service that is asked.
    code: str = "SERVER_UNAVAILABLE"
    message: str = "Server unavailable"
    size: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of fault {self.kind!r}")

    @property
    def runs_operation(self) -> bool:
        """A delayed, cut or redirected-server answer needs the real one; others only on demand."""
        return self.executed or self.kind in ("delay", "truncate", "server_url")


@dataclass
class Hook:
    """Control commands to carry out before or after the next `times` requests of an operation."""

    operation: str
    commands: list[dict[str, Any]]
    when: Literal["before", "after"] = "before"
    times: int | None = 1
    after: int = 0
    username: str | None = None


def spoil(fault: Fault, response: Response | None) -> Response:
    """The answer that goes out instead; `response` is the real one, if the operation ran."""
    real = response or Response()
    if fault.kind == "delay":
        return dataclasses.replace(real, delay=fault.seconds)
    if fault.kind == "reset":
        return dataclasses.replace(real, reset=True)
    if fault.kind == "truncate":
        return dataclasses.replace(real, truncate_to=fault.size if fault.size < len(real.body) else len(real.body) // 2)
    if fault.kind == "server_url":
        body = real.body
        for name in (b"serverUrl", b"metadataServerUrl"):
            start, _unused, rest = body.partition(b"<%s>" % name)
            if rest:
                path = b"/services/" + rest.partition(b"</")[0].partition(b"/services/")[2]
                url = fault.url.rstrip("/").encode() + path
                body = b"%s<%s>%s%s" % (start, name, url, rest[rest.index(b"</") :])
        return dataclasses.replace(real, body=body)
    headers = tuple(fault.headers.items())
    if fault.kind == "redirect":
        status = fault.status if 300 <= fault.status < 400 else 302
        return Response(status, b"", HTML, (("Location", fault.url), *headers))
    if fault.kind == "html":
        return Response(fault.status, (fault.body or HTML_PAGE).encode(), HTML, headers)
    if fault.kind == "huge":
        return Response(200, b" " * fault.size, fault.content_type, headers)
    return Response(fault.status, fault.body.encode(), fault.content_type, headers)


class Faults:
    """The rules in force. Each request takes the first one that matches, and uses it up."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._hooks: list[Hook] = []
        self._lock = threading.Lock()

    def add_fault(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def add_hook(self, hook: Hook) -> None:
        with self._lock:
            self._hooks.append(hook)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._hooks.clear()

    def pending(self) -> dict[str, list[dict[str, Any]]]:
        with self._lock:
            return {
                "faults": [dataclasses.asdict(one) for one in self._faults],
                "hooks": [dataclasses.asdict(one) for one in self._hooks],
            }

    def take_fault(self, outcome: Outcome) -> Fault | None:
        with self._lock:
            taken = next((one for one in self._faults if _claim(one, outcome)), None)
            self._faults = [one for one in self._faults if one.times != 0]
            return taken

    def take_hooks(self, outcome: Outcome, when: Literal["before", "after"]) -> list[Hook]:
        with self._lock:
            taken = [one for one in self._hooks if one.when == when and _claim(one, outcome)]
            self._hooks = [one for one in self._hooks if one.times != 0]
            return taken


def _claim(rule: Fault | Hook, outcome: Outcome) -> bool:
    """Whether the rule acts on this request; if so, one of its times is used up."""
    if rule.operation not in ("*", outcome.operation) or rule.username not in (None, outcome.username):
        return False
    if rule.after:
        rule.after -= 1
        return False
    if rule.times is not None:
        rule.times -= 1
    return True
