# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An External Client App as declared and as read. Pure.

An app is five metadata components. A mark at the end of its description says that this collection made it, as does one
in the description of its permission set. The mark also names the certificate, which not every org shows when read, and
since when one is valid that a rotation has put there.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from typing import Any

from .certificate import Certificate, parse_certificate

APP = "ExternalClientApplication"
OAUTH = "ExtlClntAppOauthSettings"
GLOBAL = "ExtlClntAppGlobalOauthSettings"
OAUTH_POLICY = "ExtlClntAppOauthConfigurablePolicies"
POLICY = "ExtlClntAppConfigurablePolicies"
KINDS = (APP, OAUTH, GLOBAL, OAUTH_POLICY, POLICY)
PARENT = "externalClientApplication"
# Names of scopes: OAuth's and the metadata's.
SCOPES = {"api": "Api", "refresh_token": "RefreshToken"}
IP_RELAXATION = {
    "enforce": "Enforce",
    "relax_refresh": "Enforce_RelaxRefresh",
    "bypass_with_second_factor": "Bypass_2factor",
    "bypass": "Bypass",
}
FLOWS = ("jwt_bearer", "client_credentials")
# Where a browser would be sent by a flow that is not used here: a page of Salesforce that does nothing.
CALLBACK_URL = "https://login.salesforce.com/services/oauth2/success"
_MARK = re.compile(
    r"\s*\[gatehouse\.salesforce(?: ([0-9a-f]{16})(?: from (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?)?( retired)?\]\s*$"
)
SET_DESCRIPTION = "Who may log in through the app {}. Made by gatehouse.salesforce, and removed with the app."


@dataclasses.dataclass(frozen=True)
class Component:
    """One metadata component.

    Attributes:
        values: the elements that hold text, by name.
        nested: those that hold others, by name, as XML; several of one name follow each other.
    """

    kind: str
    name: str
    values: Mapping[str, str]
    nested: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def changed(self, values: Mapping[str, str | None]) -> Component:
        """Return the component with some values replaced, and without those that are None."""
        merged = {name: value for name, value in {**self.values, **values}.items() if value is not None}
        return dataclasses.replace(self, values=merged)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PermissionSet:
    """The permission set that opens an app to its users.

    Attributes:
        id: None while there is none.
        made: whether this collection made it for the app, so that it may be removed.
        users: the user names of those who have it, and the ids of their assignments.
        opens: whether a record opens the app to it.
    """

    name: str
    id: str | None = None
    made: bool = True
    users: Mapping[str, str] = dataclasses.field(default_factory=dict)
    opens: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeclaredApp:
    """An app as a task declares it; what is None is kept as it is.

    Attributes:
        flows: among FLOWS.
        scopes: among SCOPES.
        ip_relaxation: one of IP_RELAXATION.
        proven: whether its key has logged in already, so that an app with a certificate keeps that.
        run_as: the user of client_credentials.
        users: user names of all who may log in through the app.
    """

    name: str
    label: str | None
    contact_email: str | None
    description: str | None
    flows: tuple[str, ...]
    certificate: Certificate | None
    scopes: tuple[str, ...]
    ip_relaxation: str
    permission_set: str
    users: tuple[str, ...]
    run_as: str | None
    proven: bool = False

    @property
    def members(self) -> tuple[str, ...]:
        """All users whom the permission set is assigned to: an app that runs as a user needs it as well."""
        return tuple(sorted({*self.users, *([self.run_as] if self.run_as else [])}, key=str.lower))


