# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from end to end against a simulated org: C(make demo) runs this module."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.check import link_collection
from tests.processes import ROOT, ansible_environment, simulated_org

FOLDER = ROOT / "build" / "demo"
PLAYBOOK = ROOT / "playbooks" / "site.yml"
EXAMPLE = ROOT / "playbooks" / "example"

# Invented. The org knows them, and so does the example's inventory.
SECRETS = {
    "vault_acme_admin_password": "Gate-Admin-2026",
    "vault_acme_admin_security_token": "DemoAdminToken0000000000A",
    "vault_acme_billing_password": "Gate&Billing<2026>",
    "vault_acme_billing_security_token": "DemoBillingToken00000000B",
}


def org_seed(secrets: dict[str, str]) -> dict[str, Any]:
    """The simulated org that the example's inventory is about."""
    return {
        "orgs": [
            {
                "name": "Acme",
                "trusted_ranges": [{"start": "192.0.2.0", "end": "192.0.2.255", "description": "Clicked in Setup"}],
                "users": [
                    {
                        "username": "admin@acme.example",
                        "first_name": "Ada",
                        "last_name": "Admin",
                        "password": secrets["vault_acme_admin_password"],
                        "security_token": secrets["vault_acme_admin_security_token"],
                        "profile": "System Administrator",
                    },
                    {
                        "username": "billing@acme.example",
                        "first_name": "Billing",
                        "last_name": "Integration",
                        "password": secrets["vault_acme_billing_password"],
                        "security_token": secrets["vault_acme_billing_security_token"],
                        "profile": "Standard User",
                    },
                ],
            }
        ]
    }


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def prepare(folder: Path, org: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """A key for the store, and the variables that lead the example to the simulated org."""
    from cryptography.fernet import Fernet

    write_private(folder / "store.key", Fernet.generate_key().decode() + "\n")
    variables = {
        **secrets,
        "example_folder": str(folder),
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
    command = ["ansible-playbook", PLAYBOOK, "-i", EXAMPLE / "inventory.yml", "-e", f"@{folder / 'variables.json'}"]
    done = subprocess.run(
        [*map(str, command), *options],
        cwd=folder,
        env=ansible_environment(ANSIBLE_FORCE_COLOR="true" if sys.stdout.isatty() else "false", **(environment or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if (done.returncode == 0) != ok:
        raise SystemExit(f"{done.stdout}\nthe playbook ended with exit code {done.returncode}")
    return done.stdout


def run_application(folder: Path, ca_path: str) -> str:
    """Start the example application with the environment that was written for it, and nothing else of ours."""
    script = 'set -a; . "$1"; exec "$2" "$3"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(folder / "billing.env"), sys.executable, str(EXAMPLE / "app.py")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": ca_path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the application failed:\n{done.stderr}")
    return done.stdout


def changes(output: str) -> dict[str, int]:
    """How much a run changed on each host, out of Ansible's recap."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", plain, re.MULTILINE)}


def summary(seen: str) -> str:
    """What happened, and what to try next."""
    return f"""
== What happened
   1. Two credentials were logged in with, once each, and stored encrypted in {FOLDER.relative_to(ROOT)}/store.
   2. Three trusted IP ranges were added to the org; the one that was there stayed.
   3. An application that knows nothing of all this read {FOLDER.relative_to(ROOT)}/billing.env and {seen.strip()}.
   4. The same playbook again changed nothing.

== What to try next
   - Point the same playbook at a real org: README.md, "A real org".
   - Look at playbooks/example/inventory.yml; it is all that a user writes.
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
        say("== A simulated org listens at " + org["url"])
        say("$ ansible-playbook playbooks/site.yml -i playbooks/example/inventory.yml --diff")
        say(run_playbook(FOLDER, "--diff"))
        say("== The example application starts with its new credential")
        seen = run_application(FOLDER, org["ca_path"])
        say("   " + seen)
        say("$ ansible-playbook playbooks/site.yml -i playbooks/example/inventory.yml --diff   # again")
        again = run_playbook(FOLDER, "--diff")
        say(again)
    if any(changes(again).values()) or not changes(again):
        raise SystemExit("the second run changed something")
    say(summary(seen))


if __name__ == "__main__":
    main(sys.argv[1:])
