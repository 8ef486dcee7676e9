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
from typing import Any

from ..access.range_lists import LoginRanges, TrustedRanges, always_activates_devices
from ..access.rules import Access, Decision
from ..auth.causes import BY_ADDRESS, UNCERTAIN, Cause
from ..auth.connection import Connection
from ..auth.protocol import own_row
from ..auth.refusals import sentence
from ..errors import GatehouseError, LoginError
from ..masking import Secrets
from ..org.client import Org
from ..org.queries import find_user, logins_of
from ..ranges.model import parse_address
from .evidence import Evidence, weigh

RECENT = datetime.timedelta(minutes=5)  # as the clocks here and there differ
ROWS = 50  # among so many last logins of a user the refused one is looked for


def diagnose(
    error: LoginError,
    connection: Connection,
    administrator: Callable[[Connection], Org | None],
    secrets: Secrets,
    *,
    last_success: str | None,
) -> LoginError:
    """Return a refusal with what the org tells an administrator about it; the refusal itself where it cannot be asked.

    Args:
        error: from where the login was sent is used, where it says so.
        connection: with which the login was tried.
        administrator: returns the org as an administrator sees it, or None.
        last_success: when the password last passed a login, where that is known.
    """
    if error.cause not in (*UNCERTAIN, *BY_ADDRESS):
        return error
    try:
        org = administrator(connection)
        if org is None:
            uncertain = error.cause == "invalid_credentials"
            hint = "; with an administrator's credential, diagnose_with may tell which"
            return _refusal(error, f"{error}{hint}") if uncertain else error
        known, address = investigate(org, error, connection, last_success=last_success)
    except GatehouseError as exc:
        return _refusal(error, f"{error}; diagnose_with learned no more: {secrets.mask(str(exc))}")
    detail = str(error) if known.advice == str(error) else sentence(connection, known) + error.why_not_sent
    return _refusal(error, detail, known.code, address)


def has_refused_login(connection: Connection, administrator: Callable[[Connection], Org | None]) -> bool | None:
    """Return whether the org refused a login of this user in the last minutes; None where that cannot be known."""
    try:
        org = administrator(connection)
        user = find_user(org, connection.username) if org and connection.username else None
        return bool(_last_refused(org, user.id)) if org and user else None
    except GatehouseError:
        return None


def investigate(
    org: Org, error: LoginError, connection: Connection, *, last_success: str | None
) -> tuple[Cause, str | None]:
    """Return cause and address of a login that was refused a moment ago, as far as the org tells this user."""
    refused = Cause(error.cause, str(error))
    token_sent = bool(connection.security_token)
    user = find_user(org, connection.username or "")
    if user is None:
        return weigh(refused, Evidence(token_sent, user_known=False)), None
    row = own_row(_last_refused(org, user.id), error.local_address or connection.source_address) or {}
    evidence = Evidence(
        token_sent,
        status=row.get("Status"),
        address=_address(row),
        password_changed=_later(user.password_changed, last_success),
    )
    known = weigh(refused, evidence)
    if known.code in BY_ADDRESS and evidence.address:
        decision = _decision(org, user.profile, evidence.address)
        known = weigh(refused, dataclasses.replace(evidence, decision=decision))
    return known, evidence.address


def _refusal(error: LoginError, detail: str, cause: str | None = None, address: str | None = None) -> LoginError:
    """Return the error with another text."""
    changed = LoginError(detail, cause=cause or error.cause)
    changed.address, changed.local_address = address, error.local_address
    return changed


def _last_refused(org: Org, user_id: str) -> list[dict[str, Any]]:
    """Return the user's last refused logins, newest first."""
    rows = logins_of(org, user_id, limit=ROWS, since=datetime.datetime.now(datetime.UTC) - RECENT)
    return [row for row in rows if row.get("Status") not in (None, "Success")]


def _address(row: Mapping[str, Any]) -> str | None:
    try:
        return str(parse_address(row.get("SourceIp") or ""))
    except ValueError:
        return None


def _later(changed: str | None, last_success: str | None) -> bool | None:
    """Return whether a time of the org's is later than one of ours; None where one is not known."""
    try:
        return datetime.datetime.fromisoformat(changed or "") > datetime.datetime.fromisoformat(last_success or "")
    except ValueError:
        return None


def _decision(org: Org, profile: str, address: str) -> Decision | None:
    """Return what the present ranges mean for the address; None where this user may not see them."""
    try:
        login_ranges = LoginRanges(org, profile).read().ranges
        trusted = TrustedRanges(org).read().ranges
        access = Access(login_ranges, trusted, device_activation_always=always_activates_devices(org))
        return access.login(address)
    except GatehouseError:
        return None
