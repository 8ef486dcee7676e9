# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of trusted_ip_ranges and login_ip_ranges."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, get_args

from ..errors import GatehouseError, OptionError
from ..org.client import Org
from ..ranges.lint import Code, Finding, lint
from ..ranges.model import IpRange, parse_each, unique
from ..ranges.plan import STATES, RangePlan
from ..ranges.temporary_access import expiry, has_expired, parse_entries, plan_temporary
from ..task.context import Task
from ..task.options import Spec
from .apply import Planner, ensure_ranges
from .guard import MODES, describe, login_at_risk, refuse, refuse_own_denial, stranded_by, trusted_at_risk, unchanged
from .login_history import HIDDEN, Stranded, is_partial, logins_soql, observed_logins
from .range_lists import LoginRanges, TrustedRanges

SHOWN = 5
RANGES: Spec = {
    "ranges": {"type": "list", "elements": "raw"},
    "state": {"type": "str", "choices": [*STATES, "swept"], "default": "present"},
    "lint": {
        "type": "dict",
        "options": {
            "level": {"type": "str", "choices": ["warn", "error"], "default": "warn"},
            "skip": {"type": "list", "elements": "str", "choices": list(get_args(Code)), "default": []},
            "min_prefix_ipv4": {"type": "int", "default": 16},
            "min_prefix_ipv6": {"type": "int", "default": 48},
            "shared_ranges": {"type": "list", "elements": "raw", "default": []},
            "unused_days": {"type": "int"},
        },
    },
    "guard": {"type": "str", "choices": list(MODES), "default": "fail"},
    "guard_days": {"type": "int", "default": 30},
}
Target: TypeAlias = TrustedRanges | LoginRanges


