# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that is logged in to, with one folder open.

What the server says is never shown to the user, since it may repeat what it was sent.
"""

from __future__ import annotations

import contextlib
import imaplib
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ..errors import MailError
from .settings import MailSettings, tls_context

try:
    from imapclient import IMAPClient  # type: ignore[import-untyped]
    from imapclient.exceptions import CapabilityError  # type: ignore[import-untyped]
except ImportError:  # told to the user by connect()
    HAS_IMAPCLIENT = False
else:
    HAS_IMAPCLIENT = True
T = TypeVar("T")
POLL_SECONDS = 3.0
LONGEST_PAUSE = 10.0  # between two tries to reach a server again
# What the library raises on answers that it did not expect.
_ODD = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


class Position(NamedTuple):
    """Where in a folder the next mail will be: RFC 3501's UIDVALIDITY and UIDNEXT."""

    uid_validity: int
    next_uid: int


class ImapConnection:
    """A connection to the folder of a mailbox."""

    def __init__(self, settings: MailSettings) -> None:
        """Nothing is sent before connect()."""
        self.settings = settings
        self._client: Any = None
        self._can_idle = True

    def connect(self) -> None:
        """Log in and enter the folder; raises MailError."""
        if not HAS_IMAPCLIENT:
            raise MailError("the Python package IMAPClient is needed on the controller: pip install IMAPClient")
        for name in ("imapclient.imapclient", "imapclient.imaplib"):
            logging.getLogger(name).disabled = True  # it would tell names, and what servers say
        self._client = self._reached()
        self._log_in()
        self.enter()
        if self.settings.afterwards == "move":
            self.ask(
                lambda client: client.folder_status(self.settings.move_to, ["UIDVALIDITY"]),
                f"has no folder {self.settings.move_to!r} that {self.settings.username} may use",
                cause="no_folder",
            )

    def close(self) -> None:
        """Log out. Whatever goes wrong with that is of no interest."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError, *_ODD):
                client.logout()
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                client.shutdown()

    def _reached(self) -> Any:
        settings, context = self.settings, tls_context(self.settings)
        implicit = settings.tls == "implicit"
        client = None
        try:
            client = IMAPClient(
                settings.host,
                settings.port,
                ssl=implicit,
                ssl_context=context if implicit else None,
                timeout=settings.timeout,
            )
            client.normalise_times = False
            if not implicit:
                client.starttls(context)
            return client
        except CapabilityError:
            error = self.error("offers no STARTTLS, and nothing was sent without TLS", cause="tls")
        except ssl.SSLCertVerificationError as exc:
            error = self.error(
                f"its certificate is not trusted: {exc.verify_message.rstrip('.')}; ca_path can name a file with the "
                "authority to trust",
                cause="tls",
            )
        except ssl.SSLEOFError:
            error = self.error("ended the connection while TLS began", cause="unreachable")
        except ssl.SSLError as exc:
            error = self.error(f"TLS failed: {exc.reason or 'no reason given'}", cause="tls")
        except OSError as exc:
            error = self.error(f"cannot be reached: {exc.strerror or type(exc).__name__}", cause="unreachable")
        except (imaplib.IMAP4.error, *_ODD):
            error = self.error("does not answer as an IMAP server does", cause="unreachable")
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown()
        raise error

    def _log_in(self) -> None:
        settings, client = self.settings, self._client
        try:
            if settings.access_token:
                self._log_in_by_oauth(settings.access_token)
            elif client.has_capability("AUTH=PLAIN"):
                client.plain_login(settings.username, settings.password)
            elif client.has_capability("LOGINDISABLED"):
                raise self.error("takes no password; it may want an access_token", cause="login_refused")
            elif not f"{settings.username}{settings.password}".isascii():
                problem = "takes no password with other characters than those of ASCII, so it was not sent"
                raise self.error(problem, cause="login_refused")
            else:
                client.login(settings.username, settings.password)
        except (imaplib.IMAP4.error, OSError, *_ODD) as exc:
            lost = any(isinstance(one, (imaplib.IMAP4.abort, OSError)) for one in (exc, exc.__context__))
            if lost or "[UNAVAILABLE]" in str(exc).upper():
                raise self.error("went away during the login", cause="unreachable") from None
            raise self.error(f"refused the login of {settings.username}", cause="login_refused") from None

    def _log_in_by_oauth(self, access_token: str) -> None:
        settings, client = self.settings, self._client
        if client.has_capability("AUTH=OAUTHBEARER"):
            user = settings.username.replace("=", "=3D").replace(",", "=2C")
            mechanism, first, then = "OAUTHBEARER", f"n,a={user},\1auth=Bearer {access_token}\1\1", "\1"
        elif client.has_capability("AUTH=XOAUTH2"):
            mechanism, first, then = "XOAUTH2", f"user={settings.username}\1auth=Bearer {access_token}\1\1", ""
        else:
            raise self.error("offers no login by OAuth, so access_token was not sent", cause="login_refused")
        # The first is the login. If it is refused, the server says why, and has to be answered once more.
        answers = iter((first, then))
        client.sasl_login(mechanism, lambda challenge: next(answers, None))

    def enter(self, *, to_change: bool = False) -> Position:
        """Enter the folder anew, as only this tells when the server has numbered its mails anew."""
        found = self.ask(
            lambda client: client.select_folder(self.settings.folder, readonly=not to_change),
            f"has no folder {self.settings.folder!r} that {self.settings.username} may read",
            cause="no_folder",
        )
        if b"UIDVALIDITY" not in found or b"UIDNEXT" not in found:
            raise self.error("does not number its mails", cause="refused")
        return Position(found[b"UIDVALIDITY"], found[b"UIDNEXT"])

    def ask(self, act: Callable[[Any], T], refused: str, *, cause: str = "refused") -> T:
        """What the server answers; raises MailError, with the cause C(gone) when the connection was lost."""
        if self._client is None:
            raise self.error("the connection was lost", cause="gone")
        try:
            return act(self._client)
        except (imaplib.IMAP4.abort, OSError):
            raise self.error("the connection was lost", cause="gone") from None
        except imaplib.IMAP4.error:
            raise self.error(refused, cause=cause) from None
        except _ODD:
            raise self.error("gives answers that cannot be understood", cause="refused") from None

    def error(self, problem: str, *, cause: str) -> MailError:
        return MailError(f"mail server {self.settings.host}: {problem}", cause=cause)

    def reconnect(self, until: float) -> None:
        """Connect again, and go on trying until then while the server is not there; at least once."""
        pause = 0.5
        while True:
            self.close()
            try:
                self.connect()
                return
            except MailError as exc:
                if exc.cause not in ("unreachable", "gone") or time.monotonic() + pause >= until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def with_a_second_try(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except MailError as exc:
            if exc.cause != "gone":
                raise
        self.reconnect(0)
        return act()

    def can(self, capability: str) -> bool:
        return bool(self.ask(lambda client: client.has_capability(capability), "does not say what it can do"))

    def await_mail(self, seconds: float) -> None:
        """Wait that long, or until there may be a new mail."""
        if seconds <= 0:
            return
        if not (self._can_idle and self.ask(lambda client: client.has_capability("IDLE"), "refused")):
            time.sleep(min(seconds, POLL_SECONDS))
            return
        until = time.monotonic() + seconds
        try:
            self.ask(lambda client: client.idle(), "refused to tell of new mails")
        except MailError as exc:
            self._can_idle = False
            if exc.cause == "gone":
                raise
            return
        try:
            while (left := until - time.monotonic()) > 0:
                said = self._client.idle_check(left)
                # Nothing at all: time is up, or the connection is lost, which idle_done() finds.
                if not said or any(b"EXISTS" in one for one in said):
                    break
            self._client.idle_done()
        except (imaplib.IMAP4.error, OSError, *_ODD):
            raise self.error("the connection was lost", cause="gone") from None
