# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations under strain: killed at any moment, and while an application logs in all the time.

Those that are killed run in a process of their own each, against an org and a mail server in theirs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import requests
from cryptography.fernet import Fernet
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.causes import Verification
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.security_token import run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    declare,
    record_verification,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
    Credential,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.mailbox import Mailbox
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.settings import SPEC
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import SessionCache
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.verification import verify
from tests.simulated_org import Control, SimulatedOrg
from tests.simulated_org.mail import AUTHSERV_ID
from tests.support.dovecot import Dovecot
from tests.support.plays import Playbooks
from tests.support.processes import simulated_org
from tests.support.stores import open_store

GREEN = "billing-green@acme.example"
USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "OldToken00000000000000001"
# What a rotation does that others see or that lasts; it may die before each and after each.
STEPS: tuple[tuple[type | ModuleType, str], ...] = (
    (Store, "write"),
    (Mailbox, "position"),
    (Org, "reset_security_token"),
    (Org, "change_own_password"),
    (SessionCache, "open_new"),
    (verify, "login"),
    (Mailbox, "dispose"),
)


@dataclasses.dataclass
class Scene:
    """A user of an org, whose tokens are mailed to a mailbox and stored in a store."""

    folder: Path
    options: dict[str, Any]
    control: Control

    @property
    def store(self) -> Store:
        """The store that holds the credential."""
        return open_store(self.options["store"], self.options["store_key_file"])

    def stored(self) -> Credential:
        """The credential as it is stored."""
        return self.store.read("billing")

    def is_whole(self) -> bool:
        """Whether what is stored is what the org knows, and nothing is left to be done."""
        stored, user = self.stored(), self.control.user(USER)
        known = (user["password"], user["security_token"])
        return stored.rotation is None and (stored.connection.password, stored.connection.security_token) == known

    def run(self, **options: Any) -> dict[str, Any]:
        """Rotate in this process, as a run of its own: what is known of logins of one run binds no other."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as name:
            given = {**self.options, **options}
            return run(given, Task.read(given, check_mode=False, folder=Path(name)))

    def start(self, dies_at: int | None = None, **options: Any) -> int:
        """Rotate in a process of its own, and give its id. It kills itself at the given one of its steps."""
        child = os.fork()
        if child:
            return child
        try:
            if dies_at is not None:
                _die_at(dies_at)
            self.run(**options)
        except BaseException:
            with (self.folder / "errors.txt").open("a") as file:
                traceback.print_exc(file=file)
            os._exit(1)
        os._exit(0)

    def finish(self, **options: Any) -> None:
        """Rotate in a process of its own to the end; raises AssertionError when it fails."""
        _pid, status = os.waitpid(self.start(**options), 0)
        assert not self._was_killed(status)

    def killed_at(self, step: int, **options: Any) -> bool:
        """Whether a rotation had that many steps, at which it was killed; raises AssertionError when it fails."""
        _pid, status = os.waitpid(self.start(step, **options), 0)
        return self._was_killed(status)

    def killed_after(self, seconds: float, **options: Any) -> bool:
        """Whether a rotation was not over after so many seconds, when it was killed."""
        child = self.start(**options)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _pid, status = os.waitpid(child, 0)
        return self._was_killed(status)

    def _was_killed(self, status: int) -> bool:
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise AssertionError((self.folder / "errors.txt").read_text()[-3000:])
        return os.WIFSIGNALED(status)


def mailbox_option(server: Dovecot, user: str) -> dict[str, Any]:
    """The option that leads to the mailbox of a user."""
    return {
        "host": "localhost",
        "port": server.port,
        "username": user,
        "password": server.password,
        "ca_path": server.ca_path,
        "authserv_id": AUTHSERV_ID,
    }


@contextlib.contextmanager
def scene(folder: Path, server: Dovecot) -> Iterator[Scene]:
    """A credential that logs in, in a store of its own."""
    box = f"{folder.name}@acme.example"
    user = {
        "username": USER,
        "password": PASSWORD,
        "security_token": TOKEN,
        "profile": "Standard User",
        "email": box,
        "token_was_reset": True,
    }
    seed = {"orgs": [{"name": "Acme", "users": [user]}]}
    with simulated_org(folder / "org", seed, "--mail-server", f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        key_file = folder / "store.key"
        key_file.touch(mode=0o600)
        key_file.write_bytes(Fernet.generate_key() + b"\n")
        mailbox = {
            **{name: option.get("default") for name, option in SPEC.items()},
            **mailbox_option(server, box),
            "on_success": "delete",
        }
        options = {
            "name": "billing",
            "max_age": None,
            "force": False,
            "verify": False,
            "method": "reset",
            "mail_timeout": 10.0,
            "timeout": 10.0,
            "mailbox": mailbox,
            "store": str(folder / "store"),
            "store_key_file": str(key_file),
        }
        made = Scene(folder, options, Control(org["control_url"], org["control_token"]))
        connection = Connection(
            login_url=org["url"],
            ca_path=org["ca_path"],
            allowed_hosts=("localhost",),
            username=USER,
            password=PASSWORD,
            security_token=TOKEN,
        )
        now = "2026-01-01T00:00:00Z"
        credential = declare(None, connection, name="billing", now=now)
        passed = Verification(result="ok", cause="ok")
        made.store.write(record_verification(credential, passed, now=now), replaces=None)
        yield made


def kill_at_random(there: Scene, times: int, *, longest: float, seed: int) -> tuple[int, int]:
    """How many rotations were killed at random moments, and how many of these the next run has finished."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    killed = survived = 0
    while killed < times:
        method = chance.choice(["reset", "password"])
        there.control.set_mail(delay=chance.choice([0.0, 0.0, 0.2]))
        moment = chance.uniform(0, longest)
        was_killed = there.killed_after(moment, force=True, method=method)
        there.finish(method=method)
        killed += was_killed
        survived += was_killed and there.is_whole()
    return killed, survived


