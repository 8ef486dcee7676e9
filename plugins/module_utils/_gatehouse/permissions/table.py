# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of permissions by task, out of which README, permission sets and the check are made. Pure.

Sources: Salesforce's Security Guide, Metadata API guide and help; the labels and names are those of the object
PermissionSet.
After a change: python -m tools.permission_sets.
"""

from __future__ import annotations

import dataclasses

LABELS = {
    "ApiEnabled": "API Enabled",
    "ApiUserOnly": "API Only User",
    "AssignPermissionSets": "Assign Permission Sets",
    "ManageIpAddresses": "Manage IP Addresses",
    "ManageProfilesPermissionsets": "Manage Profiles and Permission Sets",
    "ManageUsers": "Manage Users",
    "ModifyAllData": "Modify All Data",
    "ModifyMetadata": "Modify Metadata Through Metadata API Functions",
    "MonitorLoginHistory": "Monitor Login History",
    "ResetPasswords": "Reset User Passwords and Unlock Users",
    "TwoFactorApi": "MFA for API Logins",
    "UseAnyApiAuth": "Use Any API Auth",
    "ViewSetup": "View Setup and Configuration",
}

# Without which an org does not take the others (REPORTED, from the tooltips of Setup).
REQUIRED = {"ModifyMetadata": ("ViewSetup",), "ResetPasswords": ("ViewSetup",)}


@dataclasses.dataclass(frozen=True)
class Need:
    """What a task needs.

    Attributes:
        permissions: any one of these; the first is the one to give.
        when: in which case, in words; empty if always. Then it is not known here whether the task needs it.
    """

    permissions: tuple[str, ...]
    when: str = ""

    @property
    def text(self) -> str:
        """The labels."""
        return " or ".join(LABELS[name] for name in self.permissions)


@dataclasses.dataclass(frozen=True)
class Purpose:
    """One task.

    Attributes:
        text: what is done, as the README writes it.
        excludes: permissions that are in the way.
        unless: what else is in the way, in words.
    """

    text: str
    needs: tuple[Need, ...] = ()
    excludes: tuple[str, ...] = ()
    unless: str = ""


@dataclasses.dataclass(frozen=True)
class SetOfNeeds:
    """A permission set that this collection brings along: what its users are for, and which tasks it is for."""

    label: str
    description: str
    tasks: tuple[str, ...]

    @property
    def permissions(self) -> list[str]:
        """The names of the permissions, sorted, with those that others require."""
        wanted = {need.permissions[0] for task in self.tasks for need in TASKS[task].needs}
        return sorted(wanted.union(*(REQUIRED[name] for name in wanted if name in REQUIRED)))


_API = Need(("ApiEnabled",))
_METADATA = Need(("ModifyMetadata", "ModifyAllData"))
_PROFILES = ("ManageProfilesPermissionsets",)
_ASSIGN = (
    Need(_PROFILES),
    Need(("AssignPermissionSets",)),
    Need(("ViewSetup",), "where the org shows assignments only with it"),
)

TASKS = {
    "token_login": Purpose(
        "log in by security token",
        (_API, Need(("UseAnyApiAuth",), "in orgs that are new since Summer '26")),
        excludes=("TwoFactorApi",),
    ),
    "oauth_login": Purpose("log in by OAuth", (_API,)),
    "ip_ranges": Purpose(
        "read and change IP ranges",
        (
            _API,
            _METADATA,
            Need(("ViewSetup",), "in Setup"),
            Need(("ManageIpAddresses",), "in Setup"),
            Need(_PROFILES, "in Setup"),
        ),
    ),
    "login_history": Purpose(
        "let the guard, `login_history_info`, `report` and diagnoses see the logins of others",
        (_API, Need(("MonitorLoginHistory", "ManageUsers"))),
    ),
    "security_token": Purpose(
        "rotate the security token",
        excludes=("ApiUserOnly", "TwoFactorApi"),
        unless="login IP ranges in the profile",
    ),
    "password_login": Purpose("`password_login`", (_API, Need(("ResetPasswords", "ManageUsers")))),
    "external_client_app": Purpose("`external_client_app`, `oauth_key`, `move_to_oauth`", (_API, _METADATA, *_ASSIGN)),
    "permission_set": Purpose("`permission_set`", (_API, _METADATA, *_ASSIGN)),
}

SETS = {
    "Gatehouse_Administrator": SetOfNeeds(
        "Gatehouse Administrator",
        "For the user with whom Ansible manages access to this org. Part of gatehouse.salesforce.",
        ("oauth_login", "ip_ranges", "login_history", "password_login", "external_client_app", "permission_set"),
    ),
    "Gatehouse_Integration": SetOfNeeds(
        "Gatehouse Integration",
        "For users as whom applications log in by OAuth. Part of gatehouse.salesforce.",
        ("oauth_login",),
    ),
    "Gatehouse_Token_Login": SetOfNeeds(
        "Gatehouse Token Login",
        "For users who log in by security token. Part of gatehouse.salesforce.",
        ("token_login",),
    ),
}
