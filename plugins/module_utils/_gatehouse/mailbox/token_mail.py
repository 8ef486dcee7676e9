# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security token out of the mail that brings it. Pure.

A mail is a stranger's word: anybody can send one to the mailbox. So it counts only when its sender is one that the
policy names, and nothing here raises an error or takes long, whatever it holds. The subject decides nothing, as an org
may have its own.
"""

from __future__ import annotations

import dataclasses
import datetime
import email
import email.errors
import email.policy
import email.utils
import html
import re
import string
from collections.abc import Iterator
from email.message import Message

SENDERS = ("salesforce.com",)
MAX_BYTES = 256 * 1024  # a token mail has a few KiB
_MAX_PARTS = 40
# Who sent it: a name in words or in quotes, and one address. No list, group or comment, which readers take differently.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_FROM = re.compile(
    r"""(?:(?:"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"|[^"<>()@,;:\\\x00-\x1f]*)\s*"""
    rf"""<{_LOCAL}@(?P<named>{DOMAIN})>|{_LOCAL}@(?P<bare>{DOMAIN}))\s*"""
)
_BROKEN_HEADER = (
    email.errors.FirstHeaderLineIsContinuationDefect,
    email.errors.MalformedHeaderDefect,
    email.errors.MissingHeaderBodySeparatorDefect,
)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_NESTING = re.compile(rb"(?:multipart|message)/", re.IGNORECASE)
# REPORTED of every token mail in English, and of one in Japanese: the mail is in the user's language. What lies between
# the words differs between text and markup.
_TOKEN = re.compile(
    r"(?:Security token ?\( ?case[ -]?sensitive ?\)|セキュリティ ?トークン ?[(（] ?大文字と小文字を区別 ?[)）])"
    r" ?[:：]? ?"
    r"(?P<token>[A-Za-z0-9]{8,128})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_USER_LINE = re.compile(r"(?:\bUser ?name|ユーザー? ?名) ?[:：] ?(?P<name>[^ <>,;]{1,255})", re.IGNORECASE)
# The host that a mail came from, by the server's own look-up of its address.
_LOOKED_UP = re.compile(rf"\(({DOMAIN})\.? ?\[")
_RETURN_PATH = re.compile(rf"<{_LOCAL}@({DOMAIN})>")
_AUTHSERV = re.compile(r"[a-z0-9._-]+")
_NOT_BEFORE = r"(?<![\w.+%&*/=?^`{|}~!#$@-])(?<!\w')"
_NOT_AFTER = r"(?![\w@+-]|[.']\w)"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_SLOW_CHARSETS = ("idna", "punycode")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # keeps the length of a text
_MAX_FIELD = 4 * 1024
_MAX_HOPS = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Whose mails count.

    Attributes:
        allowed_senders: domains that the address in From must belong to, or be below of.
        authserv_id: the name under which the mail server that received the mail writes Authentication-Results (RFC
            8601). If it is set, a mail counts only when the first of these fields under that name says that DMARC
            passed for the domain in From, or, where it says nothing of DMARC, that a DKIM signature of this domain
            did. The server must remove such fields that came from outside, as RFC 8601 demands. If it is not set,
            these fields are no evidence, as anybody can write them: they only help to decide which mail to try first.
    """

    allowed_senders: tuple[str, ...] = SENDERS
    authserv_id: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sent a mail that counts.

    Attributes:
        domain: of the address in From.
        sent: when, as the sender says; None if that cannot be understood.
        authenticated: whether the receiving server has verified the domain. Always true if the policy asks for it.
        plausibility: how much speaks for the sender that a forger may not have thought of; the more the better.
    """

    domain: str
    sent: datetime.datetime | None
    authenticated: bool
    plausibility: int = 0


def sender(raw: bytes, policy: Policy) -> Sender | None:
    """Return who sent a mail, of which the header is enough; None if it does not count."""
    mail = _parsed(raw)
    return _sender(mail, policy) if mail is not None else None


def token(raw: bytes, username: str) -> str | None:
    """Return the user's security token in a mail, or None. Whether to trust it, sender() says."""
    mail = _parsed(raw)
    return _token(mail, username) if mail is not None else None


def attached_token(raw: bytes, username: str, policy: Policy, *, earliest: datetime.datetime) -> str | None:
    """Return the user's security token in a mail that is attached to a mail, or None if it does not count.

    Who attaches a mail can change it. So the receiving server must have verified that this is somebody at a domain that
    the policy names beside Salesforce's. That domain answers for the mail, as it does for one that it forwards inline.

    Args:
        earliest: the date of the attached mail must not be before it: an old one may be forwarded at any time.
    """
    mail = _parsed(raw)
    outer = _sender(mail, policy) if mail is not None else None
    if mail is None or outer is None or not outer.authenticated or _is_allowed(outer.domain, Policy()):
        return None
    for inner in _attached(mail):
        sent = _sent(inner)
        if sent and sent >= earliest and _sender(inner, Policy(allowed_senders=policy.allowed_senders)):
            found = _token(inner, username)
            if found:
                return found
    return None


def rejection(raw: bytes, username: str, policy: Policy, *, earliest: datetime.datetime) -> str | None:
    """Return why a mail that brings the user a token does not count, and the way out; None of any other mail.

    The text repeats nothing of the mail but domains and names of servers.

    Args:
        earliest: see attached_token().
    """
    mail = _parsed(raw)
    if mail is None:
        return None
    if _token(mail, username):
        return None if _sender(mail, policy) else _why_not_from(mail, policy)
    if attached_token(raw, username, policy, earliest=earliest):
        return None
    if any(_token(inner, username) for inner in _attached(mail)):
        return (
            "it is attached to another mail. It would count if it was from a domain in mailbox.allowed_senders and "
            f"dated after {earliest:%Y-%m-%dT%H:%M:%SZ}, and if mailbox.authserv_id verified that who has attached it "
            f"is at a domain of that list other than {', '.join(SENDERS)}. Or have it redirected instead"
        )
    return None


def _token(mail: Message, username: str) -> str | None:
    for text in _texts(mail):
        if _is_for(text, username) and (found := _TOKEN.search(text)):
            return found["token"]
    return None


def _why_not_from(mail: Message, policy: Policy) -> str:
    """Return why the sender of a mail does not count."""
    fields = _fields(mail, "from")
    found = _FROM.fullmatch(fields[0]) if len(fields) == 1 else None
    if found is None:
        return "its header field From does not name exactly one sender"
    domain = (found["named"] or found["bare"]).lower()
    if not _is_allowed(domain, policy):
        return (
            f"its sender is at {domain[:100]}, which is not in mailbox.allowed_senders: have it redirected, not "
            "forwarded; or allow that domain if a group of yours rewrites senders"
        )
    answers = map(_results, _fields(mail, "authentication-results"))
    names = [results[0].split()[0] for results in answers if results and results[0]]
    if not names:
        return "it has no header field Authentication-Results, which mailbox.authserv_id asks for"
    if str(policy.authserv_id).lower() not in names:
        named = ", ".join(sorted({name[:60] for name in names if _AUTHSERV.fullmatch(name)}))
        return f"its Authentication-Results are of {named or 'no name'}, not of mailbox.authserv_id"
    return f"its Authentication-Results do not say that {domain[:100]} has sent it"


def _attached(mail: Message) -> Iterator[Message]:
    """Return the mails that a mail brings as attachments; the number of parts is limited by _parsed()."""
    for part in mail.walk():
        inner = part.get_payload() if part.get_content_type() == "message/rfc822" else None
        for one in inner if isinstance(inner, list) else []:
            if isinstance(one, Message) and not _is_broken(one):
                yield one


def _parsed(raw: bytes) -> Message | None:
    """Parse a mail whose header can be read in one way only."""
    raw = raw[:MAX_BYTES]
    end = _END_OF_HEADER.search(raw)
    header = raw[: end.start()] if end else raw
    # Readers differ in whether a lone carriage return ends a line, and so in what is a header field.
    if b"\0" in header or _LONE_RETURN.search(header.rstrip(b"\r\n")) or len(_NESTING.findall(raw)) > _MAX_PARTS:
        return None
    try:
        # Not the newer policy of this library: it reads fields by a grammar, which raises errors on hostile ones.
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
    except Exception:  # nobody tells which errors it raises on hostile mails
        return None
    return None if _is_broken(mail) else mail


def _is_broken(mail: Message) -> bool:
    return any(isinstance(defect, _BROKEN_HEADER) for defect in mail.defects)


def _fields(mail: Message, name: str) -> list[str]:
    """Return the values of all header fields of that name, each on one line; those too long are empty."""
    values = [str(value) for field, value in mail.raw_items() if field.lower() == name]
    return [_FOLD.sub("", value).strip() if len(value) <= _MAX_FIELD else "" for value in values]


def _sender(mail: Message, policy: Policy) -> Sender | None:
    fields = _fields(mail, "from")
    found = _FROM.fullmatch(fields[0]) if len(fields) == 1 else None
    if found is None:
        return None
    domain = (found["named"] or found["bare"]).lower()
    if not _is_allowed(domain, policy):
        return None
    authenticated = policy.authserv_id is not None and _is_authenticated(mail, domain, policy)
    if policy.authserv_id is not None and not authenticated:
        return None
    return Sender(
        domain=domain,
        sent=_sent(mail),
        authenticated=authenticated,
        plausibility=_plausibility(mail, domain, policy),
    )


def _is_allowed(domain: str, policy: Policy) -> bool:
    return any(_is_within(domain, allowed.lower()) for allowed in policy.allowed_senders)


def _is_within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _sent(mail: Message) -> datetime.datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(_fields(mail, "date")[0])
        return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (IndexError, ValueError, TypeError, OverflowError):
        return None


def _plausibility(mail: Message, domain: str, policy: Policy) -> int:
    """Weigh what the receiving server usually writes: its verdict on top, the bounce address, the host it came from."""
    points = 0
    for results in map(_results, _fields(mail, "authentication-results")[:1]):
        failed = any(result.startswith(("dmarc=fail", "dkim=fail", "spf=fail")) for result in results)
        points += 4 if _passes(results[1:], domain, policy) else -4 * failed
    for field in _fields(mail, "return-path")[:1]:
        match = _RETURN_PATH.fullmatch(field)
        points += 2 if match and _is_allowed(match[1].lower(), policy) else 0
    hosts = [host.lower() for field in _fields(mail, "received")[:_MAX_HOPS] for host in _LOOKED_UP.findall(field)]
    return points + any(_is_allowed(host, policy) for host in hosts)


def authserv_ids(raw: bytes) -> list[str]:
    """Return the names under which servers have written Authentication-Results, that of the topmost field first.

    Only that one is the receiving server's, if it writes such fields at all.
    """
    mail = _parsed(raw)
    fields = map(_results, _fields(mail, "authentication-results")) if mail is not None else []
    return [results[0].split()[0] for results in fields if len(results) > 1 and results[0] and "=" not in results[0]]


def _is_authenticated(mail: Message, domain: str, policy: Policy) -> bool:
    """Whether the receiving server says that the mail is from that domain."""
    for field in _fields(mail, "authentication-results"):
        results = _results(field)
        if not results or "=" in results[0]:
            return False  # whose it is cannot be told, or it does not say, so that what is below may be forged
        if results[0].split()[:1] != [str(policy.authserv_id).lower()]:
            continue
        return _passes(results[1:], domain, policy)
    return False


def _passes(results: list[str], domain: str, policy: Policy) -> bool:
    """Return whether results say that DMARC passed for a domain, or, where none is of DMARC, that its signature did."""
    methods = [result.split() for result in results]
    by_dmarc = [words for words in methods if words and words[0].startswith("dmarc=")]
    if by_dmarc:
        return all(
            words[0] == "dmarc=pass" and _properties(words, "header.from") in ([], [domain]) for words in by_dmarc
        )
    return any(
        any(
            _is_allowed(signer, policy) and _is_within(domain, signer)
            for signer in _properties(words, "header.d", "header.i")
        )
        for words in methods
        if words and words[0] == "dkim=pass"
    )


def _properties(words: list[str], *names: str) -> list[str]:
    """Return the domains that a result gives under these names."""
    values = [word.partition("=") for word in words[1:]]
    return [value.rpartition("@")[2] for name, _equals, value in values if name in names]


def _results(field: str) -> list[str]:
    """Cut a field Authentication-Results at its semicolons, in lower case, without comments; empty if broken.

    Comments and quoted texts may hold what a sender wrote, such as the address that a bounce goes to.
    """
    if not field:
        return []
    parts, depth, quoted, position = [""], 0, False, 0
    while position < len(field):
        char = field[position]
        if char == "\\" and (depth or quoted):
            position += 1
        elif char == '"' and not depth:
            quoted = not quoted
        elif quoted:
            # What is quoted is kept as one word that is no result.
            parts[-1] += char if char.isalnum() or char in ".-@" else "_"
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                return []
        elif depth:
            pass
        elif char == ";":
            parts.append("")
        else:
            parts[-1] += char
        position += 1
    if depth or quoted:
        return []
    return [" ".join(part.split()).replace(" =", "=").replace("= ", "=").lower() for part in parts]


def _is_for(text: str, username: str) -> bool:
    """Whether a text names the user: in its line with the user name if it has one, else anywhere."""
    named = [found["name"].rstrip(".'\"") for found in _USER_LINE.finditer(text)]
    if named:
        return any(name.lower() == username.lower() for name in named)
    whole = re.compile(_NOT_BEFORE + re.escape(username) + _NOT_AFTER, re.IGNORECASE)
    return whole.search(text) is not None


def _texts(mail: Message) -> Iterator[str]:
    """Return the texts that a reader of the mail sees, plain ones first, with a space for each white space.

    A mail that is attached is not read.
    """
    parts = list(_leaves(mail))
    for kind, clear in (("text/plain", str), ("text/html", _without_tags)):
        for part in parts:
            if part.get_content_type() == kind:
                yield " ".join(_INVISIBLE.sub("", clear(_decoded(part))).split())


def _leaves(mail: Message) -> Iterator[Message]:
    waiting = [mail]
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart":
            inner = part.get_payload()
            waiting.extend(
                reversed([one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else [])
            )
        elif not part.is_multipart():
            yield part


def _decoded(part: Message) -> str:
    try:
        # The library compares the whole field, and a server may have folded it or left a blank at its end.
        for encoding in _fields(part, "content-transfer-encoding")[:1]:
            part.replace_header("content-transfer-encoding", encoding.partition("(")[0].strip())
        body = part.get_payload(decode=True)
        charset = part.get_content_charset() or "utf-8"
    except Exception:  # as in _parsed()
        return ""
    if not isinstance(body, bytes):
        return ""
    try:
        return body.decode("utf-8" if charset in _SLOW_CHARSETS else charset, "replace")
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")


def _without_tags(markup: str) -> str:
    """Return roughly what a browser shows, in one pass: a library that builds a tree can be made very slow."""
    lower, shown, position = markup.translate(_LOWER), [], 0
    while (start := markup.find("<", position)) >= 0:
        shown.append(markup[position:start])
        if lower.startswith("<!--", start):
            end = markup.find("-->", start + 4)
        elif hidden := re.match(r"<(script|style|title)\b", lower[start : start + 8]):
            end = lower.find("</" + hidden[1], start)
        else:
            end = start
            if not lower.startswith("<wbr", start):
                shown.append(" ")
        end = markup.find(">", end) if end >= 0 else -1
        if end < 0:
            return html.unescape("".join(shown))
        position = end + 1
    return html.unescape("".join([*shown, markup[position:]]))
