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
from ..credentials.credential import Credential
from ..credentials.serialisation import to_public
from ..errors import GatehouseError, OptionError
from ..oauth_app.apply import AppWriter
from ..oauth_app.certificate import (
    CLOCK_SKEW,
    MAX_COMMON_NAME,
    VALID_DAYS,
    WARN_BEFORE,
    Certificate,
    make_key,
    read_certificate,
    self_sign,
)
from ..oauth_app.consumer_secret import SecretReader
from ..oauth_app.ensure import AppOutcome, ensure_present, ensure_unusable
from ..oauth_app.model import FLOWS, IP_RELAXATION, SCOPES, App, DeclaredApp
from ..oauth_app.plan import AppPlan
from ..org.client import Org
from ..store import read_or_none
from ..store.blobs import LOCK_SECONDS
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
    "force": {"type": "bool", "default": False},
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
        stored: what the store has under O(store_as).
    """

    name: str
    state: str
    permission_set: str
    declared: DeclaredApp | None
    adopt: bool
    force: bool
    store_as: str | None
    login: Connection | None
    has_key: bool
    stored: Credential | None
    wait: int


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make an org's External Client App be as declared."""
    _require_valid(options)
    store_as = options["store_as"] if options["state"] == "present" and not task.check_mode else None
    lock = task.store.lock(store_as, seconds=options["wait"] + LOCK_SECONDS) if store_as else contextlib.nullcontext()
    with lock:  # another run that makes the same login would make another key
        return _run(_parse(options, task), task)


def _run(parsed: Options, task: Task) -> dict[str, Any]:
    org = task.org()
    writer = AppWriter(org, seconds=parsed.wait, progress=task.progress)
    reader = _secret_reader(org, task, parsed)
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
            stored = _leave(parsed, login, outcome) or _store(parsed, login, outcome.app, task, writer, reader)
            result |= {"changed": outcome.changed or stored["changed"], "credential": stored["credential"]}
    except GatehouseError as exc:
        exc.result = {**exc.result, **{name: result[name] for name in ("changed", "consumer_key", "login_url", "app")}}
        exc.result["done"] = writer.done
        raise
    return result


def _require_valid(options: Mapping[str, Any]) -> None:
    name = options["name"]
    for option, value in (("name", name), ("permission_set", options["permission_set"] or name)):
        if not _API_NAME.fullmatch(value):
            raise OptionError(
                option, f"{value!r} is not an API name: letters, digits and single underscores, a letter first"
            )
    for option in ("label", "contact_email", "description"):
        if _CONTROL.search(options[option] or ""):
            raise OptionError(option, "holds a control character, which XML cannot carry as it is; remove it")
    if options["wait"] < 0:
        raise OptionError("wait", "must not be negative")


def _parse(options: Mapping[str, Any], task: Task) -> Options:
    present = options["state"] == "present"
    store_as = options["store_as"] if present else None
    stored = read_or_none(task.store, store_as) if store_as else None
    key = _key(options, task)
    declared = _declared(options, key) if present else None
    if declared and store_as and declared.flows == ("jwt_bearer",) and not declared.certificate:
        key, declared = _with_own_key(declared, stored)
        task.secrets.add(key)
    return Options(
        name=options["name"],
        state=options["state"],
        permission_set=options["permission_set"] or options["name"],
        declared=declared,
        adopt=options["adopt"],
        force=options["force"],
        store_as=store_as,
        login=_login(options, key) if store_as else None,
        has_key=bool(options["certificate_key"]),
        stored=stored,
        wait=options["wait"],
    )


def _with_own_key(declared: DeclaredApp, stored: Credential | None) -> tuple[str, DeclaredApp]:
    """Return the key of a login that is to be stored, made where there is none, and the app with its certificate.

    Until the key has logged in, the certificate is the same in each run.
    """
    since = now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    key, proven = (stored.connection.private_key, bool(stored.verified)) if stored else (None, False)
    if stored and key and not proven:
        since = max(datetime.datetime.fromisoformat(stored.renewed), now - datetime.timedelta(days=VALID_DAYS - 1))
    key = key or canonical_key(make_key())
    certificate = read_certificate(self_sign(key, declared.name[:MAX_COMMON_NAME], since, VALID_DAYS), key=key, now=now)
    return key, dataclasses.replace(declared, certificate=certificate, proven=proven)


