# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security tokens out of the mailboxes of a real Dovecot, whatever else is in them."""

from __future__ import annotations

import datetime
import email.policy
import imaplib
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from email.message import EmailMessage
from typing import Any

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import MailError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox import imap as connection_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.imap import Position
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.mailbox import (
    Mailbox,
    TokenMail,
    open_mailbox,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.settings import mail_settings
from tests.support.dovecot import PLAIN_ADDRESS, Dovecot, Relay

USERNAME = "int@example.com"
AUTHSERV_ID = "mx.example.org"
PASSED = f"{AUTHSERV_ID}; dkim=pass header.d=salesforce.com; dmarc=pass (p=REJECT) header.from=salesforce.com"


def new_token() -> str:
    return "Tok" + secrets.token_hex(11)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def compose(
    token: str,
    username: str = USERNAME,
    *,
    sender: str = "Salesforce <support@salesforce.com>",
    subject: str = "Your new Salesforce security token",
    subtype: str = "plain",
    cte: str | None = None,
    results: str | None = None,
) -> bytes:
    """A mail that brings a token."""
    mail = EmailMessage(policy=email.policy.SMTP)
    if results:
        mail["Authentication-Results"] = results
    mail["From"] = sender
    mail["To"] = "Box <box@example.org>"
    mail["Subject"] = subject
    mail["Date"] = now()
    lines = [
        "This is sent because you recently changed your password or requested to reset your security token.",
        f"Username: {username}",
        f"Security token (case-sensitive): {token}",
        "For more information on using your security token, see the help.",
    ]
    body = "\n".join(lines) if subtype == "plain" else "".join(f"<p>{line}</p>" for line in lines)
    mail.set_content(body + "\n", subtype=subtype, cte=cte)
    return mail.as_bytes()


class Box:
    """The mailbox of a user that only one test has."""

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.user = f"box-{secrets.token_hex(4)}@example.org"
        self.options: dict[str, Any] = {
            "host": "localhost",
            "port": server.port,
            "username": self.user,
            "password": server.password,
            "ca_path": server.ca_path,
            "timeout": 10.0,
        }

    def open(self, **options: Any) -> AbstractContextManager[Mailbox]:
        return open_mailbox(mail_settings({**self.options, **options}))

    def plain(self, **options: Any) -> AbstractContextManager[Mailbox]:
        """Where the server offers no IDLE, no MOVE and no UIDPLUS."""
        return self.open(host=PLAIN_ADDRESS, **options)

    def deliver(self, mail: bytes) -> None:
        self.server.deliver(mail, self.user)

    def deliver_later(self, mail: bytes, seconds: float) -> None:
        threading.Timer(seconds, self.deliver, [mail]).start()

    def flags(self, folder: str = "INBOX") -> dict[int, set[str]]:
        """The mails of a folder, as another reader sees them: their flags by their numbers."""
        context = ssl.create_default_context(cafile=self.server.ca_path)
        with imaplib.IMAP4_SSL("localhost", self.server.port, ssl_context=context) as reader:
            reader.login(self.user, self.server.password)
            if reader.select(folder, readonly=True)[0] != "OK":
                return {}
            answer = reader.uid("FETCH", "1:*", "(FLAGS)")[1]
            lines = [line.decode() for line in answer if isinstance(line, bytes)]
        return {
            int(line.split("UID ")[1].split()[0].rstrip(")")): set(line.split("FLAGS (")[1].split(")")[0].split())
            - {r"\Recent"}
            for line in lines
        }

    def command(self, act: Callable[[imaplib.IMAP4_SSL], object]) -> None:
        """Do what another reader may do."""
        context = ssl.create_default_context(cafile=self.server.ca_path)
        with imaplib.IMAP4_SSL("localhost", self.server.port, ssl_context=context) as reader:
            reader.login(self.user, self.server.password)
            reader.select("INBOX")
            act(reader)


@pytest.fixture
def box(server: Dovecot) -> Box:
    return Box(server)


def found(mailbox: Mailbox, since: Position | None, wait: float = 0, username: str = USERNAME) -> list[TokenMail]:
    return list(mailbox.tokens(username, since=since, since_time=now(), wait=wait))


def tokens(mailbox: Mailbox, since: Position | None, wait: float = 0, username: str = USERNAME) -> list[str]:
    return [mail.token for mail in found(mailbox, since, wait, username)]


# Why one did not count.


def test_mails_with_a_token_that_do_not_count_are_told_with_the_reason(box: Box) -> None:
    box.deliver(compose(new_token(), results=PASSED))
    forwarded = EmailMessage(policy=email.policy.SMTP)
    forwarded["From"], forwarded["To"], forwarded["Date"] = "ann@acme.example", "box@example.org", now()
    forwarded.set_content("See below.")
    forwarded.add_attachment(email.message_from_bytes(compose(new_token()), policy=email.policy.default))
    with box.open(authserv_id=AUTHSERV_ID) as mailbox:
        before = mailbox.position()
        box.deliver(compose(new_token()))
        box.deliver(compose(new_token(), results=PASSED.replace(AUTHSERV_ID, "mx.other.example")))
        box.deliver(forwarded.as_bytes())
        box.deliver(compose(new_token(), username="other@example.com"))
        assert found(mailbox, before) == []
        told = mailbox.rejections(USERNAME, since=before, since_time=now())
        assert [mail.reason.partition(". ")[0] for mail in told] == [
            "it is attached to another mail",
            "its Authentication-Results are of mx.other.example, not of mailbox.authserv_id",
            "it has no header field Authentication-Results, which mailbox.authserv_id asks for",
        ]
        assert all(abs(mail.received - now()) < datetime.timedelta(minutes=1) for mail in told)
        assert box.flags() and all(flags == set() for flags in box.flags().values()), "nothing is marked as read"


def test_a_mail_from_before_the_reset_is_told_as_such(box: Box) -> None:
    box.deliver(compose(new_token()))
    with box.open() as mailbox:
        before = mailbox.position()
        (told,) = mailbox.rejections(USERNAME, since=before, since_time=now())
        assert told.reason.startswith("it is from before 20")


def test_a_token_mail_that_a_colleague_attaches_counts_where_the_server_verifies_the_colleague(box: Box) -> None:
    expected = new_token()
    forwarded = EmailMessage(policy=email.policy.SMTP)
    forwarded["Authentication-Results"] = f"{AUTHSERV_ID}; dmarc=pass header.from=acme.example"
    forwarded["From"], forwarded["To"], forwarded["Date"] = "ann@acme.example", "box@example.org", now()
    forwarded.set_content("See below.")
    forwarded.add_attachment(email.message_from_bytes(compose(expected), policy=email.policy.default))
    domains = ["salesforce.com", "acme.example"]
    with box.open(authserv_id=AUTHSERV_ID, allowed_senders=domains, on_success="delete") as mailbox:
        before = mailbox.position()
        box.deliver(forwarded.as_bytes())
        (mail,) = found(mailbox, before)
        assert (mail.token, mail.authenticated) == (expected, True)
        later = now() + datetime.timedelta(hours=1)
        assert not list(
            mailbox.tokens(USERNAME, since=before, since_time=later, wait=0)
        ), "it is an old one, sent again"
        mailbox.dispose(mail.uids, validity=mail.uid_validity)
    assert box.flags() == {}


# Finding it.


@pytest.mark.parametrize("cte", ["7bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_a_token_is_found_in_text_and_markup_however_it_is_encoded(box: Box, subtype: str, cte: str) -> None:
    token = new_token()
    with box.open() as mailbox:
        before = mailbox.position()
        box.deliver(compose(token, subtype=subtype, cte=cte))
        assert tokens(mailbox, before) == [token]


@pytest.mark.parametrize(
    "subject",
    [
        "Sandbox: Your new Salesforce security token",
        "salesforce.com security token confirmation",
        "[ACME] Ihr neues Sicherheitstoken für den Zugang",
        "Your new security token " * 20,
    ],
)
def test_the_subject_decides_nothing(box: Box, subject: str) -> None:
    token = new_token()
    with box.open() as mailbox:
        before = mailbox.position()
        box.deliver(compose(token, subject=subject))
        assert tokens(mailbox, before) == [token]


def test_only_mails_after_the_position_count(box: Box) -> None:
    box.deliver(compose(new_token()))
    with box.open() as mailbox:
        before = mailbox.position()
        assert tokens(mailbox, before) == []
        token = new_token()
        box.deliver(compose(token))
        assert tokens(mailbox, before) == [token]


def test_the_newest_is_first_and_a_mail_that_came_twice_counts_once(box: Box) -> None:
    older, newer = new_token(), new_token()
    with box.open() as mailbox:
        before = mailbox.position()
        for mail in (compose(older), compose(newer), compose(older)):
            box.deliver(mail)
        first, second = found(mailbox, before)
        assert (first.token, first.uids) == (older, (3, 1))
        assert (second.token, second.uids) == (newer, (2,))


def test_a_mail_for_another_user_of_the_same_mailbox_is_not_taken(box: Box) -> None:
    with box.open() as mailbox:
        before = mailbox.position()
        others = ("xint@example.com", "int@example.com.sandbox", "other@example.com")
        for username in others:
            box.deliver(compose(new_token(), username))
        token = new_token()
        box.deliver(compose(token))
        box.deliver(compose(new_token(), others[1]))
        assert tokens(mailbox, before) == [token]


def test_without_a_position_the_time_decides(box: Box) -> None:
    old, new = new_token(), new_token()
    box.server.put(
        box.user,
        [(compose(old), now() - datetime.timedelta(hours=1)), (compose(new), now() - datetime.timedelta(minutes=1))],
    )
    with box.open() as mailbox:
        assert tokens(mailbox, None) == [new]


def test_a_mailbox_whose_mails_were_numbered_anew_is_searched_by_time(box: Box) -> None:
    box.server.put(box.user, [(compose(new_token()), now() - datetime.timedelta(hours=1))])
    with box.open() as mailbox:
        before = mailbox.position()
    token = new_token()
    box.server.renumber(box.user)
    time.sleep(1.1)  # the server takes the new number from the clock
    box.deliver(compose(token))
    with box.open() as mailbox:
        assert mailbox.position().uid_validity != before.uid_validity
        assert tokens(mailbox, before) == [token]


def test_among_ten_thousand_others_hardly_anything_is_downloaded(box: Box) -> None:
    other = b"From: News <news@example.com>\r\nSubject: News\r\n\r\n" + b"Much to read, for int@example.com.\r\n" * 50
    box.server.put(box.user, [(other, now())] * 10_000)
    relay, token = Relay(box.server.port), new_token()
    with closing(relay), box.open(port=relay.port) as mailbox:
        box.deliver(compose(token))
        assert tokens(mailbox, None) == [token]
    assert relay.received < 20_000


def test_with_hundreds_of_tokens_of_others_only_those_of_this_user_are_downloaded(box: Box) -> None:
    mails = [
        (compose(new_token(), f"user{number}@example.com", cte="base64", results=PASSED), now())
        for number in range(500)
    ]
    token = new_token()
    box.server.put(box.user, [*mails, (compose(token, cte="base64", results=PASSED), now()), *mails[:250]])
    relay = Relay(box.server.port)
    with closing(relay), box.open(port=relay.port, authserv_id=AUTHSERV_ID) as mailbox:
        first = next(mailbox.tokens(USERNAME, since=None, since_time=now(), wait=5))
    assert first.token == token
    assert relay.received < 40_000


def test_reading_does_not_mark_a_mail_as_read(box: Box) -> None:
    with box.open() as mailbox:
        before = mailbox.position()
        box.deliver(compose(new_token()))
        assert len(found(mailbox, before)) == 1
    assert box.flags() == {1: set()}


# Waiting for it.


def test_idle_tells_of_a_mail_at_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 60.0)
    token = new_token()
    with box.open(authserv_id=AUTHSERV_ID) as mailbox:
        before, start = mailbox.position(), time.monotonic()
        box.deliver_later(compose(token, results=PASSED), 1.5)
        assert next(mailbox.tokens(USERNAME, since=before, since_time=now(), wait=20)).token == token
    assert 1.5 < time.monotonic() - start < 3


def test_without_idle_the_mailbox_is_asked_every_few_seconds(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "POLL_SECONDS", 0.5)
    token = new_token()
    with box.plain() as mailbox:
        before = mailbox.position()
        box.deliver_later(compose(token), 0.8)
        assert next(mailbox.tokens(USERNAME, since=before, since_time=now(), wait=20)).token == token


def test_the_wait_comes_to_an_end(box: Box) -> None:
    with box.open() as mailbox:
        start = time.monotonic()
        assert found(mailbox, mailbox.position(), wait=1.5) == []
    assert 1.5 <= time.monotonic() - start < 3


def test_each_mail_is_given_once_while_more_come(box: Box) -> None:
    given = [new_token(), new_token()]
    with box.open(authserv_id=AUTHSERV_ID) as mailbox:
        before = mailbox.position()
        box.deliver(compose(given[0], results=PASSED))
        box.deliver_later(compose(given[1], results=PASSED), 0.5)
        assert tokens(mailbox, before, wait=2) == given


def test_a_connection_that_is_cut_while_waiting_is_made_again(box: Box) -> None:
    relay, token = Relay(box.server.port), new_token()
    with closing(relay), box.open(port=relay.port) as mailbox:
        before = mailbox.position()
        threading.Timer(0.5, relay.cut).start()
        box.deliver_later(compose(token), 1.0)
        assert next(mailbox.tokens(USERNAME, since=before, since_time=now(), wait=20)).token == token
        assert relay.connections == 2


def test_a_server_that_is_restarted_while_waiting_is_waited_for(box: Box) -> None:
    token = new_token()

    def restart() -> None:
        box.server.stop()
        time.sleep(1)
        box.server.start()
        box.deliver(compose(token))

    with box.open() as mailbox:
        before = mailbox.position()
        restarting = threading.Timer(0.3, restart)
        restarting.start()
        assert next(mailbox.tokens(USERNAME, since=before, since_time=now(), wait=30)).token == token
    restarting.join()


def test_a_mailbox_that_is_gone_for_good_is_told(box: Box) -> None:
    relay = Relay(box.server.port)
    with box.open(port=relay.port) as mailbox:
        before = mailbox.position()
        relay.close()
        with pytest.raises(MailError, match="cannot be reached"):
            found(mailbox, before, wait=1)


# Whom to believe.


@pytest.mark.parametrize(
    "sender",
    [
        "Salesforce <support@salesforce.com.evil.example>",
        "Salesforce <support@xsalesforce.com>",
        '"support@salesforce.com" <support@evil.example>',
        "support@salesforce.com <support@evil.example>",
    ],
)
def test_a_look_alike_of_the_sender_brings_no_token(box: Box, sender: str) -> None:
    token = new_token()
    with box.open() as mailbox:
        before = mailbox.position()
        box.deliver(b"From: " + sender.encode() + b"\r\n" + compose(new_token()).partition(b"\r\n")[2])
        box.deliver(compose(token, sender="Salesforce <support@emea.salesforce.com>"))
        box.deliver(b"From: " + sender.encode() + b"\r\n" + compose(new_token()).partition(b"\r\n")[2])
        assert tokens(mailbox, before) == [token]


def test_a_forged_mail_is_not_taken_when_the_receiving_server_authenticates(box: Box) -> None:
    token = new_token()
    forged = [
        compose(new_token()),
        compose(new_token(), results=f"{AUTHSERV_ID}; dmarc=fail header.from=salesforce.com"),
        compose(new_token(), results="mx.evil.example; dmarc=pass header.from=salesforce.com"),
    ]
    with box.open(authserv_id=AUTHSERV_ID) as mailbox:
        before = mailbox.position()
        for mail in (forged[0], compose(token, results=PASSED), *forged):
            box.deliver(mail)
        (only,) = found(mailbox, before)
        assert (only.token, only.authenticated) == (token, True)


def test_a_mail_of_many_megabytes_costs_no_more_than_the_limit(box: Box) -> None:
    relay = Relay(box.server.port)
    with closing(relay), box.open(port=relay.port) as mailbox:
        before = mailbox.position()
        box.deliver(compose(new_token()) + b"x" * 900 + (b"\r\n" + b"y" * 900) * 3000)
        assert len(found(mailbox, before)) == 1
    assert relay.received < 300_000


# What becomes of it.


@pytest.mark.parametrize("how", ["flag", "move", "delete"])
def test_only_the_mail_that_was_used_is_dealt_with(box: Box, how: str) -> None:
    box.command(lambda reader: reader.create("Done"))
    for number in range(3):
        box.deliver(compose(f"Token0123456789abcdef{number}"))
    box.command(lambda reader: reader.uid("STORE", "3", "+FLAGS", r"(\Deleted)"))  # by somebody who may undo it
    before = box.flags()
    with box.open(on_success=how, move_to="Done") as mailbox:
        validity = mailbox.position().uid_validity
        for _again in range(2):
            mailbox.dispose([2], validity=validity)
    expected = {**before, 2: {r"\Flagged"}} if how == "flag" else {1: before[1], 3: before[3]}
    assert box.flags() == expected
    assert len(box.flags("Done")) == (how == "move")


@pytest.mark.parametrize("how", ["flag", "move", "delete"])
def test_a_mail_that_came_twice_leaves_no_copy_with_the_token(box: Box, how: str) -> None:
    box.command(lambda reader: reader.create("Done"))
    token = new_token()
    for mail in (compose(token), compose(new_token(), "other@example.com"), compose(token)):
        box.deliver(mail)
    with box.open(on_success=how, move_to="Done") as mailbox:
        (mail_of,) = found(mailbox, Position(mailbox.position().uid_validity, 1))
        mailbox.dispose(mail_of.uids, validity=mail_of.uid_validity)
    touched = {uid for uid, flags in box.flags().items() if r"\Flagged" in flags} or {1, 2, 3} - set(box.flags())
    assert touched == {1, 3}
    assert len(box.flags("Done")) == 2 * (how == "move")


@pytest.mark.parametrize("how", ["move", "delete"])
def test_without_uidplus_a_mail_is_only_marked_so_that_those_of_others_stay(box: Box, how: str) -> None:
    box.command(lambda reader: reader.create("Done"))
    for number in range(2):
        box.deliver(compose(f"Token0123456789abcdef{number}"))
    box.command(lambda reader: reader.uid("STORE", "1", "+FLAGS", r"(\Deleted)"))
    with box.plain(on_success=how, move_to="Done") as mailbox:
        mailbox.dispose([2], validity=mailbox.position().uid_validity)
    assert box.flags() == {1: {r"\Deleted"}, 2: {r"\Deleted"}}
    assert len(box.flags("Done")) == (how == "move")


def test_a_mail_is_kept_by_default(box: Box) -> None:
    box.deliver(compose(new_token()))
    with box.open() as mailbox:
        mailbox.dispose([1], validity=mailbox.position().uid_validity)
    assert box.flags() == {1: set()}


def test_no_mail_is_touched_when_the_server_has_numbered_them_anew(box: Box) -> None:
    box.deliver(compose(new_token()))
    with box.open(on_success="delete") as mailbox, pytest.raises(MailError, match="numbered its mails anew"):
        mailbox.dispose([1], validity=mailbox.position().uid_validity - 1)
    assert box.flags() == {1: set()}


# Entering it.


def test_starttls_is_used_where_it_is_asked_for(box: Box) -> None:
    token = new_token()
    with box.open(tls="starttls", port=box.server.starttls_port) as mailbox:
        before = mailbox.position()
        box.deliver(compose(token))
        assert tokens(mailbox, before) == [token]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_nothing_is_sent_to_a_server_that_is_not_trusted(box: Box, tls: str) -> None:
    port = box.server.port if tls == "implicit" else box.server.starttls_port
    with (
        pytest.raises(MailError, match="certificate is not trusted.*ca_path") as refusal,
        box.open(ca_path=None, tls=tls, port=port),
    ):
        pass
    assert refusal.value.cause == "tls"
    assert box.user not in box.server.log


def test_a_refused_login_is_told_and_not_repeated(box: Box) -> None:
    with (
        pytest.raises(MailError, match=f"refused the login of {box.user}") as refusal,
        box.open(password="Wrong-Password-1"),
    ):
        pass
    assert refusal.value.cause == "login_refused"
    assert box.server.log.count(f"({box.user},") == 1
    assert "Wrong-Password-1" not in str(refusal.value)


def test_a_refused_login_ends_the_wait(box: Box) -> None:
    relay = Relay(box.server.port)
    with closing(relay), box.open(port=relay.port) as mailbox:
        before = mailbox.position()
        object.__setattr__(
            mailbox._connection.settings, "password", "Wrong-Password-1"
        )  # as if it was changed meanwhile
        threading.Timer(0.2, relay.cut).start()
        with pytest.raises(MailError, match="refused the login"):
            found(mailbox, before, wait=20)
    assert box.server.log.count(f"({box.user},") == 1


@pytest.mark.parametrize("right", [True, False])
def test_an_oauth_token_opens_the_mailbox_as_well(box: Box, right: bool) -> None:
    access_token = box.server.endpoint.issue(box.user) if right else secrets.token_urlsafe(24)
    opening = box.open(password=None, access_token=access_token)
    if right:
        with opening as mailbox:
            assert mailbox.position().next_uid == 1
    else:
        with pytest.raises(MailError, match="refused the login"), opening:
            pass
        assert box.server.log.count(f"({box.user},") == 1


@pytest.mark.parametrize("options", [{"folder": "Tokens"}, {"on_success": "move", "move_to": "Tokens"}])
def test_a_folder_that_is_not_there_is_told_before_anything_is_done(box: Box, options: dict[str, str]) -> None:
    with pytest.raises(MailError, match="has no folder 'Tokens'") as refusal, box.open(**options):
        pass
    assert refusal.value.cause == "no_folder"


def test_a_folder_may_have_a_name_in_any_language(box: Box) -> None:
    box.command(lambda reader: reader.create('"Schl&APw-ssel & Co"'.replace(" & ", " &- ")))
    with box.open(folder="Schlüssel & Co") as mailbox:
        assert mailbox.position().next_uid == 1
