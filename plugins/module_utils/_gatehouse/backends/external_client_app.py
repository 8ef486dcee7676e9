# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module external_client_app."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..auth.connection import Connection
from ..auth.private_key import canonical_key, key_text
from ..errors import GatehouseError, OptionError
from ..oauth_app.apply import AppWriter
from ..oauth_app.certificate import WARN_BEFORE, Certificate, read_certificate
from ..oauth_app.consumer_secret import SecretReader
from ..oauth_app.ensure import AppOutcome, ensure_absent, ensure_disabled, ensure_present
from ..oauth_app.model import FLOWS, IP_RELAXATION, SCOPES, App, DeclaredApp
from ..oauth_app.moves import NEW
from ..oauth_app.plan import AppPlan
from ..org.client import Org
from ..org.deploy import Progress
from ..store import read_or_none
from ..task.context import Task
from ..task.options import CONNECTION, Spec
from ..text import NOT_XML_CHAR
from ..verification.verify import Verifier
from .credential import Outcome
from .credential import ensure_present as ensure_credential

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "disabled", "absent"], "default": "present"},
    "label": {"type": "str"},
    "contact_email": {"type": "str"},
    "description": {"type": "str"},
    "flows": {"type": "list", "elements": "str", "choices": list(FLOWS), "default": ["jwt_bearer"]},
    "certificate": {"type": "str"},
    "certificate_key": {"type": "str", "no_log": True},
    "scopes": {"type": "list", "elements": "str", "choices": list(SCOPES), "default": list(SCOPES)},
    "ip_relaxation": {"type": "str", "choices": list(IP_RELAXATION), "default": "enforce"},
    "permission_set": {"type": "str"},
    "users": {"type": "list", "elements": "str", "default": []},
    "run_as": {"type": "str"},
    "adopt": {"type": "bool", "default": False},
    "store_as": {"type": "str"},
    "wait": {"type": "int", "default": 600},
    **CONNECTION,
}
_CONTROL = re.compile(rf"[\r\x7f-\x9f]|{NOT_XML_CHAR.pattern}")
_API_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The module's own options, checked.

    Attributes:
        login: what the app logs in with, as far as that is known before it is made; None if it is not to be stored.
        has_key: whether the task has the key of the certificate.
    """

    name: str
    state: str
    permission_set: str
    declared: DeclaredApp | None
    adopt: bool
    store_as: str | None
    login: Connection | None
    has_key: bool
    wait: int


def run(options: Mapping[str, Any], task: Task, progress: Progress = lambda _line: None) -> dict[str, Any]:
    """Make an org's External Client App be as declared; progress gets a line now and then."""
    parsed = _parse(options, task)
    _require_same_login(parsed, task)
    org = task.org()
    writer = AppWriter(org, seconds=parsed.wait, progress=progress)
    reader = _secret_reader(org, task, parsed, progress)
    if reader and not task.check_mode:
        reader.restore()
    outcome = _ensure(writer, parsed, task)
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "diff": outcome.diff,
        "consumer_key": outcome.app.consumer_key,
        "login_url": org.with_session(lambda _transport, session, _version: session.instance_url),
        "app": outcome.app.summary(),
        "warnings": [*_warnings(parsed), *writer.warnings],
    }
    if parsed.state != "present":
        return result
    try:
        if not task.check_mode and outcome.app.consumer_key:
            writer.wait_until_known(outcome.app.consumer_key)
        if parsed.store_as and parsed.login:
            login = dataclasses.replace(
                parsed.login, login_url=result["login_url"], consumer_key=outcome.app.consumer_key
            )
            stored = _store(parsed.store_as, login, outcome.app, task, writer, reader)
            result |= {"changed": outcome.changed or stored["changed"], "credential": stored["credential"]}
    except GatehouseError as exc:
        exc.result = {**exc.result, **{name: result[name] for name in ("changed", "consumer_key", "login_url", "app")}}
        exc.result["done"] = writer.done
        raise
    return result


def _parse(options: Mapping[str, Any], task: Task) -> Options:
    name = options["name"]
    permission_set = options["permission_set"] or name
    for option, value in (("name", name), ("permission_set", permission_set)):
        if not _API_NAME.fullmatch(value):
            raise OptionError(
                option, f"{value!r} is not an API name: letters, digits and single underscores, a letter first"
            )
    for option in ("label", "contact_email", "description"):
        if _CONTROL.search(options[option] or ""):
            raise OptionError(option, "holds a control character, which XML cannot carry as it is; remove it")
    if options["wait"] < 0:
        raise OptionError("wait", "must not be negative")
    present = options["state"] == "present"
    store_as = options["store_as"] if present else None
    key = _key(options, task)
    return Options(
        name=name,
        state=options["state"],
        permission_set=permission_set,
        declared=_declared(options, permission_set, key) if present else None,
        adopt=options["adopt"],
        store_as=store_as,
        login=_login(options, key) if store_as else None,
        has_key=bool(options["certificate_key"]),
        wait=options["wait"],
    )


def _declared(options: Mapping[str, Any], permission_set: str, key: str | None) -> DeclaredApp:
    return DeclaredApp(
        name=options["name"],
        label=options["label"],
        contact_email=options["contact_email"],
        description=options["description"],
        flows=tuple(flow for flow in FLOWS if flow in options["flows"]),
        certificate=_certificate(options, key),
        scopes=tuple(scope for scope in SCOPES if scope in options["scopes"]),
        ip_relaxation=options["ip_relaxation"],
        permission_set=permission_set,
        users=tuple(options["users"]),
        run_as=options["run_as"],
    )


