# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook init: what a newcomer has after it, and what it does not touch."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.support.tasks import NOBODY

pytestmark = pytest.mark.ansible

INIT, SITE, REPORT = (ROOT / "playbooks" / f"{name}.yml" for name in ("init", "site", "report"))
USER, PASSWORD, TOKEN = "boss@acme.example", "Gate{{ 1 }}'\"#: Canary", "CanaryToken00000000000001"


@pytest.fixture
def answers(sim: SimulatedOrg, playbook: Playbooks) -> dict[str, Any]:
    """What a newcomer answers, where nothing is stored yet."""
    sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="System Administrator")
    sim.control.set_org(trusted_ranges=["192.0.2.0-192.0.2.255"])
    playbook.key_file.unlink()
    return {
        **NOBODY,
        "gatehouse_salesforce_login_url": None,
        "init_org": "acme",
        "init_login_url": sim.url,
        "init_username": USER,
        "init_password": {"__ansible_unsafe": PASSWORD},
        "init_security_token": TOKEN,
        "init_vault_password_file": str(playbook.folder / "vault-password"),
    }


def written(playbook: Playbooks) -> dict[str, str]:
    """The files of the project, by name."""
    folder = playbook.folder / "salesforce"
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def go_on(playbook: Playbooks, *options: str, book: Path = SITE) -> Results:
    """Run a playbook in the project, where the inventory says all that it needs."""
    folder = playbook.folder / "salesforce"
    nothing: dict[str, Any] = dict.fromkeys(playbook.variables)
    options = (
        "-i",
        str(folder / "inventory"),
        "--vault-password-file",
        str(playbook.folder / "vault-password"),
        *options,
    )
    return playbook.run(book, *options, **nothing)


def test_after_it_the_site_playbook_finds_everything_as_it_is(
    sim: SimulatedOrg, playbook: Playbooks, answers: dict[str, Any]
) -> None:
    playbook.run(INIT, "--check", **answers)
    assert not (playbook.folder / "salesforce").exists() and sim.control.counts() == {}
    results = playbook.run(INIT, "-vvv", **answers)
    assert sim.control.counts()["login"] == 1
    assert any(text.startswith("Next: cd ") for text in results.last["msg"])
    assert f"Back up {playbook.key_file} and {playbook.folder / 'vault-password'}: " in "".join(results.last["msg"])
    again = go_on(playbook)
    assert not any(item["result"].get("changed") for item in again)
    assert PASSWORD not in results.output + again.output and TOKEN not in results.output + again.output
    files = written(playbook)
    assert sorted(files) == [
        "ansible.cfg",
        "inventory/acme.yml",
        "inventory/host_vars/acme/main.yml",
        "inventory/host_vars/acme/network_access.yml",
        "inventory/host_vars/acme/secrets.yml",
    ]
    assert "192.0.2.0/24" in files["inventory/host_vars/acme/network_access.yml"]
    assert not any("Canary" in content for content in files.values())


def test_a_report_is_written_beside_the_inventory_and_not_into_what_ansible_reads_as_one(
    playbook: Playbooks, answers: dict[str, Any]
) -> None:
    playbook.run(INIT, **answers)
    before = written(playbook)
    go_on(playbook, book=REPORT)
    new = set(written(playbook)) - set(before)
    assert "access-report/report.html" in new and {Path(name).parts[0] for name in new} == {"access-report"}


def test_its_secrets_open_with_the_vault_password_and_nobody_else_can_read_either(
    playbook: Playbooks, answers: dict[str, Any]
) -> None:
    playbook.run(INIT, **answers)
    secrets = playbook.folder / "salesforce" / "inventory" / "host_vars" / "acme" / "secrets.yml"
    private = (secrets, playbook.folder / "vault-password", playbook.key_file)
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    password = (playbook.folder / "vault-password").read_bytes().strip()
    plain = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(password))]).decrypt(secrets.read_bytes()).decode()
    found = yaml.safe_load(plain.replace("!unsafe ", ""))
    assert found == {"vault_acme_admin_password": PASSWORD, "vault_acme_admin_security_token": TOKEN}


def test_an_org_that_is_there_is_left_alone_and_another_one_goes_beside_it(
    sim: SimulatedOrg, playbook: Playbooks, answers: dict[str, Any]
) -> None:
    playbook.run(INIT, **answers)
    before = written(playbook)
    refused = playbook.run(INIT, ok=False, **answers)
    assert refused.last["msg"].startswith("acme is set up in ")
    assert written(playbook) == before
    playbook.run(INIT, **{**answers, "init_org": "globex"})
    after = written(playbook)
    assert {name: after[name] for name in before} == before
    assert {"inventory/globex.yml", "inventory/host_vars/globex/main.yml"} <= set(after)


def test_with_a_wrong_password_nothing_is_written_and_the_error_says_why(
    playbook: Playbooks, answers: dict[str, Any]
) -> None:
    results = playbook.run(INIT, ok=False, **{**answers, "init_password": "Not-The-Password-1"})
    assert results.last["verification"]["cause"] == "invalid_credentials"
    assert not (playbook.folder / "salesforce").exists()
    assert not (playbook.folder / "vault-password").exists()
    playbook.run(INIT, **answers)


def test_without_answers_and_without_a_terminal_it_says_what_to_give(playbook: Playbooks) -> None:
    results = playbook.run(INIT, ok=False, **NOBODY)
    assert "init_username and init_password are needed" in results.output
    assert not (playbook.folder / "salesforce").exists()


def test_a_program_is_no_password_file(playbook: Playbooks, answers: dict[str, Any], tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho secret\n")
    program.chmod(0o700)
    results = playbook.run(INIT, ok=False, **{**answers, "init_vault_password_file": str(program)})
    assert results.last["msg"].startswith("init_vault_password_file: ")
