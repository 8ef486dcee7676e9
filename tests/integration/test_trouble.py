# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that break off: reads are tried again, and what became of a write is read, never guessed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks

RANGE = "192.0.2.7"
DECLARE = {"name": "declare", "gatehouse.salesforce.trusted_ip_ranges": {"ranges": [RANGE]}}
READ = {"name": "read", "gatehouse.salesforce.network_access_info": {}}
BREAKS: list[dict[str, Any]] = [
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 429},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 200},  # as a page about maintenance
    {"kind": "error", "code": "SERVER_UNAVAILABLE"},
    {"kind": "delay", "seconds": 3.0},
]


def name_of(fault: dict[str, Any]) -> str:
    return f"{fault['kind']}{fault.get('status', '')}"


def held(sim: SimulatedOrg) -> list[str]:
    return [one["start"] for one in sim.control.org()["trusted_ranges"]]


@pytest.mark.parametrize("operation", ["readMetadata", "query"])
@pytest.mark.parametrize("fault", BREAKS, ids=name_of)
def test_a_read_that_breaks_off_is_tried_again(
    sim: SimulatedOrg, playbook: Playbooks, fault: dict[str, Any], operation: str
) -> None:
    sim.control.inject(operation=operation, **fault)
    playbook([DECLARE], gatehouse_salesforce_timeout=2)
    assert held(sim) == [RANGE]
    assert sim.control.counts()["updateMetadata"] == sim.control.counts()["login"] == 1


@pytest.mark.parametrize("fault", BREAKS, ids=name_of)
def test_a_write_that_was_made_unseen_is_seen_by_reading(
    sim: SimulatedOrg, playbook: Playbooks, fault: dict[str, Any]
) -> None:
    sim.control.inject(operation="updateMetadata", executed=True, **fault)
    result = playbook([DECLARE], gatehouse_salesforce_timeout=2).last
    assert (result["changed"], held(sim)) == (True, [RANGE])
    assert sim.control.counts()["updateMetadata"] == 1


def test_a_write_that_was_not_made_is_made_once_that_is_known(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("reset", operation="updateMetadata")
    result = playbook([DECLARE]).last
    assert (result["changed"], held(sim)) == (True, [RANGE])
    operations = [entry["operation"] for entry in sim.control.requests()]
    first, second = (number for number, operation in enumerate(operations) if operation == "updateMetadata")
    assert "readMetadata" in operations[first:second], "a write is never sent again before the list was read"


def test_when_nothing_can_be_read_either_the_error_says_what_is_not_known(
    sim: SimulatedOrg, playbook: Playbooks
) -> None:
    sim.control.inject("reset", operation="updateMetadata", executed=True)
    sim.control.inject("reset", operation="readMetadata", after=1, times=None)
    result = playbook([DECLARE], ok=False).last
    assert "Whether the last write was made is not known" in result["msg"]
    assert "tried 3 times" in result["msg"]
    assert result["changed"] is False


def test_when_only_the_reading_fails_the_change_is_told(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("reset", operation="readMetadata", after=1, times=None)
    result = playbook([DECLARE], ok=False).last
    assert "They were written" in result["msg"]
    assert result["changed"] is True


def test_an_org_that_asks_to_wait_too_long_is_told_at_once(sim: SimulatedOrg, playbook: Playbooks) -> None:
    sim.control.inject("status", operation="readMetadata", status=503, headers={"Retry-After": "900"})
    started = time.monotonic()
    assert "it asks to wait 900 s" in playbook([READ], ok=False).last["msg"]
    assert time.monotonic() - started < 30
    assert sim.control.counts()["readMetadata"] == 1


@pytest.mark.parametrize("fault", BREAKS, ids=name_of)
def test_a_login_is_never_repeated_and_the_error_says_that_it_may_count(
    sim: SimulatedOrg, playbook: Playbooks, fault: dict[str, Any]
) -> None:
    sim.control.inject(operation="login", executed=True, **fault)
    message = playbook([READ], ok=False, gatehouse_salesforce_timeout=2).last["msg"]
    if fault["kind"] != "error":
        assert "Whether the login was counted is not known, so it is not repeated" in message
    assert sim.control.counts() == {"login": 1}


def test_where_nobody_listens_nothing_is_said_to_be_unknown(playbook: Playbooks) -> None:
    message = playbook([READ], ok=False, gatehouse_salesforce_login_url="https://localhost:9").last["msg"]
    assert "Connection refused" in message
    assert "not known" not in message
