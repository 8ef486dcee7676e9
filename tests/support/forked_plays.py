# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C(ansible-playbook), forked from a process that has imported it already: two thirds of a short play are imports.

Everything else is as in a process of its own: arguments, environment, folder, configuration, exit code, clean-up. The
collection is imported after the fork, so the keys that belong to a run are made anew for each. The YAML that comes with
Ansible, half of the rest, is parsed once.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pickle
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from tests.support.processes import COLLECTIONS, ROOT

PRELOADED = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.plugins.action.normal",
    "ansible.plugins.become.su",
    "ansible.plugins.become.sudo",
    "ansible.plugins.cache.memory",
    "ansible.plugins.callback.default",
    "ansible.plugins.connection.local",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.filter.core",
    "ansible.plugins.inventory.auto",
    "ansible.plugins.inventory.host_list",
    "ansible.plugins.inventory.ini",
    "ansible.plugins.inventory.script",
    "ansible.plugins.inventory.toml",
    "ansible.plugins.inventory.yaml",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.vars.host_group_vars",
    "cryptography.fernet",
    "cryptography.hazmat.primitives.serialization",
    "imapclient",
    "lxml.etree",
    "simple_salesforce",
)
PLUGINS_WITH_OPTIONS = ("cache", "callback", "connection", "inventory", "shell", "strategy", "vars")
PLUGINS = COLLECTIONS / "ansible_collections" / "gatehouse" / "salesforce" / "plugins"
LONGEST_REQUEST = 100_000


class PlaybookServer:
    """Forks plays; ends with the process that started it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            environment: what Ansible reads when it is imported, such as the folders of its plugins.
        """
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, arguments: list[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run C(ansible-playbook) with these arguments; raises TimeoutError after so many seconds."""
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        mine, theirs = socket.socketpair()
        with mine, tempfile.TemporaryFile("w+") as output:
            with theirs:
                socket.send_fds(self._channel, [request], [output.fileno(), theirs.fileno()])
            mine.settimeout(timeout)
            process = json.loads(mine.recv(100))
            try:
                code = mine.recv(100)
            except TimeoutError:
                os.killpg(process, signal.SIGKILL)
                raise
            output.seek(0)
            return subprocess.CompletedProcess(arguments, int(code or -signal.SIGKILL), output.read())


def _serve(channel: socket.socket) -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    _parse_once()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # reaps them
    while True:
        request, descriptors, *_rest = socket.recv_fds(channel, LONGEST_REQUEST, 2)
        if not request:
            return
        output, status = descriptors
        if not os.fork():
            channel.close()
            _play(output, status, **json.loads(request))
        os.close(output)
        os.close(status)


def _parse_once() -> None:
    """Parse what each play would: settings and routing of Ansible, options of its plugins, code of the collection."""
    from ansible.config import manager
    from ansible.plugins import loader
    from ansible.utils.collection_loader import _collection_finder, _collection_meta

    defaults = Path(manager.__file__).with_name("base.yml")
    routes = Path(manager.__file__).with_name("ansible_builtin_runtime.yml").read_bytes()
    read, parse = manager.ConfigManager._read_config_yaml_file, _collection_meta._meta_yml_to_dict
    # Copies, as each play changes its own.
    settings, routing = pickle.dumps(read(None, defaults)), pickle.dumps(parse(routes, None))
    code = {
        (source, str(path)): compile(source, str(path), "exec", dont_inherit=True)
        for path in PLUGINS.rglob("*.py")
        for source in [path.read_bytes()]
    }

    def read_settings(config: Any, file: Any) -> Any:
        return pickle.loads(settings) if Path(os.fsdecode(file)) == defaults else read(config, file)  # noqa: S301

    def parse_routing(text: Any, content: Any) -> Any:
        return pickle.loads(routing) if text == routes else parse(text, content)  # noqa: S301

    def compile_once(source: bytes, filename: str, **options: Any) -> Any:
        return code.get((source, filename)) or compile(source, filename, **options)

    manager.ConfigManager._read_config_yaml_file = read_settings
    _collection_finder._meta_yml_to_dict = parse_routing
    _collection_finder.compile = compile_once
    for kind in PLUGINS_WITH_OPTIONS:
        package = importlib.import_module(f"ansible.plugins.{kind}")
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            # Not by the loader itself, which would keep what is of one play.
            for name in (found.name, f"ansible.builtin.{found.name}"):
                getattr(loader, f"{kind}_loader")._load_config_defs(name, module, module.__file__)


def _play(output: int, status: int, arguments: list[str], cwd: str, env: dict[str, str]) -> NoReturn:
    os.setsid()
    os.write(status, str(os.getpid()).encode())
    code: Any = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        atexit._clear()
        from ansible import constants
        from ansible.cli.playbook import PlaybookCLI

        options = constants.config._plugins
        importlib.reload(constants)
        constants.config._plugins = options
        PlaybookCLI.cli_executor(["ansible-playbook", *arguments])
    except SystemExit as exc:
        code = exc.code or 0
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(status, str(code).encode())
        os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
