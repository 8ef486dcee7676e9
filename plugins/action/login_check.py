# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a credential on the controller, have the managed host log in with it, and say what came out of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.login_check import (
    REPLACED,
    SPEC,
    skipped,
    told,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    standby_connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import LoginError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.libraries import require_libraries
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import signed_assertion
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import LOGIN
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.diagnosis import (
    Explanation,
    explain,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.lockout import (
    require_attempts_left,
)
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import HostAction

# Without the comments between them, which may hold anything.
PEM = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class ActionModule(HostAction):
    """See the module of the same name."""

    _supports_diff = False
    spec = SPEC

    def backend(self, options: Mapping[str, Any], task: Task) -> dict[str, Any]:
        """Check one credential from one host."""
        if task.check_mode:
            return skipped("no login is made in check mode")
        connection, worked = _connection(options, task)
        task = dataclasses.replace(task, source_address=None)
        seen: dict[str, Any] = {"address": None, "local_address": None}
        tries, tried = LoginAttempts(task.folder), False

        def attempt() -> Verification:
            nonlocal tried
            tried = True
            try:
                if tries.outcome(connection) is None:  # nobody has been let in yet
                    require_attempts_left(connection, lambda: task.administrator(connection))
            except LoginError as exc:
                return Verification(result="failed", cause=exc.cause, detail=str(exc))
            found = self._on_host(connection, task)
            seen.update({name: found[name] for name in (*seen, "ansible_facts") if name in found})
            return self._explained(Verification(**found["verification"]), connection, task, worked, seen)

        outcome = tries.once(connection, attempt)
        again = "" if tried else "; refused before in this run, so not tried again: wrong tries lock the user out"
        return {**told(str(outcome.cause), outcome.detail + again), **seen}

    def _explained(
        self,
        outcome: Verification,
        connection: Connection,
        task: Task,
        worked: str | None,
        seen: dict[str, Any],
    ) -> Verification:
        if outcome.result == "ok":
            return outcome
        refusal = Explanation(str(outcome.cause), outcome.detail, seen["local_address"])
        cause, detail, seen["address"] = explain(refusal, connection, task.administrator, task.secrets, worked=worked)
        return Verification(result="failed", cause=cause, detail=detail)

    def _on_host(self, connection: Connection, task: Task) -> dict[str, Any]:
        """What the module found on the host."""
        arguments = {name: getattr(connection, name) for name in LOGIN if name not in REPLACED}
        arguments["allowed_hosts"] = list(connection.allowed_hosts)
        arguments["ca_path"] = _authorities(connection)
        arguments["private_key"] = _assertion(connection)
        return self.on_host(arguments, task, answer="verification")


def _connection(options: Mapping[str, Any], task: Task) -> tuple[Connection, str | None]:
    """The connection to check, and when its password last passed a login."""
    worked = None
    connection = task.connection
    if task.credential:
        stored = task.store.read(task.credential)
        # When the user on standby was let in the last time is not known.
        used, worked = (standby_connection(stored), None) if options["standby"] else (stored, stored.verified)
        connection = task.with_limits(used.connection)
        task.require_same_org(task.credential, connection)
    elif options["standby"]:
        raise OptionError("standby", "is for a stored credential, whose name is missing")
    task.secrets.add(*connection.secret_texts)
    return connection.checked(), worked


def _authorities(connection: Connection) -> str | None:
    """The certificates in ca_path, which is a file of the controller."""
    if connection.ca_path is None:
        return None
    try:
        certificates = PEM.findall(Path(connection.ca_path).expanduser().read_text(errors="replace"))
    except OSError:
        raise OptionError("ca_path", f"{connection.ca_path} is not a readable file") from None
    if not certificates:
        raise OptionError("ca_path", f"{connection.ca_path} holds no certificates in PEM form")
    return "\n".join(certificates)


def _assertion(connection: Connection) -> str | None:
    """What jwt_bearer sends, signed here so that the private key stays here."""
    if connection.auth != "jwt_bearer":
        return None
    require_libraries()
    return signed_assertion(connection)
