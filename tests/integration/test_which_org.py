# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every result of a task on an org says which org it was, and one name in the store is one credential."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.action.login_check import org_of_answer
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.tasks import login, store, trusted

pytestmark = pytest.mark.ansible

TASKS = {
    "trusted_ip_ranges": trusted("203.0.113.0/24", guard="off"),
    "login_ip_ranges": login("127.0.0.0/8", profile="Admin", guard="off"),
    "network_access_info": {"gatehouse.salesforce.network_access_info": {}},
    "login_history_info": {"gatehouse.salesforce.login_history_info": {}},
    "external_client_app": {"gatehouse.salesforce.external_client_app": {"name": "Ours", "state": "absent"}},
    "login_check": {"gatehouse.salesforce.login_check": {}},
}


def org_of(sim: SimulatedOrg) -> dict[str, Any]:
    """Return what results say of the simulated org."""
    return {"id": sim.control.org()["id"][:15], "host": "localhost", "user": sim.admin.username}


@pytest.mark.parametrize("module", TASKS)
def test_a_task_returns_the_org_that_it_was_about(sim: SimulatedOrg, playbook: Playbooks, module: str) -> None:
    result = playbook([TASKS[module]]).last
    assert result["org"] == org_of(sim)


def test_a_task_that_fails_in_the_org_returns_it_too(sim: SimulatedOrg, playbook: Playbooks) -> None:
    (failed,) = playbook([login("127.0.0.0/8", profile="Nobody's")], ok=False)
    assert failed["status"] == "failed" and failed["result"]["org"] == org_of(sim)


def test_a_credential_returns_the_org_where_it_logged_in(sim: SimulatedOrg, playbook: Playbooks) -> None:
    first, second = (item["result"] for item in playbook([store(sim), store(sim)]))
    assert first["org"] == org_of(sim)
    assert "org" not in second, "no login was made"


@pytest.mark.parametrize(
    "answer",
    [
        {"org_id": "00D\x1b[31m", "org_host": "evil.example"},
        {"org_id": "00D5g000004xYz", "org_host": "acme.my.salesforce.com/evil?"},
        {"org_id": ["00D"], "org_host": {"a": 1}},
        {},
    ],
)
def test_what_a_host_says_of_the_org_has_the_form_of_an_org(answer: dict[str, Any]) -> None:
    connection = Connection(username="admin@acme.example")
    assert org_of_answer(connection, answer) == {"id": None, "host": None, "user": "admin@acme.example"}
