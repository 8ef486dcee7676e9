# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application whose token somebody resets, and the inventory from which rulebooks know it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.simulated_org.mail import AUTHSERV_ID
from tests.support.processes import write_private
from tests.support.rotations import Scene


def application(scene: Scene) -> Path:
    """Write an inventory with an application that uses the credential; return the file that it will read."""
    file = scene.folder / "app.env"
    options = scene.options
    mailbox = {name: value for name, value in options["mailbox"].items() if value is not None}
    target = {"credential": "billing", "dest": str(file), "format": "env"}
    inventory: dict[str, Any] = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "gatehouse_salesforce_mailbox": {
                    **mailbox,
                    "password": "{{ lookup('env', 'GATEHOUSE_MAILBOX_PASSWORD') }}",
                },
                "gatehouse_salesforce_store": options["store"],
                "gatehouse_salesforce_store_key_file": options["store_key_file"],
            },
            "hosts": {"localhost": {}},
            "children": {
                "salesforce_applications": {"hosts": {"web1": {"app_credentials_targets": [target]}}},
            },
        }
    }
    write_private(scene.folder / "inventory.yml", json.dumps(inventory))
    variables = {
        "mailbox_authserv_id": AUTHSERV_ID,
        "mailbox_ca_path": mailbox["ca_path"],
        "mailbox_port": mailbox["port"],
    }
    (scene.folder / "variables.yml").write_text(json.dumps(variables))
    return file


def mailbox_environment(scene: Scene) -> dict[str, str]:
    """The environment from which the source takes its mailbox and its store."""
    mailbox = scene.options["mailbox"]
    return {
        "GATEHOUSE_STORE": scene.options["store"],
        "GATEHOUSE_STORE_KEY_FILE": scene.options["store_key_file"],
        "GATEHOUSE_MAILBOX_HOST": mailbox["host"],
        "GATEHOUSE_MAILBOX_USERNAME": mailbox["username"],
        "GATEHOUSE_MAILBOX_PASSWORD": mailbox["password"],
    }
