# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the token endpoint knows of External Client Apps, and when it has come to know it."""

from __future__ import annotations

import dataclasses
import datetime

from . import external_client_apps
from .apps import App, Consumer, ExternalClientApp
from .errors import ApiError
from .schemas import APP, GLOBAL, OAUTH, OAUTH_POLICY, POLICY
from .state import Org, State, User

LOGIN_SCOPES = {
    "Api": "api",
    "Web": "web",
    "Full": "full",
    "RefreshToken": "refresh_token",
    "OfflineAccess": "offline_access",
    "OpenID": "openid",
    "Basic": "id",
}
# REPORTED, but for `not approved`, which is the text for users who have approved nothing.
NOT_YET = {
    "invalid_client_id": ("invalid_client_id", "client identifier invalid"),
    "app_not_found": ("invalid_grant", "app_not_found"),
    "invalid assertion": ("invalid_grant", "invalid assertion"),
    "not approved": ("invalid_grant", "user hasn't approved this consumer"),
}
AT_LOGIN_HOST = {
    "app_not_found": "app_not_found",
    "not installed": "External client app is not installed in this org",
}
OTHER_ORG = "Cross-org OAuth flows are not supported for this external client app"
# REPORTED.
REFRESH_SCOPE = "refresh_token scope is required and the connected app should be installed and preauthorized"


def settle(state: State, org: Org, user_id: str) -> None:
    """Make what follows from a write: policies, and the time from which the token endpoint knows of it."""
    external_client_apps.make_policies(state, org, user_id)
    now = state.clock.now()
    for name, app in list(org.external_client_apps.items()):
        known = _view(org, name, app)
        if known is None or (app.published and app.published[-1][1] == known):
            continue
        minutes = org.switches.eca_change_after if app.published else org.switches.eca_known_after
        app = org.external_client_apps[name] = app.copy()
        app.published.append((now + datetime.timedelta(minutes=minutes), known))


def _view(org: Org, name: str, app: ExternalClientApp) -> App | None:
    """Show the app as the token endpoint sees it, without its key and secret."""
    if app.consumer is None or not {GLOBAL, OAUTH} <= set(app.parts):
        return None
    settings, oauth = app.parts[GLOBAL].values, app.parts[OAUTH].values
    policy = app.parts[OAUTH_POLICY].values if OAUTH_POLICY in app.parts else {}
    switched = app.parts[POLICY].values if POLICY in app.parts else {}
    scopes = [one.strip() for one in oauth.get("commaSeparatedOauthScopes", "").split(",") if one.strip()]
    flows = {"jwt_bearer"} if settings.get("certificate") else set()
    if "true" == settings.get("isClientCredentialsFlowEnabled") == policy.get("isClientCredentialsFlowEnabled"):
        flows.add("client_credentials")
    if {"RefreshToken", "OfflineAccess"} & set(scopes):
        flows.add("refresh_token")
    return App(
        "",
        org.id,
        app.parts[APP].values.get("label", name),
        certificate=settings.get("certificate"),
        run_as=policy.get("clientCredentialsFlowUser"),
        flows=flows,
        permitted_users=(
            "admin_approved"
            if policy.get("permittedUsersPolicyType") == "AdminApprovedPreAuthorized"
            else "self_authorize"
        ),
        ip_relaxation="enforce" if policy.get("ipRelaxationPolicyType", "Enforce").startswith("Enforce") else "relax",
        web=bool({"Web", "Full"} & set(scopes)),
        rotates_refresh_tokens=settings.get("isRefreshTokenRotationEnabled") == "true",
        secret_for_refresh=settings.get("isSecretRequiredForRefreshToken") == "true",
        jwt_tokens=settings.get("isNamedUserJwtEnabled") == "true",
        external=name,
        enabled=switched.get("isEnabled", "true") == switched.get("isOauthPluginEnabled", "true") == "true",
        scopes=" ".join(LOGIN_SCOPES.get(one, one.lower()) for one in scopes),
    )


def find(state: State, consumer_key: str) -> App | None:
    """Find the app behind a key, as the token endpoint knows it by now, with the secret that belongs to that key.

    Raises ApiError where it does not yet know of it.
    """
    now = state.clock.now()
    for org in state.orgs.values():
        for app in org.external_client_apps.values():
            secret = _secret(org, app.consumer, consumer_key, now)
            if secret is None:
                continue
            known = [one for since, one in app.published if since <= now]
            if not known:
                raise ApiError(*NOT_YET[org.switches.eca_not_yet])
            return dataclasses.replace(
                known[-1],
                consumer_key=consumer_key,
                consumer_secret=secret,
                approved_users=app.approved_users,
                refresh_tokens=app.refresh_tokens,
                exchanged_tokens=app.exchanged_tokens,
            )
    return None


def _secret(org: Org, consumer: Consumer | None, key: str, now: datetime.datetime) -> str | None:
    if consumer is None:
        return None
    if key == consumer.key:
        return consumer.secret
    staged = consumer.staged
    if staged is None or key != staged.key or now >= staged.expires:
        return None
    return None if staged.state == "Active" and org.switches.eca_staged_pair == "after_rotation" else staged.secret


def check_use(org: Org, app: App, host: str, own_host: str) -> None:
    """Raise ApiError where an External Client App may not be used at all, or not at this host."""
    if app.external is None:
        return
    if not app.enabled:
        error = org.switches.eca_disabled
        raise ApiError(error, "invalid client credentials" if error == "invalid_client" else "app is disabled")
    where = org.switches.eca_at_login_host
    if own_host and host != own_host and where != "accepted":
        raise ApiError("invalid_grant", AT_LOGIN_HOST[where])


def check_scope(org: Org, app: App) -> None:
    """Raise ApiError for JWT bearer without the scope that it needs."""
    lacks = app.external is not None and "refresh_token" not in app.flows
    if lacks and org.switches.eca_refresh_scope_needed:
        raise ApiError("invalid_request", REFRESH_SCOPE)


def count_login(state: State, app: App) -> None:
    external = state.orgs[app.org_id].external_client_apps.get(app.external or "")
    if external is not None:
        external.logins += 1


def is_pre_authorised(org: Org, app: App, user: User) -> bool:
    """Whether a permission set or the profile of the user opens the app."""
    external = org.external_client_apps.get(app.external or "")
    if external is None:
        return False
    app_id = external.parts[APP].id
    assigned = {one.id for one in org.grants.of(user.id)}
    if any(set_id in assigned and entity == app_id for set_id, entity in org.grants.accesses.values()):
        return True
    policy = external.parts.get(OAUTH_POLICY)
    listed = policy.values.get("commaSeparatedProfile", "") if policy else ""
    return org.profiles[user.profile_id].label in (one.strip() for one in listed.split(","))
