# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and playbook report, and the playbook drift."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT

pytestmark = pytest.mark.ansible

REPORT, DRIFT = ROOT / "playbooks" / "report.yml", ROOT / "playbooks" / "drift.yml"
OFFICE, FARM = "20.0.0.0/24", "20.0.1.0/24"


@pytest.fixture
def inventory(sim: SimulatedOrg, playbook: Playbooks) -> Path:
    """An org that declares one of its two ranges and a credential, and an org that refuses the login."""
    sim.control.set_org(trusted_ranges=[OFFICE, FARM])
    admin = sim.admin
    declared = {
        "name": "acme-admin",
        "username": admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
    }
    acme = {
        "network_access_trusted_ip_ranges": [OFFICE],
        "network_access_state": "exact",
        "credentials_declared": [declared, {"name": "former", "state": "absent"}],
    }
    closed = {"gatehouse_salesforce_username": "nobody@closed.example", "gatehouse_salesforce_password": "Invented-1"}
    path = playbook.folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"salesforce_orgs": {"hosts": {"acme": acme, "closed": closed}}}))
    return path


def run(playbook: Playbooks, book: Path, inventory: Path, *options: str, ok: bool = True, **extra: Any) -> Results:
    variables = {"gatehouse_salesforce_username": None, "gatehouse_salesforce_password": None}
    admin = {name: playbook.variables[name] for name in variables}
    known = yaml.safe_load(inventory.read_text())
    known["salesforce_orgs"]["vars"] = admin
    inventory.write_text(yaml.safe_dump(known))
    return playbook.run(book, "-i", str(inventory), *options, ok=ok, **variables, **extra)


def test_a_report_is_written_on_all_orgs_and_on_one_that_refuses_the_login(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path
) -> None:
    known = yaml.safe_load(inventory.read_text())
    known["salesforce_orgs"]["hosts"]["odd"] = {"network_access_state": "{{ 1 // 0 }}"}
    inventory.write_text(yaml.safe_dump(known))
    results = run(playbook, REPORT, inventory, ok=False)
    folder = inventory.parent / "access-report"
    found = json.loads((folder / "report.json").read_text())
    assert {org["name"]: bool(org["access"]) for org in found["orgs"]} == {"acme": True, "closed": False, "odd": True}
    assert [(one["rule"], one["org"]) for one in found["findings"] if one["severity"] == "error"] == [
        ("unreadable", "closed")
    ]
    drift = {one["subject"] for one in found["findings"] if one["rule"] == "drift"}
    assert drift == {f"trusted IP ranges: {FARM}", "credential acme-admin"}
    assert "Could not be read: closed" in results.output
    assert stat.S_IMODE((folder / "report.html").stat().st_mode) == 0o600
    assert sim.admin.password not in "".join(file.read_text() for file in folder.iterdir())
    assert sim.admin.security_token not in "".join(file.read_text() for file in folder.iterdir())
    assert set(sim.control.counts()) <= {"login", "query", "readMetadata", "listMetadata", "versions"}


def test_the_next_report_says_since_when_and_what_changed_and_fails_where_asked(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path
) -> None:
    file = inventory.parent / "elsewhere" / "report.json"
    known = yaml.safe_load(inventory.read_text())
    known["salesforce_orgs"]["hosts"]["acme"]["report_dest"] = str(file.parent)
    inventory.write_text(yaml.safe_dump(known))
    run(playbook, REPORT, inventory, "--limit", "acme")
    first = json.loads(file.read_text())
    for finding in first["findings"]:
        finding["since"] = "2026-01-01"
    file.write_text(json.dumps(first))
    sim.control.add_trusted_range("20.0.2.0/24", by=sim.admin.username)
    results = run(playbook, REPORT, inventory, "--limit", "acme", ok=False, report_fail_on="warning")
    found = json.loads(file.read_text())
    since = {one["subject"]: one["since"] for one in found["findings"] if one["rule"] == "drift"}
    assert since[f"trusted IP ranges: {FARM}"] == "2026-01-01" < since["trusted IP ranges: 20.0.2.0/24"]
    (change,) = (one for one in found["changes"] if "20.0.2.0/24 added" in one["what"])
    assert change["who"] == sim.admin.username
    assert "is there, and not declared so" in results.output


def test_drift_changes_nothing_and_says_by_exit_status_and_json_what_differs(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path
) -> None:
    target = playbook.folder / "drift.json"
    results = run(playbook, DRIFT, inventory, "--limit", "acme,closed", ok=False, drift_file=str(target))
    found = json.loads(target.read_text())
    assert found["differs"] is True
    assert found["hosts"]["acme"]["differences"] == ["credential acme-admin", f"trusted IP ranges: to remove {FARM}"]
    assert found["hosts"]["closed"]["differences"] == [] and found["hosts"]["closed"]["problems"] == []
    assert f"acme: credential acme-admin; trusted IP ranges: to remove {FARM}." in results.output
    assert results.returncode == 2 and not list((playbook.folder / "store").glob("*.json"))
    assert "updateMetadata" not in sim.control.counts()


def test_drift_of_applications_is_that_of_their_files(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    known = yaml.safe_load(inventory.read_text())
    declared = known["salesforce_orgs"]["hosts"]["acme"]["credentials_declared"][0]
    playbook([{"gatehouse.salesforce.credential": declared}])
    files = [{"credential": name, "dest": str(playbook.folder / f"{name}.env")} for name in ("acme-admin", "ghost")]
    app = {"ansible_connection": "local", "app_credentials_targets": files}
    acme = {"credentials_declared": [declared], "network_access_trusted_ip_ranges": [OFFICE, FARM, "20.0.2.0/24"]}
    known["salesforce_orgs"]["hosts"] = {"acme": acme}
    inventory.write_text(yaml.safe_dump({**known, "salesforce_applications": {"hosts": {"app1": app, "acme": app}}}))
    target = playbook.folder / "drift.json"
    run(playbook, DRIFT, inventory, ok=False, drift_file=str(target))
    found = json.loads(target.read_text())["hosts"]
    assert found["app1"]["differences"] == [f"file {playbook.folder}/acme-admin.env"]
    assert found["acme"]["differences"] == ["trusted IP ranges: to add 20.0.2.0/24", *found["app1"]["differences"]]
    (problem,) = found["app1"]["problems"]
    assert "ghost" in problem and not (playbook.folder / "acme-admin.env").exists()


def test_without_drift_the_exit_status_is_0(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    known = yaml.safe_load(inventory.read_text())
    acme = known["salesforce_orgs"]["hosts"]["acme"]
    known["salesforce_orgs"]["hosts"] = {"acme": {**acme, "network_access_state": "present"}}
    del known["salesforce_orgs"]["hosts"]["acme"]["credentials_declared"]
    inventory.write_text(yaml.safe_dump(known))
    target = playbook.folder / "drift.json"
    run(playbook, DRIFT, inventory, drift_file=str(target))
    assert json.loads(target.read_text()) == {
        "differs": False,
        "hosts": {"acme": {"differences": [], "problems": []}},
    }


def test_an_inventory_without_orgs_and_applications_is_no_success(playbook: Playbooks) -> None:
    inventory = playbook.folder / "empty.yml"
    inventory.write_text("all: {}\n")
    assert "nothing to compare" in playbook.run(DRIFT, "-i", str(inventory), ok=False).output
