# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds for what reads much, or what is made to keep its reader busy."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import json
import random
import time
from collections.abc import Callable

AIMS = {
    "access_of_50000_addresses_seconds": "0.25; a scan of the list would take minutes",
    "lint_10000_entries_seconds": 0.2,
}


def measure() -> dict[str, float]:
    """The seconds of one reading each; of hostile mails, of the slowest."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.rules import Access
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.mailbox.token_mail import (
        sender,
        token,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges import published
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import collapse
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.lint import lint
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import IpRange
    from tests.unit.test_feeds import azure
    from tests.unit.test_token_mail import HOSTILE_MAILS, USERNAME, VERIFYING

    source = random.Random(1)  # noqa: S311 - ranges, no secrets
    firsts = source.sample(range(2**32 - 2**12), 30_000)
    ranges = [IpRange(4, first, first + source.randrange(2**12)) for first in firsts]
    addresses = [str(ipaddress.IPv4Address(source.randrange(2**32))) for _number in range(50_000)]
    now = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    logins = [(address, now) for address in addresses[:20_000]]
    document = json.dumps(azure()).encode()

    def decide() -> None:
        trusted, restricted = Access([], ranges[:5_000]), Access(ranges[:10_000], [])
        for address in addresses[:25_000]:
            trusted.login(address)
        for address in addresses[25_000:]:
            restricted.login(address)

    def check() -> None:
        lint(ranges[:10_000], shared=ranges[10_000:], logins=logins, now=now)
        collapse(ranges[:10_000])

    def read(raw: bytes) -> None:
        sender(raw, VERIFYING)
        token(raw, USERNAME)

    return {
        "access_of_50000_addresses_seconds": _seconds(decide),
        "lint_10000_entries_seconds": _seconds(check),
        "feed_of_azure_seconds": _seconds(
            lambda: published.select_prefixes(published.parse(document, "feed"), "feed", family=4)
        ),
        "hostile_mail_seconds": max(_seconds(functools.partial(read, raw)) for raw in HOSTILE_MAILS),
    }


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
