# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change to a credential does, for result, diff and check mode alike. Pure."""

from __future__ import annotations

import dataclasses

from ..auth.connection import Connection
from .credential import Credential
from .serialisation import PublicFields, _public


@dataclasses.dataclass(frozen=True)
class CredentialPlan:
    """One change of one credential: true when there is something to change. An absent credential is None."""

    before: Credential | None
    after: Credential | None

    def __bool__(self) -> bool:
        return _identity(self.before) != _identity(self.after)

    def diff(self) -> dict[str, PublicFields]:
        """Return the change for Ansible's diff, without secrets."""
        return {
            "before": _shown(self.before, beside=self.after),
            "after": _shown(self.after, beside=self.before),
        }


def _identity(credential: Credential | None) -> tuple[str, Connection, Connection | None] | None:
    """Return what a user declares of a credential, without dates and versions."""
    return None if credential is None else (credential.name, credential.connection, credential.standby)


def _shown(credential: Credential | None, *, beside: Credential | None) -> PublicFields:
    """Return one side of a diff, in which a changed secret shows only as that of its version."""
    if credential is None:
        return {}
    shown = {"name": credential.name, **_public(credential.connection)}
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
