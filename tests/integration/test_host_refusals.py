# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that somebody has taken over says that the org refuses a login; a wrong secret is still tried once only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_login_check import PASSWORD, TOKEN, USER, by_host, causes, check, prepare, run
from tests.simulated_org import SimulatedOrg
from tests.support.deployments import DELIVER
from tests.support.plays import Playbooks

pytestmark = pytest.mark.ansible

GOOD = ["web1", "web2", "web3"]
STANDBY = f"green-{USER}"
CODES = {
    "INVALID_LOGIN": "invalid_credentials",
    "PASSWORD_LOCKOUT": "user_locked",
    "REQUEST_LIMIT_EXCEEDED": "rate_limited",
}


@pytest.fixture(autouse=True)
def prepared(sim: SimulatedOrg, playbook: Playbooks) -> None:
    prepare(sim, playbook)


def fleet(playbook: Playbooks, **answer: Any) -> dict[str, dict[str, Any]]:
    """Return three good hosts, and before them one whose Python answers what it is told to."""
    folder = playbook.folder
    (folder / "evil.answer").write_text(json.dumps(answer))
    (folder / "evil.python").write_text(f"#!/bin/sh\ncat > {folder}/evil.got\ncat {folder}/evil.answer\n")
    (folder / "evil.python").chmod(0o755)
    evil = {"ansible_python_interpreter": str(folder / "evil.python")}
    return {"evil": evil} | {name: {"ansible_python_interpreter": sys.executable} for name in GOOD}


def refusal(code: str = "INVALID_LOGIN") -> dict[str, Any]:
    return {"failed": True, "msg": "no", "login_outcome": "refused", "code": code, "text": "no"}


@pytest.mark.parametrize("code", CODES)
def test_the_others_name_the_host_that_reported_it_and_the_next_run_without_it_succeeds(
    sim: SimulatedOrg, playbook: Playbooks, code: str
) -> None:
    hosts = fleet(playbook, **refusal(code))
    first = run(playbook, check(credential="billing"), hosts, "--forks", "1")
    assert set(causes(first).values()) == {CODES[code]}
    for name in GOOD:
        found = by_host(first)[name]
        assert found["reported_by"] == "evil" and "--limit '!evil'" in found["msg"]
    assert "reported_by" not in by_host(first)["evil"]
    assert sim.control.counts() == {}
    second = run(playbook, check(credential="billing"), hosts, "--limit", "!evil")
    assert causes(second) == dict.fromkeys(GOOD, "ok")


def test_the_next_run_logs_in_from_the_controller_before_it_asks_a_host(sim: SimulatedOrg, playbook: Playbooks) -> None:
    hosts = fleet(playbook, **refusal())
    run(playbook, check(credential="billing"), hosts, "--limit", "evil")
    assert sim.control.counts() == {}
    for logins in (2, 3):
        assert causes(run(playbook, check(credential="billing"), hosts, "--limit", "web1")) == {"web1": "ok"}
        assert sim.control.counts()["login"] == logins


def test_a_lost_answer_names_the_host_too(sim: SimulatedOrg, playbook: Playbooks) -> None:
    hosts = fleet(playbook, failed=True, msg="lost", login_outcome="unanswered")
    found = by_host(run(playbook, check(credential="billing"), hosts, "--forks", "1"))
    assert [found[name]["reported_by"] for name in GOOD] == ["evil"] * 3
    assert sim.control.counts() == {}


@pytest.mark.parametrize("code", CODES)
def test_where_the_org_knows_of_no_refused_login_the_other_hosts_go_on(playbook: Playbooks, code: str) -> None:
    hosts = fleet(playbook, **refusal(code))
    found = by_host(run(playbook, check(credential="billing", diagnose_with="admin"), hosts, "--forks", "1"))
    assert {name: found[name]["verification"]["result"] for name in found} == {
        "evil": "failed",
        **dict.fromkeys(GOOD, "ok"),
    }
    assert "the org has recorded no refused login of billing@acme.example" in found["evil"]["msg"]


def test_a_refusal_that_the_org_confirms_is_one_login_in_all_runs(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_user(USER, password="Another-1")
    hosts = fleet(playbook)
    hosts.pop("evil")
    for _unused in range(2):
        found = run(playbook, check(credential="billing", diagnose_with="admin"), hosts)
        assert {result["verification"]["result"] for result in by_host(found).values()} == {"failed"}
        assert not [result for result in by_host(found).values() if "reported_by" in result]
    assert sum(row["status"] != "Success" for row in sim.control.login_history()) == 1


def test_no_host_gets_the_user_on_standby_on_the_word_of_another(sim: SimulatedOrg, playbook: Playbooks) -> None:
    green = {"username": STANDBY, "password": PASSWORD, "security_token": TOKEN}
    sim.control.add_user(**green, profile="Integration")
    pair = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN, "standby": green}
    playbook([{"gatehouse.salesforce.credential": pair}])
    hosts = fleet(playbook, status="missing", changed=True, **(refusal() | {"failed": False}))
    for name, variables in hosts.items():
        file = {"credential": "billing", "dest": f"{playbook.folder}/{name}.env", "notify": []}
        variables.update(ansible_connection="local", app_credentials_targets=[file])
    path = playbook.folder / "fleet.json"
    path.write_text(json.dumps({"salesforce_applications": {"hosts": hosts}}))
    found = playbook.run(DELIVER, "-i", str(path), "--forks", "1", ok=False)
    assert "'reported_by': 'evil'" in str([item["result"] for item in found if item["host"] == "web1"])
    users = [Path(f"{playbook.folder}/{name}.env").read_text() for name in GOOD]
    assert not [text for text in users if STANDBY in text]
