# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let tasks that change one list of an org take turns, so that none overwrites what another has just written.

Without a turn nothing is lost that the audit trail shows; turns make sure of it, whatever it shows.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import GatehouseError
from ..files import file_lock


class Turns:
    """The turns of one task on one controller, and among controllers where they share a lock."""

    def __init__(self, run_folder: Path, lease: Callable[[str], AbstractContextManager[object]] | None = None) -> None:
        """Take turns by lock files of the user, whatever run, login or store a task is of, and by a lease.

        Args:
            run_folder: where to lock when nothing can be locked for all runs of the user.
            lease: locks a name for all controllers; None where there is nothing that they share.
        """
        self._run_folder = run_folder
        self._lease = lease

    @contextlib.contextmanager
    def on_controller(self, org_id: str, kind: str) -> Iterator[None]:
        """Wait for the user's other tasks on this controller on lists of one kind in one org, and make them wait."""
        name = f"{_name(org_id, kind)}.lock"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_lock_in(_user_folder(), name))
            except (OSError, RuntimeError):
                stack.enter_context(_lock_in(self._run_folder / "turns", name))
            yield

    def among_controllers(self, org_id: str, kind: str) -> AbstractContextManager[object] | None:
        """Return the lease of lists of one kind in one org; None where controllers share no lock."""
        return None if self._lease is None else _or_without(self._lease(_name(org_id, kind)))


def _user_folder() -> Path:
    """Return the same folder for all runs of a user; raises RuntimeError where there is no home."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "gatehouse" / "turns"


def _lock_in(folder: Path, name: str) -> AbstractContextManager[None]:
    """Return the lock of a name in a folder, which is made; raises OSError when others could take part in it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    return file_lock(folder / name)


@contextlib.contextmanager
def _or_without(lease: AbstractContextManager[object]) -> Iterator[None]:
    """Hold a lease, or go on without one that cannot be had: what others do meanwhile is merged all the same."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(GatehouseError):
            stack.enter_context(lease)
        yield


def _name(org_id: str, kind: str) -> str:
    return f"ranges-{hashlib.sha256(f'{org_id} {kind}'.encode()).hexdigest()[:32]}"
