# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one task has: its options, parsed once, and what they open."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..auth.attempts import LoginAttempts
from ..auth.connection import Connection
from ..auth.private_key import key_text
from ..credentials.credential import Credential
from ..errors import CredentialNotFoundError, GatehouseError, OptionError, SkippedError
from ..masking import Secrets
from ..org.client import Org
from ..org.sessions import Cipher, SessionCache, new_run_cipher
from ..progress import NO_PROGRESS, Progress
from ..store import PublicStore, Store, StoreOptions
from ..store.foreseen import ForeseenStore, foreseen_folder
from .declarations import Declarations
from .options import VARIABLE_PREFIX, WHO_LOGS_IN, connection_from, secrets_of
from .refresh import open_org

try:
    # Made when the first plugin is imported, so that the forks of a run share it and nothing of it outlives the run.
    RUN_CIPHER: Cipher | None = new_run_cipher()
except NameError:  # cryptography is missing, which is reported when a task needs it
    RUN_CIPHER = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a run.

    Attributes:
        check_mode: nothing may be changed.
        folder: what the run keeps for its tasks, such as sessions of inline credentials; removed with the run.
        secrets: what the task knows and must not print.
        credential: the stored credential that the task logs in with, by name.
        connection: the login that the options describe inline; not checked, as a stored one may supply the rest.
        login_url: where the host or task says that the org is; None when they do not say.
        diagnose_with: an administrator's stored credential, by name.
        timeout: seconds without a response before a request is given up.
        source_address: the local address to connect from.
        host: the inventory's host whose task it is.
        progress: shows a person what is waited for.
        opened: the orgs that the task was about; an administrator's view of one is not among them.
    """

    check_mode: bool
    folder: Path
    store_options: StoreOptions = dataclasses.field(default_factory=StoreOptions)
    secrets: Secrets = dataclasses.field(default_factory=Secrets, repr=False)
    credential: str | None = None
    connection: Connection = dataclasses.field(default_factory=Connection)
    login_url: str | None = None
    diagnose_with: str | None = None
    timeout: float = 30.0
    source_address: str | None = None
    host: str = "localhost"
    progress: Progress = NO_PROGRESS
    opened: list[Org] = dataclasses.field(default_factory=list, repr=False)

    @classmethod
    def read(
        cls,
        options: Mapping[str, Any],
        *,
        check_mode: bool,
        folder: Path,
        login_url: str | None = None,
        host: str = "localhost",
        progress: Progress = NO_PROGRESS,
    ) -> Task:
        """Read a task's validated options, which may lack what its module does not have; raises OptionError."""
        return cls(
            check_mode=check_mode,
            folder=folder,
            store_options=StoreOptions.read(options.get) if "store" in options else StoreOptions(),
            secrets=Secrets(secrets_of(options)),
            credential=options.get("credential"),
            connection=_inline_login(options) if "auth" in options else Connection(),
            login_url=login_url,
            host=host,
            progress=progress,
            diagnose_with=options.get("diagnose_with"),
            timeout=30.0 if options.get("timeout") is None else options["timeout"],
            source_address=options.get("source_address"),
        )

    @cached_property
    def store(self) -> Store:
        """The store, opened; raises OptionError when it or its keys cannot be used.

        In check mode it has what the run would have written so far.
        """
        return ForeseenStore.open(self.store_options, self.folder) if self.check_mode else self.store_options.open()

    @property
    def public_store(self) -> PublicStore:
        """The store for what may be read without keys; raises OptionError when it cannot be used."""
        if self.check_mode and foreseen_folder(self.store_options, self.folder).exists():
            return self.store
        return self.store_options.open_without_keys()

    @cached_property
    def sessions(self) -> SessionCache:
        """The sessions of stored credentials, which outlast the run."""
        return SessionCache((self.store.local_folder or self.folder) / ".sessions", self.store.fernet, self.attempts)

    @cached_property
    def attempts(self) -> LoginAttempts:
        """The logins of this run, and the secrets that earlier runs found to be wrong."""
        store_folder = None
        with contextlib.suppress(GatehouseError):  # an inline login needs no store that can be used
            store_folder = self.store_options.open_without_keys().local_folder
        return LoginAttempts(self.folder, store_folder)

    def org(self) -> Org:
        """Return the task's org, by the stored credential or the inline login; raises OptionError."""
        org = self.org_of(self.credential) if self.credential else self._org_inline()
        self.opened.append(org)
        return org

    def require_login(self) -> None:
        """Raise OptionError where neither options nor variables say who logs in."""
        if not self.credential and not any(getattr(self.connection, name) for name in WHO_LOGS_IN if name != "auth"):
            raise OptionError(
                "credential",
                "is required, or username and password and what else a login of its own needs; each may be a variable, "
                f"such as {VARIABLE_PREFIX}credential",
            )

    def _org_inline(self) -> Org:
        self.require_login()
        if self.connection.auth == "refresh_token":
            raise OptionError(
                "auth",
                "refresh_token is for stored credentials, as an org may give a new refresh token with each session, "
                "which must be kept; store it by the module credential, and name it in credential",
            )
        if RUN_CIPHER is None:
            raise GatehouseError(
                "the Python package cryptography is needed on the controller: pip install cryptography"
            )
        return Org(self.connection, SessionCache(self.folder / "sessions", RUN_CIPHER, self.attempts))

    def org_of(self, credential: str) -> Org:
        """Return the org of a stored credential; raises OptionError or StoreError."""
        stored = self.read_stored(credential, option="credential")
        self.require_stored(credential)
        self.secrets.add(*stored.connection.secret_texts)
        stored.require_same_org(self.login_url)
        require_authorities(stored)
        return self.open_org(stored)

    def open_org(self, stored: Credential) -> Org:
        """Return the org of a stored credential, by the task's limits."""
        return open_org(self.store, stored, self.sessions, self.with_limits)

    def require_stored(self, credential: str) -> None:
        """Raise SkippedError where check mode has not stored what is to log in: no login is made, old or new."""
        if self.store.is_foreseen(credential):
            raise SkippedError(
                f"credential {credential!r} is new or changed by this run, and check mode neither stores it nor logs "
                "in with it, so what it is used for in the org was skipped. Store it first, for example by the tag "
                "credentials of the playbook, to see the rest of the plan"
            )

    def require_one_declaration(self, name: str, declared: Mapping[str, Any]) -> None:
        """Raise OptionError where another host of the run declares this stored name differently."""
        if RUN_CIPHER is not None:
            declarations = Declarations(self.folder / "declared", RUN_CIPHER)
            declarations.add(name, declared, store=self.store_options.resolved, host=self.host)

    def administrator(self, of: Connection) -> Org | None:
        """Return the org as O(diagnose_with) sees it, to investigate a login of another user; None without one.

        The user whose login it is would need another login, as wrong as the first, or wait for itself.
        """
        if not self.diagnose_with or self.store.read(self.diagnose_with).connection.username == of.username:
            return None
        return self.org_of(self.diagnose_with)

    def read_stored(self, name: str, *, option: str) -> Credential:
        """Read the credential that an option names; raises OptionError where the store has none of that name."""
        try:
            return self.store.read(name)
        except CredentialNotFoundError as exc:
            raise OptionError(option, f"{exc}. No login was made") from None

    def require_administrator(self, declared: str | None) -> None:
        """Raise OptionError where the store lacks O(diagnose_with), which would else show after a refused login.

        Args:
            declared: the credential that the task itself is to store.
        """
        if self.diagnose_with and self.diagnose_with != declared:
            self.read_stored(self.diagnose_with, option="diagnose_with")

    def with_limits(self, connection: Connection) -> Connection:
        """Return a stored connection with what belongs to the task, not to the credential."""
        return dataclasses.replace(connection, timeout=self.timeout, source_address=self.source_address)


def require_authorities(stored: Credential) -> None:
    """Raise OptionError where the authorities that a stored credential trusts cannot be read."""
    file = stored.connection.ca_path
    if file and not os.access(file, os.R_OK):
        raise OptionError(
            "credential",
            f"{stored.name!r} is stored with ca_path {file}, which is not a readable file here; store it again",
        )


def _inline_login(options: Mapping[str, Any]) -> Connection:
    """Return the login that options describe, with the key itself and the absolute ca_path, as it may be stored."""
    connection = connection_from(options)
    key, file = connection.private_key, connection.ca_path
    return dataclasses.replace(
        connection, private_key=key and key_text(key), ca_path=file and str(Path(file).expanduser().absolute())
    )
