# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in from a managed host, and read on the controller what came of it.

A host returns the org's code; what it means is known on the controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..auth.protocol import Refused
from ..errors import GatehouseError, LoginUnansweredError, OptionError, OrgError
from ..host.login_probe import check
from ..task.options import CONNECTION, LOGIN, Spec, connection_from

SPEC: Spec = {"standby": {"type": "bool", "default": False}, "diagnose_with": {"type": "str"}, **CONNECTION}
# Files and keys of the controller stay there. The host gets the certificates in ca_path instead, and an assertion that
# was signed.
REPLACED = ("ca_path", "private_key")
OUTCOME = "login_outcome"  # accepted, refused, unanswered or not_sent


def run(options: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Log in once from this host, and return what came of it."""
    if check_mode:
        return {"changed": False, **skipped("no login is made in check mode")}
    try:
        if options.get("credential"):
            raise OptionError("credential", "is read by the action on the controller, which did not run")
        connection = connection_from({name: options[name] for name in LOGIN if name not in REPLACED})
        seen = check(connection, assertion=options["private_key"], authorities=options["ca_path"])
    except Refused as exc:
        problem = f"the org refused the login as {exc.code}"
        refusal = {"code": exc.code, "text": exc.description, "local_address": exc.local_address}
        return _failure("refused", problem, **refusal)
    except LoginUnansweredError as exc:
        return _failure("unanswered", str(exc), cause=exc.cause, local_address=exc.local_address)
    except OrgError as exc:
        return _failure("not_sent", str(exc), cause=exc.cause, local_address=exc.local_address)
    except GatehouseError as exc:
        return {"failed": True, "msg": str(exc)}
    except Exception as exc:  # after a login that may have counted
        return _failure("unanswered", f"the check broke off: {type(exc).__name__}", cause="unreachable")
    return {"changed": False, OUTCOME: "accepted", **seen._asdict()}


def _failure(outcome: str, message: str, **details: str | None) -> dict[str, Any]:
    return {"failed": True, "msg": message, OUTCOME: outcome, **details}


def skipped(why: str) -> dict[str, Any]:
    """Return the result of the task when no login was made."""
    verification = {"result": "skipped", "cause": None, "detail": why}
    return {"skipped": True, "msg": why, "verification": verification, "address": None, "local_address": None}
