# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change for an app to be as declared. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import OptionError
from .certificate import Certificate
from .model import (
    APP,
    CALLBACK_URL,
    GLOBAL,
    IP_RELAXATION,
    KINDS,
    OAUTH,
    OAUTH_POLICY,
    PARENT,
    POLICY,
    SCOPES,
    App,
    Component,
    DeclaredApp,
    PermissionSet,
    mark_description,
    split_list,
)


@dataclasses.dataclass(frozen=True)
class AppPlan:
    """From an app as it is to an app as it shall be."""

    before: App
    after: App

    def __bool__(self) -> bool:
        return bool(self.components) or self.before.summary() != self.after.summary()

    @property
    def components(self) -> list[Component]:
        """What a package has to hold: the components that change, whole, as the org resets what is left out."""
        after = self.after.components
        return [after[kind] for kind in KINDS if kind in after and after[kind] != self.before.components.get(kind)]

    @property
    def added_users(self) -> list[str]:
        """Those whom the permission set is to be assigned to."""
        return [user for user in self.after.permission_set.users if user not in self.before.permission_set.users]

    @property
    def removed_users(self) -> list[str]:
        """Those whom it is to be taken from."""
        return [user for user in self.before.permission_set.users if user not in self.after.permission_set.users]

    def ends_login(self, flow: str, username: str | None) -> bool:
        """Return whether a login through the app, such as works before the change, is refused or another's after it."""
        if not self.after.exists or (self.before.enabled and not self.after.enabled):
            return self.before.exists
        before, after = self.before.summary(), self.after.summary()
        if flow in before["flows"] and flow not in after["flows"]:
            return True
        if flow == "client_credentials":
            return bool(before["run_as"]) and before["run_as"] != after["run_as"]
        if (username or "").lower() in [user.lower() for user in self.removed_users]:
            return True
        old, new = before["certificate"], after["certificate"]
        return flow == "jwt_bearer" and bool(old) and old[:16] != (new or "")[:16]  # as the mark has it

    def diff(self) -> dict[str, Any]:
        """Return both sides as Ansible shows them."""
        return {"before": self.before.summary(), "after": self.after.summary()}


def plan_present(before: App, declared: DeclaredApp) -> AppPlan:
    """Return the plan for an app that exists as declared; raises OptionError when it cannot."""
    _require_complete(before, declared)
    if is_replaced(before, declared.certificate) or (declared.proven and "jwt_bearer" in before.flows):
        declared = dataclasses.replace(declared, certificate=None)
    certificate = declared.certificate
    unseen = before.exists and GLOBAL in before.components and not before.certificate
    if certificate and unseen and before.marked_certificate == certificate.fingerprint[:16]:
        before = before.with_certificate(certificate.pem)
    plan = AppPlan(before, _declare(before, declared))
    sent = {component.kind: component for component in plan.components}
    if "jwt_bearer" in declared.flows and GLOBAL in sent and not sent[GLOBAL].values.get("certificate"):
        raise OptionError(
            "certificate", "must be given: the org does not show the one that the app has, and a change would clear it"
        )
    return plan


def is_replaced(before: App, certificate: Certificate | None) -> bool:
    """Whether a rotation has given the app another certificate, which is not older; that one is kept."""
    return bool(certificate and before.rotated and certificate.begins < before.rotated)


def plan_certificate(before: App, certificate: Certificate) -> AppPlan:
    """Return the plan for an app that a rotation gives another certificate, and that is switched on."""
    shown = before.certificate
    has_it = shown == certificate if shown else before.marked_certificate == certificate.fingerprint[:16]
    if has_it and before.enabled:
        return AppPlan(before, before)
    description = mark_description(before.description, certificate.fingerprint, certificate.begins)
    components = {
        **before.components,
        APP: before.components[APP].changed({"description": description}),
        GLOBAL: before.components[GLOBAL].changed({"certificate": certificate.pem}),
    }
    if not before.enabled:
        components[POLICY] = before.components[POLICY].changed({"isEnabled": "true", "isOauthPluginEnabled": "true"})
    return AppPlan(before, dataclasses.replace(before, components=components))


