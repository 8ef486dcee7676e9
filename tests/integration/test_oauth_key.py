# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module oauth_key: keys and apps' secrets that renew themselves, and nobody who is shut out meanwhile."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app import consumer_secret
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import OrgAdapter
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store
from tests.simulated_org import SimulatedOrg
from tests.support.deployments import DELIVER, ROTATE, changed
from tests.support.key_rotations import (
    BILLING,
    REPORTS,
    Application,
    certificate_of,
    declare_app,
    declare_credential,
    deliver,
    make_by_turns,
    make_one_app,
    make_with_secret,
    prepare,
    renew,
    rotations_in_use,
)
from tests.support.kills import any_call, changes_org, killed_at
from tests.support.plays import Playbooks, Results
from tests.support.stores import open_store
from tests.support.tasks import NOBODY
from tests.unit.simulator.apps import key_pair

LONG_AGO = "2026-01-01T00:00:00Z"
BLUE, GREEN = "Blue", "Green"
APPS = [BLUE, GREEN]


@pytest.fixture(autouse=True)
def users(sim: SimulatedOrg) -> None:
    prepare(sim)


def store_of(playbook: Playbooks) -> Store:
    return open_store(str(playbook.folder / "store"), str(playbook.key_file))


def stored(playbook: Playbooks, name: str = "billing") -> Credential:
    return store_of(playbook).read(name)


def grow_old(playbook: Playbooks, name: str = "billing") -> None:
    credential = stored(playbook, name)
    store_of(playbook).write(dataclasses.replace(credential, secret_since=LONG_AGO), replaces=credential.version)


def logs_in(sim: SimulatedOrg, file: Path) -> bool:
    """Whether an application logs in with what its file holds."""
    return Application(file, sim).log_in()


# -- two apps that take turns ------------------------------------------------------------------------------------------


def test_a_key_that_is_due_is_renewed_in_the_app_that_nobody_uses(sim: SimulatedOrg, playbook: Playbooks) -> None:
    keys = make_by_turns(playbook)
    grow_old(playbook)
    before = stored(playbook)
    result = playbook([renew(apps=APPS, max_age="90d")], "--diff").last
    after = stored(playbook)
    assert result["rotated"] and result["gap_seconds"] is None and not result.get("warnings")
    assert (after.connection.consumer_key, after.version) == (keys[GREEN], before.version + 1)
    assert after.connection.private_key != before.connection.private_key and after.verified
    assert "private_key" not in str(result["diff"]).replace("'private_key': '(secret", "")
    assert certificate_of(sim, BLUE) != certificate_of(sim, GREEN)
    again = playbook([renew(apps=APPS, max_age="90d")]).last
    assert not again["rotated"] and stored(playbook).connection == after.connection


