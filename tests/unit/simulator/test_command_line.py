# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulated_org import Control

ROOT = Path(__file__).resolve().parents[3]
SEED = """
orgs:
  - name: alpha
    switches: {range_order: reversed}
    trusted_ranges:
      - 192.0.2.0/24
      - {start: 198.51.100.1, end: 198.51.100.9, description: office}
    profiles:
      - {name: Integration, label: Integration User, permissions: [ApiEnabled], login_ip_ranges: [127.0.0.0/8]}
    users:
      - {username: int@alpha.example, password: Alpha-Pass1, profile: Integration User}
"""


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """The server; it says on stderr that it listens, and by then the ready file is there."""
    ready = folder / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.simulated_org", "--folder", folder, "--ready-file", ready, *options],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("simulated org at https://")
        yield json.loads(ready.read_text()), process
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_it_serves_a_seed_until_it_is_told_to_stop(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = tmp_path / f"seed.{suffix}"
    if suffix == "yaml":
        seed.write_text(SEED)
    else:
        seed.write_text(json.dumps({"orgs": [{"name": "alpha"}]}))
    with running(tmp_path, "--seed", str(seed)) as (ready, process):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ready["ca_path"])
        assert ready["pid"] == process.pid
        answer = requests.get(f"{ready['url']}/services/data", timeout=10)
        assert answer.status_code == 200
        control = Control(ready["control_url"], ready["control_token"])
        assert control.orgs() == ["alpha"]
        if suffix == "yaml":
            org = control.org()
            assert [one["description"] for one in org["trusted_ranges"]] == [None, "office"]
            assert org["switches"]["range_order"] == "reversed"
            assert control.user("int@alpha.example")["profile"] == "Integration User"
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert not (tmp_path / "ready.json").exists()


def test_the_ready_file_and_the_key_are_for_their_owner(tmp_path: Path) -> None:
    with running(tmp_path):
        assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
