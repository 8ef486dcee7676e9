# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflow files of the guide: each job's commands run in order, on a runner that is new, with an empty home."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from tests.integration.test_examples import blocks
from tests.simulated_org import SimulatedOrg
from tests.support.openbao import OpenBao
from tests.support.plays import Playbooks
from tests.support.processes import ROOT, ansible_environment
from tests.support.tasks import NOBODY

pytestmark = pytest.mark.ansible

PIPELINES = ROOT / "playbooks" / "example" / "pipelines"
GITHUB, GITLAB = PIPELINES / "github.yml", PIPELINES / "gitlab-ci.yml"
GUIDE = ROOT / "docs" / "pipelines.md"
ADMIN, PASSWORD, TOKEN = "admin@acme.example", "Example-Password-1", "ExampleToken00000000000001"
VAULT_PASSWORD = "Example-Vault-Password-1"
STEPS = {"actions/checkout", "actions/setup-python"}  # what they do is done here
APPLICATION = {
    "salesforce_applications": {
        "hosts": {
            "billing-host": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "app_credentials_targets": [
                    {"credential": "acme-admin", "dest": "DEST", "format": "env", "notify": ["Restart billing"]}
                ],
            }
        }
    }
}
HANDLERS = [
    {
        "name": "Restart billing",
        "ansible.builtin.shell": {"cmd": "echo restarted >> RESTARTS"},
        "changed_when": True,
    }
]
WORK = [
    {"name": "Look", "gatehouse.salesforce.network_access_info": {}, "register": "seen"},
    {
        "name": "Deploy",
        "ansible.builtin.assert": {"that": "'127.0.0.1' in seen.trusted_ip_ranges | map(attribute='range')"},
    },
]


class Unset(SimpleNamespace):
    """A context of GitHub's expressions, in which what is not set is empty."""

    def __getattr__(self, name: str) -> str:
        return ""


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression of GitHub's language, as far as the workflow uses it."""
    python = expression.replace("&&", " and ").replace("||", " or ").replace("!=", " != ")
    return eval(python, {"__builtins__": {}}, dict(context))  # noqa: S307 - our own file


def fill(text: str, context: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: str(evaluate(found[1], context)), text)


