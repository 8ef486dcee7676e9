# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mailbox that receives security tokens, by IMAP over TLS.

The server does the searching, and nothing is changed by reading.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..errors import MailError
from . import token_mail
from .imap import MAX_PAUSE, ImapConnection, Position
from .limits import TOTAL_TIMEOUT_FACTOR
from .oauth import Memory
from .settings import MailSettings

try:
    from imapclient import DELETED, FLAGGED  # type: ignore[import-untyped]
except ImportError:  # reported by ImapConnection.connect()
    pass
CLOCK_SLACK = datetime.timedelta(minutes=5)  # between this machine and the mail server
MAX_IDLE = 60.0  # a server may end it after 29 minutes, and a router on the way after a few
BLIND = 10  # mails that are read while waiting although the server does not find the user name in them
MAX_OTHERS = 200  # of those, at the end of the wait; and of those that name the user, in one look
# Mails whose sender nobody has verified are tried when no other has come for so many seconds, the likeliest first: the
# first one that comes may be forged.
QUIET_SECONDS = 10.0
SURVEYED_UIDS, SURVEYED_MAILS = 200, 20
REJECTED_MAILS = 3  # of those that did not count, so many are reported
_HEADERS_AT_ONCE, _MAILS_AT_ONCE = 100, 10
_HEADER = f"BODY.PEEK[HEADER.FIELDS (FROM DATE AUTHENTICATION-RESULTS)]<0.{16 * 1024}>"
_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenMail:
    """A mail that brings a token.

    Attributes:
        uids: of the mail, and of others with the same token after it: it may have come twice.
        received: when the mail server got it.
        sent: when its sender says; None if that cannot be understood.
        authenticated: whether the mail server has verified the sender's domain, see token_mail.Policy.
        plausibility: how much speaks for the sender where nobody has verified it, see token_mail.Sender.
    """

    token: str = dataclasses.field(repr=False)
    uids: tuple[int, ...]
    uid_validity: int
    received: datetime.datetime
    sent: datetime.datetime | None
    authenticated: bool
    plausibility: int = 0

    @property
    def likelihood(self) -> tuple[bool, int, datetime.datetime, tuple[int, ...]]:
        """What mails are sorted by."""
        return self.authenticated, self.plausibility, self.received, self.uids


@dataclasses.dataclass(frozen=True)
class MailboxSurvey:
    """What the latest mails of a folder show.

    Attributes:
        mails: how many were looked at.
        authserv_ids: the names under which the server that received them writes Authentication-Results.
    """

    folder: str
    mails: int
    authserv_ids: list[str]


@dataclasses.dataclass(frozen=True)
class RejectedMail:
    """A mail that brings the user a token, and does not count.

    Attributes:
        received: when the mail server got it.
        reason: why it does not count, see token_mail.rejection().
    """

    received: datetime.datetime
    reason: str


@dataclasses.dataclass(frozen=True)
class NewMail:
    """A mail whose sender counts; whether it brings a token is not known.

    Attributes:
        raw: all of it.
        received: when the mail server got it.
        authenticated: whether the mail server has verified the sender's domain.
    """

    uid: int
    raw: bytes = dataclasses.field(repr=False)
    received: datetime.datetime
    authenticated: bool


@contextlib.contextmanager
def open_mailbox(settings: MailSettings, memory: Memory | None = None) -> Iterator[Mailbox]:
    """Open the mailbox and log in.

    Args:
        memory: keeps the tokens of OAuth, where that is how to log in.

    Raises:
        MailError: it cannot be entered. A login that was refused is not repeated.
    """
    connection = ImapConnection(settings, memory)
    try:
        connection.connect()
        yield Mailbox(connection)
    finally:
        connection.close()


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
        """Return what to ask the server for."""
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
        """Return whether the position is not known, or no longer valid."""
        return self.since is None or self.since.uid_validity != validity

    def first(self, validity: int) -> int:
        """Return the lowest UID to look at."""
        return 0 if self.since is None or self.by_time(validity) else self.since.next_uid