def test_the_old_app_is_switched_off_by_the_next_run_once_every_consumer_has_the_new_key(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_by_turns(playbook)
    file = playbook.folder / "billing.json"
    playbook([deliver(file)])
    playbook([renew(apps=APPS, force=True)])
    assert logs_in(sim, file), "the old key logs in until the new one is delivered"
    waits = playbook([renew(apps=APPS)]).last
    assert waits["waiting_for"] == [f"localhost:{file}"] and not waits["changed"] and logs_in(sim, file)
    refused = playbook([renew(apps=APPS, force=True)], ok=False).last
    assert f"{file} may still log in by Blue" in refused["msg"] and "deliver it first" in refused["msg"]
    old = file.read_text()
    playbook([deliver(file)])
    foreseen = playbook([renew(apps=APPS)], "--check", "--diff").last
    ended = playbook([renew(apps=APPS)], "--diff").last
    assert foreseen["ended"] and foreseen["diff"] == ended["diff"]
    sides = ended["diff"]["before"].pop("old_key"), ended["diff"]["after"].pop("old_key")
    assert sides == ({"app": BLUE, "logs_in": True}, {"app": BLUE, "logs_in": False})
    assert ended["diff"]["before"] == ended["diff"]["after"], "nothing else has changed"
    assert ended["ended"] and ended["changed"] and not ended["rotated"] and stored(playbook).rotation is None
    assert logs_in(sim, file)
    file.write_text(old)
    assert not logs_in(sim, file)
    assert not playbook([renew(apps=APPS)]).last["changed"]
    declared = playbook([declare_app(BLUE, playbook), declare_app(GREEN, playbook)])
    assert not any(item["result"]["changed"] for item in declared) and not logs_in(sim, file), "the old key stays dead"
    playbook([deliver(file), renew(apps=APPS, force=True)])
    assert stored(playbook).connection.consumer_key == sim.control.external_client_app(BLUE)["consumer_key"]


def test_check_mode_has_the_org_check_it_and_changes_nothing(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook)
    before, app = stored(playbook), sim.control.external_client_app(GREEN)
    predicted = playbook([renew(apps=APPS, force=True)], "--check", "--diff").last
    assert (stored(playbook), sim.control.external_client_app(GREEN)) == (before, app)
    result = playbook([renew(apps=APPS, force=True)], "--diff").last
    for name in ("changed", "rotated", "diff", "version"):
        assert result[name] == predicted[name], name


def test_credentials_that_share_an_app_share_its_new_key(sim: SimulatedOrg, playbook: Playbooks) -> None:
    keys = make_by_turns(playbook, names=("billing", "reports"))
    both = [renew(name=name, apps=APPS, force=True) for name in ("billing", "reports")]
    for turn in (GREEN, BLUE, GREEN):
        for name in ("billing", "reports"):
            grow_old(playbook, name)
        sim.control.clear_requests()
        playbook(both)
        connections = [stored(playbook, name).connection for name in ("billing", "reports")]
        assert {one.consumer_key for one in connections} == {keys[turn]}
        assert len({one.private_key for one in connections}) == 1
        assert sim.control.counts()["deploy"] <= 3, "one new certificate, and old apps that are switched off"


def test_a_key_that_another_credential_still_uses_is_not_replaced(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook, names=("billing", "reports"))
    grow_old(playbook, "reports")
    playbook([renew(apps=APPS, force=True)])
    refused = playbook([renew(apps=APPS, force=True)], ok=False).last
    assert "apps: reports still logs in by Blue" in refused["msg"] and "renew that first" in refused["msg"]
    playbook([renew(name="reports", apps=APPS, force=True), renew(apps=APPS, force=True)])


def test_declaring_the_first_key_again_brings_neither_key_nor_certificate_back(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_by_turns(playbook)
    declared = [declare_app(name, playbook) for name in APPS]
    first = stored(playbook)
    playbook([renew(apps=APPS, force=True)])
    renewed, certificate = stored(playbook), certificate_of(sim, GREEN)
    assert not playbook([declared[1]]).last["changed"]
    again = playbook([declare_credential("billing", BILLING, first.connection)], **NOBODY).last
    assert not again["changed"] and stored(playbook).connection == renewed.connection
    assert certificate_of(sim, GREEN) == certificate


# -- one app -----------------------------------------------------------------------------------------------------------


def test_with_one_app_the_gap_is_measured_and_reported(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_one_app(playbook)
    file = playbook.folder / "billing.json"
    playbook([deliver(file)])
    result = playbook([renew(force=True)]).last
    assert result["rotated"] and result["gap_seconds"] > 0
    assert "have failed for up to" in result["warnings"][0] and "Two apps" in result["warnings"][0]
    assert not logs_in(sim, file)
    playbook([deliver(file)])
    assert logs_in(sim, file) and stored(playbook).rotation is None


def test_other_credentials_of_the_only_app_are_named_and_take_the_new_key_over(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_one_app(playbook, names=("billing", "reports"))
    grow_old(playbook, "reports")  # not of the same second as the new key of billing
    result = playbook([renew(force=True)]).last
    assert "those of reports until that is renewed" in result["warnings"][0]
    playbook([renew(name="reports", force=True)])
    assert stored(playbook, "reports").connection.private_key == stored(playbook).connection.private_key
    assert sim.control.counts()["deploy"] >= 1


def test_declaring_the_first_app_again_leaves_the_login_in_the_one_that_takes_turns_with_it(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    blue = declare_app(BLUE, playbook, certificate="", users=[BILLING], store_as="billing")
    playbook([blue, declare_app(GREEN, playbook, users=[BILLING])])
    for moved in (True, False):  # then the old app is switched off
        assert playbook([renew(apps=APPS, force=moved)]).last["rotated"] is moved
        before = stored(playbook)
        for mode in (("--check",), ()):
            assert not playbook([blue], *mode).last["changed"]
        assert stored(playbook) == before and sim.control.external_client_app(GREEN)["consumer_key"] == (
            before.connection.consumer_key
        )


@pytest.mark.parametrize("make", [make_one_app, make_by_turns], ids=["one app", "two apps"])
def test_a_key_that_another_credential_has_replaced_is_taken_over_whatever_its_age(
    sim: SimulatedOrg, playbook: Playbooks, make: Callable[..., Any]
) -> None:
    make(playbook, names=("billing", "reports"))
    apps = {"apps": APPS} if make is make_by_turns else {}
    store = store_of(playbook)
    an_hour_ago = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in ("billing", "reports"):
        store.write(dataclasses.replace(store.read(name), secret_since=an_hour_ago), replaces=1)
    playbook([renew(**apps, force=True)])
    young = renew(name="reports", **apps, max_age="90d")
    deploys = sim.control.counts()["deploy"]
    assert playbook([young], "--check").last["rotated"]
    assert stored(playbook, "reports").connection.private_key != stored(playbook).connection.private_key
    assert playbook([young]).last["rotated"]
    assert stored(playbook, "reports").connection.private_key == stored(playbook).connection.private_key
    assert stored(playbook, "reports").secret_since == stored(playbook).secret_since, "it is as old as the key"
    playbook([deliver(playbook.folder / "reports.json", "reports")])
    assert logs_in(sim, playbook.folder / "reports.json")
    assert sim.control.counts()["deploy"] == deploys, "the key is not replaced once more"
    again = playbook([young, renew(**apps, max_age="90d")])
    assert not any(item["result"]["rotated"] for item in again)


def test_nothing_is_asked_for_a_key_that_is_not_due_unless_it_is_to_be_verified(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_one_app(playbook)
    sim.control.clear_requests()
    assert not playbook([renew(max_age="90d")]).last["changed"] and sim.control.requests() == []
    verified = renew(max_age="90d", verify=True, wait=0)
    assert not playbook([verified]).last["changed"] and sim.control.counts()["token"] == 1

    _key, certificate = key_pair("another store's", days=365)
    playbook([declare_app("Only", playbook, certificate=certificate)])
    for mode in ((), ("--check",)):
        failed = playbook([verified], *mode, ok=False).last["msg"]
        assert "does not take this key" in failed
        assert "If somebody else has replaced the key, store the new one, or give force: true" in failed
    playbook([renew(force=True), verified])


def test_the_token_endpoint_is_waited_for(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_one_app(playbook)
    sim.control.set_switches(eca_change_after=0.05)
    late = playbook([renew(force=True, wait=0)], ok=False).last
    assert "does not take this key" in late["msg"]
    assert playbook([renew()], "--check").last["changed"]
    finished = playbook([renew()]).last
    assert finished["rotated"] and finished["resumed"] and stored(playbook).rotation is None


# -- the secret of client_credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", ["live", "after_rotation"])
@pytest.mark.parametrize("body", ["accepted", "hangs"])
def test_both_secrets_log_in_while_consumers_change(
    sim: SimulatedOrg, playbook: Playbooks, pair: str, body: str
) -> None:
    sim.control.set_switches(eca_staged_pair=pair, eca_stage_without_body=body)
    make_with_secret(playbook)
    file = playbook.folder / "export.json"
    playbook([deliver(file, "export")])
    before = stored(playbook, "export").connection
    result = playbook([renew(name="export", force=True)], "--diff").last
    after = stored(playbook, "export").connection
    assert result["rotated"] and result["gap_seconds"] is None
    assert before.consumer_key != after.consumer_key and before.consumer_secret != after.consumer_secret
    assert str(after.consumer_secret) not in str(result) and logs_in(sim, file)
    assert "may still use the secret" in playbook([renew(name="export", force=True)], ok=False).last["msg"]
    old = file.read_text()
    playbook([deliver(file, "export")])
    assert playbook([renew(name="export")]).last["ended"] and logs_in(sim, file)
    file.write_text(old)
    assert not logs_in(sim, file)


def test_a_pair_that_somebody_else_has_staged_is_left_alone(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_with_secret(playbook)
    open_secrets(sim)
    key = stored(playbook, "export").connection.consumer_key
    playbook([renew(name="export", force=True)])
    assert stored(playbook, "export").connection.consumer_key != key
    credential = stored(playbook, "export")
    store_of(playbook).write(
        dataclasses.replace(credential, rotation=None, connection=credential.connection), replaces=credential.version
    )
    sim.control.inject("reset", operation="rotateCredentials", executed=False, times=None)
    failed = playbook([renew(name="export", force=True)], ok=False).last
    assert "localhost" in failed["msg"]
    sim.control.clear_faults()
    credential = stored(playbook, "export")
    store_of(playbook).write(dataclasses.replace(credential, rotation=None), replaces=credential.version)
    for _again in range(2):
        refused = playbook([renew(name="export", force=True)], ok=False).last
        assert "staged credentials that somebody else has made" in refused["msg"]
        assert stored(playbook, "export").rotation is None, "nothing was begun"


def test_an_app_that_the_credential_does_not_use_is_refused_before_anything_is_begun(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_one_app(playbook)
    make_with_secret(playbook)
    for mode in ((), ("--check",)):
        refused = playbook([renew(name="export", force=True, apps=["Only"])], *mode, ok=False).last
        assert "apps: Only does not have the consumer key of 'export'" in refused["msg"]
    assert stored(playbook, "export").rotation is None
    assert playbook([renew(name="export", force=True, apps=["Export"])]).last["rotated"]


def test_a_secret_that_another_credential_has_renewed_is_taken_over_whatever_its_age(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_with_secret(playbook)
    first = stored(playbook, "export")
    store_of(playbook).write(dataclasses.replace(first, name="other", version=1), replaces=None)
    playbook([renew(name="export", force=True)])
    young = renew(name="other", max_age="90d")
    assert playbook([renew(name="export")]).last["waiting_for"] == ["other"]
    for expected in (True, False):
        assert playbook([young], "--check").last["rotated"] == expected
        assert playbook([young]).last["rotated"] == expected
    new = stored(playbook, "export").connection
    assert stored(playbook, "other").connection == new != first.connection
    assert playbook([renew(name="export")]).last["ended"] and not playbook([young]).last["rotated"]


def open_secrets(sim: SimulatedOrg) -> None:
    """Give the administrator for good what is otherwise opened for a moment."""
    sim.control.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
    sim.control.set_user(sim.admin.username, permissions=["ExternalClientAppDeveloper", "ViewClientSecret"])


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_done_names_the_option_and_changes_nothing(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook)
    make_with_secret(playbook)
    playbook([declare_credential("by-token", sim.admin.username, None, sim=sim)])
    sim.control.add_external_client_app("Foreign")
    names = ["billing", "export", "by-token"]
    before = [stored(playbook, name) for name in names]
    for options, problem in (
        ({"apps": ["Nobody"]}, "apps: the org has no app Nobody"),
        ({"apps": [BLUE, "Foreign"]}, "apps: Foreign was not made by this collection"),
        ({"apps": [GREEN]}, "apps: none of Green has the consumer key of 'billing'"),
        ({"apps": [BLUE, GREEN, "Third"]}, "apps: are one app, or two"),
        ({"name": "export", "apps": APPS}, "apps: is one app for client_credentials"),
        ({"name": "by-token"}, "name: credential 'by-token' logs in by security_token"),
        ({"name": "none"}, "no credential 'none'"),
        ({"max_age": "old"}, "max_age:"),
        ({"wait": -1}, "wait: must not be negative"),
        ({"apps": APPS, "valid_days": 0}, "valid_days:"),
        ({"max_age": "90d", "valid_days": 90}, "max_age: must be less than valid_days, 90"),
    ):
        task = renew(**{"force": True, **options})
        for mode in ((), ("--check",)):
            assert problem in playbook([task], *mode, ok=False).last["msg"], options
    assert [stored(playbook, name) for name in names] == before


def test_a_user_who_may_not_use_the_other_app_keeps_the_key_that_works(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook)
    playbook([declare_app(GREEN, playbook, users=[REPORTS])])
    refused = playbook([renew(apps=APPS, force=True)], ok=False).last
    assert "permission set" in refused["msg"]
    file = playbook.folder / "billing.json"
    playbook([deliver(file)])
    assert logs_in(sim, file)
    playbook([declare_app(GREEN, playbook), renew(apps=APPS)])
    assert stored(playbook).connection.consumer_key == sim.control.external_client_app(GREEN)["consumer_key"]


def test_a_package_that_the_org_refuses_leaves_nothing_under_way(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook)
    sim.control.set_user(sim.admin.username, profile="Standard User")
    refused = playbook([renew(apps=APPS, force=True)], ok=False).last
    assert refused["msg"] and stored(playbook).rotation is None


def test_an_app_whose_own_key_is_renewed_by_hand_is_not_mistaken(sim: SimulatedOrg, playbook: Playbooks) -> None:
    make_by_turns(playbook)
    playbook([renew(apps=APPS, force=True)])
    _key, certificate = key_pair("by hand", days=365)
    playbook([declare_app(GREEN, playbook, certificate=certificate)])
    assert certificate_of(sim, GREEN).split() != certificate.split(), "an older one than the rotation's is ignored"


# -- kills -------------------------------------------------------------------------------------------------------------


CALLS = [
    (OrgAdapter, "send", changes_org),
    (Store, "write", any_call),
    (consumer_secret, "replace_file", any_call),
]
CASES: dict[str, tuple[Callable[[Playbooks], Any], dict[str, Any], int]] = {
    "two apps": (make_by_turns, {"apps": APPS}, 4),
    "one app": (make_one_app, {}, 4),
    "a secret": (make_with_secret, {"name": "export"}, 10),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_killed_before_or_after_any_step_is_finished_by_the_next(
    sim: SimulatedOrg, playbook: Playbooks, case: str
) -> None:
    make, options, steps = CASES[case]
    make(playbook)
    name = options.get("name", "billing")
    file = playbook.folder / "app.json"
    playbook([deliver(file, name)])
    kills = 0
    for number in range(200):
        version = stored(playbook, name).version
        was_killed = killed_at(number, playbook, [renew(**options, force=True)], CALLS)
        if case != "one app":
            assert logs_in(sim, file), number
        finished = playbook([renew(**options)]).last
        if not was_killed or finished["resumed"]:
            assert stored(playbook, name).version == version + 1, number
        playbook([deliver(file, name)])
        assert logs_in(sim, file), number
        playbook([renew(**options)])
        assert stored(playbook, name).rotation is None, number
        if not was_killed:
            break
        kills += 1
    assert kills >= 2 * steps
    assert not [one for one in sim.control.permission_sets() if one.startswith("gatehouse_secret_")]


@pytest.mark.parametrize("executed", [True, False], ids=["carried out", "not carried out"])
@pytest.mark.parametrize("operation", ["deploy", "checkDeployStatus", "stageCredentials", "rotateCredentials"])
def test_a_request_without_an_answer_is_repeated(
    sim: SimulatedOrg, playbook: Playbooks, operation: str, executed: bool
) -> None:
    make_by_turns(playbook)
    make_with_secret(playbook)
    sim.control.inject("reset", operation=operation, executed=executed)
    playbook([renew(apps=APPS, force=True), renew(name="export", force=True)])
    assert {stored(playbook, name).version for name in ("billing", "export")} == {2}


# -- while an application logs in all the time -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["two apps", "a secret"])
def test_no_login_fails_while_keys_are_renewed_and_delivered(sim: SimulatedOrg, playbook: Playbooks, kind: str) -> None:
    application = rotations_in_use(playbook, sim, kind, rotations=3)
    assert application.failed == 0 and application.logins > 3


# -- the nightly run ---------------------------------------------------------------------------------------------------


@pytest.mark.ansible
def test_the_playbook_renews_delivers_and_ends_what_is_old_the_night_after(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    make_by_turns(playbook)
    make_with_secret(playbook)
    hosts = ("web1", "web2")
    for host in hosts:
        (playbook.folder / host).mkdir()
    names = {"billing": "billing.json", "export": "export.json"}
    here = f"{playbook.folder}/{{{{ inventory_hostname }}}}"
    files = [
        {"credential": name, "dest": f"{here}/{file}", "format": "json", "notify": []} for name, file in names.items()
    ]
    variables = {"ansible_connection": "local", "app_credentials_targets": files}
    inventory = {"salesforce_applications": {"hosts": dict.fromkeys(hosts, {}), "vars": variables}}
    (playbook.folder / "inventory.json").write_text(json.dumps(inventory))
    admin = declare_credential("admin", sim.admin.username, None, sim=sim)
    playbook([admin], gatehouse_salesforce_security_token=None, gatehouse_salesforce_password=None)
    keys = [
        {"credential": "admin", "name": "billing", "apps": APPS},
        {"credential": "admin", "name": "export"},
        {"credential": "admin", "name": "nobody"},
    ]

    def run(book: Path, *options: str, ok: bool = True, **more: Any) -> Results:
        given = {**NOBODY, "rotate_keys": keys[:2], **more}
        return playbook.run(book, "-i", str(playbook.folder / "inventory.json"), *options, ok=ok, **given)

    run(DELIVER)
    before = {name: stored(playbook, name) for name in names}
    foreseen = run(ROTATE, "--check", rotate_force=True)
    assert {host for task, host in changed(foreseen) if task == "Would be given a new token"} == set(hosts)
    assert {name: stored(playbook, name) for name in names} == before
    run(ROTATE, rotate_force=True)
    for name, file in names.items():
        assert stored(playbook, name).version == before[name].version + 1
        assert all(logs_in(sim, playbook.folder / host / file) for host in hosts)
    night_after = run(ROTATE)
    assert {task for task, _host in changed(night_after)} == {"Renew each key and app's secret that is due"}
    assert all(stored(playbook, name).rotation is None for name in names)
    assert not changed(run(ROTATE))
    failed = run(ROTATE, ok=False, rotate_keys=keys, rotate_credentials=["nobody", "export"], rotate_force=True)
    assert "Not renewed, for the reasons above: nobody" in failed.output
    assert stored(playbook, "export").version == before["export"].version + 2
