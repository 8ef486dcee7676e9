# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a login was refused, when Salesforce says no more than that it was: an administrator's credential looks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

USER, PASSWORD, TOKEN = "billing@acme.example", "Billing-Password-1", "BillingToken0000000000001"


def declare(**changes: Any) -> dict[str, Any]:
    options = {
        "name": "billing",
        "username": USER,
        "password": PASSWORD,
        "security_token": TOKEN,
        "diagnose_with": "admin",
        **changes,
    }
    return {"name": "declare", "gatehouse.salesforce.credential": options}


@pytest.fixture(autouse=True)
def stored_admin(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    sim.control.add_user(USER, PASSWORD, security_token=TOKEN, profile="Integration")
    playbook([{"gatehouse.salesforce.credential": {"name": "admin"}}])
    sim.control.clear_requests()


def refused(sim: SimulatedOrg, playbook: Playbooks, **changes: Any) -> dict[str, Any]:
    """What comes of a declaration whose login is refused, of which there is exactly one."""
    result = playbook([declare(**changes)], ok=False).last
    assert [entry["username"] for entry in sim.control.requests("login")].count(USER) == 1
    return dict(result["verification"])


def test_a_wrong_password_is_told_from_the_login_history(sim: SimulatedOrg, playbook: Playbooks) -> None:
    assert refused(sim, playbook, password="Wrong-1")["cause"] == "bad_password"


def test_without_diagnose_with_the_refusal_says_no_more_and_names_the_option(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    told = refused(sim, playbook, password="Wrong-1", diagnose_with=None)
    assert told["cause"] == "invalid_credentials" and "diagnose_with" in told["detail"]


def test_the_password_that_worked_before_leaves_only_the_token(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([declare()])
    sim.control.clear_requests()
    assert refused(sim, playbook, security_token="OldToken")["cause"] == "stale_token"


def test_where_the_org_says_so_a_token_is_stale_without_any_history_here(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.set_switches(wrong_token_status="Failed: API security token required")
    assert refused(sim, playbook, security_token="OldToken")["cause"] == "stale_token"


def test_a_missing_token_is_told_with_the_address_that_is_not_trusted(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(missing_token="INVALID_LOGIN")
    told = refused(sim, playbook, security_token=None, source_address="127.0.0.5")
    assert told["cause"] == "token_required_here"
    assert "127.0.0.5" in told["detail"] and "no trusted IP range" in told["detail"]


def test_a_denied_address_is_told_with_the_rule(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_profile("Integration", login_ip_ranges=["203.0.113.7"])
    told = refused(sim, playbook)
    assert told["cause"] == "ip_denied"
    assert "127.0.0.1 (in none of the profile's login IP ranges)" in told["detail"]


def test_a_locked_user_is_told_from_a_wrong_password(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_org(password_policies={"maxLoginAttempts": "ThreeAttempts"})
    for wrong in range(3):
        playbook([declare(password=f"Wrong-{wrong}", diagnose_with=None)], ok=False)
    sim.control.clear_requests()
    # The tries are known to be used up, so this one is not even made.
    assert playbook([declare()], ok=False).last["verification"]["cause"] == "user_locked"
    assert sim.control.counts().get("login", 0) == 0


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [({"active": False}, "user_locked", "inactive"), ({"frozen": True}, "user_locked", "frozen")],
)
def test_a_user_that_is_not_let_in_at_all_is_told(
    sim: SimulatedOrg, playbook: Playbooks, change: dict[str, Any], cause: str, words: str
) -> None:
    sim.control.set_user(USER, **change)
    told = refused(sim, playbook)
    assert told["cause"] == cause and words in told["detail"]


def test_a_login_rate_that_is_exceeded_is_told(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([{"gatehouse.salesforce.trusted_ip_ranges": {"credential": "admin", "ranges": []}}])
    sim.control.clear_requests()
    sim.control.set_switches(login_rate=0)
    assert refused(sim, playbook)["cause"] == "rate_limited"


def test_a_user_of_another_org_is_told(sim: SimulatedOrg, playbook: Playbooks) -> None:
    told = playbook([declare(username="nobody@acme.example")], ok=False).last["verification"]
    assert told["cause"] == "invalid_credentials" and "no such user" in told["detail"]


def test_an_administrator_who_may_not_look_leaves_the_refusal(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([declare()])
    sim.control.clear_requests()
    sim.control.add_user("other@acme.example", PASSWORD, security_token=TOKEN, profile="Integration")
    task = declare(name="other", username="other@acme.example", password="Wrong-1", diagnose_with="billing")
    assert playbook([task], ok=False).last["verification"]["cause"] == "invalid_credentials"


def test_an_administrator_who_is_refused_too_is_tried_once_in_a_run(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_user(sim.admin.username, password="Changed-1")
    sim.control.end_sessions()
    tasks = [declare(name=f"billing-{number}", password=f"Wrong-{number}", verify="warn") for number in range(3)]
    results = playbook(tasks)
    for item in results:
        assert "diagnose_with learned no more" in item["result"]["verification"]["detail"]
    tried = [entry["username"] for entry in sim.control.requests("login")]
    assert tried.count(sim.admin.username) == 1


def test_an_administrator_that_is_not_stored_is_named_before_a_login(sim: SimulatedOrg, playbook: Playbooks) -> None:
    task = declare(diagnose_with="amdin")
    for mode in ((), ("--check",)):
        message = playbook([task], *mode, ok=False).last["msg"]
        assert message.startswith("diagnose_with: no credential 'amdin' in the store")
        assert "(did you mean admin?)" in message and message.endswith("No login was made")
    playbook([declare(diagnose_with="amdin", verify="skip"), declare(diagnose_with="amdin", state="absent")])
    assert sim.control.counts() == {}


def test_before_a_login_it_is_asked_how_many_tries_are_left_by_the_session_that_there_is(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    playbook([declare()])
    assert sim.control.counts() == {"login": 1, "query": 2, "readMetadata": 1}
