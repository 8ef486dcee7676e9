# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook move_to_oauth: no credential loses its login by token before the new one works everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.moves import ADMIN, BILLING, PASSWORD, REPORTS, SITE, TOKEN, USERS, Move, username
from tests.support.plays import Playbooks, Results
from tests.support.tasks import NOBODY

pytestmark = pytest.mark.ansible

MAKE = "Make its app, log in by it from here, and store that beside the old login"
BY_TOKEN = dict.fromkeys(USERS, "security_token")


@pytest.fixture
def move(sim: SimulatedOrg, playbook: Playbooks) -> Move:
    """Three credentials by token. An application on web1 reads billing, and one on web2 reports."""
    return Move.prepare(playbook, sim)


def plan(results: Results) -> list[str]:
    """What the run has said that it would do."""
    return list(results.of("Show the plan")["msg"])


def content(move: Move, host: str) -> dict[str, Any]:
    """What the application on a host reads."""
    return dict(json.loads((move.playbook.folder / host / "app.json").read_text()))


def test_one_run_moves_all_and_another_one_changes_nothing(move: Move, sim: SimulatedOrg) -> None:
    del move.org["move_credentials"]  # all that are declared, the administrator's own among them
    done = move.run("-vvv")
    assert [line.split(": ")[0] for line in plan(done)] == [BILLING, REPORTS, ADMIN], "the administrator's own is last"
    assert move.flows() == dict.fromkeys(USERS, "jwt_bearer")
    assert move.logins() == dict.fromkeys(USERS, "ok")

    # Each has an app and a key of its own, as with the key of an app one can log in as each of its users.
    apps = {name: sim.control.permission_set(name)["assigned"] for name in sim.control.external_client_apps()}
    assert apps == {"billing": [username(BILLING)], "reports": [username(REPORTS)], "acme_admin": [username(ADMIN)]}
    keys = {name: move.store.read(name).connection.private_key for name in USERS}
    assert len(set(keys.values())) == 3

    # Each application has its own, and was restarted once; nothing else is left of a key, and nothing was printed.
    assert {host: content(move, host)["username"] for host in move.files} == {
        "web1": username(BILLING),
        "web2": username(REPORTS),
    }
    assert "password" not in content(move, "web1") and move.restarts() == [BILLING, REPORTS]
    assert move.left() == []
    in_keys = [(key or "").splitlines()[1] for key in keys.values()]
    assert not [secret for secret in (PASSWORD, TOKEN, *in_keys) if secret in done.output]
    assert not [row for row in sim.control.login_history() if row["status"] != "Success"]

    again = move.run()
    assert not [item["task"] for item in again if item["result"].get("changed")]
    assert move.restarts() == []

    # The inventory still declares passwords and tokens, which does not undo the move.
    site = move.run(book=SITE, login_url=True)
    assert "has moved to jwt_bearer, so its declaration with security_token is" in " ".join(site.output.split())
    assert move.flows() == dict.fromkeys(USERS, "jwt_bearer") and move.restarts() == []


def test_check_mode_shows_the_plan_has_the_org_check_it_and_changes_nothing(move: Move, sim: SimulatedOrg) -> None:
    move.org["move_credentials"] = [BILLING, {"name": REPORTS, "auth": "client_credentials"}, "unknown"]
    checked = move.run("--check", "--diff", ok=False)
    dest = move.playbook.folder / "web1" / "app.json"
    assert plan(checked) == [
        f"billing: from security_token to jwt_bearer by the app billing, then to web1:{dest}",
        f"reports: from security_token to client_credentials by the app reports, then to web2:{dest}".replace(
            "web1/", "web2/"
        ),
        "unknown: is not stored: the store does not have it; store it first, or say its username",
    ]
    assert [item["task"] for item in checked if item["result"].get("changed")].count(MAKE) == 2
    assert sim.control.external_client_apps() == {} and not (move.playbook.folder / "keys").exists()
    assert move.flows() == BY_TOKEN and set(move.store.all_names()) == set(USERS) and move.restarts() == []


