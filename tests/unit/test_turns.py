# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tasks on one list wait for each other."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.turns import Turns
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import (
    SessionCache,
    new_run_cipher,
)
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.unit.simulator.apps import key_pair

__all__ = ["simulated_org", "simulated_org_server"]

ORG, KIND = "00D000000000001", "trusted"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for what programs keep."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def waits(first: Turns, second: Turns, *, org: str = ORG, kind: str = KIND) -> bool:
    """Whether a task with the second turns has to wait while one with the first has its turn."""
    had_it = threading.Event()

    def take() -> None:
        with second.on_controller(org, kind):
            had_it.set()

    other = threading.Thread(target=take)
    with first.on_controller(ORG, KIND):
        other.start()
        waited = not had_it.wait(0.3)
    other.join(10)
    assert had_it.is_set()
    return waited


def test_two_runs_wait_for_each_other_on_one_list_only(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "run1"), Turns(tmp_path / "run2")
    assert waits(one, other)
    assert not waits(one, other, org="00D000000000002")
    assert not waits(one, other, kind="login")


def test_the_folder_of_the_locks_is_the_users_alone(tmp_path: Path, state: Path) -> None:
    with Turns(tmp_path / "run").on_controller(ORG, KIND):
        folder = state / "gatehouse" / "turns"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


def test_without_the_variable_they_are_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for nothing in ("", "relative"):  # which the standard tells to ignore
        monkeypatch.setenv("XDG_STATE_HOME", nothing)
        with Turns(tmp_path / "run").on_controller(ORG, KIND):
            (lock,) = (tmp_path / ".local" / "state" / "gatehouse" / "turns").iterdir()
        lock.unlink()


@pytest.mark.parametrize("problem", ["a file", "another user's", "open to others"])
def test_where_it_cannot_be_used_the_hosts_of_a_run_wait_for_each_other_all_the_same(
    tmp_path: Path, state: Path, problem: str
) -> None:
    folder = state / "gatehouse" / "turns"
    folder.parent.mkdir(parents=True)
    if problem == "a file":
        folder.touch()
    else:
        folder.mkdir()
        if problem == "open to others":
            folder.chmod(0o777)
        elif os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        else:
            os.chown(folder, 65534, 65534)
    assert waits(Turns(tmp_path / "run"), Turns(tmp_path / "run"))
    assert problem == "a file" or not list(folder.iterdir())


def test_a_session_whose_token_is_a_jwt_waits_for_the_others_of_its_org(
    simulated_org: SimulatedOrg, tmp_path: Path
) -> None:
    admin = simulated_org.admin
    simulated_org.control.add_app("SimKey", certificate=key_pair()[1], approved_users=[admin.username], jwt_tokens=True)
    where: dict[str, Any] = {
        "login_url": simulated_org.url,
        "ca_path": simulated_org.ca_path,
        "allowed_hosts": ("localhost",),
    }
    password: dict[str, Any] = {"password": admin.password, "security_token": admin.security_token}
    app: dict[str, Any] = {"auth": "jwt_bearer", "consumer_key": "SimKey", "private_key": key_pair()[0]}
    ids = []
    for login in (password, app):
        sessions = SessionCache(tmp_path / "sessions", new_run_cipher(), LoginAttempts(tmp_path / "run", None))
        ids.append(Org(Connection(username=admin.username, **where, **login), sessions).org_id)
    assert ids[0].startswith("00D") and ids[0] == ids[1]
