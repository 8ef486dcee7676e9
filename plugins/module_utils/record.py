# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential, its versions, and what is secret in it. Pure. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from . import journal
from .connection import SECRET_FIELDS, Connection
from .errors import OptionError
from .journal import Journal

Clear = dict[str, Any]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
# What a run brings along rather than the credential: never stored.
OF_THE_RUN = ("timeout", "source_address")
CLEAR_FIELDS = tuple(
    field.name for field in dataclasses.fields(Connection) if field.name not in (*SECRET_FIELDS, *OF_THE_RUN)
)
# The flows in which a login password is what is typed or sent.
PASSWORD_FLOWS = ("security_token", "username_password")
# What the two users of a pair do not share.
OF_THE_USER = ("username", "password", "security_token")
REMEMBERED = 40  # digests of replaced secrets: those of many years


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What became of trying a credential.

    Attributes:
        result: C(ok), C(failed) or C(skipped).
        cause: one of the documented values of RV(verification.cause), or None when skipped.
        detail: a sentence for the user, without secrets.
    """

    result: str = "skipped"
    cause: str | None = None
    detail: str = ""

    def to_dict(self) -> dict[str, str | None]:
        """As modules return it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credential:
    """One stored credential. Secrets never show in its repr.

    Attributes:
        version: from 1 on, one more at each change of the connection.
        created, updated: ISO 8601, UTC, in seconds.
        verified: when this version last passed a login; None until then.
        verification: what became of the last login that was tried with this version.
        previous: the last connection that may still work, kept until this version is verified.
        token_since: since when the connection has its security token, as far as known here.
        standby: of a pair of users, the one that nobody uses now and that the next rotation works on.
        rotation: a rotation that has not come to its end.
        replaced: digests of secrets that a rotation has replaced, and that are dead wherever they are declared still.
    """

    name: str
    connection: Connection
    version: int
    created: str
    updated: str
    verified: str | None = None
    verification: Verification = Verification()
    previous: Connection | None = None
    token_since: str | None = None
    standby: Connection | None = None
    rotation: Journal | None = None
    replaced: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @property
    def users(self) -> list[Connection]:
        """The user in use and, of a pair, the one on standby."""
        return [self.connection, *([self.standby] if self.standby else [])]


@dataclasses.dataclass(frozen=True)
class CredentialPlan:
    """One change of one credential: true when there is something to change. An absent credential is None."""

    before: Credential | None
    after: Credential | None

    def __bool__(self) -> bool:
        return _identity(self.before) != _identity(self.after)

    def diff(self) -> dict[str, Clear]:
        """The change for Ansible's diff, in which no secret shows."""
        return {
            "before": _shown(self.before, beside=self.after),
            "after": _shown(self.after, beside=self.before),
        }


