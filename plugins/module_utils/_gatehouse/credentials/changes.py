# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to a credential: from one record to the next. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from typing import Any

from ..auth.causes import LOGGED_IN, Verification
from ..auth.connection import Connection
from ..errors import OptionError
from . import journal
from .credential import (
    KEYS,
    OAUTH_FLOWS,
    OF_THE_USER,
    PASSWORD_FLOWS,
    RENEWED,
    Credential,
    checked_name,
    renewable_secret,
)
from .journal import Journal
from .serialisation import PUBLIC_FIELDS

REMEMBERED = 40  # digests of replaced secrets: those of many years
REPLACED = ("password", "security_token", *RENEWED.values())  # what a rotation replaces
# The secrets that a flow uses.
_SECRETS_OF = {
    "security_token": ("password", "security_token"),
    "username_password": ("password", "security_token", "consumer_secret"),
    "jwt_bearer": ("private_key",),
    "client_credentials": ("consumer_secret",),
    "refresh_token": ("refresh_token", "consumer_secret"),
    "session": ("access_token",),
}


def declare(
    current: Credential | None, wanted: Connection, *, standby: Connection | None = None, name: str, now: str
) -> Credential:
    """Return the credential as wanted, which is the current one itself if nothing changes; raises OptionError.

    A secret that is None is kept and an empty one is removed; everything else is declared whole. A secret that a
    rotation has replaced is ignored, and the current one kept, as is the consumer key that came with it. Rotations
    decide which user of a pair is on standby; a standby that is None is kept where the flow has passwords, and one
    without a username is removed.
    """
    name = checked_name(name)
    if standby is not None or wanted.auth in PASSWORD_FLOWS:
        wanted, standby = _match_roles(current, wanted, standby)
    connection = _settle_secrets(current, current.connection if current else None, wanted)
    waiting = None
    if standby is not None and standby.username:
        waiting = _settle_secrets(current, current.standby if current else None, swap_users(connection, standby))
        _require_pair(connection, waiting)
    if current is None:
        return Credential(
            name=name,
            connection=connection,
            version=1,
            created=now,
            updated=now,
            standby=waiting,
            secret_since=now if renewable_secret(connection) else None,
        )
    if (current.connection, current.standby) == (connection, waiting):
        return current
    same = renewable_secret(current.connection) == renewable_secret(connection)
    return dataclasses.replace(
        current,
        connection=connection,
        standby=waiting,
        version=current.version + 1,
        updated=now,
        verified=None,
        verification=Verification(),
        previous=current.connection if current.verified else current.previous or current.connection,
        secret_since=current.secret_since if same else now if renewable_secret(connection) else None,
        rotation=_still_under_way(current, connection, waiting),
    )


def _still_under_way(current: Credential, *users: Connection | None) -> Journal | None:
    """Return the rotation if its user is one of these: its token must not be tried with another user.

    That of a key or an app's secret ends when another one is declared.
    """
    rotation = current.rotation
    if rotation and rotation.of_app:
        user = users[0]
        return rotation if user and _oauth_login(user) == _oauth_login(current.connection) else None
    return rotation if rotation and any(user and user.username == rotation.username for user in users) else None


def _oauth_login(connection: Connection) -> tuple[str | None, ...]:
    return connection.auth, connection.username, connection.consumer_key, renewable_secret(connection)


def complete_rotation(credential: Credential, connection: Connection, *, now: str) -> Credential:
    """Return the credential with a user's new connection, which has just passed a login, and without a journal.

    A pair changes roles when it is the one on standby whose connection is new.
    """
    changes_roles = credential.standby is not None and connection.username == credential.standby.username
    before = credential.standby if changes_roles else credential.connection
    dead = [
        _digest(before, field)
        for field in REPLACED
        if before and getattr(before, field) and getattr(before, field) != getattr(connection, field)
    ]
    return dataclasses.replace(
        credential,
        connection=connection,
        standby=credential.connection if changes_roles else credential.standby,
        version=credential.version + 1,
        updated=now,
        verified=now,
        verification=LOGGED_IN,
        previous=None,
        secret_since=now if renewable_secret(connection) else None,
        rotation=None,
        replaced=(*credential.replaced, *dead)[-REMEMBERED:],
    )


def swap_users(connection: Connection, standby: Connection) -> Connection:
    """Return the connection with the standby user's name and secrets in place of its own."""
    return dataclasses.replace(connection, **{field: getattr(standby, field) for field in OF_THE_USER})


