# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which characters a text may have. Pure."""

from __future__ import annotations

import re
from typing import Any

# What XML 1.0 has no way to write.
NOT_XML_CHAR = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A token as a header takes it; Salesforce's own are letters, digits, ! . and _.
HEADER_VALUE = re.compile(r"[!-~]+")
# What makes a terminal do something: control characters but line ends and tabs, and those that turn the direction.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escape_controls(value: Any) -> Any:
    """Return a text, or the texts in lists and dictionaries, with what could steer a terminal written as escapes."""
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value)
    if isinstance(value, dict):
        return {escape_controls(key): escape_controls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape_controls(item) for item in value]
    return value