class Mailbox:
    """One folder of a mailbox."""

    def __init__(self, connection: ImapConnection) -> None:
        """Use a connection that is logged in."""
        self._connection = connection
        self._settings = connection.settings

    def position(self) -> Position:
        """Return where the next mail will be."""
        return self._connection.retry_once(self._connection.open_folder)

    def survey(self) -> MailboxSurvey:
        """Look at the headers of the latest mails; raises MailError. Nothing is changed."""
        position = self.position()
        with self._connection.limits.exchange():
            uids = self._search(["UID", f"{max(1, position.next_uid - SURVEYED_UIDS)}:*"])
            headers = self._fetch(sorted(uids)[-SURVEYED_MAILS:], _HEADER)
        named = [token_mail.authserv_ids(_content(header)) for header in headers.values()]
        own = (self._settings.policy.authserv_id or "").lower()
        # Those below the topmost field may be forged, and so are not proposed to anybody.
        names = {name for names in named for name in names if name in (names[0], own)}
        return MailboxSurvey(self._settings.folder, len(headers), sorted(names))

    def tokens(
        self,
        username: str,
        *,
        since: Position | None,
        since_time: datetime.datetime,
        wait: float,
        poll: Callable[[str], None] = lambda _line: None,
    ) -> Iterator[TokenMail]:
        """Yield the mails with tokens of this user that came after a position, while they come in.

        One whose sender is authenticated is yielded at once. Others are kept back until none has come for
        QUIET_SECONDS, or the wait ends; then the likeliest is first. Several with the same token are yielded as one.

        Args:
            since: None when it is not known; then, or when the server has numbered its mails anew, the time decides.
            since_time: a little earlier is looked at as well, as clocks differ.
            wait: seconds; with 0, what is there is yielded.
            poll: shows a person each look.

        Raises:
            MailError: the mailbox cannot be read. While the wait lasts, a connection that is lost is made again. All
                of it ends a few timeouts after the wait, whatever the server does.
        """
        search = _Search(username, since, since_time - CLOCK_SLACK)
        unverified: list[TokenMail] = []
        deadline = time.monotonic() + wait
        quiet_at = deadline
        # Short at first: a mail that comes after the search and before IDLE is not announced by all servers.
        pause, lost_at_last, rest = 1.0, False, 0.5
        while True:
            now = time.monotonic()
            last = now >= deadline
            try:
                with self._connection.limits.exchange(max(0.0, deadline - now) + self._grace):
                    mails = self._look(search, last=last)
            except MailError as exc:
                if exc.cause != "gone" or lost_at_last:
                    raise
                lost_at_last = last
                self._reconnect(rest, deadline)
                rest = min(2 * rest, MAX_PAUSE)
                continue
            left = f", waiting for up to {deadline - now:.0f} s more" if not last else ""
            poll(f"looked into {self._settings.folder}: {len(mails)} new mails with a token of {username}{left}")
            yield from (mail for mail in mails if mail.authenticated)
            others = [mail for mail in mails if not mail.authenticated]
            if others:
                unverified += others
                quiet_at = min(deadline, time.monotonic() + QUIET_SECONDS)
            if unverified and (last or time.monotonic() >= quiet_at):
                yield from sorted(unverified, key=lambda mail: mail.likelihood, reverse=True)
                unverified = []
            if last:
                return
            end = quiet_at if unverified else deadline
            try:
                self._connection.await_mail(min(pause, end - time.monotonic()))
            except MailError as exc:
                if exc.cause != "gone":
                    raise
                self._reconnect(rest, deadline)
                rest = min(2 * rest, MAX_PAUSE)
            pause = min(2 * pause, MAX_IDLE)

    def arrivals(self, since: Position, since_time: datetime.datetime) -> tuple[list[NewMail], Position]:
        """Return the mails that came after a position and whose sender counts, and where the next one will be.

        Of many, the first ones are returned, and the position is behind them. Nothing is changed.

        Args:
            since_time: decides where the server has numbered its mails anew; a little earlier is looked at as well.

        Raises:
            MailError: the mailbox cannot be read.
        """
        position = self._connection.open_folder()
        search = _Search("", since, since_time - CLOCK_SLACK)
        first = search.first(position.uid_validity)
        if first >= position.next_uid:
            return [], position
        with self._connection.limits.exchange():
            uids = self._search(search.criteria(position.uid_validity, self._settings.policy.allowed_senders))
            chosen = sorted(uid for uid in uids if uid >= first)
            if len(chosen) > SURVEYED_MAILS:
                chosen = chosen[:SURVEYED_MAILS]
                position = Position(position.uid_validity, chosen[-1] + 1)
            answers: dict[int, dict[bytes, Any]] = {}
            for few in _batches(chosen, _MAILS_AT_ONCE):
                answers |= self._fetch(few, "INTERNALDATE", f"BODY.PEEK[]<0.{token_mail.MAX_BYTES}>")
        mails = []
        for uid, answer in sorted(answers.items()):
            raw, received = _content(answer), _received(answer)
            sender = token_mail.sender(raw, self._settings.policy)
            if sender and (not search.by_time(position.uid_validity) or received >= search.earliest):
                mails.append(NewMail(uid, raw, received, sender.authenticated))
        return mails, position

    def rejections(self, username: str, *, since: Position | None, since_time: datetime.datetime) -> list[RejectedMail]:
        """Return which of the latest mails bring the user a token and do not count, the newest first.

        Raises MailError. Nothing is changed.
        """
        position = self.position()
        criteria = ["UID", f"{max(1, position.next_uid - SURVEYED_UIDS)}:*"]
        by_uid = since is not None and since.uid_validity == position.uid_validity
        with self._connection.limits.exchange():
            uids = self._named(criteria, username) or set(self._search(criteria))
            latest = sorted(uids, reverse=True)[:SURVEYED_MAILS]
            answers: dict[int, dict[bytes, Any]] = {}
            for few in _batches(latest, _MAILS_AT_ONCE):
                answers |= self._fetch(few, "INTERNALDATE", f"BODY.PEEK[]<0.{token_mail.MAX_BYTES}>")
        rejected = []
        for uid, answer in sorted(answers.items(), reverse=True):
            raw, received = _content(answer), _received(answer)
            earliest = since_time - CLOCK_SLACK
            reason = token_mail.rejection(raw, username, self._settings.policy, earliest=earliest)
            is_old = uid < since.next_uid if since and by_uid else received < earliest
            if reason is None and is_old and token_mail.token(raw, username):
                reason = f"it is from before {since_time:%Y-%m-%dT%H:%M:%SZ}"
            if reason:
                rejected.append(RejectedMail(received, reason))
        return rejected[:REJECTED_MAILS]

    @property
    def _grace(self) -> float:
        """Seconds for a look that begins when the wait is over."""
        return TOTAL_TIMEOUT_FACTOR * self._settings.timeout

    def _reconnect(self, pause: float, deadline: float) -> None:
        left = deadline - time.monotonic()
        time.sleep(max(0.0, min(pause, left)))
        with self._connection.limits.exchange(max(0.0, left) + self._grace):
            self._connection.reconnect(deadline)

    def _look(self, search: _Search, *, last: bool) -> list[TokenMail]:
        """Return those that are there now and were not looked at before, the likeliest first."""
        validity = self._connection.open_folder().uid_validity
        criteria = search.criteria(validity, self._settings.policy.allowed_senders)
        # Of a range that ends in an asterisk, the last mail is part, even if the range begins behind it.
        uids = {
            uid
            for uid in self._search(criteria)
            if uid >= search.first(validity) and (validity, uid) not in search.seen
        }
        if not uids:
            return []
        # A server may not find what is encoded in a mail. So this tells which to read first, not which to leave out.
        named = self._named(criteria, search.username) & uids if len(uids) > search.blind else set()
        others = sorted(uids - named, reverse=True)
        chosen = [*sorted(named, reverse=True)[:MAX_OTHERS], *others[: search.blind + (MAX_OTHERS if last else 0)]]
        search.blind -= min(search.blind, len(others))
        return self._read(search, validity, chosen)

    def _search(self, criteria: list[Any]) -> list[int]:
        return list(self._connection.call(lambda client: client.search(criteria), "refused to search the folder"))

    def _named(self, criteria: list[Any], username: str) -> set[int]:
        """In which of the mails the server finds the user name."""
        try:
            return set(self._search([*criteria, "BODY", username]))
        except MailError as exc:
            if exc.cause == "gone":
                raise
            return set()

    def _read(self, search: _Search, validity: int, uids: list[int]) -> list[TokenMail]:
        """Return the candidates among these mails, the likeliest first."""
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
                    mail = self._candidate(_content(answer), search, uid, validity, received[uid])
                    found += [mail] if mail else []
        search.seen |= {(validity, uid) for uid in uids}
        found.sort(key=lambda mail: mail.likelihood, reverse=True)
        by_token: dict[str, TokenMail] = {}
        for mail in found:
            copy = by_token.setdefault(mail.token, mail)
            if copy is not mail:
                by_token[mail.token] = dataclasses.replace(copy, uids=copy.uids + mail.uids)
        new = [mail for token, mail in by_token.items() if token not in search.tokens]
        search.tokens |= by_token.keys()
        return new

    def _candidate(
        self, raw: bytes, search: _Search, uid: int, validity: int, received: datetime.datetime
    ) -> TokenMail | None:
        policy = self._settings.policy
        sender, token = token_mail.sender(raw, policy), token_mail.token(raw, search.username)
        token = token or token_mail.attached_token(raw, search.username, policy, earliest=search.earliest)
        if sender is None or token is None:
            return None
        return TokenMail(
            token=token,
            uids=(uid,),
            uid_validity=validity,
            received=received,
            sent=sender.sent,
            authenticated=sender.authenticated,
            plausibility=sender.plausibility,
        )

    def _fetch(self, uids: list[int], *items: str) -> dict[int, dict[bytes, Any]]:
        if not uids:
            return {}
        return dict(self._connection.call(lambda client: client.fetch(uids, items), "refused to show mails"))

    def dispose(self, uids: Collection[int], *, validity: int) -> None:
        """Flag, move or delete mails, as the settings say. That one is gone already is no error."""
        if self._settings.on_success != "keep":
            self._connection.retry_once(lambda: self._dispose(list(uids), validity))

    def _dispose(self, uids: list[int], validity: int) -> None:
        if self._connection.open_folder(to_change=True).uid_validity != validity:
            raise self._connection.error(
                "has numbered its mails anew, so that one cannot be told from others", cause="refused"
            )
        uids = list(self._fetch(uids, "FLAGS"))
        if not uids:
            return
        how, target = self._settings.on_success, self._settings.move_to
        if how == "flag":
            self._connection.call(
                lambda client: client.add_flags(uids, [FLAGGED], silent=True), "refused to flag a mail"
            )
        elif how == "move" and self._connection.has_capability("MOVE"):
            self._connection.call(lambda client: client.move(uids, target), f"refused to move a mail to {target!r}")
        else:
            if how == "move":
                self._connection.call(lambda client: client.copy(uids, target), f"refused to copy a mail to {target!r}")
            self._connection.call(
                lambda client: client.add_flags(uids, [DELETED], silent=True), "refused to delete a mail"
            )
            # Without UIDPLUS it stays marked as deleted: a plain EXPUNGE would remove what others have marked as well.
            if self._connection.has_capability("UIDPLUS"):
                self._connection.call(lambda client: client.uid_expunge(uids), "refused to delete a mail")


def _batches(uids: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _content(answer: Mapping[bytes, Any]) -> bytes:
    """Return the one part of a mail that was asked for; servers write its name in different ways."""
    for name, value in answer.items():
        if name.startswith(b"BODY[") and isinstance(value, bytes):
            return value
    return b""


def _received(answer: Mapping[bytes, Any]) -> datetime.datetime:
    found = answer.get(b"INTERNALDATE")
    return found.astimezone(datetime.UTC) if isinstance(found, datetime.datetime) and found.tzinfo else _EPOCH
