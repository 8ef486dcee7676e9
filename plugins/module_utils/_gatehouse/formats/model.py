# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe a format. Pure."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..auth.connection import Connection
from .fields import NotRepresentable, Value, read_field, require_production

Values = Mapping[str, Value]
Check = Callable[[str, str], None]


@dataclasses.dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        about: what it is for | where the reader looks for the file | where it is defined.
        fields: for each value of O(auth) that the format can express, "flow: the reader's name=field, ...; ..." with
            fields of fields.py. Where both have one name it stands alone, a constant in quotes. What has no value is
            left out.
        encode: takes the values by the reader's names, and the format's options as keywords with defaults; returns the
            whole text of a file or raises NotRepresentable.
        prefix: stands before each of the reader's names.
        checks: raise NotRepresentable, given the reader's name and the value.
        production_only: whether the reader always logs in at C(login.salesforce.com).
    """

    about: str
    fields: str
    encode: Callable[..., str]
    prefix: str = ""
    checks: tuple[Check, ...] = ()
    production_only: bool = False

    @functools.cached_property
    def by_flow(self) -> dict[str, dict[str, str]]:
        """The field for each of the reader's names, by the flow of a credential."""
        found = {}
        for part in self.fields.split("; "):
            flows, _colon, fields = part.partition(": ")
            pairs = [item.partition("=") for item in fields.split(", ")]
            for flow in flows.split():
                found[flow] = {f"{self.prefix}{theirs}": ours or theirs for theirs, _equals, ours in pairs}
        return found

    @property
    def flows(self) -> tuple[str, ...]:
        """The values of O(auth) whose credentials the format can express."""
        return tuple(self.by_flow)

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the format has."""
        return tuple(getattr(self.encode, "__kwdefaults__", None) or ())

    def render(self, connection: Connection, options: Mapping[str, Any]) -> str:
        """Return the text of a file for a credential of one of the format's flows; raises NotRepresentable."""
        if self.production_only:
            require_production(connection)
        return self.encode(self.read(connection, self.by_flow[connection.auth]), **options)

    def read(self, connection: Connection, fields: Mapping[str, str]) -> dict[str, Value]:
        """Return the values by the reader's names; raises NotRepresentable for what a check refuses."""
        every = {name: read_field(connection, field) for name, field in fields.items()}
        values = {name: value for name, value in every.items() if value is not None}
        for check in self.checks:
            for name, value in values.items():
                if isinstance(value, str):
                    check(name, value)
        return values


def refuse(*markers: str, start: tuple[str, ...] = ()) -> Check:
    """Return a check for what the reader would expand or decrypt.

    Args:
        markers: mean something anywhere in a value.
        start: mean something at its start only.
    """

    def check(name: str, value: str) -> None:
        for marker in markers:
            if marker in value:
                raise NotRepresentable(name, f"{marker!r}, which its reader would not take literally")
        for marker in start:
            if value.startswith(marker):
                raise NotRepresentable(name, f"{marker!r} at the start, which its reader would not take literally")

    return check


def refuse_outer_blanks(name: str, value: str) -> None:
    """Raise NotRepresentable for a value that the reader would trim."""
    if value != value.strip():
        raise NotRepresentable(name, "a blank at the start or the end, which its reader would cut off")


def refuse_lists(name: str, value: str) -> None:
    """Raise NotRepresentable for what Commons Configuration splits, trims and joins again."""
    if "," in value and re.search(r"[\s\\]", value):
        raise NotRepresentable(
            name, "a comma together with a blank or a backslash, which its reader would take for a list"
        )
