# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials reach clusters and secret managers as the guide says: only where they differ, and with nothing shown.

Each run is at C(-vvvv) with C(--diff), and none may show a secret.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.targets.aws import Aws
from tests.targets.deliveries import HANDLER, Deliveries, block, target
from tests.targets.google_secret_manager import PERMISSIONS, PROJECT, GoogleSecretManager, Version
from tests.targets.key_vault import TENANT, KeyVault
from tests.targets.kubernetes_api import KubernetesApi

pytestmark = pytest.mark.ansible

RESTARTED = "kubectl.kubernetes.io/restartedAt"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "billing"},
    "spec": {
        "selector": {"matchLabels": {"app": "billing"}},
        "template": {
            "metadata": {"labels": {"app": "billing"}},
            "spec": {"containers": [{"name": "billing", "image": "registry.example/billing"}]},
        },
    },
}


def changed(entries: list[Any]) -> list[bool]:
    return [entry["changed"] for entry in entries]


def in_cluster(api: KubernetesApi, ca_path: Path) -> dict[str, Any]:
    """The guide's target in a cluster that permits what the guide's Role does, with a Deployment to restart."""
    api.rules = yaml.safe_load(block("yaml", "# role.yml"))["rules"]
    api.add("deployments", "shop", DEPLOYMENT)
    return target("kubernetes", host=api.url, api_key=api.token, ca_cert=str(ca_path))


def restarted(api: KubernetesApi) -> str | None:
    template = api.objects["deployments", "shop", "billing"]["spec"]["template"]
    return dict(template["metadata"].get("annotations") or {}).get(RESTARTED)


def test_a_secret_of_kubernetes_is_applied_with_what_its_deployment_reads_and_that_is_rolled_out(
    deliver: Deliveries, kubernetes: KubernetesApi, certificates: Any
) -> None:
    there = in_cluster(kubernetes, certificates.ca)
    key = ("secrets", "shop", "billing-salesforce")
    assert changed(deliver(there)) == [True]
    assert "CanaryToken" in kubernetes.secret(*key[1:])["salesforce.env"] and restarted(kubernetes)

    # Nothing has changed, and one request shows it.
    kubernetes.asked()
    assert changed(deliver(there)) == [False]
    assert kubernetes.asked() == ["GET /api/v1/namespaces/shop/secrets/billing-salesforce"]

    # Somebody else edits it, and adds a key of his own.
    found = kubernetes.objects[key]
    theirs = {**found["data"], "salesforce.env": base64.b64encode(b"theirs").decode(), "more": "eA=="}
    kubernetes.add("secrets", "shop", {**found, "data": theirs})
    assert changed(deliver(there)) == [True]
    data = kubernetes.secret(*key[1:])
    assert "CanaryToken" in data["salesforce.env"] and data["more"] == "x"

    # A run in check mode says what it would do, and does nothing.
    token = deliver.put(2)
    before, rolled_out = kubernetes.objects[key], restarted(kubernetes)
    assert changed(deliver(there, options=("--check",))) == [True]
    assert kubernetes.objects[key] == before and restarted(kubernetes) == rolled_out
    assert changed(deliver(there)) == [True]
    assert token in kubernetes.secret(*key[1:])["salesforce.env"]

    # What others have in it stays when it is removed.
    assert changed(deliver({**there, "state": "absent"})) == [True]
    assert kubernetes.secret(*key[1:]) == {"more": "x"}


def test_a_deployment_that_is_not_there_is_named_and_rolled_out_once_it_is(
    deliver: Deliveries, kubernetes: KubernetesApi, certificates: Any
) -> None:
    there = in_cluster(kubernetes, certificates.ca)
    del kubernetes.objects["deployments", "shop", "billing"]
    deliver(there, ok=False)
    assert "billing" in deliver.output
    kubernetes.add("deployments", "shop", DEPLOYMENT)
    deliver(there)
    assert restarted(kubernetes)


def test_aws_gets_a_version_and_keeps_the_resource_policy_of_others(deliver: Deliveries, aws: Aws) -> None:
    policy, client = json.loads(block("json", "{")), aws.client()
    name = target("aws_secrets_manager")["dest"]

    def run(**more: str) -> list[bool]:
        with aws.permit(policy) as options:
            return changed(deliver({**target("aws_secrets_manager", **options), **more}))

    def value() -> str:
        return str(client.get_secret_value(SecretId=name)["SecretString"])

    assert run() == [True] and HANDLER in deliver.output and "CanaryToken" in value()

    # Nothing has changed, and one request shows it.
    with aws.permit(policy) as options:
        aws.count()
        assert changed(deliver(target("aws_secrets_manager", **options))) == [False]
        assert aws.count() == 1

    # Somebody else writes it, and lets another account read it.
    client.put_secret_value(SecretId=name, SecretString="theirs")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    client.put_resource_policy(SecretId=name, ResourcePolicy=json.dumps({**policy, "Statement": [statement]}))
    assert run() == [True] and "CanaryToken" in value()
    assert json.loads(client.get_resource_policy(SecretId=name)["ResourcePolicy"])["Statement"] == [statement]

    # What was removed is restored.
    assert run(state="absent") == [True] and "DeletedDate" in client.describe_secret(SecretId=name)
    assert run() == [True] and "CanaryToken" in value()


