# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write, compare and remove the file of an application on its host.

It runs there with any Python that Ansible supports on hosts, so it imports nothing else of this collection.

The folder may belong to the application's user, who can then replace anything in it at any time, while the task runs as
root. So the folder is opened once, attributes are read and set by descriptor, and the new file is made in a folder that
only the task's user can change, from which it is renamed into its place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import hashlib
import os
import pwd
import secrets
import shlex
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ansible.module_utils.basic import AnsibleModule
CONTEXT = ("seuser", "serole", "setype", "selevel")
# The options that the host gets as the user gave them.
ON_HOST = ("owner", "group", "mode", *CONTEXT, "validate", "backup")
PRIVATE = ".gatehouse-"  # begins the name of the folder in which a new file is made
PAYLOAD = "_payload"  # what the action tells the host: see AppFile
FILE: dict[str, dict[str, Any]] = {
    "credential": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "forgotten"], "default": "present"},
    "format": {"type": "str", "default": "env"},
    "format_options": {"type": "dict", "default": {}},
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
}
# What a file has: nothing is there; what it is to contain; what was delivered to it before; something else.
STATUSES = (MISSING, CURRENT, PREVIOUS, OTHER) = ("missing", "current", "previous", "other")
MAX_CONTENT = 2**20  # bytes, as systemd limits a credential
MAX_READ = 2 * MAX_CONTENT  # bytes; encryption makes a content longer by less than that
MAX_LINKS = 40  # in a path, as the kernel has it
ACL, SELINUX = "system.posix_acl_access", "security.selinux"
UNCHANGED = 2**32 - 1  # the id by which chown is asked to leave the owner or group as it is
DIFF = ("before", "after")
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
HINTS = {
    errno.ENOENT: "its folder must be made before, as with ansible.builtin.file",
    errno.EACCES: "the task may need become",
    errno.EPERM: "the task may need become, or the file or its folder is protected, as by chattr",
    errno.EBUSY: "a file that is a mount point cannot be replaced: mount its folder",
}


class Folder(NamedTuple):
    """An open folder.

    Attributes:
        descriptor: of the folder, to be closed.
        way_is_safe: whether nobody but root and the task's user can change what its path leads to.
        foreign: the users, other than those two, whose links its path contains.
    """

    descriptor: int
    way_is_safe: bool
    foreign: set[int]


