# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Dovecot on loopback: IMAP by TLS and STARTTLS, LMTP to deliver to it. Needs root, as any mail server does.

Every user has the same password, and a mailbox as soon as a mail comes or a login is made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
import pwd
import secrets
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.simulated_org import ca
from tests.support.processes import ROOT, free_port
from tests.support.token_endpoint import TokenEndpoint, token_endpoint

PACKAGES = ("dovecot-imapd", "dovecot-lmtpd")
# Where the server offers no IDLE, no MOVE and no UIDPLUS, as some do.
PLAIN_ADDRESS = "127.0.0.2"
START_TIMEOUT = 20.0
_OWNER = "nobody"

# The settings of both Debian 12 (Dovecot 2.3) and Debian 13 (Dovecot 2.4), then those that differ.
_CONFIG = """
base_dir = {folder}/base
state_dir = {folder}/state
log_path = {folder}/log.txt
listen = 127.0.0.1, {plain}
first_valid_uid = 1
ssl = required
auth_mechanisms = plain xoauth2 oauthbearer
auth_failure_delay = 0
auth_verbose = yes
mail_max_userip_connections = 100
service imap-login {{
  inet_listener imap {{
    port = {starttls_port}
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    {listen} = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
local {plain} {{
  protocol imap {{
    imap_capability = IMAP4rev1 LITERAL+
  }}
}}
"""
_CONFIG_2_3 = """
protocols = imap lmtp
mail_location = maildir:{folder}/mail/%u
ssl_cert = <{certificates.certificate}
ssl_key = <{certificates.key}
passdb {{
  driver = static
  mechanisms = plain
  args = password={password}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u allow_all_users=yes
}}
"""
_CONFIG_2_4 = """
protocols {{
  imap = yes
  lmtp = yes
}}
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
ssl_server_cert_file = {certificates.certificate}
ssl_server_key_file = {certificates.key}
passdb static {{
  mechanisms_filter = plain
  password = {password}
}}
passdb oauth2 {{
  mechanisms_filter = xoauth2 oauthbearer
}}
oauth2 {{
  introspection_mode = post
  introspection_url = {endpoint.introspection_url}
  force_introspection = yes
  active_attribute = active
  active_value = true
  username_attribute = sub
}}
userdb static {{
  allow_all_users = yes
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user}}
  }}
}}
"""
_OAUTH2 = """
introspection_mode = post
introspection_url = {endpoint.introspection_url}
force_introspection = yes
active_attribute = active
active_value = true
username_attribute = sub
"""
_TEMPORARY = "/tmp"  # paths of sockets are short
_DOVECOT = ("/usr/sbin/dovecot",)


class Absent(Exception):
    """Dovecot cannot be had on this machine, and why."""


@dataclasses.dataclass
class Dovecot:
    """A server, and what it takes to reach it."""

    folder: Path
    certificates: ca.Certificates
    port: int
    starttls_port: int
    lmtp_port: int
    endpoint: TokenEndpoint
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(16))
    process: subprocess.Popen[bytes] | None = None

    @property
    def ca_path(self) -> str:
        """The authority below which the server's certificate is."""
        return str(self.certificates.ca)

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self.folder / "errors.txt").open("ab") as errors:
            self.process = subprocess.Popen(
                [*_DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        deadline = time.monotonic() + START_TIMEOUT
        for port in (self.starttls_port, self.lmtp_port):
            while not _greets(port):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"Dovecot did not start: {(self.folder / 'errors.txt').read_text()}"
                        + (self.log if (self.folder / "log.txt").exists() else "")
                    )
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and with it all connections."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def deliver(self, mail: bytes, recipient: str) -> None:
        """Have the server receive a mail."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail("bounces@example.org", [recipient], mail)

    def put(self, user: str, mails: Iterable[tuple[bytes, datetime.datetime]]) -> None:
        """Put mails into a mailbox by the thousand, as if they had come at these times."""
        owner = pwd.getpwnam(_OWNER)
        folders = [self.folder / "mail" / user, *(self.folder / "mail" / user / name for name in ("cur", "new", "tmp"))]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        for number, (mail, received) in enumerate(mails):
            stamp = received.timestamp()
            file = folders[1] / f"{int(stamp)}.M{number}R{secrets.token_hex(4)}.localhost:2,"
            file.write_bytes(mail)
            os.chown(file, owner.pw_uid, owner.pw_gid)
            os.utime(file, (stamp, stamp))

    def renumber(self, user: str) -> None:
        """Have the server forget how it has numbered the mails of a user, as after a move to another one."""
        for file in (self.folder / "mail" / user).glob("dovecot*"):
            if not file.name.startswith("dovecot-uidvalidity"):
                file.unlink()


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


def install() -> None:
    """Install Dovecot from Debian, once, without a server that runs by itself; raises Absent where nobody could.

    When root fails to install it, that is an error and no reason to leave out tests.
    """
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "dovecot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(Path("/usr/lib/dovecot", name).exists() for name in ("imap", "lmtp")):
            return
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise Absent("Dovecot is not installed, and only root can install it, from Debian")
        with _no_services():
            try:
                _apt("install", "--yes", "--no-install-recommends", *PACKAGES)
            except RuntimeError:  # a list that is old names files that are no longer there
                _apt("update")
                _apt("install", "--yes", "--no-install-recommends", *PACKAGES)


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """What Debian asks whether a package may start its service says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _apt(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "--quiet", *command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"apt-get failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _is_2_3() -> bool:
    done = subprocess.run([*_DOVECOT, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.startswith("2.3.")


def _config() -> str:
    if _is_2_3():
        return _CONFIG + _CONFIG_2_3
    return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + _CONFIG + _CONFIG_2_4


@contextlib.contextmanager
def dovecot() -> Iterator[Dovecot]:
    """A server of one's own, with mailboxes that are empty."""
    install()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dovecot-", dir=_TEMPORARY)))
        folder.chmod(0o755)
        certificates = ca.create(folder / "tls", [PLAIN_ADDRESS])
        endpoint = stack.enter_context(token_endpoint(certificates))
        server = Dovecot(folder, certificates, free_port(), free_port(PLAIN_ADDRESS), free_port(), endpoint)
        owner = pwd.getpwnam(_OWNER)
        (folder / "mail").mkdir()
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        (folder / "oauth2.conf").write_text(_OAUTH2.format(endpoint=endpoint))
        (folder / "dovecot.conf").write_text(
            _config().format(
                **{field.name: getattr(server, field.name) for field in dataclasses.fields(server)},
                plain=PLAIN_ADDRESS,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                listen="address" if _is_2_3() else "listen",
            )
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


class Relay:
    """A port that leads to another one, counts what the server sends, and can cut all connections."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections that are open."""
        known, self._open = self._open, []
        for one in known:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, True), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.received += len(data) if counted else 0
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
