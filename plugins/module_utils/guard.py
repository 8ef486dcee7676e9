# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before ranges are removed or a profile is restricted: whom would it strand? Private to gatehouse.salesforce."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence

from .access import Access
from .errors import GatehouseError, OptionError, OrgError
from .login_history import (
    USERS_SOQL,
    Login,
    Stranded,
    address_of,
    collect,
    last_users_soql,
    logins_soql,
    stranded,
    users_among,
    with_users,
)
from .org import Org
from .org.metadata import METADATA_NAMES, MetadataApi, ReadRanges
from .range_lists import TrustedRanges
from .ranges import IpRange, RangePlan, plan

MODES = ("fail", "warn", "off")
BATCH = 10  # what one readMetadata call accepts
SHOWN = 5
HIDDEN = (
    "the login history shows one user at most, though others logged in; Salesforce shows their logins only to users "
    "with the permission Manage Users or Monitor Login History"
)
RECENT = 50  # among so many last logins this run's own is looked for, as refused ones may have come after it


class LockOut(GatehouseError):
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
        LockOut: one of them would be the address from which Salesforce sees this very run.
        OptionError: the org does not tell whose logins to look at.
    """
    if change.before and not change.removed:
        return []
    refuse_own(org, change, profile_names)
    # Where the org does not tell a user's profile, it may be this one.
    names = {*profile_names, ""}
    logins = [login for login in _guarded_logins(org, days) if login.profile in names]
    if not any(login.profile for login in logins):
        _require_label(org, profile_names)
    trusted = unchanged(TrustedRanges(org).read().ranges)
    found = stranded_by(logins, {}, trusted=trusted, profiles=dict.fromkeys(names, change))
    if org.user_id is None and any(item.result == "denied" for item in found):
        raise LockOut(
            f"ranges: the session does not tell whose it is, and one of these may be: {describe(found, days)}", found
        )
    return found


def unchanged(ranges: Iterable[IpRange]) -> RangePlan:
    """The plan that leaves a list as it is."""
    return plan(ranges, (), "present")


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
    """Raise LockOut when anybody is at risk."""
    if at_risk:
        raise LockOut(describe(at_risk, days), at_risk)


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


def observed_logins(org: Org, days: int, *, option: str = "days") -> list[Login]:
    """The successful logins of the last days. Without the permission to see all, Salesforce shows only one's own."""
    collected = org.query(logins_soql(days, option=option), into=collect)
    wanted = {way.user_id for way in collected}
    return with_users(collected, org.query(USERS_SOQL, into=functools.partial(users_among, wanted=wanted)))


def login_ranges_of(org: Org, profiles: Collection[str]) -> dict[str, tuple[IpRange, ...]]:
    """The login ranges of profiles by their labels; none for a profile that cannot be read."""
    by_name = {METADATA_NAMES.get(label, label): label for label in profiles if label}
    ranges: dict[str, tuple[IpRange, ...]] = dict.fromkeys(profiles, ())
    names = sorted(by_name)
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        for record in org.metadata(functools.partial(_read_login_ranges, batch)):
            if record.full_name in by_name:
                ranges[by_name[record.full_name]] = record.ranges
    return ranges


def _read_login_ranges(names: Sequence[str], api: MetadataApi) -> list[ReadRanges]:
    return api.read_login_ranges(names)


def own_address(org: Org) -> str | None:
    """The address at which Salesforce saw the last login of this run's user; None where it does not tell.

    Of a session that was opened elsewhere, or by a user who logs in from many places, this may be another one's.
    """
    if org.user_id is None:
        return None
    last = org.query(
        f"SELECT SourceIp, Status FROM LoginHistory WHERE UserId = '{org.user_id}' "  # noqa: S608 - an id of the org
        f"ORDER BY LoginTime DESC LIMIT {RECENT}"
    )
    return next((address for row in last if (address := address_of(row))), None)


def own_profile(org: Org) -> str | None:
    """The label of the profile of this run's user."""
    if org.user_id is None:
        return None
    found = org.query(f"{USERS_SOQL} WHERE Id = '{org.user_id}'")
    return next((user.profile for user in users_among(found, {org.user_id}).values()), None)


def hides_others(org: Org, logins: Collection[Login], days: int, *, option: str = "days") -> bool:
    """Whether the history lacks logins that there were: it shows one user at most, and the org tells of another."""
    shown = {login.user_id for login in logins}
    return len(shown) <= 1 and any(row["Id"] not in shown for row in org.query(last_users_soql(days, option=option)))


def _guarded_logins(org: Org, days: int) -> list[Login]:
    try:
        logins = observed_logins(org, days, option="guard_days")
        if hides_others(org, logins, days, option="guard_days"):
            raise OrgError(HIDDEN, cause="not_approved")
    except OrgError as exc:
        problem = f"guard: whom this change would strand cannot be told ({exc}). Nothing was changed"
        raise OrgError(problem, cause=exc.cause) from exc
    return logins


def refuse_own(org: Org, change: RangePlan, profile_names: Collection[str]) -> None:
    """Raise LockOut when this very run's user has the profile, and would be denied from now on."""
    if own_profile(org) not in profile_names:
        return
    address = own_address(org)
    if address is None:
        raise LockOut("ranges: the login history does not tell from where this very run comes, so it might be denied")
    if Access(change.after, ()).login(address).result == "denied":
        raise LockOut(f"ranges: Salesforce sees this very run at {address}, which the profile would deny from now on")


def _require_label(org: Org, profile_names: Collection[str]) -> None:
    """Nobody's login was found: make sure that this is not for want of the label, by which users name their profile."""
    if not any(row["Name"] in profile_names for row in org.query("SELECT Name FROM Profile")):
        raise OptionError(
            "profile",
            f"the org tells no profile of the label {' or '.join(sorted(profile_names))}, so guard cannot find the "
            "logins of its users. Nothing was changed",
        )
