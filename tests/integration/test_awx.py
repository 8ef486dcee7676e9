# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX gets from the collection: credential types, which lead a job to the store, job templates, an environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variable_names import SUFFIXES
from tests.bench.stores import credential
from tests.simulated_org import SimulatedOrg
from tests.support.awx import PACKAGE, TOKEN, Awx, Refused, check_credential_type, check_survey, controller
from tests.support.collections import collections_path
from tests.support.openbao import OpenBao
from tests.support.plays import Playbooks, Results
from tests.support.processes import ROOT, ansible_environment
from tests.support.stores import open_store

pytestmark = [pytest.mark.ansible(process=True), pytest.mark.every_core]

FILES = ROOT / "playbooks" / "files" / "awx"
ENVIRONMENT = ROOT / "playbooks" / "example" / "execution-environment.yml"
TYPES: dict[str, dict[str, Any]] = {
    each["name"]: each for each in yaml.safe_load((FILES / "credential_types.yml").read_text())
}
STORE, MAILBOX = TYPES["Salesforce credential store"], TYPES["Salesforce token mailbox"]
TEMPLATES: list[dict[str, Any]] = yaml.safe_load((FILES / "job_templates.yml").read_text())
FOUND = "found={{ lookup('gatehouse.salesforce.credential', 'billing').username }}"
RUNNER = "/runner"  # where AWX mounts a job's folder in the execution environment


def run_job(folder: Path, *credentials: tuple[dict[str, Any], dict[str, str]], message: str = FOUND) -> str:
    """What a job printed, whose environment, files and variables AWX's own code made of its credentials."""
    interfaces = pytest.importorskip("awx_plugins.interfaces._temporary_private_inject_api")

    for part in ("env", "project", "inventory"):
        (folder / part).mkdir(parents=True)
    environment: dict[str, str] = {}
    arguments: list[str] = []
    for kind, inputs in credentials:
        declared = interfaces.ManagedCredentialType("", kind["name"], "cloud", kind["inputs"], kind["injectors"])
        interfaces.inject_credential(declared, interfaces.Credential(inputs), environment, {}, arguments, str(folder))
    for inputs in (inputs for kind, inputs in credentials):
        assert not any(value and value in " ".join(arguments) for value in inputs.values())
    environment = {name: value.replace(RUNNER, str(folder)) for name, value in environment.items()}
    (folder / "env" / "envvars").write_text(json.dumps(environment))
    (folder / "env" / "cmdline").write_text(" ".join(arguments).replace(RUNNER, str(folder)))
    (folder / "inventory" / "hosts").write_text("localhost ansible_connection=local\n")
    tasks = [{"ansible.builtin.debug": {"msg": message}}, {"gatehouse.salesforce.credential_info": {}}]
    (folder / "project" / "job.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
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


@pytest.fixture
def key(tmp_path: Path) -> str:
    """The key of a store, also in a file."""
    key = Fernet.generate_key().decode()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key)
    return key


def test_a_job_reads_from_the_server(tmp_path: Path, bao: OpenBao, key: str) -> None:
    options = bao.by_role
    open_store(**{**options, "store_key_file": str(tmp_path / "key")}).write(credential("billing", 1), replaces=None)
    inputs = {
        "store": options["store"],
        "role_id": options["store_role_id"],
        "secret_id": options["store_secret_id"],
        "namespace": options["store_namespace"],
        "ca": Path(options["store_ca_path"]).read_text(),
        "key": key,
    }
    output = run_job(tmp_path / "job", (STORE, inputs))
    assert "found=billing@acme.example" in output
    assert options["store_secret_id"] not in output and key not in output


def test_a_job_reads_from_a_folder_that_is_mounted_and_knows_the_password_of_its_mailbox(
    tmp_path: Path, key: str
) -> None:
    """What is left empty counts as not given."""
    options = {"store": str(tmp_path / "store"), "store_key_file": str(tmp_path / "key")}
    open_store(**options).write(credential("billing", 1), replaces=None)
    store = (STORE, {"store": options["store"], "key": key})
    message = FOUND + " {{ vault_mailbox_password == 'Example-Mailbox-1' }}"
    output = run_job(tmp_path / "job", store, (MAILBOX, {"password": "Example-Mailbox-1"}), message=message)
    assert "found=billing@acme.example True" in output and "Example-Mailbox-1" not in output


