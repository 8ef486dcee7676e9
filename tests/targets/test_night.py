# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A night's rotation by the example reaches a file, a cluster, a secret manager and a key-value server."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulated_org import SimulatedOrg
from tests.support.collections import collections_path
from tests.support.deployments import ROTATE
from tests.support.dovecot import Absent, Dovecot, dovecot
from tests.support.openbao import MOUNT, NAMESPACE, OpenBao
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.rotations import mailbox_option
from tests.support.stores import open_store
from tests.targets.aws import Aws
from tests.targets.kubernetes_api import KubernetesApi
from tests.targets.test_targets import DEPLOYMENT

pytestmark = pytest.mark.ansible

EXAMPLE = ROOT / "playbooks" / "example" / "services"
APPLICATIONS = ("billing", "orders", "search", "shop")
PASSWORD, TOKEN = "Acme-Password-1", "OldToken00000000000000001"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture
def server() -> Iterator[Dovecot]:
    """The mail server to which the org mails tokens."""
    try:
        with dovecot() as started:
            yield started
    except Absent as exc:
        pytest.skip(f"{exc}: a night's rotation is NOT TESTED")


@pytest.fixture
def sim(server: Dovecot) -> Iterator[SimulatedOrg]:
    """An org with a user for each application."""
    with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
        org.control.set_profile("Integration", permissions=["ApiEnabled"])
        for name in APPLICATIONS:
            org.control.add_user(
                f"{name}@acme.example",
                PASSWORD,
                security_token=TOKEN,
                profile="Integration",
                email="night@acme.example",
            )
        yield org


def inventory(folder: Path, options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The example's, but that its services are those of this test, and its host and file are local."""
    listed: dict[str, Any] = yaml.safe_load((EXAMPLE / "inventory.yml").read_text())
    hosts = listed["salesforce_applications"]["hosts"]
    hosts["billing-1"]["ansible_connection"] = "local"
    for name, variables in hosts.items():
        (target,) = variables["app_credentials_targets"]
        if name in options:
            target["target_options"] = options[name]
        else:
            target["dest"] = str(folder / "salesforce.env")
    return listed


def test_it_renews_delivers_and_restarts_all_four_and_a_service_that_is_down_the_next_night(
    tmp_path: Path,
    server: Dovecot,
    sim: SimulatedOrg,
    libraries: Path,
    certificates: Any,
    kubernetes: KubernetesApi,
    aws: Aws,
    bao: OpenBao,
) -> None:
    playbook = Playbooks(tmp_path, sim, "process")
    playbook.variables["gatehouse_salesforce_mailbox"] = mailbox_option(server, "night@acme.example")
    playbook.variables["rotate_mail_timeout"] = 30
    env = {"ANSIBLE_COLLECTIONS_PATH": collections_path(), "PYTHONPATH": str(libraries), "HOME": str(tmp_path)}
    kubernetes.add("deployments", "shop", {**DEPLOYMENT, "metadata": {"name": "shop"}})
    listed = inventory(
        tmp_path,
        {
            "shop-cluster": {"host": kubernetes.url, "api_key": kubernetes.token, "ca_cert": str(certificates.ca)},
            "orders-account": aws.options,
            "search-bao": {
                "url": bao.node.url,
                "namespace": NAMESPACE,
                "ca_cert": str(bao.node.certificates.ca),
                "token": bao.root_token,
                "auth_method": "token",
            },
        },
    )
    handlers = yaml.safe_load((EXAMPLE / "handlers.yml").read_text())
    noted = [{"name": each["name"], "ansible.builtin.debug": {"msg": "restarted"}} for each in handlers]
    (tmp_path / "inventory.json").write_text(json.dumps(listed))
    (tmp_path / "handlers.yml").write_text(json.dumps(noted))

    def night(*, ok: bool = True) -> Results:
        kept = open_store(str(playbook.folder / "store"), str(playbook.key_file))
        for name in APPLICATIONS:
            stored = kept.read(name)
            old = dataclasses.replace(stored, secret_since="2026-01-01T00:00:00Z")
            kept.write(old, replaces=stored.version)
        return playbook.run(ROTATE, "-i", str(tmp_path / "inventory.json"), ok=ok, env=env)

    def received() -> dict[str, str]:
        """The token that each application has got."""
        kv = bao.admin().secrets.kv.v2.read_secret_version(path="search/salesforce", mount_point=MOUNT)
        texts = {
            "billing": (tmp_path / "salesforce.env").read_text(),
            "shop": kubernetes.secret("shop", "salesforce")["salesforce.env"],
            "orders": aws.client().get_secret_value(SecretId="orders/salesforce")["SecretString"],
            "search": kv["data"]["data"]["security_token"],
        }
        return {name: next(token for token in tokens() if token in text) for name, text in texts.items()}

    def tokens() -> list[str]:
        return [str(sim.control.user(f"{name}@acme.example")["security_token"]) for name in APPLICATIONS]

    def restarted(results: Results) -> set[str]:
        return {item["task"].removeprefix("Restart ") for item in results if item["task"].startswith("Restart ")}

    playbook(
        [
            {
                "gatehouse.salesforce.credential": {
                    "name": name,
                    "username": f"{name}@acme.example",
                    "password": PASSWORD,
                    "security_token": TOKEN,
                }
            }
            for name in APPLICATIONS
        ]
    )
    first = night()
    assert TOKEN not in tokens() and received() == dict(zip(APPLICATIONS, tokens(), strict=True))
    assert restarted(first) >= {"billing", "orders", "search"}
    template = kubernetes.objects["deployments", "shop", "shop"]["spec"]["template"]
    assert template["metadata"]["annotations"][RESTARTED]

    kubernetes.down = True
    before = tokens()
    second = night(ok=False)
    assert not set(before) & set(tokens()) and restarted(second) >= {"billing", "orders", "search"}
    found = playbook([{"gatehouse.salesforce.credential_info": {}}]).last
    assert found["outdated"] == ["shop-cluster:kubernetes://shop/salesforce"]
    kubernetes.down = False
    playbook.run(ROTATE, "-i", str(tmp_path / "inventory.json"), env=env)
    assert received() == dict(zip(APPLICATIONS, tokens(), strict=True))
    assert not playbook([{"gatehouse.salesforce.credential_info": {}}]).last["outdated"]
    for results in (first, second):
        assert not [secret for secret in (PASSWORD, TOKEN, *before, *tokens()) if secret in results.output]
