# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module external_client_app, as a playbook meets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app import consumer_secret
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import OrgAdapter
from tests.simulated_org import SimulatedOrg
from tests.support.kills import any_call, changes_org, killed_at
from tests.support.plays import Playbooks
from tests.support.stores import open_store
from tests.support.tasks import NOBODY
from tests.unit.simulator.apps import key_pair

KEY, CERTIFICATE = key_pair(days=365)
OTHER_KEY, OTHER_CERTIFICATE = key_pair("other")
NAME = "Integrations"
BILLING, REPORTS = "billing@acme.example", "reports@acme.example"
PASSWORD = "Example-Password-1"


def app(**options: Any) -> dict[str, Any]:
    arguments = {"name": NAME, "contact_email": "platform@acme.example", "users": [BILLING], **options}
    if "client_credentials" not in options.get("flows", ()):
        arguments = {"certificate": CERTIFICATE, **arguments}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    return {"name": "declare", "gatehouse.salesforce.external_client_app": arguments}


def state(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "gatehouse.salesforce.external_client_app": {"name": NAME, "state": name, **options}}


def stored(playbook: Playbooks, name: str) -> Credential:
    return open_store(str(playbook.folder / "store"), str(playbook.key_file)).read(name)


def login(key: str, *, username: str = BILLING, private_key: str = KEY) -> dict[str, Any]:
    arguments = {
        "name": "billing-jwt",
        "auth": "jwt_bearer",
        "username": username,
        "consumer_key": key,
        "private_key": private_key,
    }
    return {"name": "log in", "gatehouse.salesforce.credential": arguments}


@pytest.fixture(autouse=True)
def users(sim: SimulatedOrg) -> None:
    sim.control.set_org(instance_url=sim.url)
    for username in (BILLING, REPORTS):
        sim.control.add_user(username, PASSWORD, profile="Standard User")


def test_an_app_is_made_and_a_user_logs_in_by_it(sim: SimulatedOrg, playbook: Playbooks) -> None:
    made = playbook([app()], "--diff").last
    assert made["changed"] and made["app"]["users"] == [BILLING]
    assert playbook([login(made["consumer_key"])], **NOBODY).last["verification"]["result"] == "ok"
    again = playbook([app()], "--diff").last
    assert not again["changed"] and again["app"] == made["app"]


def test_the_login_by_a_key_is_stored_once_the_org_takes_it(sim: SimulatedOrg, playbook: Playbooks) -> None:
    task = app(certificate_key=KEY, store_as="billing-jwt")
    assert playbook([task], "--check").last["credential"] is None
    sim.control.set_switches(eca_known_after=0.02, eca_not_yet="invalid assertion")
    made = playbook([task]).last
    billing = stored(playbook, "billing-jwt")
    assert billing.verified and made["credential"]["username"] == BILLING
    assert (billing.connection.consumer_key, billing.connection.private_key) == (made["consumer_key"], KEY)
    assert KEY not in str(made)
    sim.control.clear_requests()
    assert not playbook([task]).last["changed"] and "deploy" not in sim.control.counts()
    assert not playbook([task], "--check").last["changed"]


OTHERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"certificate": OTHER_CERTIFICATE, "certificate_key": OTHER_KEY}),
    ({}, {"certificate": OTHER_CERTIFICATE, "certificate_key": OTHER_KEY, "users": [REPORTS], "store_as": "reports"}),
    ({}, {"certificate_key": KEY, "users": [REPORTS], "store_as": "reports"}),
    ({}, {"flows": ["client_credentials"], "users": [], "run_as": REPORTS, "store_as": "reports"}),
    (
        {"flows": ["client_credentials"], "users": [], "run_as": BILLING},
        {"flows": ["client_credentials"], "users": [], "run_as": REPORTS, "store_as": "reports"},
    ),
]


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_an_app_is_not_taken_from_another_stored_credential_that_logs_in_by_it(
    sim: SimulatedOrg, playbook: Playbooks, first: dict[str, Any], second: dict[str, Any], check: list[str]
) -> None:
    playbook([app(store_as="billing", **({} if first else {"certificate_key": KEY}), **first)])
    before = sim.control.external_client_app(NAME), sim.control.permission_set(NAME)
    refused = playbook([app(**second)], *check, ok=False).last["msg"]
    assert "name: the app Integrations is the one that billing logs in by, which this would end" in refused
    assert (sim.control.external_client_app(NAME), sim.control.permission_set(NAME)) == before


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"certificate_key": KEY, "users": [REPORTS]},
            f"by jwt_bearer as {BILLING} at URL, not by jwt_bearer as {REPORTS} at URL. Choose another name, or remove",
        ),
        (
            {"flows": ["client_credentials"], "users": [], "run_as": BILLING},
            f"by jwt_bearer as {BILLING} at URL, not by client_credentials as {BILLING} at URL. Choose",
        ),
    ],
    ids=["another user", "another flow"],
)
def test_a_stored_credential_of_another_user_or_flow_is_not_replaced(
    sim: SimulatedOrg, playbook: Playbooks, options: dict[str, Any], problem: str, check: list[str]
) -> None:
    playbook([app(certificate_key=KEY, store_as="billing")])
    before = stored(playbook, "billing")
    refused = playbook([app(name="Another", store_as="billing", **options)], *check, ok=False).last["msg"]
    assert "store_as: billing is stored already: it logs in " + problem.replace("URL", sim.url) in refused
    assert stored(playbook, "billing") == before
    assert "Another" not in sim.control.external_client_apps()


def test_an_app_takes_another_user_beside_those_who_log_in_by_it(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([app(certificate_key=KEY, store_as="billing")])
    assert playbook([app(certificate_key=KEY, users=[BILLING, REPORTS], label="New")]).last["changed"]


def test_a_stored_credential_of_another_org_is_not_replaced(sim: SimulatedOrg, playbook: Playbooks) -> None:
    other = {"auth": "jwt_bearer", "username": BILLING, "consumer_key": "3MVG9Other", "private_key": KEY}
    elsewhere = {"name": "billing.oauth", "login_url": "https://other.my.salesforce.com", "verify": "skip", **other}
    playbook([{"gatehouse.salesforce.credential": elsewhere}], **NOBODY)
    refused = playbook([app(certificate=None, store_as="billing.oauth")], ok=False).last["msg"]
    assert "at https://other.my.salesforce.com, not by jwt_bearer" in refused and "remove it first" in refused
    assert stored(playbook, "billing.oauth").connection.private_key == KEY and not sim.control.external_client_apps()


def test_a_credential_takes_a_new_key_and_no_other_one_does(playbook: Playbooks) -> None:
    playbook([app(certificate_key=KEY, store_as="billing")])
    new = {"certificate": OTHER_CERTIFICATE, "certificate_key": OTHER_KEY}
    assert not playbook([app(**new, store_as="billing.oauth")], ok=False).last["changed"]
    assert playbook([app(**new, store_as="billing")]).last["changed"]


def test_a_key_is_made_for_a_login_that_is_stored(sim: SimulatedOrg, playbook: Playbooks) -> None:
    task = app(certificate=None, store_as="billing")
    assert playbook([task], "--check").last["changed"] and not (playbook.folder / "store").exists()
    assert playbook([task]).last["changed"]
    made = stored(playbook, "billing")
    assert made.verified and (made.connection.private_key or "") not in ("", KEY)
    sim.control.clear_requests()
    for mode in ((), ("--check",)):
        assert not playbook([task], *mode).last["changed"] and "deploy" not in sim.control.counts()
    # It is kept with the app that has it, and given to one that does not.
    playbook([state("absent", force=True), task])
    again = stored(playbook, "billing")
    assert again.connection.private_key == made.connection.private_key
    assert again.connection.consumer_key != made.connection.consumer_key


@pytest.mark.parametrize("end", ["disabled", "absent"])
def test_a_login_of_a_stored_credential_is_not_ended_without_force(
    sim: SimulatedOrg, playbook: Playbooks, end: str
) -> None:
    playbook([app(certificate_key=KEY, store_as="billing")])
    before = sim.control.external_client_app(NAME)
    for mode in ((), ("--check",)):
        refused = playbook([state(end)], *mode, ok=False).last["msg"]
        assert "name: the app Integrations is the one that billing logs in by, which this would end" in refused
        assert "force: true" in refused and sim.control.external_client_app(NAME) == before
    for mode in (("--check",), ()):
        ended = playbook([state(end, force=True)], *mode).last
        assert ended["changed"] and ended["warnings"] == ["billing can no longer log in by the app Integrations"]
    assert not playbook([state(end)]).last["changed"], "what does not log in any more is no reason"
    playbook([{"gatehouse.salesforce.credential": {"name": "billing", "state": "absent"}}, app(), state(end)])


# -- the grid ----------------------------------------------------------------------------------------------------------

RUN = {"flows": ["client_credentials"], "run_as": REPORTS, "users": []}
MADE_BEFORE: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "as declared": [app()],
    "another": [app(label="Old", users=[REPORTS], scopes=["api", "refresh_token"], ip_relaxation="bypass")],
    "another flow": [app(**RUN)],
    "another certificate": [app(certificate=OTHER_CERTIFICATE)],
    "disabled": [app(), state("disabled")],
    "deleted": [app(), state("absent")],
}
CHANGES = {
    ("present", "as declared"): False,
    ("disabled", "nothing"): False,
    ("disabled", "disabled"): False,
    ("disabled", "deleted"): False,
    ("absent", "nothing"): False,
    ("absent", "deleted"): False,
}
TASKS = {"present": app(), "disabled": state("disabled"), "absent": state("absent")}
WRITES = ("createRecord", "updateRecord", "deleteRecord", "updateMetadata")


