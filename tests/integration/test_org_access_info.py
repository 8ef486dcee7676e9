# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module org_access_info, as a playbook meets it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

ADMIN, BILLING, ADA = "admin@simulated.example", "billing@acme.example", "ada@acme.example"
COLLECT = {"gatehouse.salesforce.org_access_info": {"days": 30}}


def collect(playbook: Playbooks, **options: Any) -> dict[str, Any]:
    return dict(playbook([{"gatehouse.salesforce.org_access_info": options}]).last["access"])


def omitted(access: dict[str, Any]) -> dict[str, str]:
    return {row["what"]: row["permission"] for row in access["omitted"]}


@pytest.fixture(autouse=True)
def history(sim: SimulatedOrg) -> None:
    """An application, whose profile is restricted, and a person."""
    sim.control.set_org(trusted_ranges=["198.51.100.0/24"])
    sim.control.set_profile("Standard", login_ip_ranges=["203.0.113.0/24"])
    sim.control.add_user(BILLING, "Invented-Password-1", profile="Standard")
    sim.control.add_user(ADA, "Invented-Password-1", profile="Admin")
    sim.control.add_login_ip_range("Standard", "192.0.2.7", by=ADA)
    flow = {"login_type": "Oauth2", "login_sub_type": "OauthUsernamePassword", "application": "billing"}
    sim.control.add_logins(
        [
            {"username": BILLING, "source_ip": "203.0.113.7", "application": "billing", "count": 3},
            {"username": BILLING, "source_ip": "203.0.113.7", "application": "billing", "api_version": "40.0"},
            {"username": BILLING, "source_ip": "203.0.113.8", **flow},
            {"username": ADA, "source_ip": "192.0.2.99", "login_type": "Application", "application": "Browser"},
            {"username": ADA, "source_ip": "192.0.2.99", "status": "Invalid Password"},
        ]
    )


def test_it_returns_who_can_log_in_from_where_who_did_and_who_changed_that(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    access = collect(playbook)
    assert [item["range"] for item in access["trusted_ip_ranges"]] == ["198.51.100.0/24"]
    (standard,) = (row for row in access["profiles"] if row["name"] == "Standard")
    assert (standard["profile"], standard["users"], standard["usernames"]) == ("Standard User", 1, [BILLING])
    assert [item["range"] for item in standard["login_ip_ranges"]] == ["192.0.2.7", "203.0.113.0/24"]
    logins = [
        tuple(row[name] for name in ("username", "way", "api_version", "address", "access", "count"))
        for row in access["logins"]
        if row["username"] != ADMIN
    ]
    assert logins == [
        (ADA, "browser", "64.0", "192.0.2.99", "token_required", 1),
        (BILLING, "soap_login", "40.0", "203.0.113.7", "allowed", 1),
        (BILLING, "soap_login", "64.0", "203.0.113.7", "allowed", 3),
        (BILLING, "username_password_flow", "64.0", "203.0.113.8", "allowed", 1),
    ]
    assert access["logins_complete"] and access["omitted"] == []
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    assert {"day": today, "way": "browser", "count": 1} in access["logins_by_day"]
    (change,) = access["range_changes"]
    assert (change["who"], change["range"], change["added"]) == (ADA, "192.0.2.7", True)
    assert access["requests"] == sum(count for name, count in sim.control.counts().items() if name != "login")


def test_check_mode_is_the_same_and_nothing_is_written(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([COLLECT], "--check", "--diff")
    assert set(sim.control.counts()) == {"login", "query", "readMetadata", "listMetadata"}


def test_what_the_user_may_not_see_is_named_with_its_permission(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.state.user(BILLING).last_login = datetime.datetime.now(datetime.UTC)
    sim.control.set_profile("Admin", permissions=["ApiEnabled"])
    access = collect(playbook)
    permissions = omitted(access)
    assert permissions["trusted IP ranges"] == "Modify Metadata Through Metadata API Functions"
    assert permissions["logins"] == "Manage Users or Monitor Login History"
    assert access["trusted_ip_ranges"] == [] and not access["logins_complete"]
    assert {(row["username"], row["access"]) for row in access["logins"]} == {(ADMIN, "unknown")}


def test_an_audit_trail_that_is_refused_is_named(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(audit_trail_permission="ViewSetup")
    sim.control.set_profile("Admin", permissions=["ApiEnabled", "ModifyMetadata", "MonitorLoginHistory"])
    assert "View Setup and Configuration" in omitted(collect(playbook))["audit trail"]


def test_of_too_many_logins_the_latest_are_read_and_the_rest_is_named(playbook: Playbooks) -> None:
    access = collect(playbook, max_logins=1)
    assert sum(row["count"] for row in access["logins"]) == 1 and not access["logins_complete"]
    assert access["omitted"][0]["problem"] == "only the latest 1 rows of the login history were read (max_logins)"


@pytest.mark.parametrize(("option", "value"), [("days", 0), ("max_logins", 0)])
def test_a_number_out_of_range_is_refused_before_any_login(
    sim: SimulatedOrg, playbook: Playbooks, option: str, value: int
) -> None:
    failed = playbook([{"gatehouse.salesforce.org_access_info": {option: value}}], ok=False).last
    assert failed["msg"].startswith(f"{option}: must be ") and sim.control.counts() == {}


def test_an_org_that_does_not_answer_fails_the_task(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("html", operation="query", status=503, times=50)
    failed = playbook([{"gatehouse.salesforce.org_access_info": {"timeout": 1}}], ok=False).last
    assert "localhost" in failed["msg"] and "access" not in failed