def test_lists_are_those_of_hosts_with_the_same_store_and_may_be_made_of_other_variables(move: Move) -> None:
    folder = move.playbook.folder / "web1"
    move.files["web1"][0]["dest"] = "{{ application_folder }}/app.json"
    move.hosts["web1"] = {"application_folder": str(folder)}
    # Another org's store, in which another credential has the same name.
    move.hosts["web2"] = {"gatehouse_salesforce_store": str(folder / "store")}
    move.org["gatehouse_salesforce_store"] = str(move.playbook.folder / "store")
    checked = move.run("--check", ok=False, gatehouse_salesforce_store=None)  # as that store has nothing to deliver
    billing, reports = plan(checked)
    assert f"then to web1:{folder / 'app.json'}" in billing
    assert "no application of the inventory reads it" in reports


def test_nothing_moves_while_it_is_not_known_what_a_host_reads(move: Move, sim: SimulatedOrg) -> None:
    move.files["web1"][0]["dest"] = "{{ application_folder }}/app.json"
    refused = move.run(ok=False).of("Require that it is known what the applications read")["msg"]
    assert refused.startswith("Nothing was moved, as what these hosts read is not known: web1: ")
    assert "application_folder" in refused
    assert sim.control.external_client_apps() == {} and move.flows() == BY_TOKEN


def test_what_stays_is_said_even_when_the_delivery_fails_everywhere(move: Move) -> None:
    for host, listed in move.files.items():
        listed[0]["dest"] = f"{move.playbook.folder}/missing/{host}.json"
    move.org["move_credentials"] = [BILLING, "unknown"]
    results = move.run(ok=False)
    assert results.of("Say what stays as it is, and why")["msg"] == [
        "unknown: is not stored: the store does not have it; store it first, or say its username"
    ]


def test_client_credentials_where_asked(move: Move, sim: SimulatedOrg) -> None:
    move.org["move_credentials"] = [{"name": REPORTS, "auth": "client_credentials", "app": "Nightly"}]
    move.run()
    moved = move.store.read(REPORTS).connection
    app = sim.control.external_client_app("Nightly")
    assert (moved.auth, moved.consumer_secret) == ("client_credentials", app["consumer_secret"])
    assert content(move, "web2")["consumer_secret"] == app["consumer_secret"]
    assert move.logins()[REPORTS] == "ok" and set(move.store.all_names()) == set(USERS)


def test_an_app_that_another_credential_has_moved_to_is_not_taken_from_it(move: Move) -> None:
    move.org["move_credentials"] = [{"name": BILLING, "app": "Shared"}]
    move.run()
    move.org["move_credentials"] = [{"name": REPORTS, "app": "Shared"}]
    for options in (["--check"], []):
        failed = move.run(*options, ok=False).of("Say what has not moved, and why")["msg"]
        assert "reports: stays on security_token" in failed
        assert "the app Shared is the one that billing logs in by, which this would end" in failed
    assert move.flows() == {**BY_TOKEN, BILLING: "jwt_bearer"} and move.logins() == dict.fromkeys(USERS, "ok")


@pytest.mark.every_core
def test_what_cannot_move_says_why_and_stays_and_holds_up_no_other(move: Move, sim: SimulatedOrg) -> None:
    names = ("asleep", "shut-out", "taken")
    for name in names:
        sim.control.add_user(username(name), PASSWORD, security_token=TOKEN, profile="Integration")
    declare = [
        {
            "gatehouse.salesforce.credential": {
                "name": name,
                "username": username(name),
                "password": PASSWORD,
                "security_token": TOKEN,
                "login_url": sim.url,
            }
        }
        for name in names
    ]
    move.playbook(declare, **NOBODY)
    sim.control.set_user(username("asleep"), active=False)
    sim.control.set_profile("Elsewhere", permissions=["ApiEnabled"], login_ip_ranges=["192.0.2.1"])
    sim.control.set_user(username("shut-out"), profile="Elsewhere")
    sim.control.add_external_client_app("taken")
    move.files["web2"][0]["format"] = "env"
    move.org["move_credentials"] = [*names, REPORTS, BILLING, {"name": "new", "username": username("asleep")}]
    failed = move.run(ok=False).of("Say what has not moved, and why")["msg"]
    assert "reports: stays on security_token, which ends with Summer '27 (counted to 2027-05-01, " in failed
    assert "format env cannot hold jwt_bearer" in failed
    assert "asleep: stays" in failed and "'asleep@acme.example' is not an active user of this org" in failed
    assert "taken: stays" in failed and "the org has an app taken that this module did not make" in failed
    assert "shut-out: stays" in failed and "new: is not stored: users:" in failed
    assert move.flows() == {**BY_TOKEN, BILLING: "jwt_bearer"} and BILLING in move.restarts()
    assert {name: move.store.read(name).version for name in names} == dict.fromkeys(names, 1)


