# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sum up the rows of a login history for a report. Pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..access.login_history import Way, address_of, way_of
from .model import moment


class Source(NamedTuple):
    """Where logins come from: one user, by one application, way and API version, from one address."""

    user_id: str
    application: str
    way: Way
    api_version: str
    address: str


@dataclasses.dataclass
class History:
    """The successful logins among some rows.

    Attributes:
        sources: for each source how many there were, and when the last one was.
        by_day: how many there were on each day by each way.
        complete: whether these are all rows.
    """

    sources: dict[Source, tuple[int, str]] = dataclasses.field(default_factory=dict)
    by_day: Counter[tuple[str, Way]] = dataclasses.field(default_factory=Counter)
    complete: bool = True

    @property
    def users(self) -> set[str]:
        """The ids of those who logged in."""
        return {source.user_id for source in self.sources}


def read_history(rows: Iterator[Mapping[str, Any]], limit: int) -> History:
    """Sum up so many rows at most, and say whether there were more. Keeps nothing of a row but what is new.

    Raises ValueError, KeyError, TypeError or AttributeError for what is no row of a login history.
    """
    history = History()
    _add(history, itertools.islice(rows, limit))
    history.complete = next(rows, None) is None
    return history


def _add(history: History, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        address = address_of(row)
        if address is None:
            continue
        way, time = way_of(row), row["LoginTime"]
        moment(time)  # what is no time fails here, and not in a report on many orgs
        source = Source(
            str(row["UserId"]), str(row.get("Application") or ""), way, str(row.get("ApiVersion") or ""), address
        )
        count, last = history.sources.get(source, (0, ""))
        history.sources[source] = (count + 1, max(last, time))
        history.by_day[time[:10], way] += 1
