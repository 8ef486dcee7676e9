# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that a format can take from a credential: what is stored, and where to log in, in readers' ways. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from ..auth.connection import Connection
from ..auth.my_domain import MY_DOMAIN, PRODUCTION, SANDBOX, is_sandbox_host

Value: TypeAlias = "str | int"


class NotRepresentable(Exception):
    """Raised for what a format cannot hold, such as a character in a value. Its text holds no secret."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(problem)
        self.option = option


def read_field(connection: Connection, field: str) -> Value | None:
    """Return the value of a field: a constant in quotes, a name of FIELDS, or an attribute of the connection."""
    if field.startswith("'"):
        return field.strip("'")
    if field in FIELDS:
        return FIELDS[field](connection)
    return getattr(connection, field) or None


def require_production(connection: Connection) -> None:
    """Raise NotRepresentable unless the credential is for the one address that the reader knows."""
    if _host(connection).lower() != PRODUCTION:
        raise NotRepresentable("login_url", f"{connection.login_url}, since its reader always logs in at {PRODUCTION}")


def _host(connection: Connection) -> str:
    """Return where to log in, without the scheme; raises NotRepresentable when there is more than that to say."""
    parts = urlsplit(connection.login_url)
    if parts.path.strip("/"):
        raise NotRepresentable("login_url", f"{connection.login_url}, only a host without a path")
    return parts.netloc


def _base_url(connection: Connection) -> str:
    """Return the login URL, to which the reader appends a path."""
    return connection.login_url.rstrip("/")


def _domain_if_any(connection: Connection) -> str | None:
    """Return where to log in, as simple-salesforce has it: what stands before C(.salesforce.com)."""
    parts = urlsplit(connection.login_url.lower())
    name = parts.netloc.removesuffix(".salesforce.com")
    return None if name == parts.netloc or parts.path.strip("/") else name


def _domain(connection: Connection) -> str:
    name = _domain_if_any(connection)
    if name is None:
        raise NotRepresentable("login_url", f"{connection.login_url}, only a host at salesforce.com")
    return name


def _is_test_login(connection: Connection) -> bool:
    """Return whether to log in at the sandboxes' common address, for readers that know two addresses only."""
    known = {f"https://{PRODUCTION}": False, f"https://{SANDBOX}": True}
    try:
        return known[_base_url(connection).lower()]
    except KeyError:
        raise NotRepresentable("login_url", f"{connection.login_url}, only {' and '.join(known)}") from None


def _is_sandbox(connection: Connection) -> bool:
    """Return whether the org is a sandbox, for readers that find their way from there with OAuth."""
    place = _host(connection).lower()
    return is_sandbox_host(place) if place.endswith(MY_DOMAIN) else _is_test_login(connection)


def _is_sandbox_domain(connection: Connection) -> bool:
    place = _domain(connection)
    return place == "test" or is_sandbox_host(place)


def _required_token(connection: Connection) -> str:
    if not connection.security_token:
        raise NotRepresentable("security_token", "a credential without it, which its reader takes for incomplete")
    return connection.security_token


# Beside the attributes of Connection. What has no value is None, and left out.
FIELDS: dict[str, Callable[[Connection], Value | None]] = {
    "base_url": _base_url,
    "domain": _domain,
    "domain_if_any": _domain_if_any,
    "environment": lambda to: "sandbox" if _is_sandbox(to) else "production",
    "host": _host,
    "instance_host": lambda to: urlsplit(to.instance_url).netloc if to.instance_url else _host(to),
    "is_sandbox": _is_sandbox,
    "is_sandbox_domain": _is_sandbox_domain,
    "is_test_login": _is_test_login,
    "login_url_without_domain": lambda to: None if _domain_if_any(to) else to.login_url,
    "my_domain_url": lambda to: to.login_url if _host(to).lower().endswith(MY_DOMAIN) else None,
    "own_host": lambda to: None if (place := _host(to).lower()) in (PRODUCTION, SANDBOX) else place,
    "required_token": _required_token,
    "soap_url": lambda to: f"{_base_url(to)}/services/Soap/u/{to.api_version}",
    "token_or_empty": lambda to: to.security_token or "",
    "true_at_test_host": lambda to: _host(to).lower() == SANDBOX or None,
    "true_at_test_login": lambda to: _is_test_login(to) or None,
}
