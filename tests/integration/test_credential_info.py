# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""credential_info in real runs: what is told, without a login and without a key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks


def info(**options: Any) -> dict[str, Any]:
    return {"name": "info", "gatehouse.salesforce.credential_info": options}


def store(name: str, **options: Any) -> dict[str, Any]:
    return {"name": "store", "gatehouse.salesforce.credential": {"name": name, **options}}


@pytest.mark.ansible
def test_it_tells_what_the_last_login_came_to(sim: SimulatedOrg, playbook: Playbooks) -> None:
    playbook([store("good"), store("wrong", password="Wrong-1", verify="warn")])
    sim.control.clear_requests()
    results = playbook([info()])
    good, wrong = results.last["credentials"]
    assert (good["verification"]["cause"], good["ages"]["verified"]) == ("ok", 0)
    assert (wrong["verification"]["cause"], wrong["ages"]["verified"]) == ("invalid_credentials", None)
    assert results.last["changed"] is False and sim.control.counts() == {}
    assert sim.admin.password not in json.dumps(results) and sim.admin.password not in results.output


def test_it_needs_no_key_and_works_in_check_mode(playbook: Playbooks) -> None:
    playbook([store("good")])
    playbook.key_file.unlink()
    assert [item["name"] for item in playbook([info()], "--check").last["credentials"]] == ["good"]


def test_a_credential_that_will_stop_working_is_a_warning_with_what_to_change(playbook: Playbooks) -> None:
    playbook([store("good")])
    result = playbook([info(names=["good", "nobody"], warn_days=10_000)]).last
    assert result["retiring"] == ["good"] and result["missing"] == ["nobody"]
    assert any("move the credential to jwt_bearer" in text for text in result["warnings"])
    (soap,) = (item for item in result["credentials"][0]["retirement"] if item["what"] == "soap_login")
    assert (soap["when"], soap["grade"], soap["date_grade"]) == ("Summer '27", "confirmed", "assumed")
