# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each task returned, for tests to look at."""

from __future__ import annotations

DOCUMENTATION = """
name: results
type: aggregate
short_description: write the result of each task to the file named by the environment variable TASK_RESULTS
description:
  - Writes a JSON list of dictionaries with task, host, status and result.
"""

import json  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from ansible.plugins.callback import CallbackBase  # noqa: E402


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """See above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results"

    def __init__(self) -> None:
        """Nothing has run yet."""
        super().__init__()
        if "KILL_NUMBER" in os.environ:
            from tests.support.kills import arm

            arm(os.environ)
        self._results: list[dict[str, Any]] = []

    def _note(self, status: str, outcome: Any) -> None:
        name, host = outcome.task.get_name(), outcome.host.get_name()
        self._results.append({"task": name, "host": host, "status": status, "result": outcome.result})

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well."""
        self._note("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._note("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was not run."""
        self._note("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host was not reached."""
        self._note("unreachable", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run has ended."""
        Path(os.environ["TASK_RESULTS"]).write_text(json.dumps(self._results, default=str))
