# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the logins that a change of ranges would strand, before it is made."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from ..errors import GatehouseError, OptionError, OrgError
from ..org.client import Org
from ..ranges.model import IpRange
from ..ranges.plan import RangePlan, plan_ranges
from ..ranges.temporary_access import expiry, has_expired
from .login_history import HIDDEN, Login, Stranded, is_partial, observed_logins, own_address, own_profile, stranded
from .range_lists import LoginRanges, TrustedRanges, login_ranges_of
from .rules import Access

MODES = ("fail", "warn", "off")
SHOWN = 5
Target: TypeAlias = TrustedRanges | LoginRanges


class WouldStrandLogins(GatehouseError):
    """A change was refused because of the logins that it would strand."""

    def __init__(self, problem: str, at_risk: Iterable[Stranded] = ()) -> None:
        super().__init__(f"{problem}. This change was not made; the option guard decides about this")
        self.result = {"at_risk": [item.as_result() for item in at_risk]}


class Guard:
    """Looks at each change of one list before it is made.

    Attributes:
        at_risk: the logins that the changes would strand, each once.
    """

    def __init__(self, org: Org, target: Target, mode: str, days: int) -> None:
        """Guard a list.

        Args:
            mode: one of C(MODES); C(off) does not look.
            days: how many days of login history to look at.
        """
        self._org = org
        self._target = target
        self._mode = mode
        self._days = days
        self.at_risk: list[Stranded] = []

    def review(self, change: RangePlan) -> None:
        """Note whom a change would strand; raises WouldStrandLogins for it with mode C(fail)."""
        if self._mode == "off":
            return
        found = self._stranded(change)
        self.at_risk += [item for item in found if item not in self.at_risk]
        if self._mode == "fail":
            refuse(found, self._days)

    def _stranded(self, change: RangePlan) -> list[Stranded]:
        """Return the logins that a change would strand.

        Temporary access that has expired strands nobody. When it is closed before, its own user means it: others count.
        """
        target = self._target
        temporary = [item for item in change.removed if expiry(item) is not None]
        lasting = _without(change, temporary)
        if isinstance(target, LoginRanges) and change.before and not lasting.before:
            refuse_own_denial(self._org, lasting, target)
            found = []  # without temporary access everybody was denied before, too
        else:
            found = self._stranded_by_lasting(lasting)
        now = datetime.datetime.now(datetime.UTC)
        still_open = tuple(item for item in temporary if not has_expired(item, now))
        if still_open:
            closing = RangePlan((*change.after, *still_open), change.after, (), still_open, ())
            found += [item for item in self._others_stranded(closing) if item not in found]
        return found

    def _stranded_by_lasting(self, change: RangePlan) -> list[Stranded]:
        if isinstance(self._target, LoginRanges):
            return login_at_risk(self._org, change, self._target, self._days)
        return trusted_at_risk(self._org, change, self._days)

    def _others_stranded(self, change: RangePlan) -> list[Stranded]:
        """Return the logins that a change would strand, but those of this run's own user."""
        if isinstance(self._target, LoginRanges):
            names = self._target.names
            logins = observed_logins(self._org, self._days, option="guard_days")
            users = [login for login in logins if login.profile in names]
            found = stranded_by(users, {}, trusted=unchanged(()), profiles=dict.fromkeys(names, change))
        else:
            found = trusted_at_risk(self._org, change, self._days)
        own = (self._org.user_id or "")[:15]
        return [item for item in found if item.login.user_id[:15] != own]


def _without(change: RangePlan, temporary: Collection[IpRange]) -> RangePlan:
    """Return the change for those who never had this temporary access."""
    keys = {item.key for item in temporary}
    return dataclasses.replace(
        change,
        before=tuple(item for item in change.before if item.key not in keys),
        removed=tuple(item for item in change.removed if item.key not in keys),
    )


def trusted_at_risk(org: Org, change: RangePlan, days: int) -> list[Stranded]:
    """Return the logins of the last days that would need a token from now on."""
    if not change.removed:
        return []
    logins = [login for login in _guarded_logins(org, days) if login.needs_token]
    login_ranges = login_ranges_of(org, {login.profile for login in logins})
    return stranded_by(logins, login_ranges, trusted=change, profiles={})


