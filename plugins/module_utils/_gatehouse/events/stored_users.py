# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read whose logins the store has."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ..errors import CredentialNotFoundError
from ..store.base import PublicStore


class StoredUser(NamedTuple):
    """A user of a stored credential."""

    credential: str
    username: str
    has_token: bool


def stored_users(store: PublicStore, names: list[str] | None) -> list[StoredUser]:
    """Return the users of stored credentials; nothing of a credential that is not there.

    Args:
        names: of the credentials; None for all.
    """
    users = []
    for name in names if names is not None else store.names():
        with contextlib.suppress(CredentialNotFoundError):
            fields = store.read_public(name)
            has_token = "security_token" in fields["secrets"]
            for username in (fields.get("username"), fields.get("standby")):
                if username:
                    users.append(StoredUser(name, str(username), has_token))
    return users
