# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in from a managed host, and read on the controller what came of it.

A host returns the org's code; what it means is known on the controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..auth.connection import SECRET_FIELDS
from ..auth.protocol import Refused
from ..errors import GatehouseError, LoginUnansweredError, OrgError
from ..host.login_probe import check
from ..task.options import CONNECTION, Spec, connection_from

SPEC: Spec = {"standby": {"type": "bool", "default": False}, "diagnose_with": {"type": "str"}, **CONNECTION}
PAYLOAD = "_payload"  # what the action sends to the host: connection, assertion and authorities
OUTCOME = "login_outcome"  # accepted, refused, unanswered or not_sent


def secrets_in(payload: Mapping[str, Any]) -> set[str]:
    """Return the secret values of a payload."""
    values = (payload["assertion"], *(payload["connection"].get(name) for name in SECRET_FIELDS))
    return {value for value in values if value}


def run(payload: Mapping[str, Any] | None) -> dict[str, Any]:
    """Log in once from this host, and return what came of it."""
    if not payload:
        return {"failed": True, "msg": "works by its action on the controller, which did not run"}
    try:
        connection = connection_from(payload["connection"])
        seen = check(connection, assertion=payload["assertion"], authorities=payload["authorities"])
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
