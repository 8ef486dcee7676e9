# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a report: what each looks for, how grave it is, and its limits. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Literal, get_args

from ..access.rules import SESSION_SETTINGS
from ..errors import OptionError
from ..near_names import did_you_mean

Severity = Literal["error", "warning", "info", "off"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule: its severity, and its limits by name."""

    severity: Severity
    says: str
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)


UNREADABLE = "unreadable"
RULES: Mapping[str, Rule] = {
    UNREADABLE: Rule(severity="error", says="the org could not be read"),
    "permission": Rule(severity="warning", says="the report lacks something for want of a permission"),
    "drift": Rule(severity="warning", says="the org or the store has not what the inventory declares"),
    "expired_range": Rule(severity="error", says="temporary access has expired, and its range is still there"),
    "wide_range": Rule(
        severity="warning",
        says="a range holds more addresses than a network of that prefix",
        limits={"ipv4_prefix": 16, "ipv6_prefix": 48},
    ),
    "duplicate_range": Rule(severity="warning", says="a range is there twice"),
    "overlapping_range": Rule(severity="warning", says="two ranges overlap"),
    "shared_range": Rule(severity="warning", says="a range holds addresses that many customers of a cloud share"),
    "private_range": Rule(severity="warning", says="a range holds addresses that are never seen on the internet"),
    "documentation_range": Rule(severity="warning", says="a range holds addresses that are for documentation only"),
    "unused_range": Rule(severity="info", says="no login came from a range for so many days", limits={"days": 90}),
    "ending_login": Rule(
        severity="warning", says="logins still go by a way that ends within so many days", limits={"days": 180}
    ),
    "password_login": Rule(
        severity="error", says="after this day there was a login by password through the API", limits={"after": None}
    ),
    "old_secret": Rule(
        severity="warning", says="a token, key or secret is older than so many days", limits={"days": 90}
    ),
    "refused_credential": Rule(severity="error", says="the last login with a stored credential was refused"),
    "outdated_consumer": Rule(severity="error", says="an application has not the current version of its credential"),
    "session_setting": Rule(
        severity="warning", says="a session setting has not the value that is required", limits={"require": None}
    ),
}
# The findings of the lint of ranges, by the rule that each is one of.
LINT_RULES = {
    "duplicate": "duplicate_range",
    "overlap": "overlapping_range",
    "wide": "wide_range",
    "private": "private_range",
    "documentation": "documentation_range",
    "shared": "shared_range",
    "unused": "unused_range",
}


def read_policy(given: Mapping[str, Any], option: str = "policy") -> dict[str, Rule]:
    """Return all rules, those that are given in place of the defaults; raises OptionError naming the rule."""
    rules = dict(RULES)
    for name, wanted in given.items():
        if name not in RULES:
            raise OptionError(option, f"there is no rule {name!r}{did_you_mean(str(name), RULES)}")
        rules[name] = _rule(RULES[name], wanted, f"{option}.{name}")
    return rules


def _rule(default: Rule, wanted: Any, where: str) -> Rule:
    """Return a rule with another severity, or with other limits too."""
    if wanted is False:  # what YAML makes of off
        wanted = "off"
    given = {"severity": wanted} if isinstance(wanted, str) else wanted
    if not isinstance(given, Mapping):
        raise OptionError(where, f"must be one of {', '.join(SEVERITIES)}, or a dictionary")
    given = {"severity": default.severity, **given}
    severity = "off" if given["severity"] is False else given["severity"]
    if severity not in SEVERITIES:
        raise OptionError(f"{where}.severity", f"must be one of {', '.join(SEVERITIES)}, not {severity!r}")
    limits = {name: value for name, value in given.items() if name != "severity"}
    for name, value in limits.items():
        if name not in default.limits:
            raise OptionError(f"{where}.{name}", "is no limit of this rule" + did_you_mean(str(name), default.limits))
        limits[name] = _LIMITS[name](value, f"{where}.{name}")
    return dataclasses.replace(default, severity=severity, limits={**default.limits, **limits})


def _number(lowest: int, highest: int) -> Any:
    def check(value: Any, where: str) -> int:
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or not lowest <= int(text) <= highest:
            raise OptionError(where, f"must be a number from {lowest} to {highest}, not {text[:50]!r}")
        return int(text)

    return check


def _day(value: Any, where: str) -> str | None:
    if value is None:
        return None
    try:
        return datetime.date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise OptionError(where, f"must be a day such as 2027-02-20, not {str(value)[:50]!r}") from None


def _settings(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(where, "must be a dictionary of session settings, such as {lockSessionsToDomain: true}")
    for name in value:
        if name not in SESSION_SETTINGS:
            known = ", ".join(SESSION_SETTINGS)
            raise OptionError(f"{where}.{name}", f"is none of the session settings that are read, which are {known}")
    return value


_LIMITS = {
    "days": _number(1, 3650),
    "ipv4_prefix": _number(0, 32),
    "ipv6_prefix": _number(0, 128),
    "after": _day,
    "require": _settings,
}