def _key(options: Mapping[str, Any], task: Task) -> str | None:
    """Return the private key; None without one, and in check mode for a file that login_key would have made."""
    given = options["certificate_key"]
    if not given:
        return None
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        file = Path(given).expanduser()
        if task.check_mode and file.is_absolute() and not file.exists():
            return None
    try:
        key = key_text(given)
    except OptionError as exc:
        raise OptionError("certificate_key", exc.problem) from None
    task.secrets.add(key)
    return key


def _certificate(options: Mapping[str, Any], key: str | None) -> Certificate | None:
    if not options["certificate"]:
        if options["certificate_key"]:
            raise OptionError("certificate", "must be given together with certificate_key")
        return None
    return read_certificate(options["certificate"], key=key, now=datetime.datetime.now(datetime.UTC))


def _login(options: Mapping[str, Any], key: str | None) -> Connection:
    """Return the login to store, without what only the org knows; raises OptionError if it is not clear which."""
    users = options["users"]
    if "client_credentials" in options["flows"]:
        return Connection(auth="client_credentials", username=options["run_as"])
    if options["certificate_key"] and len(users) == 1:
        return Connection(auth="jwt_bearer", username=users[0], private_key=canonical_key(key) if key else None)
    raise OptionError("store_as", "needs client_credentials among the flows, or certificate_key and one of users")


def _require_same_login(options: Options, task: Task) -> None:
    """Raise OptionError where O(store_as) names a credential of another user or flow, which would be lost."""
    before = read_or_none(task.store, options.store_as) if options.store_as else None
    if not before or not options.login:
        return
    stored, new = before.connection, options.login
    of_another = stored.username and stored.username.lower() != (new.username or "").lower()
    if stored.auth != new.auth or of_another:
        raise OptionError(
            "store_as",
            f"{before.name} is stored already: it logs in by {stored.auth} as {stored.username}, not by {new.auth} as "
            f"{new.username}. Choose another name, or remove it first",
        )


def _ensure(writer: AppWriter, options: Options, task: Task) -> AppOutcome:
    if options.declared:
        return ensure_present(
            writer,
            options.declared,
            adopt=options.adopt,
            check_mode=task.check_mode,
            require_allowed=lambda plan: _require_no_other(plan, options, task),
        )
    ensure = ensure_disabled if options.state == "disabled" else ensure_absent
    return ensure(writer, options.name, options.permission_set, adopt=options.adopt, check_mode=task.check_mode)


def _require_no_other(plan: AppPlan, options: Options, task: Task) -> None:
    """Raise OptionError where the app is taken from another stored credential that logs in by it."""
    key = plan.before.consumer_key
    if not key or not (options.store_as or options.has_key):
        return
    store = task.public_store
    ended = [
        one["name"]
        for one in map(store.read_public, store.names())
        if one["consumer_key"] == key
        and options.store_as not in (one["name"], NEW.format(one["name"]))
        and plan.ends_login(one["auth"], one["username"])
    ]
    if ended:
        raise OptionError(
            "name",
            f"the app {options.name} is the one that {', '.join(ended)} logs in by, which this would end. Choose "
            "another app; oauth_key renews the key of an app for all that log in by it",
        )


def _warnings(options: Options) -> list[str]:
    declared, warnings = options.declared, []
    if declared and "jwt_bearer" in declared.flows and "refresh_token" not in declared.scopes:
        warnings.append("scopes: orgs are reported to refuse jwt_bearer to an app without the scope refresh_token")
    if declared and declared.certificate:
        expires = declared.certificate.expires
        if expires - datetime.datetime.now(datetime.UTC) < WARN_BEFORE:
            warnings.append(f"certificate: expires at {expires:%Y-%m-%dT%H:%M:%SZ}; make another key and certificate")
    return warnings


# -- the consumer secret -----------------------------------------------------------------------------------------------


def _secret_reader(org: Org, task: Task, options: Options, progress: Progress) -> SecretReader | None:
    """Return what reads consumer secrets; None where no run can have kept its journal."""
    needed = options.login is not None and options.login.auth == "client_credentials"
    folder = None
    try:
        folder = task.public_store.local_folder
    except GatehouseError:
        if needed:
            raise
    if folder is None:
        if needed:
            raise OptionError("store", "nothing can be written on this machine beside it, where a journal is needed")
        return None
    return SecretReader(org, folder, seconds=options.wait, progress=progress)


def _store(
    name: str, login: Connection, app: App, task: Task, writer: AppWriter, reader: SecretReader | None
) -> dict[str, Any]:
    """Make the store hold the app's login, verified once the org has taken the app over.

    A secret is read from the org only when the store does not have it.
    """
    before = read_or_none(task.store, name)
    stored = before.connection if before else Connection()
    known = (stored.auth, stored.consumer_key) == (login.auth, login.consumer_key) and bool(stored.secrets)
    made = login.auth == "client_credentials" or login.private_key
    if not login.consumer_key or (task.check_mode and not (known and made)):
        return {"changed": True, "credential": None}
    secret = None
    if login.auth == "client_credentials" and not known and reader is not None:  # there is one wherever it is stored
        secret = reader.read(app.name, login.consumer_key)
        task.secrets.add(secret)
    own = task.store.read(task.credential).connection if task.credential else task.connection
    wanted = dataclasses.replace(
        task.with_limits(login),
        consumer_secret=secret,
        api_version=own.api_version,
        ca_path=own.ca_path,
        allowed_hosts=own.allowed_hosts,
    )
    verifier = Verifier(task.sessions, task.administrator, task.secrets, log_in=writer.log_in)
    written: Outcome = ensure_credential(
        task.store,
        name,
        wanted,
        verify="require",
        check_mode=task.check_mode,
        login=lambda connection: verifier.login(connection, retry_refused=True),
    )
    return {"changed": written.changed, "credential": written.credential}
