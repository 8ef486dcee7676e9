# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before ranges are removed or a profile is restricted: whom would it strand?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..errors import GatehouseError, OptionError, OrgError
from ..org.client import Org
from ..ranges.model import IpRange
from ..ranges.plan import RangePlan, plan_ranges
from .login_history import HIDDEN, Login, Stranded, is_partial, observed_logins, own_address, own_profile, stranded
from .range_lists import TrustedRanges, login_ranges_of
from .rules import Access

MODES = ("fail", "warn", "off")
SHOWN = 5


class WouldStrandLogins(GatehouseError):
    """The change was not made, because of those whom it would strand."""

    def __init__(self, problem: str, at_risk: Iterable[Stranded] = ()) -> None:
        super().__init__(f"{problem}. Nothing was changed; the option guard decides about this")
        self.result = {"at_risk": [item.as_result() for item in at_risk]}


def trusted_at_risk(org: Org, change: RangePlan, days: int) -> list[Stranded]:
    """The logins of the last days that would need a token from now on."""
    if not change.removed:
        return []
    logins = [login for login in _guarded_logins(org, days) if login.needs_token]
    login_ranges = login_ranges_of(org, {login.profile for login in logins})
    return stranded_by(logins, login_ranges, trusted=change, profiles={})


def login_at_risk(org: Org, change: RangePlan, profile_names: Collection[str], days: int) -> list[Stranded]:
    """The logins of the last days that the profile would deny from now on.

    Raises:
        WouldStrandLogins: one of them would be the address from which Salesforce sees this very run.
        OptionError: the org does not tell whose logins to look at.
    """
    if change.before and not change.removed:
        return []
    refuse_own_denial(org, change, profile_names)
    # Where the org does not tell a user's profile, it may be this one.
    names = {*profile_names, ""}
    logins = [login for login in _guarded_logins(org, days) if login.profile in names]
    if not any(login.profile for login in logins):
        _require_label(org, profile_names)
    trusted = unchanged(TrustedRanges(org).read().ranges)
    found = stranded_by(logins, {}, trusted=trusted, profiles=dict.fromkeys(names, change))
    if org.user_id is None and any(item.result == "denied" for item in found):
        raise WouldStrandLogins(
            f"ranges: the session does not tell whose it is, and one of these may be: {describe(found, days)}", found
        )
    return found


def unchanged(ranges: Iterable[IpRange]) -> RangePlan:
    """The plan that leaves a list as it is."""
    return plan_ranges(ranges, (), "present")


def stranded_by(
    logins: Iterable[Login],
    login_ranges: Mapping[str, tuple[IpRange, ...]],
    *,
    trusted: RangePlan,
    profiles: Mapping[str, RangePlan],
) -> list[Stranded]:
    """Those of the logins that changes would strand.

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
    """The rules of each profile. Those without login ranges share theirs, as an org may trust thousands of ranges."""
    unrestricted = Access((), trusted)
    return {label: Access(ranges, ()) if ranges else unrestricted for label, ranges in login_ranges.items()}


def refuse(at_risk: Sequence[Stranded], days: int) -> None:
    """Raise WouldStrandLogins when anybody is at risk."""
    if at_risk:
        raise WouldStrandLogins(describe(at_risk, days), at_risk)


def describe(at_risk: Sequence[Stranded], days: int) -> str:
    """One sentence about those at risk; the whole list is in the result."""
    users = len({item.login.username for item in at_risk})
    shown = "; ".join(
        f"{item.login.username} by {item.login.application} from {item.login.address}: "
        f"{'denied' if item.result == 'denied' else 'needs the security token'}"
        for item in at_risk[:SHOWN]
    )
    more = f"; and {len(at_risk) - SHOWN} more" if len(at_risk) > SHOWN else ""
    who = "1 user" if users == 1 else f"{users} users"
    return f"{who} logged in within {days} days in ways that this would end ({shown}{more})"


def _guarded_logins(org: Org, days: int) -> list[Login]:
    try:
        logins = observed_logins(org, days, option="guard_days")
        if is_partial(org, logins, days, option="guard_days"):
            raise OrgError(HIDDEN, cause="not_approved")
    except OrgError as exc:
        problem = f"guard: whom this change would strand cannot be told ({exc}). Nothing was changed"
        raise OrgError(problem, cause=exc.cause) from exc
    return logins


def refuse_own_denial(org: Org, change: RangePlan, profile_names: Collection[str]) -> None:
    """Raise WouldStrandLogins when this very run's user has the profile, and would be denied from now on."""
    if own_profile(org) not in profile_names:
        return
    address = own_address(org)
    if address is None:
        raise WouldStrandLogins(
            "ranges: the login history does not tell from where this very run comes, so it might be denied"
        )
    if Access(change.after, ()).login(address).result == "denied":
        raise WouldStrandLogins(
            f"ranges: Salesforce sees this very run at {address}, which the profile would deny from now on"
        )


def _require_label(org: Org, profile_names: Collection[str]) -> None:
    """Nobody's login was found: make sure that this is not for want of the label, by which users name their profile."""
    if not any(row["Name"] in profile_names for row in org.query("SELECT Name FROM Profile")):
        raise OptionError(
            "profile",
            f"the org tells no profile of the label {' or '.join(sorted(profile_names))}, so guard cannot find the "
            "logins of its users. Nothing was changed",
        )
