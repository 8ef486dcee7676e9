# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which applications read a credential, by name. Pure. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..connection import Connection
from ..errors import OptionError
from .env import render_env
from .json import render_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        composed: whether password and security token are one value in it.
        render: gives the whole text of a file; raises OptionError for what the format cannot hold.
    """

    name: str
    description: str
    composed: bool
    render: Callable[[Connection], str]


FORMATS = {
    known.name: known
    for known in (
        Format(
            name="env",
            description="SALESFORCE_* variables for restforce, python-dotenv, systemd and sh",
            composed=False,
            render=render_env,
        ),
        Format(
            name="json",
            description="one JSON object with the keyword arguments of simple-salesforce",
            composed=False,
            render=render_json,
        ),
    )
}


def render(connection: Connection, name: str) -> str:
    """A connection as an application reads it; raises OptionError for an unknown format or what it cannot hold."""
    if name not in FORMATS:
        raise OptionError("format", f"{name!r} is not one of {', '.join(FORMATS)}")
    return FORMATS[name].render(connection.checked())
