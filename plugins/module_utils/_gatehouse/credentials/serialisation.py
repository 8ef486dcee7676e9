# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential as text, with and without its secrets. Pure."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ..auth.causes import Verification
from ..auth.connection import SECRET_FIELDS, Connection
from ..errors import DamagedRecordError
from . import journal
from .credential import OF_THE_RUN, OF_THE_USER, PASSWORD_FLOWS, Credential

PublicFields = dict[str, Any]
# What reading raises of a text that is not as this collection writes it.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
PUBLIC_FIELDS = tuple(
    field.name for field in dataclasses.fields(Connection) if field.name not in (*SECRET_FIELDS, *OF_THE_RUN)
)


@contextlib.contextmanager
def refuse_malformed(name: str) -> Iterator[None]:
    """Raise DamagedRecordError where the public fields of a credential are not as this collection writes them."""
    try:
        yield
    except MALFORMED:
        raise DamagedRecordError(f"credential {name!r} is damaged, or no credential") from None


def to_public(credential: Credential) -> PublicFields:
    """Return what may be shown of a credential: all but its secrets, of which only the names."""
    return {
        "name": credential.name,
        **_public(credential.connection),
        "version": credential.version,
        "created": credential.created,
        "updated": credential.updated,
        "verified": credential.verified,
        "secret_since": credential.secret_since,
        "standby": credential.standby.username if credential.standby else None,
        "rotation": credential.rotation.to_public() if credential.rotation else None,
        "secrets": sorted(credential.connection.secrets),
    }


def to_dict(credential: Credential) -> dict[str, Any]:
    """Return a credential with its secrets.

    A secret that it lacks is absent, so that a template which uses it fails instead of writing C(None).
    """
    connection = credential.connection
    composed = {"login_password": connection.login_password} if connection.auth in PASSWORD_FLOWS else {}
    return {**to_public(credential), **connection.secrets, **composed}


def connection_of(fields: Mapping[str, Any]) -> Connection:
    """Return the connection in a dictionary such as to_dict() returns; other keys are ignored."""
    known = {name: fields[name] for name in (*PUBLIC_FIELDS, *SECRET_FIELDS) if fields.get(name) is not None}
    known["allowed_hosts"] = tuple(known.get("allowed_hosts", ()))
    return Connection(**known)


def dump(credential: Credential) -> tuple[PublicFields, dict[str, Any]]:
    """Return a credential as two JSON objects: the public part, and the part to be sealed."""
    clear = {**to_public(credential), "verification": credential.verification.to_dict()}
    previous, standby = credential.previous, credential.standby
    return clear, {
        "secrets": credential.connection.secrets,
        "previous": None if previous is None else {**_public(previous), **previous.secrets},
        "standby": None if standby is None else {field: getattr(standby, field) for field in OF_THE_USER},
        "rotation": journal.dump(credential.rotation),
        "replaced": list(credential.replaced),
    }


def parse(clear: Mapping[str, Any], secret: Mapping[str, Any]) -> Credential:
    """Return the credential from what dump() returned; raises KeyError or TypeError for anything else."""
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
        secret_since=clear["secret_since"],
        standby=None if standby is None else dataclasses.replace(connection, **standby),
        rotation=journal.parse(secret["rotation"]),
        replaced=tuple(secret["replaced"]),
    )


def _public(connection: Connection) -> PublicFields:
    clear = {name: getattr(connection, name) for name in PUBLIC_FIELDS}
    return {**clear, "allowed_hosts": list(connection.allowed_hosts)}
