# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by an app, and consumer secrets."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import (
    GLOBAL,
    OAUTH_POLICY,
    POLICY,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import permission_givers

from .. import apps
from ..apps import create, describe, made, opened, session
from ..calls import STAGED_VERSION, Caller, Refusal, leaves
from ..scene import Scene, Unanswered, once
from ..undo import SECRETS_SETTING
from . import one_of, question
from .logins import outside


def _refusal(scene: Scene, app: apps.App, **options: Any) -> Refusal:
    try:
        apps.log_in(scene, app, **options)
    except Refusal as exc:
        return exc
    raise Unanswered("the login was accepted")


# -- when an app is known ----------------------------------------------------------------------------------------------


@question("when the token endpoint knows an app", "app")
def eca_known_after(scene: Scene) -> float:
    """After how many minutes does the token endpoint know a new app?"""
    return made(scene).minutes


@question("when the token endpoint knows an app", "app")
def eca_not_yet(scene: Scene) -> str:
    """What does the token endpoint say of an app until it knows it?"""
    if not made(scene).first_said:
        raise Unanswered("the token endpoint knows a new app at once")
    return made(scene).first_said


@once
def change_minutes(scene: Scene) -> float:
    """After how many minutes another certificate is known."""
    app, key = create(scene, describe(scene)), apps.another_key()
    consumer = apps.consumer_key(scene, app)
    apps.minutes_until(scene, lambda: not apps.not_yet(scene, consumer) and apps.knows_key(scene, consumer, app.key))
    if not scene.deploy(*app.changed(GLOBAL, certificate=key.certificate).only(GLOBAL)):
        raise Unanswered("the org takes no other certificate")
    return apps.minutes_until(scene, lambda: apps.knows_key(scene, consumer, key))


@question("when the token endpoint knows a change", "app")
def eca_change_after(scene: Scene) -> float:
    """After how many minutes does the token endpoint know another certificate?"""
    return change_minutes(scene)


@question("certificates of apps", "app")
def eca_certificate_left_out(scene: Scene) -> str:
    """Does a write without the certificate clear it?"""
    app = create(scene, describe(scene))
    consumer = apps.consumer_key(scene, app)
    apps.minutes_until(scene, lambda: not apps.not_yet(scene, consumer) and apps.knows_key(scene, consumer, app.key))
    if not scene.deploy(*app.changed(GLOBAL, certificate=None).only(GLOBAL)):
        raise Unanswered("the org takes no write without the certificate")
    if apps.shown(scene, app, GLOBAL).get("certificate"):
        return "kept"
    # What is not shown may be there all the same: the token endpoint says so, when it knows of the change.
    scene.wait(60 * change_minutes(scene) + apps.SETTLE)
    return "kept" if apps.knows_key(scene, consumer, app.key) else "cleared"


# -- logins ------------------------------------------------------------------------------------------------------------


@once
def by_app_outside(scene: Scene) -> Refusal:
    """How a login by the app is refused from an address that the profile refuses."""
    app = opened(scene)
    with scene.moved_to(outside(scene)):
        return _refusal(scene, app)


@question("texts of the token endpoint", "user", "app")
def oauth_error_text(scene: Scene) -> str:
    """Does the token endpoint name addresses alone, or addresses and hours in one?"""
    text = by_app_outside(scene).text
    return {"ip restricted": "bare", "ip restricted or invalid login hours": "with_status"}[
        one_of(text, "ip restricted", "ip restricted or invalid login hours")
    ]


@question("texts of the token endpoint", "user", "app")
def oauth_hours_text(scene: Scene) -> str:
    """What does the token endpoint say outside of the login hours?"""
    app = opened(scene)
    # A day that is today in no time zone.
    day = datetime.datetime.fromtimestamp(scene.now(), datetime.UTC) + datetime.timedelta(days=3)
    name = day.strftime("%A").lower()
    with scene.moved_to(scene.new_profile(hours={f"{name}Start": 0, f"{name}End": 60})):
        text = _refusal(scene, app).text
    return one_of(text, "invalid login hours", "ip restricted", "ip restricted or invalid login hours")


