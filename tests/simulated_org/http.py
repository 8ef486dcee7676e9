# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers as the services see them, free of any server library."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

XML = "text/xml; charset=UTF-8"
JSON = "application/json;charset=UTF-8"
HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case, `base_url` is the listener the caller reached."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    base_url: str


@dataclass(frozen=True)
class Response:
    """An answer, and what to do to the wire: wait, cut the body short, or reset the connection."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = XML
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0
    truncate_to: int | None = None
    reset: bool = False


@dataclass
class Outcome:
    """What the request log says about a request, filled in while it is served."""

    operation: str = "unknown"
    org: str | None = None
    username: str | None = None
    result: str = "ok"
    fault_injected: str | None = None
    secrets: dict[str, str] = field(default_factory=dict)


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), JSON)
