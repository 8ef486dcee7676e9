# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of events at real mailboxes and simulated orgs that go away, come back and forget."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import declare
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import MailError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.access_changes import (
    ACCESS_CHANGES,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.login_failures import (
    LOGIN_FAILURES,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.memory import Cursor, Seen
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.security_token_mail import (
    SECURITY_TOKEN_MAIL,
    SecurityTokenMail,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import (
    Source,
    Watch,
    read_options,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.integration.test_mailbox import AUTHSERV_ID, PASSED, Box, compose, new_token
from tests.simulated_org import SimulatedOrg
from tests.support.dovecot import PLAIN_ADDRESS, Dovecot, Relay
from tests.support.processes import write_private
from tests.support.stores import open_store

USERNAME, PASSWORD, TOKEN = "int@example.com", "Int-Password-1", "StoredToken0000000000001"


@dataclasses.dataclass
class Place:
    """A store with one credential."""

    folder: Path
    options: dict[str, str]

    def open(self, source: Source, **arguments: Any) -> Watch:
        """What a source looks at."""
        options = read_options(source, {**self.options, **arguments})
        return source.open(options, Task.read(options, check_mode=False, folder=self.folder))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_private(tmp_path / "store.key", Fernet.generate_key().decode() + "\n")
    made = Place(tmp_path, {"store": str(tmp_path / "store"), "store_key_file": str(tmp_path / "store.key")})
    connection = Connection(username=USERNAME, password=PASSWORD, security_token=TOKEN)
    credential = declare(None, connection, name="billing", now="2026-01-01T00:00:00Z")
    open_store(**made.options).write(credential, replaces=None)
    return made


class TestSecurityTokenMail:
    """At a real Dovecot."""

    @pytest.fixture
    def box(self, server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Box:
        monkeypatch.setenv("GATEHOUSE_MAILBOX_PASSWORD", server.password)
        return Box(server)

    @pytest.fixture
    def watch(self, place: Place, box: Box) -> Iterator[SecurityTokenMail]:
        made = self.watch_of(place, box)
        yield made
        made.close()

    @staticmethod
    def watch_of(place: Place, box: Box, **options: Any) -> SecurityTokenMail:
        mailbox = {**box.options, "authserv_id": AUTHSERV_ID, **options}
        del mailbox["password"]
        watch = place.open(SECURITY_TOKEN_MAIL, mailbox=mailbox)
        assert isinstance(watch, SecurityTokenMail)
        return watch

    @staticmethod
    def names(seen: Seen) -> list[str]:
        return [event["credential"] for event in seen.events]

    def test_a_mail_that_nobody_asked_for_is_told_once_and_without_its_token(
        self, watch: SecurityTokenMail, box: Box
    ) -> None:
        box.deliver(compose(new_token(), results=PASSED))
        begun = watch.look(None)
        assert not begun.events  # it came before the very first look
        token = new_token()
        box.deliver(compose(token, results=PASSED))
        seen = watch.look(begun.cursor)
        (event,) = seen.events
        assert (event["credential"], event["username"], event["sender_verified"]) == ("billing", USERNAME, True)
        assert token not in str(seen) and event["received"].endswith("Z")
        assert not watch.look(seen.cursor).events
        # After a death between look and store, it is found again, with the same id.
        assert watch.look(begun.cursor).events == [event]

    @pytest.mark.parametrize(
        "mail",
        [
            compose(TOKEN, results=PASSED),
            compose(new_token()),
            compose(new_token(), "other@example.com", results=PASSED),
            compose(new_token(), sender="Salesforce <support@salesforce.example>", results=PASSED),
        ],
        ids=["stored", "not verified", "another user", "another sender"],
    )
    def test_other_mails_are_no_events(self, watch: SecurityTokenMail, box: Box, mail: bytes) -> None:
        cursor = watch.look(None).cursor
        box.deliver(mail)
        assert not watch.look(cursor).events

    def test_while_a_rotation_works_its_mail_waits_and_is_judged_afterwards(
        self, watch: SecurityTokenMail, box: Box, place: Place
    ) -> None:
        cursor: Cursor = watch.look(None).cursor
        store, asked = open_store(**place.options), new_token()
        with store.lock("billing"):
            box.deliver(compose(asked, results=PASSED))
            seen = watch.look(cursor)
            assert not seen.events
            stored = store.read("billing")
            connection = dataclasses.replace(stored.connection, security_token=asked)
            store.write(declare(stored, connection, name="billing", now="2026-02-01T00:00:00Z"), replaces=1)
        after = watch.look(seen.cursor)
        assert not after.events
        # One that died before it stored the token is finished by what the event starts.
        with store.lock("billing"):
            box.deliver(compose(new_token(), results=PASSED))
            seen = watch.look(after.cursor)
            assert not seen.events
        assert self.names(watch.look(seen.cursor)) == ["billing"]

    def test_what_comes_while_the_connection_is_lost_is_found_when_it_is_back(
        self, place: Place, box: Box, server: Dovecot
    ) -> None:
        with contextlib.closing(Relay(server.port)) as relay:
            watch = self.watch_of(place, box, port=relay.port)
            cursor = watch.look(None).cursor
            relay.cut()
            with pytest.raises(MailError):
                watch.look(cursor)
            box.deliver(compose(new_token(), results=PASSED))
            assert self.names(watch.look(cursor)) == ["billing"]
            watch.close()

    def test_a_server_that_has_numbered_its_mails_anew_costs_no_event_and_repeats_none(
        self, watch: SecurityTokenMail, box: Box, server: Dovecot
    ) -> None:
        cursor = watch.look(None).cursor
        box.deliver(compose(new_token(), results=PASSED))
        seen = watch.look(cursor)
        assert self.names(seen) == ["billing"]
        position = [seen.cursor["position"][0] + 1, 1]
        assert not watch.look({**seen.cursor, "position": position}).events
        assert self.names(watch.look({**cursor, "position": position})) == ["billing"]

    def test_more_mails_than_one_look_reads_are_read_by_the_next(self, watch: SecurityTokenMail, box: Box) -> None:
        cursor = watch.look(None).cursor
        for _number in range(25):
            box.deliver(compose(new_token(), "other@example.com", results=PASSED))
        box.deliver(compose(new_token(), results=PASSED))
        seen = watch.look(cursor)
        assert not seen.events
        assert self.names(watch.look(seen.cursor)) == ["billing"]

    @pytest.mark.parametrize("host", ["localhost", PLAIN_ADDRESS], ids=["IDLE", "polling"])
    def test_it_waits_for_a_mail_and_not_longer(self, place: Place, box: Box, host: str) -> None:
        watch = self.watch_of(place, box, host=host)
        seen = watch.look(None)
        box.deliver_later(compose(new_token(), results=PASSED), 0.5)
        for _look in range(10):
            watch.wait(60)
            seen = watch.look(seen.cursor)
            if seen.events:
                break
        assert self.names(seen) == ["billing"]
        watch.close()

    def test_a_refused_login_ends_the_source(self, place: Place, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_MAILBOX_PASSWORD", wrong := secrets.token_hex(8))
        with pytest.raises(OptionError, match="not tried again") as refusal:
            self.watch_of(place, box).look(None)
        assert wrong not in str(refusal.value)


class TestOrg:
    """At a simulated org."""

    ADMIN, OTHER = "admin@acme.example", "mallory@acme.example"

    @pytest.fixture
    def watched(self, place: Place, sim: SimulatedOrg) -> Place:
        sim.control.add_user(USERNAME, PASSWORD, security_token=TOKEN, profile="Standard User")
        sim.control.add_user(self.ADMIN, PASSWORD, security_token=TOKEN)
        sim.control.add_user(self.OTHER, PASSWORD, security_token=TOKEN)
        connection = Connection(
            login_url=sim.url,
            ca_path=sim.ca_path,
            allowed_hosts=("localhost",),
            username=self.ADMIN,
            password=PASSWORD,
            security_token=TOKEN,
        )
        credential = declare(None, connection, name="admin", now="2026-01-01T00:00:00Z")
        open_store(**place.options).write(credential, replaces=None)
        return place

    def test_refused_logins_of_stored_users_are_told_once(self, watched: Place, sim: SimulatedOrg) -> None:
        watch = watched.open(LOGIN_FAILURES, credential="admin")
        cursor = watch.look(None).cursor
        sim.control.add_logins(
            [
                {"username": USERNAME, "source_ip": "192.0.2.7", "status": "Invalid Password", "count": 3},
                {"username": USERNAME, "source_ip": "192.0.2.7", "status": "Restricted IP"},
                {"username": USERNAME, "source_ip": "192.0.2.8"},
                {"username": self.OTHER, "source_ip": "192.0.2.7", "status": "Invalid Password"},
            ]
        )
        seen = watch.look(cursor)
        assert [(one["credential"], one["cause"], one["failures"]) for one in seen.events] == [
            ("billing", "bad_password", 3),
            ("billing", "ip_denied", 1),
        ]
        assert not watch.look(seen.cursor).events
        assert watch.look(cursor).events == seen.events  # after a death
        assert PASSWORD not in str(seen) and TOKEN not in str(seen)

    def test_a_session_that_has_ended_costs_no_event(self, watched: Place, sim: SimulatedOrg) -> None:
        watch = watched.open(LOGIN_FAILURES, credential="admin")
        seen = watch.look(watch.look(None).cursor)
        sim.control.end_sessions()
        sim.control.add_logins([{"username": USERNAME, "source_ip": "192.0.2.7", "status": "Password Lockout"}])
        assert [one["cause"] for one in watch.look(seen.cursor).events] == ["user_locked"]

    def test_a_look_without_refusals_is_one_request(self, watched: Place, sim: SimulatedOrg) -> None:
        watch = watched.open(LOGIN_FAILURES, credential="admin")
        seen = watch.look(watch.look(None).cursor)
        sim.control.clear_requests()
        watch.look(seen.cursor)
        assert sum(sim.control.counts().values()) == 1

    def test_ranges_that_somebody_changes_by_hand_are_told_and_own_changes_are_not(
        self, watched: Place, sim: SimulatedOrg
    ) -> None:
        watch = watched.open(ACCESS_CHANGES, credential="admin")
        cursor = watch.look(None).cursor
        sim.control.add_trusted_range("203.0.113.9", by=self.OTHER)
        seen = watch.look(cursor)
        (event,) = seen.events
        assert (event["ranges"], event["added"], event["who"]) == ("trusted", ["203.0.113.9"], [self.OTHER])
        sim.control.add_trusted_range("203.0.113.10", by=self.ADMIN)
        own = watch.look(seen.cursor)
        assert not own.events
        assert not watch.look(own.cursor).events
