# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module permission_set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import GatehouseError, OptionError
from ..permissions.apply import SetWriter, read_permission_set
from ..permissions.model import STATES, PermissionSet, known_set, make_plan, read_file, require_api_name
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "src": {"type": "path"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
    "users": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "int", "default": 600},
    **CONNECTION,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make a permission set and its users be as declared."""
    require_api_name(options["name"])
    if options["wait"] < 0:
        raise OptionError("wait", "must not be negative")
    declared = _declared(options)
    org = task.org()
    plan = make_plan(read_permission_set(org, declared.name), declared, options["users"], state=options["state"])
    writer = SetWriter(org, seconds=options["wait"], progress=task.progress)
    user_ids = writer.user_ids(plan)
    if task.check_mode:
        writer.check(plan)
    else:
        try:
            writer.write(plan, user_ids)
        except GatehouseError as exc:
            exc.result = {**exc.result, "changed": bool(writer.done), "done": writer.done}
            raise
    return {
        "changed": plan.changed,
        "diff": plan.diff,
        "permission_set": plan.after.summary() if plan.after else {},
    }


def _declared(options: Mapping[str, Any]) -> PermissionSet:
    name, src = options["name"], options["src"]
    if options["state"] == "absent":
        return PermissionSet(name=name, label=name)
    if not src:
        return known_set(name)
    try:
        content = Path(src).read_text("utf-8")
    except OSError as exc:
        raise OptionError("src", f"{src} cannot be read: {exc.strerror}") from None
    except ValueError:
        raise OptionError("src", f"{src} is not text in UTF-8") from None
    return read_file(name, src, content)
