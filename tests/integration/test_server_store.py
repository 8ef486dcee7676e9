# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules, lookups and roles with their credentials on a real key-value server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.openbao import MOUNT, OpenBao
from tests.support.plays import Playbooks
from tests.support.tasks import NOBODY, seen, store, use

pytestmark = pytest.mark.ansible

PASSWORD = "lookup('gatehouse.salesforce.login_password', 'billing')"


def variables(options: dict[str, str]) -> dict[str, Any]:
    """The options as variables, without whose user name nothing is inline."""
    return {**NOBODY, **{f"gatehouse_salesforce_{name}": value for name, value in options.items()}}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, playbook: Playbooks) -> None:
    """Sessions stay in this test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(playbook.folder / "cache"))


def test_a_credential_is_declared_used_listed_and_forgotten(
    sim: SimulatedOrg, playbook: Playbooks, bao: OpenBao
) -> None:
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"credential": "billing", "ranges": ["192.0.2.1"]}}
    listed: dict[str, Any] = {"gatehouse.salesforce.credential_info": {}}
    there = variables(bao.by_role)
    first = playbook([store(sim), use(PASSWORD), ranges, listed], **there)
    assert first.of("store")["changed"] is True
    assert seen(first) == sim.admin.login_password
    assert [each["name"] for each in first.last["credentials"]] == ["billing"]
    assert sim.control.counts()["login"] == 1

    again = playbook([store(sim), ranges], **there)
    assert [item["result"]["changed"] for item in again] == [False, False]
    assert sim.control.counts()["login"] == 1
    assert not (playbook.folder / "store").exists()

    forget = {"gatehouse.salesforce.credential": {"name": "billing", "state": "absent"}}
    assert playbook([forget], **there).last["changed"] is True
    assert playbook([use(PASSWORD)], ok=False, **there).output.count("no credential 'billing'")


def test_the_environment_and_the_role_lead_there_too(sim: SimulatedOrg, playbook: Playbooks, bao: OpenBao) -> None:
    declared = dict(store(sim)["gatehouse.salesforce.credential"])
    by_role = {**declared, **bao.options}
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["gatehouse.salesforce.credentials"]}
    nowhere = {**NOBODY, "gatehouse_salesforce_store": None}
    playbook.run([play], credentials_declared=[by_role], **nowhere)
    env = {f"GATEHOUSE_{name.upper()}": value for name, value in bao.options.items() if name != "store_token"}
    found = playbook([use(PASSWORD)], env={**env, "VAULT_TOKEN": bao.token}, **nowhere)
    assert seen(found) == sim.admin.login_password


def test_an_address_changed_on_the_server_is_refused_and_nothing_is_sent(
    sim: SimulatedOrg, playbook: Playbooks, bao: OpenBao
) -> None:
    there = variables(bao.options)
    playbook([store(sim)], **there)
    sim.control.clear_requests()
    kv = bao.admin().secrets.kv.v2
    content = kv.read_secret_version(f"{bao.path}/billing", mount_point=MOUNT, raise_on_deleted_version=True)
    changed = json.loads(json.dumps(content["data"]["data"]).replace("https://localhost", "https://l0calhost"))
    kv.create_or_update_secret(f"{bao.path}/billing", changed, mount_point=MOUNT)
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"credential": "billing", "ranges": ["192.0.2.1"]}}
    assert "tampered" in playbook([ranges], ok=False, **there).last["msg"]
    assert sim.control.counts() == {}


def test_no_secret_of_the_server_shows_at_any_verbosity(sim: SimulatedOrg, playbook: Playbooks, bao: OpenBao) -> None:
    options = {**bao.options, "store_token": "s.CanaryOfTheServer"}
    task = {"gatehouse.salesforce.credential": {**store(sim)["gatehouse.salesforce.credential"], **options}}
    result = playbook([task], "-vvvvv", ok=False, **NOBODY)
    assert "permission denied" in result.last["msg"]
    assert "CanaryOfTheServer" not in result.output + json.dumps(result)


def test_where_nothing_can_be_kept_sessions_last_as_long_as_the_run(
    sim: SimulatedOrg, playbook: Playbooks, bao: OpenBao, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose file system is read-only."""
    there = variables(bao.by_role)
    playbook([store(sim)], **there)
    sim.control.clear_requests()
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"credential": "billing", "ranges": ["192.0.2.1"]}}
    results = playbook([ranges, ranges], **there)
    assert [item["result"]["changed"] for item in results] == [True, False]
    assert sim.control.counts()["login"] == 1
