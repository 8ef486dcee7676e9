# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control interface: JSON commands over plain HTTP on a port of its own, guarded by a token; and its client."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .commands import Commands
from .http import Request, Response, json_response


class ControlError(Exception):
    """A command that could not be carried out."""


class ControlService:
    """`POST /COMMAND` with a JSON object of arguments, answered by `{"result": …}` or `{"error": …}`."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self.token = secrets.token_urlsafe(24)

    def handle(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return json_response({"error": "wrong control token"}, 401)
        if request.method != "POST":
            return json_response({"error": "POST only"}, 405)
        try:
            arguments = json.loads(request.body or b"{}")
            return json_response({"result": self._commands.run(request.path.strip("/"), arguments)})
        except (LookupError, TypeError, ValueError) as exc:
            return json_response({"error": f"{type(exc).__name__}: {exc}"}, 400)


class Control:
    """Client of the control interface; every command of `Commands` is a method: `control.add_user("a", "b")`.

    Arguments are keywords, but for the first positional ones that a command names.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        # No proxy of the environment may come between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, command: str, **arguments: Any) -> Any:
        """Carry out a command."""
        request = urllib.request.Request(
            f"{self.url}/{command}",
            json.dumps(arguments).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as exc:
            with exc:
                raise ControlError(json.load(exc)["error"]) from None

    def __getattr__(self, command: str) -> Callable[..., Any]:
        if command.startswith("_") or not hasattr(Commands, command):
            raise AttributeError(command)
        names = [name for name in _parameters(command) if name != "self"]

        def call(*values: Any, **arguments: Any) -> Any:
            named = dict(zip(names[: len(values)], values, strict=True))
            return self.call(command, **named, **arguments)

        return call


def _parameters(command: str) -> tuple[str, ...]:
    function = getattr(Commands, command)
    return tuple(function.__code__.co_varnames[: function.__code__.co_argcount])
