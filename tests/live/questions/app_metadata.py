# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External Client Apps as packages write them: components, policies, keys, deletion."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import (
    APP,
    GLOBAL,
    OAUTH,
    OAUTH_POLICY,
    PARENT,
    POLICY,
)

from .. import apps
from ..apps import create, describe, made, policies, shown
from ..calls import Refusal
from ..packages import Deployed, Part, deploy
from ..scene import Scene, Unanswered, once
from ..undo import parts_of
from . import one_of, question

_BY_ITSELF = (APP, OAUTH, GLOBAL)
_ALL = (*_BY_ITSELF, OAUTH_POLICY, POLICY)


def _accepted(done: Deployed, *, but: Callable[[], object]) -> str:
    """Say whether it was accepted; a refusal counts only where what differs in one thing is accepted."""
    if done:
        return "accepted"
    if not but():
        raise Unanswered(f"refused, and so is what is right but for it: {done.problem}")
    return "refused"


@once
def other(scene: Scene) -> apps.App:
    """A second app, on which policies and certificates are tried."""
    return create(scene, describe(scene))


@question("orgs without External Client Apps", "app")
def eca_off(scene: Scene) -> str:
    """What does an org say to the types of External Client Apps that has none of them?"""
    done = scene.deploy(*describe(scene).only(APP), check_only=True)
    if done:
        raise Unanswered("the org has External Client Apps")
    if "Unknown type name" in done.problem:
        return "unknown_type"
    return "not_available" if "not available" in done.problem.lower() else one_of(done.problem)


@question("permissions for apps", "user", "app")
def eca_permission(scene: Scene) -> str:
    """Does writing an app need a permission beside the one to change metadata?"""
    who, parts = apps.session(scene), describe(scene).only(APP)
    with scene.granted("ModifyMetadata"):
        if deploy(who, scene.wait, parts, check_only=True):
            return "metadata"
    with scene.granted("ModifyMetadata", "ExternalClientAppAdmin"):
        done = deploy(who, scene.wait, parts, check_only=True)
    return "ExternalClientAppAdmin" if done else one_of(done.problem)


@question("createMetadata and its kin for apps", "app")
def eca_crud(scene: Scene) -> str:
    """Do the CRUD calls take apps, their policies only, or neither?"""
    app = describe(scene)
    try:
        if scene.admin.write("create", APP, app.name, app.parts[APP].body):
            return "all"
    except Refusal as exc:
        one_of(exc.code, "INVALID_TYPE", "INVALID_TYPE_FOR_OPERATION")
    policy = other(scene).parts[POLICY]
    try:
        done = scene.admin.write("update", POLICY, policy.name, policy.body)
    except Refusal:
        return "refused"
    return "policies" if done else one_of(done.problem)


@question("checks of new apps", "app")
def eca_check_of_new_app(scene: Scene) -> str:
    """Is a check only of components accepted whose app is in the same package?"""
    done = scene.deploy(*describe(scene).only(*_BY_ITSELF), check_only=True)
    return _accepted(done, but=lambda: other(scene))


@question("order of elements", "app")
def eca_wrong_order(scene: Scene) -> str:
    """Are elements in a wrong order refused, or dropped in silence?"""
    app = describe(scene)
    oauth = app.parts[OAUTH]
    # The label comes last by the schema.
    wrong = Part(OAUTH, oauth.name, [(PARENT, app.name), ("label", app.name), ("commaSeparatedOauthScopes", "Api")])
    done = scene.deploy(*app.only(APP), wrong)
    if not done:
        return _accepted(done, but=lambda: scene.deploy(*app.only(APP, OAUTH)))
    if "Api" in shown(scene, app, OAUTH).get("commaSeparatedOauthScopes", ""):
        raise Unanswered("elements in a wrong order were taken")
    return "dropped"