def test_every_input_is_injected_and_what_is_secret_is_marked() -> None:
    fields = {field["id"]: field for kind in TYPES.values() for field in kind["inputs"]["fields"]}
    assert {name for name, field in fields.items() if field.get("secret")} == {"secret_id", "key", "password"}
    injected = json.dumps([kind["injectors"] for kind in TYPES.values()])
    assert all(f"{{{{ {name} }}}}" in injected for name in fields)


class TestSetup:
    """The playbook awx_setup, by the modules of awx.awx."""

    @pytest.fixture
    def awx(self) -> Iterator[Awx]:
        with controller() as awx:
            yield awx

    def setup(self, playbook: Playbooks, awx: Awx, *options: str, ok: bool = True, **extra: Any) -> Results:
        given = {
            "image": "registry.acme.example/salesforce:1.0",
            "organization": "Acme",
            "project": "Salesforce",
            "folder": "salesforce/",
            "inventory": "Orgs",
        }
        return playbook.run(
            ROOT / "playbooks" / "awx_setup.yml",
            *options,
            ok=ok,
            env={
                "ANSIBLE_COLLECTIONS_PATH": collections_path(PACKAGE, ["awx/awx"]),
                "CONTROLLER_HOST": awx.url,
                "CONTROLLER_OAUTH_TOKEN": TOKEN,
            },
            **{**{f"awx_setup_{name}": value for name, value in given.items()}, **extra},
        )

    def test_it_installs_all_and_a_second_run_changes_nothing(
        self, sim: SimulatedOrg, playbook: Playbooks, awx: Awx
    ) -> None:
        checked = self.setup(playbook, awx, "--check")
        assert awx.changes == [] and checked.of("Install the credential types")["changed"]
        self.setup(playbook, awx)
        assert {row["name"] for row in awx.tables["credential_types"].values()} == set(TYPES)
        assert awx.row("credential_types", STORE["name"])["injectors"] == STORE["injectors"], "templates of AWX"
        for number, template in awx.tables["job_templates"].items():
            (declared,) = (each for each in TEMPLATES if each["name"] == template["name"])
            assert template["playbook"] == f"salesforce/{declared['playbook']}" and template["survey_enabled"]
            assert awx.surveys[number]["spec"] == declared["questions"]
        changes = list(awx.changes)
        again = self.setup(playbook, awx)
        assert awx.changes == changes
        assert not any(item["result"].get("changed") for item in again)

    def test_the_job_templates_get_the_credentials_that_are_named(self, playbook: Playbooks, awx: Awx) -> None:
        self.setup(playbook, awx)
        for name in TYPES:
            awx.add("credentials", name=name, credential_type=awx.row("credential_types", name)["id"])
        self.setup(playbook, awx, awx_setup_credentials=[*TYPES])
        assert [sorted(ids) for ids in awx.associated.values()] == [[1, 2]] * len(TEMPLATES)

    def test_a_misspelt_variable_is_named_before_anything_is_sent(self, playbook: Playbooks, awx: Awx) -> None:
        refused = self.setup(playbook, awx, ok=False, awx_setup_credential="store")
        assert "did you mean awx_setup_credentials?" in refused.last["msg"]
        assert awx.changes == []


