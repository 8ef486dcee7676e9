# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every format in every flow, to the byte: an application's file must not change with the collection.

A change on purpose: C(python -m tests.unit.test_formats_golden) writes formats_golden.txt anew.
"""

from __future__ import annotations

import re
from pathlib import Path

GOLDEN = Path(__file__).with_name("formats_golden.txt")
HEAD = "# SPDX-FileCopyrightText: 2026, the gatehouse.salesforce authors\n# SPDX-License-Identifier: GPL-3.0-or-later\n"


def texts() -> dict[str, str]:
    """The text of each format for each flow, with a password that most must quote."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS
    from tests.format_readers.cases import credential, rendered

    return {
        f"{name}, {auth}": rendered(
            credential(auth) if name == "sfdx_url" else credential(auth, password="Example #1 \u00e9", token="T0ken"),
            name,
        )
        for name, known in FORMATS.items()
        for auth in known.flows
    }


def test_every_format_writes_what_it_always_wrote() -> None:
    parts = re.split(r"^=== (.*)\n", GOLDEN.read_text(), flags=re.MULTILINE)
    # A line break before the next head is the file's, not the text's.
    golden = {name: text.removesuffix("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    assert texts() == golden


if __name__ == "__main__":
    import sys

    from tests.support.processes import COLLECTIONS, link_collection

    link_collection()
    sys.path.insert(0, str(COLLECTIONS))
    GOLDEN.write_text(HEAD + "".join(f"=== {name}\n{text}\n" for name, text in texts().items()))
