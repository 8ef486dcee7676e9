# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the simulated orgs in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from . import seed
from .org import SimulatedOrg


def write_ready_file(path: Path, sim: SimulatedOrg) -> None:
    """Whole or not at all, and for its owner only: it holds the control token."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(sim.ready_info(os.getpid()), file, indent=2)
    temporary.replace(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulated_org", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the CA and certificate files go")
    parser.add_argument("--ready-file", type=Path, help="JSON file that appears when the server is listening")
    parser.add_argument("--seed", type=Path, help="orgs and users, JSON or YAML")
    parser.add_argument("--address", action="append", help="loopback address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    parser.add_argument("--threads", type=int, default=16, help="worker threads of each listener")
    parser.add_argument("--mail-server", default="", help="where mails go: lmtp://HOST:PORT or smtp://HOST:PORT")
    options = parser.parse_args(arguments)

    # Blocked before any thread starts, so that the signal waits for sigwait below.
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    sim = SimulatedOrg(
        seed.load(options.seed) if options.seed else None,
        folder=options.folder,
        addresses=options.address or ["127.0.0.1"],
        port=options.port,
        threads=options.threads,
        mail_server=options.mail_server,
    )
    with sim:
        if options.ready_file:
            write_ready_file(options.ready_file, sim)
        print(f"simulated org at {sim.url}, control at {sim.control_url}", file=sys.stderr, flush=True)
        signal.sigwait(stop_signals)
    if options.ready_file:
        options.ready_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
