# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List what breaks when: logins and stored credentials by a way that ends. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from ..access.login_history import BY_PASSWORD
from ..auth.retirement import retirements
from .model import Credential, Login, Org

# The auth of a stored credential that logs in in such a way.
_AUTH = {"soap_login": "security_token", "username_password_flow": "username_password"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """Logins of one user by one application that end on a day, or a stored credential that has not logged in.

    Attributes:
        org: the name of the org; empty where no login was seen.
        credential: the stored credential of that user; empty where somebody else logs in.
        date_grade: how sure the day is: confirmed, reported or assumed.
        logins: how many there were; 0 for a credential without any.
    """

    org: str
    username: str
    application: str
    credential: str
    api_versions: tuple[str, ...]
    addresses: tuple[str, ...]
    logins: int
    last: str
    what: str
    when: str
    grade: str
    date: str
    date_grade: str
    days_left: int
    why: str
    change: str


def find_endings(orgs: Iterable[Org], credentials: Iterable[Credential], today: datetime.date) -> tuple[Ending, ...]:
    """Return every ending, the next one first."""
    stored = {(one.auth, one.username.lower()): one for one in credentials if one.auth in _AUTH.values()}
    seen: set[tuple[str, str]] = set()
    found: list[Ending] = []
    for org in orgs:
        groups: dict[tuple[str, str, str], list[Login]] = {}
        for login in org.logins:
            if login.way in BY_PASSWORD:
                groups.setdefault((login.username, login.application, login.way), []).append(login)
        for (username, _application, way), logins in groups.items():
            key = (_AUTH[way], username.lower())
            seen.add(key)
            found += _endings(org.name, key[0], logins, stored.get(key), today)
    for key, credential in stored.items():
        if key not in seen:
            found += _endings("", key[0], [], credential, today)
    return tuple(sorted(found, key=lambda one: (one.date, one.org, one.username, one.application)))


def _endings(
    org: str, auth: str, logins: list[Login], credential: Credential | None, today: datetime.date
) -> Iterable[Ending]:
    last = max((login.last for login in logins), default="")
    passed = max(last, credential.verified or "" if credential else "")
    for end in retirements(auth, passed or None, today):
        yield Ending(
            org=org,
            username=logins[0].username if logins else credential.username if credential else "",
            application=logins[0].application if logins else "",
            credential=credential.name if credential else "",
            api_versions=tuple(sorted({login.api_version for login in logins if login.api_version})),
            addresses=tuple(sorted({login.address for login in logins})),
            logins=sum(login.count for login in logins),
            last=last,
            **end,
        )
