# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from end to end against a simulated org: C(make demo) runs this module."""

from __future__ import annotations

import datetime
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulated_org import Control
from tests.support.processes import ROOT, ansible_environment, link_collection, simulated_org, write_private

FOLDER = ROOT / "build" / "demo"
PLAYBOOK = ROOT / "playbooks" / "site.yml"
EXAMPLE = ROOT / "playbooks" / "example"
REPORT = ROOT / "playbooks" / "report.yml"
COMMAND = "$ ansible-playbook playbooks/site.yml -i playbooks/example/inventory.yml --diff"

# The secret is in a file of variables, and on no command line.
HAND_OVER = (
    "ansible",
    "localhost",
    "-m",
    "gatehouse.salesforce.security_token",
    "-a",
    "name=acme-billing new_token='{{ new_security_token }}'",
)

HOSTS = ("billing-1", "billing-2", "portal-1", "portal-2", "reports-1", "stock-1", "stock-2", "mule-1")
EVERY_RESTART = len(HOSTS)  # each host runs one application
# The users of the example's inventory, by org; the first of each is its administrator.
USERS = {
    "acme": ("admin", "billing", "portal", "reports"),
    "globex": ("admin", "stock", "reports"),
    "initech": ("admin", "ledger"),
}
# Invented. The orgs know them, and so does the example's inventory.
SECRETS = {
    f"vault_{org}_{user}_{kind}": secret
    for org, users in USERS.items()
    for user in users
    for kind, secret in (
        ("password", f"Gate&{org.title()}<{user.title()}>2026"),
        ("security_token", f"Demo{org.title()}{user.title()}Token".ljust(25, "0")),
    )
}
BROWSER = {"login_type": "Application", "login_sub_type": "UsernamePasswordUiLogin"}
# What takes the place of systemctl, which a demo must not use: it notes what it was told to restart.
RESTART = 'echo "$1" >> "$0"'


def org_seed(secrets: dict[str, str]) -> dict[str, Any]:
    """The simulated orgs that the example's inventory is about."""
    return {
        "orgs": [
            {
                "name": org.title(),
                "trusted_ranges": (
                    [{"start": "192.0.2.0", "end": "192.0.2.255", "description": "Clicked in Setup"}]
                    if org == "acme"
                    else []
                ),
                "users": [
                    {
                        "username": f"{user}@{org}.example",
                        "first_name": user.title(),
                        "last_name": "Admin" if user == "admin" else "Integration",
                        "password": secrets[f"vault_{org}_{user}_password"],
                        "security_token": secrets[f"vault_{org}_{user}_security_token"],
                        "profile": "System Administrator" if user == "admin" else "Standard User",
                    }
                    for user in users
                ],
            }
            for org, users in USERS.items()
        ]
    }


