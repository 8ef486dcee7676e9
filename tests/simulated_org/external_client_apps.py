# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External Client Apps as packages write them: five components, one app.

What Salesforce does with them is REPORTED by several who tried; where they contradict each other, or nobody has said,
a switch plays each answer. Texts are INVENTED unless said otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from . import ids, schemas
from .apps import Consumer, ExternalClientApp, Part
from .save import Change, Element, Failure, Saving
from .schemas import APP, GLOBAL, IP_RELAXATION, OAUTH, OAUTH_POLICY, PARENT, POLICY
from .state import Org, State

FIRST_VERSION = 59.0
# REPORTED, as the list in an error's text and in a client.
SCOPES = (
    "Api",
    "RefreshToken",
    "Web",
    "Full",
    "OpenID",
    "Basic",
    "OfflineAccess",
    "Profile",
    "Email",
    "Address",
    "Phone",
    "Chatter",
    "Wave",
    "Lightning",
    "Content",
    "CustomPermissions",
    "CustomApplications",
    "Pardot",
    "MCP",
    "SFApiPlatform",
    "Chatbot",
    "EinsteinGPT",
    "Eclair",
    "SCRT",
    "Interaction",
    "PwdlessLogin",
    "ForgotPassword",
    "UserRegistration",
    "CDP",
    "CDPProfile",
    "CDPIngest",
    "CDPQuery",
    "CDPSegment",
    "CDPIdentityResolution",
    "CDPCalculatedInsight",
    "DataCloudUserClaims",
)
# REPORTED texts.
NO_PARENT = "Enter the name of the parent external client app"
NO_OAUTH = (
    "The external client app configured in your global OAuth Settings "
    "doesn't have a valid OAuth settings configuration."
)
NO_RUN_AS = "Enter a valid execution user for the OAuth client credentials flow."
BAD_SESSION_TIMEOUT = "Invalid plugin settings"
SUFFIXES = {
    "default_policy": {OAUTH_POLICY: "_defaultPolicy", POLICY: "_defaultPolicy"},
    "setup": {OAUTH_POLICY: "_oauthPlcy", POLICY: "_plcy"},
}


def available(org: Org, version: float) -> bool:
    return org.external_client_apps_enabled and version >= FIRST_VERSION


def find(org: Org, kind: str, full_name: str) -> tuple[str, Part] | None:
    """Find the app's name and its component of this type and name."""
    return next(((name, part) for name, part in components(org, kind) if part.name == full_name), None)


def components(org: Org, kind: str) -> Iterator[tuple[str, Part]]:
    return ((name, app.parts[kind]) for name, app in org.external_client_apps.items() if kind in app.parts)


# -- reading -----------------------------------------------------------------------------------------------------------


def render(org: Org, kind: str, full_name: str, version: float) -> str | None:
    """Write a component's elements; None where there is no such one."""
    found = find(org, kind, full_name)
    if found is None:
        return None
    name, part = found
    return schemas.render(
        schemas.SCHEMAS[kind], full_name, _readable(org, org.external_client_apps[name], kind, part), version
    )


def _readable(org: Org, app: ExternalClientApp, kind: str, part: Part) -> dict[str, str]:
    values = dict(part.values)
    if kind == GLOBAL and app.consumer:
        values["consumerKey"] = app.consumer.key
        if org.switches.eca_secret_read == "masked":
            values["consumerSecret"] = "*" * 8
        shown = org.switches.eca_certificate_read
        if "certificate" in values and shown != "pem":
            values["certificate"] = "".join(values["certificate"].splitlines()[1:-1])
            if shown == "absent":
                del values["certificate"]
    if kind == OAUTH_POLICY and org.switches.eca_grant == "same_rows":
        names = permission_set_names(org, app)
        values["commaSeparatedPermissionSet"] = ",".join(names)
        if not names:
            del values["commaSeparatedPermissionSet"]
    listed = values.get("commaSeparatedPermissionSet")
    if listed and org.switches.eca_permission_sets_read == "sorted":
        values["commaSeparatedPermissionSet"] = ", ".join(sorted(one.strip() for one in listed.split(",")))
    return values


