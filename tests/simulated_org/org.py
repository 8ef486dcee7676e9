# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running server of simulated orgs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import ca, seed
from .clock import Clock
from .commands import Commands
from .control import Control, ControlService
from .faults import Faults
from .journal import Journal
from .mail import MailSettings
from .postman import Postman
from .server import Listener
from .service import Service
from .state import State


@dataclass(frozen=True)
class Login:
    """What a user types: handy for tests."""

    username: str
    password: str
    security_token: str

    @property
    def login_password(self) -> str:
        return self.password + self.security_token


class SimulatedOrg:
    """Listeners, state and control interface; a context manager that stops everything at the end."""

    def __init__(
        self,
        seed_data: Mapping[str, Any] | None = None,
        *,
        folder: Path | None = None,
        addresses: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
        threads: int = 8,
        clock: Clock | None = None,
        mail_server: str = "",
    ) -> None:
        self._stack = contextlib.ExitStack()
        if folder is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="simulated-org-")))
        self.certificates = ca.create(folder, addresses)
        self.state = State(clock)
        self.faults = Faults()
        self.journal = Journal()
        self.postman = Postman(MailSettings(server=mail_server))
        self.state.deliver = self.postman.deliver
        self.commands = Commands(self.state, self.faults, self.journal, self.postman)
        seed.plant(self.state, seed_data or seed.DEFAULT_SEED)
        self.service = Service(self.state, self.faults, self.journal, self.commands.run_hook)
        control = ControlService(self.commands)
        self.listeners = [
            Listener(address, port, self.service.handle, threads=threads, certificates=self.certificates)
            for address in addresses
        ]
        self._control_listener = Listener("127.0.0.1", 0, control.handle, threads=2)
        self._control_token = control.token

    def start(self) -> Self:
        for listener in (*self.listeners, self._control_listener):
            listener.begin()
        self.postman.start()
        return self

    def stop(self) -> None:
        for listener in (*self.listeners, self._control_listener):
            listener.end()
        self.postman.stop()
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of the first listener."""
        return self.listeners[0].url

    @property
    def ca_path(self) -> str:
        return str(self.certificates.ca)

    @property
    def control_url(self) -> str:
        return self._control_listener.url.replace("localhost", "127.0.0.1")

    @property
    def control_token(self) -> str:
        return self._control_token

    @property
    def control(self) -> Control:
        return Control(self.control_url, self.control_token)

    @property
    def admin(self) -> Login:
        """The first user of the first org."""
        user = next(iter(self.state.org().users.values()))
        return Login(user.username, user.password, user.security_token or "")

    def ready_info(self, pid: int) -> dict[str, Any]:
        """What another process needs to use this server."""
        return {
            "url": self.url,
            "urls": [listener.url for listener in self.listeners],
            "ca_path": str(Path(self.ca_path).absolute()),
            "control_url": self.control_url,
            "control_token": self.control_token,
            "pid": pid,
        }
