# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters, durations and times as text. Pure."""

from __future__ import annotations

import datetime
import re

from .errors import OptionError

# What XML 1.0 has no way to write.
NOT_XML_CHAR = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A token as a header takes it; Salesforce's own are letters, digits, ! . and _.
HEADER_VALUE = re.compile(r"[!-~]+")
_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?")


def parse_duration(text: str, option: str) -> datetime.timedelta:
    """Return the length of time in a text such as C(90d) or C(1d12h); raises OptionError for any other."""
    found = _DURATION.fullmatch(text.strip())
    length = _length(found) if found else None
    if found and length is None:
        raise OptionError(option, "is too long")
    if not length:
        raise OptionError(option, f"must be a duration such as '90d' or '1d12h', not {text[:50]!r}")
    return length


def _length(duration: re.Match[str]) -> datetime.timedelta | None:
    try:
        days, hours, minutes = (int(part or 0) for part in duration.groups())
        return datetime.timedelta(days=days, hours=hours, minutes=minutes)
    except (OverflowError, ValueError):
        return None