@dataclasses.dataclass(frozen=True, kw_only=True)
class App:
    """An app of an org, as it is or as it would be; without components when there is none."""

    name: str
    components: Mapping[str, Component]
    permission_set: PermissionSet

    def value(self, kind: str, name: str) -> str:
        """Return the text of an element; empty where there is none."""
        found = self.components.get(kind)
        return found.values.get(name, "") if found else ""

    @property
    def exists(self) -> bool:
        """Whether the org has it."""
        return APP in self.components

    @property
    def made(self) -> bool:
        """Whether this collection made the app."""
        return _MARK.search(self.value(APP, "description")) is not None

    @property
    def description(self) -> str:
        """The description without the mark."""
        return _MARK.sub("", self.value(APP, "description"))

    @property
    def enabled(self) -> bool:
        """Whether logins through the app are possible at all."""
        return self.value(POLICY, "isEnabled") != "false" and self.value(POLICY, "isOauthPluginEnabled") != "false"

    @property
    def consumer_key(self) -> str | None:
        """The consumer key, where the app was read."""
        return self.value(GLOBAL, "consumerKey") or None

    @property
    def certificate(self) -> Certificate | None:
        """The certificate, where there is one and the org shows it."""
        found = parse_certificate(self.value(GLOBAL, "certificate"))
        return found[0] if found else None

    @property
    def marked_certificate(self) -> str | None:
        """The beginning of the fingerprint of the certificate that was sent last, by the mark."""
        found = _MARK.search(self.value(APP, "description"))
        return found[1] if found else None

    @property
    def rotated(self) -> datetime.datetime | None:
        """When the certificate begins, UTC, if a rotation has put it there."""
        found = _MARK.search(self.value(APP, "description"))
        return datetime.datetime.fromisoformat(found[2]) if found and found[2] else None

    @property
    def retired(self) -> bool:
        """Whether a rotation has switched it off, as its key is an old one."""
        found = _MARK.search(self.value(APP, "description"))
        return bool(found and found[3]) and not self.enabled

    @property
    def flows(self) -> list[str]:
        """The flows of FLOWS that are open, as far as that can be read."""
        open_flows = {
            "jwt_bearer": bool(self.value(GLOBAL, "certificate") or self.marked_certificate),
            "client_credentials": self.value(GLOBAL, "isClientCredentialsFlowEnabled")
            == self.value(OAUTH_POLICY, "isClientCredentialsFlowEnabled")
            == "true",
        }
        return [flow for flow in FLOWS if open_flows[flow]]

    def with_certificate(self, pem: str) -> App:
        """Return the app with the certificate that it has by its mark, where the org does not show it."""
        components = dict(self.components)
        components[GLOBAL] = components[GLOBAL].changed({"certificate": pem})
        return dataclasses.replace(self, components=components)

    def summary(self) -> dict[str, Any]:
        """Return the app as it is shown, returned and compared, in one notation; nothing in it is secret."""
        if not self.exists:
            left = self.permission_set.id and self.permission_set.made
            return {"permission_set": self.permission_set.name} if left else {}
        certificate = self.certificate
        relaxation = self.value(OAUTH_POLICY, "ipRelaxationPolicyType") or "Enforce"
        return {
            "name": self.name,
            "label": self.value(APP, "label"),
            "contact_email": self.value(APP, "contactEmail"),
            "description": self.description,
            "made_by_gatehouse": self.made,
            "enabled": self.enabled,
            "flows": self.flows,
            "certificate": certificate.fingerprint if certificate else self.marked_certificate,
            "scopes": _scopes(self.value(OAUTH, "commaSeparatedOauthScopes")),
            "ip_relaxation": _key_of(IP_RELAXATION, relaxation),
            "pre_authorized": self.value(OAUTH_POLICY, "permittedUsersPolicyType") == "AdminApprovedPreAuthorized",
            "permission_sets": split_list(self.value(OAUTH_POLICY, "commaSeparatedPermissionSet")),
            "permission_set": self.permission_set.name if self.permission_set.opens else None,
            "users": sorted(self.permission_set.users, key=str.lower),
            "run_as": self.value(OAUTH_POLICY, "clientCredentialsFlowUser") or None,
        }


def mark_description(
    description: str, certificate: str | None, rotated: datetime.datetime | None = None, *, retired: bool = False
) -> str:
    """Return a description with the mark at its end.

    Args:
        certificate: its fingerprint.
        rotated: when the certificate begins, UTC, if a rotation has put it there.
        retired: whether a rotation switches the app off.
    """
    off = " retired" if retired else ""
    since = f" from {rotated:%Y-%m-%dT%H:%M:%SZ}" if rotated else ""
    return f"{description} [gatehouse.salesforce{f' {certificate[:16]}{since}' if certificate else ''}{off}]".strip()


def split_list(text: str) -> list[str]:
    """Return the words between commas, sorted."""
    return sorted(word.strip() for word in text.split(",") if word.strip())


def _scopes(text: str) -> list[str]:
    return sorted(_key_of(SCOPES, scope) for scope in split_list(text))


def _key_of(names: Mapping[str, str], value: str) -> str:
    """Return our name of a value; of one that has none, the value itself. Case is not to be relied on."""
    return next((ours for ours, theirs in names.items() if theirs.lower() == value.lower()), value)