class AppFile:
    """The file, and what the controller says of it in the internal option C(_payload).

    Attributes:
        wanted: the fingerprint of what it is to contain.
        recorded: the fingerprint of what was delivered before; None when nothing was.
        content: what it is to contain; None until the controller knows that the file differs.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.dest = Path(module.params["dest"])
        payload = module.params[PAYLOAD]
        if not payload:
            self.fail("works by its action on the controller, which did not run")
        self.wanted, self.recorded, self.content = (payload.get(name) for name in ("wanted", "recorded", "content"))
        for option in ("dest", "validate"):
            if "\0" in (module.params[option] or ""):
                self.fail(f"{option}: contains a NUL character")
        self.name: str | None = None
        if module.params["encrypt"]:
            self.name = module.params["encrypt_name"] or self.dest.name
        self.folder = self.current = -1

    def fail(self, problem: str) -> NoReturn:
        """End the module."""
        self.module.fail_json(msg=f"{self.dest}: {problem}")
        raise AssertionError("fail_json does not return")

    def ensure(self) -> dict[str, Any]:
        """Bring the file into its state, as far as that can be done without its content."""
        try:
            folder = open_folder(self.dest.parent)
        except (FileNotFoundError, NotADirectoryError):
            if self.content is not None and not self.module.check_mode:
                raise
            if self.module.check_mode and self.module.params["state"] == "present":
                self.module.warn(
                    f"{self.dest.parent} does not exist on this host, and must before {self.dest} is written"
                )
            return {"status": MISSING, "changed": self.module.params["state"] != "absent"}
        self.folder = folder.descriptor
        try:
            self._require_no_foreign_way(folder)
            return self._ensure(folder.way_is_safe)
        finally:
            for descriptor in {self.folder, self.current} - {-1}:
                os.close(descriptor)

    def _ensure(self, way_is_safe: bool) -> dict[str, Any]:
        if not self.module.check_mode:
            self._remove_left()
        status = self._status()
        if self.module.params["state"] == "absent":
            if status == PREVIOUS and not self.module.check_mode:
                self._remove()
            return {"status": status, "changed": status == PREVIOUS}
        if status == CURRENT and not self._may_stay():
            status = OTHER
        if status == CURRENT:
            diff = self._change_attributes()
            return {"status": status, "changed": bool(diff), **({"diff": diff} if diff else {})}
        if self.content is None or self.module.check_mode:
            return {"status": status, "changed": True}
        return {"status": status, "changed": True, **self._write(self.content.encode(), way_is_safe)}

    def _require_no_foreign_way(self, folder: Folder) -> None:
        """Refuse links by which a user leads the file into a folder of somebody else."""
        foreign = folder.foreign - {os.fstat(folder.descriptor).st_uid}
        if foreign:
            self.fail(
                f"its path contains a link of user {min(foreign)}, who could lead it into any folder: give the path "
                "without links"
            )

    def _status(self) -> str:
        """Open the file and compare what it contains."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self.current = os.open(self.dest.name, flags, dir_fd=self.folder)
        except OSError as exc:
            if exc.errno == errno.ENOENT:
                return MISSING
            if exc.errno == errno.ELOOP:  # a link
                return OTHER
            raise
        if not stat.S_ISREG(os.fstat(self.current).st_mode):
            self.fail("is not a file")
        with os.fdopen(self.current, "rb", closefd=False) as opened:
            content = opened.read(MAX_READ + 1)
        if len(content) > MAX_READ:
            return OTHER
        if self.name:
            decrypt = [*self._systemd_creds("decrypt"), "-", "-"]
            status, content, _errors = self.module.run_command(decrypt, data=content, binary_data=True, encoding=None)
            if status != 0:
                return OTHER
        found = hashlib.sha256(content).hexdigest()
        if found == self.wanted:
            return CURRENT
        return PREVIOUS if found == self.recorded else OTHER

    def _remove(self) -> None:
        self._require_same(self.current, self.dest.name, self.folder)
        os.unlink(self.dest.name, dir_fd=self.folder)
        _sync(self.folder)

    def _write(self, content: bytes, way_is_safe: bool) -> dict[str, Any]:
        """Put the content in place of the file. Any reader gets the old one or the new one, whole."""
        if self.name:
            content = self._encrypted(content)
        name, backup = self.dest.name, ""
        private_name = f"{PRIVATE}{secrets.token_hex(8)}"
        private = self._make_private(private_name, 0o711 if way_is_safe else 0o700)
        try:
            new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=private)
            with os.fdopen(new, "wb") as opened:
                self._set_attributes(new)  # before there is anything to read
                opened.write(content)
                opened.flush()
                os.fsync(new)
                # Users other than the task's, as whom a command may look at it, cannot use the second path.
                by_name = self.dest.parent / private_name / name
                self._validate(by_name if way_is_safe else _own_path(private, by_name))
                self._require_same(new, name, private)
                if self.module.params["validate"]:  # it may have changed the mode, or made a link
                    os.fchmod(new, int(self.module.params["mode"], 8))
                if os.fstat(new).st_nlink != 1:
                    self.fail("the new file has got a second link meanwhile; the old one is as it was")
            if self.module.params["backup"] and self.current != -1:
                backup = self._keep()
            os.rename(name, name, src_dir_fd=private, dst_dir_fd=self.folder)
            if backup:
                os.fchmod(self.current, os.fstat(self.current).st_mode & int(self.module.params["mode"], 8))
            _sync(self.folder)
        except BaseException:
            for left, folder in ((name, private), (backup, self.folder)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(left, dir_fd=folder)
            raise
        finally:
            os.close(private)
            with contextlib.suppress(OSError):  # the owner of the folder may have moved it, and it is empty
                os.rmdir(private_name, dir_fd=self.folder)
        return {"backup_file": str(self.dest.parent / backup)} if backup else {}

    def _make_private(self, name: str, mode: int) -> int:
        """Make a folder that only the task's user can change, whoever owns the one it is in; return its descriptor."""
        os.mkdir(name, mode, dir_fd=self.folder)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=self.folder)
        made = os.fstat(descriptor)
        if made.st_uid != os.geteuid() or made.st_mode & OTHERS_MAY_WRITE:
            os.close(descriptor)
            self.fail(f"user {made.st_uid} has changed its folder while it was written; nothing was written")
        # Whatever the umask of the host is. What is made here gets the group that it would get in the outer folder.
        os.fchmod(descriptor, mode | made.st_mode & stat.S_ISGID)
        with contextlib.suppress(OSError):  # a file system without such locks, where nobody removes it either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _remove_left(self) -> None:
        """Remove the new files that killed tasks have left, which contain a secret."""
        try:
            listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.folder)
        except OSError:  # it may be written, but not listed
            return
        try:
            names = _names(listed)
        finally:
            os.close(listed)
        for name in names:
            if name.startswith(PRIVATE):
                with contextlib.suppress(OSError):  # another is at work in it, or has removed it
                    self._remove_private(name)

    def _remove_private(self, name: str) -> None:
        """Remove a folder with nothing but a new file for this path in it, unless a task is at work there."""
        private = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            fcntl.flock(private, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Without a file, it may be about to be locked. The folder's owner may rename other folders of the user.
            if os.fstat(private).st_uid == os.geteuid() and _names(private) == [self.dest.name]:
                os.unlink(self.dest.name, dir_fd=private)
                os.rmdir(name, dir_fd=self.folder)
        finally:
            os.close(private)

    def _require_same(self, descriptor: int, name: str, folder: int) -> None:
        """Refuse when the name is no longer that of the descriptor's file."""
        opened = os.fstat(descriptor)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or not os.path.samestat(opened, found):
            self.fail("somebody has replaced the file meanwhile; it was left as it is")

    def _change_attributes(self) -> dict[str, Any]:
        """Give the file that is there what is asked for. Return the diff, which is empty when it has it."""
        found = os.fstat(self.current)
        user, group, mode = self._asked_user(), self._asked_group(), int(self.module.params["mode"], 8)
        changes: dict[str, tuple[Any, Any]] = {
            "owner": (found.st_uid, found.st_uid if user is None else user),
            "group": (found.st_gid, found.st_gid if group is None else group),
            "mode": (f"0{stat.S_IMODE(found.st_mode):03o}", f"0{mode:03o}"),
        }
        if self.module.selinux_enabled():
            context = _context(self.current)
            changes["secontext"] = (context, self._asked_context(context))
        changes = {name: change for name, change in changes.items() if change[0] != change[1]}
        if not self.module.check_mode:
            if "owner" in changes or "group" in changes:
                os.fchown(self.current, -1 if user is None else user, -1 if group is None else group)
            if "mode" in changes:
                os.fchmod(self.current, mode)
            if "secontext" in changes:
                _set_context(self.current, changes["secontext"][1])
        if not changes:
            return {}
        return {when: {name: change[at] for name, change in changes.items()} for at, when in enumerate(DIFF)}

    def _set_attributes(self, new: int) -> None:
        """Give the new file what is asked for, and else what the old one has, where nobody can have planted that."""
        old = None if self.current == -1 else os.fstat(self.current)
        made = os.fstat(new)
        user, group = self._asked_user(), self._asked_group()
        if user is None:
            user = old.st_uid if old else made.st_uid
        if old is None:
            # The group and the access list that a folder hands on are chosen by its owner.
            is_kept = os.fstat(self.folder).st_uid in (0, os.geteuid(), user)
        else:
            is_kept = self._is_kept(old)
            problem = self._planted(old)
            if problem:
                self.fail(problem)
        if group is None:
            inherited = old.st_gid if old else made.st_gid
            group = inherited if is_kept else os.getegid()
        self._chown(new, made, user, group)
        self._set_access_list(new, is_kept)
        os.fchmod(new, int(self.module.params["mode"], 8))  # it limits the access list
        if self.module.selinux_enabled():
            base = self.module.selinux_default_context(str(self.dest))
            if old and is_kept:
                base = _context(self.current)
            _set_context(new, self._asked_context(base))

    def _may_stay(self) -> bool:
        """Whether the file that is there may be changed in place, or has to be replaced by a new one."""
        old = os.fstat(self.current)
        if old.st_nlink > 1:  # its other path may be that of somebody else's file
            return False
        return not self._planted(old) and (self._is_kept(old) or old.st_uid in (0, os.geteuid()))

    def _is_kept(self, old: os.stat_result) -> bool:
        """Whether nobody but the file's owner to be can have chosen its group and its access list."""
        asked = self._asked_user()
        return not self._strangers_may_write() or (asked in (None, old.st_uid) and old.st_uid != 0)

    def _planted(self, old: os.stat_result) -> str:
        """Return which of the owner and the group of the file somebody may have planted, and what to do about it."""
        trusted = (0, os.geteuid(), os.fstat(self.folder).st_uid)
        if self._strangers_may_write() and self._asked_user() is None and old.st_uid not in trusted:
            return (
                f"belongs to user {old.st_uid}, who may have put it there, as its folder can be written by others: "
                "give owner, or remove it"
            )
        if not self._is_kept(old) and self._asked_group() is None and old.st_gid != os.getegid():
            return (
                f"belongs to group {old.st_gid}, which somebody may have planted, as its folder can be written by "
                "others: give group, or remove it"
            )
        return ""

    def _strangers_may_write(self) -> bool:
        """Whether others than root and the task's user can put files into the folder."""
        folder = os.fstat(self.folder)
        return folder.st_uid not in (0, os.geteuid()) or bool(folder.st_mode & OTHERS_MAY_WRITE)

    def _chown(self, new: int, made: os.stat_result, user: int, group: int) -> None:
        if (user, group) == (made.st_uid, made.st_gid):
            return
        try:
            os.fchown(new, user, group)
        except PermissionError:
            self.fail(
                f"cannot belong to user {user} and group {group}: the task needs become, or other values of owner and "
                "group; the file is as it was"
            )

    def _set_access_list(self, new: int, is_kept: bool) -> None:
        """Let those read the new file whom the access list of the old one, or of the folder, allows it."""
        with contextlib.suppress(OSError, AttributeError):  # there is none, or nothing of that kind here
            if not is_kept:
                os.removexattr(new, ACL)
            elif self.current != -1:
                os.setxattr(new, ACL, os.getxattr(self.current, ACL))

    def _asked_user(self) -> int | None:
        return self._asked_id("owner", "user", lambda name: pwd.getpwnam(name).pw_uid)

    def _asked_group(self) -> int | None:
        return self._asked_id("group", "group", lambda name: grp.getgrnam(name).gr_gid)

    def _asked_id(self, option: str, kind: str, find: Callable[[str], int]) -> int | None:
        given = self.module.params[option]
        if given is None or given.isdecimal():
            number = None if given is None else int(given)
            if number is not None and number >= UNCHANGED:
                self.fail(f"{option}: {given} is no id of a {kind}")
            return number
        try:
            return find(given)
        except KeyError:
            self.fail(f"{option}: the host has no {kind} {given!r}")

    def _asked_context(self, base: list[str]) -> list[str]:
        """Return the SELinux context that is asked for, with the base for all other parts."""
        policy = self.module.selinux_default_context(str(self.dest))
        asked = [self.module.params[name] for name in CONTEXT]
        asked = [policy[at] if asked[at] == "_default" else asked[at] for at in range(len(policy))]
        return [asked[at] or part for at, part in enumerate(base)]

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

    def _keep(self) -> str:
        """Keep the old file beside, as what it is; return its name there. Its owner and mode are never another's."""
        backup = f"{self.dest.name}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
        os.link(self.dest.name, backup, src_dir_fd=self.folder, dst_dir_fd=self.folder, follow_symlinks=False)
        try:
            self._require_same(self.current, backup, self.folder)
        except BaseException:
            os.unlink(backup, dir_fd=self.folder)
            raise
        return backup

    def _encrypted(self, content: bytes) -> bytes:
        encrypt = [*self._systemd_creds("encrypt"), "-", "-"]
        status, output, errors = self.module.run_command(encrypt, data=content, binary_data=True, encoding=None)
        if status != 0:
            said = errors.decode(errors="replace").strip().splitlines()
            self.fail(f"systemd-creds could not encrypt it: {said[-1] if said else f'status {status}'}")
        found: bytes = output
        return found

    def _systemd_creds(self, command: str) -> list[str]:
        """Return the start of a command line, which never contains a secret."""
        program = self.module.get_bin_path("systemd-creds")
        if program is None:
            self.fail("cannot be encrypted: the host has no systemd-creds, which comes with systemd 250")
        return [program, command, f"--name={self.name}"]


def open_folder(path: Path) -> Folder:
    """Open a folder step by step, so that what was seen of each step holds for the whole way; raises OSError."""
    if not hasattr(os, "O_PATH"):  # not Linux
        return Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), False, set())
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    foreign: set[int] = set()
    links, is_safe, parts = 0, True, list(reversed(path.parts))
    folder = os.open("/", flags | os.O_DIRECTORY)
    try:
        while parts:
            is_safe = is_safe and _is_safe_step(os.fstat(folder))
            name = parts.pop()
            try:
                step = os.open(name, flags | os.O_DIRECTORY, dir_fd=folder)
            except NotADirectoryError:
                owner, target = _read_link(name, folder, flags)
                foreign |= {owner} - {0, os.geteuid()}
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
                parts.extend(reversed(Path(target).parts))
            else:
                os.close(folder)
                folder = step
    except BaseException:
        os.close(folder)
        raise
    return Folder(folder, is_safe and _is_safe_step(os.fstat(folder)) and not foreign, foreign)


