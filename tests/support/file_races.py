# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of an application races against root, who writes a file in that user's folder.

A process of another user waits by inotify for whatever root makes in the folder and swaps it by C(renameat2) for a trap
that leads to a file of root's. A race is lost when that file has got another owner, mode, access list or content.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ansible.module_utils import basic

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.deliveries import fingerprint
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.host.app_file import (
    FILE,
    PAYLOAD,
    AppFile,
)
from tests.support.modules import module_arguments

ATTACKER = 1234
IN_CREATE, IN_MOVED_TO, RENAME_EXCHANGE, AT_FDCWD = 0x100, 0x80, 2, -100
EVENT = 16  # bytes before the name
ACL = "system.posix_acl_access"


def races_lost(folder: Path, deliveries: int, **options: str) -> int:
    """Deliver as root into a folder of the attacker; return how many deliveries changed what is root's.

    Args:
        folder: it is filled and may be left full.
        options: of the module, such as C(owner).
    """
    home, precious = folder / "home", folder / "precious"
    lost = 0
    for trap in ("link", "folder"):
        shutil.rmtree(folder, ignore_errors=True)
        home.mkdir(parents=True)
        folder.chmod(0o755)
        precious.write_text("precious")
        precious.chmod(0o600)
        os.chown(home, ATTACKER, ATTACKER)
        _fill(home)
        with _attack(home, precious, trap):
            for _delivery in range(deliveries // 2):
                before = _looks(precious)
                with contextlib.suppress(SystemExit, OSError):  # refused, which is no loss
                    _deliver(home / "app.env", options)
                if _looks(precious) != before:
                    lost += 1
                    os.chown(precious, 0, 0)
                    precious.chmod(0o600)
                    with contextlib.suppress(OSError):
                        os.removexattr(precious, ACL)
                _fill(home)
    return lost


def _fill(home: Path) -> None:
    """Put an old file of the attacker's there, with an access list of the attacker's."""
    for path in home.glob("app.env*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    descriptor = os.open(home / "app.env", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.fchown(descriptor, ATTACKER, ATTACKER)
    entries = (
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 6, ATTACKER),
        (0x04, 0, 0xFFFFFFFF),
        (0x10, 6, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    )
    packed = b"".join(
        part.to_bytes(size, "little") for entry in entries for part, size in zip(entry, (2, 2, 4), strict=True)
    )
    with contextlib.suppress(OSError):
        os.setxattr(descriptor, ACL, b"\2\0\0\0" + packed)
    os.close(descriptor)


def _looks(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    return found.st_uid, found.st_gid, found.st_mode, os.listxattr(path), path.read_text()


def _deliver(dest: Path, options: dict[str, str]) -> None:
    content = "SALESFORCE_PASSWORD=CANARY\n"
    given = {"wanted": fingerprint(content.encode()), "recorded": None, "content": content}
    arguments = {"credential": "c", "dest": str(dest), PAYLOAD: given, **options}
    with module_arguments(arguments), mock.patch("builtins.print"), contextlib.suppress(FileNotFoundError):
        AppFile(
            basic.AnsibleModule(
                argument_spec={**FILE, PAYLOAD: {"type": "dict", "no_log": True}}, supports_check_mode=True
            )
        ).ensure()


@contextlib.contextmanager
def _attack(home: Path, precious: Path, trap: str) -> Iterator[None]:
    """Have the attacker at work."""
    ready, started = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(ATTACKER, ATTACKER, ATTACKER)
            os.setresuid(ATTACKER, ATTACKER, ATTACKER)
            _swap_whatever_comes(home, precious, trap, started)
        finally:
            os._exit(1)
    try:
        os.close(started)
        if os.read(ready, 1) != b"1":
            raise RuntimeError("the attacker did not start")
        yield
    finally:
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _swap_whatever_comes(home: Path, precious: Path, trap: str, started: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.inotify_init()
    libc.inotify_add_watch(events, os.fsencode(home), IN_CREATE | IN_MOVED_TO)
    os.chdir(home)
    number = 0
    name = _set_trap(precious, trap, number)
    os.write(started, b"1")
    while True:
        data = os.read(events, 4096)
        while data:
            length = int.from_bytes(data[12:16], "little")
            made, data = data[EVENT : EVENT + length].rstrip(b"\0"), data[EVENT + length :]
            if made.startswith((b"trap", b"app.env")):
                continue
            if libc.renameat2(AT_FDCWD, made, AT_FDCWD, name, RENAME_EXCHANGE) == 0:
                number += 1
                name = _set_trap(precious, trap, number)


def _set_trap(precious: Path, trap: str, number: int) -> bytes:
    """A link to the precious file, or a folder with such a link in it, as which the new file's folder may pass."""
    path = Path(f"trap{number}")
    if trap == "link":
        path.symlink_to(precious)
    else:
        path.mkdir(mode=0o777)
        (path / "app.env").symlink_to(precious)
    return os.fsencode(path)
