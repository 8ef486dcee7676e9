# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on hosts does so with every Python that Ansible supports there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.plays import Playbooks
from tests.support.processes import find_python

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]


@pytest.fixture(params=range(9, 14))
def python(request: pytest.FixtureRequest) -> Path:
    """The Python of a host."""
    found = find_python(f"python3.{request.param}")
    if found is None:
        pytest.skip(f"there is no Python 3.{request.param} here, so hosts that have it are NOT TESTED")
    return found


def test_a_credential_is_delivered_and_logged_in_with_and_taken_away(playbook: Playbooks, python: Path) -> None:
    target = playbook.folder / "app.env"
    stored = {name: playbook.variables[f"gatehouse_salesforce_{name}"] for name in ("username", "password")}
    stored["security_token"] = playbook.variables["gatehouse_salesforce_security_token"]
    file: dict[str, Any] = {"credential": "billing", "dest": str(target)}
    tasks: list[dict[str, Any]] = [
        {"gatehouse.salesforce.credential": {"name": "billing", **stored}},
        {"gatehouse.salesforce.app_credential": {**file, "validate": "test -s %s"}},
        {"gatehouse.salesforce.app_credential": {**file, "mode": "0640", "backup": True}},
        {"gatehouse.salesforce.login_check": {"credential": "billing"}},
    ]
    results = playbook(tasks, ansible_python_interpreter=str(python))
    assert [item["result"]["changed"] for item in results] == [True, True, True, False]
    assert results.last["verification"]["cause"] == "ok"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    absent = {"gatehouse.salesforce.app_credential": {**file, "state": "absent"}}
    assert playbook([absent], ansible_python_interpreter=str(python)).last["changed"] and not target.exists()
