# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a target, by what is recorded, what is there and what is wanted. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..credentials.deliveries import Delivery
from ..host.app_file import CURRENT, MISSING, OTHER, PREVIOUS

KEEP, WRITE, REMOVE, REFUSE = "keep", "write", "remove", "refuse"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes of a target, and of what is recorded of it.

    Attributes:
        status: what is there, one of C(STATUSES).
        action: C(refuse) where it is to be removed, but contains something else than what was delivered.
        changed: whether anything changes, be it a restart that an earlier run has not made.
        overdue: whether nothing but such a restart changes.
        known: whether what is there was delivered.
        delivery: what is recorded afterwards; None when nothing is.
    """

    status: str
    action: str
    changed: bool
    overdue: bool
    known: bool
    delivery: Delivery | None


def plan(
    before: Delivery | None, wanted: Delivery | None, status: str, *, restart: bool | None, touched: bool = False
) -> Plan:
    """Return what becomes of a target.

    Args:
        before: what was delivered to it; None when nothing was.
        wanted: what is to be delivered; None when it is to be removed.
        restart: whether a restart has to follow a change; None when nobody has said so.
        touched: whether anything else of it changes, such as the mode of a file.
    """
    if wanted is None:
        return _plan_absent(before, status, restart)
    recorded = before is not None and before.fingerprint == wanted.fingerprint
    action = KEEP if status == CURRENT else WRITE
    changed = touched or action == WRITE
    was_restarted = status == CURRENT and recorded and before is not None and before.settled
    overdue = False
    if restart is None:  # nobody restarts it
        settled = was_restarted
    elif restart:
        # The run that wrote it may have ended before the restart, or even before the delivery was recorded.
        overdue = action == KEEP and not was_restarted
        settled = not (changed or overdue)
    else:
        settled = True
    return Plan(
        status=status,
        action=action,
        changed=changed or overdue,
        overdue=overdue,
        known=status == PREVIOUS or (status == CURRENT and recorded),
        delivery=dataclasses.replace(wanted, settled=settled),
    )


def _plan_absent(before: Delivery | None, status: str, restart: bool | None) -> Plan:
    actions = {MISSING: KEEP, OTHER: REFUSE}
    action = actions.get(status, REMOVE)
    # The run that removed it may have ended before the restart, or somebody else has removed it.
    overdue = bool(restart) and before is not None and status == MISSING
    return Plan(
        status=status,
        action=action,
        changed=overdue or action == REMOVE,
        overdue=overdue,
        known=before is not None,
        delivery=dataclasses.replace(before, settled=False) if restart and before else None,
    )


def status_of(mark: str, before: Delivery | None, wanted: Delivery | None) -> str:
    """Return what is in a service, one of C(STATUSES), by the mark that it shows; an empty one stands for nothing."""
    if not mark:
        return MISSING
    if before is None or before.mark != mark:
        return OTHER
    return CURRENT if wanted is not None and before.fingerprint == wanted.fingerprint else PREVIOUS
