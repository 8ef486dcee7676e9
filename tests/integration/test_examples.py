# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the README, of the guides and of the modules' documentation runs.

On a page, a YAML block that begins with a play is run, twice; one that begins with the name of a file, such as
C(# work.yml), is that file beside the inventory; and each sh block is run as it stands, in that folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS
from tests.simulated_org import SimulatedOrg
from tests.simulated_org.mail import AUTHSERV_ID
from tests.support.dovecot import Absent, Dovecot, dovecot
from tests.support.plays import Playbooks
from tests.support.processes import ROOT, ansible_environment
from tests.support.stores import open_store
from tests.unit.simulator.apps import key_pair

pytestmark = [pytest.mark.ansible, pytest.mark.every_core]

README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *GUIDES, *sorted((ROOT / "roles").glob("*/README.md"))]
ROTATE, RECOVER = ROOT / "docs" / "rotate.md", ROOT / "docs" / "recover.md"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
PASSWORD, TOKEN, SECRET = "Example-Password-1", "ExampleToken00000000000001", "Example-Consumer-Secret-1"
USERS = (
    "admin@acme.example",
    "billing@acme.example",
    "billing@acme.example.dev",
    "billing-blue@acme.example",
    "billing-green@acme.example",
    "reports@acme.example",
)
MAIL_HOST = "imap.acme.example"
FOLDERS = ("billing", "gatehouse", "portal", "reports", "shipping")  # those in /etc that the examples need
OF_EVERY_TASK = ("changed", "diff", "failed", "failed_when_result", "invocation", "msg", "warnings")
AGAIN = "Again: "
# Galaxy shows README files by themselves, so that only whole addresses lead from them to other pages.
REPOSITORY = "https://github.com/gatehouse-collections/gatehouse.salesforce/blob/main/"
LONG_AGO = "2026-01-01T00:00:00Z"

# Blocks that are not run as all others are, by their page and first words, and who runs them, or why nobody can.
ELSEWHERE = {
    ("README.md", "make demo"): "these are the demo and all checks, this one among them",
    ("README.md", "pip install"): "test_the_collection_installs_and_begins_as_the_readme_says",
    ("README.md", "cd salesforce"): "test_the_collection_installs_and_begins_as_the_readme_says",
    ("docs/awx.md", "export CONTROLLER_HOST"): "test_awx.py runs it against a server that checks what AWX checks",
    ("docs/mailboxes.md", "# microsoft.yml"): "test_mailbox_oauth.py rotates a token with it",
    ("docs/mailboxes.md", "# google.yml"): "test_mailbox_oauth.py rotates a token with it",
    ("docs/events.md", "# watch.yml"): "test_rulebooks.py runs it",
    ("docs/log-in.md", "# tasks"): "test_login_key.py runs them, and uploads the certificate between the two",
    ("docs/pipelines.md", "variables:"): "test_pipelines.py adds it to the workflow",
    ("docs/pipelines.md", "steps:"): "test_pipelines.py adds it to the workflow",
    **{
        ("docs/targets.md", f"# {name}.yml"): "test_services.py delivers with it"
        for name in ("host_vars/bao", "group_vars/pipelines", "github", "gitlab", "awx")
    },
    (
        "docs/simulated-org.md",
        ".venv/bin/python",
    ): "test_the_smallest_example_runs_on_the_simulated_org_as_its_page_says",
    (
        "docs/simulated-org.md",
        "ansible localhost",
    ): "test_the_smallest_example_runs_on_the_simulated_org_as_its_page_says",
}


def load(module: str) -> Any:
    return importlib.import_module(f"ansible_collections.gatehouse.salesforce.plugins.modules.{module}")


def examples_of(module: str) -> list[dict[str, Any]]:
    found = yaml.safe_load(load(module).EXAMPLES)
    assert isinstance(found, list)
    return found


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


def is_elsewhere(page: Path, block: str) -> bool:
    return any(title(page) == name and block.startswith(start) for name, start in ELSEWHERE)


