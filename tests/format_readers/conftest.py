# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers: installed when a test first wants one, and running until the last test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.format_readers import install
from tests.format_readers.process import Process
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org

__all__ = ["simulated_org"]

HERE = Path(__file__).parent
START = Callable[[str, str], Process]
COMMANDS: dict[str, Callable[[], tuple[list[str | Path], dict[str, str]]]] = {
    "jdk": lambda: ([*install.java("JdkReader")], {}),
    "ant": lambda: ([*install.java("AntReader", *install.ANT)], {}),
    "spring": lambda: ([*install.java("SpringReader", *install.SPRING)], {}),
    "commons": lambda: ([*install.java("CommonsReader", *install.COMMONS)], {}),
    "yaml": lambda: ([*install.java("YamlReader", "libyaml-snake-java")], {}),
    "node": lambda: (["node", HERE / "node" / "reader.cjs", install.node()], {}),
    "dotnet": lambda: install.dotnet("ConnectionString"),
    "python": lambda: ([install.python(), HERE / "python" / "reader.py"], {}),
}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "readers: reads what formats write with programs that must be installed first")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("readers")


@pytest.fixture(scope="session")
def simulated_org_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedOrg]:
    """A server whose org has a host of its own beside the login host, as flows without a user need."""
    with SimulatedOrg(folder=tmp_path_factory.mktemp("org"), addresses=("127.0.0.1", "127.0.0.2")) as sim:
        yield sim


@pytest.fixture(scope="session")
def reader(simulated_org_server: SimulatedOrg) -> Iterator[Callable[[str], Process]]:
    """Gives a running reader by name; skips the test where it cannot be installed."""
    running: dict[str, Process] = {}
    ca = simulated_org_server.ca_path
    with ExitStack() as stack:

        def start(name: str) -> Process:
            if name not in running:
                try:
                    command, environment = COMMANDS[name]()
                except install.Absent as exc:
                    pytest.skip(f"reader {name}: {exc}")
                trust = {"NODE_EXTRA_CA_CERTS": ca, "REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca}
                running[name] = stack.enter_context(Process(command, **trust, **environment))
            return running[name]

        yield start
