# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an application its credential, and record which version its file contains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..delivery.consumer import Consumer, Host
from ..delivery.deliver import deliver
from ..delivery.target import Target
from ..host.app_file import FILE
from ..task.context import Task
from ..task.options import STORE, Spec

# The path is one of the host, where it is expanded.
ITEM: Spec = {**FILE, "dest": {"type": "str", "required": True}}
SPEC: Spec = {**ITEM, **STORE}


def run(options: Mapping[str, Any], task: Task, *, host: str, ask: Host) -> dict[str, Any]:
    """Bring the file of one application on one host into the state that the options name.

    Args:
        host: its name in the inventory.
        ask: has the host do its part.
    """
    return deliver(open_consumer(Target.read(options), False, task, host=host, ask=ask))


def open_consumer(target: Target, restart: bool | None, task: Task, *, host: str, ask: Host) -> Consumer:
    """Look up what was delivered to a target of a host, as a task that may deliver to it."""
    return Consumer.open(
        target,
        host=host,
        store=task.store,
        ask=ask,
        check_mode=task.check_mode,
        secrets=task.secrets,
        restart=restart,
    )
