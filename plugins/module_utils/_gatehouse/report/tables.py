# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a report, of which the page and the CSV files are made. Pure."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

from .document import Report
from .model import LOGIN_RANGES, USERS, Org

Cell: TypeAlias = "str | int"
MANY = 10  # names in a cell
ANYWHERE = "anywhere; by password, with the token where not trusted"
# What a spreadsheet may take for the beginning of a formula: at that of a cell, or after what one that expects another
# separator takes for the end of one. Before it may be what it ignores: spaces, and what has no shape.
_FORMULA = re.compile("(^|[;\t\r\n])([\\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20])")


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and what its cells are."""

    title: str
    kind: Literal["text", "number"] = "text"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """One table; its first column is the org."""

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def make_tables(report: Report) -> tuple[Table, ...]:
    """Return all tables of a report."""
    readable = [org for org in report.orgs if org.problem is None]
    return (
        _table("findings", "Findings", "What is against a rule, since when.", _findings(report)),
        _table("endings", "What breaks when", "Logins, and stored credentials, by ways that end.", _endings(report)),
        _table("orgs", "Orgs", "Each org, and what could not be read.", _orgs(report)),
        _table("ranges", "Ranges", "From where users may log in, or need no token.", _ranges(readable)),
        _table("profiles", "Users and profiles", "Who may log in, and whether from anywhere.", _profiles(readable)),
        _table("logins", "Logins", "Who logged in, by what, from where, and what is met there now.", _logins(readable)),
        _table("credentials", "Credentials", "What is stored, how old it is, and who has it.", _credentials(report)),
        _table("changes", "Changes", "What changed since the last report, and who did it.", _changes(report)),
    )


def to_csv(table: Table) -> str:
    """Return a table as CSV, in which no cell is a formula to a spreadsheet."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow([column.title for column in table.columns])
    writer.writerows([_inert(cell) for cell in row] for row in table.rows)
    return output.getvalue()


def _inert(cell: Cell) -> Cell:
    return _FORMULA.sub(r"\1'\2", cell) if isinstance(cell, str) else cell


_Rows = tuple[str, Iterable[tuple[Cell, ...]]]


def _table(name: str, title: str, about: str, content: _Rows) -> Table:
    """Return a table; in its headings, # marks a column of numbers."""
    headings, rows = content
    columns = (
        Column(text.strip(" #"), "number" if text.strip().startswith("#") else "text") for text in headings.split(",")
    )
    return Table(name, title, about, tuple(columns), tuple(rows))


def _findings(report: Report) -> _Rows:
    rows = ((one.org, one.severity, one.rule, one.text, one.since) for one in report.findings)
    return "org, severity, rule, finding, since", rows


def _endings(report: Report) -> _Rows:
    rows = (
        (
            *(one.org, one.date, one.days_left, one.username, one.application, one.what, one.logins),
            *(one.last[:10], _few(one.api_versions), _few(one.addresses), one.credential or "somebody else"),
            *(f"{one.when} ({one.grade}; the day is {one.date_grade})", one.why, one.change),
        )
        for one in report.endings
    )
    return (
        "org, ends, # days left, user, application, way, # logins, last login, API versions, addresses, "
        "stored credential, announced for, why, what to do"
    ), rows


def _orgs(report: Report) -> _Rows:
    return (
        "org, host, read as, read at, # requests, # trusted ranges, # restricted profiles, # logins, session settings, "
        "problem, left out"
    ), map(_org, report.orgs)


def _org(org: Org) -> tuple[Cell, ...]:
    left_out = (
        f"{one.what}: {one.problem}" + (f" (permission: {one.permission})" if one.permission else "")
        for one in org.omitted
    )
    settings = (f"{name}: {value}" for name, value in sorted(org.session_settings.items()))
    return (
        *(org.name, org.host, org.user, org.collected, org.requests, len(org.trusted)),
        *(sum(bool(one.login_ip_ranges) for one in org.profiles), sum(one.count for one in org.logins_by_day)),
        *("; ".join(settings), org.problem or "", "; ".join(left_out)),
    )


def _ranges(orgs: Iterable[Org]) -> _Rows:
    return "org, list, range, description, # addresses", (
        (org.name, title, str(item), item.description or "", item.size)
        for org in orgs
        for title, ranges, _logins in org.lists()
        for item in ranges
    )


def _profiles(orgs: Iterable[Org]) -> _Rows:
    return "org, profile, # active users, users, may log in from", (
        (
            *(org.name, one.profile, one.users),
            "not shown" if org.hides(USERS) else _few(one.usernames, one.users),
            "not shown" if org.hides(LOGIN_RANGES) else _few(map(str, one.login_ip_ranges)) or ANYWHERE,
        )
        for org in orgs
        for one in org.profiles
    )


def _logins(orgs: Iterable[Org]) -> _Rows:
    return (
        "org, user, profile, application, way, API version, address, a login by password there now, # logins, last",
        (
            (
                *(
                    org.name,
                    one.username,
                    one.profile,
                    one.application,
                    one.way,
                    one.api_version,
                    one.address,
                    one.access,
                ),
                *(one.count, one.last[:10]),
            )
            for org in orgs
            for one in org.logins
        ),
    )


def _credentials(report: Report) -> _Rows:
    ends: dict[str, str] = {}
    for ending in reversed(report.endings):
        ends[ending.credential] = ending.date
    rows = (
        (
            *("", one.name, one.auth, one.username, one.version, one.updated[:10], (one.secret_since or "")[:10]),
            *((one.verified or "never")[:10], f"{one.result} {one.cause}".strip(), ends.get(one.name, "")),
            _few([f"{each.consumer} (version {each.version})" for each in one.consumers]),
            _few([each.consumer for each in one.consumers if each.outdated]),
        )
        for one in report.credentials
    )
    return (
        "org, credential, logs in by, user, # version, updated, secret since, last verified, result, ends, "
        "who has it, not current"
    ), rows


def _changes(report: Report) -> _Rows:
    return "org, when, who, what", ((one.org, one.when[:19], one.who, one.what) for one in report.changes)


def _few(names: Iterable[str], count: int | None = None) -> str:
    """Join so many names at most, and say how many more there are."""
    listed = list(names)
    more = (len(listed) if count is None else count) - len(listed[:MANY])
    return ", ".join([*listed[:MANY], *([f"and {more} more"] if more > 0 else [])])
