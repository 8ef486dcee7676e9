# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the README, of the guides and of the modules' documentation runs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import Playbooks
from tests.processes import ROOT
from tests.simulated_org import SimulatedOrg

README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
PASSWORD, TOKEN = "Example-Password-1", "ExampleToken00000000000001"
USERS = (
    "admin@acme.example",
    "billing@acme.example",
    "billing@acme.example.dev",
    "billing-blue@acme.example",
    "billing-green@acme.example",
)


def examples_of(module: str) -> list[dict[str, Any]]:
    path = f"ansible_collections.gatehouse.salesforce.plugins.modules.{module}"
    found = yaml.safe_load(importlib.import_module(path).EXAMPLES)
    assert isinstance(found, list)
    return found


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def example_org(sim: SimulatedOrg, playbook: Playbooks) -> dict[str, Any]:
    """The org that the examples are about, and the variables that they use."""
    for user in USERS:
        profile = "Standard User" if user.startswith("billing") else "System Administrator"
        sim.control.add_user(user, PASSWORD, security_token=TOKEN, profile=profile)
    # The example of a sandbox credential has no token, so the org trusts this address.
    sim.control.set_org(trusted_ranges=["127.0.0.1", "192.0.2.0-192.0.2.255"])
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    # Administrators are restricted already, to where this run is; otherwise the guard would refuse the example.
    sim.control.set_profile("Admin", login_ip_ranges=["127.0.0.1"])
    playbook(
        [
            {
                "gatehouse.salesforce.credential": {
                    "name": name,
                    "username": username,
                    "password": PASSWORD,
                    "security_token": TOKEN,
                }
            }
            for name, username in (("production-admin", USERS[0]), ("billing", USERS[1]))
        ]
    )
    usual = {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")}
    return {
        **usual,
        "vault_acme_admin_password": PASSWORD,
        "vault_acme_admin_security_token": TOKEN,
        "vault_billing_password": PASSWORD,
        "vault_billing_security_token": TOKEN,
        "vault_billing_sandbox_password": PASSWORD,
        "vault_billing_blue_password": PASSWORD,
        "vault_billing_blue_security_token": TOKEN,
        "vault_billing_green_password": PASSWORD,
        "vault_billing_green_security_token": TOKEN,
        "new_security_token": TOKEN,
        "salesforce_trusted_ip_ranges": ["127.0.0.1", "198.51.100.0/24"],
        "example_folder": str(playbook.folder),
    }


def playbooks_of(page: Path) -> list[dict[str, Any]]:
    """The plays on a page, one after the other, to be run on this host."""
    plays = [play for block in blocks(page, "yaml") if block.startswith("- name") for play in yaml.safe_load(block)]
    return [{**play, "hosts": "localhost"} for play in plays]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(playbook: Playbooks, example_org: dict[str, Any], module: str) -> None:
    tasks = examples_of(module)
    for task in tasks:
        # A real sandbox is out of reach here; everything else of the example stays as it is.
        task.get(f"gatehouse.salesforce.{module}", {}).pop("login_url", None)
    results = playbook(tasks, **example_org)
    assert [item["task"] for item in results] == [task["name"] for task in tasks]
    assert {item["status"] for item in results} == {"ok"}


@pytest.mark.parametrize("page", [README, *GUIDES], ids=lambda page: page.name)
def test_the_playbooks_of_a_page_run_and_the_second_time_change_nothing(
    playbook: Playbooks, example_org: dict[str, Any], page: Path
) -> None:
    plays = playbooks_of(page)
    if not plays:
        assert page.name == "simulated-org.md"
        return
    first = playbook.run(plays, **example_org)
    assert any(item["result"].get("changed") for item in first)
    second = playbook.run(plays, **example_org)
    assert not any(item["result"].get("changed") for item in second)


def test_the_key_that_the_readme_tells_to_make_opens_a_store(playbook: Playbooks, example_org: dict[str, Any]) -> None:
    (script,) = (block for block in blocks(README, "sh") if "generate_key" in block)
    home = playbook.folder / "home"
    home.mkdir()
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(["sh", "-ec", script], env={"HOME": str(home), "PATH": path}, check=True)
    extra = {"gatehouse_salesforce_store_key_file": None, "gatehouse_salesforce_store": None}
    task = {
        "gatehouse.salesforce.credential": {
            "name": "acme-admin",
            "username": USERS[0],
            "password": PASSWORD,
            "security_token": TOKEN,
        }
    }
    playbook([task], env={"HOME": str(home)}, **{**example_org, **extra})
    assert (home / ".local/share/gatehouse/salesforce/acme-admin.json").exists()


def test_the_readmes_first_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(README, "sh"):
        assert set(re.findall(r"^make ([a-z]+)", block, re.MULTILINE)) <= targets
