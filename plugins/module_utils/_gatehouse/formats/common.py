# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What formats share: how one is described, how it refuses, where to log in. Pure."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ..auth.connection import Connection

PASSWORD = ("security_token",)
OAUTH_PASSWORD = ("username_password",)
PRODUCTION, SANDBOX = "login.salesforce.com", "test.salesforce.com"
_SALESFORCE = ".salesforce.com"
_SURROGATES = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


class NotRepresentable(Exception):
    """Something that a format cannot hold, such as a character in a value. Its text holds no secret."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(problem)
        self.option = option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        description: who reads it, for the table in docs/formats.md.
        file: where the reader looks for it.
        composed: whether password and security token are one value in it; None where there is no password.
        flows: the values of O(auth) whose credentials it can hold.
        options: keyword arguments that render takes beside the connection.
        source: where the format is defined.
        render: gives the whole text of a file; raises NotRepresentable for what the format cannot hold.
    """

    name: str
    description: str
    file: str
    composed: bool | None = False
    flows: tuple[str, ...]
    options: tuple[str, ...] = ()
    source: str
    render: Callable[..., str]


def host(connection: Connection) -> str:
    """Where to log in, without the scheme; raises NotRepresentable when there is more than that to say."""
    parts = urlsplit(connection.login_url)
    if parts.path.strip("/"):
        raise NotRepresentable("login_url", f"{connection.login_url}, only a host without a path")
    return parts.netloc


def soap_url(connection: Connection) -> str:
    """Where the SOAP login is called."""
    return f"{connection.login_url.rstrip('/')}/services/Soap/u/{connection.api_version}"


def domain(connection: Connection) -> str:
    """Where to log in, as simple-salesforce has it: what stands before C(.salesforce.com)."""
    parts = urlsplit(connection.login_url)
    name = parts.netloc.lower().removesuffix(_SALESFORCE)
    if name == parts.netloc.lower() or parts.path.strip("/"):
        raise NotRepresentable("login_url", f"{connection.login_url}, only a host at salesforce.com")
    return name


def is_sandbox(connection: Connection) -> bool:
    """Whether to log in at the sandboxes' common address, for readers that know two addresses only."""
    known = {f"https://{PRODUCTION}": False, f"https://{SANDBOX}": True}
    try:
        return known[connection.login_url.rstrip("/").lower()]
    except KeyError:
        raise NotRepresentable("login_url", f"{connection.login_url}, only {' and '.join(known)}") from None


def of_sandbox(connection: Connection) -> bool:
    """Whether the org is a sandbox, for readers that find their way from there with OAuth."""
    place = host(connection).lower()
    return in_sandbox(place) if place.endswith(".my.salesforce.com") else is_sandbox(connection)


def in_sandbox(place: str) -> bool:
    """Whether a host at My Domain is that of a sandbox or a scratch org, whose common address is the same."""
    return ".sandbox." in place or ".scratch." in place


def require_production(connection: Connection) -> None:
    """Raise NotRepresentable unless the credential is for the one address that the reader knows."""
    if host(connection).lower() != PRODUCTION:
        raise NotRepresentable("login_url", f"{connection.login_url}, since its reader always logs in at {PRODUCTION}")


def require_printable(key: str, value: str) -> None:
    """Raise NotRepresentable for a line break or another character that does not show."""
    if not value.isprintable():
        raise NotRepresentable(key, "a line break or another unprintable character")


def require_trimmed(key: str, value: str) -> None:
    """Raise NotRepresentable for a value that the reader would trim."""
    if value != value.strip():
        raise NotRepresentable(key, "a blank at the start or the end, which its reader would cut off")


def literal(fields: Mapping[str, str | None], *markers: str, start: tuple[str, ...] = ()) -> dict[str, str]:
    """The fields that have a value; raises NotRepresentable for one that holds what the reader would expand or decrypt.

    Args:
        markers: mean something anywhere in a value.
        start: mean something at its start only.
    """
    found = {key: value for key, value in fields.items() if value is not None}
    for key, value in found.items():
        for marker in markers:
            if marker in value:
                raise NotRepresentable(key, f"{marker!r}, which its reader would not take literally")
        for marker in start:
            if value.startswith(marker):
                raise NotRepresentable(key, f"{marker!r} at the start, which its reader would not take literally")
    return found


def json_text(value: object) -> str:
    """A JSON document that means the same to a reader of YAML."""
    return _SURROGATES.sub(_character, json.dumps(value, indent=2)) + "\n"


def quoted(value: str) -> str:
    """A double-quoted string that means the same in JSON, YAML and TOML."""
    return _SURROGATES.sub(_character, json.dumps(value))


def _character(pair: re.Match[str]) -> str:
    # JSON writes a character beyond U+FFFF as two escapes, which the others do not put together.
    return (pair[0].encode().decode("unicode-escape")).encode("utf-16", "surrogatepass").decode("utf-16")
