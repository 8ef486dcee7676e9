# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read whose logins the store has."""

from __future__ import annotations

from typing import NamedTuple

from ..credentials.serialisation import refuse_malformed
from ..errors import CredentialNotFoundError, DamagedRecordError
from ..store.base import PublicStore


class StoredUser(NamedTuple):
    """A user of a stored credential."""

    credential: str
    username: str
    has_token: bool


def stored_users(store: PublicStore, names: list[str] | None) -> tuple[list[StoredUser], list[str]]:
    """Return the users of stored credentials, and why some credentials cannot be read; one may not be there.

    Args:
        names: of the credentials; None for all.
    """
    users, problems = list[StoredUser](), list[str]()
    for name in names if names is not None else store.names():
        try:
            with refuse_malformed(name):
                fields = store.read_public(name)
                has_token = "security_token" in fields["secrets"]
        except CredentialNotFoundError:
            continue
        except DamagedRecordError as exc:
            problems.append(str(exc))
        else:
            found = (fields.get("username"), fields.get("standby"))
            users += [StoredUser(name, user, has_token) for user in found if isinstance(user, str) and user]
    return users, problems
