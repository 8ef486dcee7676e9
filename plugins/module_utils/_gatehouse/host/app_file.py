# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write, compare and remove the file of an application on its host.

It runs there with whatever Python Ansible supports on hosts, so that it imports nothing else of this collection.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shlex
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
FILE: dict[str, dict[str, Any]] = {
    "credential": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "restarted", "forgotten"], "default": "present"},
    "format": {"type": "str", "default": "env"},
    "format_options": {"type": "dict", "default": {}, "no_log": True},
    "standby": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0600"},
    "seuser": {"type": "str"},
    "serole": {"type": "str"},
    "setype": {"type": "str"},
    "selevel": {"type": "str"},
    "validate": {"type": "str"},
    "backup": {"type": "bool", "default": False},
    "encrypt": {"type": "bool", "default": False},
    "encrypt_name": {"type": "str"},
    "restart": {"type": "bool", "default": False},
    "version": {"type": "int"},
}
# Of what the user gave, the host gets these as they are. In place of format_options it gets what the file is to hold.
PASSED_THROUGH = (
    "dest",
    "state",
    "owner",
    "group",
    "mode",
    "seuser",
    "serole",
    "setype",
    "selevel",
    "validate",
    "backup",
)
ACL = "system.posix_acl_access"
HINTS = {
    errno.ENOENT: "its folder must be made before, as with ansible.builtin.file",
    errno.EACCES: "the task may need become",
    errno.EPERM: "the task may need become, or the file or its folder is protected, as by chattr",
    errno.EBUSY: "a file that is a mount point cannot be replaced: mount its folder",
}


