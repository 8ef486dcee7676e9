# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the module credential. Private to gatehouse.salesforce."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..backend import Run, kept_sessions, of_this_run
from ..connection import Connection
from ..credentials import VERIFY, ensure_absent, ensure_present, read_or_none
from ..errors import OrgError
from ..options import LOGIN, STORE, Spec, connection_from
from ..record import OF_THE_USER, Verification
from ..store import Store, store_from
from ..verified_login import verified_login

SPEC: Spec = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "verify": {"type": "str", "choices": list(VERIFY), "default": "require"},
    "diagnose_with": {"type": "str"},
    "standby": {
        "type": "dict",
        "options": {
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "security_token": {"type": "str", "no_log": True},
        },
    },
    **LOGIN,
    **STORE,
}


def run(options: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Make the store hold the credential, or not."""
    store = store_from(options)
    if options["state"] == "absent":
        if not run.check_mode:
            _forget_sessions(store, options, run)  # first, as the credential tells whose they are
        outcome = ensure_absent(store, options["name"], check_mode=run.check_mode)
    else:
        try:
            outcome = ensure_present(
                store,
                options["name"],
                connection_from(options),
                verify=options["verify"],
                check_mode=run.check_mode,
                login=verified_login(store, options["name"], options, run),
                standby=_standby(options),
            )
        except OrgError as exc:
            exc.result = {"verification": Verification(result="failed", cause=exc.cause, detail=str(exc)).to_dict()}
            raise
    return dataclasses.asdict(outcome)


def _forget_sessions(store: Store, options: Mapping[str, Any], run: Run) -> None:
    credential = read_or_none(store, options["name"])
    for user in credential.users if credential else []:
        kept_sessions(store, run).forget(of_this_run(user, options))


def _standby(options: Mapping[str, Any]) -> Connection | None:
    given = options.get("standby")
    return None if given is None else Connection(**{field: given.get(field) for field in OF_THE_USER})
