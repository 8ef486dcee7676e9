# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed hosts on this one machine, each as Ansible meets a real one.

A host is a real sshd at a loopback address of its own, with a host key of its own, that lets in one unix user by key.
All of it is made by C(managed_hosts) and removed at its end. Raises Absent where that cannot be.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.format_readers.install import Absent, require, unpacked
from tests.support.processes import free_port

LOCKS = Path("/run/gatehouse-tests")
PRIVILEGE_SEPARATION = Path("/run/sshd")  # sshd has this folder and this user compiled in
PYTHON = Path("/usr/bin/python3")  # a Python that every user may run, unlike the one of these tests
SLOTS = 200
TIMEOUT = 20.0


@dataclass
class Host:
    """One managed host."""

    name: str
    user: str
    address: str
    port: int
    home: Path
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> pwd.struct_passwd:
        """The host's user in the machine's own list."""
        return pwd.getpwnam(self.user)

    def start(self, *command: str | Path, log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process as the host's user, with nothing of this process's environment but what is given."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(part) for part in command],
                cwd=self.home,
                env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", **environment},
                user=self.account.pw_uid,
                group=self.account.pw_gid,
                extra_groups=[],
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


def inventory(hosts: Mapping[str, Host], group: str = "salesforce_applications") -> dict[str, Any]:
    """An inventory of these hosts, all in one group, to be written as JSON or merged into a larger one."""
    return {group: {"hosts": {name: dict(host.variables) for name, host in hosts.items()}}}


@contextlib.contextmanager
def managed_hosts(*names: str) -> Iterator[dict[str, Host]]:
    """As many managed hosts as names, by their names."""
    if os.geteuid() != 0:
        raise Absent("users can be made by root only")
    require("useradd", "userdel")
    if not PYTHON.exists():
        raise Absent(f"there is no {PYTHON} for managed hosts to run")
    sshd, client = Sshd.found(), _program("ssh", "openssh-client")
    with contextlib.ExitStack() as stack:
        slot = stack.enter_context(_slot())
        # A short name: paths of sockets must not be over 107 characters.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp")))
        folder.chmod(0o711)
        key = _key(folder / "key")
        (folder / "sockets").mkdir(mode=0o700)
        # ssh reads no configuration of whoever runs the tests.
        options = f"-F none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={folder}/known"
        hosts = {}
        for number, name in enumerate(names, 1):
            user = f"gatehouse-t{slot}-{number}"
            address = f"127.64.{slot}.{number}"
            home = folder / f"h{number}"
            _add_user(user, home, key)
            stack.callback(_remove_user, user)
            host = Host(name, user, address, sshd.start(stack, folder, number, address, user), home)
            host.variables = {
                "ansible_connection": "ssh",
                "ansible_host": address,
                "ansible_port": host.port,
                "ansible_user": user,
                "ansible_ssh_private_key_file": str(folder / "key"),
                "ansible_ssh_executable": str(client),
                "ansible_ssh_common_args": options,
                "ansible_control_path_dir": str(folder / "sockets"),
                "ansible_python_interpreter": str(PYTHON),
            }
            hosts[name] = host
        yield hosts


@dataclass(frozen=True)
class Sshd:
    """Where Debian's server is."""

    program: Path
    root: Path | None  # of the package, where it is only unpacked
    environment: Mapping[str, str]

    @classmethod
    def found(cls) -> Sshd:
        """The one of this machine, or else one unpacked: to install it would open the machine to its network."""
        installed = Path("/usr/sbin/sshd")
        if installed.exists():
            server = cls(installed, None, {})
        else:
            root, library = unpacked("openssh-server"), unpacked("libwrap0")
            folders = [str(path.parent) for path in library.rglob("libwrap.so.0")]
            server = cls(root / "usr/sbin/sshd", root, {"LD_LIBRARY_PATH": ":".join(folders)})
        with _locked("users"):
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
            try:
                pwd.getpwnam("sshd")
            except KeyError:  # as the package does; it stays, for others may have begun to use it
                _run("useradd", "--system", "--home-dir", PRIVILEGE_SEPARATION, "--shell", "/usr/sbin/nologin", "sshd")
        return server

    def start(self, stack: contextlib.ExitStack, folder: Path, number: int, address: str, user: str) -> int:
        """Start a server that lets one user in, and give its port."""
        public = _key(folder / f"host{number}")
        port = free_port(address)
        settings = [
            f"ListenAddress {address}:{port}",
            f"HostKey {folder}/host{number}",
            f"AllowUsers {user}",
            "AuthenticationMethods publickey",
            "UsePAM no",
            "PidFile none",
            "MaxSessions 50",
            "Subsystem sftp internal-sftp",
        ]
        for option, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
            # Since OpenSSH 9.8 these are programs of their own.
            if self.root and (self.root / "usr/lib/openssh" / name).exists():
                settings.append(f"{option} {self.root}/usr/lib/openssh/{name}")
        (folder / f"sshd{number}").write_text("\n".join(settings) + "\n")
        with (folder / "known").open("a") as known:
            known.write(f"[{address}]:{port} {public}")
        log = folder / f"sshd{number}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.program), "-D", "-e", "-f", str(folder / f"sshd{number}")],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        stack.callback(_stop, process)
        wait_for_port(address, port, process, log)
        return port


def wait_for_port(address: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens there; raises RuntimeError with the log when the process ends before."""
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens at {address}:{port}: {log.read_text()}")


def _program(name: str, package: str) -> Path:
    """A program of this machine, or else of a package that is unpacked."""
    installed = shutil.which(name)
    return Path(installed) if installed else unpacked(package) / "usr/bin" / name


def _key(path: Path) -> str:
    """Write a new private key, and give the line of its public one."""
    private = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


@contextlib.contextmanager
def _slot() -> Iterator[int]:
    """A number that no other run uses as long as this one lives: its users and addresses are named by it."""
    for number in range(1, SLOTS):
        lock = _lock_file(f"slot{number}")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        with lock:
            yield number
            return
    raise RuntimeError("too many test runs at once")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    with _lock_file(name) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file(name: str) -> IO[str]:
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    return (LOCKS / name).open("w")


def _add_user(user: str, home: Path, key: str) -> None:
    """Make a user who has a key and no password, after what a killed run may have left of that name is gone."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(user)
        _remove_user(user)
    with _locked("users"):
        # A star is a password that nothing matches. An exclamation mark would lock the account for keys, too.
        _run("useradd", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", "--password", "*", user)
    account = pwd.getpwnam(user)
    for path in (home, home / ".ssh"):
        path.mkdir(mode=0o700)
        os.chown(path, account.pw_uid, account.pw_gid)
    (home / ".ssh" / "authorized_keys").write_text(key)
    (home / ".ssh" / "authorized_keys").chmod(0o644)


def _remove_user(user: str) -> None:
    """End what the user runs, and remove the user."""
    deadline = time.monotonic() + TIMEOUT
    while running := processes_of(pwd.getpwnam(user).pw_uid):
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes of {user} do not end: {running}")
        time.sleep(0.02)
    with _locked("users"):
        _run("userdel", user)


def processes_of(uid: int) -> list[int]:
    """The ids of the processes that this user runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # One that has ended and is not yet waited for has no command line.
            if path.stat().st_uid == uid and (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


def _run(*command: str | Path) -> None:
    parts: Sequence[str] = [str(part) for part in command]
    done = subprocess.run(parts, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{parts[0]} failed: {done.stderr.strip()}")