def plan_disabled(before: App, *, retired: bool = False) -> AppPlan:
    """Return the plan for an app that nobody can log in through; where there is none, none is made.

    Args:
        retired: whether a rotation ends its key, which no declaration then brings back.
    """
    if not before.exists or not before.enabled:
        return AppPlan(before, before)
    policy = before.components.get(POLICY) or _new_component(POLICY, before.name)
    components = {**before.components, POLICY: policy.changed({"isEnabled": "false"})}
    if retired:
        description = mark_description(before.description, before.marked_certificate, before.rotated, retired=True)
        components[APP] = before.components[APP].changed({"description": description})
    return AppPlan(before, dataclasses.replace(before, components=components))


def plan_absent(before: App) -> AppPlan:
    """Return the plan for an app that does not exist, nor its permission set if this collection made it."""
    kept = before.permission_set
    if kept.made:
        kept = PermissionSet(name=kept.name)
    return AppPlan(before, App(name=before.name, components={}, permission_set=kept))


def require_own(before: App, *, adopt: bool) -> None:
    """Raise OptionError for an app that somebody else made, unless it may be adopted."""
    if before.exists and not before.made and not adopt:
        raise OptionError(
            "name", f"the org has an app {before.name} that this module did not make; choose another name, or set adopt"
        )


def _require_complete(before: App, declared: DeclaredApp) -> None:
    if not declared.flows:
        raise OptionError("flows", "must name at least one flow")
    if "client_credentials" in declared.flows and not declared.run_as:
        raise OptionError("run_as", "must name the user that an app with client_credentials acts as")
    if "client_credentials" not in declared.flows and declared.run_as:
        raise OptionError("run_as", "is for apps with client_credentials among their flows")
    if not before.exists and not declared.contact_email:
        raise OptionError("contact_email", "is needed for a new app")
    if "jwt_bearer" in declared.flows and not declared.certificate and "jwt_bearer" not in before.flows:
        raise OptionError("certificate", "is needed for jwt_bearer, as the app has none yet")
    if "jwt_bearer" not in declared.flows and declared.certificate:
        raise OptionError("certificate", "is for apps with jwt_bearer among their flows")