def without_key(result: dict[str, Any]) -> dict[str, Any]:
    """What check mode predicts of a run: all but the key, which the org makes."""
    return {name: result.get(name) for name in ("changed", "diff", "app")}


@pytest.mark.parametrize("before", MADE_BEFORE)
@pytest.mark.parametrize("wanted", TASKS)
def test_check_mode_predicts_the_run_and_a_second_run_changes_nothing(
    sim: SimulatedOrg, playbook: Playbooks, wanted: str, before: str
) -> None:
    if MADE_BEFORE[before]:
        playbook(MADE_BEFORE[before])
    held, sets = sim.control.external_client_apps(), sim.control.permission_sets()
    sim.control.clear_requests()
    predicted = playbook([TASKS[wanted]], "--check", "--diff").last
    assert (sim.control.external_client_apps(), sim.control.permission_sets()) == (held, sets)
    assert not set(WRITES) & set(sim.control.counts())
    result = playbook([TASKS[wanted]], "--diff").last
    assert without_key(result) == without_key(predicted)
    assert result["changed"] == CHANGES.get((wanted, before), True)
    again = playbook([TASKS[wanted]], "--diff").last
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] == result["diff"]["after"]
    apps = sim.control.external_client_apps()
    assert (NAME in apps) == (wanted != "absent" and bool(result["app"]))
    assert (NAME in sim.control.permission_sets()) == (NAME in apps)


