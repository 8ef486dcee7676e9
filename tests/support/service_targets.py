# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the role app_credentials on targets in services, with credentials whose secrets are recognised anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from tests.support.collections import provide_collections
from tests.support.plays import Playbooks, Results
from tests.support.stores import open_store

PASSWORDS = {1: "Canary&Pass<1>=%/ü", 2: "Canary&Pass<2>=%/ü", 3: "Canary&Pass<3>=%/ü"}
STANDBY = "Canary-Standby-Pass-1"
NOW = "2026-11-{:02}T08:00:00Z"


@dataclass
class Delivering:
    """A store, and the role that delivers from it to the targets of localhost."""

    playbook: Playbooks
    store: Store

    @classmethod
    def begin(cls, playbook: Playbooks) -> Delivering:
        """Begin with version 1 of two credentials, the second of which is a pair."""
        provide_collections()
        made = cls(playbook, open_store(str(playbook.folder / "store"), str(playbook.key_file)))
        made.put("billing", 1)
        made.put("pair", 1, standby=True)
        return made

    def put(self, name: str, version: int, *, standby: bool = False) -> None:
        """Store a version of a credential, without a login."""
        connection = Connection(username=f"{name}@acme.example", password=PASSWORDS[version], security_token="x" * 24)
        other = Connection(username="standby@acme.example", password=STANDBY, security_token="x" * 24)
        stored = Credential(
            name=name,
            connection=connection,
            standby=other if standby else None,
            version=version,
            created=NOW.format(1),
            updated=NOW.format(version),
        )
        self.store.write(stored, replaces=version - 1 or None)

    def __call__(
        self,
        targets: list[dict[str, Any]],
        *options: str,
        ok: bool = True,
        env: Mapping[str, str] | None = None,
        rolls_back: bool = False,
    ) -> Results:
        """Run the role; a target that says nothing of a restart needs none."""
        listed = [target if {"notify", "restart"} & set(target) else {"notify": [], **target} for target in targets]
        topics = sorted({topic for target in listed for topic in target.get("notify", [])})
        handlers = [{"name": topic, "ansible.builtin.debug": {"msg": "restarted"}} for topic in topics]
        role = {"name": "gatehouse.salesforce.app_credentials"}
        tasks: list[dict[str, Any]] = [{"ansible.builtin.include_role": role}]
        if rolls_back:
            again = {"ansible.builtin.include_role": {**role, "tasks_from": "roll_back"}}
            tasks = [{"block": tasks, "rescue": [again]}]
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks, "handlers": handlers}
        return self.playbook.run([play], *options, ok=ok, env=env, app_credentials_targets=listed)

    def settled(self, name: str = "billing") -> dict[str, tuple[int, bool]]:
        """By consumer, which version it has, and whether it was restarted since."""
        return {each: (it.version, it.settled) for each, it in self.store.deliveries(name).items()}


def ended(results: Results) -> dict[str, dict[str, Any]]:
    """What became of each target, by its place."""
    found = [item["result"]["targets"] for item in results if "targets" in item["result"]]
    return {entry["place"]: entry for entry in found[-1]}


def changed(results: Results) -> dict[str, bool]:
    """Whether each target has changed, by its place."""
    return {place: entry["changed"] for place, entry in ended(results).items()}