def _declare(before: App, declared: DeclaredApp) -> App:
    """Return the app with what is declared; elements that agree already keep the org's notation."""
    old = {kind: before.components.get(kind) or _new_component(kind, declared.name) for kind in KINDS}
    old[OAUTH_POLICY] = _named_after(old[OAUTH_POLICY], before, old[OAUTH])
    certificate = declared.certificate
    jwt = "jwt_bearer" in declared.flows
    flow = str("client_credentials" in declared.flows).lower()
    new: dict[str, dict[str, str | None]] = {kind: {} for kind in KINDS}
    new[APP] = {"label": declared.label or before.value(APP, "label") or declared.name}
    if declared.contact_email is not None:
        new[APP]["contactEmail"] = declared.contact_email
    same_certificate = not certificate or before.certificate == certificate
    current = certificate.fingerprint if certificate else before.certificate and before.certificate.fingerprint
    text = before.description if declared.description is None else declared.description
    if not before.made or text != before.description or not same_certificate or not jwt:
        mark = (current or before.marked_certificate) if jwt else None
        rotated, retired = (before.rotated, before.retired) if same_certificate else (None, False)
        new[APP]["description"] = mark_description(text, mark, rotated, retired=retired)
    if split_list(before.value(OAUTH, "commaSeparatedOauthScopes")) != sorted(SCOPES[one] for one in declared.scopes):
        new[OAUTH]["commaSeparatedOauthScopes"] = ",".join(SCOPES[one] for one in declared.scopes)
    if not jwt:
        new[GLOBAL]["certificate"] = None
    elif certificate and not same_certificate:
        new[GLOBAL]["certificate"] = certificate.pem
    new[GLOBAL]["isClientCredentialsFlowEnabled"] = flow
    new[OAUTH_POLICY] = {
        "clientCredentialsFlowUser": declared.run_as,
        "commaSeparatedPermissionSet": _with_set(old[OAUTH_POLICY], before.permission_set),
        "isClientCredentialsFlowEnabled": flow,
        "permittedUsersPolicyType": "AdminApprovedPreAuthorized",
    }
    run_as = before.value(OAUTH_POLICY, "clientCredentialsFlowUser")
    if declared.run_as and run_as.lower() == declared.run_as.lower():
        new[OAUTH_POLICY]["clientCredentialsFlowUser"] = run_as
    relaxation = IP_RELAXATION[declared.ip_relaxation]
    if before.value(OAUTH_POLICY, "ipRelaxationPolicyType").lower() != relaxation.lower():
        new[OAUTH_POLICY]["ipRelaxationPolicyType"] = relaxation
    # One that a rotation has switched off stays off, unless it gets another key.
    if not (before.retired and same_certificate):
        new[POLICY] = {"isEnabled": "true", "isOauthPluginEnabled": "true"}
    components = {kind: old[kind].changed(_differing(old[kind], new[kind])) for kind in KINDS}
    return App(name=declared.name, components=components, permission_set=_declare_set(before.permission_set, declared))


def _differing(old: Component, new: dict[str, str | None]) -> dict[str, str | None]:
    """Return the values without those that say what an absent element says anyway."""
    absent = {"isClientCredentialsFlowEnabled": "false", "isEnabled": "true", "isOauthPluginEnabled": "true"}
    return {name: value for name, value in new.items() if name in old.values or absent.get(name) != value}


def _declare_set(before: PermissionSet, declared: DeclaredApp) -> PermissionSet:
    """Return the permission set with its members; of one that others made, nobody is removed."""
    known = {user.lower(): user for user in before.users}
    members = {known.get(user.lower(), user): "" for user in declared.members}
    kept = {} if before.made else dict(before.users)
    return dataclasses.replace(before, users={**kept, **members}, opens=True)


def _with_set(policy: Component, own: PermissionSet) -> str:
    listed = policy.values.get("commaSeparatedPermissionSet", "")
    words = split_list(listed)
    if own.name in words or (own.id and own.id[:15] in [word[:15] for word in words]):
        return listed
    return ",".join([*words, own.name])


def _named_after(policy: Component, before: App, oauth: Component) -> Component:
    """Return a new policy under the name that the org itself would give it, or one that is there as it is."""
    if OAUTH_POLICY in before.components:
        return policy
    return dataclasses.replace(policy, name=f"{oauth.name}_defaultPolicy")


def _new_component(kind: str, name: str) -> Component:
    label = {"label": name}
    parent = {PARENT: name}
    if kind == APP:
        return Component(kind, name, {"distributionState": "Local", "isProtected": "false"})
    if kind == OAUTH:
        return Component(kind, f"{name}_oauth", {**label, **parent})
    if kind == GLOBAL:
        # Only what is needed is open: other flows take a secret and a proof key, which nobody has.
        strict = {"isConsumerSecretOptional": "false", "isPkceRequired": "true"}
        safe = {**strict, "isSecretRequiredForRefreshToken": "true"}
        return Component(kind, f"{name}_global", {**label, **parent, **safe, "callbackUrl": CALLBACK_URL})
    if kind == OAUTH_POLICY:
        return Component(kind, f"{name}_oauth_defaultPolicy", {**label, **parent})
    enabled = {"isEnabled": "true", "isOauthPluginEnabled": "true"}
    return Component(kind, f"{name}_defaultPolicy", {**label, **parent, **enabled})
