# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module and action of login_check agree about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import GatehouseError, OptionError
from ..host.login_probe import check
from ..task.options import CONNECTION, LOGIN, Spec, connection_from

SPEC: Spec = {"standby": {"type": "bool", "default": False}, "diagnose_with": {"type": "str"}, **CONNECTION}
# Files and keys of the controller stay there. In their place the host gets what they are for: the certificates in
# ca_path, and an assertion that was signed with private_key.
REPLACED = ("ca_path", "private_key")


def run(options: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Log in once from this host, and tell."""
    if check_mode:
        return {"changed": False, **skipped("no login is made in check mode")}
    try:
        if options.get("credential"):
            raise OptionError("credential", "is read by the action on the controller, which did not run")
        connection = connection_from({name: options[name] for name in LOGIN if name not in REPLACED})
        found = check(connection, assertion=options["private_key"], authorities=options["ca_path"])
    except GatehouseError as exc:
        return {"failed": True, "msg": str(exc)}
    outcome = told(found.cause, found.detail)
    return {**outcome, "address": found.address, "local_address": found.local_address}


def told(cause: str, detail: str) -> dict[str, Any]:
    """A result of the task: it fails when the login does."""
    result = "ok" if cause == "ok" else "failed"
    verification = {"result": result, "cause": cause, "detail": detail}
    failure = {} if cause == "ok" else {"failed": True, "msg": detail}
    return {"changed": False, "verification": verification, **failure}


def skipped(why: str) -> dict[str, Any]:
    """A result of the task when no login was made."""
    nothing = {"address": None, "local_address": None}
    return {"skipped": True, "msg": why, "verification": {"result": "skipped", "cause": None, "detail": why}, **nothing}
