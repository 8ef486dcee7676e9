# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report on many orgs beside their ranges in the same run, its requests and size, and the page in a browser."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import orgs
from tests.browser.chromium import Browser, chromium
from tests.format_readers.install import Absent
from tests.simulated_org import Control
from tests.support.collection import enable_collection_imports
from tests.support.processes import ansible_environment

AIMS = {
    "report_500_orgs_mib": "under 15",
    "report_500_orgs_interactive_seconds": "under 2",
}
ROUNDS = 3
LOGINS = 50_000
DEST = orgs.FOLDER / "report"


def measure() -> dict[str, float]:
    """All figures, each the median of some rounds."""
    return {**_measure_run(), **_measure_page()}


def _measure_run() -> dict[str, float]:
    """The role network_access unchanged on 50 orgs, and the role report on them; then one org with many logins."""
    plays = [
        {"hosts": "all", "gather_facts": False, "roles": ["gatehouse.salesforce.network_access"]},
        {
            "hosts": "all",
            "gather_facts": False,
            "roles": [{"role": "gatehouse.salesforce.report", "vars": {"report_dest": str(DEST)}}],
        },
    ]
    with orgs.many_orgs(orgs.NAMES) as simulated:
        orgs.run_plays(plays * (1 + ROUNDS))
        rounds = _rounds(json.loads((orgs.FOLDER / "times.json").read_text()))
        found = json.loads((DEST / "report.json").read_text())
        requests = statistics.median(org["access"]["requests"] for org in found["orgs"])
        peak = _peak_with_many_logins(simulated)
    # The first round opens the sessions.
    declare, report = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    return {
        "report_50_orgs_seconds": report,
        "report_50_orgs_to_orgs_50": report / declare,
        "report_requests_an_org": requests,
        "report_50000_logins_peak_mib": peak,
    }


def _rounds(times: list[tuple[str, float]]) -> list[list[float]]:
    """Return the seconds of both roles in each round; the report ends with a task of its own."""
    rounds, last = [[0.0, 0.0]], False
    for task, seconds in times:
        is_report = task.startswith("gatehouse.salesforce.report :") or "report :" in task
        if last and not is_report:
            rounds.append([0.0, 0.0])
        rounds[-1][is_report] += seconds
        last = is_report
    return rounds


def _peak_with_many_logins(simulated: dict[str, Any]) -> float:
    """MiB of the largest process of a run on one org, all of whose logins come from other addresses."""
    name = orgs.NAMES[0]
    rows = [
        {"username": f"admin@{name}.example", "source_ip": f"30.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        for number in range(LOGINS)
    ]
    Control(simulated["control_url"], simulated["control_token"]).add_logins(rows)
    command = ["ansible-playbook", "playbook.json", "-i", "inventory.json", "-e", "@variables.json", "--limit", name]
    play = {"hosts": "all", "gather_facts": False, "roles": ["gatehouse.salesforce.report"]}
    (orgs.FOLDER / "playbook.json").write_text(json.dumps([{**play, "vars": {"report_dest": f"{DEST}-one"}}]))
    with (orgs.FOLDER / "output.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=orgs.FOLDER, env=ansible_environment(), stdout=output)
        _pid, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the report failed: {(orgs.FOLDER / 'output.txt').read_text()[-2000:]}")
    return usage.ru_maxrss / 1024


def _measure_page() -> dict[str, float]:
    """The page of 500 orgs with 50,000 sources of logins: its size, until it can be used, and to find rows in it."""
    enable_collection_imports()
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.report.render import to_html
    from tests.support.reports import invent_report

    orgs.FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = orgs.FOLDER / "report.html"
    started = time.perf_counter()
    file.write_text(to_html(invent_report(499, 101)))
    figures = {
        "report_500_orgs_make_seconds": time.perf_counter() - started,
        "report_500_orgs_mib": file.stat().st_size / 2**20,
    }
    try:
        with chromium(orgs.FOLDER) as browser:
            opened, found = zip(*(_open_and_find(browser, file) for _round in range(ROUNDS)), strict=True)
    except Absent as exc:
        print(f"no browser, NOT MEASURED: {exc}", file=sys.stderr)
        return figures
    return {
        **figures,
        "report_500_orgs_interactive_seconds": statistics.median(opened),
        "report_500_orgs_find_seconds": statistics.median(found),
    }


def _open_and_find(browser: Browser, file: Path) -> tuple[float, float]:
    """Return the seconds until the page shows rows and takes input, and those to find rows among all logins."""
    started = time.perf_counter()
    page = browser.open(file)
    page.wait("document.querySelector('#table tbody tr') !== null && document.querySelector('#days svg') !== null")
    opened = time.perf_counter() - started
    page.click("#tab-logins")
    started = time.perf_counter()
    page.fill("#words", "org217 soap_login")
    found = time.perf_counter() - started
    page.close()
    return opened, found
