# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty orgs as inventory hosts, in one run of network_access.yml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

COUNT, FORKS = 50, 10
FAILING = "org07"
PASSWORD, TOKEN = "Many-Orgs-Password-1", "ManyOrgsToken00000000000A"
NAMES = [f"org{number:02}" for number in range(COUNT)]


@pytest.fixture
def sim() -> Iterator[SimulatedOrg]:
    """Fifty orgs, each with an administrator and a range of its own."""
    orgs = [
        {
            "name": name,
            "trusted_ranges": [f"20.0.{number}.1"],
            "users": [{"username": f"admin@{name}.example", "password": PASSWORD, "security_token": TOKEN}],
            "profiles": [{"name": "Admin", "login_ip_ranges": ["127.0.0.1"]}],
        }
        for number, name in enumerate(NAMES)
    ]
    with SimulatedOrg({"orgs": orgs}) as org:
        yield org


@pytest.fixture
def inventory(playbook: Playbooks) -> str:
    """What is declared for all, and what each org has of its own."""
    hosts = {
        name: {
            "gatehouse_salesforce_username": f"admin@{name}.example",
            "network_access_trusted_ip_ranges": ["198.51.100.0/24", f"20.0.{number}.0/24"],
        }
        for number, name in enumerate(NAMES)
    }
    variables = {
        "network_access_state": "exact",
        "network_access_login_ip_ranges": [
            {"profile": "System Administrator", "ranges": ["127.0.0.1", "198.51.100.0/24"], "state": "present"}
        ],
    }
    path = playbook.folder / "inventory.json"
    path.write_text(json.dumps({"salesforce_orgs": {"hosts": hosts, "vars": variables}}))
    return str(path)


def run(playbook: Playbooks, inventory: str, *options: str, ok: bool = True) -> Results:
    book = ROOT / "playbooks" / "network_access.yml"
    # An extra variable would win over each host's own.
    return playbook.run(
        book, "-i", inventory, "--forks", str(FORKS), *options, ok=ok, gatehouse_salesforce_username=None
    )


def changed(results: Results) -> set[str]:
    return {item["host"] for item in results if item["result"].get("changed")}


def profile(org: dict[str, Any]) -> list[str]:
    (admin,) = (item for item in org["profiles"] if item["name"] == "Admin")
    return [item["start"] for item in admin["login_ip_ranges"]]


def test_each_org_gets_what_is_its_own_and_the_failing_one_is_named_and_holds_nobody_up(
    sim: SimulatedOrg, playbook: Playbooks, inventory: str
) -> None:
    sim.control.set_user(f"admin@{FAILING}.example", active=False)
    results = run(playbook, inventory, ok=False)

    failed = [item for item in results if item["status"] == "failed"]
    assert [item["host"] for item in failed] == [FAILING]
    assert "INVALID_LOGIN" in failed[0]["result"]["msg"]
    assert f"fatal: [{FAILING}]: FAILED!" in results.output
    assert changed(results) == set(NAMES) - {FAILING}
    for number, name in enumerate(NAMES):
        org = sim.control.org(name)
        starts = [item["start"] for item in org["trusted_ranges"]]
        if name == FAILING:
            assert starts == [f"20.0.{number}.1"] and profile(org) == ["127.0.0.1"]
        else:
            assert sorted(starts) == sorted(["198.51.100.0", f"20.0.{number}.0"])
            assert profile(org) == ["127.0.0.1", "198.51.100.0"]
    # One login for each org, whatever its tasks; the refused one was not repeated.
    assert sim.control.counts()["login"] == COUNT

    sim.control.set_user(f"admin@{FAILING}.example", active=True)
    # The org says no more of an inactive user than of a wrong password, which is not tried again until that is removed.
    for note in playbook.folder.rglob(".attempts/*"):
        note.unlink()
    assert changed(run(playbook, inventory)) == {FAILING}
    assert changed(run(playbook, inventory)) == set()


def test_the_argument_spec_names_what_is_wrong_in_an_orgs_variables(playbook: Playbooks, inventory: str) -> None:
    wrong = {"network_access_login_ip_ranges": [{"profil": "Admin", "ranges": []}]}
    (playbook.folder / "host_vars").mkdir()
    (playbook.folder / "host_vars" / f"{FAILING}.json").write_text(json.dumps(wrong))
    results = run(playbook, inventory, "--limit", f"{FAILING},org08", "--check", ok=False)
    (failed,) = (item for item in results if item["status"] == "failed")
    assert failed["host"] == FAILING
    assert "profil" in failed["result"]["msg"] and "network_access_login_ip_ranges" in failed["result"]["msg"]