@dataclasses.dataclass
class Pipeline:
    """A repository with a workflow, and what its runs share: the org, the store, the application's host."""

    sim: SimulatedOrg
    folder: Path
    artifact: Path
    kind: str
    given: dict[str, str]  # what the project has as variables and secrets
    cache: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # as the guide adds it to GitLab's file
    runs: int = 0

    @property
    def repository(self) -> Path:
        return self.folder / "salesforce"

    @property
    def delivered(self) -> Path:
        return self.folder / "etc" / "billing.env"

    @property
    def restarts(self) -> int:
        file = self.folder / "restarts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def run(self, event: str, **given: str) -> str:
        """Run what the workflow runs on an event, on a new runner; give what was printed."""
        self.runs += 1
        runner = self.folder / f"runner-{self.runs}"
        shutil.copytree(self.repository, runner / "work")
        # As GitLab has it.
        (runner / "work").chmod(0o777)
        (runner / "home").mkdir()
        steps = self._github(event, given) if self.kind == "github" else self._gitlab(event, given)
        kept = self.cache["default"]["cache"]["paths"] if self.cache else []
        for name in kept:
            if (self.folder / "cache" / name).exists():
                shutil.move(self.folder / "cache" / name, runner / "work" / name)
        printed = ""
        for shell, script, environment in steps:
            done = subprocess.run(
                [*shell, script],
                cwd=runner / "work",
                env={
                    **{name: value for name, value in ansible_environment().items() if not name.startswith("ANSIBLE_")},
                    "HOME": str(runner / "home"),
                    "PIP_NO_INDEX": "1",  # all of it is installed
                    "ANSIBLE_LOCALHOST_WARNING": "false",
                    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
            printed += done.stdout
            assert done.returncode == 0, printed
        for name in kept:
            shutil.move(runner / "work" / name, self.folder / "cache" / name)
        left = {path.relative_to(runner / "work") for path in (runner / "work").rglob("*")}
        assert left == {path.relative_to(self.repository) for path in self.repository.rglob("*")}
        for secret in (PASSWORD, TOKEN, VAULT_PASSWORD, *(value for name, value in given.items() if "KEY" in name)):
            assert secret not in printed
        return printed

    def _github(self, event: str, given: Mapping[str, str]) -> list[tuple[list[str], str, dict[str, str]]]:
        (job,) = yaml.safe_load(GITHUB.read_text())["jobs"].values()
        values = {**self.given, **given}
        head = SimpleNamespace(repo=SimpleNamespace(full_name="a/b"))
        context = {
            "github": SimpleNamespace(
                event_name=event,
                repository="a/b",
                ref="refs/heads/main",
                event=SimpleNamespace(pull_request=SimpleNamespace(head=head)),
            ),
            "vars": Unset(**values),
            "secrets": Unset(**values),
        }
        assert evaluate(job["if"], context)
        assert fill(job["environment"], context) == ("salesforce-check" if event == "pull_request" else "salesforce")
        shared = {name: fill(value, context) for name, value in job["env"].items()}
        steps = []
        for step in job["steps"]:
            if "uses" in step:
                assert step["uses"].partition("@")[0] in STEPS
            elif evaluate(step.get("if", "True"), context):
                own = {name: fill(value, context) for name, value in step.get("env", {}).items()}
                assert "${{" not in step["run"], "what an expression gives would be on a command line"
                steps.append((["bash", "-e", "-c"], step["run"], {**shared, **own}))
        return steps

    def _gitlab(self, event: str, given: Mapping[str, str]) -> list[tuple[list[str], str, dict[str, str]]]:
        file = yaml.safe_load(GITLAB.read_text())
        source = {"pull_request": "merge_request_event", "schedule": "schedule", "push": "push"}[event]
        jobs = [job for job in file.values() if "rules" in job and f'"{source}"' in job["rules"][0]["if"]]
        (job,) = jobs
        default = {**file["default"], **self.cache.get("default", {})}
        folder = str(self.folder / f"runner-{self.runs}" / "work")
        variables = {**file["variables"], **self.cache.get("variables", {})}
        variables = {name: value.replace("$CI_PROJECT_DIR", folder) for name, value in variables.items()}
        bash = ["bash", "-eo", "pipefail", "-c"]
        environment = {**variables, **self.given, **given}
        script = "\n".join([*default["before_script"], *job["script"]])
        return [(bash, script, environment), (bash, "\n".join(default.get("after_script", ())), environment)]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as it is published."""
    folder = tmp_path_factory.mktemp("artifact")
    command = ["ansible-galaxy", "collection", "build", "--output-path", str(folder)]
    subprocess.run(command, cwd=ROOT, env=ansible_environment(), check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture
def pipeline(sim: SimulatedOrg, playbook: Playbooks, artifact: Path, request: pytest.FixtureRequest) -> Pipeline:
    """A repository that init has written, with an application and a range more than the org has."""
    folder = playbook.folder
    sim.control.add_user(ADMIN, PASSWORD, security_token=TOKEN, profile="System Administrator")
    (folder / "vault-password").write_text(VAULT_PASSWORD)
    answers = {
        **NOBODY,
        "gatehouse_salesforce_login_url": None,
        "gatehouse_salesforce_store": None,
        "gatehouse_salesforce_store_key_file": None,
        "init_org": "acme",
        "init_login_url": sim.url,
        "init_username": ADMIN,
        "init_password": PASSWORD,
        "init_security_token": TOKEN,
        "init_vault_password_file": str(folder / "vault-password"),
    }
    playbook.run(ROOT / "playbooks" / "init.yml", env={"HOME": str(folder / "engineer")}, **answers)
    repository = folder / "salesforce"
    ranges = repository / "inventory" / "host_vars" / "acme" / "network_access.yml"
    ranges.write_text("network_access_trusted_ip_ranges: [{range: 198.51.100.0/24, description: Office}]\n")
    (folder / "etc").mkdir()
    written = {
        "inventory/applications.yml": json.dumps(APPLICATION).replace("DEST", str(folder / "etc" / "billing.env")),
        "handlers.yml": json.dumps(HANDLERS).replace("RESTARTS", str(folder / "restarts")),
        "requirements.yml": json.dumps({"collections": [{"name": str(artifact), "type": "file"}]}),
        "deploy.yml": json.dumps(WORK),
    }
    for name, content in written.items():
        (repository / name).write_text(content)
    return Pipeline(sim, folder, artifact, request.param, {"VAULT_PASSWORD": VAULT_PASSWORD})


def block(start: str) -> dict[str, Any]:
    """The block of the guide that begins so."""
    (text,) = (each for each in blocks(GUIDE, "yaml") if each.startswith(start))
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def changed(printed: str) -> set[str]:
    return set(re.findall(r"changed=(\d+)", printed))


@pytest.mark.parametrize("pipeline", ["github", "gitlab"], indirect=True)
def test_a_pull_request_is_checked_without_a_store_and_without_its_key(pipeline: Pipeline) -> None:
    logins = pipeline.sim.control.counts()
    printed = pipeline.run("pull_request")
    assert "acme-admin" in printed
    assert pipeline.sim.control.counts() == logins, "nothing was asked of the org"
    assert not pipeline.delivered.exists() and pipeline.restarts == 0


def exercise(pipeline: Pipeline, last: str) -> None:
    """Apply twice, and run what another event runs, each on a new runner: only the first changes anything."""
    printed = pipeline.run("push")
    assert "acme-admin" in printed
    first, since = pipeline.delivered.read_bytes(), pipeline.delivered.stat().st_mtime_ns
    assert TOKEN.encode() in first and pipeline.restarts == 1
    ranges = [item["start"] for item in pipeline.sim.control.org()["trusted_ranges"]]
    assert ranges == ["198.51.100.0"], "temporary access is closed"
    site, temporary = pipeline.run("push").split("PLAY [Trust an address while a job runs]")
    assert changed(site) == {"0"} and changed(temporary) == {"2"}
    assert changed(pipeline.run(last)) == {"0"}
    assert pipeline.delivered.stat().st_mtime_ns == since and pipeline.restarts == 1
    assert [item["start"] for item in pipeline.sim.control.org()["trusted_ranges"]] == ranges


@pytest.mark.parametrize("pipeline", ["github"], indirect=True)
def test_with_a_store_on_a_server_a_new_runner_writes_and_restarts_nothing(pipeline: Pipeline, bao: OpenBao) -> None:
    options = bao.by_role
    names = ("store", "store_namespace", "store_role_id", "store_secret_id", "store_ca_path")
    pipeline.given |= {f"GATEHOUSE_{name.upper()}": options[name] for name in names}
    pipeline.given |= {"STORE_KEY": Fernet.generate_key().decode()}
    exercise(pipeline, "schedule")


@pytest.mark.parametrize("pipeline", ["gitlab"], indirect=True)
def test_with_a_folder_in_the_cache_a_new_runner_writes_and_restarts_nothing(pipeline: Pipeline) -> None:
    pipeline.given |= {"STORE_KEY": Fernet.generate_key().decode()}
    pipeline.cache = block("variables:")
    exercise(pipeline, "pull_request")
    assert not list((pipeline.folder / "cache").rglob("*.session"))


def test_the_workflows_are_what_their_published_schemas_allow(tmp_path: Path) -> None:
    """Those of the guide, also with its cache, and our own."""
    pytest.importorskip("check_jsonschema")
    github, gitlab = (yaml.safe_load(file.read_text()) for file in (GITHUB, GITLAB))
    cache = block("variables:")
    gitlab = {name: {**value, **cache.get(name, {})} for name, value in gitlab.items()}
    before, after = block("steps:")["steps"]
    github["jobs"]["salesforce"]["steps"] = [before, *github["jobs"]["salesforce"]["steps"], after]
    (tmp_path / "github.json").write_text(json.dumps(github))
    (tmp_path / "gitlab.json").write_text(json.dumps(gitlab))
    own = (ROOT / ".github" / "workflows").glob("*.yml")
    for schema, files in {
        "github-workflows": (GITHUB, tmp_path / "github.json", *own),
        "gitlab-ci": (GITLAB, tmp_path / "gitlab.json"),
    }.items():
        command = ["check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
        done = subprocess.run(command, env=ansible_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
