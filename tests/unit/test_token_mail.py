# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mails bring a token, to whom, and which of them are believed."""

from __future__ import annotations

import base64
import datetime
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.token_mail import (
    MAX_BYTES,
    Policy,
    attached_token,
    rejection,
    sender,
    token,
)

USERNAME = "int@example.com"
TOKEN = "AbCdEf0123456789GhIjKlMnO"
LINES = (
    "You recently changed your password or requested to reset your security token.",
    f"Username: {USERNAME}",
    f"Security token (case-sensitive): {TOKEN}",
    "For more information on using your security token, see the help.",
)
TEXT = "\n\n".join(LINES)
FROM = b"From: Salesforce <support@salesforce.com>\r\n"
AUTHSERV_ID = "mx.example.org"
VERIFYING = Policy(authserv_id=AUTHSERV_ID)
EARLIEST = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)


def mail(body: str | bytes = TEXT, kind: str = "text/plain; charset=utf-8", *header: str) -> bytes:
    lines = [FROM, *(f"{line}\r\n".encode() for line in header), f"Content-Type: {kind}\r\n\r\n".encode()]
    return b"".join(lines) + (body.encode() if isinstance(body, str) else body)


def verified(*results: str, sender_line: bytes = FROM) -> bytes:
    """A mail with header fields Authentication-Results, the topmost first."""
    return b"".join(f"Authentication-Results: {one}\r\n".encode() for one in results) + sender_line + b"\r\n"


# The token and whose it is.


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n\n", "\r\n\n"),
        TEXT.replace("case-sensitive): ", "case-sensitive):\r\n    "),
        TEXT.replace("Security token ", "Security\u00a0token\u00a0"),
        TEXT.replace("Security token ", "SECURITY TOKEN "),
        TEXT.replace(USERNAME, "INT@Example.COM"),
        TEXT.replace("Username: ", "Username:\u00a0"),
        TEXT.replace(TOKEN, f"\u200b{TOKEN}\u200b"),
        f"Dear {USERNAME},\nSecurity token (case-sensitive): {TOKEN}.",
        f"Sent to '{USERNAME}'. Security token (case-sensitive): {TOKEN}",
        f"It is {USERNAME}.\nSecurity token (case-sensitive): {TOKEN}",
    ],
)
def test_a_text_brings_its_token_however_its_lines_are_broken(body: str) -> None:
    assert token(mail(body), USERNAME) == TOKEN


@pytest.mark.parametrize(
    "markup",
    [
        f"<p>Username: {USERNAME}</p><p>Security token (case-sensitive): {TOKEN}</p>",
        f"<table><tr><td>Username:</td><td>{USERNAME}</td></tr>"
        f"<tr><td>Security&nbsp;token <i>(case-sensitive)</i>:</td><td><b>{TOKEN}</b></td></tr></table>",
        f"Username: <a href='mailto:{USERNAME}'>int@<wbr>example.com</a><br/>"
        f"Security token (case-sensitive):<br>{TOKEN}<br>For more",
        f"<style>p > a {{}}</style><!-- <p>Security token (case-sensitive): Wrong0123456789 </p> -->"
        f"<script>if (1 < 2) 'Security token (case-sensitive): Wrong0123456789'</script>"
        f"Username: int&#64;example.com<div>Security token (case&#45;sensitive): {TOKEN}</div>",
    ],
)
def test_markup_brings_the_token_that_a_reader_sees(markup: str) -> None:
    assert token(mail(markup, "text/html; charset=utf-8"), USERNAME) == TOKEN


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16", "cp1252", "iso-2022-jp", "us-ascii", "no-such-1"])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_the_encoding_of_a_mail_does_not_matter(charset: str, encoding: str) -> None:
    body = TEXT.encode(charset if charset != "no-such-1" else "utf-8")
    encoded = base64.encodebytes(body) if encoding == "base64" else quopri.encodestring(body)
    raw = mail(encoded, f"text/plain; charset={charset}", f"Content-Transfer-Encoding: {encoding}")
    assert token(raw, USERNAME) == TOKEN


@pytest.mark.parametrize(
    "encoding", ["base64 ", "base64\t", "Base64", "\r\n base64", "base64 (of course)", " base64 \r\n "]
)
def test_an_encoding_that_is_folded_or_ends_in_a_blank_is_decoded(encoding: str) -> None:
    raw = mail(base64.encodebytes(TEXT.encode()), "text/plain", f"Content-Transfer-Encoding: {encoding}")
    assert token(raw, USERNAME) == TOKEN


