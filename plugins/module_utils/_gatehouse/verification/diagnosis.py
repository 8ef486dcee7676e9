# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the org why it refused a login, with the credential of an administrator.

The refused login itself is not repeated.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ..access.range_lists import LoginRanges, TrustedRanges, always_activates_devices
from ..access.rules import Access, Decision
from ..auth.causes import BY_ADDRESS, UNSPECIFIC, Cause, own_row
from ..auth.connection import Connection
from ..errors import GatehouseError, LoginError
from ..masking import Secrets
from ..org.client import Org
from ..ranges.model import parse_address
from .evidence import Evidence, diagnose

T = TypeVar("T")
RECENT = datetime.timedelta(minutes=5)  # as the clocks here and there differ
ROWS = 50  # among so many last logins of a user the refused one is looked for


class Explanation(NamedTuple):
    """What is known of a refused login: its cause, a sentence, and the address at which Salesforce saw it."""

    cause: str
    detail: str
    address: str | None = None


def diagnosed_login(
    log_in: Callable[[Connection], T],
    administrator: Callable[[Connection], Org | None],
    secrets: Secrets,
    *,
    last_success: str | None,
) -> Callable[[Connection], T]:
    """Wrap a login so that a refusal is diagnosed with the administrator's credential, if one is given."""

    def attempt(connection: Connection) -> T:
        try:
            return log_in(connection)
        except LoginError as exc:
            refusal = explain(Explanation(exc.cause, str(exc)), connection, administrator, secrets, worked=last_success)
            raise LoginError(refusal.detail, cause=refusal.cause) from exc

    return attempt


def explain(
    refusal: Explanation,
    connection: Connection,
    administrator: Callable[[Connection], Org | None],
    secrets: Secrets,
    *,
    worked: str | None,
) -> Explanation:
    """A refusal with what the org tells about it; the refusal itself where it cannot be asked.

    Args:
        refusal: its address is that from which it was sent, where that is known.
        connection: with which the login was tried.
        administrator: returns the org as an administrator sees it.
        worked: when its password last passed a login, where that is known.
    """
    if refusal.cause not in (*UNSPECIFIC, *BY_ADDRESS):
        return Explanation(refusal.cause, refusal.detail)
    try:
        org = administrator(connection)
        if org is None:
            hint = "; with an administrator's credential, diagnose_with may tell which"
            return Explanation(refusal.cause, refusal.detail + hint * (refusal.cause == "invalid_credentials"))
        found, address = investigate(org, refusal, connection, worked=worked)
    except GatehouseError as exc:
        return Explanation(refusal.cause, f"{refusal.detail}; diagnose_with learned no more: {secrets.mask(str(exc))}")
    detail = refusal.detail if found.advice == refusal.detail else _sentence(connection, found)
    return Explanation(found.cause, detail, address)


def investigate(
    org: Org, refusal: Explanation, connection: Connection, *, worked: str | None
) -> tuple[Cause, str | None]:
    """The cause and the address of a login that was refused a moment ago, as far as the org tells this user."""
    refused = Cause(refusal.cause, refusal.detail)
    token_sent = bool(connection.security_token)
    user = _user(org, connection.username or "")
    if user is None:
        return diagnose(refused, Evidence(token_sent, user_known=False)), None
    row = own_row(_last_refused(org, user["Id"]), refusal.address or connection.source_address) or {}
    evidence = Evidence(
        token_sent,
        status=row.get("Status"),
        address=_address(row),
        password_changed=_later(user.get("LastPasswordChangeDate"), worked),
    )
    found = diagnose(refused, evidence)
    if found.cause in BY_ADDRESS and evidence.address:
        decision = _decision(org, (user.get("Profile") or {}).get("Name"), evidence.address)
        found = diagnose(refused, dataclasses.replace(evidence, decision=decision))
    return found, evidence.address


def _user(org: Org, username: str) -> dict[str, Any] | None:
    quoted = username.replace("\\", "\\\\").replace("'", "\\'")
    fields = "Id, LastPasswordChangeDate, Profile.Name"
    found = org.query(f"SELECT {fields} FROM User WHERE Username = '{quoted}'")  # noqa: S608 - quoted
    return found[0] if found else None


def _last_refused(org: Org, user_id: str) -> list[dict[str, Any]]:
    """The user's last refused logins, newest first."""
    since = datetime.datetime.now(datetime.UTC) - RECENT
    rows = org.query(
        f"SELECT Status, SourceIp, LoginTime FROM LoginHistory WHERE UserId = '{user_id}' "  # noqa: S608 - an id
        f"AND LoginTime >= {since:%Y-%m-%dT%H:%M:%SZ} ORDER BY LoginTime DESC LIMIT {ROWS}"
    )
    return [row for row in rows if row.get("Status") not in (None, "Success")]


def _address(row: Mapping[str, Any]) -> str | None:
    try:
        return str(parse_address(row.get("SourceIp") or ""))
    except ValueError:
        return None


def _later(changed: str | None, worked: str | None) -> bool | None:
    """Whether a time of the org's is later than one of ours; None where one is not known."""
    try:
        return datetime.datetime.fromisoformat(changed or "") > datetime.datetime.fromisoformat(worked or "")
    except ValueError:
        return None


def _decision(org: Org, profile: str | None, address: str) -> Decision | None:
    """What the present ranges mean for the address; None where this user may not see them."""
    try:
        login_ranges = LoginRanges(org, profile or "").read().ranges
        trusted = TrustedRanges(org).read().ranges
        access = Access(login_ranges, trusted, device_activation_always=always_activates_devices(org))
        return access.login(address)
    except GatehouseError:
        return None


def _sentence(connection: Connection, found: Cause) -> str:
    return f"{connection.username} could not log in at {urlsplit(connection.login_url).hostname}: {found.advice}"
