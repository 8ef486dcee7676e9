# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins by SOAP, sessions, and what the login history says of them."""

from __future__ import annotations

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import Session

from ..calls import Caller, Refusal
from ..scene import DOCUMENTATION, Scene, Unanswered, new_password, once
from . import one_of, question

OFF = "is disabled by default in this org"
TOKEN_REQUIRED = "Failed: API security token required"


@once
def outside(scene: Scene) -> str:
    """The name of a profile whose login range is not where this runs."""
    return scene.new_profile(ranges=[DOCUMENTATION])


@once
def first_refusal(scene: Scene) -> Refusal:
    """How the right password without a token is refused."""
    return scene.refused(scene.set_password())


@once
def wrong_token(scene: Scene) -> str:
    """The status of the right password with a wrong token."""
    return scene.status_after(lambda: _by_soap(scene.refused(scene.set_password() + "A1" * 12)))


@once
def wrong_password(scene: Scene) -> str:
    """The status of a wrong password."""
    scene.require("password")
    return scene.status_after(lambda: _by_soap(scene.refused(new_password())))


@once
def restricted(scene: Scene) -> str:
    """The status of the right password at an address that the profile refuses."""
    password = scene.set_password()
    with scene.moved_to(outside(scene)):
        return scene.status_after(lambda: _by_soap(scene.refused(password)))


def _by_soap(refusal: Refusal) -> Refusal:
    if OFF in refusal.text:
        raise Unanswered("SOAP login is off in this org")
    return refusal


@question("order of the checks of a login", "user", "password", "login")
def range_check(scene: Scene) -> str:
    """Are login ranges of a profile looked at before the password?"""
    scene.require("password")
    with scene.moved_to(outside(scene)):
        refusal = _by_soap(scene.refused(new_password()))
    return {"LOGIN_DURING_RESTRICTED_DOMAIN": "before_credentials", "INVALID_LOGIN": "after_credentials"}[
        one_of(refusal.code, "LOGIN_DURING_RESTRICTED_DOMAIN", "INVALID_LOGIN")
    ]


@question("codes of refused logins", "user", "password", "login")
def missing_token(scene: Scene) -> str:
    """Which code does the right password without a token get?"""
    return one_of(_by_soap(first_refusal(scene)).code, "LOGIN_MUST_USE_SECURITY_TOKEN", "INVALID_LOGIN")


@question("status texts of the login history", "user", "password", "login")
def wrong_token_status(scene: Scene) -> str:
    """What does the login history say of a wrong token?"""
    status = wrong_token(scene)
    return "Invalid password" if status.lower() == "invalid password" else one_of(status, TOKEN_REQUIRED)


@question("status texts of the login history", "user", "password", "login")
def status_case(scene: Scene) -> str:
    """Is it `Invalid password` or `Invalid Password`?"""
    status = wrong_token(scene)
    if status.lower() != "invalid password":
        status = wrong_password(scene)
    return {"Invalid password": "sentence", "Invalid Password": "title"}[
        one_of(status, "Invalid password", "Invalid Password")
    ]


@question("status texts of the login history", "user", "password", "login")
def restricted_ip_status(scene: Scene) -> str:
    """What does the login history say of a login from a refused address?"""
    return one_of(restricted(scene), "Restricted IP", "Failed: IP Restricted")


@once
def at_v65(scene: Scene) -> Refusal:
    """How a login at version 65 is refused."""
    return scene.refused(scene.set_password(), version="65.0")


@question("SOAP login at version 65", "user", "password", "login")
def login_v65(scene: Scene) -> str:
    """Which code does a login at API version 65 get?"""
    return one_of(at_v65(scene).code, "INVALID_OPERATION", "UNSUPPORTED_API_VERSION")


@question("form of SOAP faults", "user", "password", "login")
def faultcode(scene: Scene) -> str:
    """Does `faultcode` have a prefix?"""
    return "prefixed" if ":" in at_v65(scene).raw_code else "bare"


