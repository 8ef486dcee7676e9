# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves to OAuth: an org whose users log in by token, and the hosts of their applications."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login
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
        names: the credentials.
        hosts: further variables of these hosts.
    """

    playbook: Playbooks
    sim: SimulatedOrg
    org: dict[str, Any]
    files: dict[str, list[dict[str, Any]]]
    names: tuple[str, ...] = USERS
    hosts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def prepare(cls, playbook: Playbooks, sim: SimulatedOrg, *names: str) -> Move:
        """Store the credentials of the users, and deliver them.

        Args:
            names: of credentials that an application on web1 reads, beside the administrator's; by default billing,
                and reports for one on web2.
        """
        org = {
            "ansible_host": "acme.invalid",
            "credentials_declared": [
                {"name": name, "username": username(name), "password": PASSWORD, "security_token": TOKEN}
                for name in (*(names or (BILLING, REPORTS)), ADMIN)
            ],
            "gatehouse_salesforce_credential": ADMIN,
            "move_credentials": list(names or (BILLING, REPORTS)),
            "move_contact_email": "platform@acme.example",
            "move_wait": 3,
        }
        read = {"web1": list(names)} if names else {"web1": [BILLING], "web2": [REPORTS]}
        files = {}
        for host, listed in read.items():
            folder = playbook.folder / host
            folder.mkdir()
            files[host] = [
                {
                    "credential": name,
                    "dest": str(folder / (f"{name}.json" if names else "app.json")),
                    "format": "json",
                    "notify": [f"Restart {name}"],
                }
                for name in listed
            ]
        (playbook.folder / "inventory").mkdir()
        made = cls(playbook, sim, org, files, (*names, ADMIN) if names else USERS)
        made.reset_org()
        made.run(book=SITE, login_url=True)
        made.restarts()
        sim.control.clear_requests()
        return made

    def reset_org(self) -> None:
        """Have an org with the users only."""
        control = self.sim.control
        control.reset()
        control.set_org(instance_url=self.sim.url)
        control.set_profile("Integration", permissions=["ApiEnabled"])
        for name in self.names:
            profile = "System Administrator" if name == ADMIN else "Integration"
            control.add_user(username(name), PASSWORD, security_token=TOKEN, profile=profile)

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
            host: {"ansible_connection": "local", "app_credentials_targets": listed, **self.hosts.get(host, {})}
            for host, listed in self.files.items()
        }
        inventory = {"salesforce_orgs": {"hosts": {"acme": self.org}}, "salesforce_applications": {"hosts": hosts}}
        folder = self.playbook.folder
        (folder / "inventory" / "hosts.json").write_text(json.dumps(inventory))
        handlers = [
            {"name": f"Restart {name}", "ansible.builtin.shell": {"cmd": f"echo {name} >> {folder}/restarts"}}
            for name in self.names
        ]
        (folder / "inventory" / "handlers.yml").write_text(json.dumps(handlers))
        known = {**NOBODY, **({"gatehouse_salesforce_login_url": self.sim.url} if login_url else {})}
        arguments = ("-i", str(folder / "inventory" / "hosts.json"), *options)
        return self.playbook.run(book, *arguments, ok=ok, env=env, **{**known, **extra})

    def run_killed(self, number: int, **extra: Any) -> bool:
        """Run the move until the moment of that number; return whether it was killed, or ended before."""
        folder = self.playbook.folder
        watched = [folder / "store", *(folder / host for host in self.files)]
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
        return {name: self.store.read(name).connection.auth for name in self.names}

    def logins(self) -> dict[str, str]:
        """What comes of a login with each stored credential."""
        return {name: _outcome(self.store.read(name).connection) for name in self.names}

    def restarts(self) -> list[str]:
        """The applications that were restarted since the last call."""
        file = self.playbook.folder / "restarts"
        found = sorted(file.read_text().split()) if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def left(self) -> list[str]:
        """What a move needs on its way and is there: credentials under other names."""
        return sorted(set(self.store.all_names()) - set(self.names))


def _outcome(connection: Connection) -> str:
    try:
        login(connection)
    except OrgError as exc:
        return str(exc.cause)
    return "ok"


def count_survived(move: Move, item: Any, kills: int, *, every: int, seed: int) -> tuple[int, int]:
    """Kill moves in rows of three, at every so-manieth moment first, and finish each row by one more run.

    A row is survived if that run succeeds, after which every stored credential logs in, the others by what they did
    before, applications have what is stored, and nothing is left over.

    Returns:
        The moves that were killed, and those in rows that were survived; fewer than asked for when there are no more
        moments.
    """
    folder, rng = move.playbook.folder, random.Random(seed)  # noqa: S311
    parts = ["store", *move.files]
    for part in parts:
        shutil.copytree(folder / part, folder / "before" / part, dirs_exist_ok=True)
    killed = survived = 0
    for first in itertools.count(0, every):
        move.reset_org()
        for part in parts:
            shutil.rmtree(folder / part, ignore_errors=True)
        for part in parts:
            shutil.copytree(folder / "before" / part, folder / part)
        shutil.rmtree(folder / "store" / ".sessions", ignore_errors=True)
        row = 0
        for number in (first, rng.randrange(20), rng.randrange(40)):
            if row + killed < kills and move.run_killed(number, move_credentials=[item]):
                row += 1
        if not row:
            break
        killed += row
        try:
            move.run(move_credentials=[item])
            moved = [name for name, flow in move.flows().items() if flow != "security_token"]
            assert moved == [item if isinstance(item, str) else item["name"]]
            assert set(move.logins().values()) == {"ok"} and not move.left()
            survived += row
        except AssertionError as exc:
            print(f"not survived: {item}, {first}: {str(exc)[-3000:]}", flush=True)
    return killed, survived
