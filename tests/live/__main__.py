# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Developer org or a sandbox what only a real org can answer, and put it back. docs/live.md says how.

Secrets come from the environment (GATEHOUSE_LIVE_PASSWORD and its kin), a vault file, or a prompt.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.collection import enable_collection_imports

enable_collection_imports()

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (  # noqa: E402
    DEFAULT_LOGIN_URL,
    SECRET_FIELDS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import (  # noqa: E402
    GatehouseError,
    OptionError,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.files import (  # noqa: E402
    file_lock,
    replace_file,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import login  # noqa: E402

from .calls import Caller, Refusal  # noqa: E402
from .catalogue import ALL  # noqa: E402
from .journal import Journal, JournalError  # noqa: E402
from .run import WrongOrg, ask_all, check_org  # noqa: E402
from .scene import KINDS, Scene  # noqa: E402
from .undo import restore  # noqa: E402

FIELDS = ("auth", "username", "consumer_key", "instance_url", *SECRET_FIELDS)
ENVIRONMENT = "GATEHOUSE_LIVE_"


class UsageError(Exception):
    """What was given cannot be used."""


class Terminal:
    """The owner at a terminal, or what was allowed beforehand where there is none."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._known = dict.fromkeys(allowed, True)
        self._present = sys.stdin.isatty()

    def allows(self, kind: str) -> bool:
        """Ask once for each kind of change."""
        if kind not in self._known:
            self._known[kind] = self._present and input(f"May I {KINDS[kind]}? [y/N] ").lower() in ("y", "yes")
        return self._known[kind]

    def answer(self, question: str, *, secret: bool = False) -> str | None:
        """Ask a question that no program can answer."""
        if not self._present:
            return None
        return getpass.getpass(f"{question}: ") if secret else input(f"{question}: ")


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{one.name}: {one.text} [{', '.join(one.needs)}]" for one in ALL.values()))
        return 0
    # However it is ended, but by a kill, the org is put back.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_unused: sys.exit(1))
    try:
        return _run(options)
    except (UsageError, WrongOrg, JournalError, GatehouseError, Refusal) as exc:
        print(exc, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    connection = read_connection(options)
    admin = Caller(connection, login(connection))
    org = check_org(admin, options.org)
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = options.folder / f"{org['org']}.jsonl"
    with _locked(path.with_suffix(".lock")):
        journal = Journal(path, org["org"])
        if options.restore:
            problems = restore(admin, journal, time.sleep)
        elif journal.open_entries():
            raise JournalError(f"an earlier run is not put back ({path}): run this with --restore first")
        else:
            problems = _ask(options, admin, journal, org)
        if not journal.open_entries():
            path.unlink()
    print("\n".join(f"NOT PUT BACK: {one}" for one in problems) or "everything is put back")
    return 1 if problems else 0


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        with file_lock(path, seconds=1.0):
            yield
    except TimeoutError:
        raise UsageError("another run in this org is under way") from None


def _ask(options: argparse.Namespace, admin: Caller, journal: Journal, org: dict[str, Any]) -> list[str]:
    scene = Scene(admin, journal, Terminal(options.yes), org_id=org["org"], wait=time.sleep, mail=options.mail)
    report = ask_all(scene, org, only=options.only, say=print)
    for suffix, text in (("json", report.as_json()), ("md", report.as_markdown())):
        path = options.folder / f"{org['org']}.report.{suffix}"
        replace_file(path, text.encode())
        print(path)
    return list(report.problems)


def read_connection(options: argparse.Namespace) -> Connection:
    """Return the administrator's way in: from the environment, a vault file, or a prompt for an open session."""
    given: dict[str, Any] = {
        name: value for name in FIELDS if (value := os.environ.get(f"{ENVIRONMENT}{name.upper()}"))
    }
    if options.vault:
        given |= read_vault(options.vault)
    if not given:
        if not sys.stdin.isatty():
            names = " and ".join(f"{ENVIRONMENT}{name}" for name in ("USERNAME", "PASSWORD"))
            raise UsageError(f"there is no terminal to ask at: give {names}, or --vault")
        given["instance_url"] = input("Address of the org (My Domain): ")
        given["access_token"] = getpass.getpass("Access token (sf org display --verbose): ")
    if "auth" not in given:
        given["auth"] = "session" if "access_token" in given else "security_token"
    reach = {"login_url": options.login_url, "ca_path": options.ca_path, "allowed_hosts": tuple(options.allowed_host)}
    try:
        return Connection(**reach, **given).checked()
    except OptionError as exc:
        if exc.option not in FIELDS:
            raise
        where = f"give {ENVIRONMENT}{exc.option.upper()}, or {exc.option} in the file of --vault"
        raise UsageError(f"{exc}: {where}") from None


def read_vault(path: Path) -> dict[str, str]:
    """Return the fields of a YAML file that ansible-vault has encrypted, and opens."""
    program = Path(sys.executable).parent / "ansible-vault"
    shown = subprocess.run([program, "view", path], stdout=subprocess.PIPE, check=False)
    found = yaml.safe_load(shown.stdout) if shown.returncode == 0 else None
    if not isinstance(found, dict) or set(found) - set(FIELDS):
        raise UsageError(f"{path}: not a vault file with a mapping of some of {', '.join(FIELDS)}")
    return {name: str(value) for name, value in found.items()}


def _parser() -> argparse.ArgumentParser:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument("--org", default="", help="id of the org in which things may be tried; no other is touched")
    parser.add_argument("--login-url", default=DEFAULT_LOGIN_URL, help="where logins go (%(default)s)")
    parser.add_argument("--vault", type=Path, help="YAML file with the administrator's credentials, vault-encrypted")
    parser.add_argument("--mail", default="nobody@example.com", help="address for the mails of the suite's user")
    parser.add_argument("--yes", action="append", default=[], choices=KINDS, help="allow a kind of change unasked")
    parser.add_argument("--only", action="append", default=[], choices=ALL, metavar="NAME", help="ask only this")
    parser.add_argument("--restore", action="store_true", help="undo what a run has left that was killed")
    parser.add_argument("--list", action="store_true", help="show the questions, and what each needs")
    parser.add_argument(
        "--folder", type=Path, default=state / "gatehouse-live", help="for journal and report (%(default)s)"
    )
    parser.add_argument("--ca-path", help="authority to trust, of a test server")
    parser.add_argument(
        "--allowed-host", action="append", default=[], help="host beside Salesforce's own, of a test server"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
