# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of orgs: from the store and from the Salesforce CLI's files, by Ansible's own inventory manager."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin

from ansible_collections.gatehouse.salesforce.plugins.inventory.orgs import EXAMPLES, InventoryModule
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.orgs import is_sandbox
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.keys import generate_key
from tests.support.openbao import OpenBao
from tests.support.processes import ansible_environment
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

NOW = "2026-01-05T08:00:00Z"
ACME, UAT = "https://acme.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"
STORED = {
    "acme-admin": Connection(username="admin@acme.example", password="CANARY1", login_url=ACME),
    "acme-billing": Connection(
        auth="jwt_bearer",
        username="billing@acme.example",
        consumer_key="key",
        private_key="CANARY2",
        login_url=ACME,
    ),
    "uat-admin": Connection(username="{{ 7 * 6 }}@acme.example", password="CANARY3", login_url=UAT),
    "globex": Connection(username="admin@globex.example", password="CANARY4"),
}
AUTH_FILES = {
    "admin@acme.example": {
        "username": "admin@acme.example",
        "orgId": "00D000000000001AAA",
        "instanceUrl": ACME,
        "loginUrl": "https://login.salesforce.com",
        "accessToken": "CANARY5",
        "refreshToken": "CANARY6",
        "clientId": "PlatformCLI",
        "isDevHub": True,
    },
    "ci@acme.example.uat": {
        "username": "ci@acme.example.uat",
        "orgId": "00D000000000002AAA",
        "instanceUrl": UAT,
        "loginUrl": "https://test.salesforce.com",
        "accessToken": "CANARY7",
        "clientId": "3MVG9",
        "privateKey": "/home/ci/server.key",
    },
    "test-x1@example.com": {
        "username": "test-x1@example.com",
        "orgId": "00D000000000003AAA",
        "instanceUrl": "https://velocity-fun-1234-dev-ed.scratch.my.salesforce.com",
        "loginUrl": "https://test.salesforce.com",
        "accessToken": "CANARY8",
        "isScratch": True,
        "expirationDate": "2026-12-24",
    },
}
ALIASES = {"orgs": {"prod": "admin@acme.example", "main": "admin@acme.example", "{{ 1 }}": "ci@acme.example.uat"}}