@question("SOAP login that is off", "user", "password", "login")
def soap_login_off_text(scene: Scene) -> str:
    """How does an org word that SOAP login is off?"""
    text = first_refusal(scene).text
    if OFF not in text:
        raise Unanswered("SOAP login is on in this org, or is looked at after the password and the token")
    return "SOAP API login()" if "SOAP API login()" in text else "SOAP API login"


@question("SOAP login that is off", "user", "password", "login")
def soap_login_off_check(scene: Scene) -> str:
    """Does an org where SOAP login is off look at that before the password and the token?"""
    if OFF in first_refusal(scene).text:
        return "first"
    if scene.asks_yes("Is Setup > User Interface > Enable SOAP API login() switched off?"):
        return "last"
    raise Unanswered("SOAP login is on in this org")


@question("logins at a host that the org does not allow", "user", "password", "login")
def wrong_host_code(scene: Scene) -> str:
    """Which code does a SOAP login get at a login host that My Domain forbids?"""
    login_url = scene.admin.connection.login_url
    if login_url.rstrip("/") == scene.admin.url:
        raise Unanswered("give the login host (login.salesforce.com or test.salesforce.com) as login_url")
    if not scene.asks_yes("Does Setup > My Domain > Policies prevent logins from login or test.salesforce.com?"):
        raise Unanswered("the org allows logins at the login hosts")
    return one_of(_by_soap(scene.refused(scene.set_password())).code, "INVALID_LOGIN", "LOGIN_DURING_RESTRICTED_DOMAIN")


@question("values of the login history")
def login_type(scene: Scene) -> str:
    """Does a query show the value of LoginType, or its label?"""
    rows = scene.admin.query("SELECT LoginType FROM LoginHistory ORDER BY LoginTime DESC LIMIT 200")
    labels = {"Other Apex API", "Remote Access 2.0", "Partner Product", "Remote Access Client"}
    values = {"OtherApi", "Oauth2", "Partner", "Oauth"}
    shown = {str(row["LoginType"]) for row in rows}
    if bool(shown & labels) == bool(shown & values):
        raise Unanswered("the login history has no login by the API or an app, or both forms")
    return "label" if shown & labels else "value"


@question("texts of sessions")
def invalid_session_text(scene: Scene) -> str:
    """What does SOAP say of a session that does not exist?"""
    # Of this org, but nobody's.
    org_id = str(scene.admin.query("SELECT Id FROM Organization")[0]["Id"])[:15]
    nobody = Session(access_token=f"{org_id}!AQ0AQNobody", instance_url=scene.admin.url)
    try:
        Caller(scene.admin.connection, nobody).soap("u", "getUserInfo")
    except Refusal as exc:
        if exc.code != "INVALID_SESSION_ID" or "Illegal Session" not in exc.text:
            raise Unanswered(f"another answer than those that are known: {exc.code}") from None
        return "long" if "missing session hash" in exc.text else "short"
    raise Unanswered("a session that does not exist was accepted")


@question("reading the login history")
def source_ip_filterable(scene: Scene) -> bool:
    """Can LoginHistory be filtered by SourceIp?"""
    try:
        scene.admin.query("SELECT Id FROM LoginHistory WHERE SourceIp = '192.0.2.1' LIMIT 1")
    except Refusal as exc:
        one_of(exc.code, "INVALID_FIELD", "MALFORMED_QUERY")
        return False
    return True


@question("sizes of answers")
def query_batch_size(scene: Scene) -> int:
    """How many records does one page of a query hold?"""
    for table in ("LoginHistory", "SetupAuditTrail", "FieldPermissions", "ObjectPermissions", "User"):
        try:
            answer = scene.admin.rest("GET", "query", params={"q": f"SELECT Id FROM {table}"}).json  # noqa: S608
        except Refusal:
            continue
        if not answer["done"]:
            return len(answer["records"])
    raise Unanswered("no table of this org has more rows than one page")