def prepare(folder: Path, org: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """A key for the store, and the variables that lead the example to the simulated org."""
    from cryptography.fernet import Fernet

    write_private(folder / "store.key", Fernet.generate_key().decode() + "\n")
    # Every host is this machine here, with a folder of its own in the place of /etc.
    for host in HOSTS:
        (folder / "hosts" / host).mkdir(parents=True)
    variables = {
        **secrets,
        "ansible_connection": "local",
        "ansible_become": False,
        "application_folder": f"{folder}/hosts/{{{{ inventory_hostname }}}}",
        "application_restart": ["sh", "-c", RESTART, f"{folder}/hosts/{{{{ inventory_hostname }}}}/restarts"],
        "gatehouse_salesforce_login_url": org["url"],
        "gatehouse_salesforce_allowed_hosts": ["localhost"],
        "gatehouse_salesforce_ca_path": org["ca_path"],
        "gatehouse_salesforce_store": str(folder / "store"),
        "gatehouse_salesforce_store_key_file": str(folder / "store.key"),
    }
    write_private(folder / "variables.json", json.dumps(variables, indent=2))
    return variables


def run_playbook(folder: Path, *options: str, ok: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run the site playbook on the example and give what it printed; raises SystemExit when that is not as expected."""
    return run_ansible(folder, "ansible-playbook", str(PLAYBOOK), *options, ok=ok, environment=environment)


def remember_logins(org: Mapping[str, Any]) -> None:
    """Give the orgs a month of logins, by applications from their networks and by people from home."""
    now = datetime.datetime.now(datetime.UTC)
    ways: tuple[dict[str, str], ...] = (
        {"username": "billing@acme.example", "source_ip": "203.0.113.20", "application": "billing"},
        {"username": "portal@acme.example", "source_ip": "198.51.100.7", "application": "portal"},
        {"username": "reports@acme.example", "source_ip": "192.0.2.77", "application": "reports"},
        {"username": "stock@globex.example", "source_ip": "203.0.113.70", "application": "stock"},
        {"username": "admin@acme.example", "source_ip": "20.0.7.9", "application": "Browser", **BROWSER},
        {"username": "admin@globex.example", "source_ip": "20.0.9.8", "application": "Browser", **BROWSER},
    )
    rows = [
        {**way, "count": 1 + (day * 7 + number * 3) % 9, "login_time": (now - datetime.timedelta(days=day)).isoformat()}
        for day in range(1, 30)
        for number, way in enumerate(ways)
    ]
    Control(org["control_url"], org["control_token"]).add_logins(rows)


def run_report(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> str:
    """Run the playbook report on the example and give what it printed."""
    (folder / "report.json").write_text(json.dumps({"report_folder": str(folder / "report")}))
    command = ("ansible-playbook", str(REPORT), "-e", f"@{folder / 'report.json'}")
    return run_ansible(folder, *command, *options, environment=environment)


def run_ansible(folder: Path, *command: str, ok: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run a command of Ansible with the example's inventory; raises SystemExit when it does not end as expected."""
    done = subprocess.run(
        [*command, "-i", str(EXAMPLE / "inventory.yml"), "-e", f"@{folder / 'variables.json'}"],
        cwd=folder,
        env=ansible_environment(ANSIBLE_FORCE_COLOR="true" if sys.stdout.isatty() else "false", **(environment or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if (done.returncode == 0) != ok:
        raise SystemExit(f"{done.stdout}\n{command[0]} ended with exit code {done.returncode}")
    return done.stdout


def run_application(folder: Path, ca_path: str) -> str:
    """Start the example application with the file that was written for it on its host, and nothing else of ours."""
    written = folder / "hosts" / "portal-1" / "portal.json"
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "app.py"), "--file", str(written)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": ca_path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the application failed:\n{done.stderr}")
    return done.stdout


def restarted(folder: Path) -> list[str]:
    """What was told to restart since this was last asked, each with its host; nothing is told twice."""
    found = []
    for path in sorted((folder / "hosts").glob("*/restarts")):
        found += [f"{name} on {path.parent.name}" for name in path.read_text().split()]
        path.unlink()
    return found


def rotate(folder: Path, org: Mapping[str, Any], username: str) -> str:
    """Have the org make a new token, which a person then receives and hands over; gives what Ansible printed."""
    token = Control(org["control_url"], org["control_token"]).reset_token(username)
    variables = json.loads((folder / "variables.json").read_text())
    write_private(folder / "variables.json", json.dumps({**variables, "new_security_token": token}, indent=2))
    return run_ansible(folder, *HAND_OVER)


def changes(output: str) -> dict[str, int]:
    """How much a run changed on each host, out of Ansible's recap."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", plain, re.MULTILINE)}


def summary(seen: str, after: list[str]) -> str:
    """What happened, and what to try next."""
    credentials, place = sum(len(users) for users in USERS.values()), FOLDER.relative_to(ROOT)
    return f"""
== What happened
   1. {credentials} credentials of {len(USERS)} orgs were logged in with, once each, and stored encrypted in
      {place}/store.
   2. Trusted IP ranges were added to each org; the one that was there stayed.
   3. Five applications on {len(HOSTS)} hosts were given their credentials, each in the form that it reads, below
      {place}/hosts, and were restarted. Each host logged in with what it was given.
      An application that knows nothing of all this read its file and
      {seen.strip()}.
   4. The same playbook again changed nothing.
   5. A user's token was reset, and the new one handed over: one login, then it was stored. The same playbook, which
      still declares the dead one, delivered it, and restarted {" and ".join(after)}.
      Where a mailbox can be read, nobody has to hand over anything: docs/rotate.md.
   6. A report says who can log in to the {len(USERS)} orgs from where, and what breaks when:
      {place}/report/report.html

== What to try next
   - Point the same playbook at a real org: README.md, "Install and begin".
   - Look at playbooks/example; its inventory is all that a user writes.
"""


def say(text: str) -> None:
    """Print at once, in order with what child processes print."""
    print(text, flush=True)


def main(_arguments: Sequence[str]) -> None:
    """Run the demo."""
    link_collection()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    with simulated_org(FOLDER / "org", org_seed(SECRETS)) as org:
        prepare(FOLDER, org, SECRETS)
        say("== Simulated orgs listen at " + org["url"])
        say(COMMAND)
        say(run_playbook(FOLDER, "--diff"))
        first = restarted(FOLDER)
        say("== An application starts with its new credential")
        seen = run_application(FOLDER, org["ca_path"])
        say("   " + seen)
        say(f"{COMMAND}   # again")
        again = run_playbook(FOLDER, "--diff")
        say(again)
        if any(changes(again).values()) or not changes(again) or restarted(FOLDER):
            raise SystemExit("the second run changed something")
        say("== The token of billing@acme.example is reset")
        say(f"$ {shlex.join(HAND_OVER)}")
        say(rotate(FOLDER, org, "billing@acme.example"))
        say(f"{COMMAND}   # delivers it")
        say(run_playbook(FOLDER, "--diff"))
        after = restarted(FOLDER)
        remember_logins(org)
        say("$ ansible-playbook playbooks/report.yml -i playbooks/example/inventory.yml")
        say(run_report(FOLDER))
    if len(first) != EVERY_RESTART or after != ["billing on billing-1", "billing on billing-2"]:
        raise SystemExit(f"restarted were {first}, then {after}")
    say(summary(seen, after))


if __name__ == "__main__":
    main(sys.argv[1:])