def permission_set_names(org: Org, app: ExternalClientApp) -> list[str]:
    """Name the permission sets that open the app."""
    app_id = app.parts[APP].id
    sets = (org.grants.sets.get(set_id) for set_id, entity in org.grants.accesses.values() if entity == app_id)
    return [one.name for one in sets if one]


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass
class _Write:
    """One component on its way in."""

    saving: Saving
    kind: str
    full_name: str
    sent: dict[str, str]
    app: ExternalClientApp
    app_name: str

    @property
    def org(self) -> Org:
        return self.saving.caller.org

    @property
    def old(self) -> Part | None:
        return self.app.parts.get(self.kind)

    def values(self) -> dict[str, str]:
        """Return what is stored: the whole record as sent, or upon what it was."""
        schema = schemas.SCHEMAS[self.kind]
        kept = self.old.values if self.old and self.org.switches.eca_left_out == "kept" else schema.defaults
        return {**kept, **self.sent}


def save(saving: Saving, kind: str, element: Element) -> Change:
    """Write one component."""
    org, schema = saving.caller.org, schemas.SCHEMAS[kind]
    full_name = saving.full_name(element)
    drop = org.switches.eca_wrong_order == "dropped"
    sent = schemas.read(schema, element, saving.caller.version, drop_misplaced=drop)
    _check_required(org, schema, sent)
    if kind == APP:
        return _save_app(saving, full_name, sent)
    app_name = sent[PARENT]
    app = org.external_client_apps.get(app_name)
    unseen = saving.apps_before is not None and app_name not in saving.apps_before
    if app is None or (unseen and org.switches.eca_check_of_new_app == "refused"):
        raise Failure("INVALID_CROSS_REFERENCE_KEY", f"In field: {PARENT} - no {APP} named {app_name} found", [PARENT])
    app = org.external_client_apps[app_name] = app.copy()
    write = _Write(saving, kind, full_name, sent, app, app_name)
    _check_name(write)
    change = {OAUTH: _save_oauth, GLOBAL: _save_global, OAUTH_POLICY: _save_oauth_policy, POLICY: _save_policy}[kind](
        write
    )
    if kind == OAUTH and org.switches.eca_own_policy_name == "refused":
        make_policies(saving.state, org, saving.caller.user.id)
    return change


def _check_required(org: Org, schema: schemas.Schema, sent: dict[str, str]) -> None:
    for name in schema.required:
        if sent.get(name) or (name == "isEnabled" and not org.switches.eca_enabled_required):
            continue
        text = NO_PARENT if name == PARENT else f"Required field is missing: {name}"
        raise Failure("REQUIRED_FIELD_MISSING", text, [name])


def _check_name(write: _Write) -> None:
    """Refuse a second component of a type; whether another name may take its place is UNKNOWN for policies."""
    old, switches = write.old, write.org.switches
    other = find(write.org, write.kind, write.full_name)
    if other and other[0] != write.app_name:
        raise Failure("DUPLICATE_DEVELOPER_NAME", f"The name {write.full_name} already exists", ["fullName"])
    if old is None:
        write.saving.may_create(write.full_name)
        return
    if old.name != write.full_name:
        own = old.name in default_names(write.org, write.app, write.app_name).values()
        if not (write.kind in (OAUTH_POLICY, POLICY) and own and switches.eca_own_policy_name == "replaces"):
            field = {OAUTH_POLICY: "ExtlClntAppOauthSettingsId"}.get(write.kind, "ExternalClientApplicationId")
            # REPORTED x3 of the OAuth policy: it names the one that there is.
            text = f"DUPLICATE_VALUE: duplicate value found: {field} duplicates value on {old.name}"
            raise Failure("DUPLICATE_VALUE", text, [PARENT])
        old.name = write.full_name
    write.saving.may_update(write.full_name)