@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "shift_jis"])
@pytest.mark.parametrize("brackets", ["()", "（）"])
def test_a_mail_in_japanese_brings_its_token(charset: str, brackets: str) -> None:
    opening, closing = brackets[0], brackets[1]
    words = f"セキュリティトークン {opening}大文字と小文字を区別{closing}: {TOKEN}"
    text = f"ユーザ名: {USERNAME}\r\n{words}\r\n\r\n詳細は、ヘルプを参照してください。"
    raw = mail(
        base64.encodebytes(text.encode(charset)), f"text/plain; charset={charset}", "Content-Transfer-Encoding: base64"
    )
    assert token(raw, USERNAME) == TOKEN
    assert token(raw, "other@example.com") is None


@pytest.mark.parametrize("plain", ["See the other part.", TEXT])
def test_of_several_parts_the_plain_text_comes_first(plain: str) -> None:
    markup = TEXT.replace(TOKEN, TOKEN if plain != TEXT else "Other0123456789")
    body = f"--b\r\nContent-Type: text/html\r\n\r\n{markup}\r\n--b\r\nContent-Type: text/plain\r\n\r\n{plain}\r\n--b--"
    assert token(mail(body, "multipart/alternative; boundary=b"), USERNAME) == TOKEN


def test_a_mail_that_is_attached_to_another_one_brings_no_token() -> None:
    inner = mail().decode()
    body = (
        f"--b\r\nContent-Type: text/plain\r\n\r\nLook.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--"
    )
    assert token(mail(body, "multipart/mixed; boundary=b"), USERNAME) is None


@pytest.mark.parametrize(
    "named",
    [
        "int@example.com.sandbox",
        "xint@example.com",
        "x.int@example.com",
        "x+int@example.com",
        "o'int@example.com",
        "int@example.community",
        "int@example.com-test",
        "int@example.com@example.org",
        "int@exampleXcom",
    ],
)
@pytest.mark.parametrize("line", ["Username: {}", "For the user {} only"])
def test_a_mail_for_a_user_with_a_similar_name_brings_no_token(named: str, line: str) -> None:
    assert token(mail(f"{line.format(named)}\nSecurity token (case-sensitive): {TOKEN}"), USERNAME) is None


def test_the_line_with_the_user_name_decides_and_not_who_is_named_elsewhere() -> None:
    body = f"Asked for by {USERNAME}.\nUsername: other@example.com\nSecurity token (case-sensitive): {TOKEN}"
    assert token(mail(body), USERNAME) is None
    assert token(mail(body), "other@example.com") == TOKEN


@pytest.mark.parametrize(
    "line",
    [
        "Verification Code: 123456",
        "Security token (case-sensitive):",
        "Security token (case-sensitive): short1",
        "Security token (case-sensitive): " + "a" * 129,
        "Security token: AbCdEf0123456789GhIjKlMnO",
    ],
)
def test_other_mails_of_the_same_sender_bring_no_token(line: str) -> None:
    assert token(mail(f"Username: {USERNAME}\n{line}"), USERNAME) is None


# Whom to believe.


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        ("support@salesforce.com", "salesforce.com"),
        ("<support@salesforce.com>", "salesforce.com"),
        ("Salesforce <support@emea.salesforce.com>", "emea.salesforce.com"),
        ('"Salesforce, Inc. (Support)" <support@SalesForce.com>', "salesforce.com"),
        ("=?utf-8?q?Salesforce?=\r\n <support@salesforce.com>", "salesforce.com"),
    ],
)
def test_a_sender_below_an_allowed_domain_counts(line: str, domain: str) -> None:
    found = sender(f"From: {line}\r\n\r\n".encode(), Policy())
    assert found is not None
    assert (found.domain, found.authenticated) == (domain, False)