def test_a_host_where_the_new_login_is_refused_keeps_the_old_one(move: Move, sim: SimulatedOrg) -> None:
    # The controller is let in, and the host, which comes next, is not.
    closed = {"command": "set_profile", "name": "Integration", "login_ip_ranges": ["192.0.2.1"]}
    sim.control.hook("token", [closed], when="after", after=1)
    move.org["move_credentials"] = [BILLING]
    before = content(move, "web1")
    failed = move.run(ok=False).of("Say what has not moved, and why")["msg"]
    assert "billing: stays on security_token" in failed and "web1: " in failed
    assert move.store.read(BILLING).version == 1 and content(move, "web1") == before and move.restarts() == []
    sim.control.set_profile("Integration", login_ip_ranges=[])
    move.run()
    assert move.flows()[BILLING] == "jwt_bearer" and set(move.store.all_names()) == set(USERS)


def test_a_host_that_cannot_be_reached_keeps_the_old_login(move: Move) -> None:
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    move.hosts["web1"] = gone
    failed = move.run(ok=False).of("Say what has not moved, and why")["msg"]
    assert "billing: stays on security_token" in failed and "was not tried there: web1" in failed
    assert move.flows() == {**BY_TOKEN, REPORTS: "jwt_bearer"}


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([BILLING, BILLING], "credentials: billing is listed more than once"),
        ([{"name": BILLING, "auth": "saml"}], "auth 'saml' is not one of jwt_bearer, client_credentials"),
        ([{"name": BILLING, "user": "x"}], "name is needed, and app, auth, name, username known"),
        ([17], "17 is neither a name nor a dictionary of texts"),
    ],
)
def test_a_list_that_says_nothing_clear_is_refused_before_anything_is_made(
    move: Move, sim: SimulatedOrg, items: list[Any], problem: str
) -> None:
    move.org["move_credentials"] = items
    assert problem in move.run("--check", ok=False).output
    assert sim.control.counts() == {}


def test_an_org_without_such_apps_and_a_missing_contact_are_said_for_each(move: Move, sim: SimulatedOrg) -> None:
    del move.org["move_contact_email"]
    assert "billing: stays on security_token" in (failed := move.run(ok=False).last["msg"])
    assert failed.count("contact_email: is needed for a new app") == 2
    sim.control.set_org(external_client_apps_enabled=False)
    failed = move.run(ok=False, move_contact_email="platform@acme.example").last["msg"]
    assert failed.count("the org has no External Client Apps; opt in") == 2
    assert move.flows() == BY_TOKEN and move.logins() == dict.fromkeys(USERS, "ok")


def test_the_way_in_by_token_is_closed_on_request_when_no_application_needs_it(move: Move, sim: SimulatedOrg) -> None:
    del move.org["move_credentials"]
    # What reads reports is not delivered to in this run.
    failed = move.run("--limit", "acme,web1", ok=False, move_close=True).last["msg"]
    passwords = {name: sim.state.user(username(name)).password for name in USERS}
    assert passwords[BILLING] != PASSWORD and passwords[REPORTS] == PASSWORD == passwords[ADMIN]
    assert f"reports: not closed, as these may still use its password: web2:{move.playbook.folder}" in failed
    assert "admin@acme.example is the user that this task logs in as, whose password is left" in failed
    del move.org["credentials_declared"][-1]
    move.run(move_close=True)
    assert sim.state.user(username(REPORTS)).password != PASSWORD
    assert move.logins() == dict.fromkeys(USERS, "ok")
    # Once is enough.
    again = move.run(move_close=True)
    assert not [item for item in again if item["result"].get("changed")]
    assert sim.state.user(username(BILLING)).password == passwords[BILLING]


def test_the_next_run_finishes_one_that_was_killed(move: Move) -> None:
    kills = 0
    for number in range(5, 200, 13):
        if not move.run_killed(number):
            break
        kills += 1
        assert move.logins() == dict.fromkeys(USERS, "ok"), number
    move.run()
    assert kills >= 4
    assert move.flows() == {**dict.fromkeys(USERS, "jwt_bearer"), ADMIN: "security_token"}
    assert move.logins() == dict.fromkeys(USERS, "ok")
    assert move.left() == []
    assert {content(move, host)["username"] for host in move.files} == {username(BILLING), username(REPORTS)}
    assert set(move.restarts()) == {BILLING, REPORTS}