@question("elements that are left out", "app")
def eca_left_out(scene: Scene) -> str:
    """Do elements that a later write leaves out fall back to their defaults?"""
    app = describe(scene).changed(APP, contactPhone="555-0100")
    if not scene.deploy(*app.only(APP)):
        raise Unanswered("the org takes no app")
    if not scene.deploy(*app.changed(APP, contactPhone=None).only(APP)):
        raise Unanswered("the org takes no second write of an app")
    return "kept" if shown(scene, app, APP).get("contactPhone") else "reset"


@question("certificates of apps", "app")
def eca_certificate_read(scene: Scene) -> str:
    """How is the certificate of an app shown?"""
    text = shown(scene, other(scene), GLOBAL).get("certificate", "")
    if not text:
        return "absent"
    return "pem" if text.startswith("-----BEGIN") else "body"


@question("policies that the org makes", "app")
def eca_default_policies(scene: Scene) -> str:
    """Does the org make policies by itself?"""
    return "made" if made(scene).had_policies else "none"


@question("policies that the org makes", "app")
def eca_default_policy_names(scene: Scene) -> str:
    """How does the org name the policies that it makes?"""
    had, name = made(scene).had_policies, made(scene).app.name
    if not had:
        raise Unanswered("the org makes no policies")
    forms = {
        "default_policy": {OAUTH_POLICY: f"{name}_oauth_defaultPolicy", POLICY: f"{name}_defaultPolicy"},
        "setup": {OAUTH_POLICY: f"{name}_oauthPlcy", POLICY: f"{name}_plcy"},
    }
    found = [form for form, names in forms.items() if names == had]
    return found[0] if found else one_of(", ".join(had.values()).replace(name, "APP"))


def _with_own_policies(app: apps.App) -> apps.App:
    parts = {
        kind: Part(kind, f"{app.name}_own{kind[-8:]}", app.parts[kind].elements) for kind in (OAUTH_POLICY, POLICY)
    }
    return apps.App(app.name, {**app.parts, **parts}, app.key)


@question("policies of another name", "app")
def eca_own_policy_name(scene: Scene) -> str:
    """When is a policy of another name than the org's own kept?"""
    app = _with_own_policies(describe(scene))
    done = scene.deploy(*app.only(*_ALL))
    if not done:
        return "refused" if "DUPLICATE" in done.problem else one_of(done.problem)
    if set(policies(scene, app).values()) != {app.parts[OAUTH_POLICY].name, app.parts[POLICY].name}:
        raise Unanswered("the org takes policies of other names, and shows other ones")
    late = create(scene, describe(scene))
    if not policies(scene, late):
        raise Unanswered("the org makes no policies, so none can be in the way")
    done = scene.deploy(*_with_own_policies(late).only(POLICY))
    if not done:
        return "same_package" if "duplicate" in done.problem.lower() else one_of(done.problem)
    return "replaces"


@question("elements that are required", "app")
def eca_enabled_required(scene: Scene) -> bool:
    """Is a policy without `isEnabled` refused?"""
    app = other(scene)
    done = scene.deploy(*app.changed(POLICY, isEnabled=None).only(POLICY), check_only=True)
    return _accepted(done, but=lambda: scene.deploy(*app.only(POLICY), check_only=True)) == "refused"


@question("session timeout of a policy", "app")
def eca_session_timeout(scene: Scene) -> str:
    """Is `sessionTimeoutInMinutes` taken in a policy?"""
    app = other(scene)
    done = scene.deploy(*app.changed(OAUTH_POLICY, sessionTimeoutInMinutes="60").only(OAUTH_POLICY), check_only=True)
    return _accepted(done, but=lambda: scene.deploy(*app.only(OAUTH_POLICY), check_only=True))


@question("PKCE of an app", "app")
def eca_pkce(scene: Scene) -> str:
    """Does `isPkceRequired` stay as it is sent?"""
    value = shown(scene, other(scene), GLOBAL).get("isPkceRequired", "false")
    return {"false": "as_sent", "true": "always"}[one_of(value, "false", "true")]


