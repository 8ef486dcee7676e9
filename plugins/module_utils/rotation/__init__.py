# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew the security token of a credential, so that no crash loses it. Private to gatehouse.salesforce.

The steps are: ask for a new token, read it from a mail, log in with it, store it. Before each step that cannot be
undone the record's journal says what is about to happen; a run that finds a journal brings it to its end.
"""

from __future__ import annotations

import contextlib
import dataclasses

from ..errors import OptionError
from ..journal import Journal
from ..record import Credential, CredentialPlan, to_clear
from ..store import Store
from ..store.base import LOCK_SECONDS
from .held import Held
from .steps import run
from .stuck import Stuck
from .wanted import Outcome, Wanted
from .way import Way

METHODS = ("reset", "password")


def ensure_young(store: Store, name: str, wanted: Wanted, way: Way, *, check_mode: bool) -> Outcome:
    """Make the token of a credential as young as wanted, and whole again when a run has died over it.

    Of several runs at a time one works; the others wait and then find what it has done.

    Raises:
        OptionError: the credential or the options cannot be used; nothing was done.
        OrgError, MailError: what was asked for was refused, or could not be reached; nothing is lost.
        Stuck: the new token has not come, or was refused; nothing is lost.
    """
    if wanted.method not in METHODS:
        raise OptionError("method", f"{wanted.method!r} is not one of {', '.join(METHODS)}")
    seen = store.read(name)
    with contextlib.nullcontext() if check_mode else store.lock(name, seconds=wanted.wait + LOCK_SECONDS):
        credential = store.read(name)
        if _state(credential) != _state(seen):  # somebody has renewed it, or tried to, while this run waited
            wanted = dataclasses.replace(wanted, force=False)
        held = Held(store, credential, wanted, way, check_mode=check_mode)
        run(held)
    return _outcome(held)


def _outcome(held: Held) -> Outcome:
    plan = CredentialPlan(held.before, held.credential)
    return Outcome(
        changed=bool(plan),
        rotated=bool(plan),
        resumed=held.before.rotation is not None,
        version=held.credential.version,
        diff=plan.diff(),
        credential=to_clear(held.credential),
        warnings=held.warnings,
    )


def _state(credential: Credential) -> tuple[set[str], Journal | None]:
    """What logs its users in, and a rotation under way."""
    return {user.login_password for user in credential.users}, credential.rotation


__all__ = ["METHODS", "Outcome", "Stuck", "Wanted", "Way", "ensure_young"]