def _save_app(saving: Saving, name: str, sent: dict[str, str]) -> Change:
    org = saving.caller.org
    app = org.external_client_apps.get(name)
    scoped = f"{org.id[:15]}:{name}"
    if sent.get("orgScopedExternalApp", scoped) not in (scoped, f"{org.id}:{name}"):
        raise Failure("INVALID_FIELD", f"orgScopedExternalApp of another org: {sent['orgScopedExternalApp']}")
    if app is None:
        saving.may_create(name)
        if f"name:{name}" in org.deleted_apps and org.switches.eca_name_again == "refused":
            raise Failure(
                "DUPLICATE_DEVELOPER_NAME", f"The name {name} already exists or was used before", ["fullName"]
            )
        app = org.external_client_apps[name] = ExternalClientApp()
    else:
        saving.may_update(name)
        app = org.external_client_apps[name] = app.copy()
    write = _Write(saving, APP, name, sent, app, name)
    return _store(write, {"label": name, **write.values(), "orgScopedExternalApp": scoped})


def _save_oauth(write: _Write) -> Change:
    scopes = [one.strip() for one in write.sent.get("commaSeparatedOauthScopes", "").split(",") if one.strip()]
    unknown = [one for one in scopes if one not in SCOPES]
    if unknown:
        text = f"Invalid OAuth scope {unknown[0]}. Valid values are: {', '.join(SCOPES)}"
        raise Failure("INVALID_FIELD", text, ["commaSeparatedOauthScopes"])
    return _store(write, write.values())


def _save_global(write: _Write) -> Change:
    if OAUTH not in write.app.parts:
        raise Failure("INVALID_CROSS_REFERENCE_KEY", NO_OAUTH, [PARENT])
    switches, sent = write.org.switches, write.sent
    values = write.values()
    if "certificate" in sent:
        values["certificate"] = _certificate(sent["certificate"])
    elif write.old and "certificate" in write.old.values:
        values["certificate"] = write.old.values["certificate"]
        if switches.eca_certificate_left_out == "cleared":
            del values["certificate"]
    if switches.eca_pkce == "always":
        values["isPkceRequired"] = "true"
    key, secret, rotate_key, rotate_secret = (
        values.pop(name, "")
        for name in ("consumerKey", "consumerSecret", "shouldRotateConsumerKey", "shouldRotateConsumerSecret")
    )
    consumer = write.app.consumer
    if consumer is None:
        if key:
            _check_key(write, key)
        used = secret if switches.eca_given_secret == "used" else ""
        new_id = write.saving.state.ids.new(ids.CONSUMER)
        consumer = Consumer(new_id, key or ids.consumer_key(), used or new_secret())
        write.app.consumer = consumer
    elif key and key != consumer.key and switches.eca_other_key == "refused":
        raise Failure("FIELD_INTEGRITY_EXCEPTION", "The consumer key cannot be changed.", ["consumerKey"])
    if "true" in (rotate_key, rotate_secret):
        write.saving.warn("The consumer key or secret is rotated: clients that use it can no longer log in")
        consumer.key = ids.consumer_key() if rotate_key == "true" else consumer.key
        consumer.secret = new_secret() if rotate_secret == "true" else consumer.secret
    return _store(write, values)


def new_secret() -> str:
    """Make 64 hexadecimal digits in capitals, as consumer secrets are."""
    return secrets.token_hex(32).upper()


def _certificate(text: str) -> str:
    """Read a whole PEM, or only its base64 body (REPORTED, both), as a PEM."""
    body = re.sub(r"-----(BEGIN|END) CERTIFICATE-----|\s", "", text)
    try:
        x509.load_der_x509_certificate(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError):
        raise Failure("INVALID_FIELD", "The certificate is not valid.", ["certificate"]) from None
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"))