class AppFile:
    """The file, and what the controller says of it.

    Attributes:
        wanted: the fingerprint of what it is to hold.
        recorded: the fingerprint of what was delivered before; None when nothing was.
        content: what it is to hold, as long as the controller knows of no need for it None.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.dest = Path(module.params["dest"])
        given = module.params["format_options"]
        if "wanted" not in given:
            self.fail("works by its action on the controller, which did not run")
        self.wanted, self.recorded, self.content = (given.get(name) for name in ("wanted", "recorded", "content"))
        self.name: str | None = None
        if module.params["encrypt"]:
            self.name = module.params["encrypt_name"] or self.dest.name

    def fail(self, problem: str) -> None:
        """End the module."""
        self.module.fail_json(msg=f"{self.dest}: {problem}")

    def ensure(self) -> dict[str, Any]:
        """Bring the file into its state, as far as that can be done without its content."""
        held = self._held()
        if self.module.params["state"] == "absent":
            return {"held": held, "changed": self._ensure_absent(held)}
        if held == "wanted":
            arguments = self.module.load_file_common_arguments(self.module.params, path=str(self.dest))
            diff: dict[str, Any] = {}
            changed = self.module.set_fs_attributes_if_different(arguments, False, diff)
            return {"held": held, "changed": changed, **({"diff": diff} if diff else {})}
        if self.content is None or self.module.check_mode:
            return {"held": held, "changed": True}
        return {"held": held, "changed": True, **self._write(self.content.encode())}

    def _held(self) -> str:
        """What is there: C(nothing), what is C(wanted), what was C(recorded) before, or something C(other)."""
        try:
            descriptor = os.open(self.dest, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR):
                return "nothing"
            if self.dest.is_symlink():
                return "other"
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            self.fail("is not a file")
        with os.fdopen(descriptor, "rb") as opened:
            content = opened.read()
        if self.name:
            decrypt = [*self._systemd_creds("decrypt"), "-", "-"]
            status, content, _errors = self.module.run_command(decrypt, data=content, binary_data=True, encoding=None)
            if status != 0:
                return "other"
        found = hashlib.sha256(content).hexdigest()
        return {self.recorded: "recorded", self.wanted: "wanted"}.get(found, "other")

    def _ensure_absent(self, held: str) -> bool:
        if held == "recorded" and not self.module.check_mode:
            self.dest.unlink()
            _sync(self.dest.parent)
        return held == "recorded"

    def _write(self, content: bytes) -> dict[str, Any]:
        """Put the content in place of the file: whoever reads it finds the old one or the new one, whole."""
        if self.name:
            content = self._encrypted(content)
        # Made for its owner only, and with the same ending, which programs that check it may look at.
        descriptor, path = tempfile.mkstemp(prefix=".", suffix=self.dest.suffix, dir=self.dest.parent)
        new, backup = Path(path), {}
        try:
            with os.fdopen(descriptor, "wb") as opened:
                self._set_attributes(new)  # before there is anything to read
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            self._validate(new)
            if self.module.params["backup"]:
                backup = self._keep()
            new.replace(self.dest)
            _sync(self.dest.parent)
        finally:
            if new.exists():
                for each in (new, *map(Path, backup.values())):
                    each.unlink()
        return backup

    def _set_attributes(self, new: Path) -> None:
        """Give the new file what is asked for, and else what the old one has."""
        module = self.module
        there = self._is_there()
        if there:
            self._keep_access(new)
        if module.selinux_enabled():
            context = (module.selinux_context if there else module.selinux_default_context)(str(self.dest))
            module.set_context_if_different(str(new), context, False)
        arguments = module.load_file_common_arguments(module.params, path=str(self.dest))
        module.set_fs_attributes_if_different({**arguments, "path": str(new)}, False)

    def _keep_access(self, new: Path) -> None:
        """Let those read the new file who could read the old one. Its mode is set afterwards, and limits them."""
        before, mine = self.dest.lstat(), new.stat()
        user = -1 if self.module.params["owner"] or before.st_uid == mine.st_uid else before.st_uid
        group = -1 if self.module.params["group"] or before.st_gid == mine.st_gid else before.st_gid
        anybody = self.dest.parent.stat().st_mode & stat.S_IWOTH
        if user not in (-1, 0) and anybody:
            self.fail(f"belongs to user {user}, who may have put it there as everybody may: give owner, or remove it")
        try:
            os.chown(new, user, group)
        except PermissionError:
            self.fail(
                f"belongs to user {before.st_uid} and group {before.st_gid}, which cannot be kept: the task needs "
                "become, or owner and group; the file is as it was"
            )
        if not anybody:
            with contextlib.suppress(OSError, AttributeError):  # there is none, or nothing of that kind here
                os.setxattr(new, ACL, os.getxattr(self.dest, ACL))

    def _validate(self, new: Path) -> None:
        command = self.module.params["validate"]
        if not command:
            return
        problem = ""
        try:
            status, *_said = self.module.run_command(
                command.replace("%s", shlex.quote(str(new))), handle_exceptions=False
            )
            if status != 0:
                problem = (
                    f"the new content did not pass {command!r} (what that said is not shown, as it may quote the "
                    f"secret), which ended with status {status}"
                )
        except OSError as exc:
            problem = f"{command!r} cannot be run: {exc.strerror}"
        if problem:
            self.fail(f"validate: {problem}; the file is as it was")

    def _keep(self) -> dict[str, str]:
        """Keep the old file beside, as what it is: owner and mode of it are never those of another."""
        if not self._is_there():
            return {}
        backup = f"{self.dest}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        os.link(self.dest, backup)
        return {"backup_file": backup}

    def _is_there(self) -> bool:
        return self.dest.is_file() and not self.dest.is_symlink()

    def _encrypted(self, content: bytes) -> bytes:
        encrypt = [*self._systemd_creds("encrypt"), "-", "-"]
        status, output, errors = self.module.run_command(encrypt, data=content, binary_data=True, encoding=None)
        if status != 0:
            said = errors.decode(errors="replace").strip().splitlines()
            self.fail(f"systemd-creds could not encrypt it: {said[-1] if said else f'status {status}'}")
        found: bytes = output
        return found

    def _systemd_creds(self, command: str) -> list[str]:
        """The start of a command line, on which there is never a secret."""
        program = self.module.get_bin_path("systemd-creds")
        if program is None:
            self.fail("cannot be encrypted: the host has no systemd-creds, which comes with systemd 250")
        return [program, command, f"--name={self.name}"]


def refusal(exc: OSError) -> str:
    """What the system refuses, and what to do about it."""
    return "; ".join(filter(None, (exc.strerror, HINTS.get(exc.errno or 0))))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
