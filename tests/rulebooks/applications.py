# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application whose token somebody resets, and the inventory from which rulebooks know it."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
        "org_credential": "billing",
        "max_age": "90d",
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


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A ticket system; gives its address, which nobody can guess, and the tickets that have come."""
    tickets: list[dict[str, Any]] = []
    path = f"/hooks/{secrets.token_hex(12)}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == path:
                tickets.append(json.loads(body))
            self.send_response(204 if self.path == path else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}{path}", tickets
        httpd.shutdown()
