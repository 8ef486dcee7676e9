# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a credential on the controller, have the managed host log in with it, and say what came out of it."""

from __future__ import annotations

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
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import store_from
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task, of_this_run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import LOGIN, connection_from
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

    def backend(self, options: Mapping[str, Any], run: Task) -> dict[str, Any]:
        """Check one credential from one host."""
        if run.check_mode:
            return skipped("no login is made in check mode")
        connection, worked = _connection(options, run)
        of_controller = {**options, "source_address": None}
        seen: dict[str, Any] = {"address": None, "local_address": None}
        tries, tried = LoginAttempts(run.folder), False

        def attempt() -> Verification:
            nonlocal tried
            tried = True
            try:
                if tries.outcome(connection) is None:  # nobody has been let in yet
                    require_attempts_left(connection, of_controller, run)
            except LoginError as exc:
                return Verification(result="failed", cause=exc.cause, detail=str(exc))
            found = self._on_host(connection, run)
            seen.update({name: found[name] for name in (*seen, "ansible_facts") if name in found})
            return self._explained(Verification(**found["verification"]), connection, of_controller, run, worked, seen)

        outcome = tries.once(connection, attempt)
        again = "" if tried else "; refused before in this run, so not tried again: wrong tries lock the user out"
        return {**told(str(outcome.cause), outcome.detail + again), **seen}

    def _explained(
        self,
        outcome: Verification,
        connection: Connection,
        options: Mapping[str, Any],
        run: Task,
        worked: str | None,
        seen: dict[str, Any],
    ) -> Verification:
        if outcome.result == "ok":
            return outcome
        refusal = Explanation(str(outcome.cause), outcome.detail, seen["local_address"])
        cause, detail, seen["address"] = explain(refusal, connection, options, run, worked=worked)
        return Verification(result="failed", cause=cause, detail=detail)

    def _on_host(self, connection: Connection, run: Task) -> dict[str, Any]:
        """What the module found on the host."""
        arguments = {name: getattr(connection, name) for name in LOGIN if name not in REPLACED}
        arguments["allowed_hosts"] = list(connection.allowed_hosts)
        arguments["ca_path"] = _authorities(connection)
        arguments["private_key"] = _assertion(connection)
        return self.on_host(arguments, run, answer="verification")


def _connection(options: Mapping[str, Any], run: Task) -> tuple[Connection, str | None]:
    """The connection to check, and when its password last passed a login."""
    worked = None
    connection = connection_from(options)
    if options.get("credential"):
        stored = store_from(options).read(options["credential"])
        # When the user on standby was let in the last time is not known.
        used, worked = (standby_connection(stored), None) if options["standby"] else (stored, stored.verified)
        connection = of_this_run(used.connection, options)
    elif options["standby"]:
        raise OptionError("standby", "is for a stored credential, whose name is missing")
    run.hide(connection)
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
