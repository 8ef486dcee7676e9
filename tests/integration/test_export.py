# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there to code: the playbook export.yml, and the playbook network_access.yml on what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT

pytestmark = pytest.mark.ansible

EXPORT = ROOT / "playbooks" / "export.yml"
NETWORK_ACCESS = ROOT / "playbooks" / "network_access.yml"
SALES = "Sales: 'North' # 1"
# What somebody may have typed in Setup.
TEXTS = [
    "Office",
    "{{ lookup('ansible.builtin.pipe', 'touch taken-over') }}",
    "{% raw %}{# no comment",
    "key: value # no comment",
    "- 'quotes' and \"more\" & <tags> \\ \t",
    "Zürich \N{PARTY POPPER} \N{LINE SEPARATOR}|\N{NO-BREAK SPACE}|",
    "!unsafe",
    "yes",
    "null",
    "x" * 255,
    "CI runner (expires 2036-11-24T22:10Z)",
]


@pytest.fixture
def inventory(playbook: Playbooks) -> Path:
    path = playbook.folder / "inventory.yml"
    path.write_text("salesforce_orgs:\n  hosts:\n    acme:\n")
    return path


def export(playbook: Playbooks, inventory: Path, **variables: Any) -> Results:
    return playbook.run(EXPORT, "-i", str(inventory), **variables)


def written(inventory: Path) -> Path:
    return inventory.parent / "host_vars" / "acme" / "network_access.yml"


@pytest.mark.parametrize("state", ["present", "exact"])
def test_the_run_after_an_export_changes_nothing(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path, state: str
) -> None:
    trusted = [
        {"start": f"20.0.0.{number}", "end": "20.0.1.0", "description": text} for number, text in enumerate(TEXTS)
    ]
    sim.control.set_org(trusted_ranges=[*trusted, "20.0.3.0/24", "2001:db8::", "2001:db8:1::-2001:db8:1::5"])
    sim.control.set_profile("Admin", login_ip_ranges=["127.0.0.1", trusted[1]])
    sim.control.set_profile("Sales", label=SALES, login_ip_ranges=["20.0.0.1"])
    export(playbook, inventory)
    before = sim.control.org()
    sim.control.clear_requests()

    results = playbook.run(NETWORK_ACCESS, "-i", str(inventory), "--diff", network_access_state=state)
    declared = [item for item in results if item["task"].endswith(("Declare the trusted IP ranges", "of profiles"))]
    assert [item["status"] for item in declared] == ["ok", "ok"]
    assert not any(item["result"]["changed"] for item in declared)
    assert "updateMetadata" not in sim.control.counts()
    assert sim.control.org() == before
    assert not (playbook.folder / "taken-over").exists() and not (written(inventory).parent / "taken-over").exists()


def test_a_second_export_of_the_same_changes_no_file(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    sim.control.set_org(trusted_ranges=["20.0.0.1"])
    assert export(playbook, inventory).last["changed"] is True
    assert export(playbook, inventory).last["changed"] is False


def test_the_file_is_what_a_person_would_write(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    office = {"start": "20.0.0.0", "end": "20.0.0.255", "description": "Office"}
    sim.control.set_org(trusted_ranges=[office, "2001:db8::1"])
    sim.control.set_profile("Admin", login_ip_ranges=[office, "127.0.0.1"])
    export(playbook, inventory)
    assert written(inventory).read_text().splitlines()[3:] == [
        "network_access_trusted_ip_ranges:",
        '  - range: "20.0.0.0/24"',
        '    description: "Office"',
        '  - range: "2001:db8::1"',
        "network_access_login_ip_ranges:",
        '  - profile: "System Administrator"',
        "    ranges:",
        '      - range: "20.0.0.0/24"',
        '        description: "Office"',
        '      - range: "127.0.0.1"',
    ]


def test_an_org_without_ranges_is_written_as_such(playbook: Playbooks, inventory: Path) -> None:
    export(playbook, inventory)
    assert yaml.safe_load(written(inventory).read_text()) == {
        "network_access_trusted_ip_ranges": [],
        "network_access_login_ip_ranges": [],
    }


def test_a_range_that_the_org_holds_twice_is_written_once_and_both_stay(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path
) -> None:
    twice = [{"start": "20.0.0.1", "end": "20.0.0.1", "description": text} for text in ("a", "b")]
    sim.control.set_org(trusted_ranges=twice)
    export(playbook, inventory)
    playbook.run(NETWORK_ACCESS, "-i", str(inventory))
    assert [item["description"] for item in sim.control.org()["trusted_ranges"]] == ["a", "b"]


def test_an_org_over_todays_limit_stays_as_it_is(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    sim.control.set_org(trusted_ranges=["20.0.0.0/7"])
    export(playbook, inventory)
    assert playbook.run(NETWORK_ACCESS, "-i", str(inventory), network_access_state="exact").last["changed"] is False


def test_files_go_where_one_wants_them(playbook: Playbooks, inventory: Path, tmp_path: Path) -> None:
    export(playbook, inventory, export_folder=str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "acme" / "network_access.yml").exists()
    assert not written(inventory).exists()


def test_profiles_may_be_chosen(sim: SimulatedOrg, playbook: Playbooks, inventory: Path) -> None:
    for name in ("Admin", "Standard"):
        sim.control.set_profile(name, login_ip_ranges=["127.0.0.1"])
    export(playbook, inventory, export_profiles=["Standard User"])
    exported = yaml.safe_load(written(inventory).read_text())["network_access_login_ip_ranges"]
    assert [item["profile"] for item in exported] == ["Standard User"]


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".json"])
def test_a_file_of_variables_is_not_hidden_by_a_folder_of_the_same_name(
    sim: SimulatedOrg, playbook: Playbooks, inventory: Path, suffix: str
) -> None:
    """Ansible reads one of the two."""
    folder = inventory.parent / "host_vars"
    folder.mkdir()
    (folder / f"acme{suffix}").write_text("{}")
    failed = playbook.run(EXPORT, "-i", str(inventory), ok=False).last
    assert f"{folder}/acme{suffix} exists, and Ansible would no longer read it" in str(failed)
    assert not (folder / "acme").exists() and sim.control.counts() == {}