@pytest.mark.parametrize(
    "header",
    [
        "From: support@salesforce.com.evil.example",
        "From: support@.salesforce.com",
        "From: support@salesforce.com.",
        "From: support@a..salesforce.com",
        "From: support@-.salesforce.com",
        "From: support@-a.salesforce.com",
        "From: support@xsalesforce.com",
        "From: support@salesforce.com@evil.example",
        "From: evil.example <support@evil.example>",
        'From: "support@salesforce.com" <support@evil.example>',
        "From: support@salesforce.com <support@evil.example>",
        "From: <support@salesforce.com> <support@evil.example>",
        "From: <support@evil.example> <support@salesforce.com>",
        "From: support@salesforce.com, support@evil.example",
        "From: support@evil.example, support@salesforce.com",
        "From: Salesforce: support@salesforce.com;",
        "From: support@salesforce.com (support@evil.example)",
        "From: (x) support@salesforce.com",
        "From: support(x)@salesforce.com",
        'From: "a\\" <support@salesforce.com>',
        "From: support@s\u0430lesforce.com",
        "From: support@evil.example\r\nFrom: support@salesforce.com",
        "From: support@salesforce.com\r\nFrom: support@evil.example",
        "Subject: x\rFrom: support@salesforce.com",
        "From: support@salesforce.com\r\rFrom: support@evil.example",
        "From: support@salesforce.com\0",
        "From: support@salesforce.com\r\nno field\r\nFrom: support@evil.example",
        " folded\r\nFrom: support@salesforce.com",
        "Sender: support@salesforce.com",
        "From:",
        "From: " + "a" * 5000 + "<support@salesforce.com>",
    ],
)
def test_a_sender_that_readers_may_take_for_another_one_does_not_count(header: str) -> None:
    assert sender(f"{header}\r\n\r\nText".encode(), Policy()) is None


@pytest.mark.parametrize(
    ("date", "sent"),
    [
        ("Wed, 25 Nov 2026 01:28:20 +0100", datetime.datetime(2026, 11, 25, 0, 28, 20, tzinfo=datetime.UTC)),
        ("25 Nov 2026 01:28:20 -0000", datetime.datetime(2026, 11, 25, 1, 28, 20, tzinfo=datetime.UTC)),
        ("yesterday", None),
        ("Wed, 99 Nov 2026 01:28:20 +0100", None),
        ("Wed, 25 Nov 2026 01:28:20 +99999999", None),
        ("31 Dec 9999 23:59:59 -2300", None),
    ],
)
def test_the_date_of_a_mail_is_in_utc_or_not_known(date: str, sent: datetime.datetime | None) -> None:
    found = sender(FROM + f"Date: {date}\r\n\r\n".encode(), Policy())
    assert found is not None
    assert found.sent == sent


@pytest.mark.parametrize(
    "results",
    [
        f"{AUTHSERV_ID}; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=salesforce.com",
        f"{AUTHSERV_ID} 1; spf=none; dmarc=pass header.from=salesforce.com",
        "MX.Example.Org; DMARC=pass",
        f"{AUTHSERV_ID};\r\n dkim=pass header.i=@salesforce.com header.s=x;\r\n spf=fail (not; dmarc=fail) smtp.helo=x",
        f"{AUTHSERV_ID}; dkim=fail header.d=evil.example; dkim=pass header.d=salesforce.com",
        f"{AUTHSERV_ID}; dmarc = pass header.from = salesforce.com",
    ],
)
def test_a_mail_whose_sender_the_receiving_server_has_verified_counts(results: str) -> None:
    found = sender(verified(results), VERIFYING)
    assert found is not None
    assert found.authenticated


