# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests start does not get in each other's way."""

from __future__ import annotations

import socket

import pytest

from tests.support import processes
from tests.support.processes import SERVER_PORTS, free_port


def test_no_two_servers_of_a_test_are_given_one_port() -> None:
    ports = [free_port() for _unused in range(1000)]
    assert len(set(ports)) == 1000


def test_a_connection_cannot_take_the_port_of_a_server_before_it_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert connection.getsockname()[1] not in SERVER_PORTS


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        used = server.getsockname()[1]
        monkeypatch.setattr(processes, "SERVER_PORTS", [used, *range(used + 1, used + 200)])
        monkeypatch.setattr(processes, "_given", set())
        assert used not in {free_port() for _unused in range(100)}
