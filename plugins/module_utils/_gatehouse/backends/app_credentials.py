# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role app_credentials on one host."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..credentials.deliveries import FILE
from ..delivery.applications import Application, Open, add, on_standby, record, to_roll_back, write
from ..delivery.consumer import Host
from ..delivery.deliver import learn_secrets, prepare
from ..delivery.target import SERVICES, Target
from ..errors import GatehouseError
from ..libraries import require_parts
from ..masking import Secrets
from ..task.context import Task
from ..task.options import STORE, Spec
from ..text import escape_controls
from .app_credential import ITEM, open_consumer

APPLICATION: Spec = {
    **{name: option for name, option in ITEM.items() if name != "state"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "notify": {"type": "list", "elements": "str"},
    "target": {"type": "str", "choices": [FILE, *SERVICES], "default": FILE},
    "target_options": {"type": "dict", "default": {}},
    "key": {"type": "str"},
    "restart": {"type": "list", "elements": "str", "default": []},
    "tasks": {"type": "str"},
}
SPEC: Spec = {
    "step": {
        "type": "str",
        "choices": ["list", "wait", "write", "compare", "open", "prepare", "finish", "record", "roll_back"],
        "required": True,
    },
    "hosts": {"type": "list", "elements": "str", "default": []},
    "written": {"type": "dict", "default": {}},
    "pending": {"type": "dict", "default": {}},
    "planned": {"type": "dict", "default": {}},
    "mark": {"type": "str"},
    "problem": {"type": "str"},
    "failed_topics": {"type": "list", "elements": "str", "default": []},
    "refused": {"type": "list", "elements": "str", "default": []},
    **STORE,
}
_SECRET_OPTION = re.compile("token|secret|pass|pwd|key|jwt|contents|credential|authorization", re.IGNORECASE)
MAX_PROBLEM = 1000  # characters of what a module of others says


def read_application(item: Mapping[str, Any]) -> Application:
    """Read a validated item of the role's list; raises OptionError."""
    topics = item["notify"]
    return Application(target=Target.read(item), topics=None if topics is None else tuple(topics))


def require_service(application: Application, *, keeps_files: bool) -> None:
    """Raise GatehouseError naming what is missing on the controller for the service of an application.

    Args:
        keeps_files: whether Ansible keeps what it sends to modules in files.
    """
    service = application.target.service
    if service and keeps_files:
        raise GatehouseError(
            "the secret would be left in a file, as ANSIBLE_KEEP_REMOTE_FILES is set; nothing was sent"
        )
    if service and service.collection:
        require_parts(f"target {application.target.kind}", service.collection, service.packages)


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
    written = options["written"]
    entries = written.get("targets", [])
    if options["step"] == "open":
        return {"changed": False, "opened": _open(applications, written["pending"])}
    if options["step"] in ("prepare", "finish"):
        application = _pending(applications, options["pending"])
        if options["step"] == "prepare":
            return {"changed": False, **_prepare(application, opened, options["mark"])}
        return _finish(application, opened, task.secrets, options)
    if options["step"] == "record":
        texts = record(entries, written.get("problems", []), options["failed_topics"], opened, task.secrets.mask)
        if texts:
            raise GatehouseError("\n".join(texts))
        return {"changed": False}
    if options["step"] == "roll_back":
        applications = to_roll_back(applications, entries, options["failed_topics"], options["refused"])
        problems = []
    result = write(applications, opened, task.secrets.mask)
    result["problems"] = [*map(task.secrets.mask, problems), *result["problems"]]
    idle = not any(result[name] for name in ("changed", "pending", "topics", "restarts", "problems"))
    return {**result, "idle": idle}


def _open(applications: Sequence[Application], pending: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the file of tasks for each pending target and what it gets, which may be secret, by place."""
    targets = (_pending(applications, entry).target for entry in pending)
    return {
        target.place: {
            "tasks": target.tasks or f"targets/{target.kind}.yml",
            "item": {
                "credential": target.credential,
                "dest": target.dest,
                "options": target.options,
                "restart": list(target.restarts),
            },
        }
        for target in targets
    }


def _pending(applications: Sequence[Application], entry: Mapping[str, Any]) -> Application:
    """Return the application of an entry that an earlier step has returned."""
    application = next((each for each in applications if each.target.place == entry.get("place")), None)
    if application is None:
        raise GatehouseError(f"{entry.get('place')} is not in the list of this host any more")
    return on_standby(application) if entry["standby"] else application


def _prepare(application: Application, opened: Open, mark: str | None) -> dict[str, Any]:
    if mark is None:
        raise GatehouseError("its tasks have not set app_credentials_version when they were to read it")
    return prepare(opened(application.target, application.restart), mark)


def _finish(application: Application, opened: Open, secrets: Secrets, options: Mapping[str, Any]) -> dict[str, Any]:
    problem = options["problem"]
    if problem is not None:
        # Modules of others may quote anything that they were given.
        secrets.add(*_secret_texts(application.target.options))
        learn_secrets(opened(application.target, application.restart))
        problem = escape_controls(secrets.mask(problem))[:MAX_PROBLEM]
    return add(
        options["written"],
        application,
        opened,
        secrets.mask,
        planned=options["planned"],
        mark=options["mark"] or "",
        problem=problem,
    )


def _secret_texts(value: Any, *, secret: bool = False) -> Iterator[str]:
    """Return the texts in options, however deep, whose names or whose parents' names are those of secrets."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _secret_texts(member, secret=secret or bool(_SECRET_OPTION.search(str(name))))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _secret_texts(member, secret=secret)
    elif secret:
        yield str(value)
