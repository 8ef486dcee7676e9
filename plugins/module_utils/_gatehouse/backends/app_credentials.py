# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role app_credentials on one host."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ..delivery.applications import Application, record, to_roll_back, write
from ..delivery.consumer import Host
from ..delivery.options import FileOptions
from ..errors import GatehouseError
from ..task.context import Task
from ..task.options import STORE, Spec
from .app_credential import ITEM, open_consumer

APPLICATION: Spec = {
    **{name: option for name, option in ITEM.items() if name != "state"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "notify": {"type": "list", "elements": "str"},
}
SPEC: Spec = {
    "step": {"type": "str", "choices": ["list", "write", "record", "roll_back"], "required": True},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "written": {"type": "dict", "default": {}},
    "failed_topics": {"type": "list", "elements": "str", "default": []},
    "refused": {"type": "list", "elements": "str", "default": []},
    **STORE,
}


def read_application(item: Mapping[str, Any]) -> Application:
    """Read a validated item of the role's list; raises OptionError."""
    topics = item["notify"]
    return Application(file=FileOptions.read(item), topics=None if topics is None else tuple(topics))


def run(
    options: Mapping[str, Any],
    task: Task,
    *,
    applications: Sequence[Application],
    problems: Sequence[str],
    host: str,
    ask: Host,
) -> dict[str, Any]:
    """Run one step.

    Args:
        applications: those of the host.
        problems: why others of its list cannot be used.
        host: its name in the inventory.
        ask: has the host do its part.
    """
    opened = functools.partial(open_consumer, task=task, host=host, ask=ask)
    entries = options["written"].get("files", [])
    if options["step"] == "record":
        found = options["written"].get("problems", [])
        texts = record(entries, found, options["failed_topics"], opened, task.secrets.mask)
        if texts:
            raise GatehouseError("\n".join(texts))
        return {"changed": False}
    if options["step"] == "roll_back":
        applications = to_roll_back(applications, entries, options["failed_topics"], options["refused"])
        problems = []
    result = write(applications, opened, task.secrets.mask)
    return {**result, "problems": [*map(task.secrets.mask, problems), *result["problems"]]}