def playbooks_of(page: Path) -> list[dict[str, Any]]:
    """The plays on a page, one after the other."""
    return [play for block in blocks(page, "yaml") if block.startswith("- name") for play in yaml.safe_load(block)]


def again(play: dict[str, Any]) -> dict[str, Any]:
    """The same play, with tasks that can be told from those of the first time."""
    return {**play, "tasks": [{**task, "name": f"{AGAIN}{task['name']}"} for task in play["tasks"]]}


def files_of(page: Path) -> dict[str, Any]:
    """The files that a page shows, by name."""
    named = ((re.match(r"# (\S+\.yml)\n", block), block) for block in blocks(page, "yaml"))
    return {match[1]: yaml.safe_load(block) for match, block in named if match}


def commands_of(page: Path) -> list[str]:
    """The commands on a page, block by block."""
    return [block for block in blocks(page, "sh") if not is_elsewhere(page, block)]


@dataclasses.dataclass
class ExampleOrg:
    """The org that the examples are about, its mailbox, and the variables that the examples use."""

    sim: SimulatedOrg
    playbook: Playbooks
    mailbox: dict[str, Any]
    variables: dict[str, Any]

    def at_home(self, example: Any) -> Any:
        """An example that leads to this org, this mailbox and this folder, not to Salesforce and the reader's own."""
        if isinstance(example, str):
            return example.replace("/etc/", f"{self.playbook.folder}/etc/")
        if isinstance(example, list):
            return [self.at_home(item) for item in example]
        if not isinstance(example, dict):
            return example
        if example.get("host") == MAIL_HOST:
            return {**example, **self.mailbox}
        # A variable says where Salesforce is.
        return {key: self.at_home(value) for key, value in example.items() if key != "login_url"}

    def run(self, command: str) -> str:
        """Run the commands of one block, and give what they print."""
        folder = self.playbook.folder
        variables = {**self.playbook.variables, **self.variables}
        simulated = folder / "simulated.json"
        simulated.write_text(yaml.safe_dump({name: value for name, value in variables.items() if value is not None}))
        leads_here = f'ansible-playbook() {{ command ansible-playbook -e "@{simulated}" "$@"; }}\n'
        done = subprocess.run(
            ["bash", "-ec", leads_here + command],
            cwd=folder / "beside",
            env=ansible_environment(
                HOME=str(folder / "home"),
                ANSIBLE_HOME=str(folder / "ansible"),
                ANSIBLE_LOCAL_TEMP=str(folder / "tmp"),
                ANSIBLE_LOCALHOST_WARNING="false",
                GATEHOUSE_STORE=str(variables["gatehouse_salesforce_store"]),
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert done.returncode == 0, shown
        for secret in (PASSWORD, TOKEN, SECRET, str(self.sim.state.user(USERS[1]).security_token)):
            assert secret not in shown
        return shown

    def write_files(self, page: Path) -> None:
        """Write what the reader of a page has beside it: an inventory, secrets, and the files that the page shows."""
        beside = self.playbook.folder / "beside"
        usual = {
            "inventory.yml": INVENTORY,
            "secrets.yml": {name: value for name, value in self.variables.items() if name.startswith("vault_")},
        }
        for name, content in {**usual, **files_of(page)}.items():
            file = beside / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(self.at_home(content)))
        (self.playbook.folder / "home" / ".local" / "share" / "gatehouse" / "salesforce").mkdir(parents=True)


METADATA = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
PROJECT = {
    "settings/Security.settings-meta.xml": f"""<SecuritySettings {METADATA}><networkAccess>
        <ipRanges><end>198.51.100.255</end><start>198.51.100.0</start></ipRanges>
    </networkAccess></SecuritySettings>""",
    "permissionsets/Reporting.permissionset-meta.xml": f"""<PermissionSet {METADATA}><label>Reporting</label>
        <userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions>
    </PermissionSet>""",
    "profiles/Integration.profile-meta.xml": f"""<Profile {METADATA}>
        <loginIpRanges><endAddress>192.0.2.9</endAddress><startAddress>192.0.2.9</startAddress></loginIpRanges>
    </Profile>""",
}
INVENTORY = {
    "salesforce_orgs": {
        "hosts": {
            "acme": {
                "ansible_host": "acme.invalid",  # An org is no machine: a task that connects to one fails.
                "credentials_declared": [
                    {
                        "name": "billing",
                        "username": USERS[1],
                        "password": "{{ vault_billing_password }}",
                        "security_token": "{{ vault_billing_security_token }}",
                    }
                ],
                "gatehouse_salesforce_credential": "production-admin",
                "network_access_trusted_ip_ranges": [{"range": "198.51.100.0/24", "description": "Office"}],
            }
        }
    },
    "salesforce_applications": {
        "hosts": {
            "billing-host": {
                "ansible_connection": "local",
                "app_credentials_targets": [
                    {"credential": "billing", "dest": "/etc/billing/nightly.env", "notify": []}
                ],
            }
        }
    },
}


@pytest.fixture(scope="module")
def mail_server() -> Iterator[Dovecot | None]:
    """A mail server, where there can be one."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(dovecot())
        except Absent:
            server = None
        yield server


@pytest.fixture
def sim(mail_server: Dovecot | None) -> Iterator[SimulatedOrg]:
    """An org that mails security tokens."""
    address = f"lmtp://127.0.0.1:{mail_server.lmtp_port}" if mail_server else ""
    with SimulatedOrg(mail_server=address) as org:
        yield org


@pytest.fixture
def example_org(sim: SimulatedOrg, playbook: Playbooks, mail_server: Dovecot | None) -> ExampleOrg:
    """The org that the examples are about: with an old token, and an app that has the certificate of billing.pem."""
    box = f"{playbook.folder.name}@acme.example"
    for user in USERS:
        profile = "System Administrator" if user == USERS[0] else "Standard User"
        # Whoever has reset the token once gets a mail when the password changes, too.
        sim.control.add_user(user, PASSWORD, security_token=TOKEN, profile=profile, email=box, token_was_reset=True)
    # The example of a sandbox credential has no token, so the org trusts this address.
    sim.control.set_org(trusted_ranges=["127.0.0.1", "192.0.2.0-192.0.2.255"], instance_url=sim.url)
    sim.control.set_profile("Integration", permissions=["ApiEnabled"])
    # Administrators are restricted already, to where this run is; otherwise the guard would refuse the example.
    sim.control.set_profile("Admin", login_ip_ranges=["127.0.0.1"])
    private_key, certificate = key_pair()
    for name in FOLDERS:
        (playbook.folder / "etc" / name).mkdir(parents=True)
    (playbook.folder / "files").mkdir()
    (playbook.folder / "files" / "cloudflare-ips.txt").write_text("203.0.113.0/24\n2001:db8::/32\n")
    environment = f"SALESFORCE_USERNAME={USERS[1]}\nSALESFORCE_PASSWORD={PASSWORD}\nSALESFORCE_SECURITY_TOKEN={TOKEN}\n"
    (playbook.folder / "files" / "billing.env").write_text(environment)
    airflow = {"conn_type": "salesforce", "login": USERS[-1], "password": PASSWORD, "extra": {"security_token": TOKEN}}
    (playbook.folder / "files" / "airflow.json").write_text(json.dumps({"salesforce_reports": airflow}))
    project = playbook.folder / "force-app" / "main" / "default"
    for name, content in PROJECT.items():
        (project / name).parent.mkdir(parents=True)
        (project / name).write_text(content)
    beside = playbook.folder / "beside"
    beside.mkdir()
    (beside / "billing.pem").touch(mode=0o600)
    (beside / "billing.pem").write_text(private_key)
    (beside / "billing.crt").write_text(certificate)
    sim.control.add_app("3MVG9...", certificate=certificate, approved_users=[USERS[1]])
    sim.control.add_app("ExampleConsumerKey", consumer_secret=SECRET, run_as=USERS[1])
    sim.control.add_app("PlatformCLI", consumer_secret="", rotates_refresh_tokens=True)
    refresh_token = sim.control.grant_refresh_token("PlatformCLI", USERS[0])
    playbook(
        [
            {
                "gatehouse.salesforce.credential": {
                    "name": name,
                    "username": username,
                    "password": PASSWORD,
                    "security_token": TOKEN,
                }
            }
            for name, username in (("production-admin", USERS[0]), ("billing", USERS[1]), ("reports", USERS[-1]))
        ]
    )
    store = open_store(str(playbook.folder / "store"), str(playbook.key_file))
    stored = store.read("billing")
    store.write(dataclasses.replace(stored, secret_since=LONG_AGO), replaces=stored.version)
    mailbox = {
        "host": "localhost",
        "port": mail_server.port if mail_server else 0,
        "ca_path": mail_server.ca_path if mail_server else "",
        "username": box,
        "authserv_id": AUTHSERV_ID,
    }
    mail_password = mail_server.password if mail_server else ""
    return ExampleOrg(
        sim,
        playbook,
        mailbox,
        {
            **{f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")},
            "vault_production_admin_password": PASSWORD,
            "vault_production_admin_security_token": TOKEN,
            "vault_billing_password": PASSWORD,
            "vault_billing_security_token": TOKEN,
            "vault_billing_sandbox_password": PASSWORD,
            "vault_billing_blue_password": PASSWORD,
            "vault_billing_blue_security_token": TOKEN,
            "vault_billing_green_password": PASSWORD,
            "vault_billing_green_security_token": TOKEN,
            "vault_billing_consumer_key": "ExampleConsumerKey",
            "vault_billing_consumer_secret": SECRET,
            "vault_dev_sfdx_auth_url": f"force://PlatformCLI::{refresh_token}@{sim.url.removeprefix('https://')}",
            "vault_mailbox_password": mail_password,
            "salesforce_mailbox": {**mailbox, "password": mail_password},
            "new_security_token": TOKEN,
            "salesforce_trusted_ip_ranges": ["127.0.0.1", "198.51.100.0/24"],
        },
    )


def needs_mail(text: str, mail_server: Dovecot | None) -> None:
    """Skip where an example reads mails, and no mail server could be had."""
    if mail_server is None and "mailbox" in text:
        pytest.skip("Dovecot cannot be installed here: this example is NOT TESTED")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(
    playbook: Playbooks, example_org: ExampleOrg, mail_server: Dovecot | None, module: str
) -> None:
    tasks = examples_of(module)
    needs_mail(str(tasks), mail_server)
    results = playbook(example_org.at_home(tasks), **example_org.variables)
    assert [item["task"] for item in results] == [task["name"] for task in tasks]
    assert {item["status"] for item in results} == {"ok"}
    documented = yaml.safe_load(load(module).RETURN) or {}
    for task, item in zip(tasks, results, strict=True):
        if f"gatehouse.salesforce.{module}" in task:
            assert undocumented(item["result"], documented) == [], item["task"]


def undocumented(result: dict[str, Any], documented: dict[str, Any]) -> list[str]:
    """What a task has returned and RETURN does not describe, at any depth."""
    found = [name for name in result if not (name in documented or name in OF_EVERY_TASK or name.startswith("_"))]
    for name, value in result.items():
        described = documented.get(name, {})
        sample = described.get("sample")
        one = (sample[0] if sample else None) if isinstance(sample, list) else sample
        inside = described.get("contains") or ({key: {} for key in one} if isinstance(one, dict) else None)
        for part in value if isinstance(value, list) else [value]:
            if inside and isinstance(part, dict):
                found += [f"{name}.{key}" for key in undocumented(part, inside)]
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if playbooks_of(page)], ids=title)
def test_the_playbooks_of_a_page_run_and_the_second_time_change_nothing(
    playbook: Playbooks, example_org: ExampleOrg, mail_server: Dovecot | None, page: Path
) -> None:
    plays = example_org.at_home(playbooks_of(page))
    inventory = playbook.folder / "inventory.json"
    inventory.write_text(json.dumps(INVENTORY))
    options = ("-i", str(inventory))
    variables = {**example_org.variables}
    for content in example_org.at_home(list(files_of(page).values())):
        variables |= content if isinstance(content, dict) else {}
    needs_mail(str([plays, *files_of(page)]), mail_server)
    if page == RECOVER:  # what helps in one case undoes what helps in another
        results = playbook.run([one for play in plays for one in (play, again(play))], *options, **variables)
        second = [item for item in results if item["task"].startswith(AGAIN)]
        first = [item for item in results if item not in second]
        assert len(first) == len(second)
    else:
        first = playbook.run(plays, *options, **variables)
        second = playbook.run(plays, *options, **variables)
    tasks = [task for play in plays for task in play.get("tasks", ())]
    # Those that only ask, and those that prolong an access, which is another one in the next minute.
    may_change = {task["name"] for task in tasks if task.get("check_mode") or "expires" in str(task)}
    assert any(item["result"].get("changed") for item in first)
    changed = [item["task"].removeprefix(AGAIN) for item in second if item["result"].get("changed")]
    assert set(changed) <= may_change


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page) and page != ROTATE], ids=title)
def test_the_commands_of_a_page_run(example_org: ExampleOrg, page: Path) -> None:
    example_org.write_files(page)
    for command in commands_of(page):
        example_org.run(command)


def test_the_nightly_run_of_the_guide_renews_an_old_token_once_and_delivers_it(
    example_org: ExampleOrg, mail_server: Dovecot | None
) -> None:
    needs_mail(ROTATE.read_text(), mail_server)
    example_org.write_files(ROTATE)
    check, nightly, now = commands_of(ROTATE)
    delivered = example_org.playbook.folder / "etc" / "billing" / "nightly.env"

    def token() -> str:
        return str(example_org.sim.state.user(USERS[1]).security_token)

    example_org.run(check)
    assert token() == TOKEN
    example_org.run(nightly)
    first = token()
    assert first != TOKEN and first in delivered.read_text()
    assert re.search(r"changed=[1-9]", example_org.run(nightly)) is None
    assert token() == first
    example_org.run(now)
    assert token() != first and token() in delivered.read_text()


def test_every_block_of_every_page_is_run() -> None:
    left = []
    for page in PAGES:
        for language in ("yaml", "sh"):
            for block in blocks(page, language):
                runs = language == "sh" or re.match(r"- name|# \S+\.yml\n", block)
                if is_elsewhere(page, block) or runs:
                    continue
                left.append(f"{title(page)}: {block.splitlines()[0]}")
    assert not left


def test_what_is_run_elsewhere_is_there() -> None:
    for name, start in ELSEWHERE:
        found = [block for language in ("yaml", "sh") for block in blocks(ROOT / name, language)]
        assert any(block.startswith(start) for block in found), (name, start)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links to them are written."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    local = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text)
    assert page in GUIDES or all(not target for target, _anchor in local), "Galaxy shows this page without the others"
    links = [(page.parent / target if target else page, anchor) for target, anchor in local]
    whole = re.findall(rf"\](?:\(|: ){REPOSITORY}([^)#\s]*)#?([^)\s]*)", text)
    named = set(re.findall(r"\]\[([^\]]+)\]", text))
    assert named == set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))
    for file, anchor in [*links, *((ROOT / target, anchor) for target, anchor in whole)]:
        assert file.exists(), file
        assert not anchor or anchor in anchors(file), f"{file}#{anchor}"


def test_every_page_is_in_the_list_of_pages() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in GUIDES if page.name != "README.md" and f"({page.name})" not in index] == []


def test_the_page_of_formats_names_each_for_an_application() -> None:
    table = (ROOT / "docs" / "formats.md").read_text().split("## By application")[1].split("\n## ")[0]
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(FORMATS), "run python -m tools.formats_page"


def test_the_readme_names_every_module_plugin_role_and_playbook() -> None:
    plugins = [
        path
        for kind in ("modules", "lookup", "filter", "inventory", "test")
        for path in ROOT.glob(f"plugins/{kind}/*.py")
    ]
    named = re.findall(r"`(\w+)`", README.read_text().split("## What there is")[1].split("\n## ")[0])
    there = [
        *plugins,
        *(path for path in ROOT.glob("playbooks/*.yml") if "meta" not in path.name),
        *(path for path in ROOT.glob("roles/*") if path.is_dir()),
    ]
    assert {path.stem for path in there} - {"__init__"} - set(named) == set()


def test_the_collection_installs_and_begins_as_the_readme_says(sim: SimulatedOrg, tmp_path: Path) -> None:
    install, go_on = (block for block in blocks(README, "sh") if block.startswith(("pip install", "cd salesforce")))
    _ansible, collection, packages, begin = install.splitlines()
    sim.control.set_org(trusted_ranges=["192.0.2.0-192.0.2.255"])
    answers = {
        "init_org": "production",
        "init_login_url": sim.url,
        "init_username": sim.admin.username,
        "init_password": sim.admin.password,
        "init_security_token": sim.admin.security_token,
        "gatehouse_salesforce_ca_path": sim.ca_path,
        "gatehouse_salesforce_allowed_hosts": ["localhost"],
    }
    (tmp_path / "answers.json").touch(mode=0o600)
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    artifact, home = tmp_path / "artifact", tmp_path / "home"
    home.mkdir()

    def shell(command: str, folder: Path) -> str:
        collections = home / ".ansible" / "collections"
        environment = ansible_environment(HOME=str(home), ANSIBLE_COLLECTIONS_PATH=str(collections))
        done = subprocess.run(
            ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell(f"ansible-galaxy collection build --output-path {artifact}", ROOT)
    shell(collection.replace("gatehouse.salesforce", f"{artifact}/*.tar.gz"), tmp_path)
    installed = home / ".ansible" / "collections" / "ansible_collections" / "gatehouse" / "salesforce"
    needed = Path(packages.split(" -r ")[1].replace("~", str(home)))
    assert needed == installed / "requirements.txt" and needed.exists()
    assert (installed / "meta" / "execution-environment.yml").exists()
    # The tests stay behind; only what ansible-test must know of the supported Pythons goes along.
    assert [path.name for path in (installed / "tests").iterdir()] == ["config.yml"]
    assert not [path.name for path in installed.iterdir() if path.name.startswith(".")]
    assert "Next: cd " in shell(f"{begin} -e @answers.json", tmp_path)
    assert set(re.findall(r"changed=(\d+)", shell(go_on, tmp_path))) == {"0"}


def test_the_smallest_example_runs_on_the_simulated_org_as_its_page_says(tmp_path: Path) -> None:
    page = ROOT / "docs" / "simulated-org.md"
    start, run = blocks(page, "sh")
    (tmp_path / "playbooks").symlink_to(ROOT / "playbooks")
    for name, content in files_of(page).items():
        (tmp_path / name).write_text(yaml.safe_dump(content).replace("/tmp", str(tmp_path)))
    environment = ansible_environment(
        HOME=str(tmp_path), PYTHONPATH=str(ROOT), ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp")
    )

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    server = subprocess.Popen(
        ["bash", "-ec", "exec " + start.replace(".venv/bin/python", sys.executable)], cwd=tmp_path, env=environment
    )
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "build" / "org" / "ready.json").exists():
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        first, second = shell(run), shell(run)
    finally:
        server.terminate()
    assert server.wait(10) == 0
    assert first.returncode == second.returncode == 0, first.stdout + first.stderr + second.stdout + second.stderr
    assert "SALESFORCE_USERNAME=billing@acme.example" in (tmp_path / "salesforce.env").read_text()
    assert re.findall(r"changed=(\d+)", second.stdout) == ["0", "0"]


def test_the_readmes_first_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(README, "sh"):
        assert set(re.findall(r"^make ([a-z]+)", block, re.MULTILINE)) <= targets
