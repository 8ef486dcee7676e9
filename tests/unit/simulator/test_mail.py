# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token mails in all their forms, delivered to a real server by SMTP and LMTP."""

from __future__ import annotations

import asyncio
import email
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope

from tests.simulated_org import Control, SimulatedOrg
from tests.simulated_org.control import ControlError

from .test_command_line import running


class Mailbox:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []
        self.refuses = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refuses:
            return "452 mailbox full"
        self.received.append(envelope)
        return "250 OK"

    def mails(self, count: int = 1) -> list[EmailMessage]:
        """The mails, once that many are there."""
        deadline = time.monotonic() + 10
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} mails came"
            time.sleep(0.01)
        contents = [cast(bytes, envelope.content) for envelope in self.received]
        return [email.message_from_bytes(content, policy=default) for content in contents]

    def one(self) -> EmailMessage:
        return self.mails()[-1]


class SmtpServer(Controller):
    """On a port that the system chooses."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class LmtpServer(SmtpServer):
    def factory(self) -> LMTP:
        return LMTP(self.handler)


@pytest.fixture(scope="module")
def _smtp() -> Iterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    controller = SmtpServer(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    yield mailbox, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def mailbox(_smtp: tuple[Mailbox, str], simulated_org: SimulatedOrg) -> Mailbox:
    mailbox, server = _smtp
    mailbox.received.clear()
    mailbox.refuses = False
    simulated_org.control.set_mail(server=server)
    return mailbox


def reset(sim: SimulatedOrg, **settings: Any) -> str:
    """Reset the token, with mails as told; the new token."""
    sim.control.set_mail(**settings)
    return str(sim.control.reset_token(sim.admin.username))


def text(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def settled(control: Control, *, failures: int = 0) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while control.mail_queue()["waiting"] or len(control.mail_queue()["failures"]) < failures:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return dict(control.mail_queue())


def test_a_reset_delivers_a_mail_and_does_not_wait_for_it(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    started = time.monotonic()
    token = reset(simulated_org, delay=0.5)
    assert time.monotonic() - started < 0.4
    assert simulated_org.control.mail_queue()["waiting"] == 1
    mail = mailbox.one()
    assert time.monotonic() - started >= 0.5
    assert mailbox.received[0].rcpt_tos == [simulated_org.admin.username]
    assert (mail["From"], mail["Subject"]) == (
        "Salesforce <support@salesforce.com>",
        "Your new Salesforce security token",
    )
    assert f"Username: {simulated_org.admin.username}" in text(mail)
    assert f"Security token (case-sensitive): {token}" in text(mail)
    assert settled(simulated_org.control) == {"waiting": 0, "delivered": 1, "failures": []}
    # It is listed as ever.
    assert simulated_org.control.mails()[0]["token"] == token


@pytest.mark.parametrize(
    ("form", "kind", "encoding"),
    [
        ("plain", "text/plain", "7bit"),
        ("quoted_printable", "text/plain", "quoted-printable"),
        ("base64", "text/plain", "base64"),
        ("html", "text/html", "quoted-printable"),
        ("alternative", "multipart/alternative", None),
    ],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_the_forms_of_the_text(
    simulated_org: SimulatedOrg, mailbox: Mailbox, form: str, kind: str, encoding: str | None, mixed: bool
) -> None:
    token = reset(simulated_org, form=form, mixed_line_ends=mixed)
    mail = mailbox.one()
    assert (mail.get_content_type(), mail["Content-Transfer-Encoding"]) == (kind, encoding)
    if kind != "text/html":
        assert f"(case-sensitive): {token}" in text(mail)
    if kind != "text/plain":
        assert f"<b>{token}</b>" in text(mail, "html")
        assert simulated_org.admin.username.replace("@", "&#64;") in text(mail, "html")


@pytest.mark.parametrize("form", ["plain", "quoted_printable", "base64", "html", "alternative"])
def test_the_text_in_japanese(simulated_org: SimulatedOrg, mailbox: Mailbox, form: str) -> None:
    token = reset(simulated_org, form=form, language="ja")
    if form != "html":
        lines = text(mailbox.one()).splitlines()
        assert f"ユーザ名: {simulated_org.admin.username}" in lines
        assert f"セキュリティトークン (大文字と小文字を区別): {token}" in lines
    if form in ("html", "alternative"):
        assert f"セキュリティトークン (大文字と小文字を区別):&nbsp;<b>{token}</b>" in text(
            mailbox.one(), "html"
        ).replace("\xa0", "&nbsp;")


@pytest.mark.parametrize("written", [("blank", b"Encoding: base64 \r\n"), ("folded", b"Encoding:\r\n base64\r\n")])
def test_the_header_of_the_encoding(simulated_org: SimulatedOrg, mailbox: Mailbox, written: tuple[str, bytes]) -> None:
    style, line = written
    reset(simulated_org, form="base64", transfer_encoding=style)
    mailbox.one()
    content = mailbox.received[-1].content
    assert isinstance(content, bytes) and line in content


def test_line_ends_may_be_mixed(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    reset(simulated_org, form="base64", mixed_line_ends=True)
    content = mailbox.one().get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.count(b"\r\n") and content.count(b"\n") > content.count(b"\r\n")


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("older", "salesforce.com security token confirmation"),
        ("sandbox", "Sandbox: Your new Salesforce security token"),
        ("white_label", "Your new Gatehouse Works security token"),
    ],
)
def test_the_subject_varies(simulated_org: SimulatedOrg, mailbox: Mailbox, subject: str, words: str) -> None:
    reset(simulated_org, subject=subject)
    assert mailbox.one()["Subject"] == words


def test_a_long_subject_is_folded_and_encoded(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    reset(simulated_org, subject="folded")
    assert str(mailbox.one()["Subject"]).endswith("(Zürich, Kraków, São Paulo)")
    head = cast(bytes, mailbox.received[0].content).partition(b"\r\n\r\n")[0]
    assert b"\r\n =?utf-8?" in head
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {},
            "mx.example.com; dkim=pass header.d=salesforce.com header.s=s1; spf=pass "
            "smtp.mailfrom=support@salesforce.com; dmarc=pass header.from=salesforce.com",
        ),
        (
            {"sender": "emea", "authserv_id": "mail.example.org", "authentication": "fail"},
            "mail.example.org; dkim=fail header.d=salesforce.com header.s=s1; spf=fail "
            "smtp.mailfrom=support@emea.salesforce.com; dmarc=fail header.from=emea.salesforce.com",
        ),
        ({"authentication": "absent"}, None),
    ],
)
def test_what_the_border_server_found(
    simulated_org: SimulatedOrg, mailbox: Mailbox, settings: dict[str, str], expected: str | None
) -> None:
    reset(simulated_org, **settings)
    assert mailbox.one()["Authentication-Results"] == expected


@pytest.mark.parametrize(
    ("kind", "sender", "verdicts"),
    [
        ("right_sender", "support@salesforce.com", ["mx.example.com; dkim=fail"]),
        ("other_authserv", "support@salesforce.com", ["mx.attacker.example; dkim=pass"]),
        ("stacked", "support@salesforce.com", ["mx.example.com; dkim=fail", "mx.example.com; dkim=pass"]),
        ("display_name", "support@attacker.example", ["mx.example.com; dkim=pass header.d=attacker.example"]),
        ("two_senders", "support@salesforce.com", ["mx.example.com; dkim=pass header.d=attacker.example"]),
        ("lookalike", "support@sa1esforce.com", ["mx.example.com; dkim=pass header.d=sa1esforce.com"]),
        (
            "subdomain",
            "support@salesforce.com.attacker.example",
            ["mx.example.com; dkim=pass header.d=salesforce.com.attacker.example"],
        ),
    ],
)
def test_forged_mails_are_in_the_same_box(
    simulated_org: SimulatedOrg, mailbox: Mailbox, kind: str, sender: str, verdicts: list[str]
) -> None:
    forged = simulated_org.control.send_forged(simulated_org.admin.username, kind=kind)
    mail = mailbox.one()
    assert mail["From"].addresses[0].addr_spec == sender
    found = mail.get_all("Authentication-Results", [])
    assert [str(one)[: len(start)] for one, start in zip(found, verdicts, strict=True)] == verdicts
    assert f"(case-sensitive): {forged}" in text(mail)
    # The real token is another, and still lets in.
    assert simulated_org.control.user(simulated_org.admin.username)["security_token"] != forged


def test_mails_for_anybody_with_any_token(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    token = simulated_org.control.send_token_mail(simulated_org.admin.username, token="OldToken", subject="older")
    assert token == "OldToken"
    assert "(case-sensitive): OldToken" in text(mailbox.one())


def test_copies(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    reset(simulated_org, copies=3)
    assert len({mail["Message-ID"] for mail in mailbox.mails(3)}) == 1


def test_each_org_may_have_settings_of_its_own(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    control = simulated_org.control
    control.add_org("other", users=[{"username": "u@other.example", "password": "Other-Pass1"}])
    control.set_mail("other", subject="older")
    control.reset_token("u@other.example")
    control.reset_token(simulated_org.admin.username)
    subjects = {mail["To"]: mail["Subject"] for mail in mailbox.mails(2)}
    assert subjects["u@other.example"] == "salesforce.com security token confirmation"
    assert subjects[simulated_org.admin.username] == "Your new Salesforce security token"


def test_what_is_not_delivered_is_told(simulated_org: SimulatedOrg, mailbox: Mailbox) -> None:
    mailbox.refuses = True
    reset(simulated_org)
    assert "mailbox full" in settled(simulated_org.control, failures=1)["failures"][0]
    reset(simulated_org, server="smtp://127.0.0.1:1")
    assert "refused" in settled(simulated_org.control, failures=2)["failures"][1]


@pytest.mark.parametrize(
    "settings", [{"server": "imap://x:1"}, {"server": "lmtp://host"}, {"form": "pdf"}, {"colour": "red"}]
)
def test_what_cannot_be_set(simulated_org: SimulatedOrg, settings: dict[str, str]) -> None:
    with pytest.raises(ControlError, match="mail server is|is one of|unknown mail setting"):
        simulated_org.control.set_mail(**settings)


def test_the_process_delivers_by_lmtp(tmp_path: Path) -> None:
    mailbox = Mailbox()
    controller = LmtpServer(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        server = f"lmtp://127.0.0.1:{controller.port}"
        with running(tmp_path, "--mail-server", server) as (ready, _process):
            control = Control(ready["control_url"], ready["control_token"])
            token = control.reset_token("admin@simulated.example")
            assert f"(case-sensitive): {token}" in text(mailbox.one())
    finally:
        controller.stop()
