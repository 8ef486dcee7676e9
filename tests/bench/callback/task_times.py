# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took, from its start to the start of what comes next."""

from __future__ import annotations

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: write the time of each task to the file named by the environment variable TASK_TIMES
description:
  - Writes a JSON list of pairs, task name and seconds.
"""

import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from ansible.plugins.callback import CallbackBase  # noqa: E402


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """See above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def __init__(self) -> None:
        """Nothing has run yet."""
        super().__init__()
        self._starts: list[tuple[str, float]] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins, so the one before has ended."""
        self._starts.append((task.get_name(), time.perf_counter()))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run has ended."""
        ends = [start for _name, start in self._starts[1:]] + [time.perf_counter()]
        times = [(name, end - start) for (name, start), end in zip(self._starts, ends, strict=True)]
        Path(os.environ["TASK_TIMES"]).write_text(json.dumps(times))
