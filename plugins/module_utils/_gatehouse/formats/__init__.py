# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a credential in the formats in which applications read it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..auth.connection import Connection
from ..errors import OptionError
from .encoders import ENCODERS
from .fields import NotRepresentable
from .mapping import MAPPABLE_FIELDS
from .model import Format
from .table import FAMILIES

__all__ = [
    "ENCODERS",
    "FAMILIES",
    "FORMATS",
    "MAPPABLE_FIELDS",
    "OPTIONS",
    "SECRET_OPTIONS",
    "Format",
    "obstacle",
    "render",
]

OPTIONS = ("name", "encryption_key", "encryption_key_file", "fields", "encoder", "constants")
SECRET_OPTIONS = ("encryption_key",)
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

# Logins by an app of an org, with which obstacle() tries what a format can hold.
_EXAMPLE = Connection(
    auth="jwt_bearer",
    login_url="https://example.my.salesforce.com",
    username="user@example.com",
    consumer_key="key",
    consumer_secret="secret",  # noqa: S106
    private_key="-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n",
)

FORMATS: dict[str, Format] = {name: known for family in FAMILIES.values() for name, known in family.items()}


def render(connection: Connection, name: str, options: Mapping[str, Any] = NO_OPTIONS) -> str:
    """Return a credential as an application reads it.

    Raises OptionError for an unknown format, for an option that it does not have, and for what it cannot hold.
    """
    if name not in FORMATS:
        raise OptionError("format", f"{name!r} is not one of {', '.join(FORMATS)}")
    known = FORMATS[name]
    # A name may be a number in YAML.
    given = {option: str(value) if isinstance(value, int) else value for option, value in options.items()}
    given = {option: value for option, value in given.items() if value is not None}
    for option, value in given.items():
        if option not in known.options:
            options_of = ", ".join(known.options) or "none"
            raise OptionError(
                f"format_options.{option}", f"format {name} has no such option; its options: {options_of}"
            )
        if option in ("fields", "constants"):
            continue
        if not isinstance(value, str):
            raise OptionError(option, "must be text")
        if option != "encryption_key" and not value.isprintable():
            raise OptionError(option, "must have no line break and no other unprintable character")
    connection = connection.checked()
    if connection.auth not in known.flows:
        raise OptionError("auth", f"format {name} cannot hold {connection.auth}, only {', '.join(known.flows)}")
    try:
        return known.render(connection, given)
    except NotRepresentable as exc:
        raise OptionError(exc.option, f"format {name} cannot hold {exc}") from None


def obstacle(auth: str, name: str, options: Mapping[str, Any] = NO_OPTIONS) -> str | None:
    """Return why a format cannot hold logins by jwt_bearer or client_credentials; None if it can."""
    try:
        render(dataclasses.replace(_EXAMPLE, auth=auth), name, options)
    except OptionError as exc:
        return str(exc)
    return None
