# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a user lacks for which tasks. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .table import LABELS, TASKS, Need

# Who gives a permission, by its name; None where it is not known whether the user has it.
Givers = Mapping[str, "list[str] | None"]


def names_for(tasks: Collection[str]) -> list[str]:
    """Return the names of all permissions that these tasks are about."""
    wanted = {name for task in tasks for need in TASKS[task].needs for name in need.permissions}
    return sorted(wanted.union(*(TASKS[task].excludes for task in tasks)))


def check_task(task: str, givers: Givers) -> dict[str, Any]:
    """Return what is amiss for one task."""
    purpose = TASKS[task]
    amiss = [need for need in purpose.needs if _lacks(need, givers) is True]
    return {
        "task": task,
        "missing": [need.text for need in amiss if not need.when],
        "conditional": [{"permission": need.text, "when": need.when} for need in amiss if need.when],
        "prevented_by": [LABELS[name] for name in purpose.excludes if givers.get(name)],
        "unknown": [need.text for need in purpose.needs if _lacks(need, givers) is None],
    }


def problems_of(checked: Mapping[str, Any]) -> list[str]:
    """Return what C(check_task) has returned as texts, each of which begins with the task; none if it can be done."""
    problems = {"needs": checked["missing"], "is prevented by": checked["prevented_by"]}
    return [f"{checked['task']} {verb} {', '.join(labels)}" for verb, labels in problems.items() if labels]


def _lacks(need: Need, givers: Givers) -> bool | None:
    """Whether a user lacks all that would do; None where that is not known."""
    found = [givers.get(name) for name in need.permissions]
    if any(found):
        return False
    return None if None in found else True
