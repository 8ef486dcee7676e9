# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an org whether a login from this machine needs the security token."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import GatehouseError
from ..files import file_lock, replace_file
from ..org.client import Org
from ..org.queries import find_user
from .login_history import own_address
from .range_lists import TrustedRanges, always_activates_devices, login_ranges_of
from .rules import Access

FRESH_SECONDS = 60.0  # a task of the same run may change the ranges


@dataclasses.dataclass(frozen=True)
class TokenNeed:
    """Whether the token is needed, and why; C(asked) is false when the org could not be asked."""

    needed: bool
    reason: str
    asked: bool = True


def token_needed(username: str, open_org: Callable[[], Org], cache: Path, *, mask: Callable[[str], str]) -> TokenNeed:
    """Return whether a user needs its token from the address at which Salesforce sees this machine.

    Args:
        open_org: opens the org, as this user or another one; raises GatehouseError.
        cache: the file in which the run keeps the answer for its other processes.
        mask: removes secrets from a text.
    """

    def ask() -> TokenNeed:
        try:
            return _ask(open_org(), username)
        except GatehouseError as exc:
            return TokenNeed(True, mask(str(exc)), asked=False)

    return _cached(cache, ask)


def needs_token(org: Org, username: str) -> bool:
    """Whether the user needs its token from the address at which Salesforce sees this machine; true when unknown."""
    return _ask(org, username).needed


def _ask(org: Org, username: str) -> TokenNeed:
    trusted = TrustedRanges(org).read().ranges
    address = own_address(org)
    if address is None:
        return TokenNeed(True, "the org does not say at which address it sees this machine", asked=False)
    user = find_user(org, username)
    if user is None or not user.profile:
        return TokenNeed(True, f"the org does not show the profile of a user {username}", asked=False)
    login_ranges = login_ranges_of(org, {user.profile})[user.profile]
    access = Access(login_ranges, trusted, device_activation_always=always_activates_devices(org))
    decision = access.login(address)
    return TokenNeed(decision.result != "allowed", f"{address}: {decision.reason}")


def _cached(path: Path, ask: Callable[[], TokenNeed]) -> TokenNeed:
    """Return the answer that another lookup of the run got, or a new one.

    When the org could not be asked it is not asked again in this run: a refused login is never repeated.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file_lock(path.with_suffix(".lock")):
        with contextlib.suppress(FileNotFoundError):
            answer = TokenNeed(**json.loads(path.read_text()))
            if not answer.asked or time.time() - path.stat().st_mtime < FRESH_SECONDS:
                return answer
        answer = ask()
        replace_file(path, json.dumps(dataclasses.asdict(answer)).encode(), durable=False)
        return answer
