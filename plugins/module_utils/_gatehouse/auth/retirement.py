# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List when and why a way to log in will stop working, and what to change. Pure.

Sources: the login() page of the SOAP API guide, Salesforce's article 005461976 on the OAuth username-password flow,
and release notes as others report them. Each fact says how sure it is.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retirement:
    """One end that Salesforce has announced.

    Attributes:
        flow: the C(auth) that it is the end of.
        when: as it was announced.
        grade: whether it is C(confirmed) by Salesforce's own documents that it will come, or C(reported) by others.
        date: the day that is counted to.
        date_grade: C(confirmed) by Salesforce, C(reported) by others, or C(assumed) where only a release is named.
        condition: whether it may be met already; a login that passed on that day or later then shows that it was.
    """

    what: str
    flow: str
    when: str
    grade: str
    date: datetime.date
    date_grade: str
    why: str
    change: str
    condition: bool = False


RETIREMENTS = (
    Retirement(
        what="use_any_api_auth",
        flow="security_token",
        when="Winter '27",
        grade="reported",
        date=datetime.date(2026, 12, 1),
        date_grade="reported",
        why="SOAP login needs the permission 'Use Any API Auth' of the user in all orgs, as in new ones today",
        change="give the user that permission, or move the credential to jwt_bearer",
        condition=True,
    ),
    Retirement(
        what="username_password_flow",
        flow="username_password",
        when="2027-02-20",
        grade="confirmed",
        date=datetime.date(2027, 2, 20),
        date_grade="confirmed",
        why="the OAuth username-password flow ends for connected apps",
        change="move the credential to jwt_bearer or client_credentials",
    ),
    Retirement(
        what="soap_login",
        flow="security_token",
        when="Summer '27",
        grade="confirmed",
        # Salesforce names no day. This one is early for a summer release.
        date=datetime.date(2027, 5, 1),
        date_grade="assumed",
        why="the SOAP login of API versions 31.0 to 64.0 ends, and later versions have none",
        change="move the credential to jwt_bearer or client_credentials",
    ),
)


def announced_ends(auth: str, verified: str | None) -> list[dict[str, Any]]:
    """Return the ends that a credential has before it, the next one first.

    Args:
        verified: when the credential last passed a login; None if it never did.
    """
    passed = (verified or "")[:10]
    return [
        {
            "what": item.what,
            "when": item.when,
            "grade": item.grade,
            "date": item.date.isoformat(),
            "date_grade": item.date_grade,
            "why": item.why,
            "change": item.change,
        }
        for item in RETIREMENTS
        if item.flow == auth and not (item.condition and passed >= item.date.isoformat())
    ]


def retirements(auth: str, verified: str | None, today: datetime.date) -> list[dict[str, Any]]:
    """Return the same with the days that are left, as modules return them."""
    return [
        {**end, "days_left": (datetime.date.fromisoformat(end["date"]) - today).days}
        for end in announced_ends(auth, verified)
    ]
