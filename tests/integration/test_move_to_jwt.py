# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook move_to_jwt: a credential leaves its security token behind, but not before the key works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT
from tests.unit.simulator.apps import key_pair

pytestmark = pytest.mark.ansible

USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "BillingToken0000000000001"
BOOK = ROOT / "playbooks" / "move_to_jwt.yml"


@pytest.fixture
def key_file(sim: SimulatedOrg, playbook: Playbooks, tmp_path: Path) -> Path:
    """The key and certificate of an app that is approved for the user, whose credential still is by token."""
    private_key, certificate = key_pair()
    file = tmp_path / "billing.pem"
    file.touch(mode=0o600)
    file.write_text(private_key)
    file.with_suffix(".crt").write_text(certificate)
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Integration")
    sim.control.add_app("invented-key", certificate=certificate, approved_users=[USER])
    sim.control.set_org(instance_url=sim.url)
    options = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN}
    playbook([{"gatehouse.salesforce.credential": options}])
    sim.control.clear_requests()
    return file


def move(playbook: Playbooks, key_file: Path, *options: str, ok: bool = True) -> Results:
    usual = {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token", "login_url")}
    return playbook.run(
        BOOK,
        *options,
        ok=ok,
        move_credential="billing",
        move_consumer_key="invented-key",
        move_private_key=str(key_file),
        **usual,
    )


def stored(playbook: Playbooks) -> dict[str, Any]:
    (found,) = playbook([{"gatehouse.salesforce.credential_info": {"names": ["billing"]}}]).last["credentials"]
    return dict(found)


def test_one_run_moves_it_by_one_login_and_a_second_does_nothing(
    sim: SimulatedOrg, playbook: Playbooks, key_file: Path
) -> None:
    assert move(playbook, key_file).last["changed"] is True
    assert sum(sim.control.counts().values()) == 1
    found = stored(playbook)
    assert (found["auth"], found["version"], found["secrets"]) == ("jwt_bearer", 2, ["private_key"])
    assert found["verification"]["result"] == "ok" and found["retirement"] == []
    sim.control.clear_requests()
    assert move(playbook, key_file).last["changed"] is False
    assert sim.control.counts() == {}


def test_the_old_version_stays_and_works_where_the_new_one_is_refused(
    sim: SimulatedOrg, playbook: Playbooks, key_file: Path
) -> None:
    sim.control.set_app("invented-key", approved_users=[])
    assert move(playbook, key_file, ok=False).last["verification"]["cause"] == "not_approved"
    found = stored(playbook)
    assert (found["auth"], found["version"]) == ("security_token", 1)
    seen = playbook([{"gatehouse.salesforce.login_check": {"credential": "billing"}}]).last
    assert seen["verification"]["cause"] == "ok"


def test_a_key_that_is_made_here_waits_for_its_certificate_to_be_uploaded(
    sim: SimulatedOrg, playbook: Playbooks, key_file: Path
) -> None:
    new = key_file.with_name("new.pem")
    assert "new.crt" in move(playbook, new, ok=False).last["msg"]
    assert sim.control.counts() == {} and stored(playbook)["version"] == 1
    sim.control.set_app("invented-key", certificate=new.with_suffix(".crt").read_text())
    move(playbook, new)
    assert stored(playbook)["auth"] == "jwt_bearer"


def test_check_mode_tells_and_changes_nothing(sim: SimulatedOrg, playbook: Playbooks, key_file: Path) -> None:
    results = move(playbook, key_file, "--check", "--diff")
    assert results.last["changed"] is True
    assert PASSWORD not in results.output and "PRIVATE KEY" not in results.output
    assert sim.control.counts() == {} and stored(playbook)["version"] == 1
