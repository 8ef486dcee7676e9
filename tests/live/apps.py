# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps of this suite's own: how they are made, and how its user logs in by them."""

from __future__ import annotations

import datetime
import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.protocol import JWT_BEARER
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import (
    APP,
    GLOBAL,
    OAUTH,
    OAUTH_POLICY,
    PARENT,
    POLICY,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import Session
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.queries import literal

from .calls import Caller, Refusal, leaves
from .packages import Part
from .scene import Scene, Unanswered, once
from .undo import MARK, policies_of

NOBODY = "gatehouse-live.nobody@example.com"
# What the token endpoint says of an app that it does not know yet.
NOT_YET = {
    "client identifier invalid": "invalid_client_id",
    "app_not_found": "app_not_found",
    "is not installed": "app_not_found",
    "invalid assertion": "invalid assertion",
    "hasn't approved": "not approved",
}
KNOWN_WITHIN = 35 * 60.0  # seconds; Salesforce speaks of up to 30 minutes
LOOK_EVERY = 30.0
# Until a change of an app is taken for known, where nothing shows it: a login that is refused is not sent again.
SETTLE = 60.0


@dataclass(frozen=True)
class Key:
    """A private key and its certificate, of this run alone."""

    private: str = field(repr=False)
    certificate: str


def new_key() -> Key:
    """Make a key, whose certificate is good for two days."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatehouse-live")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return Key(private.decode(), certificate.decode())


@functools.cache
def run_key(number: int = 0) -> Key:
    """Return one of the keys of this run."""
    return new_key()


@dataclass(frozen=True)
class App:
    """The components of an app as they are sent."""

    name: str
    parts: dict[str, Part]
    key: Key

    def changed(self, kind: str, **values: str | None) -> App:
        """Return it with other values in one component."""
        return replace(self, parts={**self.parts, kind: self.parts[kind].changed(**values)})

    def only(self, *kinds: str) -> list[Part]:
        """Return some of its components."""
        return [self.parts[kind] for kind in kinds]


def describe(scene: Scene, *, scopes: str = "Api, RefreshToken, Web") -> App:
    """Describe a new app, of which nothing is sent; what will be there is in the journal."""
    name, key = scene.new_name(), run_key()
    scene.require("app")
    scene.journal.begin("app", name)
    parent = (PARENT, name)
    parts = (
        Part(
            APP,
            name,
            [
                ("contactEmail", "nobody@example.com"),
                ("description", MARK),
                ("distributionState", "Local"),
                ("label", name),
            ],
        ),
        Part(OAUTH, f"{name}_oauth", [("commaSeparatedOauthScopes", scopes), parent, ("label", name)]),
        Part(
            GLOBAL,
            f"{name}_global",
            [
                ("callbackUrl", "https://example.com/none"),
                ("certificate", key.certificate),
                parent,
                ("isPkceRequired", "false"),
                ("label", name),
            ],
        ),
        Part(OAUTH_POLICY, f"{name}_oauth_defaultPolicy", [parent, ("label", name)]),
        Part(POLICY, f"{name}_defaultPolicy", [parent, ("isEnabled", "true"), ("isOauthPluginEnabled", "true")]),
    )
    return App(name, {one.kind: one for one in parts}, key)


def create(scene: Scene, app: App) -> App:
    """Deploy the app and its settings, and return it with the policies that it has then; raises Unanswered."""
    done = scene.deploy(*app.only(APP, OAUTH, GLOBAL))
    if not done:
        raise Unanswered(f"the org takes no app: {done.problem}")
    return with_policies(scene, app)


def with_policies(scene: Scene, app: App) -> App:
    """Return the app with the names of the policies that the org has made, if it made some."""
    parts = dict(app.parts)
    for kind, name in policies(scene, app).items():
        parts[kind] = replace(parts[kind], name=name)
    return replace(app, parts=parts)


def policies(scene: Scene, app: App) -> dict[str, str]:
    """Return the names of the app's policies by their types."""
    return {one.kind: one.name for one in policies_of(scene.admin, app.name)}


def shown(scene: Scene, app: App, kind: str) -> dict[str, str]:
    """Return what a component shows of itself."""
    record = scene.admin.read(kind, app.parts[kind].name)
    return {} if record is None else leaves(record)


def consumer_key(scene: Scene, app: App) -> str:
    """Return the consumer key that the org shows."""
    key = shown(scene, app, GLOBAL).get("consumerKey")
    if not key:
        raise Unanswered("the org shows no consumer key")
    return key


def app_id(scene: Scene, app: App) -> str:
    """Return the id of the app."""
    rows = scene.admin.query(
        f"SELECT Id FROM ExternalClientApplication WHERE DeveloperName = {literal(app.name)}"
    )  # noqa: S608
    return str(rows[0]["Id"])


def opened_by(scene: Scene, app: App) -> set[str]:
    """Return the ids of the permission sets that open the app."""
    where = f"SetupEntityId = {literal(app_id(scene, app))}"
    return {
        str(row["ParentId"]) for row in scene.admin.query(f"SELECT ParentId FROM SetupEntityAccess WHERE {where}")
    }  # noqa: S608


def open_to_user(scene: Scene, app: App) -> None:
    """Let the own user use the app, by a permission set; whatever the list of the policy takes."""
    name, set_id = scene.new_permission_set()
    refusals = []
    for word in (name, set_id):
        values = {"permittedUsersPolicyType": "AdminApprovedPreAuthorized", "commaSeparatedPermissionSet": word}
        done = scene.deploy(*app.changed(OAUTH_POLICY, **values).only(OAUTH_POLICY))
        if done:
            break
        refusals.append(done.problem)
    else:
        raise Unanswered(f"the app cannot be opened to a permission set: {'; '.join(refusals)}")
    if set_id not in opened_by(scene, app):
        scene.admin.create("SetupEntityAccess", ParentId=set_id, SetupEntityId=app_id(scene, app))


# -- the token endpoint ------------------------------------------------------------------------------------------------


def ask_token(
    scene: Scene, form: dict[str, str], *, url: str = "", basic: tuple[str, str] | None = None
) -> dict[str, Any]:
    """Return the answer of the token endpoint; raises Refusal. What was refused is not sent again."""
    caller = Caller(scene.connection(url or scene.admin.url))
    reply = caller.send("POST", f"{caller.url}/services/oauth2/token", data=form, **({"auth": basic} if basic else {}))
    answer = reply.accepted().json
    return answer if isinstance(answer, dict) else {}


def jwt_form(scene: Scene, consumer: str, key: Key, *, username: str = "", audience: str = "") -> dict[str, str]:
    """Return what JWT bearer sends, good for three minutes by the org's clock."""
    claims = {
        "iss": consumer,
        "sub": username or scene.username,
        "aud": audience or scene.admin.url,
        "exp": int(scene.now()) + 180,
    }
    return {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, key.private, algorithm="RS256")}


