# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a run before or after any of its writes: of ansible-playbook with all its workers, or of tasks in this process.

For ansible-playbook the writes are those to the org and every login, those to files below some folders, and each
exchange with a host.
"""

from __future__ import annotations

import functools
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.plays import Playbooks

COUNT, NUMBER, FOLDERS = "KILL_COUNT", "KILL_NUMBER", "KILL_FOLDERS"
FILE_CALLS = ("replace", "rename", "link", "unlink")


def environment(number: int, count: Path, *folders: Path) -> dict[str, str]:
    """Return what a run needs in its environment to be killed.

    Args:
        number: of the moment, from 0 on; the even ones are before a write, the odd ones after it.
        count: a file that is to be as long as moments have passed.
        folders: those whose files count.
    """
    count.write_bytes(b"")
    return {COUNT: str(count), NUMBER: str(number), FOLDERS: os.pathsep.join(map(str, folders))}


def any_call(*_args: Any) -> bool:
    """Count every call."""
    return True


def changes_org(_adapter: Any, request: Any, *_rest: Any) -> bool:
    """Count the requests that may change the org."""
    action = request.headers.get("SOAPAction", "")
    return action in ("deploy", "updateMetadata") or (not action and request.method != "GET")


def _around(call: Callable[..., Any], counts: Callable[..., bool], moment: Callable[[], None]) -> Callable[..., Any]:
    """Return a call before and after which there is a moment to die, where it counts."""

    @functools.wraps(call)
    def stepped(*args: Any, **options: Any) -> Any:
        if not counts(*args):
            return call(*args, **options)
        moment()
        result = call(*args, **options)
        moment()
        return result

    return stepped


def killed_at(
    number: int,
    playbook: Playbooks,
    tasks: Sequence[Mapping[str, Any]],
    calls: Sequence[tuple[Any, str, Callable[..., bool]]],
    **extra: Any,
) -> bool:
    """Run tasks in a process that dies by kill -9 before its call of that number, or just after it.

    Even numbers are before, odd ones after. Returns False when there are fewer calls; raises AssertionError when the
    run fails before it dies.

    Args:
        calls: each with its owner and name, and which of them count.
        extra: further variables of the run.
    """
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the run failed, and was not killed"
        return os.WIFSIGNALED(status)
    left = number

    def moment() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    try:
        for owner, name, counts in calls:
            setattr(owner, name, _around(getattr(owner, name), counts, moment))
        playbook.engine = "direct"  # in this process, where the calls are replaced
        playbook(tasks, **extra)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def arm(given: Mapping[str, str]) -> None:
    """Have this process and those that it forks die at the moment that environment() has set."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import OrgAdapter
    from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.host import HostAction

    run, number = os.getpid(), int(given[NUMBER])
    folders = tuple(f"{folder}/" for folder in given[FOLDERS].split(os.pathsep))

    def moment() -> None:
        descriptor = os.open(given[COUNT], os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b".")
        passed = os.fstat(descriptor).st_size
        os.close(descriptor)
        if passed == number + 1:
            os.killpg(run, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    def in_folders(path: Any, *_rest: Any) -> bool:
        return os.fspath(path).startswith(folders) if isinstance(path, str | os.PathLike) else False

    def writes(adapter: Any, request: Any, *rest: Any) -> bool:
        return changes_org(adapter, request, *rest) or request.headers.get("SOAPAction") == "login"

    for name in FILE_CALLS:
        setattr(os, name, _around(getattr(os, name), in_folders, moment))
    OrgAdapter.send = _around(OrgAdapter.send, writes, moment)  # type: ignore[method-assign]
    HostAction.on_host = _around(HostAction.on_host, any_call, moment)  # type: ignore[method-assign]
