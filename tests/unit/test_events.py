# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of events: what they see, and that no death loses an event."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import datetime
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.audit_trail import RangeChange
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import declare
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.access_changes import (
    ACCESS_CHANGES,
    TRUSTED,
    Difference,
    change_events,
    differences,
    without_own,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.credential_age import (
    CREDENTIAL_AGE,
    CredentialAge,
    range_endings,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.login_failures import (
    LOGIN_FAILURES,
    MAX_ROWS,
    new_failures,
    next_cursor,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.memory import (
    Cursor,
    Event,
    Memory,
    Seen,
    dump,
    make_event,
    parse,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.security_token_mail import (
    SECURITY_TOKEN_MAIL,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import (
    Source,
    SupersededError,
    Watch,
    read_options,
    run_source,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.stored_users import stored_users
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_entry
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.support.processes import write_private
from tests.support.stores import open_store, store_options

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "extensions" / "eda" / "plugins" / "event_source"
SOURCES: dict[str, Source] = {
    source.name: source for source in (CREDENTIAL_AGE, SECURITY_TOKEN_MAIL, LOGIN_FAILURES, ACCESS_CHANGES)
}
CANARY = "CanarySecret42"


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    """The options of an empty store."""
    write_private(tmp_path / "store.key", Fernet.generate_key().decode() + "\n")
    return {"store": str(tmp_path / "store"), "store_key_file": str(tmp_path / "store.key")}


class Counting(Watch):
    """Sees one more event at each look, numbered from 1; and fails at first so many times."""

    def __init__(self, failures: int = 0, last: int = 1_000_000) -> None:
        self.failures = failures
        self.last = last

    def look(self, cursor: Cursor | None) -> Seen:
        if self.failures:
            self.failures -= 1
            raise StoreError(f"the server is away, and {CANARY} with it")
        number = min(cursor["number"] + 1 if cursor else 1, self.last)
        events = [make_event("counting", number, number=number)] if not cursor or number > cursor["number"] else []
        return Seen({"number": number}, events)

    def wait(self, seconds: float) -> None:
        time.sleep(0.001)


def counting(watch: Counting) -> Source:
    return Source(name="counting", interval=1.0, spec={}, open=lambda _options, _task: watch)


class Collected:
    """A queue like that of ansible-rulebook, which ends the source after so many events."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.events: list[Event] = []

    async def put(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) == self.enough:
            raise asyncio.CancelledError


def collect(source: Source, enough: int, store: Mapping[str, Any], **arguments: Any) -> list[Event]:
    """Run a source until it has handed over so many events."""
    queue = Collected(enough)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run_source(source, queue, {**store, **arguments}))
    return queue.events


class TestMemory:
    """What is stored before anything is handed over."""

    def test_it_is_the_same_after_it_was_stored(self) -> None:
        memory = Memory({"number": 1}, (make_event("counting", 1),), "me")
        assert parse(dump(memory)) == memory

    @pytest.mark.parametrize("found", [None, {}, {"pending": 3, "cursor": None, "owner": ""}, {"pending": [{}]}])
    def test_what_is_no_memory_is_an_empty_one(self, found: Any) -> None:
        assert parse(found) == Memory()

    def test_what_is_pending_is_not_added_twice(self) -> None:
        event = make_event("counting", 1)
        assert Memory(pending=(event,)).after(Seen({}, [event])).pending == (event,)

    def test_an_id_depends_on_what_the_event_is_about_alone(self) -> None:
        assert make_event("a", 1, x=1)["id"] == make_event("a", 1, x=2)["id"]
        assert len({make_event(*it)["id"] for it in (("a", 1), ("a", 2), ("b", 1), ("a", 1, ""))}) == 4


class TestLoop:
    """From looks to events."""

    def test_each_event_is_handed_over_once(self, store: dict[str, str]) -> None:
        assert [event["number"] for event in collect(counting(Counting()), 5, store)] == [1, 2, 3, 4, 5]

    def test_a_server_that_goes_away_and_comes_back_costs_no_event_and_is_logged_once(
        self, store: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda _seconds: real(0))
        assert [event["number"] for event in collect(counting(Counting(failures=3)), 2, store)] == [1, 2]
        assert [record.message.partition(":")[2] for record in caplog.records] == [
            f" the server is away, and {CANARY} with it; tried again",
            " works again",
        ]

    def test_a_start_hands_over_again_what_may_be_lost_and_says_so(self, store: dict[str, str]) -> None:
        first = collect(counting(Counting()), 2, store)
        again = collect(counting(Counting()), 3, store)
        assert [(event["number"], event["redelivered"]) for event in again] == [(1, True), (2, True), (3, False)]
        assert [event["id"] for event in again[:2]] == [event["id"] for event in first]

    def test_what_is_older_than_the_time_of_replay_is_not(self, store: dict[str, str]) -> None:
        collect(counting(Counting()), 4, store, replay_seconds=0)
        # The last ones had no later look that could have found them settled.
        assert [event["number"] for event in collect(counting(Counting()), 2, store)] == [4, 5]

    def test_with_feedback_what_was_confirmed_is_not_handed_over_again(self, store: dict[str, str]) -> None:
        class Confirming(Collected):
            async def put(self, event: Event) -> None:
                await super().put(event)
                await feedback.put(event)

        feedback: asyncio.Queue[Event] = asyncio.Queue(1)
        arguments = {**store, "feedback": True, "eda_feedback_queue": feedback}
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(run_source(counting(Counting()), Confirming(4), arguments))
        assert [event["number"] for event in collect(counting(Counting()), 2, store)] == [4, 5]

    def test_the_second_source_of_a_name_ends_the_first(self, store: dict[str, str]) -> None:
        async def both() -> None:
            first = asyncio.create_task(run_source(counting(Counting()), Collected(10_000), store))
            await asyncio.sleep(0.2)
            second = asyncio.create_task(run_source(counting(Counting()), Collected(10_000), store))
            with pytest.raises(SupersededError, match="its own name"):
                await asyncio.wait_for(first, 20)
            second.cancel()

        asyncio.run(both())

    def test_what_a_source_remembers_is_sealed(self, store: dict[str, str]) -> None:
        collect(counting(Counting()), 1, store)
        (note,) = (Path(store["store"]) / ".notes").glob("*.json")
        assert "cursor" not in note.read_text() and "number" not in note.read_text()

    def test_no_kill_loses_an_event_and_none_comes_twice_unmarked(self, store: dict[str, str], tmp_path: Path) -> None:
        """The events of one run after the other, each killed at a random moment."""
        log, moments = tmp_path / "events.txt", random.Random(14)
        for _run in range(12):
            child = os.fork()
            if not child:
                try:
                    asyncio.run(run_source(counting(Counting(last=400)), _Written(log), store))
                finally:
                    os._exit(1)
            time.sleep(moments.uniform(0.1, 0.4))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        lines = [ast.literal_eval(line) for line in log.read_text().splitlines() if line.endswith(")")]
        new = [number for number, redelivered in lines if not redelivered]
        highest = max(number for number, _redelivered in lines)
        assert {number for number, _redelivered in lines} == set(range(1, highest + 1))
        assert len(new) == len(set(new))


class _Written:
    """A queue that writes each event to a file, as a rule's action would."""

    def __init__(self, log: Path) -> None:
        self.log = log

    async def put(self, event: Event) -> None:
        with self.log.open("a") as file:
            file.write(f"\n{(event['number'], event['redelivered'])}")


class TestOptions:
    """The arguments of a source, and their documentation."""

    def test_a_secret_is_taken_from_the_environment_only(
        self, store: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(OptionError, match="set the environment variable GATEHOUSE_STORE_TOKEN") as refusal:
            read_options(CREDENTIAL_AGE, {**store, "store_token": CANARY})
        assert CANARY not in str(refusal.value)
        monkeypatch.setenv("GATEHOUSE_STORE_TOKEN", CANARY)
        assert read_options(CREDENTIAL_AGE, store)["store_token"] == CANARY

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"interval": 0.1}, "interval: must be at least 1 second"),
            ({"replay_seconds": -1}, "replay_seconds: must not be negative"),
            ({"name": "a/b"}, "name: 'a/b' is not a name"),
        ],
    )
    def test_what_cannot_be_used_is_refused(
        self, store: dict[str, str], arguments: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(OptionError, match=problem):
            read_options(CREDENTIAL_AGE, {**store, **arguments})

    @pytest.mark.parametrize("name", SOURCES)
    def test_the_documentation_names_each_option_with_its_default(self, name: str) -> None:
        documented = yaml.safe_load(_constants(name)["DOCUMENTATION"])["options"]
        spec = SOURCES[name].full_spec
        assert documented.keys() == spec.keys()
        for option, details in spec.items():
            given = documented[option]
            expected = {key: details.get(key) for key in ("default", "elements", "required", "choices")}
            assert {key: given.get(key) for key in expected} == expected, option
            assert given["type"] == details["type"]

    @pytest.mark.parametrize("name", SOURCES)
    def test_the_examples_can_be_used(self, name: str, store: dict[str, str]) -> None:
        for example in yaml.safe_load(_constants(name)["EXAMPLES"]):
            read_options(SOURCES[name], {**example[f"gatehouse.salesforce.{name}"], **store})

    def test_every_plugin_is_tested_here(self) -> None:
        assert {file.stem for file in PLUGINS.glob("*.py")} == set(SOURCES)


def _constants(name: str) -> dict[str, str]:
    """The texts that a plugin assigns."""
    tree = ast.parse((PLUGINS / f"{name}.py").read_text())
    return {
        node.targets[0].id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.targets[0], ast.Name)
    }


class TestCredentialAge:
    """What ends soon."""

    NOW = datetime.datetime(2026, 3, 25, 12, tzinfo=datetime.UTC)

    @pytest.fixture(autouse=True)
    def _credentials(self, store: dict[str, str]) -> None:
        made = open_store(**store)
        billing = Connection(username="billing@acme.example", password=CANARY, security_token=CANARY)
        for name, connection in (
            ("billing", billing),
            ("trusted", dataclasses.replace(billing, security_token=None)),
            ("old", dataclasses.replace(billing, auth="username_password", consumer_key="k", consumer_secret=CANARY)),
        ):
            made.write(declare(None, connection, name=name, now="2026-01-01T00:00:00Z"), replaces=None)

    def look(self, store: dict[str, str], cursor: Cursor | None = None, days: int = 0, **arguments: Any) -> Seen:
        options = read_options(CREDENTIAL_AGE, {**store, **arguments})
        task = Task(check_mode=False, folder=Path(store["store"]), store_options=store_options(**store))
        return CredentialAge(options, task, lambda: self.NOW + datetime.timedelta(days=days)).look(cursor)

    def test_a_token_is_near_and_later_due_and_each_is_reported_once(self, store: dict[str, str]) -> None:
        seen = self.look(store, max_age="90d", names=["billing", "trusted"])
        (near,) = seen.events
        assert near["what"] == "secret_age" and near["subject"] == "security_token of billing"
        assert (near["stage"], near["days_left"], near["date"]) == ("near", 7, "2026-04-01")
        assert not self.look(store, seen.cursor, 6, max_age="90d", names=["billing"]).events
        later = self.look(store, seen.cursor, 7, max_age="90d", names=["billing"])
        assert [event["stage"] for event in later.events] == ["due"]
        assert not self.look(store, later.cursor, 8, max_age="90d", names=["billing"]).events

    def test_without_an_age_only_what_salesforce_ends_is_reported(self, store: dict[str, str]) -> None:
        assert not self.look(store).events
        ends = self.look(store, days=325, names=["old", "billing"]).events
        assert {(event["credential"], event["what"], event["stage"]) for event in ends} == {
            ("billing", "use_any_api_auth", "due"),
            ("old", "username_password_flow", "near"),
        }

    def test_no_event_contains_a_secret(self, store: dict[str, str]) -> None:
        seen = self.look(store, days=400, max_age="1d")
        assert seen.events and CANARY not in str(seen)

    @pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"form": 99}'])
    def test_one_that_is_damaged_or_missing_hides_no_other(self, store: dict[str, str], content: str | None) -> None:
        file = Path(store["store"]) / "old.json"
        file.write_text(content or file.read_text().replace('"2026-01-01T00:00:00Z"', "3"))
        seen = self.look(store, max_age="90d", names=["old", "gone", "billing"])
        assert [event["credential"] for event in seen.events] == ["billing"]
        assert len(seen.problems) == 2

    @pytest.mark.parametrize("content", ["{", '{"form": 99}', '{"credential": {"name": "old"}}'])
    def test_a_damaged_one_hides_no_user_of_others(self, store: dict[str, str], content: str) -> None:
        (Path(store["store"]) / "old.json").write_text(content)
        users, problems = stored_users(store_options(**store).open_without_keys(), ["old", "gone", "billing"])
        assert [user.credential for user in users] == ["billing"]
        assert len(problems) == 1

    def test_temporary_access_names_its_range(self) -> None:
        ranges = [
            parse_entry({"range": "192.0.2.7", "description": "CI (expires 2026-11-24T22:10Z)"}, "ranges"),
            parse_entry("198.51.100.0/24", "ranges"),
        ]
        (end,) = range_endings("the trusted IP ranges", ranges)
        assert (end.subject, end.date) == ("192.0.2.7 in the trusted IP ranges", datetime.date(2026, 11, 24))

    def test_apps_need_a_credential(self, store: dict[str, str]) -> None:
        with pytest.raises(OptionError, match="apps: needs a credential"):
            self.look(store, apps=["Billing"])


def row(number: int, status: str, user: str = "005A", minute: int = 0) -> dict[str, Any]:
    """A row of LoginHistory."""
    time_ = f"2026-03-01T12:{minute:02}:{number % 60:02}.000+0000"
    return {"Id": f"0Ya{number}", "UserId": user, "Status": status, "LoginTime": time_, "SourceIp": "192.0.2.7"}


class TestLoginFailures:
    """Rows of the login history."""

    def test_they_are_grouped_by_user_and_reason_and_successes_are_none(self) -> None:
        rows = [row(1, "Invalid Password"), row(2, "Success"), row(3, "invalid password"), row(4, "Restricted IP")]
        found = new_failures([*rows, row(5, "Invalid Password", "005B")], (), {"005A": False})
        assert [(one.cause.code, len(one.rows)) for one in found if one.cause] == [
            ("bad_password", 2),
            ("ip_denied", 1),
        ]

    def test_a_row_that_was_returned_is_not_returned_again(self) -> None:
        assert not new_failures([row(1, "Invalid Password")], {"0Ya1"}, {"005A": False})

    def test_an_unknown_status_is_a_reason_of_its_own(self) -> None:
        (one,) = new_failures([row(1, "Something New")], (), {"005A": False})
        assert one.cause is None

    def test_the_next_look_begins_at_the_last_row_and_remembers_those_near_it(self) -> None:
        cursor = {"since": "2026-03-01T12:00:00+00:00", "seen": []}
        after = next_cursor(cursor, [row(1, "Success"), row(2, "Success", minute=9), row(3, "Success", minute=10)])
        assert after == {"since": "2026-03-01T12:10:03+00:00", "seen": ["0Ya2", "0Ya3"]}
        assert next_cursor(after, []) == after

    def test_more_rows_than_one_look_returns_do_not_stop_it(self) -> None:
        cursor = {"since": "2026-03-01T12:00:00+00:00", "seen": []}
        after = next_cursor(cursor, [row(number, "Success") for number in range(MAX_ROWS)])
        assert datetime.datetime.fromisoformat(after["since"]).minute == 2


def change(text: str, who: str, added: bool | None, item: str | None) -> RangeChange:
    """A row of the audit trail about ranges."""
    parsed = parse_entry(item, "ranges") if item else None
    return RangeChange(user_id="005A", who=who, when="2026-03-01T12:00:00Z", text=text, added=added, range=parsed)


class TestAccessChanges:
    """Differences of lists, and who made them."""

    BEFORE = {TRUSTED: ["192.0.2.0/24"], "Sales": ["198.51.100.1"]}
    AFTER = {TRUSTED: ["192.0.2.0/24", "203.0.113.9"], "Sales": []}

    def test_each_list_that_differs_is_named(self) -> None:
        assert differences(self.BEFORE, self.AFTER) == [
            Difference(TRUSTED, ["203.0.113.9"], []),
            Difference("Sales", [], ["198.51.100.1"]),
        ]
        assert not differences(self.BEFORE, self.BEFORE)

    def test_what_an_own_user_did_is_no_event_unless_the_text_says_nothing(self) -> None:
        difference = Difference(TRUSTED, ["203.0.113.9"], [])
        own = change("Added", "admin@acme.example", True, "203.0.113.9")
        assert without_own(difference, [own]) == Difference(TRUSTED, [], [])
        removed = change("Deleted", "admin@acme.example", False, "203.0.113.9")
        silent = change("Changed", "admin@acme.example", None, None)
        assert without_own(difference, [removed, silent]) == difference

    def test_an_event_says_who_and_what(self) -> None:
        by = change("Added 203.0.113.9", "mallory@acme.example", True, "203.0.113.9")
        (event,) = change_events([Difference(TRUSTED, ["203.0.113.9"], [])], [by], "now")
        assert (event["ranges"], event["added"], event["who"]) == ("trusted", ["203.0.113.9"], ["mallory@acme.example"])

    def test_a_comparison_needs_no_text(self) -> None:
        (event,) = change_events([Difference("Sales", [], ["198.51.100.1"])], [], "now")
        assert (event["ranges"], event["profile"], event["who"]) == ("login", "Sales", [])

    def test_what_was_taken_back_between_two_looks_is_an_event(self) -> None:
        by = change("Added 203.0.113.9", "mallory@acme.example", True, "203.0.113.9")
        (event,) = change_events([], [by], "now")
        assert (event["ranges"], event["added"], event["text"]) == (None, ["203.0.113.9"], "Added 203.0.113.9")