def record_verification(
    credential: Credential, verification: Verification, *, now: str, users: Collection[str | None] | None = None
) -> Credential:
    """Return the credential after a login attempt; once one has passed, what it replaced is dropped.

    Args:
        users: who logged in; by default the user in use.
    """
    if verification.result == "ok":
        under_way, let_in = credential.rotation, [credential.connection.username] if users is None else users
        waits = under_way and under_way.step != journal.STORED and not under_way.of_app
        if under_way and waits and under_way.username in let_in:
            under_way = None
        return dataclasses.replace(
            credential, verification=verification, verified=now, previous=None, rotation=under_way
        )
    return dataclasses.replace(credential, verification=verification)


def returns_to_password(current: Credential, wanted: Connection) -> bool:
    """Whether a declaration would take a credential back from OAuth to a login password.

    Raises OptionError if it is about another user, and so no declaration from before a move.
    """
    before = current.connection
    if before.auth not in OAUTH_FLOWS or wanted.auth not in PASSWORD_FLOWS:
        return False
    if before.username and wanted.username and before.username.lower() != wanted.username.lower():
        raise OptionError(
            "username",
            f"{wanted.username} by {wanted.auth} is declared for credential {current.name!r}, which is "
            f"{before.username} by {before.auth}; use another name, or undo_move: true to replace it",
        )
    return True


def keep_secrets(current: Connection | None, wanted: Connection) -> Connection:
    """Return the wanted connection with the secrets that it leaves open (None) taken from the current one.

    When the flow changes, only those that the new one uses are kept.
    """
    if current is None:
        return wanted
    kept: dict[str, Any] = {
        secret: value
        for secret, value in current.secrets.items()
        if getattr(wanted, secret) is None and (current.auth == wanted.auth or secret in _SECRETS_OF[wanted.auth])
    }
    return dataclasses.replace(wanted, **kept)


def _match_roles(
    current: Credential | None, wanted: Connection, standby: Connection | None
) -> tuple[Connection, Connection | None]:
    """Return a wanted pair in the order of the current one, which a rotation may have reversed."""
    if current is None or current.standby is None:
        return wanted, standby
    if wanted.username != current.standby.username:
        return wanted, current.standby if standby is None else standby
    if standby is None:
        standby = Connection(username=current.connection.username)
    if standby.username != current.connection.username:
        return wanted, standby
    return swap_users(wanted, standby), wanted


def _settle_secrets(current: Credential | None, before: Connection | None, wanted: Connection) -> Connection:
    """Return the wanted connection as it is stored, with the secrets to be kept."""
    dead: dict[str, Any] = {
        field: None
        for field in REPLACED
        if current and getattr(wanted, field) and _digest(wanted, field) in current.replaced
    }
    if before and dead.keys() & set(KEYS.values()):
        dead["consumer_key"] = before.consumer_key
    return normalise(keep_secrets(before, dataclasses.replace(wanted, **dead)).checked())


def _require_pair(connection: Connection, standby: Connection) -> None:
    if connection.auth not in PASSWORD_FLOWS:
        raise OptionError("standby", f"is for {' and '.join(PASSWORD_FLOWS)}; by {connection.auth} no token expires")
    if (connection.username or "").lower() == (standby.username or "").lower():  # not known to be two
        raise OptionError("standby.username", "must be another user than username")


def is_replaced(credential: Credential, token: str) -> bool:
    """Whether a rotation has replaced that token."""
    return any(
        _digest(dataclasses.replace(user, security_token=token), "security_token") in credential.replaced
        for user in credential.users
    )


def _digest(connection: Connection, field: str) -> str:
    parts = "\0".join([connection.username or "", field, getattr(connection, field)])
    return hashlib.sha256(parts.encode()).hexdigest()


def normalise(connection: Connection) -> Connection:
    """Return the one form in which a connection is compared, shown and stored."""
    fields: dict[str, Any] = {name: getattr(connection, name) for name in PUBLIC_FIELDS}
    fields["login_url"] = connection.login_url.rstrip("/")
    fields["allowed_hosts"] = tuple(sorted(set(connection.allowed_hosts)))
    return Connection(**{**fields, **connection.secrets})


def standby_connection(credential: Credential) -> Credential:
    """Return the credential with its users exchanged; raises OptionError when it is not a pair."""
    if credential.standby is None:
        raise OptionError("standby", f"credential {credential.name!r} has no user on standby")
    return dataclasses.replace(credential, connection=credential.standby, standby=credential.connection)
