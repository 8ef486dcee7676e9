# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving from a folder to a server and back, and replacing keys, by playbooks."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import store_copy
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.progress import Progress
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from tests.bench.stores import credential
from tests.support.openbao import OpenBao
from tests.support.plays import Playbooks
from tests.support.processes import ROOT, ansible_environment
from tests.support.stores import open_store
from tests.support.tasks import NOBODY, seen, use
from tests.unit.test_stores import delivery

pytestmark = pytest.mark.ansible

COPY = ROOT / "playbooks" / "copy_store.yml"


@pytest.fixture
def source(playbook: Playbooks) -> dict[str, Any]:
    """The options of a folder with two credentials, one of three versions."""
    options = {"store": str(playbook.folder / "store"), "store_key_file": str(playbook.key_file)}
    store = open_store(**options)
    for version in (1, 2, 3):
        store.write(credential("billing", version, f"Pass-{version}"), replaces=version - 1 or None)
    store.write(credential("shipping", 1), replaces=None)
    return options


def key(playbook: Playbooks, name: str) -> str:
    """A file with another key."""
    file = playbook.folder / name
    file.touch(mode=0o600)
    file.write_bytes(Fernet.generate_key())
    return str(file)


def test_all_versions_move_to_a_server_and_back(playbook: Playbooks, source: dict[str, Any], bao: OpenBao) -> None:
    server = {**bao.by_role, "store_key_file": key(playbook, "server.key")}
    back = {"store": str(playbook.folder / "back"), "store_key_file": key(playbook, "back.key")}

    predicted = playbook.run(COPY, "--check", copy_target=server, **NOBODY).of("Copy")
    assert (predicted["copied"], predicted["equal"]) == (["billing", "shipping"], [])
    first = playbook.run(COPY, "-vvvvv", copy_target=server, **NOBODY)
    assert bao.secret_id not in first.output
    assert first.of("Copy")["equal"] == ["billing", "shipping"]
    assert first.of("Copy")["changed"] is True
    assert playbook.run(COPY, copy_target=server, **NOBODY).of("Copy")["changed"] is False

    there = {f"gatehouse_salesforce_{name}": value for name, value in server.items()}
    playbook.run(COPY, copy_target=back, **{**NOBODY, **there})
    for name in ("billing", "shipping"):
        assert open_store(**back).history(name) == open_store(**source).history(name)
    assert len(open_store(**back).history("billing")) == 3