@question("texts of the token endpoint", "user", "app")
def jwt_audience_text(scene: Scene) -> str:
    """What does the token endpoint say of a wrong audience?"""
    text = _refusal(scene, opened(scene), audience="https://gatehouse-live.example.com").text
    return one_of(text, "Audience validation failed", "audience is invalid")


@question("apps at the login hosts", "user", "app")
def eca_at_login_host(scene: Scene) -> str:
    """What happens to a local app at login.salesforce.com or test.salesforce.com?"""
    login_url = scene.admin.connection.login_url.rstrip("/")
    if login_url == scene.admin.url:
        raise Unanswered("give the login host (login.salesforce.com or test.salesforce.com) as login_url")
    try:
        apps.log_in(scene, opened(scene), url=login_url)
    except Refusal as exc:
        texts = {"app_not_found": "app_not_found", "is not installed": "not installed"}
        found = [value for text, value in texts.items() if text in exc.text]
        return found[0] if found else one_of(str(exc))
    return "accepted"


@question("apps that are switched off", "user", "app")
def eca_disabled(scene: Scene) -> str:
    """Which error does a login by an app get that is switched off?"""
    app = apps.ready(scene, create(scene, describe(scene)))
    if not scene.deploy(*app.changed(POLICY, isEnabled="false").only(POLICY)):
        raise Unanswered("the org does not switch the app off")
    apps.settle(scene)
    return one_of(_refusal(scene, app).code.lower(), "invalid_client", "invalid_grant")


@question("scopes of an app", "user", "app")
def eca_refresh_scope_needed(scene: Scene) -> bool:
    """Does JWT bearer need the scope RefreshToken?"""
    app = apps.ready(scene, create(scene, describe(scene, scopes="Api")))
    try:
        apps.log_in(scene, app)
    except Refusal as exc:
        if "refresh_token scope is required" in exc.text:
            return True
        raise
    return False


@question("access tokens that are JWTs", "user", "app")
def jwt_token_by_soap(scene: Scene) -> str:
    """What does SOAP say to an access token that is a JWT, before version 68?"""
    app = apps.ready(scene, create(scene, describe(scene).changed(GLOBAL, isNamedUserJwtEnabled="true")))
    who = apps.log_in(scene, app)
    if who.token.count(".") != 2:
        raise Unanswered("the app gives access tokens that are no JWTs, though it is set to give JWTs")
    try:
        who.soap("u", "getUserInfo")
    except Refusal as exc:
        return one_of(exc.code, "INVALID_SESSION_ID", "INVALID_OPERATION")
    return "accepted"


@question("sessions that are shared", "user", "app")
def share_sessions(scene: Scene) -> bool:
    """Do two logins of one user get the same session?"""
    return session(scene).token == apps.log_in(scene, opened(scene)).token


@question("ranges on every request", "user", "app")
def enforced_range_code(scene: Scene) -> str:
    """Which code does a request from outside of the ranges get, where they are enforced on every request?"""
    settings = scene.admin.read("SecuritySettings", "Security")
    if settings is None or leaves(settings).get("enforceIpRangesEveryRequest") != "true":
        raise Unanswered("the org does not enforce login ranges on every request, and that setting is left alone")
    who = session(scene)
    with scene.moved_to(outside(scene)):
        try:
            who.soap("u", "getUserInfo")
        except Refusal as exc:
            return one_of(exc.code, "INVALID_SESSION_ID", "LOGIN_DURING_RESTRICTED_DOMAIN")
    raise Unanswered("the request was accepted")


# -- consumer secrets --------------------------------------------------------------------------------------------------


@once
def reader(scene: Scene) -> Caller:
    """The own user, with the permissions to read consumer secrets, while the org's setting allows it."""
    scene.require("secret")
    who = session(scene)
    scene.new_permission_set("ExternalClientAppDeveloper", "ViewClientSecret")
    if not _allowed(scene):
        scene.journal.begin("setting", f"{SECRETS_SETTING}=false")
        done = scene.admin.write(
            "update", "ExternalClientAppSettings", "ExternalClientApp", f"<{SECRETS_SETTING}>true</{SECRETS_SETTING}>"
        )
        if not done:
            raise Unanswered(f"the org does not change the setting {SECRETS_SETTING}: {done.problem}")
    return who


