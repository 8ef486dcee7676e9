# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module oauth_key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..auth.connection import Connection
from ..durations import parse_duration
from ..errors import OptionError
from ..oauth_app.apply import AppWriter
from ..oauth_app.consumer_secret import SecretReader
from ..org.login import login
from ..org.sessions import LogIn
from ..rotation.oauth_key import KeyOptions, KeyTools, ensure_key_age
from ..task.context import Task
from ..task.options import CONNECTION, Spec
from ..verification.verify import Verifier

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "max_age": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": False},
    "apps": {"type": "list", "elements": "str", "default": []},
    "valid_days": {"type": "int", "default": 365},
    "wait": {"type": "int", "default": 600},
    **CONNECTION,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make the key or app's secret of a stored credential young enough."""
    wanted = KeyOptions(
        apps=tuple(dict.fromkeys(options["apps"])),
        max_age=parse_duration(options["max_age"], "max_age") if options["max_age"] else None,
        force=options["force"],
        verify=options["verify"],
        valid_days=options["valid_days"],
    )
    if options["wait"] < 0:
        raise OptionError("wait", "must not be negative")
    task.require_stored(options["name"])
    org = task.org()
    writer = AppWriter(org, seconds=options["wait"], progress=task.progress)

    def secrets() -> SecretReader:
        folder = task.store.local_folder
        if folder is None:
            raise OptionError("store", "nothing can be written on this machine beside it, where a journal is needed")
        return SecretReader(org, folder, seconds=options["wait"], progress=task.progress)

    def log_in_by(log_in: LogIn) -> Callable[[Connection], object]:
        verifier = Verifier(task.sessions, lambda _user: org, task.secrets, log_in=log_in)
        return lambda connection: verifier.login(task.with_limits(connection), retry_refused=True)

    tools = KeyTools(writer=writer, secrets=secrets, log_in=log_in_by(writer.log_in), verify=log_in_by(login))
    return dataclasses.asdict(ensure_key_age(task.store, options["name"], wanted, tools, check_mode=task.check_mode))