def _declared(options: Mapping[str, Any], key: str | None) -> DeclaredApp:
    return DeclaredApp(
        name=options["name"],
        label=options["label"],
        contact_email=options["contact_email"],
        description=options["description"],
        flows=tuple(flow for flow in FLOWS if flow in options["flows"]),
        certificate=_certificate(options, key),
        scopes=tuple(scope for scope in SCOPES if scope in options["scopes"]),
        ip_relaxation=options["ip_relaxation"],
        permission_set=options["permission_set"] or options["name"],
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
    if len(users) != 1:
        raise OptionError("store_as", "needs client_credentials among the flows, or one of users")
    if options["certificate"] and not options["certificate_key"]:
        raise OptionError("store_as", "needs the certificate_key of certificate; without both, a key is made")
    return Connection(auth="jwt_bearer", username=users[0], private_key=canonical_key(key) if key else None)


def _ensure(writer: AppWriter, options: Options, task: Task) -> AppOutcome:
    here = writer.org.with_session(lambda _transport, session, _version: session.instance_url)

    def require_allowed(plan: AppPlan) -> None:
        _require_same_login(plan, options, here)
        ended = _ended(plan, options, task)
        if ended and not options.force:
            raise OptionError(
                "name",
                f"the app {options.name} is the one that {', '.join(ended)} logs in by, which this would end. Choose "
                "another app, let it log in otherwise first, or end that by force: true",
            )
        writer.warnings.extend(f"{name} can no longer log in by the app {options.name}" for name in ended)

    rules: dict[str, Any] = {
        "adopt": options.adopt,
        "check_mode": task.check_mode,
        "require_allowed": require_allowed,
    }
    if options.declared:
        return ensure_present(writer, options.declared, begin=lambda: _keep_key(options, here, task), **rules)
    absent = options.state == "absent"
    return ensure_unusable(writer, options.name, options.permission_set, absent=absent, **rules)


def _require_same_login(plan: AppPlan, options: Options, login_url: str) -> None:
    """Raise OptionError where O(store_as) names a credential of another user, flow or org, which would be lost."""
    if not options.stored or not options.login:
        return
    stored, new = options.stored.connection, options.login
    of_another = stored.username and stored.username.lower() != (new.username or "").lower()
    elsewhere = stored.consumer_key != plan.before.consumer_key and stored.login_url != login_url
    if stored.auth != new.auth or of_another or elsewhere:
        raise OptionError(
            "store_as",
            f"{options.stored.name} is stored already: it logs in by {stored.auth} as {stored.username} at "
            f"{stored.login_url}, not by {new.auth} as {new.username} at {login_url}. Choose another name, or remove "
            "it first",
        )


def _keep_key(options: Options, login_url: str, task: Task) -> None:
    """Store a key that was made here before the app gets its certificate, so that no crash loses it."""
    login, certificate = options.login, options.declared and options.declared.certificate
    if not login or not login.private_key or not certificate or options.has_key or options.stored:
        return
    since = f"{certificate.begins + CLOCK_SKEW:%Y-%m-%dT%H:%M:%SZ}"
    begun = Credential(
        name=str(options.store_as),
        connection=task.with_limits(dataclasses.replace(login, login_url=login_url)),
        version=1,
        created=since,
        updated=since,
        secret_since=since,
    )
    task.store.write(begun, replaces=None)


def _ended(plan: AppPlan, options: Options, task: Task) -> list[str]:
    """Return the other stored credentials whose login by the app a plan would end."""
    key = plan.before.consumer_key
    if not key or (options.declared and not (options.store_as or options.has_key)):
        return []
    store = task.public_store
    return [
        one["name"]
        for one in map(store.read_public, store.names())
        if one["consumer_key"] == key
        and one["name"] != options.store_as
        and plan.ends_login(one["auth"], one["username"])
    ]


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


def _secret_reader(org: Org, task: Task, options: Options) -> SecretReader | None:
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
    return SecretReader(org, folder, seconds=options.wait, progress=task.progress)


def _leave(options: Options, login: Connection, outcome: AppOutcome) -> dict[str, Any] | None:
    """Return a credential that a rotation has moved to the app that takes turns with this one, as it is."""
    stored, declared = options.stored, options.declared
    if not stored or not declared or not declared.proven or "jwt_bearer" not in outcome.diff["before"].get("flows", ()):
        return None
    by_this_one = stored.connection.consumer_key == login.consumer_key
    return None if by_this_one else {"changed": False, "credential": to_public(stored)}


def _store(
    options: Options, login: Connection, app: App, task: Task, writer: AppWriter, reader: SecretReader | None
) -> dict[str, Any]:
    """Make the store hold the app's login, verified once the org has taken the app over.

    A secret is read from the org only when the store does not have it.
    """
    stored = options.stored.connection if options.stored else Connection()
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
        str(options.store_as),
        wanted,
        verify="require",
        check_mode=task.check_mode,
        login=lambda connection: verifier.login(connection, retry_refused=True),
    )
    return {"changed": written.changed, "credential": written.credential}