def _allowed(scene: Scene) -> bool:
    record = scene.admin.read("ExternalClientAppSettings", "ExternalClientApp")
    return record is not None and leaves(record).get(SECRETS_SETTING) == "true"


def _consumer(scene: Scene, who: Caller, app: apps.App) -> str:
    """Return the path of the app's consumer."""
    path = f"apps/oauth/credentials/{apps.app_id(scene, app)}"
    consumer = who.rest("GET", path, version=STAGED_VERSION).json["consumers"][0]
    return f"{path}/{consumer['id']}"


def _pair(scene: Scene, app: apps.App) -> tuple[str, str]:
    who = reader(scene)
    found = who.rest("GET", _consumer(scene, who, app), version=STAGED_VERSION, params={"part": "keyandsecret"}).json
    scene.secrets.add(str(found["secret"]))
    return str(found["key"]), str(found["secret"])


@question("consumer secrets by REST", "user", "app")
def eca_secrets_off(scene: Scene) -> str:
    """What does the org say of consumer secrets while its setting does not allow to read them?"""
    who = session(scene)
    if _allowed(scene):
        raise Unanswered("the org allows to read consumer secrets, and that setting is not switched off")
    with scene.granted("ExternalClientAppDeveloper", "ViewClientSecret"):
        try:
            _consumer(scene, who, opened(scene))
        except Refusal as exc:
            texts = ("not currently enabled", "feature is not enabled", "not enabled for this user")
            return next((text for text in texts if text in exc.text), "") or one_of(str(exc))
    raise Unanswered("the org shows them all the same")


@question("consumer secrets by REST", "user", "app", "secret")
def eca_secrets_session(scene: Scene) -> str:
    """May a session of a SOAP login read consumer secrets?"""
    if scene.admin.connection.auth != "security_token":
        raise Unanswered("log in with a user name, a password and a security token to have it asked")
    _unused = _pair(scene, opened(scene))  # what a session by an app may
    permissions = ("ExternalClientAppDeveloper", "ViewClientSecret")
    try:
        _consumer(scene, scene.admin, opened(scene))
    except Refusal:
        username = scene.admin.connection.username or ""
        if not all(permission_givers(scene.admin, username, one) for one in permissions):
            raise Unanswered(f"the administrator lacks the permissions {' and '.join(permissions)}") from None
        return "by_app"
    return "any"


@question("consumer secrets in a package", "user", "app", "secret")
def eca_given_secret(scene: Scene) -> str:
    """Is a consumer secret used that a package brings?"""
    given = apps.random_key().upper()
    app = create(scene, describe(scene).changed(GLOBAL, consumerKey=apps.random_key(), consumerSecret=given))
    return "used" if _pair(scene, app)[1] == given else "ignored"


@question("list of apps with usage", "user", "app", "secret")
def eca_usage(scene: Scene) -> str:
    """Is an app without any login in the list of apps with usage?"""
    who, app = reader(scene), create(scene, describe(scene))
    names = {one.get("developerName") for one in who.rest("GET", "apps/oauth/usage").json["apps"]}
    if opened(scene).name not in names:
        raise Unanswered("not even an app with a login is in the list")
    return "all" if app.name in names else "used"


@once
def staged(scene: Scene) -> tuple[apps.App, str, dict[str, Any]]:
    """An app with a staged pair of key and secret: the path of its consumer, and the pair."""
    who, app = reader(scene), create(scene, describe(scene))
    path = _consumer(scene, who, app)
    pair = who.rest("POST", f"{path}/staged", {}, version=STAGED_VERSION).json["stagedCredentials"][0]
    scene.secrets.add(str(pair["secret"]))
    return app, path, pair


