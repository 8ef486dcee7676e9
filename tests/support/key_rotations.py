# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps, keys and secrets that are renewed, also while an application logs in all the time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import requests

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import NOBODY
from tests.unit.simulator.apps import key_pair

BILLING, REPORTS = "billing@acme.example", "reports@acme.example"
USERS = {"billing": BILLING, "reports": REPORTS}
KEY, CERTIFICATE = key_pair("first", days=365)


def declare_app(name: str, playbook: Playbooks, **options: Any) -> dict[str, Any]:
    """Declare an app by which both users log in with the first key."""
    app = {
        "name": name,
        "contact_email": "platform@acme.example",
        "certificate": CERTIFICATE,
        "users": [BILLING, REPORTS],
        **options,
    }
    return {"name": name, "gatehouse.salesforce.external_client_app": app}


def declare_credential(
    name: str, username: str, connection: Connection | None, *, sim: SimulatedOrg | None = None
) -> dict[str, Any]:
    """Declare a credential that logs in with a key, or by token where no connection is given."""
    login: dict[str, Any] = {"password": sim.admin.password, "security_token": sim.admin.security_token} if sim else {}
    if connection:
        login = {
            "auth": "jwt_bearer",
            "consumer_key": connection.consumer_key,
            "private_key": connection.private_key,
        }
    return {"name": name, "gatehouse.salesforce.credential": {"name": name, "username": username, **login}}


def renew(**options: Any) -> dict[str, Any]:
    """Renew the key of billing, as the administrator."""
    return {"name": "renew", "gatehouse.salesforce.oauth_key": {"name": "billing", **options}}


def deliver(file: Path, name: str = "billing") -> dict[str, Any]:
    """Deliver a credential to an application that reads JSON."""
    return {
        "name": "deliver",
        "gatehouse.salesforce.app_credential": {"credential": name, "dest": str(file), "format": "json"},
    }


def certificate_of(sim: SimulatedOrg, app: str) -> str:
    """The certificate that an app has."""
    components = sim.control.external_client_app(app)["components"]
    return str(components["ExtlClntAppGlobalOauthSettings"]["certificate"])


def make_apps(playbook: Playbooks, apps: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Make apps, and credentials that log in by the first of them; return the consumer keys."""
    made = playbook([declare_app(app, playbook) for app in apps])
    keys = {app: str(made.of(app)["consumer_key"]) for app in apps}
    first = Connection(auth="jwt_bearer", consumer_key=keys[apps[0]], private_key=KEY)
    playbook([declare_credential(name, USERS[name], first) for name in names], **NOBODY)
    return keys


def make_by_turns(playbook: Playbooks, names: Sequence[str] = ("billing",)) -> dict[str, str]:
    """Make two apps that take turns."""
    return make_apps(playbook, ("Blue", "Green"), names)


def make_one_app(playbook: Playbooks, names: Sequence[str] = ("billing",)) -> dict[str, str]:
    """Make an app without another one."""
    return make_apps(playbook, ("Only",), names)


def make_with_secret(playbook: Playbooks) -> None:
    """Make an app that acts as reports, and the credential export that logs in with its secret."""
    flows: dict[str, Any] = {"flows": ["client_credentials"], "run_as": REPORTS, "users": [], "store_as": "export"}
    playbook([declare_app("Export", playbook, **{**flows, "certificate": ""})])


RENEWALS = {
    "two apps": renew(apps=["Blue", "Green"], force=True),
    "a secret": renew(name="export", force=True),
}


def prepare(sim: SimulatedOrg) -> None:
    """Have the users who log in by apps."""
    sim.control.set_org(instance_url=sim.url)
    for username in (BILLING, REPORTS):
        sim.control.add_user(username, "Example-Password-1", profile="Standard User")


class Application:
    """Logs in all the time with what its file holds, by key or by secret, and reads it again for each login."""

    def __init__(self, file: Path, sim: SimulatedOrg) -> None:
        self.logins = self.failed = 0
        self._file = file
        self._sim = sim
        self._session = requests.Session()
        self._session.verify, self._session.trust_env = sim.ca_path, False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join(20)

    def log_in(self) -> bool:
        """Log in once; return whether the org accepted it."""
        form = self._form(json.loads(self._file.read_text()))
        return self._session.post(f"{self._sim.url}/services/oauth2/token", data=form, timeout=20).ok

    def _work(self) -> None:
        while not self._ending.is_set():
            self.logins += 1
            if not self.log_in():
                self.failed += 1
            self._ending.wait(0.01)

    def _form(self, held: dict[str, str]) -> dict[str, str]:
        if "privatekey" not in held:
            secret = {"client_id": held["consumer_key"], "client_secret": held["consumer_secret"]}
            return {"grant_type": "client_credentials", **secret}
        claims = {"iss": held["consumer_key"], "sub": held["username"], "aud": self._sim.url}
        assertion = jwt.encode({**claims, "exp": int(time.time()) + 120}, held["privatekey"], algorithm="RS256")
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


def rotations_in_use(playbook: Playbooks, sim: SimulatedOrg, kind: str, *, rotations: int) -> Application:
    """An application that has gone through so many rotations of its key or secret, each delivered."""
    file, task = playbook.folder / "app.json", RENEWALS[kind]
    name = task["gatehouse.salesforce.oauth_key"]["name"]
    if kind == "two apps":
        make_by_turns(playbook)
    else:
        make_with_secret(playbook)
    playbook([deliver(file, name)])
    with Application(file, sim) as application:
        playbook([task, deliver(file, name)] * rotations)
    return application
