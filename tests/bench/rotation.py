# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation costs beside the mail that it waits for, and how many of its deaths it survives."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.simulated_org import SimulatedOrg
from tests.support import key_rotations
from tests.support.dovecot import dovecot
from tests.support.plays import Playbooks
from tests.support.rotations import Scene, kill_at_random, rotations_in_use, scene

KILLS = 200
RUNS = 5
MAIL_DELAY = 1.0
ROTATIONS = 10
AIMS = {
    "kills_survived": f"{KILLS} of {KILLS}",
    f"failed_logins_in_{ROTATIONS}_rotations": "0",
    f"failed_logins_in_{ROTATIONS}_key_rotations": "0",
}


def measure() -> dict[str, float]:
    """The figures."""
    with (
        tempfile.TemporaryDirectory(prefix="rotation-") as name,
        dovecot() as server,
        scene(Path(name), server) as there,
    ):
        seconds, requests = _costs(there)
        _killed, survived = kill_at_random(there, KILLS, longest=0.6, seed=2026)
        with SimulatedOrg(mail_server=f"lmtp://127.0.0.1:{server.lmtp_port}") as org:
            (folder := Path(name) / "pair").mkdir()
            application = rotations_in_use(Playbooks(folder, org), org, server, pair=True, rotations=ROTATIONS)
        return {
            "rotation_seconds_beyond_mail": seconds,
            "rotation_requests": requests,
            "kills_survived": survived,
            f"logins_in_{ROTATIONS}_rotations": application.logins,
            f"failed_logins_in_{ROTATIONS}_rotations": application.failed,
            **_keys(Path(name)),
        }


def _keys(folder: Path) -> dict[str, float]:
    """Logins while keys of two apps and staged secrets are renewed and delivered, and requests of one renewal each."""
    figures: dict[str, float] = {}
    applications = []
    for kind, row in (("two apps", "key_rotation_requests"), ("a secret", "secret_rotation_requests")):
        (place := folder / kind.replace(" ", "-")).mkdir()
        with SimulatedOrg() as org:
            playbook = Playbooks(place, org)
            key_rotations.prepare(org)
            applications.append(key_rotations.rotations_in_use(playbook, org, kind, rotations=ROTATIONS))
            org.control.clear_requests()
            playbook([key_rotations.RENEWALS[kind]])
            figures[row] = len(org.control.requests())
    return {
        f"logins_in_{ROTATIONS}_key_rotations": sum(one.logins for one in applications),
        f"failed_logins_in_{ROTATIONS}_key_rotations": sum(one.failed for one in applications),
        **figures,
    }


def _costs(there: Scene) -> tuple[float, float]:
    """Seconds of a rotation beyond those in which its mail was on the way, and requests that the org received."""
    there.control.set_mail(delay=MAIL_DELAY)
    there.run(force=True)
    there.control.clear_requests()
    seconds = []
    for _run in range(RUNS):
        started = time.perf_counter()
        there.run(force=True)
        seconds.append(time.perf_counter() - started - MAIL_DELAY)
    requests = len(there.control.requests()) / RUNS
    there.control.set_mail(delay=0)
    return statistics.median(seconds), requests
