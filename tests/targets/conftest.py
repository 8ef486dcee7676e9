# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store of credentials, and the services that get them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.format_readers.install import packages
from tests.simulated_org import SimulatedOrg, ca
from tests.support.plays import Playbooks
from tests.support.processes import ROOT
from tests.targets.aws import Aws
from tests.targets.google_secret_manager import HOST, GoogleSecretManager
from tests.targets.key_vault import LOGIN, VAULT, KeyVault
from tests.targets.kubernetes_api import KubernetesApi
from tests.targets.service import Service, proxy, serve

if TYPE_CHECKING:
    from tests.targets.deliveries import Deliveries

REQUIREMENTS = ROOT / "tests" / "requirements-targets.txt"


@pytest.fixture(scope="session")
def libraries() -> Path:
    """The folder of what the modules need, where these tests find it too."""
    folder = packages(Path(sys.executable), REQUIREMENTS)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return folder


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> ca.Certificates:
    """Those of all services."""
    return ca.create(tmp_path_factory.mktemp("tls"), [HOST, VAULT, LOGIN])


@pytest.fixture
def kubernetes(libraries: Path, certificates: ca.Certificates) -> Iterator[KubernetesApi]:
    api = KubernetesApi(libraries / "kubernetes_validate" / "kubernetes-json-schema")
    with serve(api, certificates):
        yield api


@pytest.fixture
def aws(tmp_path: Path, libraries: Path) -> Iterator[Aws]:
    server = Aws(tmp_path, libraries)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def google(certificates: ca.Certificates) -> Iterator[GoogleSecretManager]:
    api = GoogleSecretManager()
    with serve(api, certificates):
        yield api


@pytest.fixture
def vault(certificates: ca.Certificates) -> Iterator[KeyVault]:
    api = KeyVault()
    with serve(api, certificates):
        yield api


@pytest.fixture
def deliver(
    tmp_path: Path, libraries: Path, certificates: ca.Certificates, request: pytest.FixtureRequest
) -> Iterator[Deliveries]:
    """Deliver the credential, version 1 of which is stored."""
    from tests.targets.deliveries import Deliveries

    hosts: dict[str, Service] = {}
    if "google" in request.fixturenames:
        hosts[HOST] = request.getfixturevalue("google")
    paths = [str(libraries)]
    if "vault" in request.fixturenames:
        hosts[VAULT] = hosts[LOGIN] = request.getfixturevalue("vault")
        paths.append(str(Path(__file__).parent / "azure_libraries"))
    with SimulatedOrg() as sim, proxy(hosts) as address:
        environment = {
            "HTTPS_PROXY": address,
            "NO_PROXY": "localhost,127.0.0.1",
            "PYTHONPATH": os.pathsep.join(paths),
            "REQUESTS_CA_BUNDLE": str(certificates.ca),
            # Where the modules keep what they have read of an API between two tasks.
            "TMPDIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        deliveries = Deliveries(Playbooks(tmp_path, sim, "process"), environment)
        deliveries.put(1)
        yield deliveries
