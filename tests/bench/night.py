# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a night's run takes in which many tokens are due, and for how long an application has none that works."""

from __future__ import annotations

import datetime
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from tests.simulated_org import SimulatedOrg
from tests.support import plays
from tests.support.deployments import DELIVER, ROTATE
from tests.support.dovecot import Dovecot, dovecot
from tests.support.plays import Playbooks
from tests.support.rotations import mailbox_option

TOKENS = 100
FEW = 10
FORKS = 25
MAIL_DELAY = 5.0
BOX = "night@acme.example"
PASSWORD, TOKEN = "Acme-Password-1", "OldToken00000000000000001"
AIMS = {f"rotate_{TOKENS}_tokens_seconds": "60", f"gap_seconds_max_{TOKENS}_tokens": "30"}


def measure() -> dict[str, float]:
    """The figures."""
    with mock.patch.object(plays, "TIMEOUT", 1800), dovecot() as server:
        seconds, gap = _night(server, TOKENS)
        few_seconds, few_gap = _night(server, FEW)
        single_seconds, single_gap = _night(server, FEW, deliver_serial="100%")
    return {
        f"rotate_{TOKENS}_tokens_seconds": seconds,
        f"gap_seconds_max_{TOKENS}_tokens": gap,
        f"rotate_{FEW}_tokens_seconds": few_seconds,
        f"gap_seconds_max_{FEW}_tokens": few_gap,
        f"rotate_{FEW}_tokens_one_by_one_seconds": single_seconds,
        f"gap_seconds_max_{FEW}_tokens_one_by_one": single_gap,
    }


def _night(server: Dovecot, tokens: int, **variables: Any) -> tuple[float, float]:
    """Seconds of a run that renews so many tokens, each of an application on a host, and the longest time without."""
    with (
        tempfile.TemporaryDirectory(prefix="night-") as name,
        SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org,
    ):
        playbook = Playbooks(Path(name), org)
        users = {f"app{number}": f"app{number}@acme.example" for number in range(tokens)}
        for user in users.values():
            org.control.add_user(user, PASSWORD, security_token=TOKEN, email=BOX)
        secret = {"password": PASSWORD, "security_token": TOKEN, "verify": "skip"}
        playbook(
            [
                {
                    "gatehouse.salesforce.credential": {
                        "name": "{{ item.key }}",
                        "username": "{{ item.value }}",
                        **secret,
                    },
                    "loop": list({"key": app, "value": user} for app, user in users.items()),
                }
            ]
        )
        inventory = _prepare(playbook, users)
        options = ("-i", str(inventory), "--forks", str(FORKS))
        playbook.run(DELIVER, *options, deliver_check="never")
        org.control.set_mail(delay=MAIL_DELAY)
        mailbox: dict[str, Any] = {
            "gatehouse_salesforce_mailbox": mailbox_option(server, BOX),
            "rotate_mail_timeout": 120,
        }
        started = time.perf_counter()
        playbook.run(ROTATE, *options, rotate_force=True, **mailbox, **variables)
        seconds = time.perf_counter() - started
        reset = {
            entry["username"]: datetime.datetime.fromisoformat(str(entry["time"])).timestamp()
            for entry in org.control.requests("resetToken")
        }
        gaps = [(playbook.folder / app / "restarted").stat().st_mtime - reset[user] for app, user in users.items()]
        return seconds, max(gaps)


def _prepare(playbook: Playbooks, users: dict[str, str]) -> Path:
    """Write the inventory of one host for each application, and the handler that restarts it."""
    folder = playbook.folder
    for app in users:
        (folder / app).mkdir()
    target = {
        "credential": "{{ inventory_hostname }}",
        "dest": f"{folder}/{{{{ inventory_hostname }}}}/app.env",
        "notify": ["Restart it"],
    }
    variables = {"ansible_connection": "local", "app_credentials_targets": [target]}
    listed = {"salesforce_applications": {"hosts": dict.fromkeys(users, {}), "vars": variables}}
    handler = {
        "name": "Restart it",
        "ansible.builtin.command": {"cmd": f"touch {folder}/{{{{ inventory_hostname }}}}/restarted"},
    }
    (folder / "handlers.yml").write_text(json.dumps([handler]))
    (inventory := folder / "inventory.json").write_text(json.dumps(listed))
    return inventory
