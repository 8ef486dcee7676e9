# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of 17 servers that send a byte now and then hold their client: mail, key-value and feed servers."""

from __future__ import annotations

import contextlib
import functools
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

SECONDS = 45  # more than the limits below allow in all
TIMEOUT = 2.0
MAIL_SERVERS = {
    "": b"* OK ",  # the greeting
    "AUTHENTICATE": b"* OK ",
    "EXAMINE": b"* OK ",
    "UID SEARCH": b"* SEARCH ",
    "UID FETCH": b"* 1 FETCH (UID 1 BODY[] {200000}\r\n",
    "IDLE": b"* OK ",
    "LOGOUT": b"* BYE ",
}
FEEDS = {
    "status line": lambda: _drip(b"", b"H"),
    "header": lambda: _drip(b"HTTP/1.1 200 OK\r\n", b"X"),
    "informational responses": lambda: _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}

AIMS = {"hangs": "0"}


def measure() -> dict[str, float]:
    """The clients that are still waiting when all should have given up, each of a server of its own."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges import published
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import client

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(client, "RETRY_SECONDS", 3.0),
        mock.patch.object(client, "EXCHANGE_SECONDS", TIMEOUT),
        mock.patch.object(published, "MAX_SECONDS", 5.0),
    ):
        uses = list(_clients(Path(folder)))
        threads = [threading.Thread(target=use, daemon=True) for use in uses]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + SECONDS
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return {"hangs": float(sum(thread.is_alive() for thread in threads)), "slow_servers": float(len(threads))}


def _clients(folder: Path) -> Iterator[Callable[[], None]]:
    """Start the servers, and yield what asks each of them."""
    from cryptography.fernet import Fernet

    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges import published
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store
    from tests.simulated_org import ca
    from tests.support.stores import open_store
    from tests.unit.test_hostile_answers import Liar
    from tests.unit.test_mailbox import SlowScript, mail, tokens
    from tests.unit.test_store_hostile_server import SLOW

    certificates = ca.create(folder)
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_bytes(Fernet.generate_key())

    def read_mail(server: SlowScript) -> None:
        with contextlib.suppress(GatehouseError), server.open(timeout=TIMEOUT) as mailbox:
            tokens(mailbox, wait=4.0)

    def use_store(server: Liar, use: Callable[[Store], object]) -> None:
        options = {"store_key_file": str(key), "store_token": "s.Invented", "store_ca_path": str(certificates.ca)}
        with contextlib.suppress(GatehouseError):
            use(open_store(f"{server.url}/v1/secret/salesforce", **options))

    def load_feed(server: Liar) -> None:
        with contextlib.suppress(GatehouseError):
            published.load(server.url, timeout=TIMEOUT, ca_path=str(certificates.ca))

    def lock(store: Store) -> None:
        with store.lock("prod", seconds=3.0):
            pass

    for stuck_at, line, endless in [*((at, line, False) for at, line in MAIL_SERVERS.items()), ("EXAMINE", b"", True)]:
        mails = SlowScript(certificates)
        mails.mails = {1: mail()}
        mails.capabilities += " IDLE"
        mails.stuck_at, mails.line, mails.endless = stuck_at, line, endless
        yield functools.partial(read_mail, mails)
    uses: list[Callable[[Store], object]] = [lambda store: store.read("prod"), lambda store: store.names(), lock]
    for part, use in itertools.product(("body", "status line"), uses):
        values = Liar(certificates)
        values.answer = SLOW[part]
        yield functools.partial(use_store, values, use)
    for answer in FEEDS.values():
        feed = Liar(certificates)
        feed.answer = answer
        yield functools.partial(load_feed, feed)


def _drip(first: bytes, then: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield then
        time.sleep(0.1)