def _is_safe_step(folder: os.stat_result) -> bool:
    """Whether nobody else can replace what root or the task's user has in a folder."""
    return folder.st_uid in (0, os.geteuid()) and (
        not folder.st_mode & OTHERS_MAY_WRITE or bool(folder.st_mode & stat.S_ISVTX)
    )


def _read_link(name: str, folder: int, flags: int) -> tuple[int, str]:
    """Return owner and target of one and the same link, whatever takes its place meanwhile."""
    link = os.open(name, flags, dir_fd=folder)
    try:
        found = os.fstat(link)
        if not stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return found.st_uid, os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _own_path(descriptor: int, by_name: Path) -> Path:
    """Return a path into an open folder that survives its renaming; by_name where there is none."""
    folder = Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    return folder / by_name.name if folder.exists() else by_name


def _context(descriptor: int) -> list[str]:
    """Return the SELinux context of a file: user, role, type, level. Empty where its file system has none."""
    try:
        return os.getxattr(descriptor, SELINUX).rstrip(b"\0").decode().split(":", 3)
    except OSError:
        return []


def _set_context(descriptor: int, context: list[str]) -> None:
    if not context or None in context:  # the policy says nothing of this path
        return
    try:
        os.setxattr(descriptor, SELINUX, ":".join(context).encode())
    except OSError as exc:
        if exc.errno != errno.ENOTSUP:  # of a file system that has one context for all its files
            raise


def _names(folder: int) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - by descriptor


def _sync(folder: int) -> None:
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refusal(exc: OSError) -> str:
    """Say what the system refuses, and what to do about it."""
    return "; ".join(filter(None, (exc.strerror, HINTS.get(exc.errno or 0))))