@question("user of client credentials", "user", "app")
def eca_run_as_api_only(scene: Scene) -> bool:
    """Must the user of client credentials have the permission API Only?"""
    app = create(scene, describe(scene).changed(GLOBAL, isClientCredentialsFlowEnabled="true"))
    _unused = scene.user_id
    policy = app.changed(
        OAUTH_POLICY, isClientCredentialsFlowEnabled="true", clientCredentialsFlowUser=scene.username
    ).only(OAUTH_POLICY)
    if scene.deploy(*policy):
        return False
    with scene.granted("ApiUserOnly"):
        done = scene.deploy(*policy)
    return True if done else bool(one_of(done.problem))


# -- keys --------------------------------------------------------------------------------------------------------------


@question("consumer keys", "app")
def eca_other_key(scene: Scene) -> str:
    """What does a write with another consumer key do?"""
    app = create(scene, describe(scene))
    before = apps.consumer_key(scene, app)
    if not scene.deploy(*app.changed(GLOBAL, consumerKey=apps.random_key()).only(GLOBAL)):
        return "refused"
    if apps.consumer_key(scene, app) != before:
        raise Unanswered("the app has another key now")
    return "ignored"


@question("consumer keys", "app")
def eca_key_format(scene: Scene) -> str:
    """May a consumer key have other characters than letters and digits?"""
    done = _with_key(scene, f"{apps.random_key()}._-")
    plain = _accepted(done, but=lambda: _with_key(scene, f"{apps.random_key()}abc"))
    return "any" if plain == "accepted" else "alphanumeric"


def _with_key(scene: Scene, key: str) -> Deployed:
    return scene.deploy(*describe(scene).changed(GLOBAL, consumerKey=key).only(*_BY_ITSELF))


@question("consumer keys", "app")
def eca_key_taken(scene: Scene) -> str:
    """What does the org say to a consumer key that another app has?"""
    key = apps.random_key()
    if not _with_key(scene, key):
        raise Unanswered("the org takes no consumer key")
    done = _with_key(scene, key)
    if done:
        raise Unanswered("two apps may have the same key")
    texts = ("The consumer key is already taken.", "duplicate value found")
    return next((text for text in texts if text.lower() in done.problem.lower()), "") or one_of(done.problem)


@question("consumer secrets in metadata", "app")
def eca_secret_read(scene: Scene) -> str:
    """Is the consumer secret absent from metadata, or masked?"""
    secret = shown(scene, other(scene), GLOBAL).get("consumerSecret", "")
    if not secret:
        return "absent"
    if set(secret) <= set("*•x"):
        return "masked"
    raise Unanswered("the org shows something that looks like the secret itself")


# -- permission sets ---------------------------------------------------------------------------------------------------


@once
def two_sets(scene: Scene) -> list[tuple[str, str]]:
    """Names and ids of two permission sets, the later of the alphabet first."""
    _unused = scene.user_id
    return [scene.new_permission_set(assign=False) for _number in range(2)][::-1]


def _list_policy(app: apps.App, *words: str) -> list[Part]:
    values = {"permittedUsersPolicyType": "AdminApprovedPreAuthorized", "commaSeparatedPermissionSet": ",".join(words)}
    return app.changed(OAUTH_POLICY, **values).only(OAUTH_POLICY)


@question("permission sets of a policy", "user", "app")
def eca_permission_sets(scene: Scene) -> str:
    """Does the list of permission sets take names, ids, or both?"""
    (name, set_id), app = two_sets(scene)[0], other(scene)
    by_name, by_id = (scene.deploy(*_list_policy(app, word), check_only=True) for word in (name, set_id))
    if not by_name and not by_id:
        return one_of(f"{by_name.problem}; {by_id.problem}")
    return "both" if by_name and by_id else "names" if by_name else "ids"


@once
def listed(scene: Scene) -> tuple[apps.App, int]:
    """An app with two permission sets in its list, and whether the list takes names (0) or ids (1)."""
    app, kind = create(scene, describe(scene)), int(eca_permission_sets(scene) == "ids")
    done = scene.deploy(*_list_policy(app, *(one[kind] for one in two_sets(scene))))
    if not done:
        raise Unanswered(f"the org takes no list of two permission sets: {done.problem}")
    return app, kind


