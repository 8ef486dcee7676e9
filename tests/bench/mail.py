# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to find the mail with a token among ten thousand others, in bytes that a real mail server sends."""

from __future__ import annotations

import contextlib
import datetime
import imaplib
import ssl
import sys

from tests.support.dovecot import Absent, Dovecot, Relay, dovecot
from tests.support.processes import COLLECTIONS

OTHERS = 10_000
USER, USERNAME = "box@example.org", "int@example.com"
TOKEN = "AbCdEf0123456789GhIjKlMnO"
AIMS = {"imap_bytes_in_10000_mails": "below a thousandth of all of them"}

_TEXT = f"Username: {USERNAME}\r\nSecurity token (case-sensitive): {TOKEN}\r\n"
_MAIL = f"From: Salesforce <support@salesforce.com>\r\nSubject: Token\r\n\r\n{_TEXT}"
_OTHER = "From: News <news@example.com>\r\nSubject: News\r\n\r\n" + "There is much to read here.\r\n" * 100


def measure() -> dict[str, float]:
    """Bytes from login to token by the time of the mail, and what a download of the mailbox comes to."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    try:
        with dovecot() as server:
            now = datetime.datetime.now(datetime.UTC)
            server.put(USER, [(_OTHER.encode(), now)] * OTHERS)
            server.deliver(_MAIL.encode(), USER)
            return {
                "imap_bytes_in_10000_mails": _search(server, now),
                "imap_bytes_of_10000_mails": _download(server),
            }
    except Absent as exc:
        print(f"without mail: {exc}")
        return {}


def _search(server: Dovecot, since: datetime.datetime) -> int:
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox import mailbox
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.settings import mail_settings

    with contextlib.closing(Relay(server.port)) as relay:
        settings = mail_settings(
            {
                "host": "localhost",
                "port": relay.port,
                "username": USER,
                "password": server.password,
                "ca_path": server.ca_path,
            }
        )
        with mailbox.open_mailbox(settings) as opened:
            (found,) = opened.tokens(USERNAME, since=None, since_time=since, wait=0)
        if found.token != TOKEN:
            raise RuntimeError("the token was not found")
        return relay.received


def _download(server: Dovecot) -> int:
    context = ssl.create_default_context(cafile=server.ca_path)
    with contextlib.closing(Relay(server.port)) as relay:
        with imaplib.IMAP4_SSL("localhost", relay.port, ssl_context=context) as reader:
            reader.login(USER, server.password)
            reader.select("INBOX", readonly=True)
            reader.fetch("1:*", "(BODY.PEEK[])")
        return relay.received
