# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the page of the playbooks' variables, out of their argument specs: C(python -m tools.playbooks_page)."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "playbooks.md"
SPECS = sorted((ROOT / "playbooks").glob("*.meta.yml"))

INTRODUCTION = """# The variables of the playbooks

<!-- Written by tools/playbooks_page.py from playbooks/*.meta.yml; change those and run it again. -->

Set them by `-e`, in the inventory, or in a playbook of your own that imports these. A value of the wrong type and one
that is required and missing fail before anything is done. So does a misspelt name, such as `rotate_maxage`: the error
names the nearest variable. Variables of the roles are in `ansible-doc -t role`, and `gatehouse_salesforce_NAME` sets
the option `NAME` of every module; their names are checked, too.

`site` has the variables of the roles `credentials`, `network_access` and `app_credentials` and those of
[deliver](#deliver). `network_access` has those of its role. `sweep` has none.
"""


def page() -> str:
    """Return the whole page."""
    return INTRODUCTION + "".join(map(_section, SPECS))


def _section(path: Path) -> str:
    ((name, spec),) = yaml.safe_load(path.read_text())["argument_specs"].items()
    about = textwrap.fill(_plain(" ".join([f"{spec['short_description']}.", *spec["description"]])), 120)
    rows: list[tuple[str, ...]] = [("variable", "what it is", "type", "default"), ("---",) * 4]
    rows += [_row(option, known) for option, known in spec["options"].items()]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"\n## {name}\n\n{about}\n\n{table}"


def _row(option: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    description = known["description"]
    text = _plain(description if isinstance(description, str) else " ".join(description))
    if "choices" in known:
        text += f" One of {', '.join(f'`{choice}`' for choice in known['choices'])}."
    kind = "any" if known["type"] == "raw" else known["type"]
    given = known.get("default")
    default = f"`{given if isinstance(given, str) else json.dumps(given)}`" if "default" in known else ""
    return (f"`{option}`", text, kind, "**required**" if known.get("required") else default)


def _plain(text: str) -> str:
    """Return Ansible's markup as Markdown."""
    text = re.sub(r"\bO\((?:[\w.]+#module:)(\w+)\)", r"the option `\1`", text)
    text = re.sub(r"\bO\(\w+:(\w+)\)", r"`\1`", text)
    text = re.sub(r"\bP\(([\w.]+)#\w+\)", r"`\1`", text)
    return re.sub(r"\b[CVM]\(([^)]*)\)", r"`\1`", text)


def main() -> None:
    """Write it."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
