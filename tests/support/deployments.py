# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications on managed hosts, and the inventory by which the playbooks of the collection supply them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulated_org import SimulatedOrg
from tests.support.hosts import Host, inventory
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.services import Services

DELIVER, ROTATE = ROOT / "playbooks" / "deliver.yml", ROOT / "playbooks" / "rotate.yml"


def by_host(results: Results, task: str) -> dict[str, dict[str, Any]]:
    """What each host returned for the task of that name."""
    return {item["host"]: item["result"] for item in results if item["task"] == task}


def changed(results: Results) -> set[tuple[str, str]]:
    """Which tasks changed something, and where."""
    return {(item["task"], item["host"]) for item in results if item["result"].get("changed")}


@dataclass
class Deployment:
    """Applications on hosts, and the inventory by which their credentials are delivered."""

    playbook: Playbooks
    hosts: dict[str, Host]
    services: Services
    sim: SimulatedOrg

    def inventory(self) -> dict[str, Any]:
        """What an operator would write: for each host the files of its applications, and whom to restart for each."""
        listed = inventory(self.hosts)
        for application in self.services.applications:
            variables = listed["salesforce_applications"]["hosts"][application.host.name]
            variables["gatehouse_salesforce_source_address"] = application.host.address
            variables.setdefault("app_credentials_targets", []).append(
                {
                    "credential": application.name,
                    "dest": str(application.file),
                    "format": application.format,
                    "notify": [f"Restart {application.name}"],
                }
            )
        return listed

    def run(
        self, book: Path, *options: str, ok: bool = True, listed: dict[str, Any] | None = None, **variables: Any
    ) -> Results:
        """Run a playbook of the collection with nothing but an inventory and the handlers beside it."""
        folder = self.playbook.folder
        (folder / "handlers.yml").write_text(json.dumps(self.handlers()))
        (folder / "inventory.json").write_text(json.dumps(listed or self.inventory()))
        return self.playbook.run(book, "-i", str(folder / "inventory.json"), *options, ok=ok, **variables)

    def handlers(self) -> list[dict[str, Any]]:
        """One for each application, to restart it by its supervisor."""
        names = dict.fromkeys(application.name for application in self.services.applications)
        return [
            {
                "name": f"Restart {name}",
                "ansible.builtin.command": {"chdir": "~", "argv": ["./supervisorctl", "restart", name]},
            }
            for name in names
        ]

    def deliver(self, *options: str, ok: bool = True, listed: dict[str, Any] | None = None) -> Results:
        """Deliver what is stored."""
        return self.run(DELIVER, *options, ok=ok, listed=listed)

    def store(self, name: str, username: str, password: str, token: str, **more: Any) -> None:
        """Store a credential, which is verified by a login from the controller."""
        options = {"name": name, "username": username, "password": password, "security_token": token, **more}
        self.playbook([{"gatehouse.salesforce.credential": options}])

    def pages(self) -> dict[str, str]:
        """The name of the user on each page that nginx serves."""
        found = {}
        for application in self.services.applications:
            answer = self.services.page(application)
            assert answer.status_code == 200, answer.text
            found[application.site] = answer.text.partition("&lt;")[2].partition("&gt;")[0]
        return found
