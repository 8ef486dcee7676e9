# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an application its credential, and note down which version it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..credentials.deliveries import consumer_of
from ..delivery.consumer import Consumer, Host
from ..delivery.deliver import _forget, _require_usable, ensure_absent, ensure_present, record_restart
from ..host.app_file import FILE
from ..task.context import Task
from ..task.options import STORE, Spec

# The path is one of the host, where it is expanded.
SPEC: Spec = {**FILE, "dest": {"type": "str", "required": True}, **STORE}


def run(options: Mapping[str, Any], task: Task, *, host: str, ask: Host) -> dict[str, Any]:
    """Bring the file of one application on one host into the state that the options name.

    Args:
        host: its name in the inventory.
        ask: has the host do its part.
    """
    _require_usable(options)
    store, name = task.store, consumer_of(host, options["dest"])
    before = store.deliveries(options["credential"]).get(name)
    consumer = Consumer(name=name, options=options, store=store, before=before, ask=ask)
    ensure = {
        "absent": ensure_absent,
        "forgotten": _forget,
        "present": ensure_present,
        "restarted": record_restart,
    }
    return ensure[options["state"]](consumer, task)
