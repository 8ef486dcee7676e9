# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an administrator can be asked, no verification locks a user out or runs into the limit of logins."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import NOBODY, store

USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Pass-1", "BillingToken00000000000001"


@pytest.fixture(autouse=True)
def administrator(sim: SimulatedOrg, playbook: Playbooks) -> None:
    """An administrator's credential is stored, and there is a user beside."""
    sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Standard User")
    playbook([store(sim, name="admin")], **NOBODY)
    sim.control.clear_requests()


def verify(**changes: Any) -> dict[str, Any]:
    given = {"name": "billing", "username": USER, "password": PASSWORD, "security_token": TOKEN}
    return {"name": "verify", "gatehouse.salesforce.credential": {**given, "diagnose_with": "admin", **changes}}


def logins(sim: SimulatedOrg) -> int:
    return sum(entry["username"] == USER for entry in sim.control.requests("login"))


def fail(sim: SimulatedOrg, count: int = 1, **columns: Any) -> None:
    row = {"username": USER, "source_ip": "192.0.2.1", "status": "Invalid Password", "count": count, **columns}
    sim.control.add_logins([row])


@pytest.mark.parametrize(("policy", "tries"), [("ThreeAttempts", 3), ("FiveAttempts", 5), ("TenAttempts", 10)])
def test_the_last_try_before_lock_out_is_left_to_a_person(
    sim: SimulatedOrg, playbook: Playbooks, policy: str, tries: int
) -> None:
    sim.control.set_org(password_policies={"maxLoginAttempts": policy})
    fail(sim, tries - 1)
    result = playbook([verify()], ok=False, **NOBODY).last
    assert f"{tries - 1} of {tries} failed logins" in result["msg"]
    assert result["verification"]["cause"] == "user_locked"
    assert logins(sim) == 0


@pytest.mark.parametrize(
    "row",
    [{"status": "Failed: API security token required"}, {"hours_ago": 2}],
    ids=["wrong tokens, as they may be recorded", "some time ago, as none is known to be forgotten"],
)
def test_what_may_count_counts(sim: SimulatedOrg, playbook: Playbooks, row: dict[str, Any]) -> None:
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=row.pop("hours_ago", 0))
    fail(sim, 9, login_time=before.isoformat(), **row)
    assert playbook([verify()], ok=False, **NOBODY).last["verification"]["cause"] == "user_locked"
    assert logins(sim) == 0


def test_a_lock_that_has_passed_is_no_obstacle(sim: SimulatedOrg, playbook: Playbooks) -> None:
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)
    fail(sim, 10, login_time=before.isoformat())
    assert playbook([verify()], **NOBODY).last["verification"]["cause"] == "ok"


@pytest.mark.parametrize(
    "rows",
    [
        [{"count": 8}],
        [{"count": 9}, {"status": "Success"}],
        [{"count": 20, "status": "Restricted IP"}],
        [{"count": 20, "login_time": "2026-01-01T00:00:00Z"}],
    ],
    ids=["two left", "a success since", "for another reason", "long ago"],
)
def test_otherwise_it_is_tried(sim: SimulatedOrg, playbook: Playbooks, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        fail(sim, **row)
    assert playbook([verify()], **NOBODY).last["verification"]["cause"] == "ok"
    assert logins(sim) == 1


def test_where_tries_are_not_limited_it_is_tried(sim: SimulatedOrg, playbook: Playbooks) -> None:
    fail(sim, 20)
    sim.control.set_org(password_policies={"maxLoginAttempts": "NoLimit"})
    assert playbook([verify()], **NOBODY).last["verification"]["cause"] == "ok"


def test_the_logins_of_the_hour_are_counted(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.add_logins([{"username": USER, "source_ip": "192.0.2.1", "count": 3600}])
    result = playbook([verify()], ok=False, **NOBODY).last
    assert result["verification"]["cause"] == "rate_limited"
    assert logins(sim) == 0


def test_where_nobody_can_be_asked_it_is_tried(sim: SimulatedOrg, playbook: Playbooks) -> None:
    fail(sim, 9)
    sim.control.set_profile("Admin", permissions=[])
    assert playbook([verify()], **NOBODY).last["verification"]["cause"] == "ok"
    playbook([verify(security_token="Wrong", diagnose_with=None)], ok=False, **NOBODY)
    assert logins(sim) == 2


@pytest.mark.parametrize("right", [True, False])
def test_a_user_who_is_to_look_into_its_own_login_neither_waits_for_itself_nor_tries_twice(
    sim: SimulatedOrg, playbook: Playbooks, right: bool
) -> None:
    """As when C(diagnose_with) is set for all credentials, and so for the administrator's, too."""
    admin = sim.admin.username
    sim.control.set_user(admin, password="Changed-Pass-1")
    sim.control.end_sessions()
    password = "Changed-Pass-1" if right else "Wrong-Pass-1"
    task = verify(name="admin", username=admin, password=password, security_token=sim.admin.security_token)
    results = playbook([{**task, "timeout": 20}], ok=right, **NOBODY)
    assert results.last["verification"]["cause"] == ("ok" if right else "invalid_credentials")
    assert sim.control.counts()["login"] == 1