@question("staged consumer secrets", "user", "app", "secret")
def eca_staged_pair(scene: Scene) -> str:
    """Can a staged pair log in before it is rotated?"""
    app, _path, pair = staged(scene)
    consumer = apps.consumer_key(scene, app)
    apps.minutes_until(scene, lambda: not apps.not_yet(scene, consumer))
    said = apps.not_yet(scene, pair["key"])
    if said:
        apps.settle(scene)
        said = apps.not_yet(scene, pair["key"])
    return "after_rotation" if said else "live"


@question("staged consumer secrets", "user", "app", "secret")
def eca_staged_url(scene: Scene) -> str:
    """Is `url` of a staged pair its own address, or the consumer's?"""
    _app, path, pair = staged(scene)
    return "staged" if pair["id"][:15] in pair["url"] else one_of(pair["url"].endswith(path) and "consumer", "consumer")


@question("staged consumer secrets", "user", "app", "secret")
def eca_rotated_pair_days(scene: Scene) -> float:
    """For how many days does the old pair live after a rotation?"""
    _unused = eca_staged_pair(scene)  # which needs it before
    who, (_app, path, pair) = reader(scene), staged(scene)
    answer = who.rest("PATCH", f"{path}/staged/{pair['id']}", {"command": "rotate"}, version=STAGED_VERSION).json
    expires = datetime.datetime.fromisoformat(str(answer["expirationDate"]).replace("+0000", "+00:00"))
    return round((expires.timestamp() - who.date) / 86400, 1)


@question("staged consumer secrets", "user", "app", "secret")
def eca_stage_without_body(scene: Scene) -> str:
    """Does staging hang that is asked for without a body?"""
    who, app = reader(scene), create(scene, describe(scene))
    path = _consumer(scene, who, app)
    try:
        who.rest("POST", f"{path}/staged", version=STAGED_VERSION)
    except GatehouseError:
        return "hangs"
    return "accepted"


# -- client credentials and passwords ----------------------------------------------------------------------------------


@once
def with_credentials(scene: Scene) -> tuple[str, str]:
    """Key and secret of an app for client credentials of the own user."""
    _unused = reader(scene), scene.user_id
    app = create(scene, describe(scene).changed(GLOBAL, isClientCredentialsFlowEnabled="true"))
    values = {"isClientCredentialsFlowEnabled": "true", "clientCredentialsFlowUser": scene.username}
    policy = app.changed(OAUTH_POLICY, **values).only(OAUTH_POLICY)
    if not scene.deploy(*policy):
        with scene.granted("ApiUserOnly"):
            done = scene.deploy(*policy)
        if not done:
            raise Unanswered(f"the org takes no user of client credentials: {done.problem}")
    pair = _pair(scene, app)
    apps.minutes_until(scene, lambda: not apps.not_yet(scene, pair[0]))
    apps.settle(scene)
    return pair


@question("client credentials", "user", "app", "secret")
def client_credentials_scope(scene: Scene) -> str:
    """Is a scope refused that client credentials name?"""
    pair = with_credentials(scene)
    try:
        apps.ask_token(scene, {"grant_type": "client_credentials", "scope": "api"}, basic=pair)
    except Refusal as exc:
        return "refused" if "scope" in exc.text else one_of(str(exc))
    return "ignored"


@question("the password flow where it is off", "user", "app", "secret", "password", "login")
def blocked_flow_error(scene: Scene) -> str:
    """What does the token endpoint say to the password flow where it is off?"""
    record = scene.admin.read("OauthOidcSettings", "OauthOidc")
    if record is None or leaves(record).get("blockOAuthUnPwFlow") != "true":
        raise Unanswered("the org allows the password flow, and that setting is left alone")
    key, secret = with_credentials(scene)
    password = scene.set_password()
    mark = scene.attempts.check("password flow", password)
    form = {"grant_type": "password", "client_id": key, "client_secret": secret, "username": scene.username}
    try:
        apps.ask_token(scene, {**form, "password": password})
    except Refusal as exc:
        scene.attempts.count(mark, refused=True)
        return one_of(exc.code, "invalid_grant", "unsupported_grant_type")
    raise Unanswered("the login was accepted")
