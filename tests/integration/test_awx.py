# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential type of the guide, given to ansible-runner as AWX gives it, leads a job to the store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from jinja2.nativetypes import NativeEnvironment

from tests.bench.stores import credential
from tests.integration.test_examples import blocks
from tests.support.openbao import OpenBao
from tests.support.processes import ROOT, ansible_environment
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible(process=True), pytest.mark.every_core]

GUIDE = ROOT / "docs" / "awx.md"
FOUND = "found={{ lookup('gatehouse.salesforce.credential', 'billing').username }}"


def block(start: str) -> dict[str, Any]:
    """The block of the guide that begins so."""
    (text,) = (each for each in blocks(GUIDE, "yaml") if each.startswith(start))
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def run_job(folder: Path, inputs: dict[str, str]) -> str:
    """What a job printed: its files and variables are those that the injectors make of the inputs."""
    injectors = block("file:")
    names = {name.removeprefix("template."): str(folder / "env" / name) for name in injectors["file"]}
    known = {field["id"]: "" for field in block("fields:")["fields"]}
    jinja = NativeEnvironment()  # noqa: S701 - no page is made of it
    values = {**known, **inputs, "tower": {"filename": names}}
    for part in ("env", "project", "inventory"):
        (folder / part).mkdir(parents=True)
    for name, template in injectors["file"].items():
        file = folder / "env" / name
        file.touch(mode=0o600)
        file.write_text(str(jinja.from_string(template).render(values)))
    variables = {name: jinja.from_string(template).render(values) for name, template in injectors["env"].items()}
    (folder / "env" / "envvars").write_text(json.dumps({name: str(value) for name, value in variables.items()}))
    (folder / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    task = {"ansible.builtin.debug": {"msg": FOUND}}
    (folder / "project" / "job.yml").write_text(
        json.dumps(
            [{"hosts": "all", "gather_facts": False, "tasks": [task, {"gatehouse.salesforce.credential_info": {}}]}]
        )
    )
    done = subprocess.run(
        ["ansible-runner", "run", str(folder), "--playbook", "job.yml"],
        env=ansible_environment(XDG_CACHE_HOME=str(folder / "cache")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_job_reads_from_the_server(tmp_path: Path, bao: OpenBao) -> None:
    key = Fernet.generate_key().decode()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key)
    open_store(**{**bao.by_role, "store_key_file": str(file)}).write(credential("billing", 1), replaces=None)
    options = bao.by_role
    inputs = {
        "store": options["store"],
        "role_id": options["store_role_id"],
        "secret_id": options["store_secret_id"],
        "namespace": options["store_namespace"],
        "ca": Path(options["store_ca_path"]).read_text(),
        "key": key,
    }
    output = run_job(tmp_path / "job", inputs)
    assert "found=billing@acme.example" in output
    assert options["store_secret_id"] not in output and key not in output


def test_a_job_reads_from_a_folder_that_is_mounted(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key)
    options = {"store": str(tmp_path / "store"), "store_key_file": str(file)}
    open_store(**options).write(credential("billing", 1), replaces=None)
    assert "found=billing@acme.example" in run_job(tmp_path / "job", {"store": options["store"], "key": key})


def test_secret_inputs_are_marked_and_every_input_is_injected() -> None:
    fields = {field["id"]: field for field in block("fields:")["fields"]}
    assert {name for name, field in fields.items() if field.get("secret")} == {"secret_id", "key"}
    injected = json.dumps(block("file:"))
    assert all(name in injected for name in fields)


def test_the_execution_environment_installs_what_a_controller_needs() -> None:
    meta = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text())
    assert (ROOT / meta["dependencies"]["python"]).is_file()
