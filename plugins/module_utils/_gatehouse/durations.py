# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lengths of time as text, such as C(90d) or C(1d12h). Pure."""

from __future__ import annotations

import datetime
import re

from .errors import OptionError

_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?")


def parse_duration(text: str, option: str) -> datetime.timedelta:
    """Return the length of time in the text of an option; raises OptionError for any other text."""
    text = text.strip()
    length = read_duration(text)
    if length is None:
        raise OptionError(option, "is too long")
    if not length:
        raise OptionError(option, f"must be a duration such as '90d' or '1d12h', not {text[:50]!r}")
    return length


def is_duration(text: str) -> bool:
    """Whether a text has the form of a length of time."""
    return bool(text and _DURATION.fullmatch(text))


def read_duration(text: str) -> datetime.timedelta | None:
    """Return the length of time in a text, which is 0 in any that has not its form; None when it is too long."""
    found = _DURATION.fullmatch(text)
    try:
        days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
        return datetime.timedelta(days=days, hours=hours, minutes=minutes)
    except (OverflowError, ValueError):
        return None
