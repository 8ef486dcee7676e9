# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers mails to a mail server, by SMTP or LMTP, while the requests that caused them go on."""

from __future__ import annotations

import heapq
import itertools
import smtplib
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .mail import MailSettings, compose
from .state import Mail, Org

TIMEOUT = 10.0
BOUNCES = "bounces@mail.simulated.example"


@dataclass(order=True, frozen=True)
class Letter:
    """A mail on its way; the earliest goes first."""

    due: float
    serial: int
    server: str = field(compare=False)
    to: str = field(compare=False)
    content: bytes = field(compare=False)


class Postman:
    """A thread with a queue of mails, and how the mails of each org are to be delivered."""

    def __init__(self, settings: MailSettings) -> None:
        self.default = self._initial = _checked(settings)
        self._of_org: dict[str, MailSettings] = {}
        self._queue: list[Letter] = []
        self._serials = itertools.count(1)
        self._change = threading.Condition()
        self._busy = self._ending = False
        self._delivered = 0
        self._failures: list[str] = []
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End at once; what waits is not delivered."""
        with self._change:
            self._ending = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=TIMEOUT)

    def settings(self, org: Org) -> MailSettings:
        return self._of_org.get(org.id, self.default)

    def set(self, org: Org | None, values: dict[str, object]) -> MailSettings:
        """Settings of one org, or of all that have none of their own."""
        if org is None:
            self.default = _checked(self.default.changed(values))
            return self.default
        self._of_org[org.id] = _checked(self.settings(org).changed(values))
        return self._of_org[org.id]

    def reset(self) -> None:
        """Forget what waits, what happened, and what was set since the start."""
        with self._change:
            self._queue.clear()
            self._failures.clear()
            self._delivered = 0
        self.default = self._initial
        self._of_org.clear()

    def deliver(self, org: Org, mail: Mail) -> None:
        """Send the mail of an org as its settings say."""
        settings = self.settings(org)
        if settings.server:
            content = compose(org, mail, settings, next(self._serials))
            for _unused in range(settings.copies):
                self.post(settings, mail.to, content)

    def post(self, settings: MailSettings, to: str, content: bytes) -> None:
        letter = Letter(time.monotonic() + settings.delay, next(self._serials), settings.server, to, content)
        with self._change:
            heapq.heappush(self._queue, letter)
            self._change.notify_all()

    def number(self) -> int:
        return next(self._serials)

    def report(self) -> dict[str, object]:
        """How many mails wait or are on their way, how many were delivered, and what went wrong with others."""
        with self._change:
            waiting = len(self._queue) + self._busy
            return {"waiting": waiting, "delivered": self._delivered, "failures": list(self._failures)}

    def _work(self) -> None:
        while letter := self._next():
            problem = _hand_over(letter)
            with self._change:
                self._busy = False
                if problem:
                    self._failures.append(problem)
                else:
                    self._delivered += 1

    def _next(self) -> Letter | None:
        """The next mail, once it is due; None at the end."""
        with self._change:
            while not self._ending:
                wait = self._queue[0].due - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._queue)
                self._change.wait(wait)
            return None


def _checked(settings: MailSettings) -> MailSettings:
    parts = urlsplit(settings.server)
    if settings.server and (parts.scheme not in ("lmtp", "smtp") or not (parts.port or parts.path)):
        raise ValueError(f"a mail server is lmtp://host:port or smtp://host:port, not {settings.server!r}")
    return settings


def _hand_over(letter: Letter) -> str:
    """Deliver one mail; what went wrong, if anything."""
    parts = urlsplit(letter.server)
    kind = smtplib.LMTP if parts.scheme == "lmtp" else smtplib.SMTP
    # A path is that of a Unix socket. A name is given, as the real one of this machine may take long to find.
    host, own_name = parts.hostname or parts.path, "mail.simulated.example"
    try:
        with kind(host, parts.port or 0, local_hostname=own_name, timeout=TIMEOUT) as server:
            server.sendmail(BOUNCES, [letter.to], letter.content)
    except (OSError, smtplib.SMTPException) as exc:
        return f"{letter.to}: {type(exc).__name__}: {exc}"
    return ""
