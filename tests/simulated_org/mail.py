# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token mail as it would arrive, in every form that it may have, and forged ones beside it.

Subjects, senders and the anchors of the text are REPORTED unless said otherwise; the HTML part is UNKNOWN, so INVENTED.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Any, Literal, get_args, get_type_hints

from .passwords import TOKEN_BODY
from .state import Mail, Org

Form = Literal["plain", "quoted_printable", "base64", "html", "alternative"]
Subject = Literal["current", "older", "sandbox", "white_label", "folded"]
Sender = Literal["support", "emea", "developers", "noreply"]
Language = Literal["en", "ja"]
TransferEncoding = Literal["plain", "blank", "folded"]
Authentication = Literal["pass", "fail", "absent"]
Forgery = Literal["right_sender", "display_name", "two_senders", "lookalike", "subdomain", "other_authserv", "stacked"]

SUBJECTS: dict[str, str] = {
    "current": "Your new Salesforce security token",
    "older": "salesforce.com security token confirmation",
    # INVENTED, the last three; that an org may put its own words here is to be expected.
    "sandbox": "Sandbox: Your new Salesforce security token",
    "white_label": "Your new Gatehouse Works security token",
    "folded": "Sandbox: Your new Salesforce security token for the org of the Gatehouse Works and all of its "
    "subsidiaries (Zürich, Kraków, São Paulo)",
}
SENDERS: dict[str, str] = {
    "support": "Salesforce <support@salesforce.com>",
    "emea": "Salesforce <support@emea.salesforce.com>",
    "developers": "Salesforce <info@salesforcedevs.com>",
    "noreply": "Salesforce <noreply@salesforce.com>",
}
# The mail follows the user's language: the two lines with values are REPORTED x1, the rest is INVENTED.
JAPANESE_BODY = (
    "パスワードの変更またはセキュリティトークンのリセットが行われたため、新しいセキュリティトークンをお送りします。\r\n\r\n"
    "ユーザ名: {username}\r\nセキュリティトークン (大文字と小文字を区別): {token}\r\n\r\n"
    "セキュリティトークンの使用についての詳細は、ヘルプを参照してください。\r\n"
)
ENCODINGS = {"plain": "7bit", "quoted_printable": "quoted-printable", "base64": "base64"}
AUTHSERV_ID = "mx.example.com"


@dataclass(frozen=True)
class MailSettings:
    """How an org's mails are delivered, and what they look like.

    Attributes:
        server: `lmtp://host:port` or `smtp://host:port`; without it mails are only listed.
        delay: seconds before a mail goes out.
        copies: how often each mail is delivered.
        mixed_line_ends: whether lines of the text end in different ways (REPORTED).
        language: of the user, which the text follows; the subject in another one is UNKNOWN.
        transfer_encoding: how that header is written: as it is, with a blank at its end, or on two lines.
        authentication: what the border mail server found of the sender, in a header under its `authserv_id`.
    """

    server: str = ""
    delay: float = 0.0
    copies: int = 1
    form: Form = "plain"
    subject: Subject = "current"
    sender: Sender = "support"
    mixed_line_ends: bool = False
    language: Language = "en"
    transfer_encoding: TransferEncoding = "plain"
    authentication: Authentication = "pass"
    authserv_id: str = AUTHSERV_ID

    def changed(self, values: dict[str, Any]) -> MailSettings:
        """A copy with some of them set, names and values checked."""
        hints = get_type_hints(MailSettings)
        for name, value in values.items():
            if name not in hints:
                raise ValueError(f"unknown mail setting {name!r}; there are {', '.join(sorted(hints))}")
            choices = get_args(hints[name])
            if choices and value not in choices:
                raise ValueError(f"mail setting {name} is one of {', '.join(choices)}")
        return dataclasses.replace(self, **values)


def compose(org: Org, mail: Mail, settings: MailSettings, serial: int) -> bytes:
    """The mail as the user's mail server gets it, with what the border server has put on top."""
    sender = SENDERS[settings.sender]
    domain = address_of(sender).partition("@")[2]
    message = _message(org, mail, sender, SUBJECTS[settings.subject], serial)
    _fill(message, _body(mail, settings), settings)
    verdict = settings.authentication
    if verdict != "absent":
        signer = "salesforce.com" if domain.endswith("salesforce.com") else domain
        _put_on_top(message, [_authentication_results(settings.authserv_id, verdict, address_of(sender), signer)])
    return _written(message, settings)