def _die_at(step: int) -> None:
    """Have this process kill itself before or after a step: they are counted over all of them."""
    count = 0

    def passing() -> None:
        nonlocal count
        count += 1
        if count > step:
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def step_of(*args: Any, **kwargs: Any) -> Any:
            passing()
            result = original(*args, **kwargs)
            passing()
            return result

        return step_of

    for owner, name in STEPS:
        setattr(owner, name, watched(getattr(owner, name)))


class Application:
    """Logs in all the time with what its file holds, as an application does that is restarted whenever it changes."""

    def __init__(self, file: Path, ca_path: str) -> None:
        self.logins = self.failed = 0
        self._file = file
        self._ca_path = ca_path
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join(20)

    def _work(self) -> None:
        with requests.Session() as session:
            session.verify, session.trust_env = self._ca_path, False
            while not self._ending.is_set():
                self.logins += 1
                credential = json.loads(self._file.read_text())
                try:
                    SalesforceLogin(
                        username=credential["username"],
                        password=credential["password"],
                        security_token=credential["security_token"],
                        scratch_url=credential["login_url"],
                        sf_version="64.0",
                        session=session,
                    )
                except SalesforceAuthenticationFailed:
                    self.failed += 1
                self._ending.wait(0.01)


def rotations_in_use(
    playbook: Playbooks, sim: SimulatedOrg, server: Dovecot, *, pair: bool, rotations: int
) -> Application:
    """An application that has gone through so many rotations of its credential, each delivered and verified."""
    box = f"box-{secrets.token_hex(4)}@acme.example"
    for user in (USER, GREEN):
        sim.control.add_user(user, PASSWORD, security_token=TOKEN, profile="Standard User", email=box)
    # The failures of an application whose only user is renewed would lock that user out.
    sim.control.set_org(password_policies={"maxLoginAttempts": "NoLimit"})
    sim.control.set_mail(delay=0.2)
    blue = {"username": USER, "password": PASSWORD, "security_token": TOKEN}
    credential: dict[str, Any] = {"name": "billing", **blue}
    if pair:
        credential["standby"] = {**blue, "username": GREEN}
    mailbox = mailbox_option(server, box)
    file = playbook.folder / "billing.json"
    deliver = {
        "gatehouse.salesforce.app_credential": {"credential": "billing", "dest": str(file), "format": "json"},
    }
    rotate = {
        "gatehouse.salesforce.security_token": {
            "name": "billing",
            "force": True,
            "mailbox": mailbox,
            "mail_timeout": 20,
        }
    }
    check = {"gatehouse.salesforce.login_check": {"credential": "billing"}}
    playbook([{"gatehouse.salesforce.credential": credential}, deliver])
    with Application(file, sim.ca_path) as application:
        playbook([rotate, deliver, check] * rotations)
    return application
