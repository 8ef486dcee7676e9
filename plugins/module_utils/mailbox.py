# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mailbox that receives security tokens, by IMAP over TLS. Private to gatehouse.salesforce.

The server does the searching, and nothing is changed by reading. What it says is never shown to the user, since it may
repeat what it was sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import imaplib
import logging
import re
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ansible.module_utils.basic import env_fallback

from . import token_mail
from .errors import MailError, OptionError

try:
    from imapclient import DELETED, FLAGGED, IMAPClient  # type: ignore[import-untyped]
    from imapclient.exceptions import CapabilityError  # type: ignore[import-untyped]
except ImportError:  # told to the user by open_mailbox()
    HAS_IMAPCLIENT = False
else:
    HAS_IMAPCLIENT = True

T = TypeVar("T")

PORTS = {"implicit": 993, "starttls": 143}
AFTERWARDS = ("keep", "flag", "move", "delete")

CLOCK_SLACK = datetime.timedelta(minutes=5)  # between this machine and the mail server
POLL_SECONDS = 3.0
LONGEST_IDLE = 60.0  # a server may end it after 29 minutes, and a router on the way after a few
LONGEST_PAUSE = 10.0  # between two tries to reach a server again
BLIND = 10  # mails that are read while waiting although the server does not find the user name in them
MAX_OTHERS = 200  # of those, at the end of the wait
_HEADERS_AT_ONCE, _MAILS_AT_ONCE = 100, 10
_HEADER = "BODY.PEEK[HEADER.FIELDS (FROM DATE AUTHENTICATION-RESULTS)]"
# What the library raises on answers that it did not expect.
_ODD = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)
_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_AUTHSERV_ID = re.compile(r"[^\s;\"()=\\]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _option(variable: str, **rest: Any) -> dict[str, Any]:
    return {"type": "str", "fallback": (env_fallback, [f"GATEHOUSE_MAILBOX_{variable}"]), **rest}


SPEC: dict[str, dict[str, Any]] = {
    "host": _option("HOST"),
    "port": {"type": "int"},
    "username": _option("USERNAME"),
    "password": _option("PASSWORD", no_log=True),
    "access_token": _option("ACCESS_TOKEN", no_log=True),
    "tls": {"type": "str", "choices": list(PORTS), "default": "implicit"},
    "ca_path": {"type": "path"},
    "folder": {"type": "str", "default": "INBOX"},
    "senders": {"type": "list", "elements": "str", "default": list(token_mail.SENDERS)},
    "authserv_id": {"type": "str"},
    "timeout": {"type": "float", "default": 30.0},
    "afterwards": {"type": "str", "choices": list(AFTERWARDS), "default": "keep"},
    "move_to": {"type": "str"},
}


class Position(NamedTuple):
    """Where in a folder the next mail will be: RFC 3501's UIDVALIDITY and UIDNEXT."""

    uid_validity: int
    next_uid: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenMail:
    """A mail that brings a token.

    Attributes:
        received: when the mail server got it.
        sent: when its sender says; None if that cannot be understood.
        authenticated: whether the mail server has verified the sender's domain, see token_mail.Policy.
    """

    token: str = dataclasses.field(repr=False)
    uid: int
    uid_validity: int
    received: datetime.datetime
    sent: datetime.datetime | None
    authenticated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class MailSettings:
    """How to reach a mailbox, and which of its mails count.

    Attributes:
        access_token: of OAuth, instead of a password.
        tls: C(implicit) or C(starttls); the certificate is verified either way.
        ca_path: a PEM file to trust instead of the system's authorities.
        timeout: seconds without an answer before the connection is given up.
        afterwards: what becomes of the mail whose token is stored: C(keep), C(flag), C(move) or C(delete).
    """

    host: str
    username: str
    port: int = PORTS["implicit"]
    password: str | None = dataclasses.field(default=None, repr=False)
    access_token: str | None = dataclasses.field(default=None, repr=False)
    tls: str = "implicit"
    ca_path: str | None = None
    folder: str = "INBOX"
    policy: token_mail.Policy = token_mail.Policy()
    timeout: float = 30.0
    afterwards: str = "keep"
    move_to: str | None = None


def mail_settings(options: Mapping[str, Any], *, option: str = "mailbox") -> MailSettings:
    """The settings that the suboptions of SPEC describe; raises OptionError naming the one at fault."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("host", "username"):
        if not given.get(name, "").strip():
            raise OptionError(f"{option}.{name}", "must not be empty")
    for name in ("username", "password", "access_token", "folder", "move_to"):
        if _CONTROL.search(given.get(name, "")):
            raise OptionError(f"{option}.{name}", "holds a control character")
    if not _HOST.fullmatch(given["host"]):
        raise OptionError(f"{option}.host", f"{given['host']!r} is not a host name; no scheme, port or path")
    if bool(given.get("password")) == bool(given.get("access_token")):
        raise OptionError(f"{option}.password", "either this or access_token must be given, and not both")
    policy = token_mail.Policy(
        senders=tuple(given.pop("senders", token_mail.SENDERS)), authserv_id=given.pop("authserv_id", None)
    )
    settings = MailSettings(**{"port": PORTS.get(given.get("tls", "implicit"), 0), **given, "policy": policy})
    _check(settings, option)
    return settings


def _check(settings: MailSettings, option: str) -> None:
    for name, known in (("tls", tuple(PORTS)), ("afterwards", AFTERWARDS)):
        if getattr(settings, name) not in known:
            raise OptionError(f"{option}.{name}", f"{getattr(settings, name)!r} is not one of {', '.join(known)}")
    if not 0 < settings.port < 65536:
        raise OptionError(f"{option}.port", f"{settings.port} is not a port")
    if settings.timeout <= 0:
        raise OptionError(f"{option}.timeout", "must be more than 0 seconds")
    if not settings.folder:
        raise OptionError(f"{option}.folder", "must not be empty")
    if not settings.policy.senders:
        raise OptionError(f"{option}.senders", "must not be empty, as anybody can send mails to a mailbox")
    for domain in settings.policy.senders:
        if not _DOMAIN.fullmatch(domain):
            raise OptionError(f"{option}.senders", f"{domain!r} is not a domain such as salesforce.com")
    if settings.policy.authserv_id is not None and not _AUTHSERV_ID.fullmatch(settings.policy.authserv_id):
        raise OptionError(
            f"{option}.authserv_id", "is not the name at the beginning of a header field Authentication-Results"
        )
    if settings.afterwards == "move" and settings.move_to in (None, "", settings.folder):
        raise OptionError(f"{option}.move_to", "must be another folder when afterwards is move")
    _context(settings, option)


def _context(settings: MailSettings, option: str = "mailbox") -> ssl.SSLContext:
    """Verified TLS; raises OptionError when ca_path cannot be read."""
    try:
        return ssl.create_default_context(cafile=settings.ca_path)
    except OSError:
        raise OptionError(f"{option}.ca_path", f"{settings.ca_path} has no certificates that can be read") from None


@contextlib.contextmanager
def open_mailbox(settings: MailSettings) -> Iterator[Mailbox]:
    """The mailbox, logged in.

    Raises:
        MailError: it cannot be entered. A login that was refused is not repeated.
    """
    if not HAS_IMAPCLIENT:
        raise MailError("the Python package IMAPClient is needed on the controller: pip install IMAPClient")
    mailbox = Mailbox(settings)
    try:
        mailbox.connect()
        yield mailbox
    finally:
        mailbox.close()


@dataclasses.dataclass
class _Search:
    """What a search for tokens knows while it goes on."""

    username: str
    since: Position | None
    earliest: datetime.datetime
    seen: set[tuple[int, int]] = dataclasses.field(default_factory=set)
    tokens: set[str] = dataclasses.field(default_factory=set)
    blind: int = BLIND

    def criteria(self, validity: int, senders: Collection[str]) -> list[Any]:
        """What to ask the server for."""
        if self.by_time(validity):
            # The server compares dates only, those of its own zone.
            begin: list[Any] = ["SINCE", (self.earliest - datetime.timedelta(days=1)).date()]
        else:
            begin = ["UID", f"{self.first(validity)}:*"]
        first, *others = senders
        by_sender: list[Any] = ["FROM", first]
        for sender in others:
            by_sender = ["OR", by_sender, ["FROM", sender]]
        return [*begin, *by_sender]

    def by_time(self, validity: int) -> bool:
        """Whether the position is not known, or no longer valid."""
        return self.since is None or self.since.uid_validity != validity

    def first(self, validity: int) -> int:
        """The lowest UID to look at."""
        return 0 if self.since is None or self.by_time(validity) else self.since.next_uid


class Mailbox:
    """One folder of a mailbox."""

    def __init__(self, settings: MailSettings) -> None:
        """Nothing is sent before connect()."""
        self._settings = settings
        self._client: Any = None
        self._can_idle = True

    # The connection.

    def connect(self) -> None:
        """Log in and enter the folder; raises MailError."""
        for name in ("imapclient.imapclient", "imapclient.imaplib"):
            logging.getLogger(name).disabled = True  # it would tell names, and what servers say
        self._client = self._reached()
        self._log_in()
        self._enter()
        if self._settings.afterwards == "move":
            self._ask(
                lambda client: client.folder_status(self._settings.move_to, ["UIDVALIDITY"]),
                f"has no folder {self._settings.move_to!r} that {self._settings.username} may use",
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
        settings, context = self._settings, _context(self._settings)
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
            error = self._error("offers no STARTTLS, and nothing was sent without TLS", cause="tls")
        except ssl.SSLCertVerificationError as exc:
            error = self._error(
                f"its certificate is not trusted: {exc.verify_message.rstrip('.')}; ca_path can name a file with the "
                "authority to trust",
                cause="tls",
            )
        except ssl.SSLEOFError:
            error = self._error("ended the connection while TLS began", cause="unreachable")
        except ssl.SSLError as exc:
            error = self._error(f"TLS failed: {exc.reason or 'no reason given'}", cause="tls")
        except OSError as exc:
            error = self._error(f"cannot be reached: {exc.strerror or type(exc).__name__}", cause="unreachable")
        except (imaplib.IMAP4.error, *_ODD):
            error = self._error("does not answer as an IMAP server does", cause="unreachable")
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown()
        raise error

    def _log_in(self) -> None:
        settings, client = self._settings, self._client
        try:
            if settings.access_token:
                self._log_in_by_oauth(settings.access_token)
            elif client.has_capability("AUTH=PLAIN"):
                client.plain_login(settings.username, settings.password)
            else:
                client.login(settings.username, settings.password)
        except (imaplib.IMAP4.error, OSError, *_ODD) as exc:
            lost = any(isinstance(one, (imaplib.IMAP4.abort, OSError)) for one in (exc, exc.__context__))
            if lost or "[UNAVAILABLE]" in str(exc).upper():
                raise self._error("went away during the login", cause="unreachable") from None
            raise self._error(f"refused the login of {settings.username}", cause="login_refused") from None

    def _log_in_by_oauth(self, access_token: str) -> None:
        settings, client = self._settings, self._client
        if client.has_capability("AUTH=OAUTHBEARER"):
            user = settings.username.replace("=", "=3D").replace(",", "=2C")
            mechanism, first, then = "OAUTHBEARER", f"n,a={user},\1auth=Bearer {access_token}\1\1", "\1"
        elif client.has_capability("AUTH=XOAUTH2"):
            mechanism, first, then = "XOAUTH2", f"user={settings.username}\1auth=Bearer {access_token}\1\1", ""
        else:
            raise self._error("offers no login by OAuth, so access_token was not sent", cause="login_refused")
        # The first is the login. If it is refused, the server says why, and has to be answered once more.
        answers = iter((first, then))
        client.sasl_login(mechanism, lambda challenge: next(answers, None))

    def _enter(self, *, to_change: bool = False) -> Position:
        """Enter the folder anew, as only this tells when the server has numbered its mails anew."""
        found = self._ask(
            lambda client: client.select_folder(self._settings.folder, readonly=not to_change),
            f"has no folder {self._settings.folder!r} that {self._settings.username} may read",
            cause="no_folder",
        )
        if b"UIDVALIDITY" not in found or b"UIDNEXT" not in found:
            raise self._error("does not number its mails", cause="refused")
        return Position(found[b"UIDVALIDITY"], found[b"UIDNEXT"])

    def _ask(self, act: Callable[[Any], T], refused: str, *, cause: str = "refused") -> T:
        """What the server answers; raises MailError, with the cause C(gone) when the connection was lost."""
        if self._client is None:
            raise self._error("the connection was lost", cause="gone")
        try:
            return act(self._client)
        except (imaplib.IMAP4.abort, OSError):
            raise self._error("the connection was lost", cause="gone") from None
        except imaplib.IMAP4.error:
            raise self._error(refused, cause=cause) from None
        except _ODD:
            raise self._error("gives answers that cannot be understood", cause="refused") from None

    def _error(self, problem: str, *, cause: str) -> MailError:
        return MailError(f"mail server {self._settings.host}: {problem}", cause=cause)

    def _reconnect(self, until: float) -> None:
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

    def _with_a_second_try(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except MailError as exc:
            if exc.cause != "gone":
                raise
        self._reconnect(0)
        return act()

    # What is done with it.

    def position(self) -> Position:
        """Where the next mail will be."""
        return self._with_a_second_try(self._enter)

    def tokens(
        self, username: str, *, since: Position | None, since_time: datetime.datetime, wait: float
    ) -> Iterator[TokenMail]:
        """The mails with tokens of this user that came after a position, while they come in.

        Of those that are there at the same time, the likeliest is first: one whose sender is authenticated, then the
        newest. Of several with the same token, one is given.

        Args:
            since: None when it is not known; then, or when the server has numbered its mails anew, the time decides.
            since_time: a little earlier is looked at as well, as clocks differ.
            wait: seconds; with 0, what is there is given.

        Raises:
            MailError: the mailbox cannot be read. While the wait lasts, a connection that is lost is made again.
        """
        search = _Search(username, since, since_time - CLOCK_SLACK)
        deadline = time.monotonic() + wait
        # Short at first: a mail that comes after the search and before IDLE is not announced by all servers.
        pause, lost_at_last, rest = 1.0, False, 0.5
        while True:
            last = time.monotonic() >= deadline
            try:
                yield from self._look(search, last=last)
                if last:
                    return
                self._await_mail(min(pause, deadline - time.monotonic()))
                pause = min(2 * pause, LONGEST_IDLE)
            except MailError as exc:
                if exc.cause != "gone" or lost_at_last:
                    raise
                lost_at_last = last
                time.sleep(max(0.0, min(rest, deadline - time.monotonic())))
                rest = min(2 * rest, LONGEST_PAUSE)
                self._reconnect(deadline)

    def _look(self, search: _Search, *, last: bool) -> Iterator[TokenMail]:
        """Those that are there now and were not looked at before."""
        validity = self._enter().uid_validity
        criteria = search.criteria(validity, self._settings.policy.senders)
        # Of a range that ends in an asterisk, the last mail is part, even if the range begins behind it.
        found = {
            uid
            for uid in self._search(criteria)
            if uid >= search.first(validity) and (validity, uid) not in search.seen
        }
        if not found:
            return
        # A server may not find what is encoded in a mail. So this tells which to read first, not which to leave out.
        named = self._named(criteria, search.username) & found if len(found) > search.blind else set()
        others = sorted(found - named, reverse=True)
        yield from self._read(search, validity, [*named, *others[: search.blind]])
        rest = others[search.blind :][:MAX_OTHERS]
        search.blind -= min(search.blind, len(others))
        if last:
            yield from self._read(search, validity, rest)

    def _search(self, criteria: list[Any]) -> list[int]:
        return list(self._ask(lambda client: client.search(criteria), "refused to search the folder"))

    def _named(self, criteria: list[Any], username: str) -> set[int]:
        """In which of the mails the server finds the user name."""
        try:
            return set(self._search([*criteria, "BODY", username]))
        except MailError as exc:
            if exc.cause == "gone":
                raise
            return set()

    def _read(self, search: _Search, validity: int, uids: list[int]) -> list[TokenMail]:
        """The candidates among these mails, the likeliest first."""
        found = []
        for some in _batches(sorted(uids, reverse=True), _HEADERS_AT_ONCE):
            headers = self._fetch(some, "INTERNALDATE", _HEADER)
            received = {uid: _received(answer) for uid, answer in headers.items()}
            likely = [
                uid
                for uid, answer in headers.items()
                if (not search.by_time(validity) or received[uid] >= search.earliest)
                and token_mail.sender(_content(answer), self._settings.policy)
            ]
            for few in _batches(sorted(likely, reverse=True), _MAILS_AT_ONCE):
                for uid, answer in self._fetch(few, f"BODY.PEEK[]<0.{token_mail.MAX_BYTES}>").items():
                    mail = self._candidate(_content(answer), search.username, uid, validity, received[uid])
                    found += [mail] if mail else []
        search.seen |= {(validity, uid) for uid in uids}
        found.sort(key=lambda mail: (mail.authenticated, mail.received, mail.uid), reverse=True)
        new = []
        for mail in found:
            if mail.token not in search.tokens:
                search.tokens.add(mail.token)
                new.append(mail)
        return new

    def _candidate(
        self, raw: bytes, username: str, uid: int, validity: int, received: datetime.datetime
    ) -> TokenMail | None:
        sender, token = token_mail.sender(raw, self._settings.policy), token_mail.token(raw, username)
        if sender is None or token is None:
            return None
        return TokenMail(
            token=token,
            uid=uid,
            uid_validity=validity,
            received=received,
            sent=sender.sent,
            authenticated=sender.authenticated,
        )

    def _fetch(self, uids: list[int], *items: str) -> dict[int, dict[bytes, Any]]:
        if not uids:
            return {}
        return dict(self._ask(lambda client: client.fetch(uids, items), "refused to show mails"))

    def _await_mail(self, seconds: float) -> None:
        """Wait that long, or until there may be a new mail."""
        if seconds <= 0:
            return
        if not (self._can_idle and self._ask(lambda client: client.has_capability("IDLE"), "refused")):
            time.sleep(min(seconds, POLL_SECONDS))
            return
        until = time.monotonic() + seconds
        try:
            self._ask(lambda client: client.idle(), "refused to tell of new mails")
        except MailError as exc:
            if exc.cause == "gone":
                raise
            self._can_idle = False
            return
        try:
            while (left := until - time.monotonic()) > 0:
                said = self._client.idle_check(left)
                # Nothing at all: time is up, or the connection is lost, which idle_done() finds.
                if not said or any(b"EXISTS" in one for one in said):
                    break
            self._client.idle_done()
        except (imaplib.IMAP4.error, OSError, *_ODD):
            raise self._error("the connection was lost", cause="gone") from None

    def dispose(self, uid: int, *, validity: int) -> None:
        """Flag, move or delete a mail, as the settings say. That it is gone already is no error."""
        if self._settings.afterwards != "keep":
            self._with_a_second_try(lambda: self._dispose(uid, validity))

    def _dispose(self, uid: int, validity: int) -> None:
        if self._enter(to_change=True).uid_validity != validity:
            raise self._error("has numbered its mails anew, so that one cannot be told from others", cause="refused")
        if not self._fetch([uid], "FLAGS"):
            return
        how, target = self._settings.afterwards, self._settings.move_to
        if how == "flag":
            self._ask(lambda client: client.add_flags([uid], [FLAGGED], silent=True), "refused to flag a mail")
        elif how == "move" and self._can("MOVE"):
            self._ask(lambda client: client.move([uid], target), f"refused to move a mail to {target!r}")
        else:
            if how == "move":
                self._ask(lambda client: client.copy([uid], target), f"refused to copy a mail to {target!r}")
            self._ask(lambda client: client.add_flags([uid], [DELETED], silent=True), "refused to delete a mail")
            # Without UIDPLUS it stays marked as deleted: a plain EXPUNGE would remove what others have marked as well.
            if self._can("UIDPLUS"):
                self._ask(lambda client: client.uid_expunge([uid]), "refused to delete a mail")

    def _can(self, capability: str) -> bool:
        return bool(self._ask(lambda client: client.has_capability(capability), "does not say what it can do"))


def _batches(uids: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _content(answer: Mapping[bytes, Any]) -> bytes:
    """The one part of a mail that was asked for; servers write its name in different ways."""
    for name, value in answer.items():
        if name.startswith(b"BODY[") and isinstance(value, bytes):
            return value
    return b""


def _received(answer: Mapping[bytes, Any]) -> datetime.datetime:
    found = answer.get(b"INTERNALDATE")
    return found.astimezone(datetime.UTC) if isinstance(found, datetime.datetime) and found.tzinfo else _EPOCH
