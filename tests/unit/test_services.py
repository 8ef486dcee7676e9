# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a target is decided by what is recorded, there and wanted; what a service gets is checked before."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.app_credential import ITEM
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.app_credentials import (
    APPLICATION,
    read_application,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import Delivery
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.applications import add, write
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.consumer import Consumer
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.deliver import finish, prepare
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.plan import plan, status_of
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.target import Target
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.libraries import require_parts
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import Secrets
from tests.support.processes import ROOT
from tests.support.stores import open_store

BUILT_IN = sorted((ROOT / "roles" / "app_credentials" / "tasks" / "targets").glob("*.yml"))
OF_OTHERS = re.compile(r"(community|kubernetes|azure|google)\.")
NOW = "2026-11-01T08:00:00Z"
OLD = Delivery(version=1, updated=NOW, format="env", encrypted=None, delivered=NOW, mark="7", fingerprint="old")
NEW = dataclasses.replace(OLD, version=2, fingerprint="new", mark=None)
UNSETTLED = dataclasses.replace(OLD, settled=False)


class TestDeciding:
    """One function decides for files and services."""

    @pytest.mark.parametrize(
        ("mark", "before", "wanted", "status"),
        [
            ("", None, NEW, "missing"),
            ("", OLD, OLD, "missing"),
            ("7", None, NEW, "other"),
            ("8", OLD, OLD, "other"),
            ("7", OLD, OLD, "current"),
            ("7", OLD, NEW, "previous"),
            ("7", OLD, None, "previous"),
        ],
    )
    def test_a_mark_tells_what_is_there(
        self, mark: str, before: Delivery | None, wanted: Delivery | None, status: str
    ) -> None:
        assert status_of(mark, before, wanted) == status

    @pytest.mark.parametrize(
        ("before", "wanted", "status", "restart", "expected"),
        [
            (None, NEW, "missing", True, ("write", True, False, False)),
            (OLD, NEW, "previous", False, ("write", True, False, True)),
            (OLD, NEW, "other", None, ("write", True, False, False)),
            (OLD, OLD, "current", True, ("keep", False, False, True)),
            (UNSETTLED, OLD, "current", True, ("keep", True, True, False)),
            (UNSETTLED, OLD, "current", False, ("keep", False, False, True)),
            (OLD, None, "previous", True, ("remove", True, False, False)),
            (OLD, None, "missing", True, ("keep", True, True, False)),
            (OLD, None, "missing", False, ("keep", False, False, None)),
            (OLD, None, "other", False, ("refuse", False, False, None)),
        ],
    )
    def test_a_plan_says_what_to_do_and_whether_a_restart_is_owed(
        self,
        before: Delivery | None,
        wanted: Delivery | None,
        status: str,
        restart: bool | None,
        expected: tuple[str, bool, bool, bool | None],
    ) -> None:
        found = plan(before, wanted, status, restart=restart)
        settled = found.delivery.settled if found.delivery else None
        assert (found.action, found.changed, found.overdue, settled) == expected


class Service:
    """A service that keeps what it is given, under marks of its own or those that it gets."""

    def __init__(self, folder: Path, *, numbers: bool = True) -> None:
        (folder / "key").write_bytes(Fernet.generate_key())
        (folder / "key").chmod(0o600)
        self.store = open_store(str(folder / "store"), str(folder / "key"))
        self.numbers = numbers
        self.mark = ""
        self.given: dict[str, Any] = {}
        self.put(1)

    def put(self, version: int, name: str = "billing") -> None:
        connection = Connection(username="b@acme.example", password=f"Password-{version}", security_token="Token")
        stored = Credential(name=name, connection=connection, version=version, created=NOW, updated=NOW)
        self.store.write(stored, replaces=version - 1 or None)

    def consumer(self, *, host: str = "bao", **more: Any) -> Consumer:
        kind = "kv" if self.numbers else "tasks"
        target = Target(**{"credential": "billing", "kind": kind, "dest": "secret/billing", "format": "json", **more})
        return Consumer.open(
            target, host=host, store=self.store, ask=lambda arguments: {}, check_mode=False, secrets=Secrets()
        )

    def deliver(self, **more: Any) -> dict[str, Any]:
        """Do what the role's tasks do."""
        prepared = prepare(self.consumer(**more), self.mark)
        before = self.mark
        if prepared["action"] == "write":
            self.given = prepared["given"]
            self.mark = f"{self.mark}1" if self.numbers else self.given["mark"]
        elif prepared["action"] == "remove":
            self.mark = ""
        return finish(self.consumer(**more), prepared["planned"], self.mark if self.numbers else before)


@pytest.mark.parametrize("numbers", [True, False])
def test_what_was_written_is_recognised_by_the_services_own_version_or_by_the_mark(
    tmp_path: Path, numbers: bool
) -> None:
    service = Service(tmp_path, numbers=numbers)
    assert service.deliver()["changed"] is True
    assert service.given["data"]["password"] == "Password-1" and service.given["mark"] not in service.given["value"]
    assert service.deliver()["changed"] is False
    service.put(2)
    found = service.deliver()
    assert (found["version_before"], found["version"], service.given["data"]["password"]) == (1, 2, "Password-2")
    assert service.deliver(format="env", key="x")["changed"] is True
    assert service.given["data"] == {"x": service.given["value"]}
    assert service.deliver(format="env", key="x")["changed"] is False
    assert service.deliver(state="absent")["changed"] is True
    assert service.store.deliveries("billing") == {} and service.deliver(state="absent")["changed"] is False


def test_a_service_that_keeps_its_version_as_it_has_the_same_already_is_written_and_restarted_once(
    tmp_path: Path,
) -> None:
    """A run died before it recorded what it had written, or somebody has changed a label."""
    service = Service(tmp_path)
    service.mark = "7"
    prepared = prepare(service.consumer(), service.mark)
    assert finish(service.consumer(), prepared["planned"], service.mark)["changed"] is True
    assert service.deliver()["changed"] is False


def test_two_hosts_that_write_the_same_in_turns_are_an_error_whatever_credentials_they_have(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.put(1, "orders")
    service.deliver(host="bao1")
    for credential in ("billing", "orders"):
        with pytest.raises(GatehouseError, match=r"kv://secret/billing was written for bao1; list it for one host"):
            service.deliver(host="bao2", credential=credential)
    assert service.deliver(host="bao1", credential="orders")["changed"] is True


def test_what_a_task_says_is_shown_without_what_it_was_given(tmp_path: Path) -> None:
    service = Service(tmp_path)
    application = read(target="kv", dest="secret/billing", format="json")
    secrets = Secrets(["Password-1"])
    found = add(
        write([application], lambda *_: service.consumer(), str),
        application,
        lambda *_: service.consumer(),
        secrets.mask,
        planned={},
        mark="",
        problem="400: Password-1 is weak",
    )
    assert found["problems"] == ["kv://secret/billing: 400: ******** is weak"] and found["topics"] == []


def read(**item: Any) -> Any:
    given = {"credential": "billing", "dest": "secret/billing", **item}
    return read_application(ArgumentSpecValidator(APPLICATION).validate(given).validated_parameters)


@pytest.mark.parametrize(
    ("item", "option"),
    [
        ({"target": "kv", "dest": "secret"}, "dest"),
        ({"target": "kv", "owner": "root"}, "owner"),
        ({"target": "kv", "restart": ["x"]}, "restart"),
        ({"target": "kv", "tasks": "/x.yml"}, "tasks"),
        ({"target": "tasks"}, "tasks"),
        ({"target": "tasks", "tasks": "x.yml"}, "tasks"),
        ({"dest": "/x", "key": "x"}, "key"),
        ({"dest": "/x", "target_options": {"url": "x"}}, "target_options"),
    ],
)
def test_what_does_not_belong_to_a_target_is_named(item: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as failed:
        read(**item)
    assert failed.value.option == option


def test_what_was_in_a_service_that_is_gone_for_good_is_forgotten() -> None:
    given = {"credential": "billing", "dest": "kv://secret/billing", "state": "forgotten"}
    target = Target.read(ArgumentSpecValidator(ITEM).validate(given).validated_parameters)
    assert (target.kind, target.dest, target.place) == ("kv", "secret/billing", "kv://secret/billing")


def test_what_is_missing_is_named_by_the_command_that_installs_it() -> None:
    require_parts("target x", "gatehouse.salesforce", {"json": "json"})
    with pytest.raises(GatehouseError) as failed:
        require_parts("target kv", "no.such", {"nosuch": "no-such"})
    command = "ansible-galaxy collection install no.such && pip install no-such"
    assert str(failed.value) == f"target kv needs what is missing on the controller: {command}"


def tasks_of(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the tasks in a list of tasks and blocks."""
    for task in listed:
        yield from tasks_of(task["block"]) if "block" in task else [task]


@pytest.mark.parametrize("file", BUILT_IN, ids=lambda file: file.stem)
def test_what_a_module_of_others_says_when_it_fails_is_not_printed(file: Path) -> None:
    """Ansible prints it whatever no_log says, unless the task has failed_when."""
    calls = [task for task in tasks_of(yaml.safe_load(file.read_text())) if any(OF_OTHERS.match(key) for key in task)]
    assert calls
    assert [task["name"] for task in calls if "failed_when" not in task] == []
