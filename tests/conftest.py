# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unittest import mock

import pytest

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what tells a quick run from a full one."""
    parser.addoption("--engine", choices=["ansible", "direct"], default="ansible", help="what runs plays")
    parser.addoption("--thorough", action="store_true", help="kill four times as many rotations and writes")


def pytest_configure() -> None:
    """Make the collection importable under its real name, whatever folder it was cloned into."""
    from tests.support.collection import enable_collection_imports

    enable_collection_imports()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat what is tested at random, from other seeds in each repetition."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(4 if metafunc.config.getoption("--thorough") else 1))


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the runs of a user share out of the home of the one who tests."""
    with mock.patch.dict(os.environ, XDG_STATE_HOME=str(tmp_path_factory.mktemp("state"))):
        yield


@pytest.fixture(scope="session")
def openbao_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A real OpenBao, started when the first test needs it."""
    from tests.support.openbao import openbao

    with openbao(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def bao(openbao_server: OpenBao, request: pytest.FixtureRequest) -> OpenBao:
    """The server with a path that is this test's alone."""
    import dataclasses
    import secrets

    return dataclasses.replace(openbao_server, path=f"test-{secrets.token_hex(4)}")
