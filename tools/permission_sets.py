# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write permission sets and the README's table out of the table of permissions: C(python -m tools.permission_sets)."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FOLDER = ROOT / "playbooks" / "files" / "permission_sets"
START, END = "| task | permissions | permission set |\n|---|---|---|\n", "\n\n"
LICENCE = """  Copyright (c) 2026, the gatehouse.salesforce authors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later
  Written by tools/permission_sets.py."""


def files() -> dict[Path, str]:
    """Return the metadata of each permission set, by its file."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.permissions.table import (
        REQUIRED,
        SETS,
        TASKS,
    )

    found = {}
    for name, one in SETS.items():
        granted = ""
        for permission in one.permissions:
            tasks = [
                TASKS[task].text.replace("`", "")
                for task in one.tasks
                if any(need.permissions[0] == permission for need in TASKS[task].needs)
            ]
            required_by = [name for name in one.permissions if permission in REQUIRED.get(name, ())]
            if required_by:
                tasks.append(f"required by {', '.join(required_by)}")
            granted += (
                f"    <!-- {escape('; '.join(tasks))} -->\n"
                f"    <userPermissions>\n        <enabled>true</enabled>\n        <name>{permission}</name>\n"
                "    </userPermissions>\n"
            )
        found[FOLDER / f"{name}.permissionset-meta.xml"] = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<!--\n{LICENCE}\n-->\n"
            '<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata">\n'
            f"    <description>{escape(one.description)}</description>\n"
            "    <hasActivationRequired>false</hasActivationRequired>\n"
            f"    <label>{escape(one.label)}</label>\n{granted}</PermissionSet>\n"
        )
    return found


def table() -> str:
    """Return the rows of the README's table."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.permissions.table import (
        LABELS,
        SETS,
        TASKS,
    )

    rows = []
    for task, purpose in TASKS.items():
        texts = []
        for when in dict.fromkeys(need.when for need in purpose.needs):
            labels = ", ".join(f"*{LABELS[need.permissions[0]]}*" for need in purpose.needs if need.when == when)
            texts.append(f"{labels} {when}".rstrip())
        texts += [f"not *{LABELS[name]}*" for name in purpose.excludes]
        if purpose.unless:
            texts.append(f"no {purpose.unless}")
        sets = ", ".join(f"`{name}`" for name, one in SETS.items() if task in one.tasks)
        rows.append(f"| {purpose.text} | {'; '.join(texts)} | {sets or 'none'} |")
    return "\n".join(rows)


def readme() -> str:
    """Return the README with the table as it is to be."""
    before, _start, rest = README.read_text().partition(START)
    _old, _end, after = rest.partition(END)
    return f"{before}{START}{table()}{END}{after}"


def main() -> None:
    """Write them."""
    sys.path.insert(0, str(ROOT))
    from tests.support.collection import enable_collection_imports

    enable_collection_imports()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, content in files().items():
        path.write_text(content)
    README.write_text(readme())


if __name__ == "__main__":
    main()
