# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what changed since the last report, and who changed it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from .model import USERS, Credential, Org, RangeChange


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference to the last report, or one row of the audit trail that no difference explains.

    Attributes:
        who: the user name of who did it; empty where it is not known.
    """

    org: str
    when: str
    who: str
    what: str


def find_changes(
    orgs: Iterable[Org],
    credentials: Iterable[Credential],
    before: Iterable[Org],
    credentials_before: Iterable[Credential],
) -> tuple[Change, ...]:
    """Return the changes since the last report, by org; of an org without one, what its audit trail says."""
    earlier = {org.name: org for org in before}
    found: list[Change] = []
    for org in orgs:
        if org.problem is None:
            found += _of_org(org, earlier.get(org.name))
    known = {one.name: one for one in credentials_before}
    for one in credentials if known else ():
        old = known.pop(one.name, None)
        if old is None:
            found.append(Change(org="", when=one.updated, who="", what=f"credential {one.name} is new"))
        elif old.version != one.version:
            what = f"credential {one.name} has version {one.version}, after {old.version}"
            found.append(Change(org="", when=one.updated, who="", what=what))
    found += [Change(org="", when="", who="", what=f"credential {name} is no longer stored") for name in known]
    return tuple(found)


def _of_org(org: Org, old: Org | None) -> Iterator[Change]:
    rows = [row for row in org.range_changes if old is None or row.when[:19] >= old.collected[:19]]
    explained: set[int] = set()
    if old is not None:
        for title, name, added in _range_differences(org, old):
            row = _author(rows, name, added)
            if row is not None:
                explained.add(id(row))
            what = f"{title}: {name} {'added' if added else 'removed'}"
            yield Change(org=org.name, when=row.when if row else "", who=row.who if row else "", what=what)
        yield from _login_differences(org, old)
        for setting in sorted(org.session_settings.keys() & old.session_settings.keys()):
            was, now = old.session_settings.get(setting), org.session_settings.get(setting)
            if was != now:
                yield Change(org=org.name, when="", who="", what=f"session setting {setting}: {now}, after {was}")
    for row in rows:
        if id(row) not in explained:
            yield Change(org=org.name, when=row.when, who=row.who, what=row.text)


def _range_differences(org: Org, old: Org) -> Iterator[tuple[str, str, bool]]:
    """Yield each range that was added or removed: the title of its list, its notation, and whether it was added."""
    hidden = {omission.what for omission in (*org.omitted, *old.omitted)}
    lists = [
        {title: {str(item) for item in ranges} for title, ranges, _logins in each.lists() if title not in hidden}
        for each in (org, old)
    ]
    now, was = lists
    for title in sorted({*now, *was}):
        if title.split(" of ")[0] in hidden:
            continue
        new, gone = now.get(title, set()) - was.get(title, set()), was.get(title, set()) - now.get(title, set())
        yield from ((title, name, True) for name in sorted(new))
        yield from ((title, name, False) for name in sorted(gone))


def _author(rows: Iterable[RangeChange], name: str, added: bool) -> RangeChange | None:
    """Return the last row that says who added or removed a range."""
    return next((row for row in reversed(list(rows)) if row.range == name and row.added is added), None)


def _login_differences(org: Org, old: Org) -> Iterator[Change]:
    """Yield who logged in by what, and had not done so before."""
    before = {(login.username, login.application, login.way) for login in old.logins}
    new: dict[tuple[str, str, str], str] = {}
    for login in org.logins if old.logins_complete and not (org.hides(USERS) or old.hides(USERS)) else ():
        key = (login.username, login.application, login.way)
        if key not in before:
            new[key] = max(new.get(key, ""), login.last)
    for (username, application, way), last in new.items():
        what = f"first logins seen of {username} by {application or 'an unnamed application'} ({way})"
        yield Change(org=org.name, when=last, who=username, what=what)
