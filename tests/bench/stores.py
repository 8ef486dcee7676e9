# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lookup costs in a large store and on a server, and what is lost when a cluster loses its leader."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import timeit
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.support.openbao import MOUNT, NAMESPACE, Node, OpenBao, openbao
from tests.support.processes import COLLECTIONS, ROOT, ansible_environment

if TYPE_CHECKING:
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
        Credential,
    )
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store

FOLDER = ROOT / "build" / "bench-stores"
CLUSTER, ADDRESSES = "bao.test", ("127.0.0.2", "127.0.0.3", "127.0.0.4")
WRITERS, WRITES_AFTERWARDS, SECONDS_BEFORE = 4, 5, 1.0
READS = 200
LOOKUPS = 15


AIMS = {
    "lookup_10000_to_10": "at most 1.2",
    "server_lookup_to_vault_kv2_get": "at most 0.7",
    "writes_lost_in_leader_kills": "0",
}


def measure() -> dict[str, float]:
    """All figures of this page."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    return {**large_folder(), **server_lookup(), **leader_kill(FOLDER / "cluster")}


def credential(name: str, version: int, password: str = "Bench-Password") -> Credential:
    """An invented credential."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
        Credential,
    )

    now = "2026-01-05T08:00:00Z"
    connection = Connection(username=f"{name}@acme.example", password=password, security_token="BenchToken")
    return Credential(name=name, connection=connection, version=version, created=now, updated=now)


def key_file(folder: Path) -> str:
    """A file with a new key."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.keys import generate_key

    return str(generate_key(folder / "key"))


def large_folder() -> dict[str, float]:
    """Opening one record of 10,000 beside one of 10."""
    from tests.support.stores import open_store

    stores = {}
    for count in (10, 10_000):
        folder = FOLDER / f"store{count}"
        store = open_store(str(folder), key_file(FOLDER / f"keys{count}"))
        store.write(credential("one", 1), replaces=None)
        content = (folder / "one.json").read_bytes()
        for number in range(count - 1):
            file = folder / f"other{number}.json"
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


def hashi_vault() -> Path:
    """A folder with the collection community.hashi_vault, out of the package that carries all such collections."""
    folder = ROOT / "build" / "hashi_vault"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER)]
        subprocess.run([*pip, "ansible>=12,<13"], check=True)
        (wheel,) = FOLDER.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            wanted = [name for name in packed.namelist() if "/community/hashi_vault/" in name]
            packed.extractall(folder, wanted)
    return folder


def server_lookup() -> dict[str, float]:
    """A lookup on the server beside one by the collection for such servers: each in a fork that has loaded neither."""
    from tests.support.stores import open_store

    with openbao(FOLDER / "server") as server:
        options = {**server.options, "store_key_file": key_file(FOLDER / "server")}
        open_store(**options).write(credential("one", 1), replaces=None)
        ours = ", ".join(f"{name}='{value}'" for name, value in options.items())
        theirs = {
            "url": server.node.url,
            "token": server.token,
            "namespace": NAMESPACE,
            "engine_mount_point": MOUNT,
            "ca_cert": options["store_ca_path"],
        }
        their = ", ".join(f"{name}='{value}'" for name, value in theirs.items())
        expressions = {
            "none": "'one'",
            "login_password": f"lookup('gatehouse.salesforce.login_password', 'one', {ours})",
            "vault_kv2_get": f"lookup('community.hashi_vault.vault_kv2_get', '{server.path}/one', {their})",
        }
        tasks = [
            {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {expression} | length }}}}"}}
            for _number in range(LOOKUPS)
            for name, expression in expressions.items()
        ]
        (FOLDER / "playbook.json").write_text(
            json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        )
        environment = ansible_environment(
            ANSIBLE_COLLECTIONS_PATH=f"{COLLECTIONS}{os.pathsep}{hashi_vault()}",
            ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"),
            ANSIBLE_CALLBACKS_ENABLED="task_times",
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            TASK_TIMES=str(FOLDER / "times.json"),
        )
        with (FOLDER / "output.txt").open("w") as output:
            subprocess.run(
                ["ansible-playbook", "playbook.json"], cwd=FOLDER, env=environment, stdout=output, check=True
            )
    times: dict[str, list[float]] = defaultdict(list)
    for name, seconds in json.loads((FOLDER / "times.json").read_text()):
        times[name].append(seconds)
    bare, our_time, their_time = (statistics.median(times[name]) for name in expressions)
    return {
        "server_lookup_seconds": our_time - bare,
        "vault_kv2_get_seconds": their_time - bare,
        "server_lookup_to_vault_kv2_get": (our_time - bare) / (their_time - bare),
    }


def leader_kill(folder: Path) -> dict[str, float]:
    """What becomes of acknowledged writes and of rotations under a lock when the leader is killed meanwhile."""
    from tests.support.stores import open_store

    with openbao(folder, *ADDRESSES, name=CLUSTER) as cluster, resolving(CLUSTER, ADDRESSES):
        url = cluster.url.replace(ADDRESSES[0], CLUSTER)
        options = {**cluster.by_role, "store": url, "store_key_file": key_file(folder)}
        killed = threading.Event()
        acknowledged: dict[str, Credential] = {}
        rotations: list[int] = []

        def write(number: int) -> None:
            store, name, left = open_store(**options), f"writer{number}", WRITES_AFTERWARDS
            for version in range(1, 10_000):
                each = credential(name, version, password=f"Bench-{version}")
                store.write(each, replaces=version - 1 or None)
                acknowledged[name] = each
                left -= killed.is_set()
                if not left:
                    return

        def rotate() -> None:
            store, left = open_store(**options), WRITES_AFTERWARDS
            while left:
                with store.lock("shared"):
                    version = store.read("shared").version
                    store.write(credential("shared", version + 1), replaces=version)
                    rotations.append(version + 1)
                left -= killed.is_set()

        open_store(**options).write(credential("shared", 1), replaces=None)
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
        store = open_store(**options)
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
