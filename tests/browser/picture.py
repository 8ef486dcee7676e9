# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the picture of docs/report.md from what the demo has written: C(python -m tests.browser.picture)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.support.processes import ROOT

REPORT = ROOT / "build" / "demo" / "report" / "report.html"
PICTURE = ROOT / "docs" / "images" / "report.png"


def main() -> None:
    """Open the demo's report in Chromium, and keep what is to be seen of acme."""
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        page = browser.open(REPORT, width=1100, height=1500)
        page.fill("#org", "acme")
        PICTURE.write_bytes(page.picture())


if __name__ == "__main__":
    main()