@pytest.mark.parametrize(
    "results",
    [
        [],
        ["none"],
        [AUTHSERV_ID],
        [f"{AUTHSERV_ID}; none"],
        ["mx.evil.example; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}.evil.example; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; dmarc=fail header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; dmarc=pass header.from=evil.example"],
        [f"{AUTHSERV_ID}; dmarc=fail header.from=salesforce.com; dkim=pass header.d=salesforce.com"],
        [f"{AUTHSERV_ID}; dmarc=fail; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; dkim=pass header.d=evil.example"],
        [f"{AUTHSERV_ID}; dkim=pass header.d=com"],
        [f"{AUTHSERV_ID}; dkim=pass"],
        [f"{AUTHSERV_ID}; spf=pass smtp.mailfrom=salesforce.com"],
        [f"{AUTHSERV_ID}; spf=pass (x; dmarc=pass header.from=salesforce.com)"],
        [f'{AUTHSERV_ID}; spf=pass smtp.mailfrom="; dmarc=pass header.from=salesforce.com; "@evil.example'],
        [f"{AUTHSERV_ID}; spf=pass (open; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; spf=pass ); dmarc=pass header.from=salesforce.com"],
        [f'{AUTHSERV_ID}; spf=pass "x; dmarc=pass header.from=salesforce.com'],
        # Only the first of the server's own fields counts, as those below may have come with the mail.
        [f"{AUTHSERV_ID}; spf=pass", f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; spf=pass (", f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com"],
        [f"{AUTHSERV_ID}; spf=pass {'x' * 5000}", f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com"],
        # As Microsoft 365 writes it, without its name: what is below came with the mail.
        ["spf=fail smtp.mailfrom=evil.example; dmarc=fail", f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com"],
    ],
)
def test_a_mail_whose_sender_was_not_verified_does_not_count(results: list[str]) -> None:
    assert sender(verified(*results), VERIFYING) is None


def test_without_the_name_of_the_receiving_server_what_it_says_is_no_evidence() -> None:
    for results in ("dmarc=pass", "dmarc=fail"):
        found = sender(verified(f"{AUTHSERV_ID}; {results} header.from=salesforce.com"), Policy())
        assert found is not None
        assert not found.authenticated


@pytest.mark.parametrize(
    "header",
    [
        "Authentication-Results: mx.example.org; dmarc=pass header.from=salesforce.com",
        "Return-Path: <bounce@emea.salesforce.com>",
        "Received: from smtp.example (smtp01.salesforce.com. [192.0.2.7]) by mx.example.org; Wed, 25 Nov 2026 10:00:00",
    ],
)
def test_what_a_receiving_server_writes_makes_a_mail_likelier(header: str) -> None:
    plain, likelier = sender(mail(), Policy()), sender(f"{header}\r\n".encode() + mail(), Policy())
    assert plain is not None and likelier is not None
    assert likelier.plausibility > plain.plausibility
    forged = sender(b"Authentication-Results: mx.example.org; dmarc=fail\r\n" + mail(), Policy())
    assert forged is not None and forged.plausibility < plain.plausibility


def test_fields_of_other_servers_above_the_own_one_do_not_matter() -> None:
    raw = verified("relay.example.net; dmarc=fail", f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com")
    assert sender(raw, VERIFYING) is not None


# Hostile mails.


_PIECES = st.sampled_from(
    [
        FROM,
        b"From: ",
        b"Authentication-Results: mx.example.org; ",
        b"dmarc=pass header.from=salesforce.com",
        b"Date: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/digest; boundary=\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; charset=",
        b"Content-Type: text/plain; charset*0*=utf-8'x'%ff; charset*1=b",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\nbegin 644 x\r\n",
        b"utf-7",
        b"undefined",
        b"unicode_escape",
        b"rot13",
        b"punycode",
        b"\r\n--b\r\n",
        b"--b--",
        b"\r\n\r\n",
        b"\r",
        b"<!--",
        b"<script",
        b"(",
        b'"',
        b"\\",
        f"Username: {USERNAME}".encode(),
        f"Security token (case-sensitive): {TOKEN}".encode(),
        b"&#x110000;",
        b"=?utf-8?b?",
        "İ".encode(),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES | st.binary(max_size=20), max_size=25))
def test_no_mail_makes_it_fail(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    for policy in (Policy(), VERIFYING):
        found = sender(raw, policy)
        assert found is None or found.domain.endswith("salesforce.com")
    assert token(raw, USERNAME) is None or b"oken" in raw or b"base64" in raw or b"uu" in raw


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_a_sender_counts_only_below_an_allowed_domain_whatever_is_around_it(before: str, after: str) -> None:
    found = sender(f"From: {before}@salesforce.com{after}\r\n\r\n".encode(errors="replace"), Policy())
    assert found is None or found.domain == "salesforce.com" or found.domain.endswith(".salesforce.com")


_NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(4000))


HOSTILE_MAILS = (
    FROM + _NESTED,
    FROM + b"Content-Type: message/rfc822\r\n\r\n" * 5000,
    b"From: " + b" " * MAX_BYTES,
    b"From: " + b'"' * MAX_BYTES,
    FROM + b"X: y\n" * 50_000,
    FROM + b"Content-Type: text/plain; " + b"a*0=b;" * 40_000 + b"\n\n",
    FROM + b"Authentication-Results: mx.example.org; " + b"= (" * 80_000 + b"\n\n",
    FROM + b"\n" + b" " * MAX_BYTES,
    FROM + b"\n" + b"Security token (case-sensitive)" * 8000,
    FROM + b"\n" + b"Username: " * 25_000,
    FROM + b"\n" + b"int@example.com." * 16_000,
    FROM + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 60_000,
    FROM + b"Content-Type: text/html\r\n\r\n" + b"<script " * 30_000,
    FROM + b"Content-Type: text/html\r\n\r\n" + b"<" * 250_000,
    FROM + b"Content-Type: text/html\r\n\r\n" + b"&" * 250_000,
    FROM + b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"x" * 120_000 + b"-" + b"9a" * 60_000,
)


@pytest.mark.parametrize("raw", HOSTILE_MAILS)
def test_a_mail_that_is_made_to_keep_its_reader_busy_is_from_nobody_and_has_no_token(raw: bytes) -> None:
    """How long the slowest of them takes is measured by the benchmark."""
    assert sender(raw, VERIFYING) is None
    assert token(raw, USERNAME) is None
    assert attached_token(by_ann(forwarded(raw)), USERNAME, COMPANY, earliest=EARLIEST) is None


# Why one does not count.


def forwarded(inner: bytes) -> bytes:
    """A mail that brings another one as an attachment."""
    boundary = "=-1"
    part = b"--=-1\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--=-1--\r\n"
    return mail(part, f'multipart/mixed; boundary="{boundary}"')


def results(text: str) -> str:
    return f"Authentication-Results: {text}"


@pytest.mark.parametrize(
    ("raw", "policy", "reason"),
    [
        (
            mail().replace(b"support@salesforce.com", b"ann@acme.example"),
            Policy(),
            "its sender is at acme.example, which is not in mailbox.allowed_senders",
        ),
        (mail().replace(FROM, FROM + b"From: ann@acme.example\r\n"), Policy(), "does not name exactly one sender"),
        (mail(), VERIFYING, "it has no header field Authentication-Results"),
        (
            mail(TEXT, "text/plain", results("mx.other.example; dmarc=pass header.from=salesforce.com")),
            VERIFYING,
            "are of mx.other.example, not of mailbox.authserv_id",
        ),
        (
            mail(TEXT, "text/plain", results(f"{AUTHSERV_ID}; dmarc=fail header.from=salesforce.com")),
            VERIFYING,
            "do not say that salesforce.com has sent it",
        ),
        (
            mail(TEXT, "text/plain", results(f"{AUTHSERV_ID}) dmarc=pass")),
            VERIFYING,
            "it has no header field Authentication-Results",
        ),
        (forwarded(mail()), VERIFYING, "it is attached to another mail. It would count if it was from a domain in"),
    ],
)
def test_why_a_mail_that_brings_a_token_does_not_count(raw: bytes, policy: Policy, reason: str) -> None:
    told = rejection(raw, USERNAME, policy, earliest=EARLIEST)
    assert told is not None and reason in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    "raw",
    [mail(), mail("Nothing to see here."), forwarded(mail("Nothing to see here.")), b"\0", b""],
)
def test_a_mail_that_counts_or_brings_no_token_is_not_rejected(raw: bytes) -> None:
    assert rejection(raw, USERNAME, Policy(), earliest=EARLIEST) is None
    assert (
        rejection(raw.replace(USERNAME.encode(), b"other@example.com"), USERNAME, Policy(), earliest=EARLIEST) is None
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=200))
def test_why_a_hostile_mail_does_not_count_shows_nothing_that_turns_a_terminal(header: bytes, name: str) -> None:
    raw = header + b"\r\n" + mail(TEXT, "text/plain", results(f"{name!r}; x=y"))
    told = rejection(raw, USERNAME, VERIFYING, earliest=EARLIEST) or ""
    assert told.isprintable() and TOKEN not in told


# Forwarded, or sent on by a group.

ANN = b"From: Ann <ann@acme.example>\r\n"
BY_ANN = f"{AUTHSERV_ID}; dmarc=pass header.from=acme.example"
COMPANY = Policy(allowed_senders=("salesforce.com", "acme.example"), authserv_id=AUTHSERV_ID)
RECENT, OLD = "Date: Wed, 25 Nov 2026 09:01:00 +0000", "Date: Wed, 25 Nov 2026 08:59:00 +0000"


def by_ann(raw: bytes, *, results_of: str = BY_ANN) -> bytes:
    """The same mail, from somebody of the company."""
    return raw.replace(FROM, results(results_of).encode() + b"\r\n" + ANN, 1)


def test_a_token_mail_that_a_verified_sender_of_an_allowed_domain_attaches_counts() -> None:
    raw = by_ann(forwarded(mail(TEXT, "text/plain", RECENT)))
    assert attached_token(raw, USERNAME, COMPANY, earliest=EARLIEST) == TOKEN
    assert rejection(raw, USERNAME, COMPANY, earliest=EARLIEST) is None
    assert token(raw, USERNAME) is None, "the mail itself brings none"


@pytest.mark.parametrize(
    ("raw", "policy"),
    [
        pytest.param(by_ann(forwarded(mail(TEXT, "text/plain", OLD))), COMPANY, id="an old mail, sent again"),
        pytest.param(by_ann(forwarded(mail())), COMPANY, id="a mail without a date"),
        pytest.param(
            by_ann(forwarded(mail(TEXT, "text/plain", RECENT).replace(FROM, b"From: eve@evil.example\r\n"))),
            COMPANY,
            id="a mail of another sender",
        ),
        pytest.param(
            by_ann(forwarded(mail(TEXT.replace(USERNAME, "other@example.com"), "text/plain", RECENT))),
            COMPANY,
            id="a mail for another user",
        ),
        pytest.param(
            by_ann(forwarded(mail(TEXT, "text/plain", RECENT)), results_of=f"{AUTHSERV_ID}; dmarc=fail"),
            COMPANY,
            id="a forged sender outside",
        ),
        pytest.param(
            by_ann(
                forwarded(mail(TEXT, "text/plain", RECENT)),
                results_of="mx.other.example; dmarc=pass header.from=acme.example",
            ),
            COMPANY,
            id="verified by another server",
        ),
        pytest.param(
            by_ann(forwarded(mail(TEXT, "text/plain", RECENT))),
            Policy(allowed_senders=COMPANY.allowed_senders),
            id="no authserv_id",
        ),
        pytest.param(by_ann(forwarded(mail(TEXT, "text/plain", RECENT))), VERIFYING, id="a domain that is not named"),
        pytest.param(
            forwarded(mail(TEXT, "text/plain", RECENT)).replace(
                FROM, results(f"{AUTHSERV_ID}; dmarc=pass header.from=salesforce.com").encode() + b"\r\n" + FROM, 1
            ),
            COMPANY,
            id="attached by an org to a mail of its own",
        ),
        pytest.param(
            by_ann(mail("Hello.")).replace(b"Hello.", forwarded(mail(TEXT, "text/plain", RECENT))),
            COMPANY,
            id="the source of a mail as text",
        ),
    ],
)
def test_a_token_mail_that_is_attached_does_not_count(raw: bytes, policy: Policy) -> None:
    assert attached_token(raw, USERNAME, policy, earliest=EARLIEST) is None


@pytest.mark.parametrize(
    "from_line",
    [
        b"From: \"'Salesforce' via Tokens\" <tokens@acme.example>\r\n",
        b"From: \"'support@salesforce.com' via Tokens\" <tokens@acme.example>\r\n",
        b"From: Salesforce via Tokens <tokens@acme.example>\r\n",
    ],
)
def test_a_mail_whose_sender_a_group_rewrites_counts_by_the_domain_of_the_group(from_line: bytes) -> None:
    raw = by_ann(mail()).replace(ANN, from_line)
    who = sender(raw, COMPANY)
    assert who is not None and who.authenticated and who.domain == "acme.example"
    assert token(raw, USERNAME) == TOKEN
    assert sender(raw, VERIFYING) is None


@pytest.mark.parametrize("prefix", ["", "> "])
def test_a_mail_that_is_forwarded_inline_counts_by_the_domain_of_who_forwards_it(prefix: str) -> None:
    lines = ["Please store it.", "---------- Forwarded message ---------", "From: Salesforce <support@salesforce.com>"]
    raw = by_ann(mail("\n".join(prefix + line for line in [*lines, *LINES])))
    assert sender(raw, COMPANY) and token(raw, USERNAME) == TOKEN
    assert sender(raw, VERIFYING) is None
