# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module external_client_app, as a playbook meets it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.unit.simulator.apps import key_pair

KEY, CERTIFICATE = key_pair()
OTHER_KEY, OTHER_CERTIFICATE = key_pair()
NAME = "Integrations"
BILLING, REPORTS = "billing@acme.example", "reports@acme.example"
PASSWORD = "Example-Password-1"


def app(**options: Any) -> dict[str, Any]:
    arguments = {"name": NAME, "contact_email": "platform@acme.example", "users": [BILLING], **options}
    if "client_credentials" not in options.get("flows", ()):
        arguments = {"certificate": CERTIFICATE, **arguments}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    return {"name": "declare", "gatehouse.salesforce.external_client_app": arguments}


def state(name: str) -> dict[str, Any]:
    return {"name": name, "gatehouse.salesforce.external_client_app": {"name": NAME, "state": name}}


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


def no_admin(sim: SimulatedOrg) -> dict[str, Any]:
    """Variables with which a task logs in by its own arguments."""
    return {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")}


def test_an_app_is_made_and_a_user_logs_in_by_it(sim: SimulatedOrg, playbook: Playbooks) -> None:
    made = playbook([app()], "--diff").last
    assert made["changed"] and made["app"]["users"] == [BILLING]
    assert playbook([login(made["consumer_key"])], **no_admin(sim)).last["verification"]["result"] == "ok"
    again = playbook([app()], "--diff").last
    assert not again["changed"] and again["app"] == made["app"]
