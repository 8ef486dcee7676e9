# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that log users in: connected apps as they are seeded, and External Client Apps as packages make them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace

APP_FLOWS = frozenset({"password", "jwt_bearer", "client_credentials", "refresh_token"})


@dataclass
class App:
    """What the token endpoint knows of an application: who may use it, by which flows, from where."""

    consumer_key: str
    org_id: str
    name: str
    consumer_secret: str = ""
    certificate: str | None = None  # PEM, as uploaded
    run_as: str | None = None
    flows: set[str] = field(default_factory=lambda: set(APP_FLOWS))
    permitted_users: str = "admin_approved"  # or self_authorize
    approved_users: set[str] = field(default_factory=set)
    ip_relaxation: str = "enforce"  # or relax
    # Whether its tokens have the scope web or full, which pages ask for.
    web: bool = True
    # Whether a refresh brings another refresh token, and ends the one that was shown.
    rotates_refresh_tokens: bool = False
    # Whether a refresh needs the secret, which an app of a desktop has not.
    secret_for_refresh: bool = False
    # Whether its access tokens are JWTs.
    jwt_tokens: bool = False
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    # Refresh tokens that were exchanged for others: when, and for which.
    exchanged_tokens: dict[str, tuple[datetime.datetime, str]] = field(default_factory=dict)
    # Of an External Client App: its name in metadata.
    external: str | None = None
    enabled: bool = True
    scopes: str = "api web"


@dataclass
class Part:
    """One of the five components of an External Client App: `values` by element, as sent."""

    id: str
    name: str
    values: dict[str, str]
    author_id: str
    created: datetime.datetime
    changed: datetime.datetime


@dataclass
class StagedPair:
    """A second key and secret of a consumer: new before a rotation (Active), old after it (Rotated)."""

    id: str
    key: str
    secret: str
    state: str
    author: str
    created: datetime.datetime
    expires: datetime.datetime


@dataclass
class Consumer:
    """The key and the secret of an app."""

    id: str
    key: str
    secret: str
    staged: StagedPair | None = None


@dataclass
class ExternalClientApp:
    """An External Client App: its components by type, its consumer, and what the token endpoint knows of it when.

    A write changes a copy that takes its place, so that it can be taken back.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    consumer: Consumer | None = None
    published: list[tuple[datetime.datetime, App]] = field(default_factory=list)
    approved_users: set[str] = field(default_factory=set)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    exchanged_tokens: dict[str, tuple[datetime.datetime, str]] = field(default_factory=dict)
    logins: int = 0

    def copy(self) -> ExternalClientApp:
        """Copy what a write may change; logins and what they leave stay the same objects."""
        parts = {kind: replace(part, values=dict(part.values)) for kind, part in self.parts.items()}
        consumer = replace(self.consumer) if self.consumer else None
        return replace(self, parts=parts, consumer=consumer, published=list(self.published))