@question("permission sets of a policy", "user", "app")
def eca_permission_sets_read(scene: Scene) -> str:
    """Is the list of permission sets shown as it was sent?"""
    app, _kind = listed(scene)
    text = shown(scene, app, OAUTH_POLICY).get("commaSeparatedPermissionSet", "")
    names = [name for name, _unused in two_sets(scene)]
    forms = {",".join(names): "as_sent", ", ".join(sorted(names)): "sorted", ",".join(sorted(names)): "sorted"}
    return forms[one_of(text, *forms)]


@question("grants of a policy", "user", "app")
def eca_grant(scene: Scene) -> str:
    """Does the list make rows of SetupEntityAccess, and does it end those that were made by REST?"""
    app, kind = create(scene, describe(scene)), listed(scene)[1]
    first, second = two_sets(scene)
    if not scene.deploy(*_list_policy(app, first[kind])):
        raise Unanswered("the org takes no list of permission sets")
    if first[1] not in apps.opened_by(scene, app):
        return "no_rows"
    scene.admin.create("SetupEntityAccess", ParentId=second[1], SetupEntityId=apps.app_id(scene, app))
    # Another write of the same list.
    if not scene.deploy(*_list_policy(app, first[kind])):
        raise Unanswered("the org takes no second write of the list")
    return "own_rows" if second[1] in apps.opened_by(scene, app) else "same_rows"


@question("grants of a policy", "user", "app")
def eca_grant_left_out(scene: Scene) -> str:
    """Does a write of the policy without the list drop its grants?"""
    app, kind = create(scene, describe(scene)), listed(scene)[1]
    first = two_sets(scene)[0]
    if not scene.deploy(*_list_policy(app, first[kind])):
        raise Unanswered("the org takes no list of permission sets")
    before = (_names_listed(scene, app), apps.opened_by(scene, app))
    if not scene.deploy(*app.only(OAUTH_POLICY)):
        raise Unanswered("the org takes no policy without a list")
    after = (_names_listed(scene, app), apps.opened_by(scene, app))
    if after == before:
        return "kept"
    return "dropped" if not after[0] and not after[1] else one_of("the list and the rows differ afterwards")


def _names_listed(scene: Scene, app: apps.App) -> bool:
    return bool(shown(scene, app, OAUTH_POLICY).get("commaSeparatedPermissionSet"))


# -- deletion ----------------------------------------------------------------------------------------------------------


@question("deletion of apps", "app")
def eca_delete_alone(scene: Scene) -> str:
    """Is naming the app alone enough to delete it?"""
    app = create(scene, describe(scene))
    return _accepted(scene.deploy(delete=app.only(APP)), but=lambda: deleted(scene))


@question("deletion of apps", "app")
def eca_delete_metadata(scene: Scene) -> str:
    """Does deleteMetadata delete a component of an app?"""
    app = create(scene, describe(scene))
    try:
        done = scene.admin.delete(GLOBAL, app.parts[GLOBAL].name)
    except Refusal:
        return "refused"
    return "accepted" if done else "refused"


@once
def deleted(scene: Scene) -> tuple[apps.App, str]:
    """An app that is gone, and the consumer key that it had, which was given."""
    key = apps.random_key()
    app = create(scene, describe(scene).changed(GLOBAL, consumerKey=key))
    done = scene.deploy(delete=parts_of(scene.admin, app.name))
    if not done:
        raise Unanswered(f"the org deletes no app: {done.problem}")
    return app, key


@question("names and keys of deleted apps", "app")
def eca_name_again(scene: Scene) -> str:
    """Can the name of a deleted app be used again?"""
    app, _key = deleted(scene)
    return _accepted(scene.deploy(*app.only(APP)), but=lambda: scene.deploy(*describe(scene).only(APP)))


@question("names and keys of deleted apps", "app")
def eca_key_again(scene: Scene) -> str:
    """Can the consumer key of a deleted app be used again?"""
    done = _with_key(scene, deleted(scene)[1])
    return _accepted(done, but=lambda: _with_key(scene, apps.random_key()))
