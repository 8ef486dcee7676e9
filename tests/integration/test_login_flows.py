# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to log in, as a playbook meets it: inline, stored, and as defaults of the action group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.unit.simulator.apps import key_pair

pytestmark = pytest.mark.ansible

BY_APP = ("username_password", "jwt_bearer", "client_credentials")
READ = {"name": "read", "gatehouse.salesforce.network_access_info": {}}


@pytest.fixture
def sim() -> Iterator[SimulatedOrg]:
    """An org whose own host is another than the login host, and that has an app."""
    with SimulatedOrg(addresses=("127.0.0.1", "127.0.0.2")) as sim:
        user = sim.admin.username
        sim.control.set_org(instance_url=sim.listeners[1].url)
        sim.control.add_app(
            "SimKey",
            consumer_secret="Canary-App-Secret",
            certificate=key_pair()[1],
            run_as=user,
            approved_users=[user],
        )
        yield sim


@pytest.fixture
def playbook(tmp_path: Path, sim: SimulatedOrg) -> Playbooks:
    """Where the org is and whom to trust, but no user and no secret."""
    playbook = Playbooks(tmp_path, sim)
    for name in ("username", "password", "security_token", "login_url"):
        del playbook.variables[f"gatehouse_salesforce_{name}"]
    playbook.variables["gatehouse_salesforce_allowed_hosts"] = ["localhost", "127.0.0.2"]
    return playbook


def options(sim: SimulatedOrg, auth: str) -> dict[str, Any]:
    """Just what a flow needs."""
    admin = sim.admin
    user = {"username": admin.username, "login_url": sim.url}
    password = {"password": admin.password, "security_token": admin.security_token}
    app = {"consumer_key": "SimKey", "consumer_secret": "Canary-App-Secret"}
    return {
        "auth": auth,
        **{
            "security_token": {**user, **password},
            "username_password": {**user, **password, **app},
            "jwt_bearer": {**user, "consumer_key": "SimKey", "private_key": key_pair()[0]},
            "client_credentials": {**app, "login_url": sim.listeners[1].url},
        }[auth],
    }


@pytest.mark.parametrize("auth", ["security_token", *BY_APP])
def test_inline_one_login_serves_the_run_and_no_secret_shows(sim: SimulatedOrg, playbook: Playbooks, auth: str) -> None:
    given = options(sim, auth)
    tasks = [{"name": "read", "gatehouse.salesforce.network_access_info": given}] * 2
    results = playbook(tasks, "-vvvv")
    assert {item["status"] for item in results} == {"ok"}
    assert sim.control.counts()["login" if auth == "security_token" else "token"] == 1
    for name in ("password", "security_token", "consumer_secret", "private_key"):
        for part in filter(None, given.get(name, "").split("\n")[1:-2] or [given.get(name, "")]):
            assert part not in results.output
            assert part not in json.dumps(results)


@pytest.mark.parametrize("auth", BY_APP)
def test_stored_it_is_verified_by_one_login_and_then_used_by_name(
    sim: SimulatedOrg, playbook: Playbooks, auth: str
) -> None:
    credential = {"name": "store", "gatehouse.salesforce.credential": {"name": "billing", **options(sim, auth)}}
    by_name = {"name": "read", "gatehouse.salesforce.network_access_info": {"credential": "billing"}}
    results = playbook([credential, credential, by_name])
    assert results[0]["result"]["verification"]["cause"] == "ok"
    assert results[1]["result"]["changed"] is False
    assert sim.control.counts()["token"] == 1, "the session of the login that verified it serves on"


def test_as_defaults_of_the_action_group(sim: SimulatedOrg, playbook: Playbooks) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/gatehouse.salesforce.org": options(sim, "jwt_bearer")},
        "tasks": [READ, READ],
    }
    assert {item["status"] for item in playbook.run([play])} == {"ok"}
    assert sim.control.counts()["token"] == 1


@pytest.mark.parametrize("refusal", ["INVALID_SESSION_ID", "INVALID_OPERATION", "accepted"])
def test_a_token_that_is_a_jwt_reads_all_lists_and_says_why_it_cannot_write(
    sim: SimulatedOrg, playbook: Playbooks, refusal: str
) -> None:
    sim.control.set_org(trusted_ranges=["198.51.100.0/24"])
    sim.control.set_profile("Custom Profile %28A%27M Team%29", label="Custom Profile (A'M Team)")
    for profile in ("Standard", "Custom Profile %28A%27M Team%29"):
        sim.control.set_profile(profile, login_ip_ranges=["203.0.113.0/24"])
    read = {"profiles": ["Standard User", "Custom Profile (A'M Team)"], "addresses": ["203.0.113.9"]}
    tasks = [
        {"name": "some", "gatehouse.salesforce.network_access_info": {**options(sim, "jwt_bearer"), **read}},
        {"name": "all", "gatehouse.salesforce.network_access_info": options(sim, "jwt_bearer")},
    ]
    before = playbook(tasks)
    sim.control.set_app("SimKey", jwt_tokens=True)
    sim.control.set_switches(jwt_token_by_soap=refusal)
    sim.control.end_sessions()
    sim.control.clear_requests()
    found = playbook(tasks)
    for now, then in zip(found, before, strict=True):
        assert now["result"] == then["result"]
    assert "readMetadata" not in sim.control.counts()
    declare = {**options(sim, "jwt_bearer"), "state": "present"}
    trusted = {"gatehouse.salesforce.trusted_ip_ranges": {**declare, "ranges": ["198.51.100.0/24"]}}
    assert not playbook([trusted]).last["changed"]
    trusted = {"gatehouse.salesforce.trusted_ip_ranges": {**declare, "ranges": ["192.0.2.0/24"]}}
    result = playbook([trusted], ok=refusal == "accepted").last
    if refusal != "accepted":
        assert "Its access tokens are JWTs" in result["msg"] and result["changed"] is False
    assert sim.control.counts()["token"] == 3, "one login for each run"


def test_client_credentials_at_a_login_host_is_told_before_anything_is_sent(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    given = {**options(sim, "client_credentials"), "login_url": "https://login.salesforce.com"}
    result = playbook([{"name": "read", "gatehouse.salesforce.network_access_info": given}], ok=False).last
    assert "login_url" in result["msg"] and "My Domain" in result["msg"]
    assert sim.control.counts() == {}


def test_an_expired_password_is_named_by_the_first_call(sim: SimulatedOrg, playbook: Playbooks) -> None:
    """By the password flow the org gives a session all the same, which then is good for nothing."""
    sim.control.set_user(sim.admin.username, password_expired=True)
    task = {"name": "read", "gatehouse.salesforce.network_access_info": options(sim, "username_password")}
    assert "password has expired" in playbook([task], ok=False).last["msg"]
