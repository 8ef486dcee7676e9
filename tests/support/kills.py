# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a run of ansible-playbook, with all its workers, before or after any of its writes.

The writes are those to the org and every login, those to files below some folders, and each exchange with a host.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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

    def around(call: Callable[..., Any], counts: Callable[..., bool]) -> Callable[..., Any]:
        @functools.wraps(call)
        def stepped(*args: Any, **options: Any) -> Any:
            if not counts(*args):
                return call(*args, **options)
            moment()
            result = call(*args, **options)
            moment()
            return result

        return stepped

    def in_folders(path: Any, *_rest: Any) -> bool:
        return os.fspath(path).startswith(folders) if isinstance(path, str | os.PathLike) else False

    def writes(_adapter: Any, request: Any, *_rest: Any) -> bool:
        action = request.headers.get("SOAPAction", "")
        return action in ("deploy", "updateMetadata", "login") or (not action and request.method != "GET")

    for name in FILE_CALLS:
        setattr(os, name, around(getattr(os, name), in_folders))
    OrgAdapter.send = around(OrgAdapter.send, writes)  # type: ignore[method-assign]
    HostAction.on_host = around(HostAction.on_host, lambda *_args: True)  # type: ignore[method-assign]
