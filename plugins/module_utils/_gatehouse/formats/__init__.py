# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which applications read a credential, by name. Pure.

A new one is a function and a row of the table at the end of its family's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..auth.connection import Connection
from ..errors import OptionError
from . import airflow, dataloader, drivers, env, java, pipelines, platforms, simple_salesforce
from .common import Format, NotRepresentable

OPTIONS = ("name", "encryption_key", "encryption_key_file", "refresh_token")
NO_OPTIONS: Mapping[str, str | None] = MappingProxyType({})
FORMATS: dict[str, Format] = {
    known.name: known
    for family in (env, simple_salesforce, java, dataloader, airflow, pipelines, drivers, platforms)
    for known in family.FORMATS
}


def render(connection: Connection, name: str, options: Mapping[str, str | None] = NO_OPTIONS) -> str:
    """A connection as an application reads it.

    Raises OptionError for an unknown format, for an option that it does not have, and for what it cannot hold.
    """
    if name not in FORMATS:
        raise OptionError("format", f"{name!r} is not one of {', '.join(FORMATS)}")
    known = FORMATS[name]
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in known.options:
            raise OptionError(option, f"format {name} has no use for it")
        if option != "encryption_key" and not value.isprintable():
            raise OptionError(option, "must have no line break and no other unprintable character")
    connection = connection.checked()
    if connection.auth not in known.flows:
        raise OptionError("auth", f"format {name} cannot hold {connection.auth}, only {', '.join(known.flows)}")
    try:
        return known.render(connection, **given)
    except NotRepresentable as exc:
        raise OptionError(exc.option, f"format {name} cannot hold {exc}") from None