def test_what_was_written_meanwhile_follows_and_another_credential_is_not_overwritten(
    playbook: Playbooks, source: dict[str, Any]
) -> None:
    target = {"store": str(playbook.folder / "other"), "store_key_file": key(playbook, "other.key")}
    playbook.run(COPY, copy_target=target, **NOBODY)
    open_store(**source).write(credential("billing", 4), replaces=3)
    assert playbook.run(COPY, copy_target=target, **NOBODY).of("Copy")["copied"] == ["billing"]
    assert len(open_store(**target).history("billing")) == 4

    open_store(**target).write(credential("billing", 5, "Other-Password"), replaces=4)
    result = playbook.run(COPY, ok=False, copy_target=target, **NOBODY)
    assert "'billing' is another one in the target" in result.last["msg"]
    assert "Other-Password" not in result.output
    assert open_store(**target).read("billing").version == 5


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"store_key_file": "/nonexistent/key"}, "target.store_key_file: /nonexistent/key does not exist"),
        ({"store": "http://vault.example/v1/secret/x"}, "target.store: must start with https://"),
    ],
)
def test_which_of_the_two_stores_cannot_be_used_is_told(
    playbook: Playbooks, source: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    target = {"store": str(playbook.folder / "other"), "store_key_file": str(playbook.key_file), **changes}
    assert playbook.run(COPY, ok=False, copy_target=target, **NOBODY).last["msg"].startswith(problem)


def test_without_a_target_the_variable_is_named(playbook: Playbooks) -> None:
    results = playbook.run(COPY, ok=False, **NOBODY)
    assert "missing required arguments: copy_target" in results.output


def test_a_copy_that_breaks_off_tells_that_it_changed_something(
    playbook: Playbooks, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = {"store": str(playbook.folder / "other"), "store_key_file": str(playbook.key_file)}
    write = Store.write

    def at_last_no_more(store: Store, credential: Credential, *, replaces: int | None) -> None:
        if credential.version == 3:
            raise StoreError("no space left")
        write(store, credential, replaces=replaces)

    monkeypatch.setattr(Store, "write", at_last_no_more)
    with pytest.raises(StoreError) as caught:
        options = {**source, "names": None, "target": target}
        store_copy.run(options, Task.read(options, check_mode=False, folder=playbook.folder))
    assert caught.value.result == {"copied": [], "changed": True}


def test_a_copy_that_takes_longer_shows_how_far_it_is(
    playbook: Playbooks, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_copy, "PROGRESS_SECONDS", 0.0)
    options = {**source, "names": None, "target": {**source, "store": str(playbook.folder / "other")}}
    shown: list[str] = []
    store_copy.run(
        options, Task.read(options, check_mode=False, folder=playbook.folder, progress=Progress(stage=shown.append))
    )
    assert shown == [f"{number} of 2 credentials are copied or equal after 0 s" for number in (0, 1)]


def test_who_holds_a_credential_is_copied_and_later_news_follow(playbook: Playbooks, source: dict[str, Any]) -> None:
    target = {"store": str(playbook.folder / "other"), "store_key_file": key(playbook, "other.key")}
    open_store(**source).record_deliveries("billing", {"web1:/a": delivery(2)})
    assert playbook.run(COPY, copy_target=target, **NOBODY).of("Copy")["copied"] == ["billing", "shipping"]
    assert open_store(**target).deliveries("billing") == {"web1:/a": delivery(2)}
    open_store(**source).record_deliveries("billing", {"web2:/a": delivery(3)})
    assert playbook.run(COPY, "--check", copy_target=target, **NOBODY).of("Copy")["copied"] == ["billing"]
    assert list(open_store(**target).deliveries("billing")) == ["web1:/a"]
    assert playbook.run(COPY, copy_target=target, **NOBODY).of("Copy")["copied"] == ["billing"]
    assert open_store(**target).deliveries("billing") == open_store(**source).deliveries("billing")
    assert playbook.run(COPY, copy_target=target, **NOBODY).of("Copy")["changed"] is False


def test_a_key_encrypted_by_ansible_vault_opens_the_store_and_a_wrong_password_is_told(
    playbook: Playbooks, source: dict[str, Any]
) -> None:
    password = playbook.folder / "vault.password"
    password.write_text("Vault-Password")
    env = {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
    subprocess.run(
        ["ansible-vault", "encrypt", source["store_key_file"]],
        env=ansible_environment(**env),
        capture_output=True,
        check=True,
    )
    playbook.key_file.chmod(0o644)
    expression = "lookup('gatehouse.salesforce.login_password', 'billing', token='omit')"
    listed: dict[str, Any] = {"name": "keys", "gatehouse.salesforce.store_key": {}}
    # The stored credential is of an org that this play does not name.
    found = playbook([use(expression), listed], env=env, gatehouse_salesforce_login_url=None, **NOBODY)
    assert seen(found) == "Pass-3"
    assert found.last["changed"] is False
    password.write_text("Wrong-Password")
    told = "is encrypted by Ansible Vault; none of its passwords opens it"
    assert told in playbook([listed], ok=False, env=env, **NOBODY).last["msg"]
    assert told in playbook([listed], ok=False, **NOBODY).last["msg"]


def test_a_key_is_replaced_by_a_play(playbook: Playbooks, source: dict[str, Any]) -> None:
    old = playbook.key_file.read_bytes()
    result = playbook([{"gatehouse.salesforce.store_key": {"state": "rotated"}}], **NOBODY)
    assert result.last["resealed"] == ["billing", "shipping"]
    assert playbook.key_file.read_bytes().strip() != old.strip()
    assert open_store(**source).read("billing") == credential("billing", 3, "Pass-3")
    assert old.decode().strip() not in result.output