def forge(org: Org, mail: Mail, kind: Forgery, settings: MailSettings, serial: int) -> bytes:
    """A look-alike of a token mail, sent by somebody else."""
    if kind not in get_args(Forgery):
        raise ValueError(f"a forgery is one of {', '.join(get_args(Forgery))}")
    real, evil = SENDERS["support"], "support@attacker.example"
    senders = {
        "display_name": f'"support@salesforce.com" <{evil}>',
        "two_senders": f"support@salesforce.com, {evil}",
        "lookalike": "Salesforce <support@sa1esforce.com>",
        "subdomain": "Salesforce <support@salesforce.com.attacker.example>",
    }
    sender = senders.get(kind, real)
    message = _message(org, mail, sender, SUBJECTS[settings.subject], serial)
    _fill(message, _body(mail, settings), settings)
    border = settings.authserv_id
    claimed = "mx.attacker.example" if kind == "other_authserv" else border
    passed = _authentication_results(claimed, "pass", "support@salesforce.com", "salesforce.com")
    failed = _authentication_results(border, "fail", "support@salesforce.com", "attacker.example")
    own = evil if kind in ("display_name", "two_senders") else address_of(sender)
    results = {
        "right_sender": [failed],
        # Written by the sender; a border server removes only what bears its own name.
        "other_authserv": [passed],
        # Below the real verdict, where a border server has not removed it.
        "stacked": [failed, passed],
    }
    domain = own.partition("@")[2]
    # The sender passes as what it is.
    _put_on_top(message, results.get(kind, [_authentication_results(border, "pass", own, domain)]))
    return _written(message, settings)


def token_mail(username: str, token: str, to: str, sent: datetime.datetime) -> Mail:
    """A mail that says what the org would say."""
    return Mail(to, SUBJECTS["current"], TOKEN_BODY.format(username=username, token=token), sent, username, token)


def _written(message: EmailMessage, settings: MailSettings) -> bytes:
    header = re.compile(rb"^(Content-Transfer-Encoding:) (\S+)", re.MULTILINE)
    form = {"plain": rb"\1 \2", "blank": rb"\1 \2 ", "folded": b"\\1\r\n \\2"}[settings.transfer_encoding]
    return header.sub(form, message.as_bytes())


def _body(mail: Mail, settings: MailSettings) -> str:
    if settings.language == "ja":
        return JAPANESE_BODY.format(username=mail.username, token=mail.token)
    return mail.body


def address_of(sender: str) -> str:
    return sender.rpartition("<")[2].rstrip(">")


def _message(org: Org, mail: Mail, sender: str, subject: str, serial: int) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Date"] = format_datetime(mail.sent.astimezone(datetime.UTC))
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = subject
    message["Message-ID"] = f"<{serial}.{org.id}@mail.simulated.example>"
    return message


def _fill(message: EmailMessage, body: str, settings: MailSettings) -> None:
    if settings.form in ENCODINGS:
        text = body
        if settings.mixed_line_ends:
            lines = body.split("\r\n")
            text = "".join(line + ("\n" if number % 2 else "\r\n") for number, line in enumerate(lines))
        # As bytes, for set_content() would make all line ends alike.
        content, encoding = text.encode(), ENCODINGS[settings.form]
        encoding = "8bit" if encoding == "7bit" and not text.isascii() else encoding
        message.set_content(content, "text", "plain", cte=encoding, params={"charset": "utf-8"})
        return
    markup = _markup(body)
    if settings.form == "html":
        message.set_content(markup, subtype="html", cte="quoted-printable")
        return
    message.set_content(body.replace("\r\n", "\n"))
    message.add_alternative(markup, subtype="html", cte="base64")


def _markup(body: str) -> str:
    """The same in HTML: values in elements of their own, and references to characters where they are allowed."""
    rows = []
    for line in body.strip().split("\r\n"):
        label, colon, value = line.partition(": ")
        text = f"{escape(label)}:&nbsp;<b>{escape(value).replace('@', '&#64;')}</b>" if colon else escape(line)
        rows.append(f'<tr><td style="font-family: Arial">{text}</td></tr>')
    return f"<html><head><style>td {{color: #222}}</style></head><body><table>{''.join(rows)}</table></body></html>\n"


def _put_on_top(message: EmailMessage, values: list[str]) -> None:
    """Headers go before all that came with the mail, the first one first."""
    held = message.items()
    for name in {name for name, _unused in held}:
        del message[name]
    for value in values:
        message["Authentication-Results"] = value
    message["Received"] = "from smtp.simulated.example by mx.example.com with ESMTPS; Tue, 24 Nov 2026 12:00:00 +0000"
    for name, value in held:
        message[name] = value


def _authentication_results(authserv_id: str, verdict: str, sender: str, signer: str) -> str:
    """RFC 8601."""
    domain = sender.partition("@")[2]
    return (
        f"{authserv_id}; dkim={verdict} header.d={signer} header.s=s1; spf={verdict} smtp.mailfrom={sender}; "
        f"dmarc={verdict} header.from={domain}"
    )