def login_at_risk(org: Org, change: RangePlan, target: LoginRanges, days: int) -> list[Stranded]:
    """Return the logins of the last days that the profile would deny from now on.

    Raises:
        WouldStrandLogins: one of them would be from the address at which Salesforce sees this very run.
        OptionError: the org does not say whose logins to look at.
    """
    if change.before and not change.removed:
        return []
    refuse_own_denial(org, change, target)
    # Where the org does not return a user's profile, it may be this one.
    names = {*target.names, ""}
    logins = [login for login in _guarded_logins(org, days) if login.profile in names]
    if not any(login.profile for login in logins) and target.label is None:
        raise OptionError(
            "profile",
            f"the org shows no label of the profile {' or '.join(sorted(target.names))}, so guard cannot find the "
            "logins of its users. This change was not made",
        )
    trusted = unchanged(TrustedRanges(org).read().ranges)
    at_risk = stranded_by(logins, {}, trusted=trusted, profiles=dict.fromkeys(names, change))
    if org.user_id is None and any(item.result == "denied" for item in at_risk):
        raise WouldStrandLogins(
            "ranges: the org does not say whose session this is, and one of these may be its. "
            f"{describe(at_risk, days)}",
            at_risk,
        )
    return at_risk


def unchanged(ranges: Iterable[IpRange]) -> RangePlan:
    """Return the plan that leaves a list as it is."""
    return plan_ranges(ranges, (), "present")


def stranded_by(
    logins: Iterable[Login],
    login_ranges: Mapping[str, tuple[IpRange, ...]],
    *,
    trusted: RangePlan,
    profiles: Mapping[str, RangePlan],
) -> list[Stranded]:
    """Return those of the logins that changes would strand.

    Args:
        login_ranges: the present login ranges by the label of the profile.
        trusted: the change of the trusted ranges, or a plan that changes nothing.
        profiles: the changes of login ranges by the label of the profile.
    """
    before = {label: change.before for label, change in profiles.items()}
    after = {label: change.after for label, change in profiles.items()}
    return stranded(
        logins,
        _access_by_profile({**login_ranges, **before}, trusted.before),
        _access_by_profile({**login_ranges, **after}, trusted.after),
    )


def _access_by_profile(login_ranges: Mapping[str, Iterable[IpRange]], trusted: Iterable[IpRange]) -> dict[str, Access]:
    """Return the rules of each profile. Those without login ranges share theirs: an org may trust thousands."""
    unrestricted = Access((), trusted)
    return {label: Access(ranges, ()) if ranges else unrestricted for label, ranges in login_ranges.items()}


def refuse(at_risk: Sequence[Stranded], days: int) -> None:
    """Raise WouldStrandLogins when anybody is at risk."""
    if at_risk:
        raise WouldStrandLogins(describe(at_risk, days), at_risk)


def describe(at_risk: Sequence[Stranded], days: int) -> str:
    """Return one sentence about those at risk; the whole list is in the result."""
    users = len({item.login.username for item in at_risk})
    shown = "; ".join(
        f"{item.login.username} by {item.login.shown_application} from {item.login.address}: "
        f"{'denied' if item.result == 'denied' else 'needs the security token'}"
        for item in at_risk[:SHOWN]
    )
    more = f"; and {len(at_risk) - SHOWN} more" if len(at_risk) > SHOWN else ""
    who = "1 user" if users == 1 else f"{users} users"
    period = "day" if days == 1 else f"{days} days"
    return f"This would stop logins that {who} made in the last {period} ({shown}{more})"


def _guarded_logins(org: Org, days: int) -> list[Login]:
    try:
        logins = observed_logins(org, days, option="guard_days")
        if is_partial(org, logins, days, option="guard_days"):
            raise OrgError(HIDDEN, cause="not_approved")
    except OrgError as exc:
        problem = f"guard: cannot find out whom this change would strand ({exc}). This change was not made"
        raise OrgError(problem, cause=exc.cause) from exc
    return logins


def refuse_own_denial(org: Org, change: RangePlan, target: LoginRanges) -> None:
    """Raise WouldStrandLogins when this very run's user has the profile, and would be denied from now on."""
    if own_profile(org) not in target.names:
        return
    address = own_address(org)
    if address is None:
        raise WouldStrandLogins(
            "ranges: cannot find this run's address in the login history, so the change might lock it out"
        )
    if Access(change.after, ()).login(address).result == "denied":
        raise WouldStrandLogins(
            f"ranges: Salesforce sees this very run at {address}, which the profile would deny from now on"
        )
