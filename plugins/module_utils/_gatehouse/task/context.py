# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind modules and action plugins alike: options in, result out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..auth.connection import Connection
from ..errors import GatehouseError
from ..org.client import Org
from ..org.sessions import Cipher, SessionCache, new_run_cipher
from ..store import store_from
from ..store.base import Store
from .options import connection_from

try:
    # Made when the first plugin is imported, so that the forks of a run share it and nothing of it outlives the run.
    RUN_CIPHER: Cipher | None = new_run_cipher()
except NameError:  # cryptography is missing, which is told when a task needs it
    RUN_CIPHER = None


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task knows of the run that it is in.

    Attributes:
        check_mode: nothing may be changed.
        folder: where sessions of inline credentials are kept; removed with the run.
        secrets: what the task has learned and must not tell.
    """

    check_mode: bool
    folder: Path
    secrets: list[str] = dataclasses.field(default_factory=list, repr=False)

    def hide(self, connection: Connection) -> None:
        """Have nothing told of what a connection keeps secret."""
        self.secrets.extend([*connection.secrets.values(), connection.login_password])


def open_org(options: Mapping[str, Any], run: Task) -> Org:
    """The org that the options name, by a stored credential or inline."""
    if not options.get("credential"):
        if RUN_CIPHER is None:
            raise GatehouseError(
                "the Python package cryptography is needed on the controller: pip install cryptography"
            )
        return Org(connection_from(options), SessionCache(run.folder / "sessions", RUN_CIPHER, run.folder))
    store = store_from(options)
    connection = store.read(options["credential"]).connection
    run.hide(connection)
    return Org(of_this_run(connection, options), kept_sessions(store, run))


def open_asker(options: Mapping[str, Any], run: Task, connection: Connection) -> Org | None:
    """The org as the user of O(diagnose_with) sees it, to look into a login of a connection; None without one.

    The very user whose login it is would need another login, as wrong as the first, or wait for itself.
    """
    name = options.get("diagnose_with")
    if not name or store_from(options).read(name).connection.username == connection.username:
        return None
    return open_org({**options, "credential": name}, run)


def kept_sessions(store: Store, run: Task) -> SessionCache:
    """The sessions of stored credentials, which outlast the run."""
    return SessionCache(store.folder / ".sessions", store.fernet, run.folder)


def of_this_run(connection: Connection, options: Mapping[str, Any]) -> Connection:
    """A stored connection with what belongs to the run, not to the credential."""
    return dataclasses.replace(connection, timeout=options["timeout"], source_address=options.get("source_address"))