def test_nothing_is_deployed_when_only_the_users_change(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([app()])
    sim.control.clear_requests()
    result = playbook([app(users=[REPORTS])]).last
    assert result["changed"] and result["app"]["users"] == [REPORTS]
    assert "deploy" not in sim.control.counts()
    assert sim.control.permission_set(NAME)["assigned"] == [REPORTS]


def test_a_package_holds_only_what_changes_and_always_the_certificate_and_the_list(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    made = playbook([app()]).last
    for change in ({"label": "New"}, {"ip_relaxation": "bypass"}, {"scopes": ["api"]}, {"certificate": None}):
        result = playbook([app(**change)]).last
        assert result["consumer_key"] == made["consumer_key"]
        held = sim.control.external_client_app(NAME)["components"]
        assert held["ExtlClntAppGlobalOauthSettings"]["certificate"].split() == CERTIFICATE.split()
        assert held["ExtlClntAppOauthConfigurablePolicies"]["commaSeparatedPermissionSet"] == NAME


def test_what_the_module_does_not_manage_is_kept(sim: SimulatedOrg, playbook: Playbooks) -> None:
    components = {
        "ExternalClientApplication": {"contactEmail": "old@acme.example", "infoUrl": "https://acme.example"},
        "ExtlClntAppOauthSettings": {
            "commaSeparatedOauthScopes": "Api, RefreshToken",
            "trustedIpRanges": "<trustedIpRanges><endIpAddress>192.0.2.9</endIpAddress>"
            "<startIpAddress>192.0.2.1</startIpAddress></trustedIpRanges>",
        },
        "ExtlClntAppGlobalOauthSettings": {"callbackUrl": "https://acme.example/back", "isPkceRequired": "true"},
        "ExtlClntAppOauthConfigurablePolicies": {"refreshTokenPolicyType": "Zero", "commaSeparatedPermissionSet": ""},
    }
    sim.control.add_external_client_app(NAME, consumer_key="ExampleKey1", components=components)
    refused = playbook([app()], ok=False).last
    assert "name: the org has an app Integrations that this module did not make" in refused["msg"]
    adopted = playbook([app(adopt=True, scopes=["api"], label="New")]).last
    assert adopted["consumer_key"] == "ExampleKey1" and adopted["app"]["made_by_gatehouse"]
    held = sim.control.external_client_app(NAME)["components"]
    assert held["ExternalClientApplication"]["infoUrl"] == "https://acme.example"
    assert "192.0.2.9" in held["ExtlClntAppOauthSettings"]["trustedIpRanges"]
    assert held["ExtlClntAppGlobalOauthSettings"]["callbackUrl"] == "https://acme.example/back"
    assert held["ExtlClntAppOauthConfigurablePolicies"]["refreshTokenPolicyType"] == "Zero"
    assert not playbook([app(scopes=["api"], label="New")]).last["changed"]


@pytest.mark.parametrize("wanted", ["disabled", "absent"])
def test_an_app_of_others_is_neither_switched_off_nor_deleted(
    sim: SimulatedOrg, playbook: Playbooks, wanted: str
) -> None:
    sim.control.add_external_client_app(NAME)
    assert "name:" in playbook([state(wanted)], ok=False).last["msg"]
    assert NAME in sim.control.external_client_apps()


def test_a_permission_set_of_others_is_used_and_kept(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_permission_set("Integration_Users", assigned=[REPORTS])
    result = playbook([app(permission_set="Integration_Users")]).last
    assert result["app"]["users"] == [BILLING, REPORTS]
    assert not playbook([app(permission_set="Integration_Users")]).last["changed"]
    gone = {"name": NAME, "state": "absent", "permission_set": "Integration_Users"}
    playbook([{"gatehouse.salesforce.external_client_app": gone}])
    assert sim.control.permission_set("Integration_Users")["assigned"] == [REPORTS, BILLING]


# -- bad input ---------------------------------------------------------------------------------------------------------

EXPIRED = key_pair(days=-1)[1]
BAD = [
    ({"name": "No-Name"}, "name: 'No-Name' is not an API name"),
    ({"permission_set": "a__b"}, "permission_set:"),
    ({"label": "Bill\x00ing"}, "label: holds a control character"),
    ({"description": "Bill\x1bing"}, "description: holds a control character"),
    ({"description": "Bill\uffffing"}, "description: holds a control character"),
    ({"contact_email": "platform@acme.example\r"}, "contact_email: holds a control character"),
    ({"certificate": "no file"}, "certificate: is neither a certificate in PEM form nor a file"),
    ({"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "certificate: is not a cert"),
    ({"certificate": KEY}, "certificate: holds a private key"),
    ({"certificate": EXPIRED}, "certificate: expired at 2"),
    ({"certificate_key": OTHER_KEY}, "certificate: does not belong to certificate_key"),
    ({"certificate": None}, "certificate: is needed for jwt_bearer"),
    ({"contact_email": None}, "contact_email: is needed for a new app"),
    ({"flows": []}, "flows: must name at least one flow"),
    ({"flows": ["client_credentials"]}, "run_as: must name the user"),
    ({"run_as": REPORTS}, "run_as: is for apps with client_credentials"),
    ({"users": ["nobody@acme.example"]}, "users: 'nobody@acme.example' is not an active user"),
    ({**RUN, "run_as": "nobody@acme.example"}, "run_as: 'nobody@acme.example' is not an active user"),
    (
        {"certificate": None, "flows": ["jwt_bearer", "client_credentials"], "run_as": REPORTS, "store_as": "x"},
        "certificate: is needed for jwt_bearer",
    ),
    ({"store_as": "x"}, "store_as: needs the certificate_key of certificate; without both, a key is made"),
    ({"store_as": "x", "users": [BILLING, REPORTS]}, "store_as: needs client_credentials among the flows, or one of"),
    ({"wait": -1}, "wait: must not be negative"),
]


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize(("options", "problem"), BAD)
def test_bad_input_is_refused_before_anything_is_made(
    sim: SimulatedOrg, playbook: Playbooks, options: dict[str, Any], problem: str, check: list[str]
) -> None:
    refused = playbook([app(**options)], *check, ok=False).last
    assert problem in refused["msg"]
    assert KEY[100:150] not in str(refused) and OTHER_KEY[100:150] not in str(refused)
    assert sim.control.external_client_apps() == {} and NAME not in sim.control.permission_sets()
    assert not set(WRITES) & set(sim.control.counts())


def test_a_user_whom_the_org_does_not_take_to_run_as_is_refused(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(eca_run_as_api_only=True)
    refused = playbook([app(**RUN)], ok=False).last["msg"]
    assert refused.startswith("run_as: ") and "a user who is API Only" in refused
    assert sim.control.external_client_apps() == {}


def test_an_inactive_user_is_refused(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_user(BILLING, active=False)
    assert f"users: '{BILLING}' is not an active user" in playbook([app()], ok=False).last["msg"]


MAKERS = {
    "ModifyMetadata": "requires ModifyMetadata",
    "ManageProfilesPermissionsets": "give the user of the task the permission 'Manage Profiles and Permission Sets'",
    "AssignPermissionSets": "give the user of the task the permission 'Assign Permission Sets'",
}


@pytest.mark.parametrize("missing", MAKERS)
def test_a_permission_that_is_missing_is_named_and_nothing_is_made(
    sim: SimulatedOrg, playbook: Playbooks, missing: str
) -> None:
    sim.control.set_profile("Maker", permissions=["ApiEnabled", *(name for name in MAKERS if name != missing)])
    sim.control.add_user("maker@acme.example", PASSWORD, security_token=sim.admin.security_token, profile="Maker")
    maker: dict[str, Any] = {
        "gatehouse_salesforce_username": "maker@acme.example",
        "gatehouse_salesforce_password": PASSWORD,
    }
    failed = playbook([app(users=[BILLING, REPORTS])], ok=False, **maker).last
    assert MAKERS[missing] in failed["msg"] and not failed.get("done")
    assert sim.control.external_client_apps() == {} and sim.control.permission_sets() == []
    if missing == "AssignPermissionSets":  # who has it cannot be seen, either
        playbook([app()])
        failed = playbook([app(label="New")], ok=False, **maker).last
        assert "the permission 'View Setup and Configuration'" in failed["msg"]


@pytest.mark.parametrize("answer", ["not_available", "unknown_type"])
def test_an_org_without_such_apps_is_named(sim: SimulatedOrg, playbook: Playbooks, answer: str) -> None:
    sim.control.set_org(external_client_apps_enabled=False)
    sim.control.set_switches(eca_off=answer)
    assert "the org has no External Client Apps; opt in" in playbook([app()], ok=False).last["msg"]


def test_what_was_made_before_a_failure_is_reported_and_can_be_removed(sim: SimulatedOrg, playbook: Playbooks) -> None:
    off = {"command": "set_org", "external_client_apps_enabled": False}
    sim.control.hook("createRecord", [off], when="after")
    failed = playbook([app()], ok=False).last
    assert failed["changed"] and f"the permission set {NAME} is made" in failed["done"]
    sim.control.set_org(external_client_apps_enabled=True)
    assert playbook([state("absent")]).last["changed"] and NAME not in sim.control.permission_sets()


def test_what_the_org_says_of_a_component_is_quoted(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(eca_run_as_api_only=True)
    refused = playbook([app(**RUN)], ok=False).last
    assert "Enter a valid execution user for the OAuth client credentials flow" in refused["msg"]
    assert sim.control.external_client_apps() == {} and NAME not in sim.control.permission_sets()


def test_a_deployment_that_takes_too_long_is_left_to_the_next_run(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([app()])
    sim.control.set_switches(deploy_seconds=600.0)
    late = playbook([app(label="New", wait=1)], ok=False).last
    assert "not done" in late["msg"] or "is Pending after" in late["msg"]
    sim.control.set_switches(deploy_seconds=0.0)
    sim.control.advance(1000)
    playbook([app(label="New")])
    assert sim.control.external_client_app(NAME)["components"]["ExternalClientApplication"]["label"] == "New"


# -- what is reported or unknown: every answer of the org --------------------------------------------------------------

SWITCHES: list[dict[str, Any]] = [
    {"eca_check_of_new_app": "refused"},
    {"eca_wrong_order": "dropped"},
    {"eca_default_policies": "none"},
    {"eca_default_policy_names": "setup"},
    {"eca_default_policy_names": "setup", "eca_own_policy_name": "refused"},
    {"eca_own_policy_name": "replaces"},
    {"eca_own_policy_name": "refused"},
    {"eca_certificate_left_out": "kept"},
    {"eca_certificate_read": "body"},
    {"eca_certificate_read": "absent"},
    {"eca_left_out": "kept"},
    {"eca_permission_sets": "ids"},
    {"eca_permission_sets": "both", "eca_permission_sets_read": "sorted"},
    {"eca_grant": "own_rows"},
    {"eca_grant": "no_rows"},
    {"eca_grant_left_out": "kept"},
    {"eca_crud": "refused"},
    {"eca_crud": "policies"},
    {"eca_delete_alone": "refused"},
    {"eca_delete_metadata": "accepted"},
    {"eca_name_again": "refused"},
    {"eca_enabled_required": False},
    {"eca_pkce": "always"},
    {"eca_session_timeout": "refused"},
    {"eca_secret_read": "masked"},
    {"eca_disabled": "invalid_grant"},
    {"eca_refresh_scope_needed": False},
    {"missing_component": "full_name"},
    {"prefixed_types": True},
    {"deploy_missing_deletion": "error"},
    {"eca_permission": "ExternalClientAppAdmin"},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_an_app_lives_from_its_making_to_its_deletion_whatever_the_org_answers(
    sim: SimulatedOrg, playbook: Playbooks, switches: dict[str, Any]
) -> None:
    sim.control.set_switches(**switches)
    if switches.get("eca_permission"):
        sim.control.set_user(sim.admin.username, permissions=["ExternalClientAppAdmin"])
    made = playbook([app()]).last
    key = made["consumer_key"]
    assert not playbook([app()]).last["changed"]
    assert playbook([login(key)], **NOBODY).last["verification"]["result"] == "ok"
    changed = playbook([app(label="New", certificate=OTHER_CERTIFICATE, users=[BILLING, REPORTS])]).last
    assert changed["changed"] and changed["consumer_key"] == key
    assert not playbook([app(label="New", certificate=OTHER_CERTIFICATE, users=[BILLING, REPORTS])]).last["changed"]
    by_other = login(key, username=REPORTS, private_key=OTHER_KEY)
    assert playbook([by_other], **NOBODY).last["verification"]["result"] == "ok"
    assert playbook([state("disabled", force=True)]).last["changed"]
    refused = playbook([login(key, private_key=OTHER_KEY)], ok=False, **NOBODY).last
    assert refused["verification"]["result"] == "failed"
    assert playbook([state("absent", force=True)]).last["changed"]
    assert sim.control.external_client_apps() == {} and NAME not in sim.control.permission_sets()


def test_a_check_that_the_org_does_not_make_is_named(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(eca_check_of_new_app="refused")
    checked = playbook([app()], "--check").last
    assert checked["changed"] and "the org checks only the app itself" in checked["warnings"][0]


@pytest.mark.parametrize("answer", ["invalid_client_id", "app_not_found", "invalid assertion", "not approved"])
def test_the_token_endpoint_is_waited_for(sim: SimulatedOrg, playbook: Playbooks, answer: str) -> None:
    sim.control.set_switches(eca_known_after=5.0, eca_not_yet=answer)
    late = playbook([app(wait=0)], ok=False).last
    assert "does not know it after" in late["msg"] and late["changed"] and late["consumer_key"]
    sim.control.hook("token", [{"command": "advance", "seconds": 300}], after=1)
    known = playbook([app()]).last
    assert not known["changed"] and known["consumer_key"] == late["consumer_key"]
    assert not [row for row in sim.control.login_history() if row["status"] != "Success"]


def test_a_certificate_that_the_org_does_not_show_must_be_given_with_a_change(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.set_switches(eca_certificate_read="absent")
    playbook([app()])
    assert not playbook([app(certificate=None)]).last["changed"]
    both = {"flows": ["jwt_bearer", "client_credentials"], "run_as": REPORTS}
    refused = playbook([app(certificate=None, **both)], ok=False).last
    assert "certificate: must be given: the org does not show" in refused["msg"]
    assert playbook([app(certificate=CERTIFICATE, **both)]).last["app"]["flows"] == ["jwt_bearer", "client_credentials"]


# -- consumer secrets --------------------------------------------------------------------------------------------------

EXPORT = {"flows": ["client_credentials"], "run_as": REPORTS, "users": [], "store_as": "export"}
SECRETS_OPEN = "enableClientSecretInRestApiAccess"


def is_closed(sim: SimulatedOrg, playbook: Playbooks) -> bool:
    """Whether nothing is left open for secrets, and no journal."""
    sets = [name for name in sim.control.permission_sets() if name.startswith("gatehouse_secret_")]
    setting = sim.control.set_external_client_app_settings()[SECRETS_OPEN]
    return not sets and setting == "false" and not list(playbook.folder.glob("store/.external_client_apps/*.json"))


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"eca_secrets_off": "feature is not enabled"},
        {"eca_secrets_off": "not enabled for this user"},
        {"eca_known_after": 0.0, "eca_usage": "used"},
    ],
    ids=str,
)
def test_a_consumer_secret_goes_to_the_store_only_and_all_is_closed_again(
    sim: SimulatedOrg, playbook: Playbooks, switches: dict[str, Any]
) -> None:
    sim.control.set_switches(**switches)
    assert playbook([app(**EXPORT)], "--check").last["changed"]
    made = playbook([app(**EXPORT)], "--diff").last
    secret = sim.control.external_client_app(NAME)["consumer_secret"]
    stored = open_store(str(playbook.folder / "store"), str(playbook.key_file)).read("export")
    assert (stored.connection.consumer_key, stored.connection.consumer_secret) == (made["consumer_key"], secret)
    assert stored.verified and made["credential"]["name"] == "export"
    assert secret not in str(made)
    assert is_closed(sim, playbook)
    sim.control.clear_requests()
    assert not playbook([app(**EXPORT)]).last["changed"]
    assert not playbook([app(**EXPORT)], "--check").last["changed"]
    assert not {"getCredentials", "deploy", "updateMetadata"} & set(sim.control.counts())


def test_what_a_killed_run_has_left_open_is_closed_by_a_task_that_reads_no_secret(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    playbook([app()])
    sim.control.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
    journal = playbook.folder / "store" / ".external_client_apps" / f"{sim.control.org()['id'][:15]}.json"
    journal.parent.mkdir(parents=True, mode=0o700)
    playbook.folder.joinpath("store").chmod(0o700)
    journal.write_text(json.dumps({"setting": "false", "permission_set": "gatehouse_secret_00000000"}))
    assert not playbook([app()]).last["changed"]
    assert is_closed(sim, playbook)


def test_what_is_open_already_is_used_and_left_open(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
    sim.control.set_user(sim.admin.username, permissions=["ExternalClientAppDeveloper", "ViewClientSecret"])
    assert playbook([app(**EXPORT)]).last["changed"]
    assert "updateMetadata" not in sim.control.counts()
    assert sim.control.set_external_client_app_settings()[SECRETS_OPEN] == "true"


def test_a_secret_that_the_org_does_not_give_leaves_all_closed(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.set_switches(eca_secrets_session="by_app")
    refused = playbook([app(**EXPORT)], ok=False).last
    assert "not enabled for this user" in refused["msg"] and refused["consumer_key"]
    assert "credential of an administrator that logs in by an app" in refused["msg"]
    assert is_closed(sim, playbook)


def test_what_could_not_be_closed_is_closed_by_the_next_run(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("error", operation="deleteRecord", code="UNKNOWN_EXCEPTION", times=1)
    left = playbook([app(**EXPORT)], ok=False).last
    assert "could not be taken back" in left["msg"] and "Run the task again" in left["msg"]
    assert not is_closed(sim, playbook)
    playbook([app(**EXPORT)])
    assert is_closed(sim, playbook)


# -- lost answers and kills --------------------------------------------------------------------------------------------

OPERATIONS = (
    "listMetadata",
    "readMetadata",
    "deploy",
    "checkDeployStatus",
    "updateMetadata",
    "createRecord",
    "deleteRecord",
    "query",
    "listConsumers",
    "getCredentials",
)


@pytest.mark.parametrize("executed", [True, False], ids=["carried out", "not carried out"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_without_an_answer_is_repeated(
    sim: SimulatedOrg, playbook: Playbooks, operation: str, executed: bool
) -> None:
    for number in (0, 1):
        sim.control.inject("reset", operation=operation, executed=executed, after=number)
    playbook([app(**EXPORT)])
    assert is_closed(sim, playbook) and not playbook([app(**EXPORT)]).last["changed"]
    assert playbook([state("absent", force=True)]).last["changed"] and sim.control.external_client_apps() == {}


@pytest.fixture
def direct(playbook: Playbooks) -> Playbooks:
    """Runs tasks in this process, in which calls can be replaced."""
    playbook.engine = "direct"
    return playbook


CALLS = [(OrgAdapter, "send", changes_org), (consumer_secret, "replace_file", any_call)]


def test_a_run_that_is_killed_before_or_after_any_write_is_finished_by_the_next(
    sim: SimulatedOrg, direct: Playbooks
) -> None:
    kills = 0
    for number in range(200):
        was_killed = killed_at(number, direct, [app(**EXPORT)], CALLS)
        finished = direct([app(**EXPORT)]).last
        assert is_closed(sim, direct), number
        export = stored(direct, "export")
        assert export.verified and export.connection.consumer_key == finished["consumer_key"], number
        assert sim.control.permission_set(NAME)["assigned"] == [REPORTS], number
        direct([state("absent", force=True)])
        if not was_killed:
            break
        kills += 1
    # Before and after: the check and the deployment, the set, its user, the login, the journal, and what it opens.
    assert kills >= 2 * 9


def test_a_deletion_that_is_killed_before_or_after_any_write_is_finished_by_the_next(
    sim: SimulatedOrg, direct: Playbooks
) -> None:
    kills = 0
    for number in range(100):
        direct([app()])
        was_killed = killed_at(number, direct, [state("absent")], CALLS)
        direct([state("absent")])
        assert sim.control.external_client_apps() == {} and NAME not in sim.control.permission_sets(), number
        if not was_killed:
            break
        kills += 1
    assert kills >= 2 * 5


@pytest.mark.parametrize("operation", ["deploy", "checkDeployStatus", "createRecord", "token"])
@pytest.mark.parametrize("kind", ["html", "truncate", "redirect"])
def test_an_answer_that_is_not_from_salesforce_ends_in_a_plain_error(
    sim: SimulatedOrg, playbook: Playbooks, kind: str, operation: str
) -> None:
    sim.control.inject(kind, operation=operation, times=None, status=200, url="https://evil.example/")
    failed = playbook([app()], ok=False).last
    assert failed["msg"].startswith(("localhost", "unexpected", "refused", "the org")), failed["msg"]
    sim.control.clear_faults()
    assert playbook([app()]).last["app"]["users"] == [BILLING]
