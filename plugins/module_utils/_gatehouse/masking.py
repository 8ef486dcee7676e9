# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep secrets out of what people read, in whatever form they turn up. Pure."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

try:
    from ansible.module_utils.secrets import register_secrets
except ImportError:  # before ansible-core 2.22, where no_log is all there is
    register_secrets = None

MASK = "********"
_CONTROLS = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
_URL_SAFE = str.maketrans("+/", "-_")
SHORTEST = 4  # a shorter value would mask half of any text, and guards nothing
SHORTEST_REGISTERED = 6  # a shorter one would mask half of what Ansible prints


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """Return a text, list or dictionary with each secret, in all its forms, replaced by asterisks."""
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


def _forms(secret: str) -> set[str]:
    """Return the secret and its encoded and escaped forms."""
    if len(secret) < SHORTEST:
        return set()
    # Two steps, since a text in one syntax may be a value in another: JSON in an environment file, for one.
    once = {secret, *_escaped(secret)}
    forms = once.union(*map(_escaped, once), _encoded(secret.encode()))
    return {form for form in forms if len(form) >= SHORTEST}


def _escaped(text: str) -> Iterable[str]:
    in_ascii = json.dumps(text)[1:-1]
    yield from (in_ascii, in_ascii.replace("$", "\\u0024").replace("`", "\\u0060"))
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield "".join(char if char > "\uffff" else json.dumps(char)[1:-1] for char in text)
    yield from (repr(text)[1:-1], ascii(text)[1:-1])
    yield from (quote(text), quote(text, safe=""), quote_plus(text))
    yield from (escape(text), quoteattr(text)[1:-1], escape(text, {'"': "&quot;", "'": "&apos;"}), html.escape(text))
    yield from (re.sub(rf"([\\{marks}])", r"\\\1", text) for marks in ('"', "'", '"$`'))  # within quotes
    yield from (text.replace("'", end) for end in ("'\"'\"'", "'\\''"))  # a shell's
    yield from (text.replace(mark, mark * 2) for mark in "\"'$")
    for digits in ("{:04x}", "{:04X}"):  # properties
        yield "".join(_property(char, digits) for char in text)


def _property(char: str, digits: str) -> str:
    if " " <= char <= "~":
        return f"\\{char}" if char in "\\=:#!" else char
    if char in _CONTROLS:
        return _CONTROLS[char]
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join("\\u" + digits.format(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))


def _encoded(data: bytes) -> Iterable[str]:
    yield from (data.hex(), data.hex().upper())
    for before in range(3):
        # What stays the same wherever the secret stands in a text that is encoded in Base64.
        whole = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        inner = whole[(0, 2, 3)[before] : len(whole) if (before + len(data)) % 3 == 0 else -1]
        yield from (inner, inner.translate(_URL_SAFE))


class Secrets:
    """The texts that a task knows and must not print."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = list(texts)

    def add(self, *texts: str) -> None:
        """Mask these texts, too, from now on."""
        self._texts.extend(texts)

    def mask(self, value: Any) -> Any:
        """Return a text, list or dictionary with all of them replaced by asterisks."""
        return mask(value, self._texts)


def register(*secrets: str) -> None:
    """Have Ansible mask these texts in whatever it prints from now on, where its version can.

    This is for what a module is given, too: from ansible-core 2.22 on, it returns all of its secrets that are not
    registered, and the debug log shows what a module returns.
    """
    if register_secrets is not None:
        register_secrets(sorted({secret for secret in secrets if len(secret) >= SHORTEST_REGISTERED}))
