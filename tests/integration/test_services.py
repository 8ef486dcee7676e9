# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials reach services by the modules of others: only where they differ, with what a file has, and unseen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from tests.support.collections import collections_path
from tests.support.openbao import MOUNT, NAMESPACE, OpenBao
from tests.support.plays import Playbooks, Results
from tests.support.processes import free_port
from tests.support.stores import open_store

pytestmark = pytest.mark.ansible

SECRETS = ("Canary&Pass<1>=%/ü", "CanaryToken00000000000001", "Canary&Pass<2>=%/ü", "CanaryToken00000000000002")
NOW = "2026-11-{:02}T08:00:00Z"
Deliver = Callable[..., Results]


def put(store: Store, name: str, version: int) -> None:
    """Store a version of a credential, whose secrets are recognised anywhere."""
    password, token = SECRETS[2 * (version % 2) :][:2]
    connection = Connection(username=f"{name}@acme.example", password=password, security_token=token)
    stored = Credential(
        name=name, connection=connection, version=version, created=NOW.format(1), updated=NOW.format(version)
    )
    store.write(stored, replaces=version - 1 or None)


@pytest.fixture
def store(playbook: Playbooks) -> Store:
    """A store of two credentials."""
    opened = open_store(str(playbook.folder / "store"), str(playbook.key_file))
    for name in ("billing", "shipping"):
        put(opened, name, 1)
    return opened


@pytest.fixture
def deliver(playbook: Playbooks, store: Store) -> Deliver:
    """Run the role; a target that says nothing of a restart needs none."""

    def run(*targets: Mapping[str, Any], options: tuple[str, ...] = (), ok: bool = True, **more: Any) -> Results:
        listed = [target if "restart" in target else {"notify": [], **target} for target in targets]
        topics = sorted({topic for target in listed for topic in target.get("notify", [])})
        handlers = [
            {"name": f"restart {topic}", "listen": topic, "ansible.builtin.debug": {"msg": "x"}} for topic in topics
        ]
        roles = ["gatehouse.salesforce.app_credentials"]
        play = {"hosts": "localhost", "gather_facts": False, "roles": roles, "handlers": handlers}
        env = {"ANSIBLE_COLLECTIONS_PATH": collections_path()}
        return playbook.run([play], *options, ok=ok, env=env, app_credentials_targets=listed, **more)

    return run


def ended(results: Results) -> list[dict[str, Any]]:
    """What became of each target."""
    found = [item["result"]["targets"] for item in results if item["result"].get("targets") is not None]
    return list(found[-1])


def changed(results: Results) -> list[bool]:
    return [entry["changed"] for entry in ended(results)]


class TestKv:
    """A path of a key-value engine of version 2 on OpenBao."""

    @pytest.fixture
    def there(self, bao: OpenBao) -> dict[str, Any]:
        """The options that lead there."""
        ca = str(bao.node.certificates.ca)
        return {
            "target": "kv",
            "dest": f"{MOUNT}/apps/{free_port('127.0.0.1')}",
            "format": "json",
            "target_options": {
                "url": bao.node.url,
                "namespace": NAMESPACE,
                "token": bao.root_token,
                "auth_method": "token",
                "ca_cert": ca,
            },
        }

    def test_each_field_has_its_key_and_only_what_differs_is_written(
        self, deliver: Deliver, store: Store, bao: OpenBao, there: dict[str, Any]
    ) -> None:
        target = {"credential": "billing", **there}
        first = deliver(target, options=("--diff",))
        assert changed(first) == [True]
        path = there["dest"].partition("/")[2]
        kv = bao.admin().secrets.kv.v2
        assert kv.read_secret_version(path=path, mount_point=MOUNT)["data"]["data"]["password"] == SECRETS[2]
        assert changed(deliver(target)) == [False]
        put(store, "billing", 2)
        assert changed(deliver(target, options=("--check",))) == [True]
        assert changed(deliver(target)) == [True]
        assert kv.read_secret_version(path=path, mount_point=MOUNT)["data"]["data"]["password"] == SECRETS[0]
