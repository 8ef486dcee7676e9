# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail servers that behave in odd ways, and settings that cannot be used. A real server is in the integration tests."""

from __future__ import annotations

import base64
import contextlib
import datetime
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import MailError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox import imap as connection_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox import mailbox as mailbox_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.imap import Position
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.mailbox import (
    BLIND,
    Mailbox,
    open_mailbox,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.settings import (
    SPEC,
    MailSettings,
    mail_settings,
)
from tests.simulated_org import ca

USERNAME, PASSWORD = "int@example.com", "Invented-Password-1"
TOKEN = "AbCdEf0123456789GhIjKlMnO"
FROM_BEGINNING = Position(7, 1)
OPTIONS: dict[str, Any] = {"host": "imap.example.org", "username": "box@example.org", "password": PASSWORD}


def mail(token: str = TOKEN, username: str = USERNAME) -> bytes:
    body = base64.encodebytes(f"Username: {username}\nSecurity token (case-sensitive): {token}\n".encode())
    header = b"From: support@salesforce.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return header + body.replace(b"\n", b"\r\n")


class Script:
    """A server that answers as a test wants: by default as one that has mails and finds nothing in their bodies."""

    def __init__(self, certificates: ca.Certificates, *, tls: bool = True) -> None:
        self.certificates = certificates
        self.greeting = b"* OK ready"
        self.capabilities = "IMAP4rev1 AUTH=PLAIN"
        self.mails: dict[int, bytes] = {}
        self.answers: dict[str, list[bytes]] = {}
        self.commands: list[str] = []
        self.said_in_idle = b""
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def open(self, **options: Any) -> AbstractContextManager[Mailbox]:
        """The mailbox on this server."""
        reach = {"host": "localhost", "port": self.port, "ca_path": str(self.certificates.ca), "timeout": 5.0}
        return open_mailbox(mail_settings({**OPTIONS, **reach, **options}))

    def count(self, command: str) -> int:
        """How often a command was sent that begins so."""
        return sum(line.startswith(command) for line in self.commands)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    connection = context.wrap_socket(connection, server_side=True)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(self.greeting + b"\r\n")
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                tag, _space, command = line.decode(errors="replace").strip().partition(" ")
                self.commands.append(command or tag)
                for answer in self._answers(command, lines):
                    if answer == b"close":
                        return
                    self._send(connection, answer.replace(b"TAG", tag.encode()))

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        connection.sendall(answer + b"\r\n")

    def _answers(self, command: str, lines: Any) -> Iterator[bytes]:
        known = next((answers for begin, answers in self.answers.items() if command.startswith(begin)), None)
        if known is not None:
            for answer in known:
                yield answer
                if answer.startswith(b"+"):
                    self.commands.append(lines.readline().decode().strip())
            return
        if command == "IDLE":
            yield b"+ idling"
            time.sleep(0.1)
            yield self.said_in_idle
            self.commands.append(lines.readline().decode().strip())
        elif command.startswith("CAPABILITY"):
            yield f"* CAPABILITY {self.capabilities}".encode()
        elif command.startswith("AUTHENTICATE"):
            yield b"+"
            self.commands.append(lines.readline().decode().strip())
        elif command.startswith(("EXAMINE", "SELECT")):
            yield f"* {len(self.mails)} EXISTS".encode()
            yield b"* OK [UIDVALIDITY 7] x"
            yield f"* OK [UIDNEXT {max(self.mails, default=0) + 1}] x".encode()
        elif command.startswith("UID SEARCH"):
            found = [] if "BODY" in command else sorted(self.mails)
            yield " ".join(["* SEARCH", *map(str, found)]).encode()
        elif command.startswith("UID FETCH"):
            for uid in map(int, command.split()[2].split(",")):
                raw = self.mails[uid]
                name = b"BODY[]<0>"
                if "HEADER" in command:
                    name, raw = (
                        b'BODY[HEADER.FIELDS ("From" "Date")]<0>',
                        raw[: raw.index(b"\r\n\r\n") + 4][: 16 * 1024],
                    )
                date = b'INTERNALDATE "25-Nov-2026 10:00:00 +0100"'
                yield b"* %d FETCH (UID %d %s %s {%d}\r\n%s)" % (uid, uid, date, name, len(raw), raw)
        yield b"TAG OK done"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    return ca.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def script(certificates: ca.Certificates) -> Iterator[Script]:
    server = Script(certificates)
    yield server
    server.close()


@pytest.fixture
def clear_script(certificates: ca.Certificates) -> Iterator[Script]:
    """A server that begins without TLS."""
    server = Script(certificates, tls=False)
    yield server
    server.close()


def tokens(mailbox: Mailbox, since: Position | None = FROM_BEGINNING, wait: float = 0) -> list[str]:
    begin = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
    return [found.token for found in mailbox.tokens(USERNAME, since=since, since_time=begin, wait=wait)]


# Settings.


def test_what_is_left_out_is_as_most_mail_servers_want_it() -> None:
    settings = mail_settings(OPTIONS)
    assert (settings.port, settings.tls, settings.folder, settings.on_success) == (993, "implicit", "INBOX", "keep")
    assert settings.policy.allowed_senders == ("salesforce.com",)
    assert mail_settings({**OPTIONS, "tls": "starttls", "port": None}).port == 143


def test_a_secret_never_shows_in_settings() -> None:
    assert PASSWORD not in repr(mail_settings(OPTIONS))
    assert PASSWORD not in repr(mail_settings({**OPTIONS, "password": None, "access_token": PASSWORD}))


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("host", {"host": None}),
        ("host", {"host": " "}),
        ("host", {"host": "imaps://imap.example.org"}),
        ("host", {"host": "imap.example.org:993"}),
        ("username", {"username": ""}),
        ("username", {"username": "box\r\nA1 LOGOUT"}),
        ("password", {"password": None}),
        ("password", {"password": ""}),
        ("password", {"access_token": "invented"}),
        ("password", {"password": "a\0b"}),
        ("tls", {"tls": "none"}),
        ("port", {"port": 0}),
        ("port", {"port": 65536}),
        ("ca_path", {"ca_path": "/nonexistent/ca.pem"}),
        ("ca_path", {"ca_path": __file__}),
        ("folder", {"folder": ""}),
        ("folder", {"folder": "IN\nBOX"}),
        ("allowed_senders", {"allowed_senders": []}),
        ("allowed_senders", {"allowed_senders": ["salesforce.com", ""]}),
        ("allowed_senders", {"allowed_senders": ["support@salesforce.com"]}),
        ("allowed_senders", {"allowed_senders": ["*.salesforce.com"]}),
        ("authserv_id", {"authserv_id": ""}),
        ("authserv_id", {"authserv_id": "mx.example.org; dmarc=pass"}),
        ("timeout", {"timeout": 0}),
        ("on_success", {"on_success": "burn"}),
        ("move_to", {"on_success": "move"}),
        ("move_to", {"on_success": "move", "move_to": "INBOX"}),
    ],
)
def test_settings_that_cannot_be_used_are_named(option: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as refusal:
        mail_settings({**OPTIONS, **options})
    assert refusal.value.option == f"mailbox.{option}"
    assert PASSWORD not in str(refusal.value)


def test_every_suboption_is_understood() -> None:
    given = {name: option.get("default") for name, option in SPEC.items()}
    assert mail_settings({**given, **OPTIONS}) == mail_settings(OPTIONS)
    fields = set(MailSettings.__dataclass_fields__) - {"policy"} | {"allowed_senders", "authserv_id"}
    assert set(SPEC) == fields


# Entering.


def test_a_login_leaves_no_secret_in_any_log(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    script.mails = {1: mail()}
    with caplog.at_level(logging.DEBUG):
        for capabilities in ("IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"):
            script.capabilities = capabilities
            with script.open() as mailbox:
                assert tokens(mailbox) == [TOKEN]
        script.capabilities = "IMAP4rev1 AUTH=XOAUTH2"
        with script.open(password=None, access_token=PASSWORD):
            pass
    assert any(PASSWORD in line for line in script.commands)
    sent = base64.b64encode(f"\0box@example.org\0{PASSWORD}".encode()).decode()
    assert sent in script.commands
    for secret in (PASSWORD, sent, TOKEN, base64.b64encode(PASSWORD.encode()).decode()):
        assert secret not in caplog.text


@pytest.mark.parametrize("command", ["AUTHENTICATE", "LOGIN"])
def test_what_a_server_says_when_it_refuses_a_login_is_not_repeated(script: Script, command: str) -> None:
    script.capabilities = "IMAP4rev1 AUTH=PLAIN" if command == "AUTHENTICATE" else "IMAP4rev1"
    script.answers = {command: [*([b"+"] if command == "AUTHENTICATE" else []), f"TAG NO {PASSWORD}?".encode()]}
    with pytest.raises(MailError) as refusal, script.open():
        pass
    assert refusal.value.cause == "login_refused"
    assert PASSWORD not in str(refusal.value)
    assert script.count(command) == 1


@pytest.mark.parametrize("answer", [b"close", b"TAG NO [UNAVAILABLE] later"])
def test_a_server_that_goes_away_during_the_login_has_not_refused_it(script: Script, answer: bytes) -> None:
    script.answers = {"AUTHENTICATE": [b"+", answer]}
    with pytest.raises(MailError) as refusal, script.open():
        pass
    assert refusal.value.cause == "unreachable"
    assert script.count("AUTHENTICATE") == 1


@pytest.mark.parametrize(
    ("capabilities", "password", "told"),
    [
        ("IMAP4rev1 LOGINDISABLED", PASSWORD, "takes no password"),
        ("IMAP4rev1", "Pässwörd-1", "takes no password with other characters than those of ASCII"),
    ],
)
def test_a_password_that_a_server_cannot_take_is_told_from_a_wrong_one(
    script: Script, capabilities: str, password: str, told: str
) -> None:
    script.capabilities = capabilities
    with pytest.raises(MailError, match=told), script.open(password=password):
        pass
    assert not script.count("LOGIN")


@pytest.mark.parametrize(("mechanism", "answers"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_a_refused_oauth_token_is_sent_once(script: Script, mechanism: str, answers: str) -> None:
    script.capabilities = f"IMAP4rev1 AUTH={mechanism}"
    script.answers = {"AUTHENTICATE": [b"+", b"+ eyJzdGF0dXMiOiI0MDEifQ==", b"TAG NO refused"]}
    with pytest.raises(MailError) as refusal, script.open(password=None, access_token="invented"):
        pass
    assert refusal.value.cause == "login_refused"
    first, then = script.commands[script.commands.index(f"AUTHENTICATE {mechanism}") + 1 :][:2]
    assert b"auth=Bearer invented\1\1" in base64.b64decode(first)
    assert then == answers


def test_an_oauth_token_is_not_sent_to_a_server_that_does_not_take_one(script: Script) -> None:
    with pytest.raises(MailError, match="no login by OAuth"), script.open(password=None, access_token="invented"):
        pass
    assert not script.count("AUTHENTICATE") and not script.count("LOGIN ")


@pytest.mark.parametrize("greeting", [b"* OK ready", b"* PREAUTH welcome"])
def test_nothing_is_sent_without_tls(clear_script: Script, greeting: bytes) -> None:
    clear_script.greeting = greeting
    if greeting.startswith(b"* PREAUTH"):
        clear_script.capabilities = "IMAP4rev1 STARTTLS"
    with pytest.raises(MailError), clear_script.open(tls="starttls"):
        pass
    assert set(clear_script.commands) <= {"CAPABILITY"}


def test_a_server_that_begins_without_tls_is_not_one_with_tls(clear_script: Script) -> None:
    with pytest.raises(MailError) as refusal, clear_script.open():
        pass
    assert refusal.value.cause == "tls"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request", b"* BYE too many", b"", b"\xff\xfe"])
def test_what_is_no_mail_server_is_told(script: Script, greeting: bytes) -> None:
    script.greeting = greeting
    with pytest.raises(MailError) as refusal, script.open():
        pass
    assert refusal.value.cause == "unreachable"
    assert greeting.decode("latin-1") not in str(refusal.value) or not greeting


@pytest.mark.parametrize(
    "answers",
    [
        [b"* 1 EXISTS", b"TAG OK done"],
        [b"* OK [UIDVALIDITY x] x", b"* OK [UIDNEXT 1] x", b"TAG OK done"],
        [b"TAG BAD x"],
    ],
)
def test_a_folder_without_numbers_cannot_be_used(script: Script, answers: list[bytes]) -> None:
    script.answers = {"EXAMINE": answers}
    with pytest.raises(MailError), script.open():
        pass


def test_a_server_that_falls_silent_is_given_up(script: Script) -> None:
    script.answers = {"UID SEARCH": []}
    with script.open(timeout=0.3) as mailbox, pytest.raises(MailError) as refusal:
        tokens(mailbox)
    assert refusal.value.cause == "gone"
    assert script.count("UID SEARCH") == 2


# Servers that never come to an end.

DRIP = b"drip"  # a byte now and then, for ever


class SlowScript(Script):
    """A server that sends a byte now and then from some command on, or lines without end."""

    stuck_at = ""
    line = b"* OK "
    endless = False

    def _talk(self, connection: socket.socket) -> None:
        if self.stuck_at:
            super()._talk(connection)
        else:
            self._never_end(connection)

    def _answers(self, command: str, lines: Any) -> Iterator[bytes]:
        if not command.startswith(self.stuck_at):
            yield from super()._answers(command, lines)
            return
        if command == "IDLE":
            yield b"+ idling"
        yield DRIP

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        if answer == DRIP:
            self._never_end(connection)
        else:
            super()._send(connection, answer)

    def _never_end(self, connection: socket.socket) -> None:
        connection.sendall(self.line)
        while True:
            connection.sendall(b"x" if not self.endless else b"* OK still here\r\n" * 1000)
            if not self.endless:
                time.sleep(0.05)


@pytest.fixture
def slow(certificates: ca.Certificates) -> Iterator[SlowScript]:
    server = SlowScript(certificates)
    server.mails = {1: mail()}
    server.capabilities += " IDLE"
    yield server
    server.close()


@pytest.mark.parametrize(
    ("stuck_at", "line"),
    [
        ("", b"* OK "),  # the greeting
        ("AUTHENTICATE", b"* OK "),
        ("EXAMINE", b"* OK "),
        ("UID SEARCH", b"* SEARCH "),
        ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {200000}\r\n"),
        ("IDLE", b"* OK "),
    ],
)
@pytest.mark.parametrize("endless", [False, True])
def test_a_server_that_never_ends_what_it_says_is_given_up(
    slow: SlowScript, stuck_at: str, line: bytes, endless: bool
) -> None:
    slow.stuck_at, slow.line, slow.endless = stuck_at, line, endless
    if endless and stuck_at != "UID FETCH":
        slow.line = b""
    given_up = threading.Event()

    def read() -> None:
        with contextlib.suppress(MailError), slow.open(timeout=0.3) as mailbox:
            tokens(mailbox, wait=0.5)
        given_up.set()

    threading.Thread(target=read, daemon=True).start()
    assert given_up.wait(40)


@pytest.mark.parametrize("endless", [False, True])
def test_a_server_that_never_ends_its_farewell_is_left(slow: SlowScript, endless: bool) -> None:
    slow.stuck_at, slow.endless = "LOGOUT", endless
    slow.line = b"" if endless else b"* BYE "
    left = threading.Event()

    def read() -> None:
        with slow.open() as mailbox:
            assert tokens(mailbox) == [TOKEN]
        left.set()

    threading.Thread(target=read, daemon=True).start()
    assert left.wait(40)


def test_mails_that_nobody_asked_for_are_not_taken_in(script: Script) -> None:
    script.mails = {1: mail()}
    big = b"x" * 1024 * 1024
    script.answers = {
        "UID FETCH": [
            *(b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, uid, len(big), big) for uid in range(8)),
            b"TAG OK done",
        ]
    }
    with script.open() as mailbox, pytest.raises(MailError, match="more than was asked for"):
        tokens(mailbox)


# Reading.


def test_the_last_mail_that_every_range_holds_is_not_taken_for_a_new_one(script: Script) -> None:
    script.mails = {4: mail()}
    with script.open() as mailbox:
        assert tokens(mailbox, Position(7, 5)) == []
        assert not script.count("UID FETCH")
        assert tokens(mailbox, Position(7, 4)) == [TOKEN]


@pytest.mark.parametrize("answer", [None, [b"TAG NO cannot search in bodies"]])
def test_a_server_that_finds_nothing_in_encoded_mails_does_not_hide_a_token(
    script: Script, answer: list[bytes] | None
) -> None:
    others = BLIND + 5
    script.mails = {uid: mail("Other0123456789abcdef", "other@example.com") for uid in range(2, others)}
    script.mails[1] = mail()
    if answer:
        script.answers = {f"UID SEARCH UID 1:* FROM salesforce.com BODY {USERNAME}": answer}
    with script.open() as mailbox:
        assert tokens(mailbox) == [TOKEN]
    assert any("BODY" in command for command in script.commands)


def test_reading_changes_nothing(script: Script) -> None:
    script.mails = {1: mail()}
    with script.open() as mailbox:
        assert tokens(mailbox) == [TOKEN]
    assert not script.count("SELECT") and not script.count("UID STORE")
    fetched = [command for command in script.commands if command.startswith("UID FETCH")]
    assert len(fetched) == 2
    assert all("BODY.PEEK[" in command for command in fetched)


def test_a_mail_is_read_once_during_a_wait(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.05)
    script.mails = {1: mail()}
    with script.open() as mailbox:
        assert tokens(mailbox, wait=0.4) == [TOKEN]
    assert script.count("UID FETCH") == 2
    assert script.count("UID SEARCH") > 3


def test_each_sender_is_searched_for(script: Script) -> None:
    with script.open(allowed_senders=["salesforce.com", "example.net", "example.org"]) as mailbox:
        tokens(mailbox)
        tokens(mailbox, None)
    first, second = (command for command in script.commands if command.startswith("UID SEARCH"))
    senders = "OR (OR (FROM salesforce.com) (FROM example.net)) (FROM example.org)"
    assert first == f"UID SEARCH UID 1:* {senders}"
    assert second == f"UID SEARCH SINCE 24-Nov-2026 {senders}"


def test_without_a_position_a_mail_that_is_too_old_is_not_taken(script: Script) -> None:
    script.mails = {1: mail()}  # which came at 09:00 UTC
    with script.open() as mailbox:
        for minutes, expected in ((4, [TOKEN]), (6, [])):
            begin = datetime.datetime(2026, 11, 25, 9, minutes, tzinfo=datetime.UTC)
            found = list(mailbox.tokens(USERNAME, since=None, since_time=begin, wait=0))
            assert [one.token for one in found] == expected


@pytest.mark.parametrize(
    "answers",
    [
        [b"* 1 FETCH (UID 1 BODY[] NIL)", b"TAG OK done"],
        [b"* 1 FETCH (UID 1)", b"TAG OK done"],
        [b"* 9 FETCH (UID 9 BODY[] {3}\r\nabc)", b"TAG OK done"],
        [b"TAG OK done"],
    ],
)
def test_a_mail_that_is_gone_meanwhile_is_no_error(script: Script, answers: list[bytes]) -> None:
    script.mails = {1: mail()}
    script.answers = {"UID FETCH 1 (BODY.PEEK[]": answers}
    with script.open() as mailbox:
        assert tokens(mailbox) == []


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 FETCH (UID 1 BODY[] (((",
        b"* 1 FETCH (UID 1 BODY[] " + 100_000 * b"(",
        b"* 1 FETCH gibberish",
        b"* 1 FETCH (UID 1 BODY[] {99999999999999999999}",
    ],
)
def test_an_answer_that_cannot_be_understood_is_told(script: Script, line: bytes) -> None:
    script.mails = {1: mail()}
    script.answers = {"UID FETCH": [line, b"TAG OK done"]}
    with script.open() as mailbox, pytest.raises(MailError) as refusal:
        tokens(mailbox)
    assert not re.search("gibberish|BODY|9999", str(refusal.value))


# Mails whose sender nobody has verified.


def test_a_forged_mail_that_comes_first_is_not_tried_first(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(mailbox_module, "QUIET_SECONDS", 1.0)
    script.mails = {1: mail("Forged0123456789abcdef1"), 2: mail("Forged0123456789abcdef2")}
    genuine = b"Return-Path: <x@bounces.salesforce.com>\r\n" + mail()
    threading.Timer(0.4, lambda: script.mails.update({3: genuine})).start()
    with script.open() as mailbox:
        found = tokens(mailbox, wait=3)
    assert found == [TOKEN, "Forged0123456789abcdef2", "Forged0123456789abcdef1"]


def test_the_wait_ends_when_it_is_quiet(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(mailbox_module, "QUIET_SECONDS", 0.3)
    script.mails = {1: mail()}
    begin = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
    with script.open() as mailbox:
        found = mailbox.tokens(USERNAME, since=FROM_BEGINNING, since_time=begin, wait=3600)
        assert next(found).token == TOKEN


def test_a_mail_of_a_verified_sender_is_not_kept_waiting(script: Script) -> None:
    script.mails = {1: b"Authentication-Results: mx.example.org; dmarc=pass header.from=salesforce.com\r\n" + mail()}
    begin = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
    with script.open(authserv_id="mx.example.org") as mailbox:
        found = mailbox.tokens(USERNAME, since=FROM_BEGINNING, since_time=begin, wait=3600)
        assert next(found).token == TOKEN
    assert script.count("UID SEARCH") == 1


TOP, BELOW = "mx.example.org", "relay.example.net"


@pytest.mark.parametrize(("own", "names"), [(None, [TOP]), (BELOW, [TOP, BELOW])])
def test_a_survey_shows_the_name_of_the_receiving_server(script: Script, own: str | None, names: list[str]) -> None:
    results = [f"Authentication-Results: {name}; dmarc=pass\r\n".encode() for name in (TOP, BELOW)]
    script.mails = {1: mail(), 2: b"".join(results) + mail()}
    with script.open(authserv_id=own) as mailbox:
        survey = mailbox.survey()
    assert (survey.folder, survey.mails, survey.authserv_ids) == ("INBOX", 2, names)
    assert not script.count("SELECT")


# Waiting.


def test_a_server_that_refuses_idle_is_asked_every_few_seconds(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.05)
    script.capabilities += " IDLE"
    script.answers = {"IDLE": [b"TAG NO not now"]}
    with script.open() as mailbox:
        assert tokens(mailbox, wait=0.4) == []
    assert script.count("IDLE") == 1
    assert script.count("UID SEARCH") > 3


def test_a_server_that_ends_the_connection_when_asked_for_idle_is_asked_every_few_seconds(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.05)
    script.capabilities = "IMAP4rev1 AUTH=PLAIN IDLE"
    script.answers["IDLE"] = [b"close"]
    with script.open() as mailbox:
        assert tokens(mailbox, wait=2) == []
    assert (script.count("IDLE"), script.count("AUTHENTICATE")) == (1, 2)
    assert script.count("UID SEARCH") > 10


@pytest.mark.parametrize(("said", "ends"), [(b"* 2 EXISTS", True), (b"* OK Still here", False)])
def test_idle_ends_when_there_may_be_a_new_mail(script: Script, said: bytes, ends: bool) -> None:
    script.capabilities += " IDLE"
    script.said_in_idle = said
    with script.open() as mailbox:
        assert tokens(mailbox, wait=0.9) == []
    assert script.count("DONE") == script.count("IDLE")
    assert script.count("UID SEARCH") > 3 if ends else script.count("UID SEARCH") == 2


def test_a_server_that_ends_every_connection_is_not_flooded_with_logins(script: Script) -> None:
    script.answers = {"UID SEARCH": [b"close"]}
    with script.open() as mailbox, pytest.raises(MailError) as refusal:
        tokens(mailbox, wait=1.5)
    assert refusal.value.cause == "gone"
    assert 2 <= script.count("AUTHENTICATE") <= 6


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection_module, "HAS_IMAPCLIENT", False)
    with pytest.raises(MailError, match="pip install IMAPClient"), open_mailbox(mail_settings(OPTIONS)):
        pass


def test_each_look_is_shown_to_who_asks_for_details_without_the_token(script: Script) -> None:
    script.mails = {1: mail()}
    looks: list[str] = []
    begin = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
    with script.open() as mailbox:
        assert list(mailbox.tokens(USERNAME, since=FROM_BEGINNING, since_time=begin, wait=0.2, poll=looks.append))
    assert looks[0] == f"looked into INBOX: 1 new mails with a token of {USERNAME}, waiting for up to 0 s more"
    assert looks[-1] == f"looked into INBOX: 0 new mails with a token of {USERNAME}"
    assert TOKEN not in str(looks)
