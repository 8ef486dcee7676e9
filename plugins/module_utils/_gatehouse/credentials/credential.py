# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential, its versions, and what is secret in it. Pure."""

from __future__ import annotations

import dataclasses
import re

from ..auth.causes import Verification
from ..auth.connection import Connection
from ..auth.my_domain import leads_to
from ..errors import OptionError
from .journal import Journal

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
# What a run brings along rather than the credential: never stored.
OF_THE_RUN = ("timeout", "source_address")
# The flows in which a login password is what is typed or sent.
PASSWORD_FLOWS = ("security_token", "username_password")
# Those to which a credential moves for good.
OAUTH_FLOWS = ("jwt_bearer", "client_credentials", "refresh_token")
# What the two users of a pair do not share.
OF_THE_USER = ("username", "password", "security_token")
# What a rotation renews, by flow; of all others it is the security token.
KEYS = {"jwt_bearer": "private_key", "client_credentials": "consumer_secret"}
RENEWED = {**KEYS, "refresh_token": "refresh_token"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credential:
    """One stored credential. Secrets never show in its repr.

    Attributes:
        version: from 1 on, one more at each change of the connection.
        created, updated: ISO 8601, UTC, in seconds.
        verified: when this version last passed a login; None until then.
        verification: the outcome of the last login attempt with this version.
        previous: the last connection that may still work, kept until this version is verified.
        secret_since: since when the connection has its security token, key or app's secret, as far as known here.
        standby: of a pair of users, the one that nobody uses now and that the next rotation works on.
        rotation: a rotation that has not come to its end.
        replaced: digests of secrets that a rotation has replaced; a declaration that still contains one is ignored.
    """

    name: str
    connection: Connection
    version: int
    created: str
    updated: str
    verified: str | None = None
    verification: Verification = Verification()
    previous: Connection | None = None
    secret_since: str | None = None
    standby: Connection | None = None
    rotation: Journal | None = None
    replaced: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @property
    def renewed(self) -> str:
        """Since when it has what a rotation renews, as far as that is known."""
        return self.secret_since or self.updated

    @property
    def users(self) -> list[Connection]:
        """The user in use and, of a pair, the one on standby."""
        return [self.connection, *([self.standby] if self.standby else [])]

    def require_same_org(self, login_url: str | None) -> None:
        """Raise OptionError when the credential is for another org than the host or task says.

        One that has moved to OAuth logs in at the org's own address, and before that at the common one.

        Args:
            login_url: where the org is; None or empty when nobody says so.
        """
        own = self.connection.login_url
        if login_url and not leads_to(login_url, own):
            raise OptionError(
                "login_url",
                f"is {login_url}, but credential {self.name!r} logs in at {own}; name the credential of this org, or "
                "correct one of the two",
            )


def renewable_secret(connection: Connection) -> str | None:
    """Return what a rotation of the connection renews; None where there is nothing."""
    secret: str | None = getattr(connection, RENEWED.get(connection.auth, "security_token"))
    return secret


def checked_name(name: object) -> str:
    """Return a valid name; raises OptionError for one that cannot be a file name on every system."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    if not isinstance(name, str):
        raise OptionError("name", f"{name!r} is a {type(name).__name__} to YAML, not a text; quote it")
    raise OptionError(
        "name", f"{name!r} is not a name: letters, digits and . _ @ + - (at most 128, a letter or digit first)"
    )
