# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest fixtures: one server for the whole run, wiped for every test.

A conftest or a test module imports `simulated_org_server` and `simulated_org` from here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .org import SimulatedOrg


@pytest.fixture(scope="session")
def simulated_org_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedOrg]:
    """A running server; tests use `simulated_org`."""
    with SimulatedOrg(folder=tmp_path_factory.mktemp("simulated_org")) as sim:
        yield sim


@pytest.fixture
def simulated_org(simulated_org_server: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> SimulatedOrg:
    """The server with its default seed, trusted by whatever uses `requests` (the environment may name another CA)."""
    simulated_org_server.commands.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulated_org_server.ca_path)
    monkeypatch.setenv("SSL_CERT_FILE", simulated_org_server.ca_path)
    return simulated_org_server
