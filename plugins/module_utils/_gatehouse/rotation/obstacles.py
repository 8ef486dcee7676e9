# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a new token, each with what to do."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

from ..access.range_lists import login_ranges_of
from ..errors import LoginError, NoResponseError, OrgError
from ..org.client import Org
from ..org.queries import User, find_user, permission_givers
from ..org.token_reset import T

_LIFETIME = datetime.timedelta(days=1)


def rotation_obstacles(org: Org, username: str, method: str = "reset") -> list[str]:
    """Return why the user cannot get a new token by C(reset) or C(password), each with the way out. Nothing is changed.

    What the session's user may not see is not known, and so no obstacle.
    """
    user = _if_allowed(lambda: find_user(org, username))
    if method == "password":
        return list(_password_obstacles(org, username, user))
    return [*_range_obstacles(org, username, user), *_permission_obstacles(org, username)]


def _range_obstacles(org: Org, username: str, user: User | None) -> Iterator[str]:
    profile = user.profile if user else ""
    if not profile:
        return
    ranges = _if_allowed(lambda: login_ranges_of(org, {profile}))
    if ranges and ranges[profile]:
        yield (
            f"the profile {profile} of {username} has login IP ranges, so Salesforce lets nobody reset a token there. "
            "Within the ranges no token is needed; store the credential without one. Or let a person remove the "
            f"ranges in Setup > Profiles > {profile} > Login IP Ranges, as the API cannot remove the last one, reset "
            "the token, and put the ranges back. Or move to OAuth, which needs no token"
        )


def _permission_obstacles(org: Org, username: str) -> Iterator[str]:
    only = _given_by(org, username, "ApiUserOnly")
    if only:
        yield (
            f"{username} has the permission API Only User ({only}), which keeps it from the page that resets a token. "
            "Take it away for the reset and give it back; or use method password, if the token was reset once before, "
            "as only then its mail comes; or move to OAuth, which needs no token"
        )
    codes = _given_by(org, username, "TwoFactorApi")
    if codes:
        yield (
            f"{username} has the permission MFA for API Logins ({codes}), so Salesforce takes a one-time code in place "
            "of the token. Take the permission away; or move to OAuth, which needs no token"
        )


def _password_obstacles(org: Org, username: str, user: User | None) -> Iterator[str]:
    """Find a policy that makes a password last a day."""
    try:
        changed = datetime.datetime.fromisoformat(str(user.password_changed if user else None))
    except ValueError:
        return
    until = changed.astimezone(datetime.UTC) + _LIFETIME
    if until <= datetime.datetime.now(datetime.UTC):
        return
    policies = _if_allowed(lambda: org.metadata(lambda api: api.read_password_policies()))
    if policies and policies.get("minimumPasswordLifetime") == "true":
        yield (
            f"the password of {username} was changed less than a day ago, and the org's policy asks it to last that "
            f"long; try again after {until:%Y-%m-%dT%H:%M:%SZ}"
        )


def _given_by(org: Org, username: str, permission: str) -> str:
    """Return what gives a permission to the user; empty where nothing does, or it is not shown."""
    return ", ".join(_if_allowed(lambda: permission_givers(org, username, permission)) or ())


def _if_allowed(read: Callable[[], T]) -> T | None:
    """Read something; None where this user may not read it."""
    try:
        return read()
    except (NoResponseError, LoginError):
        raise
    except OrgError:
        return None
