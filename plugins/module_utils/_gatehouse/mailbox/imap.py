# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that is logged in to, with one folder open.

What the server says is never shown to the user, since it may repeat what it was sent.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import logging
import re
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ..errors import MailError
from .limits import ExchangeLimits, LimitedImap, TooLargeError, limit_tls
from .oauth import Memory, access_token
from .settings import MailSettings, tls_context

try:
    from imapclient import IMAPClient  # type: ignore[import-untyped]
    from imapclient.exceptions import CapabilityError  # type: ignore[import-untyped]
except ImportError:  # reported by connect()
    HAS_IMAPCLIENT = False
else:
    HAS_IMAPCLIENT = True

    class _Client(IMAPClient):  # type: ignore[misc]
        """A client whose connection is limited in time and size."""

        def __init__(self, settings: MailSettings, context: ssl.SSLContext, limits: ExchangeLimits) -> None:
            self._limits, self._context = limits, context
            super().__init__(settings.host, settings.port, ssl=settings.tls == "implicit", timeout=settings.timeout)

        def _create_IMAP4(self) -> LimitedImap:  # noqa: N802 - the library's name
            return LimitedImap(self.host, self.port, self._limits, self._context if self.ssl else None)


T = TypeVar("T")
POLL_SECONDS = 3.0  # between two looks at a folder whose server announces no mails
LOGOUT_SECONDS = 3.0
_STATUS = re.compile(r"[a-z0-9_]{1,40}")
MAX_PAUSE = 10.0  # seconds between two tries to reach a server again
# What the library raises on responses that it did not expect.
_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)


class Position(NamedTuple):
    """Where in a folder the next mail will be: RFC 3501's UIDVALIDITY and UIDNEXT."""

    uid_validity: int
    next_uid: int