class LintError(GatehouseError):
    """What is declared was found wanting, and was to be an error then."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(
            f"ranges: {'; '.join(_texts(findings))}. Nothing was changed; the option lint decides about this"
        )
        self.result = {"lint": [finding.as_result() for finding in findings]}


@dataclasses.dataclass(frozen=True)
class Declared:
    """What a task declares: the entries as they are written, and what they come to."""

    entries: Sequence[IpRange]
    ranges: tuple[IpRange, ...]
    make_plan: Planner


def declare_ranges(options: Mapping[str, Any], task: Task, list_of: Callable[[Org], Target]) -> dict[str, Any]:
    declared, findings = check_declaration(options)
    org = task.org()
    target = list_of(org)
    findings += _unused(org, target, declared, options)
    at_risk: list[Stranded] = []
    mode, days = options["guard"], options["guard_days"]

    def review(change: RangePlan) -> None:
        if mode != "off":
            at_risk.extend(_stranded(org, target, change, days))
        if mode == "fail":
            refuse(at_risk, days)

    outcome = ensure_ranges(
        org,
        target,
        declared.ranges,
        options["state"],
        check_mode=task.check_mode,
        review=review,
        make_plan=declared.make_plan,
    )
    change = outcome.plan
    return {
        "changed": bool(change),
        "diff": change.diff(),
        "ranges": [item.as_result() for item in change.after],
        "added": [item.as_result() for item in change.added],
        "removed": [item.as_result() for item in change.removed],
        "updated": [item.as_result() for item in change.updated],
        "at_risk": [item.as_result() for item in at_risk],
        "lint": [finding.as_result() for finding in findings],
        "warnings": [
            *(f"lint: {text}" for text in _texts(findings)),
            *([describe(at_risk, days)] if at_risk else []),
            *outcome.warnings,
        ],
    }


def check_declaration(options: Mapping[str, Any]) -> tuple[Declared, list[Finding]]:
    """What is declared, after all checks that need no org, and what lint has to say about it."""
    state, given = options["state"], options.get("ranges")
    if state == "swept" and given:
        raise OptionError("ranges", "swept removes all ranges that have expired, and takes no ranges")
    if state != "swept" and given is None:
        raise OptionError("ranges", f"is required when state is {state}")
    for name, days in (("guard_days", options["guard_days"]), ("lint.unused_days", _unused_days(options))):
        if days is not None:
            logins_soql(days, option=name)  # raises what it would raise when the org is asked
    now = datetime.datetime.now(datetime.UTC)
    entries, at_least = parse_entries(given or (), now)
    findings = _findings(entries, options)
    make_plan = functools.partial(plan_temporary, now=now, at_least=at_least)
    return Declared(entries, unique(entries), make_plan), findings


def _findings(entries: Sequence[IpRange], options: Mapping[str, Any]) -> list[Finding]:
    settings = options.get("lint")
    if not settings or options["state"] == "absent":
        return []
    max_size = {version: 2 ** (bits - _min_prefix(settings, version, bits)) for version, bits in ((4, 32), (6, 128))}
    shared = parse_each(settings["shared_ranges"], option="lint.shared_ranges")
    return _of_interest(lint(entries, max_size=max_size, shared=shared), settings)


def _min_prefix(settings: Mapping[str, Any], version: int, bits: int) -> int:
    length = int(settings[f"min_prefix_ipv{version}"])
    if not 0 <= length <= bits:
        raise OptionError(f"lint.min_prefix_ipv{version}", f"must be a prefix length from 0 to {bits}, not {length}")
    return length


def _of_interest(findings: Iterable[Finding], settings: Mapping[str, Any]) -> list[Finding]:
    """Without what is to be skipped. Raises LintError where findings are errors."""
    kept = [finding for finding in findings if finding.code not in settings["skip"]]
    if kept and settings["level"] == "error":
        raise LintError(kept)
    return kept


def _unused(org: Org, target: Target, declared: Declared, options: Mapping[str, Any]) -> list[Finding]:
    """The entries that no login used, where that was asked; temporary access may wait for its first."""
    days = _unused_days(options)
    if days is None or options["state"] == "absent":
        return []
    logins = observed_logins(org, days, option="lint.unused_days")
    if is_partial(org, logins, days, option="lint.unused_days"):
        raise OptionError("lint.unused_days", f"what is unused cannot be told: {HIDDEN}")
    if isinstance(target, LoginRanges):
        target.read()  # which tells all names of the profile
        logins = [login for login in logins if login.profile in target.names]
    seen = ((login.address, datetime.datetime.fromisoformat(login.last)) for login in logins if login.last)
    lasting = [item for item in declared.entries if expiry(item) is None]
    found = lint(lasting, logins=seen, unused_days=days)
    return _of_interest([finding for finding in found if finding.code == "unused"], options["lint"])


def _unused_days(options: Mapping[str, Any]) -> int | None:
    return (options.get("lint") or {}).get("unused_days")


def _stranded(org: Org, target: Target, change: RangePlan, days: int) -> list[Stranded]:
    """Return the logins that a change would strand.

    Temporary access that has expired strands nobody. When it is closed before, its own user means it: others count.
    """
    temporary = [item for item in change.removed if expiry(item) is not None]
    lasting = _without(change, temporary)
    if isinstance(target, LoginRanges) and change.before and not lasting.before:
        refuse_own_denial(org, lasting, target.names)
        found = []  # without temporary access everybody was denied before, too
    else:
        found = _at_risk(org, target, lasting, days)
    now = datetime.datetime.now(datetime.UTC)
    still_open = tuple(item for item in temporary if not has_expired(item, now))
    if still_open:
        closing = RangePlan((*change.after, *still_open), change.after, (), still_open, ())
        found += [item for item in _others_at_risk(org, target, closing, days) if item not in found]
    return found


def _at_risk(org: Org, target: Target, change: RangePlan, days: int) -> list[Stranded]:
    if isinstance(target, LoginRanges):
        return login_at_risk(org, change, target.names, days)
    return trusted_at_risk(org, change, days)


def _others_at_risk(org: Org, target: Target, change: RangePlan, days: int) -> list[Stranded]:
    """Those but this run's own user whom a change would strand."""
    if isinstance(target, LoginRanges):
        logins = observed_logins(org, days, option="guard_days")
        users = [login for login in logins if login.profile in target.names]
        profiles = dict.fromkeys(target.names, change)
        found = stranded_by(users, {}, trusted=unchanged(()), profiles=profiles)
    else:
        found = trusted_at_risk(org, change, days)
    own = (org.user_id or "")[:15]
    return [item for item in found if item.login.user_id[:15] != own]


def _without(change: RangePlan, temporary: Collection[IpRange]) -> RangePlan:
    """Return the change for those who never had this temporary access."""
    keys = {item.key for item in temporary}
    return dataclasses.replace(
        change,
        before=tuple(item for item in change.before if item.key not in keys),
        removed=tuple(item for item in change.removed if item.key not in keys),
    )


def _texts(findings: Sequence[Finding]) -> list[str]:
    """A text for each finding, but not for all of very many: the result has them all."""
    more = [f"and {len(findings) - SHOWN} more findings"] if len(findings) > SHOWN else []
    return [*(f"{finding.text} ({finding.code})" for finding in findings[:SHOWN]), *more]
