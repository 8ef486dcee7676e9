# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary access: ranges whose description says when they expire. Pure.

The description is the only place in the org where this can be kept, and a person reads it there:
C(CI runner (expires 2026-11-24T22:10Z)).
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ..durations import is_duration, read_duration
from ..errors import OptionError
from .model import MAX_DESCRIPTION, IpRange, Key, parse_each, parse_entry
from .plan import RangePlan, keep_description, plan_ranges

_SUFFIX = re.compile(r"(?:^|\s)\(expires (\S+)\)$")
_YEARS = (1000, datetime.MAXYEAR)
_HELP = "must be a duration such as '2h' or '1d12h', or a time with its zone such as '2026-11-24T22:10Z'"


def expiry(item: IpRange) -> datetime.datetime | None:
    """Return until when a range is open; None for one that stays."""
    return _parts(item.description)[1]


def has_expired(item: IpRange, now: datetime.datetime) -> bool:
    """Whether it was to be open until now at most."""
    until = expiry(item)
    return until is not None and until <= now


def without_expiry(item: IpRange) -> str | None:
    """Return the description without the expiry."""
    return _parts(item.description)[0]


def _parts(description: str | None) -> tuple[str | None, datetime.datetime | None]:
    until = None
    while description and description[-1] == ")" and (found := _SUFFIX.search(description)):
        told = _moment(found[1])
        if told is None:
            break
        until = until or told
        description = description[: found.start()].rstrip() or None
    return description, until


def with_expiry(text: str | None, until: datetime.datetime) -> str:
    """Return a description with an expiry. Seconds are rounded up, and a text that leaves no room is cut."""
    if until.second or until.microsecond:
        until = until.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    suffix = f"(expires {until:%Y-%m-%dT%H:%M}Z)"
    room = MAX_DESCRIPTION - len(suffix) - 1
    text = (text or "").strip()
    if len(text) > room:
        text = text[: room - 1].rstrip() + "…"
    return f"{text} {suffix}".lstrip()


def parse_entries(
    entries: Sequence[str | Mapping[str, Any]], now: datetime.datetime, *, option: str = "ranges"
) -> tuple[list[IpRange], frozenset[Key]]:
    """Parse what a user declared, and which ranges are open for a duration rather than until a time.

    Raises:
        OptionError: naming the entry that cannot be used.
    """
    at_least = set[Key]()

    def parse(entry: str | Mapping[str, Any], where: str) -> IpRange:
        expires = entry.get("expires") if isinstance(entry, Mapping) else None
        if not isinstance(entry, Mapping) or "expires" not in entry:
            return parse_entry(entry, where)
        item = parse_entry({key: entry[key] for key in entry if key != "expires"}, where)
        if expires is None:
            return item
        if expiry(item) is not None:
            raise OptionError(where, f"{item} has an expiry in its description too")
        until, is_duration = _until(expires, now, where)
        description = with_expiry(item.description, until)
        if not description.startswith(item.description or ""):
            raise OptionError(where, f"the description of {item} is over {MAX_DESCRIPTION} characters with its expiry")
        if is_duration:
            at_least.add(item.key)
        return dataclasses.replace(item, description=description)

    return parse_each(entries, option=option, parse=parse), frozenset(at_least)


def plan_temporary(
    current: Iterable[IpRange],
    desired: Iterable[IpRange],
    state: str,
    *,
    now: datetime.datetime,
    at_least: Collection[Key] = frozenset(),
) -> RangePlan:
    """Plan what must change, as plan_ranges() does, in an org where ranges may expire.

    - An expired range that is still declared is removed. C(swept) removes all that have expired, and nothing else.
    - C(absent) with an expiry removes a range that expires, and leaves one that does not.
    - A duration (C(at_least)) is the least that is wanted: it never shortens. A time is set as it is declared.
    - A range that is declared without an expiry stays, even if it was opened as temporary access.
    """
    wanted = tuple(desired)
    if state == "swept":
        return _closing(current, lambda item: has_expired(item, now))
    if state == "absent":
        temporary = {item.key for item in wanted if expiry(item) is not None}
        others = {item.key for item in wanted} - temporary
        return _closing(
            current, lambda item: item.key in others or (item.key in temporary and expiry(item) is not None)
        )
    over = {item.key for item in wanted if has_expired(item, now)}
    closing = _closing(current, lambda item: item.key in over and expiry(item) is not None)
    rest = plan_ranges(
        closing.after,
        (item for item in wanted if item.key not in over) if over else wanted,
        state,
        settle=lambda old, new: _settled(old, new, new.key in at_least),
    )
    if not closing:
        return rest
    removed = tuple(sorted([*closing.removed, *rest.removed]))
    return RangePlan(closing.before, rest.after, rest.added, removed, rest.updated)


def _closing(ranges: Iterable[IpRange], closes: Callable[[IpRange], bool]) -> RangePlan:
    before = tuple(sorted(ranges))
    removed = tuple(item for item in before if closes(item))
    return RangePlan(before, tuple(item for item in before if not closes(item)) if removed else before, (), removed, ())


def _settled(old: IpRange, new: IpRange, at_least: bool) -> IpRange:
    """Return what becomes of a range that the org has and a user declares."""
    current, wanted = expiry(old), expiry(new)
    if wanted is None:
        if current is not None and new.description is None:
            return dataclasses.replace(old, description=without_expiry(old))
        return keep_description(old, new)
    if at_least and (current is None or current >= wanted):
        return old
    text = without_expiry(new) or without_expiry(old)
    if current == wanted and text == without_expiry(old):
        return old
    return dataclasses.replace(old, description=with_expiry(text, wanted))


def _until(expires: Any, now: datetime.datetime, where: str) -> tuple[datetime.datetime, bool]:
    """Return the time that the key C(expires) of an entry means, and whether it was given as a duration."""
    if isinstance(expires, datetime.datetime):  # what YAML makes of a time without quotes
        expires = expires.isoformat()
    text = expires.strip() if isinstance(expires, str) else ""
    lasting = is_duration(text)
    until = _after(now, read_duration(text)) if lasting else _moment(text)
    if until is None:
        raise OptionError(where, f"its key 'expires' {_HELP}, not {str(expires)[:50]!r}")
    return until, lasting


def _after(now: datetime.datetime, length: datetime.timedelta | None) -> datetime.datetime | None:
    """Return the time after a duration; None when the duration is nothing or endless."""
    try:
        return _known(now + length) if length else None
    except OverflowError:
        return None


def _moment(text: str) -> datetime.datetime | None:
    """Parse a time in UTC from its ISO form; None without a zone, or for anything else."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return _known(moment.astimezone(datetime.UTC)) if moment.tzinfo else None
    except (OverflowError, ValueError):
        return None


def _known(moment: datetime.datetime) -> datetime.datetime | None:
    """Return the time, or None for a year without four digits, or one that cannot be rounded up."""
    return moment if _YEARS[0] <= moment.year < _YEARS[1] else None