def fill(store: Store) -> None:
    for name, connection in STORED.items():
        store.write(Credential(name=name, connection=connection, version=1, created=NOW, updated=NOW), replaces=None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder store that holds STORED, whose key is gone."""
    folder = tmp_path_factory.mktemp("store")
    key = generate_key(folder / "key")
    fill(open_store(str(folder / "records"), str(key)))
    key.unlink()
    return folder / "records"


@pytest.fixture
def cli_folder(tmp_path: Path) -> Path:
    """What the CLI keeps of three logins, its other files included."""
    folder = tmp_path / "cli"
    folder.mkdir()
    for name, content in {**AUTH_FILES, "alias": ALIASES, "key": {"key": "CANARY9"}}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "00D000000000001AAA.json").write_text('{"usernames": ["admin@acme.example"]}')
    return folder


def source(folder: Path, **options: Any) -> Path:
    file = folder / "salesforce.orgs.yml"
    file.write_text(yaml.safe_dump({"plugin": "gatehouse.salesforce.orgs", **options}))
    return file


def inventory(folder: Path, **options: Any) -> InventoryManager:
    loader = DataLoader()
    loader.set_basedir(str(folder))
    return InventoryManager(loader, sources=[str(source(folder, **options))])


def members(read: InventoryManager) -> dict[str, list[str]]:
    """The hosts of each group of this plugin and of its options."""
    groups = read.get_groups_dict()
    return {name: sorted(hosts) for name, hosts in groups.items() if name not in ("all", "ungrouped")}


def test_each_org_of_the_store_is_a_host_in_the_groups_that_fit_it(store: Path, tmp_path: Path) -> None:
    read = inventory(tmp_path, store=str(store))
    assert members(read) == {
        "salesforce_orgs": ["acme", "acme--uat", "globex"],
        "salesforce_production": ["acme", "globex"],
        "salesforce_sandbox": ["acme--uat"],
        "salesforce_auth_security_token": ["acme", "acme--uat", "globex"],
        "salesforce_auth_jwt_bearer": ["acme"],
        "salesforce_ending": ["acme", "acme--uat", "globex"],
        "salesforce_ending_soap_login": ["acme", "acme--uat", "globex"],
        "salesforce_ending_use_any_api_auth": ["acme", "acme--uat", "globex"],
    }
    variables = read.get_host("acme").get_vars()
    assert variables["gatehouse_salesforce_login_url"] == ACME
    assert variables["salesforce_sandbox"] is False
    admin, billing = variables["salesforce_logins"]
    assert (admin["name"], admin["username"]) == ("acme-admin", "admin@acme.example")
    assert [end["what"] for end in admin["ends"]] == ["use_any_api_auth", "soap_login"]
    assert (billing["auth"], billing["ends"]) == ("jwt_bearer", [])


def test_no_secret_and_no_template_becomes_a_variable(store: Path, cli_folder: Path, tmp_path: Path) -> None:
    for options in ({"store": str(store)}, {"cli_folder": str(cli_folder)}):
        source(tmp_path, **options)
        command = ["ansible-inventory", "-i", "salesforce.orgs.yml", "--list", "--export"]
        environment = ansible_environment(ANSIBLE_HOME=str(tmp_path / "home"))
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert "CANARY" not in done.stdout + done.stderr
        listed = json.loads(done.stdout)["_meta"]["hostvars"]["acme--uat"]["salesforce_logins"][0]
        assert "{{" in str(listed["username"] if "store" in options else listed["aliases"])


def test_hostname_says_which_logins_are_of_one_org(store: Path, tmp_path: Path) -> None:
    compose = {"gatehouse_salesforce_credential": "inventory_hostname ~ '-admin'"}
    read = inventory(tmp_path, store=str(store), hostname="name.split('-')[0]", compose=compose)
    assert members(read)["salesforce_orgs"] == ["acme", "globex", "uat"]
    assert read.get_host("acme").get_vars()["gatehouse_salesforce_credential"] == "acme-admin"


def test_an_org_whose_users_log_in_at_different_addresses_has_no_login_url(store: Path, tmp_path: Path) -> None:
    variables = inventory(tmp_path, store=str(store), hostname="'all-of-them'").get_host("all-of-them").get_vars()
    assert "gatehouse_salesforce_login_url" not in variables
    assert variables["salesforce_sandbox"] is None


@pytest.mark.parametrize("hostname", ["name.nothing.at_all", "1", "''"])
def test_a_hostname_that_is_no_text_is_an_error(
    store: Path, tmp_path: Path, hostname: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AnsibleError, match="hostname: "):
        parse(source(tmp_path, store=str(store), hostname=hostname), monkeypatch)


def parse(file: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parse a file by the plugin itself, whose errors the manager makes warnings of; gives its warnings."""
    from ansible.inventory.data import InventoryData
    from ansible.plugins.loader import inventory_loader

    warnings: list[str] = []
    plugin = inventory_loader.get("gatehouse.salesforce.orgs")
    monkeypatch.setattr(plugin.display, "warning", lambda text, *_a, **_k: warnings.append(text))
    plugin.parse(InventoryData(), DataLoader(), str(file))
    return warnings


def test_a_damaged_credential_is_left_out_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(open_store(str(tmp_path / "records"), str(generate_key(tmp_path / "key"))))
    damaged = next((tmp_path / "records").glob("globex*"))
    damaged.write_text("{CANARY")
    (warning,) = parse(source(tmp_path, store=str(tmp_path / "records")), monkeypatch)
    assert damaged.name in warning and "CANARY" not in warning


def test_logins_of_the_cli_are_named_by_the_org_and_its_aliases(cli_folder: Path, tmp_path: Path) -> None:
    keyed = [{"key": "salesforce_logins | map(attribute='aliases') | flatten", "prefix": "alias"}]
    read = inventory(tmp_path, cli_folder=str(cli_folder), keyed_groups=keyed)
    groups = members(read)
    scratch = "velocity-fun-1234-dev-ed"
    assert groups["salesforce_orgs"] == ["acme", "acme--uat", scratch]
    assert groups["salesforce_production"] == groups["alias_main"] == groups["alias_prod"] == ["acme"]
    assert groups["salesforce_sandbox"] == ["acme--uat", scratch]
    assert groups["salesforce_auth_jwt_bearer"] == ["acme--uat"]
    assert groups["salesforce_auth_refresh_token"] == ["acme"]
    assert groups["salesforce_auth_session"] == [scratch]
    variables = read.get_host(scratch).get_vars()
    assert variables["salesforce_org_id"] == "00D000000000003AAA"
    assert variables["salesforce_logins"][0]["expires"] == "2026-12-24"


@pytest.mark.parametrize("content", ["{CANARY", '["CANARY"]', '{"CANARY": 1}', '{"username": {"CANARY": 1}}'])
@pytest.mark.parametrize("name", ["alias.json", "admin@acme.example.json"])
def test_a_damaged_file_of_the_cli_is_named_and_left_out(
    cli_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    (cli_folder / name).write_text(content)
    (warning,) = parse(source(tmp_path, cli_folder=str(cli_folder)), monkeypatch)
    assert name in warning and "CANARY" not in warning


def test_a_folder_of_the_cli_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleError, match="cli_folder: .* cannot be read: No such file"):
        parse(source(tmp_path, cli_folder=str(tmp_path / "none")), monkeypatch)


def test_the_cache_serves_until_it_is_refreshed(cli_folder: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "cli_folder": str(cli_folder),
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    assert len(inventory(tmp_path, **options).get_hosts()) == 3
    (cli_folder / "admin@acme.example.json").unlink()
    read = inventory(tmp_path, **options)
    assert len(read.get_hosts()) == 3
    assert "CANARY" not in "".join(file.read_text() for file in (tmp_path / "cache").iterdir())
    read.refresh_inventory()
    assert len(read.get_hosts()) == 2


def test_a_store_on_a_server_is_read_without_a_key(bao: OpenBao, tmp_path: Path) -> None:
    fill(open_store(**bao.options, store_key_file=str(generate_key(tmp_path / "key"))))
    read = inventory(tmp_path, **bao.options)
    assert members(read)["salesforce_orgs"] == ["acme", "acme--uat", "globex"]
    assert bao.token not in str([host.get_vars() for host in read.get_hosts()])


@pytest.mark.parametrize(
    ("name", "taken"),
    [("acme.orgs.yml", True), ("orgs.yaml", True), ("acme-orgs.yml", False), ("orgs.json", False)],
)
def test_the_name_of_the_file_says_that_it_is_an_inventory_of_orgs(tmp_path: Path, name: str, taken: bool) -> None:
    (tmp_path / name).touch()
    assert InventoryModule().verify_file(str(tmp_path / name)) is taken
    assert issubclass(InventoryModule, BaseInventoryPlugin)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://login.salesforce.com", False),
        ("https://test.salesforce.com", True),
        ("https://ACME.my.salesforce.com", False),
        ("https://acme-dev-ed.develop.my.salesforce.com", False),
        ("https://acme--uat.my.salesforce.com", True),
        ("https://acme--uat.sandbox.my.salesforce.com", True),
        ("https://na139.salesforce.com", None),
        ("https://salesforce.acme.example", None),
        ("https://[", None),
    ],
)
def test_the_address_says_whether_it_is_a_sandbox(url: str, found: bool | None) -> None:
    assert is_sandbox({"instance_url": None, "login_url": url}) is found


def test_every_example_is_an_inventory(
    store: Path, cli_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_STORE", str(store))
    for example in yaml.safe_load_all(EXAMPLES):
        here = {"cli_folder": str(cli_folder), "cache_connection": str(tmp_path / "cache")}
        options = {**example, **{name: value for name, value in here.items() if name in example}}
        assert inventory(tmp_path, **options).get_hosts("salesforce_orgs")
