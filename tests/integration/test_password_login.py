# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module password_login: what a credential has moved from logs in no more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import NOBODY, store

BILLING, PASSWORD, SECRET = "billing@acme.example", "Billing-Password-1", "Example-Consumer-Secret-1"
CLOSE = {"name": "close", "gatehouse.salesforce.password_login": {"name": "billing", "state": "absent"}}


def moved(**changes: Any) -> dict[str, Any]:
    login = {"name": "billing", "auth": "client_credentials", "consumer_key": "Key", "consumer_secret": SECRET}
    return {"gatehouse.salesforce.credential": {**login, "username": BILLING, **changes}}


@pytest.fixture(autouse=True)
def org(sim: SimulatedOrg) -> None:
    """An org with an app that acts as billing."""
    sim.control.set_org(instance_url=sim.url)
    sim.control.add_user(BILLING, PASSWORD, security_token="BillingToken", profile="Standard User")  # noqa: S106
    sim.control.add_app("Key", consumer_secret=SECRET, run_as=BILLING)
    sim.control.advance(60)  # the clocks differ, and no two events are of one second


def test_the_password_is_replaced_once_and_the_app_logs_in_as_before(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([moved()], **NOBODY)
    checked = playbook([CLOSE], "--check", "--diff").last
    assert checked["changed"] and sim.state.user(BILLING).password == PASSWORD
    result = playbook([CLOSE], "--diff").last
    replaced = sim.state.user(BILLING).password
    assert result["diff"]["before"] == checked["diff"]["before"] and result["user"] == BILLING
    assert replaced != PASSWORD and len(replaced) >= 50 and replaced not in str(result)
    assert not playbook([CLOSE]).last["changed"] and sim.state.user(BILLING).password == replaced
    assert playbook([moved(name="again")], **NOBODY).last["verification"]["result"] == "ok"


def test_a_change_of_the_credential_does_not_close_again(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.advance(-3600)  # long before the change
    playbook([moved()], **NOBODY)
    playbook([CLOSE])
    replaced = sim.state.user(BILLING).password
    sim.control.add_app("Other", consumer_secret="Example-Consumer-Secret-2", run_as=BILLING)  # noqa: S106
    playbook([moved(consumer_key="Other", consumer_secret="Example-Consumer-Secret-2")], **NOBODY)  # noqa: S106
    assert not playbook([CLOSE]).last["changed"] and sim.state.user(BILLING).password == replaced


def test_two_credentials_of_a_user_close_once(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([moved(), moved(name="nightly", username=BILLING.upper())], **NOBODY)
    nightly = {"gatehouse.salesforce.password_login": {"name": "nightly", "state": "absent"}}
    assert [item["result"]["changed"] for item in playbook([CLOSE, nightly, CLOSE])] == [True, False, False]


@pytest.mark.parametrize("others", ["before", "after"])
def test_a_password_that_somebody_has_set_is_replaced(sim: SimulatedOrg, playbook: Playbooks, others: str) -> None:
    playbook([moved()], **NOBODY)
    if others == "after":
        playbook([CLOSE])
    sim.control.advance(60)
    sim.control.set_user(BILLING, password="Known-To-Somebody-1")  # noqa: S106
    assert playbook([CLOSE], "--check").last["changed"]
    assert playbook([CLOSE]).last["changed"] and sim.state.user(BILLING).password != "Known-To-Somebody-1"
    assert not playbook([CLOSE]).last["changed"]


def test_a_lost_answer_is_found_to_have_been_carried_out(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([moved()], **NOBODY)
    sim.control.inject("reset", operation="setPassword", executed=True)
    assert playbook([CLOSE]).last["changed"] and sim.state.user(BILLING).password != PASSWORD


def test_it_is_refused_as_long_as_the_password_is_needed(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store(sim)], **NOBODY)
    assert "billing logs in by security_token: move it to OAuth first" in playbook([CLOSE], ok=False).last["msg"]


BY_TOKEN = {"password": PASSWORD, "security_token": "BillingToken"}


@pytest.mark.parametrize(
    "other",
    [
        {"username": BILLING, **BY_TOKEN},
        {"username": BILLING.upper(), **BY_TOKEN},
        {"username": "other@acme.example", **BY_TOKEN, "standby": {"username": BILLING, **BY_TOKEN}},
    ],
    ids=["the same user", "in other letters", "on standby"],
)
@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
def test_it_is_refused_as_long_as_another_credential_needs_the_password(
    sim: SimulatedOrg, playbook: Playbooks, other: dict[str, Any], check: list[str]
) -> None:
    sim.control.add_user("other@acme.example", PASSWORD, security_token="BillingToken")  # noqa: S106
    playbook([moved(), {"gatehouse.salesforce.credential": {"name": "legacy", **other}}], **NOBODY)
    refused = playbook([CLOSE], *check, ok=False).last["msg"]
    assert f"these log in by the password of {BILLING}, too: legacy" in refused
    assert sim.state.user(BILLING).password == PASSWORD
    playbook([{"gatehouse.salesforce.credential": {"name": "legacy", "state": "absent"}}, CLOSE])
    assert sim.state.user(BILLING).password != PASSWORD


def test_a_user_of_that_name_in_another_org_is_another_one(sim: SimulatedOrg, playbook: Playbooks) -> None:
    elsewhere = {"name": "legacy", "username": BILLING, **BY_TOKEN, "login_url": "https://other.my.salesforce.com"}
    playbook([moved(), {"gatehouse.salesforce.credential": {**elsewhere, "verify": "skip"}}, CLOSE])
    assert sim.state.user(BILLING).password != PASSWORD


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"username": None}, "billing does not say its user; declare it with its username"),
        ({"username": "nobody@acme.example"}, "nobody@acme.example is not a user of this org"),
        ({"verify": "skip"}, "move it to OAuth first"),
    ],
)
def test_what_is_not_clear_is_refused(
    sim: SimulatedOrg, playbook: Playbooks, changes: dict[str, Any], problem: str
) -> None:
    task = moved(**changes)
    task["gatehouse.salesforce.credential"] = {
        name: value for name, value in task["gatehouse.salesforce.credential"].items() if value is not None
    }
    playbook([task], **NOBODY)
    assert problem in playbook([CLOSE], ok=False).last["msg"]
    assert sim.state.user(BILLING).password == PASSWORD


def test_ones_own_password_is_left_as_the_way_back_in(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.add_app("Own", consumer_secret=SECRET, run_as=sim.admin.username)
    playbook([moved(consumer_key="Own", username=sim.admin.username)], **NOBODY)
    assert "whose password is left as the way back in" in playbook([CLOSE], ok=False).last["msg"]
    assert sim.state.user(sim.admin.username).password == sim.admin.password


def test_the_permission_that_is_missing_is_said(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([moved()], **NOBODY)
    sim.control.set_user(sim.admin.username, profile="Standard User")
    refused = playbook([CLOSE], ok=False).last
    assert "INSUFFICIENT_ACCESS" in refused["msg"] and sim.state.user(BILLING).password == PASSWORD