class ImapConnection:
    """A connection to the folder of a mailbox.

    Attributes:
        limits: one deadline and one size limit for each call, and for what is done within limits.exchange().
    """

    def __init__(self, settings: MailSettings, memory: Memory | None = None) -> None:
        """Prepare a connection; nothing is sent before connect().

        Args:
            memory: keeps the tokens of OAuth, where that is how to log in.
        """
        self.settings = settings
        self._memory = memory
        self.limits = ExchangeLimits(settings.timeout)
        self._client: Any = None
        self._can_idle = True

    def connect(self) -> None:
        """Log in and open the folder; raises MailError."""
        if not HAS_IMAPCLIENT:
            raise MailError("the Python package IMAPClient is needed on the controller: pip install IMAPClient")
        for name in ("imapclient.imapclient", "imapclient.imaplib"):
            logging.getLogger(name).disabled = True  # it would log names, and what servers say
        with self._access_token() as token, self.limits.exchange():
            self._client = self._open_client()
            self._log_in(token)
            self.open_folder()
            if self.settings.on_success == "move":
                self.call(
                    lambda client: client.folder_status(self.settings.move_to, ["UIDVALIDITY"]),
                    f"has no folder {self.settings.move_to!r} that {self.settings.username} may use",
                    cause="no_folder",
                )

    def _access_token(self) -> contextlib.AbstractContextManager[str | None]:
        """Return the access token to log in with; None where there is a password."""
        oauth = self.settings.oauth
        if oauth is None:
            return contextlib.nullcontext(self.settings.access_token)
        if self._memory is None:
            raise ValueError("a mailbox by OAuth needs a memory for its tokens")
        return access_token(oauth, self._memory)

    def close(self) -> None:
        """Log out, and close the connection whatever the server does."""
        client, self._client = self._client, None
        if client is None:
            return
        ignored = (imaplib.IMAP4.error, OSError, TooLargeError, *_UNEXPECTED)
        with contextlib.suppress(*ignored), self.limits.exchange(LOGOUT_SECONDS):
            client.logout()
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.shutdown()

    def _open_client(self) -> Any:
        settings, context = self.settings, tls_context(self.settings)
        client = None
        try:
            client = _Client(settings, context, self.limits)
            client.normalise_times = False
            if settings.tls == "starttls":
                client.starttls(limit_tls(context, self.limits))
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
        except TimeoutError:
            error = self.error(self._too_slow, cause="unreachable")
        except OSError as exc:
            error = self.error(f"cannot be reached: {exc.strerror or type(exc).__name__}", cause="unreachable")
        except (imaplib.IMAP4.error, TooLargeError, *_UNEXPECTED):
            error = self.error("does not respond as an IMAP server does", cause="unreachable")
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown()
        raise error

    def _log_in(self, token: str | None) -> None:
        settings, client = self.settings, self._client
        told: list[bytes] = []
        try:
            if token:
                self._log_in_by_oauth(token, told)
            elif client.has_capability("AUTH=PLAIN"):
                client.plain_login(settings.username, settings.password)
            elif client.has_capability("LOGINDISABLED"):
                raise self.error("takes no password; it may want an access_token", cause="login_refused")
            elif not f"{settings.username}{settings.password}".isascii():
                problem = "takes no password with other characters than those of ASCII, so it was not sent"
                raise self.error(problem, cause="login_refused")
            else:
                client.login(settings.username, settings.password)
        except TooLargeError:
            raise self._too_large() from None
        except (imaplib.IMAP4.error, OSError, *_UNEXPECTED) as exc:
            lost = any(isinstance(error, (imaplib.IMAP4.abort, OSError)) for error in (exc, exc.__context__))
            if lost or "[UNAVAILABLE]" in str(exc).upper():
                raise self.error("went away during the login", cause="unreachable") from None
            why = _oauth_status(told)
            raise self.error(f"refused the login of {settings.username}{why}", cause="login_refused") from None

    def _log_in_by_oauth(self, access_token: str, told: list[bytes]) -> None:
        settings, client = self.settings, self._client
        if client.has_capability("AUTH=OAUTHBEARER"):
            user = settings.username.replace("=", "=3D").replace(",", "=2C")
            mechanism, first, then = "OAUTHBEARER", f"n,a={user},\1auth=Bearer {access_token}\1\1", "\1"
        elif client.has_capability("AUTH=XOAUTH2"):
            mechanism, first, then = "XOAUTH2", f"user={settings.username}\1auth=Bearer {access_token}\1\1", ""
        else:
            raise self.error("offers no login by OAuth, so access_token was not sent", cause="login_refused")
        # The first is the login. If it is refused, the server says why, and expects one more line.
        lines = iter((first, then))

        def respond(challenge: bytes) -> str | None:
            told.append(challenge)
            return next(lines, None)

        client.sasl_login(mechanism, respond)

    def open_folder(self, *, to_change: bool = False) -> Position:
        """Open the folder anew, as only then a server says that it has numbered its mails anew; raises MailError."""
        status = self.call(
            lambda client: client.select_folder(self.settings.folder, readonly=not to_change),
            f"has no folder {self.settings.folder!r} that {self.settings.username} may read",
            cause="no_folder",
        )
        if b"UIDVALIDITY" not in status or b"UIDNEXT" not in status:
            raise self.error("does not number its mails", cause="refused")
        return Position(status[b"UIDVALIDITY"], status[b"UIDNEXT"])

    def call(self, command: Callable[[Any], T], refused: str, *, cause: str = "refused") -> T:
        """Return what the server responds; raises MailError, with the cause C(gone) when the connection was lost.

        Args:
            command: calls the client of IMAPClient.
            refused: what to say when the server refuses.
            cause: of that error.
        """
        if self._client is None:
            raise self.error("the connection was lost", cause="gone")
        try:
            with self.limits.exchange():
                return command(self._client)
        except TooLargeError:
            raise self._too_large() from None
        except TimeoutError:
            raise self.error(self._too_slow, cause="gone") from None
        except (imaplib.IMAP4.abort, OSError):
            raise self.error("the connection was lost", cause="gone") from None
        except imaplib.IMAP4.error:
            raise self.error(refused, cause=cause) from None
        except _UNEXPECTED:
            raise self.error("its responses cannot be understood", cause="refused") from None

    def error(self, problem: str, *, cause: str) -> MailError:
        """Return an error that names the server."""
        return MailError(f"mail server {self.settings.host}: {problem}", cause=cause)

    @property
    def _too_slow(self) -> str:
        return f"is slower than timeout ({self.settings.timeout:g} s) allows"

    def _too_large(self) -> MailError:
        return self.error("sends more than was asked for", cause="refused")

    def reconnect(self, until: float) -> None:
        """Connect again at least once, and until that time (monotonic) while the server cannot be reached."""
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
            pause = min(2 * pause, MAX_PAUSE)

    def retry_once(self, action: Callable[[], T]) -> T:
        """Return what an action returns, which is repeated over a new connection if this one was lost."""
        try:
            return action()
        except MailError as exc:
            if exc.cause != "gone":
                raise
        self.reconnect(0)
        return action()

    def has_capability(self, capability: str) -> bool:
        """Whether the server offers an extension of IMAP."""
        return bool(self.call(lambda client: client.has_capability(capability), "does not say what it offers"))

    def await_mail(self, seconds: float) -> None:
        """Wait so many seconds, or until a new mail may have come; raises MailError."""
        if seconds <= 0:
            return
        if not (self._can_idle and self.has_capability("IDLE")):
            time.sleep(min(seconds, POLL_SECONDS))
            return
        until = time.monotonic() + seconds
        try:
            self.call(lambda client: client.idle(), "refused to announce new mails")
        except MailError as exc:
            self._can_idle = False
            if exc.cause == "gone":
                raise
            return
        try:
            with self.limits.exchange(seconds):
                while (left := until - time.monotonic()) > 0:
                    lines = self._client.idle_check(left)
                    # Nothing at all: time is up, or the connection is lost, which idle_done() finds.
                    if not lines or any(b"EXISTS" in line for line in lines):
                        break
            with self.limits.exchange():
                self._client.idle_done()
        except TooLargeError:
            raise self._too_large() from None
        except (imaplib.IMAP4.error, OSError, *_UNEXPECTED):
            raise self.error("the connection was lost", cause="gone") from None


def _oauth_status(challenges: list[bytes]) -> str:
    """Return the status in what a server says of an access token that it refuses (RFC 7628, section 3.2.3)."""
    for challenge in challenges:
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            status = str(json.loads(challenge)["status"])
            if _STATUS.fullmatch(status):
                return f": the access token is refused with status {status}"
    return ""