def _check_key(write: _Write, key: str) -> None:
    """Refuse a key that is no key, or taken; length and uniqueness are CONFIRMED of connected apps."""
    state, switches = write.saving.state, write.org.switches
    plain = switches.eca_key_format == "any" or (key.isascii() and key.isalnum())
    if not (plain and 8 <= len(key) <= 256):
        raise Failure("INVALID_FIELD", "The consumer key must have 8 to 256 letters and digits.", ["consumerKey"])
    deleted = any(f"key:{key}" in org.deleted_apps for org in state.orgs.values())
    if key_taken(state, key) or (deleted and switches.eca_key_again == "refused"):
        text = switches.eca_key_taken
        code = "DUPLICATE_VALUE" if text.startswith("duplicate") else "FIELD_INTEGRITY_EXCEPTION"
        raise Failure(code, f"{text}: consumer key" if text.startswith("duplicate") else text, ["consumerKey"])


def key_taken(state: State, key: str) -> bool:
    return key in state.apps or any(
        key in (app.consumer.key, app.consumer.staged and app.consumer.staged.key)
        for org in state.orgs.values()
        for app in org.external_client_apps.values()
        if app.consumer
    )


def _save_oauth_policy(write: _Write) -> Change:
    if OAUTH not in write.app.parts:
        raise Failure("INVALID_CROSS_REFERENCE_KEY", NO_OAUTH, [PARENT])
    switches, values = write.org.switches, write.values()
    relaxation = {one.lower(): one for one in IP_RELAXATION}.get(values["ipRelaxationPolicyType"].lower())
    if relaxation is None:
        listed = "Enforce, Bypass, Bypass_2factor, Enforce_relaxrefresh"  # REPORTED spelling of the last
        raise Failure("INVALID_FIELD", f"ipRelaxationPolicyType is one of {listed}", ["ipRelaxationPolicyType"])
    values["ipRelaxationPolicyType"] = relaxation
    if "sessionTimeoutInMinutes" in write.sent and switches.eca_session_timeout == "refused":
        raise Failure("INVALID_FIELD", BAD_SESSION_TIMEOUT, ["sessionTimeoutInMinutes"])
    _check_run_as(write, values)
    _grant(write, values)
    values = {name: value for name, value in values.items() if value}
    return _store(write, values)


def _check_run_as(write: _Write, values: dict[str, str]) -> None:
    org, name = write.org, values.get("clientCredentialsFlowUser", "")
    if not name and values.get("isClientCredentialsFlowEnabled") != "true":
        return
    user = next((one for one in org.users.values() if one.username.lower() == name.lower()), None)
    allowed = user and (not org.switches.eca_run_as_api_only or "ApiUserOnly" in org.permissions(user))
    if not allowed:
        raise Failure("INVALID_FIELD", NO_RUN_AS, ["clientCredentialsFlowUser"])


def _grant(write: _Write, values: dict[str, str]) -> None:
    """Add and remove rows of SetupEntityAccess as the list of permission sets says."""
    org, switches = write.org, write.org.switches
    left_out = "commaSeparatedPermissionSet" not in write.sent
    old = write.old.values.get("commaSeparatedPermissionSet", "") if write.old else ""
    if left_out and write.old and switches.eca_grant_left_out == "kept":
        values["commaSeparatedPermissionSet"] = old
        return
    listed = "" if left_out else write.sent["commaSeparatedPermissionSet"]
    wanted = _permission_sets(org, listed)
    values["commaSeparatedPermissionSet"] = ",".join(org.grants.sets[one].name for one in wanted)
    if switches.eca_grant == "no_rows" or (left_out and write.old is None):
        return
    ends = set(_permission_sets(org, old, strict=False))
    app_id, accesses = write.app.parts[APP].id, org.grants.accesses
    for row, (set_id, entity) in list(accesses.items()):
        if entity == app_id and set_id not in wanted and (switches.eca_grant == "same_rows" or set_id in ends):
            del accesses[row]
    open_already = {set_id for set_id, entity in accesses.values() if entity == app_id}
    for set_id in wanted:
        if set_id not in open_already:
            accesses[write.saving.state.ids.new(ids.SETUP_ENTITY_ACCESS)] = (set_id, app_id)


