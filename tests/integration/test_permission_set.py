# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permission sets as code: deployed, assigned, and what a user lacks without them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.processes import ROOT

ADMINISTRATOR, INTEGRATION, BY_TOKEN = "Gatehouse_Administrator", "Gatehouse_Integration", "Gatehouse_Token_Login"
KEEPER, BILLING, REPORTS = "keeper@acme.example", "billing@acme.example", "reports@acme.example"
PASSWORD = "Example-Password-1"


@pytest.fixture(autouse=True)
def org(sim: SimulatedOrg) -> None:
    """An org with users who may do next to nothing."""
    sim.control.set_profile("Minimum", permissions=[])
    for user in (KEEPER, BILLING, REPORTS):
        sim.control.add_user(user, PASSWORD, security_token="Token", profile="Minimum")  # noqa: S106


def permission_set(name: str = INTEGRATION, **options: Any) -> dict[str, Any]:
    return {"gatehouse.salesforce.permission_set": {"name": name, **options}}


def info(*tasks: str, **options: Any) -> dict[str, Any]:
    return {"gatehouse.salesforce.user_permission_info": {"tasks": list(tasks), **options}}


def granted(sim: SimulatedOrg, user: str) -> set[str]:
    org = sim.state.org()
    return org.permissions(sim.state.user(user))


def test_a_permission_set_is_deployed_and_assigned_once(sim: SimulatedOrg, playbook: Playbooks) -> None:
    task = permission_set(users=[BILLING])
    checked = playbook([task], "--check", "--diff").last
    assert checked["changed"] and sim.state.org().grants.find(INTEGRATION) is None
    done = playbook([task], "--diff").last
    assert done["diff"] == checked["diff"] and done["permission_set"] == checked["permission_set"]
    assert done["diff"]["before"] == {} and done["diff"]["after"]["users"] == [BILLING]
    assert granted(sim, BILLING) == {"ApiEnabled"}
    again = playbook([task], "--diff").last
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
    assert len(sim.state.org().deploys) == 2  # the check, and the real one


def test_a_user_of_the_set_manages_the_org_and_lacks_nothing(sim: SimulatedOrg, playbook: Playbooks) -> None:
    tasks = ["oauth_login", "ip_ranges", "login_history", "password_login", "external_client_app", "permission_set"]
    before = playbook([info(*tasks, users=[KEEPER])]).last["users"][0]
    assert [one.split()[0] for one in before["problems"]] == tasks and before["user"] == KEEPER
    playbook([permission_set(ADMINISTRATOR, users=[KEEPER]), permission_set(BY_TOKEN, users=[KEEPER])])
    as_keeper: dict[str, Any] = {
        "gatehouse_salesforce_username": KEEPER,
        "gatehouse_salesforce_password": PASSWORD,
        "gatehouse_salesforce_security_token": "Token",
    }
    sim.control.set_switches(manage_ip_addresses_checked=True, manage_profiles_checked=True)
    ranges = {"gatehouse.salesforce.trusted_ip_ranges": {"ranges": ["192.0.2.0/24"], "guard": "off"}}
    results = playbook([info(*tasks), ranges, permission_set(users=[BILLING])], **as_keeper)
    assert results[0]["result"]["users"][0]["problems"] == [] and not results[0]["result"].get("warnings")
    permissions = results[0]["result"]["users"][0]["permissions"]
    granted_by = {one["name"]: one["granted_by"] for one in permissions if one["granted"]}
    assert granted_by["ModifyMetadata"] == ["by the permission set Gatehouse Administrator"]
    assert granted(sim, BILLING) == {"ApiEnabled"}


