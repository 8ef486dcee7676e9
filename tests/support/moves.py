# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves to OAuth: an org whose users log in by token, and the hosts of their applications."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tests.simulated_org import SimulatedOrg
from tests.support.kills import environment
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.stores import open_store

BOOK, SITE = ROOT / "playbooks" / "move_to_oauth.yml", ROOT / "playbooks" / "site.yml"
ADMIN, BILLING, REPORTS = "acme-admin", "billing", "reports"
USERS = (BILLING, REPORTS, ADMIN)
PASSWORD, TOKEN = "Acme-Password-1", "AcmeToken0000000000000001"
# What a play of an org knows of nobody else.
NOBODY: dict[str, Any] = {
    f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token", "login_url")
}


def username(credential: str) -> str:
    """The user of a credential."""
    return f"{credential}@acme.example"


@dataclasses.dataclass
class Move:
    """One org and its inventory.

    Attributes:
        org: variables of the org's host, to be changed by tests.
        files: what applications read, by host.
        hosts: further variables of these hosts.
    """

    playbook: Playbooks
    sim: SimulatedOrg
    org: dict[str, Any]
    files: dict[str, list[dict[str, Any]]]
    hosts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def prepare(cls, playbook: Playbooks, sim: SimulatedOrg) -> Move:
        """Store the credentials of the users, and deliver them."""
        sim.control.set_org(instance_url=sim.url)
        sim.control.set_profile("Integration", permissions=["ApiEnabled"])
        for name in USERS:
            profile = "System Administrator" if name == ADMIN else "Integration"
            sim.control.add_user(username(name), PASSWORD, security_token=TOKEN, profile=profile)
        declared = [
            {"name": name, "username": username(name), "password": PASSWORD, "security_token": TOKEN} for name in USERS
        ]
        org = {
            "ansible_host": "acme.invalid",
            "credentials_declared": declared,
            "gatehouse_salesforce_credential": ADMIN,
            "move_credentials": [BILLING, REPORTS],
            "move_contact_email": "platform@acme.example",
            "move_keys": str(playbook.folder / "keys"),
        }
        (playbook.folder / "inventory").mkdir()
        files = {}
        for host, name in (("web1", BILLING), ("web2", REPORTS)):
            dest = playbook.folder / host / "app.json"
            dest.parent.mkdir()
            files[host] = [{"credential": name, "dest": str(dest), "format": "json", "notify": [f"Restart {name}"]}]
        made = cls(playbook, sim, org, files)
        made.run(book=SITE, login_url=True)
        made.restarts()
        sim.control.clear_requests()
        return made

    def run(
        self,
        *options: str,
        book: Path = BOOK,
        ok: bool = True,
        login_url: bool = False,
        env: dict[str, str] | None = None,
        **extra: Any,
    ) -> Results:
        """Run a playbook with the inventory; a handler writes down which application it restarts.

        Args:
            login_url: whether the play says where new credentials log in.
        """
        hosts = {
            host: {"ansible_connection": "local", "app_credentials_files": listed, **self.hosts.get(host, {})}
            for host, listed in self.files.items()
        }
        inventory = {"salesforce_orgs": {"hosts": {"acme": self.org}}, "salesforce_applications": {"hosts": hosts}}
        folder = self.playbook.folder
        (folder / "inventory" / "hosts.json").write_text(json.dumps(inventory))
        handlers = [
            {
                "name": f"Restart {name}",
                "ansible.builtin.shell": {"cmd": f"echo {name} >> {folder}/restarts"},
            }
            for name in (BILLING, REPORTS)
        ]
        (folder / "inventory" / "handlers.yml").write_text(json.dumps(handlers))
        known = {**NOBODY, **({"gatehouse_salesforce_login_url": self.sim.url} if login_url else {})}
        arguments = ("-i", str(folder / "inventory" / "hosts.json"), *options)
        return self.playbook.run(book, *arguments, ok=ok, env=env, **{**known, **extra})

    def run_killed(self, number: int, **extra: Any) -> bool:
        """Run the move until the moment of that number; return whether it was killed, or ended before."""
        folder = self.playbook.folder
        watched = [folder / "store", folder / "keys", *(folder / host for host in self.files)]
        env = environment(number, folder / "moments", *watched)
        try:
            self.run(env=env, **extra)
        except AssertionError:
            assert (folder / "moments").stat().st_size > number, "failed without being killed"
            return True
        return False

    @property
    def store(self) -> Any:
        """The store, opened."""
        return open_store(str(self.playbook.folder / "store"), str(self.playbook.key_file))

    def flows(self) -> dict[str, str]:
        """How each credential logs in."""
        return {name: self.store.read(name).connection.auth for name in USERS}

    def logins(self) -> dict[str, str]:
        """What comes of a login with each stored credential."""
        tasks = [{"name": name, "gatehouse.salesforce.login_check": {"credential": name}} for name in USERS]
        done = self.playbook(tasks, **NOBODY)
        return {item["task"]: item["result"]["verification"]["cause"] for item in done}

    def restarts(self) -> list[str]:
        """The applications that were restarted since the last call."""
        file = self.playbook.folder / "restarts"
        found = sorted(file.read_text().split()) if file.exists() else []
        file.unlink(missing_ok=True)
        return found