def _permission_sets(org: Org, listed: str, *, strict: bool = True) -> list[str]:
    """Find the ids of the permission sets in a list of names or ids."""
    takes = org.switches.eca_permission_sets
    found = []
    for word in filter(None, (one.strip() for one in listed.split(","))):
        by_name = org.grants.find(word) if takes in ("names", "both") or not strict else None
        by_id = org.grants.sets.get(ids.long_id(word)) if takes in ("ids", "both") and len(word) in (15, 18) else None
        one = by_name or by_id
        if one:
            found.append(one.id)
        elif strict:
            # REPORTED text.
            raise Failure(
                "INVALID_FIELD", f"We couldn't find permission sets called {word}.", ["commaSeparatedPermissionSet"]
            )
    return found


def _save_policy(write: _Write) -> Change:
    return _store(write, write.values())


def _store(write: _Write, values: dict[str, str]) -> Change:
    state, user_id = write.saving.state, write.saving.caller.user.id
    now, old = state.clock.now(), write.old
    if old is None:
        prefix = ids.EXTERNAL_CLIENT_APP if write.kind == APP else ids.APP_PART
        part = Part(state.ids.new(prefix), write.full_name, values, user_id, now, now)
        write.app.parts[write.kind] = part
        return Change(created=True, changed=True, id=part.id)
    changed = old.values != values
    if changed:
        old.values, old.changed = values, now
    return Change(created=False, changed=changed, id=old.id)


# -- what the org does by itself ---------------------------------------------------------------------------------------


def default_names(org: Org, app: ExternalClientApp, app_name: str) -> dict[str, str]:
    """Name the policies that the org makes (REPORTED x5, and two more where pages of Setup made them)."""
    suffixes = SUFFIXES[org.switches.eca_default_policy_names]
    oauth = (
        app_name
        if org.switches.eca_default_policy_names == "setup" or OAUTH not in app.parts
        else app.parts[OAUTH].name
    )
    return {OAUTH_POLICY: f"{oauth}{suffixes[OAUTH_POLICY]}", POLICY: f"{app_name}{suffixes[POLICY]}"}


def make_policies(state: State, org: Org, user_id: str) -> None:
    """Make policies for apps that have OAuth settings and none of their own."""
    if org.switches.eca_default_policies == "none":
        return
    now = state.clock.now()
    for app_name, app in list(org.external_client_apps.items()):
        if OAUTH not in app.parts or {OAUTH_POLICY, POLICY} <= app.parts.keys():
            continue
        app = org.external_client_apps[app_name] = app.copy()
        for kind, name in default_names(org, app, app_name).items():
            if kind not in app.parts:
                values = {**schemas.SCHEMAS[kind].defaults, PARENT: app_name, "label": name}
                app.parts[kind] = Part(state.ids.new(ids.APP_PART), name, values, user_id, now, now)


def delete(org: Org, kind: str, full_name: str) -> bool:
    """Delete a component, or the whole app with it; False where there is none."""
    found = find(org, kind, full_name)
    if found is None:
        return False
    app_name, _unused = found
    app = org.external_client_apps[app_name]
    if kind != APP:
        app = org.external_client_apps[app_name] = app.copy()
        del app.parts[kind]
        return True
    if len(app.parts) > 1 and org.switches.eca_delete_alone == "refused":
        rest = ", ".join(sorted(part.name for one, part in app.parts.items() if one != APP))
        raise Failure("DELETE_FAILED", f"This external client app is referenced elsewhere: {rest}")
    app_id = app.parts[APP].id
    org.grants.accesses = {row: pair for row, pair in org.grants.accesses.items() if pair[1] != app_id}
    org.deleted_apps.add(f"name:{app_name}")
    if app.consumer:
        org.deleted_apps.add(f"key:{app.consumer.key}")
    del org.external_client_apps[app_name]
    return True