@pytest.mark.parametrize("left_out", ["kept", "removed"])
def test_permissions_and_users_that_are_not_declared_go(sim: SimulatedOrg, playbook: Playbooks, left_out: str) -> None:
    sim.control.set_switches(permission_left_out=left_out)
    playbook([permission_set(users=[BILLING, REPORTS])])
    found = sim.state.org().grants.find(INTEGRATION)
    assert found
    found.permissions.add("ViewSetup")
    kept = playbook([permission_set(users=[BILLING])]).last
    assert kept["changed"] and found.permissions == {"ApiEnabled"} and granted(sim, REPORTS) == {"ApiEnabled"}
    assert playbook([permission_set(users=[BILLING.upper()], state="exact")], "--diff").last["changed"]
    assert granted(sim, REPORTS) == set() and granted(sim, BILLING) == {"ApiEnabled"}
    gone = playbook([permission_set(state="absent"), permission_set(state="absent")])
    assert [item["result"]["changed"] for item in gone] == [True, False]
    assert sim.state.org().grants.find(INTEGRATION) is None and granted(sim, BILLING) == set()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"users": ["nobody@acme.example"]}, "users: 'nobody@acme.example' is not an active user of this org"),
        ({"name": "Reporting"}, "src: is required for Reporting; without a file, there are Gatehouse_Administrator"),
        ({"name": "No_Name_"}, "name: 'No_Name_' is not an API name"),
        ({"src": "none.permissionset-meta.xml"}, "src: .*cannot be read: No such file"),
        ({"wait": -1}, "wait: must not be negative"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(
    sim: SimulatedOrg, playbook: Playbooks, options: dict[str, Any], problem: str
) -> None:
    failed = playbook([permission_set(**options)], ok=False).last
    assert re.search(problem, failed["msg"])
    assert not sim.state.org().deploys


def test_a_permission_that_the_org_does_not_have_is_refused_in_check_mode_too(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.set_switches(use_any_api_auth_exists=False)
    for options in (("--check",), ()):
        failed = playbook([permission_set(BY_TOKEN)], *options, ok=False).last
        assert f"PermissionSet {BY_TOKEN}: Unknown user permission: UseAnyApiAuth" in failed["msg"]
    assert sim.state.org().grants.find(BY_TOKEN) is None
    found = playbook([info("token_login")]).last
    assert found["users"][0]["tasks"][0]["unknown"] == ["Use Any API Auth"] and found["users"][0]["problems"] == []
    assert "the org does not have the permission Use Any API Auth" in str(found["warnings"])


def test_a_file_of_a_project_is_deployed(sim: SimulatedOrg, playbook: Playbooks, tmp_path: Path) -> None:
    source = (ROOT / "playbooks" / "files" / "permission_sets" / f"{ADMINISTRATOR}.permissionset-meta.xml").read_text()
    (tmp_path / "mine.xml").write_text(source.replace("<name>ViewSetup", "<name>ViewSetupAuditTrail"))
    task = permission_set("Mine", src=str(tmp_path / "mine.xml"))
    assert "depends on permission(s): ViewSetup" in playbook([task], ok=False).last["msg"]
    (tmp_path / "mine.xml").write_text(source)
    assert [item["result"]["changed"] for item in playbook([task, task])] == [True, False]


def test_an_assignment_that_fails_says_what_was_done(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("error", operation="createRecord", code="LICENSE_LIMIT_EXCEEDED")
    failed = playbook([permission_set(users=[BILLING])], ok=False).last
    assert failed["changed"] and failed["done"] == [f"the permission set {INTEGRATION} is deployed"]
    assert playbook([permission_set(users=[BILLING])]).last["changed"] and granted(sim, BILLING) == {"ApiEnabled"}


@pytest.mark.ansible
def test_the_playbook_deploys_assigns_and_says_what_is_missing(sim: SimulatedOrg, playbook: Playbooks) -> None:
    inventory = playbook.folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"salesforce_orgs": {"hosts": {"acme": {}}}}))
    variables: dict[str, Any] = {
        "permission_sets_administrators": [KEEPER],
        "permission_sets_token_logins": [BILLING, KEEPER],
    }
    book = ROOT / "playbooks" / "permission_sets.yml"
    for options, changed in ((("--check",), True), ((), True), ((), False)):
        results = playbook.run(book, "-i", str(inventory), *options, **variables)
        assert any(item["result"].get("changed") for item in results) is changed
    assert granted(sim, BILLING) == {"ApiEnabled", "UseAnyApiAuth"}
    sim.control.set_profile("Admin", permissions=["ApiEnabled", "UseAnyApiAuth", "ModifyAllData", "ViewSetup"])
    results = playbook.run(book, "-i", str(inventory))
    assert "login_history needs Monitor Login History or Manage Users" in results.output
    assert "external_client_app needs" in results.output
