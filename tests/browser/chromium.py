# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive Debian's Chromium over a pipe, by the DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.format_readers.install import Absent, require, unpacked

TIMEOUT = 60.0
_FILL = """(selector, text) => {
  const field = document.querySelector(selector);
  field.value = text;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
}"""
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # everything here may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)


def find_chromium() -> tuple[Path, dict[str, str]]:
    """Return the program and what its environment needs: the installed one, or Debian's, unpacked; raises Absent."""
    installed = shutil.which("chromium")
    if installed:
        return Path(installed), {}
    require("apt-get")
    root = unpacked("chromium", *_missing("chromium"))
    libraries = root / "usr/lib" / f"{os.uname().machine}-linux-gnu"
    return root / "usr/lib/chromium/chromium", {"LD_LIBRARY_PATH": f"{libraries}:{libraries / 'pulseaudio'}"}


def _missing(package: str) -> list[str]:
    """Return the packages that installing one would add, but for itself."""
    command = ("apt-get", "--simulate", "--no-install-recommends", "install", package)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"apt-get cannot install {package}: {done.stderr.strip()[-300:]}")
    names = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
    return [name for name in names if name != package]


class Browser:
    """A running Chromium."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self._process = process
        self._send = send
        self._receive = receive
        self._pending = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method, and return its result; what happens in the meantime is kept in events."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._send, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._pending:
            assert self._process.poll() is None, "Chromium has ended"
            assert time.monotonic() < deadline, "Chromium does not answer"
            if select.select([self._receive], [], [], 1)[0]:
                self._pending += os.read(self._receive, 2**20)
        message, _zero, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(message))

    def open(self, file: Path, *, dark: bool = False, width: int = 1280, height: int = 900) -> Page:
        """Open a file in a page of its own."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        page.call("Page.navigate", url=file.as_uri())
        page.wait("document.readyState === 'complete'")
        return page


class Page:
    """One page."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method for this page."""
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """Return the value of an expression, or of the promise that it is."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + TIMEOUT
        while not self.run(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "Enter": 13}[key]
            text = {"text": "\r"} if key == "Enter" and kind == "rawKeyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **text,
            )

    def fill(self, selector: str, text: str) -> None:
        """Put a text into a field, as typing it does."""
        self.run(f"({_FILL})({json.dumps(selector)}, {json.dumps(text)})")

    def click(self, selector: str) -> None:
        """Click an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def texts(self, selector: str) -> list[str]:
        """Return the texts of the elements."""
        return list(self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)"))

    @property
    def problems(self) -> list[str]:
        """What the page has asked for beside itself and what it holds, and what went wrong."""
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            parameters = event["params"]
            if event["method"] == "Network.requestWillBeSent" and parameters["type"] != "Document":
                url = parameters["request"]["url"]
                found += [] if url.startswith("data:") else [f"request: {url}"]
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(f"exception: {parameters['exceptionDetails']}")
            elif event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"):
                found.append(f"{event['method']}: {parameters}")
        return found

    def picture(self) -> bytes:
        """Return what is to be seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def printed(self) -> bytes:
        """Return the page as it is printed, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Target.closeTarget", targetId=self._target)


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; raises Absent."""
    program, environment = find_chromium()
    to_read, send = os.pipe()
    receive, to_write = os.pipe()
    # Chromium reads descriptor 3 and writes 4, so that ours must be others.
    theirs = tuple(fcntl.fcntl(handle, fcntl.F_DUPFD, 10) for handle in (to_read, to_write))
    start = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", start, str(program), *OPTIONS, f"--user-data-dir={folder / 'profile'}"],
            env={**os.environ, "HOME": str(folder), **environment},
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    for handle in (to_read, to_write, *theirs):
        os.close(handle)
    try:
        yield Browser(process, send, receive)
    finally:
        process.terminate()
        process.wait(10)
        os.close(send)
        os.close(receive)
