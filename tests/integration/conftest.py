# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays against a simulated org that is fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.format_readers.install import Absent
from tests.simulated_org import SimulatedOrg
from tests.support import dovecot as dovecots
from tests.support.dovecot import Dovecot, dovecot
from tests.support.hosts import Host, managed_hosts
from tests.support.plays import Playbooks

REAL_SERVERS = {"server", "hosts", "openbao_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a mail server, hosts or a key-value server, and plays that need no Ansible."""
    for item in items:
        used = item.fixturenames if isinstance(item, pytest.Function) else ()
        if REAL_SERVERS.intersection(used):
            item.add_marker("servers")
        if "playbook" in used and item.get_closest_marker("ansible") is None:
            item.add_marker("direct")


@pytest.fixture
def sim() -> Iterator[SimulatedOrg]:
    """A simulated org with one administrator, in this process."""
    with SimulatedOrg() as org:
        yield org


@pytest.fixture
def playbook(tmp_path: Path, sim: SimulatedOrg, request: pytest.FixtureRequest) -> Playbooks:
    """Runs tasks as a playbook against the simulated org."""
    engine = request.config.getoption("--engine")
    mark = request.node.get_closest_marker("ansible")
    if mark is not None:
        engine = "process" if mark.kwargs.get("process") else "ansible"
    return Playbooks(tmp_path, sim, engine)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    """A mail server, to which orgs mail tokens."""
    try:
        with dovecot() as started:
            yield started
    except dovecots.Absent as exc:
        pytest.skip(f"{exc}: what reads a real mailbox is NOT TESTED")


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """Three hosts, each with an sshd, an address and a user of its own."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(managed_hosts("web1", "web2", "web3"))
        except Absent as exc:
            pytest.skip(f"no managed hosts ({exc}), so what goes over SSH is NOT TESTED")
        yield made
