# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on managed hosts: the example's web application, a supervisor that keeps it up, and nginx in front of it.

A supervisor stands where systemd would, which runs nowhere that tests do: on each host one, as the host's user. It
starts an application when the application is told to start, with the file that was delivered for it as it is then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.format_readers.install import packages, unpacked
from tests.support.hosts import PYTHON, TIMEOUT, Host, wait_for_port
from tests.support.processes import ROOT, free_port

APP = ROOT / "playbooks" / "example" / "app.py"
REQUIREMENTS = ROOT / "tests" / "requirements-hosts.txt"


@dataclass
class Application:
    """One application on one host, with the file that holds its credential."""

    name: str
    host: Host
    format: str = "env"
    port: int = 0

    @property
    def site(self) -> str:
        """The name under which nginx serves it."""
        return f"{self.name}.{self.host.name}.example"

    @property
    def file(self) -> Path:
        """Where its credential is delivered to."""
        return self.host.home / f"{self.name}.{'json' if self.format == 'json' else 'env'}"

    @property
    def command(self) -> str:
        """How the supervisor starts it: it reads its credential itself, or the shell does as systemd would."""
        run = f"{PYTHON} {self.host.home}/app.py --listen {self.host.address}:{self.port}"
        if self.format == "json":
            return f"{run} --file {self.file}"
        return f"/bin/sh -ac '. {self.file}; exec {run}'"


@dataclass
class Services:
    """Applications under their supervisors, behind nginx."""

    applications: list[Application]
    front: str

    def processes(self) -> dict[str, tuple[int, int]]:
        """The process of each application that runs, by its site: its id and when it started, in clock ticks."""
        found = {}
        for application in self.applications:
            command = [str(application.host.home / "supervisorctl"), "pid", application.name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0 and (number := int(done.stdout)):
                # The 22nd field, counted behind the program's name, which may hold anything.
                stat = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
                found[application.site] = (number, int(stat[19]))
        return found

    def page(self, application: Application, wait: float = TIMEOUT) -> requests.Response:
        """The page that nginx serves, once the application has started."""
        deadline = time.monotonic() + wait
        while True:
            answer = requests.get(self.front, headers={"Host": application.site}, timeout=10)
            # That nginx reaches nobody is what it says until an application that was just started listens.
            if answer.status_code != 502 or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)


@contextlib.contextmanager
def services(applications: Iterable[Application], ca_path: str) -> Iterator[Services]:
    """Supervisors, whose applications are not started yet, and nginx. Raises Absent where that cannot be."""
    applications = list(applications)
    installed, nginx = packages(PYTHON, REQUIREMENTS), _nginx()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp")))
        folder.chmod(0o755)
        # Where every user may read it, whatever the folder of these tests is.
        software = Path(shutil.copytree(installed, folder / "software"))
        shutil.copy(ca_path, folder / "ca.pem")
        (folder / "ca.pem").chmod(0o644)
        for host in {application.host.name: application.host for application in applications}.values():
            here = [application for application in applications if application.host is host]
            stack.enter_context(_supervisor(host, here, software, folder / "ca.pem"))
        front = stack.enter_context(_front(nginx, folder / "nginx", applications))
        yield Services(applications, front)


@contextlib.contextmanager
def _supervisor(host: Host, applications: list[Application], software: Path, ca: Path) -> Iterator[None]:
    """The supervisor of one host, reached by a socket that only the host's user may open."""
    settings = host.home / "supervisord.conf"
    socket = host.home / "supervisor.sock"
    lines = [
        "[unix_http_server]",
        f"file={socket}",
        "chmod=0700",
        "[supervisord]",
        "nodaemon=true",
        f"logfile={host.home}/supervisord.log",
        f"pidfile={host.home}/supervisord.pid",
        "[supervisorctl]",
        f"serverurl=unix://{socket}",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for application in applications:
        application.port = free_port(host.address)
        lines += [
            f"[program:{application.name}]",
            f"command={application.command}",
            f'environment=PYTHONPATH="{software}",REQUESTS_CA_BUNDLE="{ca}"',
            f"directory={host.home}",
            "autostart=false",
            "startsecs=0",
            "redirect_stderr=true",
            f"stdout_logfile={host.home}/{application.name}.log",
        ]
    control = f'#!/bin/sh\nPYTHONPATH={software} exec {PYTHON} -m supervisor.supervisorctl -c {settings} "$@"\n'
    for path, content, mode in (
        (settings, "\n".join(lines) + "\n", 0o644),
        (host.home / "app.py", APP.read_text(), 0o644),
        (host.home / "supervisorctl", control, 0o755),
    ):
        path.write_text(content)
        path.chmod(mode)
    log = host.home.parent / f"{host.home.name}-supervisor.log"
    command = (PYTHON, "-m", "supervisor.supervisord", "-c", settings)
    process = host.start(*command, log=log, PYTHONPATH=str(software))
    try:
        deadline = time.monotonic() + TIMEOUT
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the supervisor of {host.name} did not start: {log.read_text()}")
            time.sleep(0.02)
        yield
    finally:
        # At once and with what it keeps up; asked to end, it would take its time.
        kept = _children(process.pid)
        process.kill()
        process.wait(10)
        for number in kept:
            os.kill(number, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    """The ids of the processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _nginx() -> Path:
    """nginx of this machine, or else one that is unpacked and not installed, which would start it at once."""
    installed = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return Path(installed) if installed else unpacked("nginx") / "usr/sbin/nginx"


@contextlib.contextmanager
def _front(nginx: Path, folder: Path, applications: list[Application]) -> Iterator[str]:
    """nginx as a reverse proxy of all applications, each under a name of its own, and the address of it."""
    folder.mkdir()
    port = free_port()
    kept = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    servers = "".join(
        f"  server {{\n    listen 127.0.0.1:{port};\n    server_name {application.site};\n"
        f"    location / {{\n      proxy_pass http://{application.host.address}:{application.port};\n"
        "      proxy_set_header Host $host;\n    }\n  }\n"
        for application in applications
    )
    # Where no application has that name, nobody answers for another.
    nobody = f"  server {{\n    listen 127.0.0.1:{port} default_server;\n    return 404;\n  }}\n"
    (folder / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr;\nuser nobody nogroup;\n"
        "events {\n}\n"
        f"http {{\n  access_log off;\n{kept}{nobody}{servers}}}\n"
    )
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(nginx), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_port("127.0.0.1", port, process, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(10)
