# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's decisions: what is written, who is restarted for it, what counts as restarted, who is rolled back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.app_credentials import (
    APPLICATION,
    read_application,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.applications import (
    Application,
    record,
    to_roll_back,
    write,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.consumer import (
    Consumer,
    HostAnswer,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.delivery.target import Target
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import Secrets
from tests.support.stores import open_store

NOW = "2026-11-01T08:00:00Z"


class Host:
    """A host that keeps what it is sent, as app_file does."""

    def __init__(self, folder: Path) -> None:
        (folder / "key").write_bytes(Fernet.generate_key())
        (folder / "key").chmod(0o600)
        self.store = open_store(str(folder / "store"), str(folder / "key"))
        self.files: dict[str, str] = {}
        self.broken: set[str] = set()
        self.check_mode = False

    def put(self, name: str, version: int, *, standby: bool = False) -> None:
        """Store a version of a credential."""
        connection = Connection(username=f"{name}@acme.example", password=f"Password-{version}", security_token="Token")
        other = dataclasses.replace(connection, username=f"{name}-standby@acme.example") if standby else None
        stored = Credential(name=name, connection=connection, standby=other, version=version, created=NOW, updated=NOW)
        self.store.write(stored, replaces=version - 1 or None)

    def ask(self, arguments: dict[str, Any]) -> Mapping[str, Any]:
        """Answer as the module does."""
        from hashlib import sha256

        dest, payload = arguments["dest"], arguments["_payload"]
        if dest in self.broken:
            raise GatehouseError(f"{dest}: No such file or directory")
        has = sha256(self.files[dest].encode()).hexdigest() if dest in self.files else None
        status = "current" if has == payload["wanted"] else "previous" if has == payload["recorded"] else "other"
        if has is None:
            status = "missing"
        if payload["content"] is not None:
            self.files[dest] = payload["content"]
        if arguments["state"] == "absent":
            if status == "previous":
                del self.files[dest]
            return {"status": status, "changed": status == "previous"}
        return {"status": status, "changed": status != "current"}

    def open(self, file: Target, restart: bool | None) -> Consumer:
        """A consumer on this host."""
        return Consumer.open(
            file,
            host="web1",
            store=self.store,
            ask=self.ask,
            check_mode=self.check_mode,
            secrets=Secrets(),
            restart=restart,
        )

    def write(self, *applications: Application) -> dict[str, Any]:
        return write(applications, self.open, str)

    def record(self, written: dict[str, Any], *failed: str) -> list[str]:
        return record(written["targets"], written["problems"], failed, self.open, str)

    def restarted(self) -> dict[str, bool]:
        """By file, whether the store has it that its application was restarted."""
        names = self.store.delivered_names()
        found = {name: it for each in names for name, it in self.store.deliveries(each).items()}
        return {name.partition(":")[2]: delivery.settled for name, delivery in found.items()}


def application(credential: str, dest: str, *topics: str, restarts: bool = True, **more: Any) -> Application:
    file = Target(credential=credential, dest=dest, **more)
    return Application(target=file, topics=topics if restarts else None)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host, and a store of two credentials, the first of which is a pair."""
    made = Host(tmp_path)
    made.put("billing", 1, standby=True)
    made.put("reports", 1)
    return made


BILLING = application("billing", "/etc/billing.env", "Restart billing")
REPORTS = application("reports", "/etc/reports.env", "Restart reports", "Restart proxy")


class TestWriting:
    """Each file is written, whatever becomes of the others; the topics are those of files that changed."""

    def test_topics_are_those_of_changed_files_in_their_order_and_each_once(self, host: Host) -> None:
        third = application("reports", "/etc/third.env", "Restart proxy")
        assert host.write(BILLING, REPORTS, third)["topics"] == ["Restart billing", "Restart reports", "Restart proxy"]

    def test_a_second_run_changes_nothing_once_the_restarts_are_recorded(self, host: Host) -> None:
        assert host.record(host.write(BILLING, REPORTS)) == []
        again = host.write(BILLING, REPORTS)
        assert (again["changed"], again["topics"], again["problems"]) == (False, [], [])

    def test_one_that_cannot_be_written_keeps_no_other_from_its_restart(self, host: Host) -> None:
        host.broken.add("/etc/billing.env")
        written = host.write(BILLING, REPORTS)
        assert written["topics"] == ["Restart reports", "Restart proxy"]
        assert host.record(written) == ["/etc/billing.env: No such file or directory"]

    def test_a_text_that_does_not_name_the_file_is_given_its_name(self, host: Host) -> None:
        written = host.write(application("nobody", "/etc/nobody.env"))
        assert written["problems"][0].startswith("/etc/nobody.env: no credential 'nobody'")

    def test_a_file_that_is_listed_twice_is_written_for_neither(self, host: Host) -> None:
        other = application("reports", "/etc//billing.env", "Restart reports")
        written = host.write(BILLING, other)
        assert written["problems"] == ["/etc/billing.env is listed more than once, and can contain one credential only"]
        assert host.files == {}

    def test_the_same_item_in_two_lists_counts_once(self, host: Host) -> None:
        assert host.write(BILLING, BILLING)["problems"] == [] and list(host.files) == ["/etc/billing.env"]

    def test_check_mode_foresees_the_same_and_changes_nothing(self, host: Host) -> None:
        host.check_mode = True
        foreseen = host.write(BILLING)
        assert host.files == {} and host.restarted() == {}
        host.check_mode = False
        assert host.write(BILLING)["topics"] == foreseen["topics"] == ["Restart billing"]


class TestRestarts:
    """A file counts as delivered once all that reads it was restarted."""

    def test_it_does_when_no_handler_of_it_has_failed(self, host: Host) -> None:
        problems = host.record(host.write(BILLING, REPORTS), "Restart proxy")
        assert problems == ["/etc/reports.env has changed, but a handler failed that restarts what reads it"]
        assert host.restarted() == {"/etc/billing.env": True, "/etc/reports.env": False}
        assert host.write(BILLING, REPORTS)["topics"] == ["Restart reports", "Restart proxy"]

    def test_a_run_that_ends_before_it_is_recorded_is_made_up_for(self, host: Host) -> None:
        host.write(BILLING)
        assert host.restarted() == {"/etc/billing.env": False}
        assert host.write(BILLING)["topics"] == ["Restart billing"]

    def test_a_file_of_which_nobody_says_who_restarts_it_is_not_recorded_as_restarted(self, host: Host) -> None:
        silent = application("billing", "/etc/billing.env", restarts=False)
        for changed in (True, False):
            written = host.write(silent)
            assert (written["changed"], written["topics"]) == (changed, [])
            assert written["targets"][0]["restarted"] is False
            assert "nothing restarts what reads it" in written["warnings"][0]
            assert host.record(written) == []
            assert host.restarted() == {"/etc/billing.env": False}

    def test_it_is_once_somebody_has_said_that_it_needs_none_or_who_restarts_it(self, host: Host) -> None:
        host.write(application("billing", "/etc/billing.env", restarts=False))
        assert host.write(BILLING)["topics"] == ["Restart billing"]
        needs_none = host.write(application("billing", "/etc/billing.env"))
        assert (needs_none["changed"], needs_none["warnings"]) == (False, [])
        assert host.restarted() == {"/etc/billing.env": True}

    def test_what_another_run_has_written_since_does_not_count(self, host: Host) -> None:
        written = host.write(BILLING)
        host.put("billing", 2)
        host.write(BILLING)
        assert host.record(written) == [] and host.restarted() == {"/etc/billing.env": False}

    def test_a_removed_file_is_forgotten_after_the_restart(self, host: Host) -> None:
        host.record(host.write(BILLING))
        absent = application("billing", "/etc/billing.env", "Restart billing", state="absent")
        written = host.write(absent)
        assert host.files == {} and host.restarted() == {"/etc/billing.env": False}
        assert host.record(written) == [] and host.restarted() == {}
        assert not host.write(absent)["changed"]


class TestRollingBack:
    """Only applications of a pair that had trouble with what this run wrote get the user on standby."""

    @pytest.mark.parametrize(
        ("failed", "refused", "dests"),
        [
            ([], [], []),
            (["Restart billing"], [], ["/etc/billing.env"]),
            ([], ["billing"], ["/etc/billing.env"]),
            (["Restart reports"], ["reports"], []),  # of a single user the old secret is dead
        ],
    )
    def test_trouble_is_a_failed_handler_or_a_refused_login(
        self, host: Host, failed: list[str], refused: list[str], dests: list[str]
    ) -> None:
        entries = host.write(BILLING, REPORTS)["targets"]
        found = to_roll_back([BILLING, REPORTS], entries, failed, refused)
        assert [each.target.dest for each in found] == dests
        assert all(each.target.standby for each in found)

    def test_what_this_run_has_not_changed_stays(self, host: Host) -> None:
        host.record(host.write(BILLING))
        entries = host.write(BILLING)["targets"]
        assert to_roll_back([BILLING], entries, ["Restart billing"], ["billing"]) == []


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "fine", "changed": True},
        {"status": ["current"], "changed": True},
        {"status": {}, "changed": False},
        {"status": "current", "changed": "yes"},
        {"status": "current", "changed": False, "backup_file": ["x"]},
    ],
)
def test_an_answer_that_is_not_the_modules_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(GatehouseError, match="not this module's"):
        HostAnswer.read(answer)


def test_a_file_in_memory_is_one_like_others() -> None:
    item = {"credential": "billing", "dest": "/dev/shm/app.env"}
    validated = ArgumentSpecValidator(APPLICATION).validate(item).validated_parameters
    assert read_application(validated).target.dest == "/dev/shm/app.env"


@pytest.mark.parametrize("word", ["failed", "unreachable"])
def test_an_answer_that_also_says_that_it_failed_is_an_error(word: str) -> None:
    with pytest.raises(GatehouseError, match="what it has is not known"):
        HostAnswer.read({"status": "current", "changed": True, word: True})


@pytest.mark.parametrize("diff", [{"before": {"mode": "0600"}}, {"before": {}, "after": "x"}, ["x"]])
def test_a_diff_without_two_sides_is_none(diff: Any) -> None:
    assert HostAnswer.read({"status": "current", "changed": True, "diff": diff}).diff is None


def test_of_a_diff_only_plain_attributes_are_shown() -> None:
    diff = {"before": {"mode": "0600", "owner": 0, "x": "y"}, "after": {"mode": {"deep": 1}, "secontext": ["a", "b"]}}
    answer = HostAnswer.read({"status": "current", "changed": True, "diff": diff, "unknown": object()})
    assert answer.diff == {"before": {"mode": "0600", "owner": 0}, "after": {"secontext": ["a", "b"]}}
