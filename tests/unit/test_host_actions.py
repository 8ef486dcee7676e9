# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that send a secret to a managed host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.gatehouse.salesforce.plugins.action.login_check import _read_answer
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (
    GatehouseError,
    LoginUnansweredError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import HostAction

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]


def test_under_mitogen_nothing_is_sent_and_the_error_says_what_to_do() -> None:
    """Mitogen puts a class of its own between an action and Ansible's, whose way to a host is another one."""
    mixin = type("ActionModuleMixin", (), {"__module__": "ansible_mitogen.mixins"})
    action: Any = type("ActionModule", (mixin, HostAction), {})
    with pytest.raises(GatehouseError, match="run this play with strategy: linear or free; nothing was sent"):
        action._require_stdin(action.__new__(action))


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> Any:
    """Return an action whose host answers so."""
    action: Any = HostAction.__new__(HostAction)
    monkeypatch.setattr(HostAction, "_require_stdin", lambda _self: None)
    monkeypatch.setattr(HostAction, "_execute_module", lambda _self, **_rest: answer)
    action._task_vars = {}
    return action


def test_what_a_host_says_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    task = Task(check_mode=False, folder=tmp_path)
    hostile = {"status": "current", "address": "\x1b]0;x\x07", "diff": {"\x9b2J": ["\u202e", "pä\n\tss"]}}
    found = answering(monkeypatch, hostile).on_host({}, task, answer="status")
    assert found == {"status": "current", "address": "\\x1b]0;x\\x07", "diff": {"\\x9b2J": ["\\u202e", "pä\n\tss"]}}
    with pytest.raises(GatehouseError) as caught:
        answering(monkeypatch, {"failed": True, "msg": "\x1b[2J", "module_stdout": "\r"}).on_host({}, task, answer="x")
    assert str(caught.value) == "\\x1b[2J" and caught.value.result == {"module_stdout": "\\r"}


@pytest.mark.parametrize("reason", [None, {"a": 1}, 5])
def test_a_reason_that_is_no_text_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: Any) -> None:
    action = answering(monkeypatch, {"failed": True, "msg": reason})
    with pytest.raises(GatehouseError, match="the module crashed: with no reason given"):
        action.on_host({}, Task(check_mode=False, folder=tmp_path), answer="x")


def test_facts_that_are_a_list_are_dropped_before_ansible_adds_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "_parse_returned_data", lambda *_args: {"ansible_facts": ["x"], "rc": 0})
    action: Any = HostAction.__new__(HostAction)
    assert action._parse_returned_data({}, "legacy") == {"rc": 0}


@pytest.mark.parametrize("word", ["failed", "unreachable"])
def test_a_login_that_was_accepted_and_failed_is_not_known(word: str) -> None:
    connection = Connection(username="user@example.com", password="invented")
    with pytest.raises(LoginUnansweredError, match="does not say what became of the login"):
        _read_answer(connection, {"login_outcome": "accepted", word: True, "msg": "CANARY"})