def log_in(scene: Scene, app: App, *, key: Key | None = None, url: str = "", audience: str = "") -> Caller:
    """Log the own user in by an app that is known to the token endpoint; raises Refusal."""
    scene.require("user")
    form = jwt_form(scene, consumer_key(scene, app), key or app.key, audience=audience)
    answer = ask_token(scene, form, url=url)
    scene.secrets.add(answer["access_token"])
    return Caller(scene.admin.connection, Session(access_token=answer["access_token"], instance_url=scene.admin.url))


def not_yet(scene: Scene, consumer: str) -> str:
    """Return what the token endpoint says of an app that it does not know yet, or nothing; no user is named."""
    try:
        # A refresh token that nobody has: an app that is known is refused for the token.
        ask_token(scene, {"grant_type": "refresh_token", "client_id": consumer, "refresh_token": "none"})
    except Refusal as exc:
        said = f"{exc.code} {exc.text}".lower()
        return next((name for text, name in NOT_YET.items() if text in said), "")
    raise Unanswered("the token endpoint took a refresh token that nobody has")


def knows_key(scene: Scene, consumer: str, key: Key) -> bool:
    """Whether the token endpoint takes a key, shown by the login of a user who does not exist: so none is counted."""
    try:
        ask_token(scene, jwt_form(scene, consumer, key, username=NOBODY))
    except Refusal as exc:
        return "invalid assertion" not in exc.text.lower()
    raise Unanswered("the token endpoint gave a session to a user who does not exist")


def minutes_until(scene: Scene, done: Callable[[], bool]) -> float:
    """Return how many minutes it takes until something is so, looked at every half minute; raises Unanswered."""
    waited = 0.0
    while not done():
        scene.now()
        if waited >= KNOWN_WITHIN:
            raise Unanswered(f"not within {KNOWN_WITHIN / 60:.0f} minutes")
        scene.wait(LOOK_EVERY)
        waited += LOOK_EVERY
    return waited / 60


@dataclass(frozen=True)
class Made:
    """The app by which the own user logs in, what the token endpoint said of it at first, and how long it did so."""

    app: App
    first_said: str
    minutes: float
    had_policies: dict[str, str]


@once
def made(scene: Scene) -> Made:
    """The app of this run, with a policy that lets the own user in."""
    app = create(scene, describe(scene))
    had = policies(scene, app)
    consumer = consumer_key(scene, app)
    said = not_yet(scene, consumer)
    minutes = minutes_until(scene, lambda: not not_yet(scene, consumer)) if said else 0.0
    return Made(app, said, minutes, had)


def settle(scene: Scene) -> None:
    """Wait as long as the org has taken to know the app of this run, and a minute more."""
    scene.wait(60 * made(scene).minutes + SETTLE)


def ready(scene: Scene, app: App) -> App:
    """Return an app by which the own user may log in, when the token endpoint knows it."""
    open_to_user(scene, app)
    consumer = consumer_key(scene, app)
    minutes_until(scene, lambda: not not_yet(scene, consumer))
    settle(scene)
    return app


@once
def opened(scene: Scene) -> App:
    """The app of this run, open to the own user."""
    _unused = scene.user_id
    return ready(scene, made(scene).app)


def session(scene: Scene) -> Caller:
    """A session of the own user by the app of this run; another one where it has ended, as by a new password."""
    held = scene.seen.get(session)
    if held is None or not lives(held):
        try:
            held = scene.seen[session] = log_in(scene, opened(scene))
        except Refusal as exc:
            raise Unanswered(f"the suite's user cannot log in by the suite's app: {exc}") from None
    return held


def lives(who: Caller) -> bool:
    """Whether a session is alive."""
    try:
        who.rest("GET", "limits")
    except Refusal as exc:
        if exc.code == "INVALID_SESSION_ID":
            return False
        raise
    return True


def another_key() -> Key:
    """Return a key that is not the app's."""
    return run_key(1)


def random_key() -> str:
    """Return a consumer key of letters and digits."""
    return secrets.token_hex(32)
