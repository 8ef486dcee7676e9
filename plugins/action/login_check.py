# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a credential on the controller, log in with it from the managed host, and diagnose a refusal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import LOGGED_IN, Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    Connection,
    is_host,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.protocol import (
    Refused,
    UnreadableAnswer,
    org_id_of,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.refusals import login_error
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.signing import sign_assertion
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.login_check import (
    OUTCOME,
    PAYLOAD,
    SPEC,
    secrets_in,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    standby_connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    LoginError,
    LoginUnansweredError,
    OptionError,
    OrgError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.libraries import require_libraries
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import register
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import (
    Task,
    require_authorities,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.options import LOGIN
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.diagnosis import (
    diagnose,
    has_refused_login,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification.lockout import (
    require_attempts_left,
)
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import HostAction

# Without the comments between them, which may hold anything.
PEM = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
INTERPRETER = "discovered_interpreter_python"
NOT_STARTED = (126, 127)  # what a shell answers where there is no such Python


class ActionModule(HostAction):
    """See the module of the same name."""

    _supports_diff = False
    spec = SPEC

    def backend(self, options: Mapping[str, Any], task: Task) -> dict[str, Any]:
        """Check one credential from one host."""
        if task.check_mode:
            return _skipped("no login is made in check mode")
        connection, last_success = _connection(options, task)
        task = dataclasses.replace(task, source_address=None)  # an address of the host, not of the controller
        self._require_stdin()
        given = _payload(connection)
        payload = json.dumps(given)
        register(payload, *secrets_in(given))
        notes: dict[str, Any] = {}
        try:
            if not task.attempts.has_succeeded(connection):
                require_attempts_left(connection, lambda: task.administrator(connection))
            _confirm(connection, task)
            verification = task.attempts.run_once(
                connection,
                lambda: self._log_in_on_host(connection, payload, task, notes),
                place=self._host,
                confirm=lambda: has_refused_login(connection, task.administrator),
            )
        except LoginError as exc:
            notes.update(_reported(exc))
            error = diagnose(exc, connection, task.administrator, task.secrets, last_success=last_success)
            return {**_result(_failed(error)), **notes}
        except OrgError as exc:
            return {**_result(_failed(exc)), **notes, **_reported(exc)}
        except GatehouseError as exc:
            cause = exc.__cause__
            if isinstance(cause, AnsibleConnectionFailure):
                raise AnsibleConnectionFailure(str(cause)) from None
            raise
        return {**_result(verification), **notes}

    @property
    def _host(self) -> str:
        return str(self._task.delegate_to or self._task_vars["inventory_hostname"])

    def _log_in_on_host(self, connection: Connection, payload: str, task: Task, notes: dict[str, Any]) -> Verification:
        """Log in once from the host; raises LoginUnansweredError where it does not say what became of it."""
        try:
            answer = self.on_host({PAYLOAD: payload}, task, answer=OUTCOME)
        except AnsibleConnectionFailure as exc:
            raise GatehouseError("the host is unreachable, so nothing was sent") from exc
        except GatehouseError as exc:
            if exc.result.get("rc") in NOT_STARTED:
                raise
            raise LoginUnansweredError(f"{exc}. Whether a login was made is not known") from exc
        notes.update(_interpreter(answer))
        verification = _read_answer(connection, answer)
        notes["org"] = org_of_answer(connection, answer)
        return verification


def _confirm(connection: Connection, task: Task) -> None:
    """Log in from here with secrets that a host of an earlier run reported as refused, so that it is known.

    If the org refuses them here too, the host is not asked; with any other answer it is.
    """
    if task.attempts.was_reported(connection) and not task.attempts.has_succeeded(connection):
        here = dataclasses.replace(connection, source_address=None)
        with contextlib.suppress(OrgError):
            task.attempts.run_once(here, lambda: login(here))


def _reported(error: OrgError) -> dict[str, Any]:
    return {"reported_by": error.reported_by} if error.reported_by else {}


def _read_answer(connection: Connection, answer: Mapping[str, Any]) -> Verification:
    """Return the verification in a host's answer, whose word is not trusted.

    Raises:
        LoginError: the org refused the login.
        LoginUnansweredError: what became of the login is not known.
        OrgError: nothing was sent.
    """
    outcome = answer.get(OUTCOME)
    address, local_address, code, text, message, cause = (
        value if isinstance(value := answer.get(name), str) else ""
        for name in ("address", "local_address", "code", "text", "msg", "cause")
    )
    contradicts = outcome == "accepted" and (answer.get("failed") or answer.get("unreachable"))
    if outcome == "accepted" and not contradicts:
        return dataclasses.replace(LOGGED_IN, address=address or None, local_address=local_address or None)
    error: OrgError
    cause = cause if cause in ("unreachable", "tls_untrusted") else "unreachable"
    if outcome == "not_sent":
        error = OrgError(message, cause=cause)
    else:
        unknown = "the host does not say what became of the login"
        error = LoginUnansweredError(unknown if contradicts else message or unknown, cause=cause)
    if outcome == "refused":
        with contextlib.suppress(UnreadableAnswer):
            error = login_error(connection, Refused(code, text))
    error.local_address = local_address or None
    raise error


def org_of_answer(connection: Connection, answer: Mapping[str, Any]) -> dict[str, str | None]:
    """Return which org it was, as the host says it in a form that an org's id and host can have."""
    org_id, host = (value if isinstance(value := answer.get(name), str) else "" for name in ("org_id", "org_host"))
    org: dict[str, str | None] = {"id": None, "host": None, "user": connection.username}
    with contextlib.suppress(OptionError):
        connection.require_allowed(f"https://{host}", option="instance_url")
        if is_host(host):
            org |= {"id": org_id_of(f"{org_id}!"), "host": host}
    return org


def _failed(error: OrgError) -> Verification:
    """Return the verification that a failed login comes to."""
    return Verification("failed", error.cause, str(error), error.address, error.local_address)


def _result(verification: Verification) -> dict[str, Any]:
    """Return the result of the task, which fails when the login does."""
    failure = {} if verification.result == "ok" else {"failed": True, "msg": verification.detail}
    places = {"address": verification.address, "local_address": verification.local_address}
    return {"changed": False, "verification": verification.to_dict(), **places, **failure}


def _skipped(why: str) -> dict[str, Any]:
    """Return the result of the task when no login was made."""
    verification = {"result": "skipped", "cause": None, "detail": why}
    return {"skipped": True, "msg": why, "verification": verification, "address": None, "local_address": None}


def _interpreter(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the only fact that a host may set here: which of its Pythons Ansible has found."""
    facts = answer.get("ansible_facts")
    python = facts.get(INTERPRETER) if isinstance(facts, Mapping) else None
    return {"ansible_facts": {INTERPRETER: python}} if isinstance(python, str) else {}


def _payload(connection: Connection) -> dict[str, Any]:
    """Return what the host needs for one login: certificates and an assertion, no file and no key of the controller."""
    fields = {name: getattr(connection, name) for name in LOGIN if name not in ("ca_path", "private_key")}
    return {"connection": fields, "assertion": _assertion(connection), "authorities": _authorities(connection)}


def _connection(options: Mapping[str, Any], task: Task) -> tuple[Connection, str | None]:
    """Return the connection to check, and when its password last passed a login."""
    last_success = None
    connection = task.connection
    if task.credential:
        stored = task.read_stored(task.credential, option="credential")
        # When the user on standby last logged in is not known.
        used, last_success = (standby_connection(stored), None) if options["standby"] else (stored, stored.verified)
        connection = task.with_limits(used.connection)
        used.require_same_org(task.login_url)
        require_authorities(used)
    else:
        task.require_login()
    if options["standby"] and not task.credential:
        raise OptionError("standby", "is for a stored credential, whose name is missing")
    task.secrets.add(*connection.secret_texts)
    if connection.auth == "refresh_token":
        connection = _over_session(connection, task)
    return connection.checked(), last_success


def _over_session(connection: Connection, task: Task) -> Connection:
    """Return the login by a session that is opened here: on a host, a new refresh token could not be kept."""
    session = task.org().session()
    task.secrets.add(session.access_token)
    return dataclasses.replace(
        connection,
        auth="session",
        access_token=session.access_token,
        instance_url=session.instance_url,
        refresh_token=None,
        consumer_secret=None,
    )


def _authorities(connection: Connection) -> str | None:
    """Return the certificates in ca_path, which is a file of the controller."""
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
    """Return what jwt_bearer sends, signed here so that the private key stays here."""
    if connection.auth != "jwt_bearer":
        return None
    require_libraries()
    return sign_assertion(connection)
