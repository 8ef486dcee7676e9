# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential, its versions, and what is secret in it. Pure. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from .connection import SECRET_FIELDS, Connection
from .errors import OptionError

Clear = dict[str, Any]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
# What a run brings along rather than the credential: never stored.
OF_THE_RUN = ("timeout", "source_address")
CLEAR_FIELDS = tuple(
    field.name for field in dataclasses.fields(Connection) if field.name not in (*SECRET_FIELDS, *OF_THE_RUN)
)
# The flows in which a login password is what is typed or sent.
PASSWORD_FLOWS = ("security_token", "username_password")


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
    """

    name: str
    connection: Connection
    version: int
    created: str
    updated: str
    verified: str | None = None
    verification: Verification = Verification()
    previous: Connection | None = None


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


def declared(current: Credential | None, wanted: Connection, *, name: str, now: str) -> Credential:
    """The credential when it is as wanted: the current one itself if it is; raises OptionError for an unusable one.

    Secrets that are None are kept as they are and an empty one is removed; all else is declared whole.
    """
    name = checked_name(name)
    connection = stored(merged(current.connection if current else None, wanted).checked())
    if current is None:
        return Credential(name=name, connection=connection, version=1, created=now, updated=now)
    if current.connection == connection:
        return current
    return Credential(
        name=name,
        connection=connection,
        version=current.version + 1,
        created=current.created,
        updated=now,
        previous=current.connection if current.verified else current.previous or current.connection,
    )


def verified(credential: Credential, verification: Verification, *, now: str) -> Credential:
    """The credential after a login was tried with it; what it replaced is given up once it has passed."""
    if verification.result == "ok":
        return dataclasses.replace(credential, verification=verification, verified=now, previous=None)
    return dataclasses.replace(credential, verification=verification)


def merged(current: Connection | None, wanted: Connection) -> Connection:
    """The wanted connection with the secrets that it leaves open (None) taken from the current one."""
    if current is None:
        return wanted
    kept: dict[str, Any] = {
        secret: value for secret, value in current.secrets.items() if getattr(wanted, secret) is None
    }
    return dataclasses.replace(wanted, **kept)


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
        "secrets": sorted(credential.connection.secrets),
    }


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
    previous = credential.previous
    return clear, {
        "secrets": credential.connection.secrets,
        "previous": None if previous is None else {**_clear(previous), **previous.secrets},
    }


def parse(clear: Mapping[str, Any], secret: Mapping[str, Any]) -> Credential:
    """The credential out of what dump() gave; raises KeyError or TypeError for anything else."""
    previous = secret["previous"]
    return Credential(
        name=clear["name"],
        connection=connection_of({**clear, **secret["secrets"]}),
        version=clear["version"],
        created=clear["created"],
        updated=clear["updated"],
        verified=clear["verified"],
        verification=Verification(**clear["verification"]),
        previous=None if previous is None else connection_of(previous),
    )


def _clear(connection: Connection) -> Clear:
    clear = {name: getattr(connection, name) for name in CLEAR_FIELDS}
    return {**clear, "allowed_hosts": list(connection.allowed_hosts)}


def _identity(credential: Credential | None) -> tuple[str, Connection] | None:
    """What a user declares of a credential, without dates and versions."""
    return None if credential is None else (credential.name, credential.connection)


def _shown(credential: Credential | None, *, beside: Credential | None) -> Clear:
    """One side of a diff: a secret that differs from the other side shows only as that of its version."""
    if credential is None:
        return {}
    others = beside.connection.secrets if beside else {}
    secrets = {
        name: "(secret)" if others.get(name) == value else f"(secret, version {credential.version})"
        for name, value in credential.connection.secrets.items()
    }
    return {"name": credential.name, **_clear(credential.connection), **secrets}
