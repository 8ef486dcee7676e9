# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event sources: from a reset to the application by the real ansible-rulebook, kills, and what idling costs."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from cryptography.fernet import Fernet

from tests.support.dovecot import Absent, dovecot
from tests.support.processes import COLLECTIONS, write_private

KILLS, IDLE_SECONDS = 50, 20.0
AIMS = {"seconds_from_reset_to_application": "below 15", "events_lost_in_50_kills": "0"}


def measure() -> dict[str, float]:
    """Measure all; without a mail server, only the kills."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_private(folder / "store.key", Fernet.generate_key().decode() + "\n")
        store = {"store": str(folder / "store"), "store_key_file": str(folder / "store.key")}
        figures = _kills(folder, store)
        try:
            with dovecot() as server:
                figures |= _idle(store, server) | _reset(folder, server)
        except Absent as exc:
            print(f"without a mailbox: {exc}")
    return figures


def _kills(folder: Path, store: dict[str, str]) -> dict[str, float]:
    """Kill the process of a source at random moments; count its events by what their action has written."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source
    from tests.unit.test_events import Counting, _Written, counting

    log, moments = folder / "events.txt", random.Random(14)
    for _kill in range(KILLS):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                asyncio.run(run_source(counting(Counting()), _Written(log), store))
            os._exit(1)
        time.sleep(moments.uniform(0.05, 0.4))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    lines = [ast.literal_eval(line) for line in log.read_text().splitlines() if line.endswith(")")]
    numbers = {number for number, _again in lines}
    new = [number for number, again in lines if not again]
    return {
        "events_lost_in_50_kills": max(numbers) - len(numbers),
        "events_twice_unmarked_in_50_kills": len(new) - len(set(new)),
        "events_in_50_kills": len(numbers),
    }


def _idle(store: dict[str, str], server: object) -> dict[str, float]:
    """Let security_token_mail wait for mails that do not come."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events import security_token_mail
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.events.source import run_source
    from tests.support.rotations import mailbox_option

    mailbox = mailbox_option(server, "idle@acme.example")  # type: ignore[arg-type]
    os.environ["GATEHOUSE_MAILBOX_PASSWORD"] = mailbox.pop("password")

    async def idle() -> float:
        source = security_token_mail.SECURITY_TOKEN_MAIL
        task = asyncio.create_task(run_source(source, asyncio.Queue(), {**store, "mailbox": mailbox}))
        await asyncio.sleep(5)
        begun = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        used = time.process_time() - begun
        task.cancel()
        return 100 * used / IDLE_SECONDS

    return {"idle_cpu_percent": asyncio.run(idle())}


def _reset(folder: Path, server: object) -> dict[str, float]:
    """From a person's click in Setup to the file of the application, and what of it passes until Ansible begins."""
    from tests.rulebooks.applications import application, mailbox_environment
    from tests.rulebooks.runner import RULEBOOKS, run_rulebook
    from tests.support.rotations import USER, scene

    (folder / "reset").mkdir()
    with scene(folder / "reset", server) as made:  # type: ignore[arg-type]
        file = application(made)
        options = ("--vars", str(made.folder / "variables.yml"))
        variables = mailbox_environment(made)
        with run_rulebook(made.folder, RULEBOOKS / "take_token.yml", *options, variables=variables) as running:
            running.wait_for(lambda it: "begins to watch" in it.output)
            begun = time.monotonic()
            token = made.control.reset_token(USER)
            running.wait_for(lambda it: "'kind': 'security_token_mail'" in it.output)
            seen = time.monotonic() - begun
            running.wait_for(lambda _it: file.exists() and token in file.read_text())
            return {
                "seconds_from_reset_to_event": seen,
                "seconds_from_reset_to_application": time.monotonic() - begun,
            }


if __name__ == "__main__":
    print(measure())
