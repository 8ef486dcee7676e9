# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a login from here needs the security token, asked of the org."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from ..credentials.credential import Credential
from ..errors import GatehouseError
from ..files import file_lock
from ..masking import mask
from ..org.client import Org
from ..org.sessions import SessionCache
from ..store.base import Store
from .login_history import USERS_SOQL, own_address, users_among
from .range_lists import LoginRanges, TrustedRanges, always_activates_devices
from .rules import Access

FRESH = 60.0  # seconds for which an answer holds, as a task of the same run may change the ranges


@dataclasses.dataclass(frozen=True)
class TokenNeed:
    """Whether the token is needed, and why; C(asked) is false when the org could not be asked."""

    needed: bool
    reason: str
    asked: bool = True


def token_needed(credential: Credential, asker: Credential, store: Store, folder: Path) -> TokenNeed:
    """Whether the credential needs its token from the address at which Salesforce sees this machine.

    Args:
        asker: with whose permissions the org is asked; the credential itself, or another one of the same org.
        folder: that of the run, where answers are kept for all its processes.
    """

    def ask() -> TokenNeed:
        try:
            org = Org(
                asker.connection, SessionCache((store.local_folder or folder) / ".sessions", store.fernet, folder)
            )
            return _ask(org, credential.connection.username or "")
        except GatehouseError as exc:
            return TokenNeed(True, str(mask(str(exc), asker.connection.secrets.values())), asked=False)

    parts = [store.place, credential.name, credential.version, asker.name, asker.version]
    return _remembered(folder / "token" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32], ask)


def needs_token(org: Org, username: str) -> bool:
    """Whether the user needs its token from the address at which Salesforce sees this machine; true when not known."""
    return _ask(org, username).needed


def _ask(org: Org, username: str) -> TokenNeed:
    trusted = TrustedRanges(org).read().ranges
    address = own_address(org)
    if address is None:
        return TokenNeed(True, "the org does not tell at which address it sees this machine", asked=False)
    quoted = username.replace("\\", "\\\\").replace("'", "\\'")
    found = org.query(f"{USERS_SOQL} WHERE Username = '{quoted}'")
    users = list(users_among(found, {row["Id"] for row in found}).values())
    if not users or not users[0].profile:
        return TokenNeed(True, f"the org does not tell the profile of a user {username}", asked=False)
    login_ranges = LoginRanges(org, users[0].profile).read().ranges
    access = Access(login_ranges, trusted, device_activation_always=always_activates_devices(org))
    decision = access.login(address)
    return TokenNeed(decision.result != "allowed", f"{address}: {decision.reason}")


def _remembered(path: Path, ask: Callable[[], TokenNeed]) -> TokenNeed:
    """The answer that another lookup of the run had, or a new one.

    One that could not be had is not asked for again: a refused login is never repeated.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file_lock(path.with_suffix(".lock")):
        with contextlib.suppress(FileNotFoundError):
            answer = TokenNeed(**json.loads(path.read_text()))
            if not answer.asked or time.time() - path.stat().st_mtime < FRESH:
                return answer
        answer = ask()
        path.write_text(json.dumps(dataclasses.asdict(answer)))
        return answer
