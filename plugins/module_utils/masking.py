# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep secrets out of what people read, in whatever form they turn up. Pure. Private to gatehouse.salesforce."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

MASK = "********"
SHORTEST = 4  # a shorter value would mask half of any text, and guards nothing


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """A text, list or dictionary with each secret, and its encoded and escaped forms, replaced by asterisks."""
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    return _masked(value, forms) if forms else value


def _masked(value: Any, forms: list[str]) -> Any:
    if isinstance(value, str):
        for form in forms:
            value = value.replace(form, MASK)
        return value
    if isinstance(value, dict):
        return {key: _masked(item, forms) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item, forms) for item in value]
    return value


def _forms(secret: str) -> Iterable[str]:
    if len(secret) < SHORTEST:
        return ()
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        escape(secret),
        quoteattr(secret)[1:-1],
        encoded,
        encoded.rstrip("="),
        repr(secret)[1:-1],
    }
