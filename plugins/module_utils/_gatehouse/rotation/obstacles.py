# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a new token, each with what to do."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import LoginError, NoResponseError, OrgError
from ..org.client import Org
from ..org.metadata import METADATA_NAMES
from ..org.token_reset import T

_LIFETIME = datetime.timedelta(days=1)


def rotation_obstacles(org: Org, username: str, method: str = "reset") -> list[str]:
    """Why the user cannot get a new token by C(reset) or C(password), each with the way out. Nothing is changed.

    What the session's user may not see is not known, and so no obstacle.
    """
    user = _user(org, username)
    if method == "password":
        return list(_password_obstacles(org, username, user))
    return [*_range_obstacles(org, username, user), *_permission_obstacles(org, username)]


def _range_obstacles(org: Org, username: str, user: Mapping[str, Any]) -> Iterator[str]:
    profile = str((user.get("Profile") or {}).get("Name") or "")
    if not profile:
        return
    names = tuple(dict.fromkeys((METADATA_NAMES.get(profile, profile), profile)))
    found = _if_allowed(lambda: org.metadata(lambda api: api.read_login_ranges(names)))
    if any(one.ranges for one in found or ()):
        yield (
            f"the profile {profile} of {username} has login IP ranges, so Salesforce lets nobody reset a token there. "
            "Within the ranges no token is needed; store the credential without one. Or let a person remove the "
            f"ranges in Setup > Profiles > {profile} > Login IP Ranges, as the API cannot remove the last one, reset "
            "the token, and put the ranges back. Or move to OAuth, which needs no token"
        )


def _permission_obstacles(org: Org, username: str) -> Iterator[str]:
    only = _granted_by(org, username, "ApiUserOnly")
    if only:
        yield (
            f"{username} has the permission API Only User ({only}), which keeps it from the page that resets a token. "
            "Take it away for the reset and give it back; or use method password, if the token was reset once before, "
            "as only then its mail comes; or move to OAuth, which needs no token"
        )
    codes = _granted_by(org, username, "TwoFactorApi")
    if codes:
        yield (
            f"{username} has the permission MFA for API Logins ({codes}), so Salesforce takes a one-time code in place "
            "of the token. Take the permission away; or move to OAuth, which needs no token"
        )


def _password_obstacles(org: Org, username: str, user: Mapping[str, Any]) -> Iterator[str]:
    """The policy may ask a password to last a day."""
    try:
        changed = datetime.datetime.fromisoformat(str(user.get("LastPasswordChangeDate")))
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


def _user(org: Org, username: str) -> Mapping[str, Any]:
    fields = "Profile.Name, LastPasswordChangeDate"
    soql = f"SELECT {fields} FROM User WHERE Username = '{_quoted(username)}'"  # noqa: S608 - quoted
    rows = _if_allowed(lambda: org.query(soql))
    return rows[0] if rows else {}


def _granted_by(org: Org, username: str, permission: str) -> str:
    """The profile and permission sets that give a permission to the user; empty where none does, or none is shown."""
    soql = (
        "SELECT PermissionSet.Label, PermissionSet.IsOwnedByProfile, PermissionSet.Profile.Name "  # noqa: S608 - quoted
        f"FROM PermissionSetAssignment WHERE Assignee.Username = '{_quoted(username)}' "
        f"AND PermissionSet.Permissions{permission} = true"
    )
    rows = _if_allowed(lambda: org.query(soql))
    return ", ".join(dict.fromkeys(_giver(row.get("PermissionSet") or {}) for row in rows or ()))


def _giver(permission_set: Mapping[str, Any]) -> str:
    if permission_set.get("IsOwnedByProfile"):
        return f"by the profile {(permission_set.get('Profile') or {}).get('Name')}"
    return f"by the permission set {permission_set.get('Label')}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _if_allowed(read: Callable[[], T]) -> T | None:
    """What is read; None where this user may not read it."""
    try:
        return read()
    except (NoResponseError, LoginError):
        raise
    except OrgError:
        return None
