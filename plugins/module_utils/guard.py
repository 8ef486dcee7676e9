# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before ranges are removed or a profile is restricted: whom would it strand? Private to gatehouse.salesforce."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Collection, Iterable, Iterator, Sequence

from .access import Access
from .errors import GatehouseError
from .login_history import USERS_SOQL, Login, Stranded, collect, logins_soql, stranded, with_users
from .org import Org
from .org.metadata import MetadataApi
from .range_lists import METADATA_NAMES, TrustedRanges
from .ranges import IpRange, RangePlan

MODES = ("fail", "warn", "off")
BATCH = 10  # what one readMetadata call accepts
SHOWN = 5


class LockOut(GatehouseError):
    """The change was not made, because of those whom it would strand."""

    def __init__(self, problem: str, at_risk: Iterable[Stranded] = ()) -> None:
        super().__init__(f"{problem}. Nothing was changed; the option guard decides about this")
        self.result = {"at_risk": [item.as_result() for item in at_risk]}


def trusted_at_risk(org: Org, change: RangePlan, days: int) -> list[Stranded]:
    """The logins of the last days that would need a token from now on."""
    if not change.removed:
        return []
    logins = [login for login in observed_logins(org, days) if login.needs_token]
    restricted = login_ranges_of(org, {login.profile for login in logins})
    before = {profile: Access(ranges, change.before) for profile, ranges in restricted.items()}
    after = {profile: Access(ranges, change.after) for profile, ranges in restricted.items()}
    return stranded(logins, before, after)


def login_at_risk(org: Org, change: RangePlan, profile_names: Collection[str], days: int) -> list[Stranded]:
    """The logins of the last days that the profile would deny from now on.

    Raises:
        LockOut: one of them would be the address from which Salesforce sees this very run.
    """
    if change.before and not change.removed:
        return []
    logins = [login for login in observed_logins(org, days) if login.profile in profile_names]
    trusted = TrustedRanges(org).read().ranges
    before, after = Access(change.before, trusted), Access(change.after, trusted)
    own = own_address(org, profile_names)
    if own is not None and after.login(own).result == "denied":
        raise LockOut(f"ranges: Salesforce sees this very run at {own}, which the profile would deny from now on")
    return stranded(logins, dict.fromkeys(profile_names, before), dict.fromkeys(profile_names, after))


def refuse(at_risk: Sequence[Stranded], days: int) -> None:
    """Raise LockOut when anybody is at risk."""
    if at_risk:
        raise LockOut(describe(at_risk, days), at_risk)


def describe(at_risk: Sequence[Stranded], days: int) -> str:
    """One sentence about those at risk; the whole list is in the result."""
    users = {item.login.username for item in at_risk}
    shown = "; ".join(
        f"{item.login.username} by {item.login.application} from {item.login.address}: "
        f"{'denied' if item.result == 'denied' else 'needs the security token'}"
        for item in at_risk[:SHOWN]
    )
    more = f"; and {len(at_risk) - SHOWN} more" if len(at_risk) > SHOWN else ""
    return f"{len(users)} users logged in within {days} days in ways that this would end ({shown}{more})"


def observed_logins(org: Org, days: int) -> list[Login]:
    """The successful logins of the last days. Without the permission to see all, Salesforce shows only one's own."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    collected = org.query(logins_soql(since), into=collect)
    return with_users(collected, org.query(USERS_SOQL))


def login_ranges_of(org: Org, profiles: Collection[str]) -> dict[str, tuple[IpRange, ...]]:
    """The login ranges of profiles by their labels; none for a profile that cannot be read."""
    by_name = {METADATA_NAMES.get(label, label): label for label in profiles if label}
    ranges: dict[str, tuple[IpRange, ...]] = dict.fromkeys(profiles, ())
    for names in _batches(sorted(by_name)):
        for record in org.metadata(functools.partial(MetadataApi.read_login_ranges, full_names=names)):
            ranges[by_name[record.full_name]] = record.ranges
    return ranges


def own_address(org: Org, profile_names: Collection[str]) -> str | None:
    """The address at which Salesforce saw the login of this run; None when its user has another profile."""
    if org.user_id is None:
        return None
    user = f"'{org.user_id}'"
    found = org.query(f"{USERS_SOQL} WHERE Id = {user}")
    if not found or (found[0].get("Profile") or {}).get("Name") not in profile_names:
        return None
    last = org.query(
        f"SELECT SourceIp FROM LoginHistory WHERE UserId = {user} ORDER BY LoginTime DESC LIMIT 1"  # noqa: S608
    )
    return next((row["SourceIp"] for row in last), None)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]
