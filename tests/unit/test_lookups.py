# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks get from the store: by the plugins' own loader, and by the examples of their documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError, AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, lookup_loader
from ansible.template import Templar, trust_as_template

from ansible_collections.gatehouse.salesforce.plugins.filter import app_config as filter_module
from ansible_collections.gatehouse.salesforce.plugins.lookup import credential as credential_module
from ansible_collections.gatehouse.salesforce.plugins.lookup import login_password as login_password_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import masking
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import to_dict
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.keys import generate_key
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

NOW = "2026-01-05T08:00:00Z"
STORED = {
    "production-integration": Connection(username="p@example.com", password="CANARY{{ 1 }}", security_token="TOKEN1"),
    "sandbox-integration": Connection(
        username="s@example.com", password="CANARY2", login_url="https://test.salesforce.com"
    ),
    "app": Connection(auth="client_credentials", consumer_key="key", consumer_secret="CANARY3"),
}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The options of a store that holds STORED."""
    folder = tmp_path_factory.mktemp("store")
    key = str(generate_key(folder / "key"))
    store = open_store(str(folder / "records"), key)
    for name, connection in STORED.items():
        store.write(Credential(name=name, connection=connection, version=1, created=NOW, updated=NOW), replaces=None)
    return {"store": str(folder / "records"), "store_key_file": key}


def run_lookup(plugin: str, *terms: Any, variables: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    """Run a lookup, loaded as Ansible does."""
    loader = DataLoader()
    templar = Templar(loader=loader, variables=variables or {})
    lookup = lookup_loader.get(f"gatehouse.salesforce.{plugin}", loader=loader, templar=templar)
    found: list[Any] = lookup.run(list(terms), variables or {}, **options)
    return found


def test_a_login_password_is_password_and_token_in_one(options: dict[str, Any]) -> None:
    names = ("sandbox-integration", "production-integration")
    assert run_lookup("login_password", *names, **options) == ["CANARY2", "CANARY{{ 1 }}TOKEN1"]
    assert run_lookup("login_password", *names, token="omit", **options) == ["CANARY2", "CANARY{{ 1 }}"]


def test_a_credential_is_a_dictionary(options: dict[str, Any]) -> None:
    (found,) = run_lookup("credential", "production-integration", **options)
    assert found["login_password"] == "CANARY{{ 1 }}TOKEN1"
    assert (found["name"], found["username"], found["version"]) == ("production-integration", "p@example.com", 1)


@pytest.mark.parametrize("plugin", ["login_password", "credential"])
def test_no_names_give_an_empty_list(options: dict[str, Any], plugin: str) -> None:
    assert run_lookup(plugin, **options) == []


def test_a_flow_without_a_password_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(AnsibleLookupError, match="'app' has no password: it logs in by client_credentials"):
        run_lookup("login_password", "app", **options)


@pytest.mark.parametrize("plugin", ["login_password", "credential"])
def test_a_missing_name_is_an_error_a_warning_or_nothing(
    options: dict[str, Any], plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    for module in (credential_module, login_password_module):
        monkeypatch.setattr(module.display, "warning", warnings.append)
    with pytest.raises(AnsibleLookupError, match="no credential 'no' in the store"):
        run_lookup(plugin, "no", "sandbox-integration", **options)
    assert len(run_lookup(plugin, "no", "sandbox-integration", on_missing="skip", **options)) == 1
    assert warnings == []
    assert len(run_lookup(plugin, "no", "sandbox-integration", on_missing="warn", **options)) == 1
    assert len(warnings) == 1
    assert "'no'" in warnings[0]


@pytest.mark.parametrize("plugin", ["login_password", "credential"])
@pytest.mark.parametrize(
    ("terms", "changed", "problem"),
    [
        (["../key"], {}, "name: '../key' is not a name"),
        ([["production-integration"]], {}, "name: "),
        (["production-integration"], {"store": "https://vault:8200/v1/kv"}, "store: a server is named as https://HOST"),
        (["production-integration"], {"store_key_file": "/no/such"}, "store_key_file: /no/such does not exist"),
    ],
)
def test_what_cannot_be_read_is_told_without_a_secret(
    options: dict[str, Any], plugin: str, terms: list[Any], changed: dict[str, str], problem: str
) -> None:
    with pytest.raises(AnsibleLookupError) as caught:
        run_lookup(plugin, *terms, **{**options, **changed})
    assert problem in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("plugin", ["login_password", "credential", "access_token"])
def test_a_credential_of_another_org_than_the_hosts_is_an_error_that_names_both(
    options: dict[str, Any], plugin: str
) -> None:
    variables = {"gatehouse_salesforce_login_url": "https://acme.my.salesforce.com"}
    with pytest.raises(AnsibleLookupError) as caught:
        run_lookup(plugin, "sandbox-integration", variables=variables, **options)
    assert "https://acme.my.salesforce.com" in str(caught.value)
    assert "'sandbox-integration' logs in at https://test.salesforce.com" in str(caught.value)
    if plugin != "access_token":  # which would log in
        assert run_lookup(plugin, "sandbox-integration", variables=variables, login_url="", **options)
        same = {"gatehouse_salesforce_login_url": "https://test.salesforce.com/"}
        assert run_lookup(plugin, "sandbox-integration", variables=same, **options)


@pytest.mark.parametrize("plugin", ["login_password", "credential"])
def test_the_store_is_found_by_variables_and_by_environment(
    options: dict[str, Any], plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {f"gatehouse_salesforce_{name}": value for name, value in options.items()}
    assert run_lookup(plugin, "sandbox-integration", variables=variables)
    for name, value in options.items():
        monkeypatch.setenv(f"GATEHOUSE_{name.upper()}", value)
    assert run_lookup(plugin, "sandbox-integration")


@pytest.mark.parametrize("plugin", ["login_password", "credential", "access_token"])
def test_a_variable_that_sets_an_option_may_be_a_template(options: dict[str, Any], plugin: str) -> None:
    variables = {
        "folder": str(Path(options["store_key_file"]).parent),
        "gatehouse_salesforce_store": trust_as_template("{{ folder }}/records"),
        "gatehouse_salesforce_store_key_file": trust_as_template("{{ folder }}/key"),
    }
    assert run_lookup(plugin, "no", on_missing="skip", variables=variables) == []


def test_ansible_masks_the_secrets_of_a_lookup_unless_they_are_too_short(options: dict[str, Any]) -> None:
    secrets = pytest.importorskip("ansible.module_utils.secrets", reason="ansible-core masks from 2.22 on")
    run_lookup("credential", "production-integration", **options)
    assert secrets.mask_secrets("it is CANARY{{ 1 }}, TOKEN1 or CANARY{{ 1 }}TOKEN1.") == (
        "it is $REDACTED$, $REDACTED$ or $REDACTED$."
    )
    masking.register(*Connection(username="u@example.com", password="short").secret_texts)
    assert secrets.mask_secrets("short") == "short"


def test_ansible_masks_the_options_of_a_lookup_that_open_a_store_on_a_server(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = pytest.importorskip("ansible.module_utils.secrets", reason="ansible-core masks from 2.22 on")
    monkeypatch.setenv("GATEHOUSE_STORE_TOKEN", "Canary-Of-The-Server")
    lookup = lookup_loader.get("gatehouse.salesforce.credential")
    assert lookup.get_option("store_token") == "Canary-Of-The-Server"
    assert secrets.mask_secrets("a Canary-Of-The-Server") == "a $REDACTED$"


def test_the_filter_renders_what_the_lookup_gives(options: dict[str, Any]) -> None:
    app_config = filter_loader.get("gatehouse.salesforce.app_config").j2_function
    (found,) = run_lookup("credential", "sandbox-integration", **options)
    assert json.loads(app_config(found, "json"))["domain"] == "test"
    with pytest.raises(AnsibleFilterError, match="app_config: format: 'xml' is not one of env, "):
        app_config(found, "xml")
    with pytest.raises(AnsibleFilterError, match="the input must be a dictionary"):
        app_config("CANARY", "env")
    with pytest.raises(AnsibleFilterError, match="app_config: password: is required for auth security_token") as caught:
        app_config({**found, "password": None}, "env")
    assert "CANARY" not in str(caught.value)


def test_the_documentation_lists_every_key_that_a_credential_can_have() -> None:
    documented = set(yaml.safe_load(credential_module.RETURN)["_raw"]["contains"])
    held = {name: "x" for name in ("password", "security_token", "consumer_secret", "private_key", "access_token")}
    whole = Credential(name="a", connection=Connection(**held), version=1, created=NOW, updated=NOW)  # type: ignore[arg-type]
    assert documented == set(to_dict(whole))


@pytest.mark.parametrize(
    "module", [credential_module, login_password_module, filter_module], ids=lambda it: it.__name__
)
def test_the_examples_run(module: Any, options: dict[str, Any], tmp_path: Path) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            **{f"gatehouse_salesforce_{name}": value for name, value in options.items()},
            "ansible_python_interpreter": sys.executable,
            "app_folder": str(tmp_path),
            "other_store": options["store"],
            "other_key_file": options["store_key_file"],
        },
        "tasks": yaml.safe_load(module.EXAMPLES),
    }
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play]))
    ran = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(playbook)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "CANARY" not in ran.stdout + ran.stderr
    for written in tmp_path.iterdir():
        assert written == playbook or "CANARY{{ 1 }}" in written.read_text().replace("\\", ""), "never templated"
