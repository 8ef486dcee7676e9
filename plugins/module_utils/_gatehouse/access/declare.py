# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare a list of IP ranges: check the entries, guard the change, make it, and return the task's result."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import GatehouseError, OptionError
from ..org.client import Org
from ..ranges.lint import Finding, lint
from ..ranges.model import unique
from ..ranges.temporary_access import expiry, plan_temporary
from .apply import Declaration, ensure_ranges
from .guard import Guard, Target, describe
from .login_history import HIDDEN, is_partial, observed_logins
from .options import LintOptions, RangesOptions
from .range_lists import LoginRanges
from .turns import Turns

SHOWN = 5


class LintError(GatehouseError):
    """Raised for lint findings when O(lint.level) is V(error)."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(
            f"ranges: {'; '.join(_texts(findings))}. Nothing was changed; the option lint decides about this"
        )
        self.result = {"lint": [finding.as_result() for finding in findings]}


def declare_ranges(
    org: Org, target: Target, options: RangesOptions, *, check_mode: bool, turns: Turns
) -> dict[str, Any]:
    """Make a list of an org satisfy what is declared, and return the result of the task.

    Raises:
        LintError: a finding is an error; nothing was sent.
        OptionError, OrgError, WouldStrandLogins: as ensure_ranges() and the guard do.
    """
    findings = _check_entries(options)
    make_plan = functools.partial(plan_temporary, now=options.now, at_least=options.at_least)
    declaration = Declaration(unique(options.entries), options.state, make_plan)
    guard = Guard(org, target, options.guard, options.guard_days)
    findings += _find_unused(org, target, options)
    if check_mode:
        outcome = ensure_ranges(org, target, declaration, check_mode=True, review=guard.review)
    else:
        with turns.on_controller(org.org_id, target.kind):
            lease = turns.among_controllers(org.org_id, target.kind)
            outcome = ensure_ranges(org, target, declaration, check_mode=False, review=guard.review, lease=lease)
    change, at_risk = outcome.plan, guard.at_risk
    return {
        "changed": bool(change),
        "diff": change.diff(),
        "ranges": [item.as_result() for item in change.after],
        "added": [item.as_result() for item in change.added],
        "removed": [item.as_result() for item in change.removed],
        "updated": [item.as_result() for item in change.updated],
        **({} if options.guard == "off" else {"at_risk": [item.as_result() for item in at_risk]}),
        "lint": [finding.as_result() for finding in findings],
        "warnings": [
            *(f"lint: {text}" for text in _texts(findings)),
            *([describe(at_risk, options.guard_days)] if at_risk else []),
            *outcome.warnings,
        ],
    }


def _check_entries(options: RangesOptions) -> list[Finding]:
    """Return the findings that need no org; raises LintError where findings are errors."""
    if options.lint is None or options.state == "absent":
        return []
    return _select(lint(options.entries, max_size=options.lint.max_size, shared=options.lint.shared), options.lint)


def _find_unused(org: Org, target: Target, options: RangesOptions) -> list[Finding]:
    """Return the entries that no login used, if this is asked for; temporary access may wait for its first."""
    if options.lint is None or options.lint.unused_days is None or options.state == "absent":
        return []
    days = options.lint.unused_days
    logins = observed_logins(org, days, option="lint.unused_days")
    if is_partial(org, logins, days, option="lint.unused_days"):
        raise OptionError("lint.unused_days", f"cannot find out what is unused: {HIDDEN}")
    if isinstance(target, LoginRanges):
        target.read()  # which tells all names of the profile
        logins = [login for login in logins if login.profile in target.names]
    seen = ((login.address, datetime.datetime.fromisoformat(login.last)) for login in logins if login.last)
    lasting = [item for item in options.entries if expiry(item) is None]
    findings = lint(lasting, logins=seen, unused_days=days)
    return _select([finding for finding in findings if finding.code == "unused"], options.lint)


def _select(findings: Iterable[Finding], options: LintOptions) -> list[Finding]:
    """Return the findings without those to skip; raises LintError where findings are errors."""
    selected = [finding for finding in findings if finding.code not in options.skip]
    if selected and options.fail:
        raise LintError(selected)
    return selected


def _texts(findings: Sequence[Finding]) -> list[str]:
    """Return a text for each finding, but not for all of very many: the result has them all."""
    more = [f"and {len(findings) - SHOWN} more findings"] if len(findings) > SHOWN else []
    return [*(f"{finding.text} ({finding.code})" for finding in findings[:SHOWN]), *more]
