# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lookup costs in a large store and on a server, and what is lost when a cluster loses its leader."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import threading
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.openbao import Node, OpenBao, openbao
from tests.processes import COLLECTIONS, ROOT

if TYPE_CHECKING:
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.record import Credential
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.store import Store

FOLDER = ROOT / "build" / "bench-stores"
CLUSTER, ADDRESSES = "bao.test", ("127.0.0.2", "127.0.0.3", "127.0.0.4")
WRITERS, WRITES_AFTERWARDS, SECONDS_BEFORE = 4, 5, 1.0
READS = 200


def measure() -> dict[str, float]:
    """All figures of this page."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    return {**large_folder(), **leader_kill(FOLDER / "cluster")}


def credential(name: str, version: int, password: str = "Bench-Password") -> Credential:
    """An invented credential."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.connection import Connection
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.record import Credential

    now = "2026-01-05T08:00:00Z"
    connection = Connection(username=f"{name}@acme.example", password=password, security_token="BenchToken")
    return Credential(name=name, connection=connection, version=version, created=now, updated=now)


def key_file(folder: Path) -> str:
    """A file with a new key."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.store import generate_key

    return str(generate_key(folder / "key"))


def large_folder() -> dict[str, float]:
    """Opening one record of 10,000 beside one of 10."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.store import open_store

    stores = {}
    for count in (10, 10_000):
        store = open_store(str(FOLDER / f"store{count}"), key_file(FOLDER / f"keys{count}"))
        store.write(credential("one", 1), replaces=None)
        content = (store.folder / "one.json").read_bytes()
        for number in range(count - 1):
            file = store.folder / f"other{number}.json"
            file.touch(mode=0o600)
            file.write_bytes(content)
        stores[count] = store
    seconds: dict[int, float] = {}
    for _round in range(5):  # in turns, so that what else runs here slows down both
        for count, store in stores.items():
            took = timeit.timeit(lambda: store.read("one"), number=READS)  # noqa: B023 - called at once
            seconds[count] = min(took, seconds.get(count, took))
    return {
        "lookup_10_microseconds": seconds[10] / READS * 1e6,
        "lookup_10000_to_10": seconds[10_000] / seconds[10],
    }


def leader_kill(folder: Path) -> dict[str, float]:
    """What becomes of acknowledged writes and of rotations under a lock when the leader is killed meanwhile."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils.store import store_from

    with openbao(folder, *ADDRESSES, name=CLUSTER) as cluster, resolving(CLUSTER, ADDRESSES):
        url = cluster.url.replace(ADDRESSES[0], CLUSTER)
        options = {**cluster.by_role, "store": url, "store_key_file": key_file(folder)}
        killed = threading.Event()
        acknowledged: dict[str, Credential] = {}
        rotations: list[int] = []

        def write(number: int) -> None:
            store, name, left = store_from(options), f"writer{number}", WRITES_AFTERWARDS
            for version in range(1, 10_000):
                each = credential(name, version, password=f"Bench-{version}")
                store.write(each, replaces=version - 1 or None)
                acknowledged[name] = each
                left -= killed.is_set()
                if not left:
                    return

        def rotate() -> None:
            store, left = store_from(options), WRITES_AFTERWARDS
            while left:
                with store.lock("shared"):
                    version = store.read("shared").version
                    store.write(credential("shared", version + 1), replaces=version)
                    rotations.append(version + 1)
                left -= killed.is_set()

        store_from(options).write(credential("shared", 1), replaces=None)
        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        threads += [threading.Thread(target=rotate) for _number in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS_BEFORE)
        leader_of(cluster).kill()
        killed.set()
        started = time.monotonic()
        for thread in threads:
            thread.join(120)
        took = time.monotonic() - started
        store = store_from(options)
        finished = not any(thread.is_alive() for thread in threads)
        expected = {**acknowledged, "shared": credential("shared", 1 + len(rotations))}
        lost = sum(max(0, each.version - _read_version(store, each)) for each in expected.values())
    return {
        "writes_acknowledged_around_leader_kill": sum(each.version for each in expected.values()),
        "writers_stuck_after_leader_kill": 0 if finished and len(acknowledged) == WRITERS else 1,
        "seconds_until_written_again": took,
        "writes_lost_in_leader_kills": lost + (rotations != list(range(2, 2 + len(rotations)))),
    }


def _read_version(store: Store, expected: Credential) -> int:
    found = store.read(expected.name)
    return found.version if found == expected else 0


def leader_of(cluster: OpenBao) -> Node:
    """The node that is active."""
    found = cluster.admin("").sys.read_leader_status()["leader_address"]
    return next(node for node in cluster.nodes if node.url == found)


@contextlib.contextmanager
def resolving(name: str, addresses: tuple[str, ...]) -> Iterator[None]:
    """Have a name stand for several addresses in this process, as a record in the DNS does."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        hosts = addresses if host == name else (host,)
        return [found for each in hosts for found in real(each, port, *args, **kwargs)]

    with mock.patch("socket.getaddrinfo", resolve):
        yield
