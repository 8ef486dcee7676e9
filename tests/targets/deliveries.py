# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliver a credential by the role, to targets as the guide shows them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from tests.support.collections import collections_path
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.stores import open_store

GUIDE = ROOT / "docs" / "targets.md"
SECRETS = ("Canary&Pass<1>=%/ü", "CanaryToken00000000000001", "Canary&Pass<2>=%/ü", "CanaryToken00000000000002")
HANDLER = "restarted by a handler"


class Deliveries:
    """Runs the role as users do, in an Ansible of its own that has what the modules need.

    Attributes:
        environment: what leads to the services, and to the libraries of the modules.
    """

    def __init__(self, playbook: Playbooks, environment: Mapping[str, str]) -> None:
        self._playbook = playbook
        self._store = open_store(str(playbook.folder / "store"), str(playbook.key_file))
        log = str(playbook.folder / "ansible.log")
        self.environment = {**environment, "ANSIBLE_COLLECTIONS_PATH": collections_path(), "ANSIBLE_LOG_PATH": log}

    def put(self, version: int) -> str:
        """Store a version of the credential, and return its token; its secrets are recognised anywhere."""
        password, token = SECRETS[2 * (version % 2) :][:2]
        connection = Connection(username="billing@acme.example", password=password, security_token=token)
        stored = Credential(
            name="billing",
            connection=connection,
            version=version,
            created="2026-11-01T08:00:00Z",
            updated=f"2026-11-{version:02}T08:00:00Z",
        )
        self._store.write(stored, replaces=version - 1 or None)
        return token

    def __call__(self, *targets: Mapping[str, Any], options: tuple[str, ...] = (), ok: bool = True) -> list[Any]:
        """Run the role at its most talkative, see that it tells no secret, and return what became of each target."""
        handler = {"name": "Restart billing", "ansible.builtin.debug": {"msg": HANDLER}}
        role = "gatehouse.salesforce.app_credentials"
        play = {"hosts": "localhost", "gather_facts": False, "roles": [role], "handlers": [handler]}
        results: Results = self._playbook.run(
            [play], "-vvvv", "--diff", *options, ok=ok, env=self.environment, app_credentials_targets=list(targets)
        )
        self.output = results.output
        secrets = [
            value
            for target in targets
            for name, value in target.get("target_options", {}).items()
            if name in ("api_key", "secret_key", "secret", "access_token")
        ]
        log = Path(self.environment["ANSIBLE_LOG_PATH"]).read_text()
        for secret in (*SECRETS, *secrets):
            for form in forms(secret):
                assert form not in results.output and form not in log
        return list([item["result"]["targets"] for item in results if item["result"].get("targets") is not None][-1])


def forms(secret: str) -> set[str]:
    """A secret as it is, in JSON, and as it stands in Base64, at whatever place of a longer text."""
    encoded = secret.encode()
    shifted = {
        base64.b64encode(b"x" * before + encoded).decode()[4 if before else 0 :].rstrip("=")[:-2] for before in range(3)
    }
    return {secret, json.dumps(secret)[1:-1], *shifted}


def block(language: str, beginning: str) -> str:
    """The block of the guide that begins so."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (one,) = (text for text in found if text.startswith(beginning))
    return str(one)


def target(kind: str, **options: Any) -> dict[str, Any]:
    """The target that the guide shows of a kind, reached by these options instead of those of the guide."""
    listed = yaml.safe_load(block("yaml", f"# host_vars/{kind}.yml"))
    return {**listed["app_credentials_targets"][0], "target_options": options}