def test_the_parameter_store_gets_a_version_by_the_tasks_of_the_guide(
    deliver: Deliveries, aws: Aws, tmp_path: Path
) -> None:
    tasks = tmp_path / "parameter_store.yml"
    tasks.write_text(block("yaml", "# parameter_store.yml"))
    there = {
        "credential": "billing",
        "target": "tasks",
        "tasks": str(tasks),
        "dest": "/billing/salesforce",
        "format": "json",
        "notify": ["Restart billing"],
        "target_options": aws.options,
    }

    def parameter() -> str:
        found = aws.client("ssm").get_parameters(Names=["/billing/salesforce"], WithDecryption=True)["Parameters"]
        assert all(each["Type"] == "SecureString" for each in found)
        return "".join(each["Value"] for each in found)

    assert changed(deliver(there)) == [True] and "CanaryToken" in parameter()
    assert changed(deliver(there)) == [False]
    aws.client("ssm").put_parameter(Name="/billing/salesforce", Value="theirs", Type="SecureString", Overwrite=True)
    assert changed(deliver(there)) == [True] and "CanaryToken" in parameter()
    assert changed(deliver({**there, "state": "absent"})) == [True] and not parameter()


def test_a_service_that_is_down_holds_up_only_its_own_consumers_and_the_next_run_finishes_them(
    deliver: Deliveries, kubernetes: KubernetesApi, aws: Aws, certificates: Any
) -> None:
    cluster, secret = in_cluster(kubernetes, certificates.ca), target("aws_secrets_manager", **aws.options)
    kubernetes.down = True
    assert changed(deliver(cluster, secret, ok=False)) == [False, True]
    assert HANDLER in deliver.output and "billing-salesforce" in deliver.output
    kubernetes.down = False
    assert changed(deliver(cluster, secret)) == [True, False]
    assert restarted(kubernetes)


def test_google_gets_a_version_once_and_another_when_somebody_else_has_added_one(
    deliver: Deliveries, google: GoogleSecretManager, tmp_path: Path
) -> None:
    google.permissions = set(block("text", "secretmanager.").split())
    assert google.permissions <= set(PERMISSIONS.values())
    account = tmp_path / "service-account.json"
    account.write_text(json.dumps(google.service_account))
    there = target(
        "google_secret_manager", project=PROJECT, auth_kind="serviceaccount", service_account_file=str(account)
    )
    assert changed(deliver(there)) == [True]
    (versions,) = google.secrets.values()
    assert [("CanaryToken" in version.value) for version in versions] == [True]
    google.asked()
    assert changed(deliver(there)) == [False]
    assert google.asked() == ["POST /token", "GET /v1/projects/shop/secrets/billing-salesforce/versions/latest"]
    versions.append(Version("theirs"))
    assert changed(deliver(there)) == [True]
    assert [("CanaryToken" in version.value) for version in versions] == [True, False, True]
    assert changed(deliver({**there, "state": "absent"})) == [True]
    assert not google.secrets


@pytest.mark.parametrize("lists_nothing", [False, True])
def test_a_vault_gets_a_version_once_and_another_when_somebody_else_has_written_one(
    deliver: Deliveries, vault: KeyVault, *, lists_nothing: bool
) -> None:
    vault.lists_nothing = lists_nothing
    there = target(
        "azure_key_vault", tenant=TENANT, client_id=vault.client_id, secret=vault.client_secret, subscription_id=TENANT
    )
    assert changed(deliver(there)) == [True]
    (name,) = vault.secrets
    assert "CanaryToken" in vault.secrets[name][-1].value
    if lists_nothing:
        return

    # The first request asks who is to give the token, as the libraries of Azure do each time.
    vault.asked()
    assert changed(deliver(there)) == [False]
    assert [request for request in vault.asked() if "/secrets/" in request] == [f"GET /secrets/{name}/versions"] * 2

    vault.add(name, "theirs")
    assert changed(deliver(there)) == [True]
    assert "CanaryToken" in vault.secrets[name][-1].value

    # What was removed keeps its name, and is recovered.
    assert changed(deliver({**there, "state": "absent"})) == [True] and name in vault.deleted
    assert changed(deliver(there)) == [True] and name not in vault.deleted
    assert "CanaryToken" in vault.secrets[name][-1].value

    vault.down = True
    deliver(there, ok=False)
    assert "Did not find secret versions" in deliver.output
