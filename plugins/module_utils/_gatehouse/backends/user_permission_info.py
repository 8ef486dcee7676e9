# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module user_permission_info."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import OptionError, OrgError
from ..org.client import Org
from ..org.queries import find_user, permission_givers_by_name, read_user
from ..permissions.check import Givers, check_task, names_for, problems_of
from ..permissions.table import LABELS, TASKS
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {
    "users": {"type": "list", "elements": "str", "default": []},
    "tasks": {"type": "list", "elements": "str", "choices": list(TASKS), "default": list(TASKS)},
    **CONNECTION,
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Return what users lack for tasks."""
    org = task.org()
    tasks = list(dict.fromkeys(options["tasks"]))
    described, problems = [], []
    for username in [_require_user(org, name) for name in options["users"]] or [_own_username(org)]:
        givers, problem = _read_givers(org, username, names_for(tasks))
        described.append(_describe(username, tasks, givers))
        problems.append(problem)
    return {"changed": False, "users": described, "warnings": list(dict.fromkeys(filter(None, problems)))}


def _describe(username: str, tasks: Sequence[str], givers: Givers) -> dict[str, Any]:
    found = [check_task(one, givers) for one in tasks]
    return {
        "user": username,
        "permissions": [
            {"name": name, "label": LABELS[name], "granted": None if by is None else bool(by), "granted_by": by or []}
            for name, by in givers.items()
        ],
        "tasks": found,
        "problems": [problem for one in found for problem in problems_of(one)],
    }


def _require_user(org: Org, username: str) -> str:
    found = find_user(org, username)
    if found is None:
        raise OptionError("users", f"{username!r} is not a user of this org, or cannot be seen")
    return found.username


def _own_username(org: Org) -> str:
    user_id = org.with_session(lambda _transport, session, _version: session.user_id)
    user = read_user(org, user_id) if user_id else None
    if user is None:
        raise OptionError("users", "is required, as the org does not show which user is logged in")
    return user.username


def _read_givers(org: Org, username: str, names: Sequence[str]) -> tuple[dict[str, list[str] | None], str]:
    """Return what gives the user each permission, None where the org does not say it; and why it does not."""
    try:
        return dict(permission_givers_by_name(org, username, names)), ""
    except OrgError as exc:
        if "INVALID_FIELD" not in str(exc) and "INVALID_TYPE" not in str(exc):
            raise
        problem = exc
    givers: dict[str, list[str] | None] = dict.fromkeys(names)
    if "INVALID_FIELD" not in str(problem):
        return givers, f"{problem}; give the user of the task the permission '{LABELS['ViewSetup']}'"
    for name in names:  # of an older release, which lacks one of them
        try:
            givers |= permission_givers_by_name(org, username, [name])
        except OrgError as exc:
            if "INVALID_FIELD" not in str(exc):
                raise
    unknown = [LABELS[name] for name, by in givers.items() if by is None]
    return givers, f"the org does not have the permission {', '.join(unknown)}"