def test_the_server_of_these_tests_refuses_what_awx_refuses() -> None:
    with pytest.raises(Refused, match="typo"):
        check_credential_type({**STORE, "kind": "cloud", "injectors": {"env": {"GATEHOUSE_STORE": "{{ typo }}"}}})
    with pytest.raises(Refused, match="Additional properties"):
        check_credential_type({**STORE, "kind": "cloud", "inputs": {"fields": [{"id": "a", "label": "A", "x": 1}]}})
    with pytest.raises(Refused, match="choices"):
        question = {"type": "multiplechoice", "question_name": "?", "variable": "a", "required": True}
        check_survey({"name": "", "description": "", "spec": [{**question, "choices": ["x"], "default": "y"}]})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_a_survey_asks_for_variables_that_its_playbook_has_and_offers_their_defaults(template: dict[str, Any]) -> None:
    known = {f"{prefix}{name}" for prefix, names in SUFFIXES.items() for name in names}
    name = template["playbook"].removesuffix(".yml")
    documented = yaml.safe_load((ROOT / "playbooks" / f"{name}.meta.yml").read_text())["argument_specs"][name]
    for question in template["questions"]:
        assert question["variable"] in known and question["variable"].startswith(f"{name}_")
        option = documented["options"].get(question["variable"], {})
        if "default" in option:
            assert str(question["default"]).lower() == str(option["default"]).lower()
        assert question.get("choices", option.get("choices")) in (option.get("choices"), ["false", "true"])


def test_jobs_with_the_answers_that_the_surveys_offer_run(sim: SimulatedOrg, playbook: Playbooks) -> None:
    dest = playbook.folder / "billing.env"
    target = {"credential": "billing", "dest": str(dest), "format": "env", "notify": []}
    application = {"ansible_connection": "local", "app_credentials_targets": [target]}
    hosts = {"salesforce_orgs": {"acme": {}}, "salesforce_applications": {"billing-host": application}}
    inventory = playbook.folder / "inventory.yml"
    inventory.write_text(json.dumps({group: {"hosts": members} for group, members in hosts.items()}))
    admin = sim.admin
    login = {"username": admin.username, "password": admin.password, "security_token": admin.security_token}
    playbook([{"gatehouse.salesforce.credential": {"name": "billing", **login}}])
    for name in ("deliver", "rotate", "report", "drift"):
        (template,) = (each for each in TEMPLATES if each["playbook"] == f"{name}.yml")
        answers = {question["variable"]: question["default"] for question in template["questions"]}
        if name == "report":
            answers["report_folder"] = str(playbook.folder / "report")
        playbook.run(ROOT / "playbooks" / template["playbook"], "-i", str(inventory), **answers)
    assert admin.password in dest.read_text()
    assert any((playbook.folder / "report").iterdir())


class TestExecutionEnvironment:
    """The recipe: here all but the image, which the workflow of the repository builds, and runs a play in."""

    def builder(self, folder: Path, *arguments: str | Path) -> str:
        command = ["ansible-builder", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, env=ansible_environment(), check=True, capture_output=True, text=True
        )
        return done.stdout

    def test_it_gets_what_the_collection_needs(self, tmp_path: Path) -> None:
        self.builder(tmp_path, "create", "-f", ENVIRONMENT)
        build = tmp_path / "context" / "_build"
        assert yaml.safe_load((build / "requirements.yml").read_text()) == {"collections": ["gatehouse.salesforce"]}
        assert "openssh-clients" in (build / "bindep.txt").read_text()
        container = next((tmp_path / "context").glob("*file")).read_text()
        assert "ansible-core~=2.20.0" in container and "ansible-runner~=2.4" in container
        needed = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
        alone = tmp_path / "alone" / "ansible_collections" / "gatehouse"
        alone.mkdir(parents=True)
        (alone / "salesforce").symlink_to(ROOT)
        found = yaml.safe_load(self.builder(tmp_path, "introspect", tmp_path / "alone"))["python"]
        assert [line.split("#")[0].strip() for line in found] == [line for line in needed if line]

    def test_its_ansible_core_is_one_that_the_collection_takes(self) -> None:
        floor = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
        recipe = yaml.safe_load(ENVIRONMENT.read_text())["dependencies"]
        assert floor == f">={recipe['ansible_core']['package_pip'].partition('~=')[2]}"

    def test_it_installs_what_a_controller_needs(self) -> None:
        meta = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text())
        assert (ROOT / meta["dependencies"]["python"]).is_file()
