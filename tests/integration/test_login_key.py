# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module login_key: a key that nobody else can read, never overwritten, and its certificate."""

from __future__ import annotations

import datetime
import re
import stat
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Playbooks
from tests.support.processes import ROOT
from tests.support.tasks import NOBODY
from tests.unit.simulator.apps import key_pair

pytestmark = pytest.mark.ansible


def make(playbook: Playbooks, **changes: Any) -> dict[str, Any]:
    options = {"path": str(playbook.folder / "keys" / "app.pem"), **changes}
    return {"name": "make", "gatehouse.salesforce.login_key": options}


def test_a_new_key_is_private_and_has_its_certificate(playbook: Playbooks) -> None:
    result = playbook([make(playbook, common_name="billing", valid_days=90)]).last
    key_file, certificate_file = (playbook.folder / "keys" / name for name in ("app.pem", "app.crt"))
    assert (result["private_key"], result["certificate"]) == (str(key_file), str(certificate_file))
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in key_file.parent.iterdir()) == ["app.crt", "app.pem"]
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=billing"
    lasts = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=89) < lasts < datetime.timedelta(days=91)
    assert certificate_file.stat().st_size < 4096, "Salesforce takes no larger one"
    assert result["certificate_text"] == certificate_file.read_text()
    assert key_file.read_text() not in playbook([make(playbook)], "-vvvv").output


def test_the_second_run_changes_nothing(playbook: Playbooks) -> None:
    first, second = playbook([make(playbook), make(playbook, common_name="other")])
    assert (first["result"]["changed"], second["result"]["changed"]) == (True, False)
    assert first["result"]["fingerprint"] == second["result"]["fingerprint"]


def test_check_mode_makes_nothing(playbook: Playbooks) -> None:
    result = playbook([make(playbook)], "--check").last
    assert (result["changed"], result["fingerprint"]) == (True, None)
    assert "BEGIN CERTIFICATE" in result["certificate_text"], "so that the org can check an app with it"
    assert not (playbook.folder / "keys").exists()


def test_absent_removes_both_files(playbook: Playbooks) -> None:
    absent = make(playbook, state="absent")
    playbook([make(playbook)])
    folder = playbook.folder / "keys"
    (folder / ".app.pem.0123456789abcdef").write_text("what a run that was killed has left")
    assert playbook([absent], "--check").last["changed"] and len(list(folder.iterdir())) == 3
    assert playbook([absent]).last["changed"] and list(folder.iterdir()) == []
    assert not playbook([absent]).last["changed"]


def test_a_lost_certificate_is_made_again_for_the_same_key(playbook: Playbooks) -> None:
    playbook([make(playbook)])
    key = (playbook.folder / "keys" / "app.pem").read_text()
    (playbook.folder / "keys" / "app.crt").unlink()
    assert playbook([make(playbook)]).last["changed"] is True
    assert (playbook.folder / "keys" / "app.pem").read_text() == key


@pytest.mark.parametrize(
    ("files", "changes", "problem"),
    [
        ({"app.crt": key_pair()[1]}, {}, "path"),
        ({"app.crt": key_pair()[1], "app.pem": key_pair("other")[0]}, {}, "does not belong"),
        ({"app.crt": "Canary", "app.pem": key_pair()[0]}, {}, "certificate"),
        ({"app.pem": "Canary"}, {}, "private_key"),
        ({}, {"common_name": ""}, "common_name"),
        ({}, {"common_name": "x" * 65}, "common_name"),
        ({}, {"valid_days": 0}, "valid_days: must be from 1 to 36500"),
        ({}, {"valid_days": 10**7}, "valid_days: must be from 1 to 36500"),
        ({}, {"path": "/proc/app.pem"}, "path"),
        ({}, {"path": "keys/app.crt"}, "certificate: must be another file than path"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_no_file(
    playbook: Playbooks, files: dict[str, str], changes: dict[str, Any], problem: str
) -> None:
    folder = playbook.folder / "keys"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    result = playbook([make(playbook, **changes)], ok=False).last
    assert problem in result["msg"]
    assert "Canary" not in result["msg"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == files


def test_a_key_that_others_can_read_is_told(playbook: Playbooks) -> None:
    playbook([make(playbook)])
    (playbook.folder / "keys" / "app.pem").chmod(0o644)
    result = playbook([make(playbook)], ok=False).last
    assert "app.pem is open to others (mode 0644)" in result["msg"]


def test_tasks_for_many_hosts_at_once_make_one_key(playbook: Playbooks) -> None:
    play = {"hosts": "all", "gather_facts": False, "tasks": [make(playbook)]}
    results = playbook.run([play], "-i", "a,b,c,d", "--forks", "4")
    assert any(item["result"]["changed"] for item in results)
    assert len({item["result"]["fingerprint"] for item in results}) == 1


def test_a_certificate_that_ends_soon_is_warned_of(playbook: Playbooks) -> None:
    result = playbook([make(playbook, valid_days=5)]).last
    assert "expires at" in result["warnings"][0]


def test_the_tasks_of_the_guide_run(sim: SimulatedOrg, playbook: Playbooks) -> None:
    guide = (ROOT / "docs" / "log-in.md").read_text()
    make_key, store_it = map(yaml.safe_load, re.findall(r"```yaml\n# tasks\n(.*?)```", guide, re.DOTALL))
    user = "billing@acme.example"
    sim.control.add_user(user, "Billing-Pass-1")
    extra: dict[str, Any] = {"billing_consumer_key": "key"}
    extra |= {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")}
    made = playbook(make_key, **extra).last
    sim.control.add_app("key", certificate=made["certificate_text"], approved_users=[user])
    assert playbook(store_it, **extra).last["verification"]["cause"] == "ok"


def test_its_key_logs_in_once_the_certificate_is_uploaded(sim: SimulatedOrg, playbook: Playbooks) -> None:
    made = playbook([make(playbook)]).last
    user = sim.admin.username
    sim.control.add_app("key", certificate=made["certificate_text"], approved_users=[user])
    store = {
        "name": "billing",
        "auth": "jwt_bearer",
        "username": user,
        "consumer_key": "key",
        "private_key": made["private_key"],
    }
    result = playbook([{"gatehouse.salesforce.credential": store}], **NOBODY).last
    assert result["verification"]["result"] == "ok"
    assert result["credential"]["secrets"] == ["private_key"]