def checked_name(name: object) -> str:
    """The name of a credential; raises OptionError for one that cannot be a file name on every system."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    raise OptionError(
        "name", f"{name!r} is not a name: letters, digits and . _ @ + - (at most 128, a letter or digit first)"
    )


def declared(
    current: Credential | None, wanted: Connection, *, standby: Connection | None = None, name: str, now: str
) -> Credential:
    """The credential when it is as wanted: the current one itself if it is; raises OptionError for an unusable one.

    Secrets that are None are kept as they are and an empty one is removed; all else is declared whole. A secret that a
    rotation has replaced is dead, so that the present one is kept. Which user of a pair is on standby is for rotations
    to say; a standby that is None is kept, and one without a username is removed.
    """
    name = checked_name(name)
    wanted, standby = _in_their_roles(current, wanted, standby)
    connection = _settled(current, current.connection if current else None, wanted)
    waiting = None
    if standby is not None and standby.username:
        waiting = _settled(current, current.standby if current else None, paired(connection, standby))
        _require_pair(connection, waiting)
    if current is None:
        return Credential(
            name=name,
            connection=connection,
            version=1,
            created=now,
            updated=now,
            standby=waiting,
            token_since=now if connection.security_token else None,
        )
    if (current.connection, current.standby) == (connection, waiting):
        return current
    same_token = current.connection.security_token == connection.security_token
    return dataclasses.replace(
        current,
        connection=connection,
        standby=waiting,
        version=current.version + 1,
        updated=now,
        verified=None,
        verification=Verification(),
        previous=current.connection if current.verified else current.previous or current.connection,
        token_since=current.token_since if same_token else now if connection.security_token else None,
        rotation=_still_under_way(current.rotation, connection, waiting),
    )


def _still_under_way(rotation: Journal | None, *users: Connection | None) -> Journal | None:
    """The rotation, if its user is one of these: of what it waits for, nothing may be tried with another user."""
    return rotation if rotation and any(user and user.username == rotation.username for user in users) else None


def rotated(credential: Credential, connection: Connection, *, now: str) -> Credential:
    """The credential with a new connection of one of its users, which has just passed a login, and no journal.

    A pair changes roles when it is the one on standby whose connection is new.
    """
    changes_roles = credential.standby is not None and connection.username == credential.standby.username
    before = credential.standby if changes_roles else credential.connection
    dead = [
        _digest(before, field)
        for field in ("password", "security_token")
        if before and getattr(before, field) and getattr(before, field) != getattr(connection, field)
    ]
    return dataclasses.replace(
        credential,
        connection=connection,
        standby=credential.connection if changes_roles else credential.standby,
        version=credential.version + 1,
        updated=now,
        verified=now,
        verification=Verification(result="ok", cause="ok", detail="logged in"),
        previous=None,
        token_since=now if connection.security_token else None,
        rotation=None,
        replaced=(*credential.replaced, *dead)[-REMEMBERED:],
    )


def paired(connection: Connection, standby: Connection) -> Connection:
    """The user on standby over the same way to the same org."""
    return dataclasses.replace(connection, **{field: getattr(standby, field) for field in OF_THE_USER})


def verified(
    credential: Credential, verification: Verification, *, now: str, users: Collection[str | None] | None = None
) -> Credential:
    """The credential after a login was tried with it; once it has passed, what it replaced is given up.

    Args:
        users: who was let in; by default the user in use.
    """
    if verification.result == "ok":
        under_way, let_in = credential.rotation, [credential.connection.username] if users is None else users
        if under_way and under_way.step != journal.STORED and under_way.username in let_in:
            under_way = None
        return dataclasses.replace(
            credential, verification=verification, verified=now, previous=None, rotation=under_way
        )
    return dataclasses.replace(credential, verification=verification)


def merged(current: Connection | None, wanted: Connection) -> Connection:
    """The wanted connection with the secrets that it leaves open (None) taken from the current one."""
    if current is None:
        return wanted
    kept: dict[str, Any] = {
        secret: value for secret, value in current.secrets.items() if getattr(wanted, secret) is None
    }
    return dataclasses.replace(wanted, **kept)


def _in_their_roles(
    current: Credential | None, wanted: Connection, standby: Connection | None
) -> tuple[Connection, Connection | None]:
    """A wanted pair in the order in which the current one is, which a rotation may have turned round."""
    if current is None or current.standby is None:
        return wanted, standby
    if wanted.username != current.standby.username:
        return wanted, current.standby if standby is None else standby
    if standby is None:
        standby = Connection(username=current.connection.username)
    if standby.username != current.connection.username:
        return wanted, standby
    return paired(wanted, standby), wanted


def _settled(current: Credential | None, before: Connection | None, wanted: Connection) -> Connection:
    """The wanted connection as it is stored, with the secrets that are to be kept."""
    dead: dict[str, Any] = {
        field: None
        for field in ("password", "security_token")
        if current and getattr(wanted, field) and _digest(wanted, field) in current.replaced
    }
    return stored(merged(before, dataclasses.replace(wanted, **dead)).checked())


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


def stored(connection: Connection) -> Connection:
    """The one form in which a connection is compared, shown and stored."""
    fields: dict[str, Any] = {name: getattr(connection, name) for name in CLEAR_FIELDS}
    fields["login_url"] = connection.login_url.rstrip("/")
    fields["allowed_hosts"] = tuple(sorted(set(connection.allowed_hosts)))
    return Connection(**{**fields, **connection.secrets})


def to_clear(credential: Credential) -> Clear:
    """What may be shown of a credential: all but its secrets, of which only the names."""
    return {
        "name": credential.name,
        **_clear(credential.connection),
        "version": credential.version,
        "created": credential.created,
        "updated": credential.updated,
        "verified": credential.verified,
        "token_since": credential.token_since,
        "standby": credential.standby.username if credential.standby else None,
        "rotation": credential.rotation.to_clear() if credential.rotation else None,
        "secrets": sorted(credential.connection.secrets),
    }


def on_standby(credential: Credential) -> Credential:
    """The credential as if its other user were the one in use; raises OptionError when it is no pair."""
    if credential.standby is None:
        raise OptionError("standby", f"credential {credential.name!r} has no user on standby")
    return dataclasses.replace(credential, connection=credential.standby, standby=credential.connection)


def to_dict(credential: Credential) -> dict[str, Any]:
    """A credential with its secrets.

    One that it does not hold is absent, so that a template which uses it fails instead of writing C(None).
    """
    connection = credential.connection
    composed = {"login_password": connection.login_password} if connection.auth in PASSWORD_FLOWS else {}
    return {**to_clear(credential), **connection.secrets, **composed}


def connection_of(fields: Mapping[str, Any]) -> Connection:
    """The connection in a dictionary such as to_dict() gives; other keys are ignored."""
    known = {name: fields[name] for name in (*CLEAR_FIELDS, *SECRET_FIELDS) if fields.get(name) is not None}
    known["allowed_hosts"] = tuple(known.get("allowed_hosts", ()))
    return Connection(**known)


def dump(credential: Credential) -> tuple[Clear, dict[str, Any]]:
    """A credential as two JSON objects: what anybody may read, and what must be sealed."""
    clear = {**to_clear(credential), "verification": credential.verification.to_dict()}
    previous, standby = credential.previous, credential.standby
    return clear, {
        "secrets": credential.connection.secrets,
        "previous": None if previous is None else {**_clear(previous), **previous.secrets},
        "standby": None if standby is None else {field: getattr(standby, field) for field in OF_THE_USER},
        "rotation": journal.dump(credential.rotation),
        "replaced": list(credential.replaced),
    }


def parse(clear: Mapping[str, Any], secret: Mapping[str, Any]) -> Credential:
    """The credential out of what dump() gave; raises KeyError or TypeError for anything else."""
    previous, standby = secret["previous"], secret["standby"]
    connection = connection_of({**clear, **secret["secrets"]})
    return Credential(
        name=clear["name"],
        connection=connection,
        version=clear["version"],
        created=clear["created"],
        updated=clear["updated"],
        verified=clear["verified"],
        verification=Verification(**clear["verification"]),
        previous=None if previous is None else connection_of(previous),
        token_since=clear["token_since"],
        standby=None if standby is None else dataclasses.replace(connection, **standby),
        rotation=journal.parse(secret["rotation"]),
        replaced=tuple(secret["replaced"]),
    )


def _clear(connection: Connection) -> Clear:
    clear = {name: getattr(connection, name) for name in CLEAR_FIELDS}
    return {**clear, "allowed_hosts": list(connection.allowed_hosts)}


def _identity(credential: Credential | None) -> tuple[str, Connection, Connection | None] | None:
    """What a user declares of a credential, without dates and versions."""
    return None if credential is None else (credential.name, credential.connection, credential.standby)


def _shown(credential: Credential | None, *, beside: Credential | None) -> Clear:
    """One side of a diff: a secret that differs from the other side shows only as that of its version."""
    if credential is None:
        return {}
    shown = {"name": credential.name, **_clear(credential.connection)}
    shown |= _shown_secrets(credential.connection, beside.connection if beside else None, credential.version)
    if credential.standby:
        secrets = _shown_secrets(credential.standby, beside.standby if beside else None, credential.version)
        shown["standby"] = {"username": credential.standby.username, **secrets}
    return shown


def _shown_secrets(connection: Connection, beside: Connection | None, version: int) -> dict[str, str]:
    others = beside.secrets if beside else {}
    return {
        name: "(secret)" if others.get(name) == value else f"(secret, version {version})"
        for name, value in connection.secrets.items()
    }
