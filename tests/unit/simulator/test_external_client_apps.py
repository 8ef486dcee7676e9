# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External Client Apps: what packages make of them, by all answers that are REPORTED, and who logs in by them."""

from __future__ import annotations

import datetime
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from .apps import assertion, key_pair
from .packages import (
    APP,
    GLOBAL,
    NAMES,
    OAUTH,
    OAUTH_POLICY,
    POLICY,
    Component,
    deploy,
    five,
    package,
    problems,
    read,
)
from .wire import RestAnswer, Wire

USER = "billing@acme.example"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def session(wire: Wire) -> str:
    """An administrator's session, in an org with a user and a permission set for the app."""
    wire.commands.add_user(USER, "Plain-Pony9", profile="Standard")
    wire.commands.set_permission_set("Billing_access", assigned=[USER])
    return wire.login().session


def make(wire: Wire, session: str, *, delete: Any = None, **changes: Any) -> None:
    """Deploy the app, which succeeds."""
    answer = deploy(wire, session, package(five(**changes), delete=delete))
    assert (answer.text("status"), problems(answer)) == ("Succeeded", {})


def only(kind: str, **elements: str) -> list[Component]:
    """One component alone."""
    return [one for one in five(**{kind: elements}) if one[0] == kind]


def token(wire: Wire, host: str = "login.example", **form: str) -> RestAnswer:
    request = urlencode(form)
    return RestAnswer(wire.send("POST", "/services/oauth2/token", request, host=host))


def key(wire: Wire, session: str) -> str:
    return read(wire, session, GLOBAL, "Billing_global")["consumerKey"]


def jwt_login(wire: Wire, consumer_key: str, *, user: str = USER, pair: str = "app", **claims: Any) -> RestAnswer:
    now = wire.sim.state.clock.now().timestamp()
    claims = {"iss": consumer_key, "sub": user, "aud": "https://login.salesforce.com", "exp": now + 120, **claims}
    return token(wire, grant_type=JWT, assertion=assertion(claims, private_key=key_pair(pair)[0]))


def refusal(answer: RestAnswer) -> tuple[str, str]:
    return answer.json["error"], answer.json["error_description"]


class TestMaking:
    def test_five_components_in_one_package_and_a_login_by_jwt(self, wire: Wire, session: str) -> None:
        make(wire, session)
        found = read(wire, session, GLOBAL, "Billing_global")
        assert found["consumerKey"].startswith("3MVG9")
        assert "consumerSecret" not in found
        answer = jwt_login(wire, found["consumerKey"])
        assert answer.status == 200
        assert answer.json["scope"] == "api refresh_token"
        row = wire.commands.login_history()[-1]
        assert (row["application"], row["status"]) == ("Billing robots", "Success")

    def test_the_same_package_again_changes_nothing(self, wire: Wire, session: str) -> None:
        make(wire, session)
        before = key(wire, session)
        answer = deploy(wire, session, package(five()))
        assert answer.texts("changed") == ["true"] + ["false"] * 5  # the first is of package.xml
        assert key(wire, session) == before

    def test_a_check_says_what_would_be_and_leaves_nothing(self, wire: Wire, session: str) -> None:
        answer = deploy(wire, session, package(five()), checkOnly=True)
        assert (answer.text("status"), answer.text("checkOnly")) == ("Succeeded", "true")
        assert answer.texts("created")[1:] == ["true"] * 5
        assert wire.commands.external_client_apps() == {}
        assert wire.query(session, "SELECT Id FROM SetupEntityAccess").records == []

    @pytest.mark.parametrize("switch", ["accepted", "refused"])
    def test_a_check_of_components_whose_app_is_new(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_check_of_new_app=switch)
        found = problems(deploy(wire, session, package(five()), checkOnly=True))
        assert (found == {}) is (switch == "accepted")
        make(wire, session)
        assert problems(deploy(wire, session, package(five()), checkOnly=True)) == {}

    def test_one_wrong_component_takes_back_the_others(self, wire: Wire, session: str) -> None:
        changes = {OAUTH_POLICY: {"permittedUsersPolicyType": "AdminApproved"}}
        answer = deploy(wire, session, package(five(**changes)))
        assert answer.text("status") == "Failed"
        assert list(problems(answer)) == [NAMES[OAUTH_POLICY]]
        assert wire.commands.external_client_apps() == {}

    def test_without_oauth_settings_global_ones_are_refused(self, wire: Wire, session: str) -> None:
        parts = [one for one in five() if one[0] in (APP, GLOBAL)]
        found = problems(deploy(wire, session, package(parts)))
        assert "doesn't have a valid OAuth settings configuration" in found[NAMES[GLOBAL]]

    @pytest.mark.parametrize(
        ("kind", "elements", "text"),
        [
            (OAUTH, {"commaSeparatedOauthScopes": "api"}, "Invalid OAuth scope api"),
            (OAUTH, {"externalClientApplication": "Nobody"}, "no ExternalClientApplication named Nobody"),
            (OAUTH_POLICY, {"ipRelaxationPolicyType": "Never"}, "Enforce_relaxrefresh"),
            (OAUTH_POLICY, {"isNamedUserJwtEnabled": "false"}, "not valid in version 66.0"),
            (OAUTH_POLICY, {"commaSeparatedPermissionSet": "Nobody"}, "We couldn't find permission sets called Nobody"),
            (OAUTH_POLICY, {"clientCredentialsFlowUser": "nobody@acme.example"}, "Enter a valid execution user"),
            (OAUTH_POLICY, {"nonsense": "x"}, "invalid at this location in type"),
            (GLOBAL, {"certificate": "bm8gY2VydGlmaWNhdGU="}, "certificate is not valid"),
            (GLOBAL, {"consumerKey": "short"}, "8 to 256"),
            (APP, {"orgScopedExternalApp": "00D000000000001:Billing"}, "another org"),
            (POLICY, {"isEnabled": ""}, "isEnabled"),
            (GLOBAL, {"externalClientApplication": ""}, "Enter the name of the parent external client app"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, wire: Wire, session: str, kind: str, elements: dict[str, str], text: str
    ) -> None:
        found = problems(deploy(wire, session, package(five(**{kind: elements})), checkOnly=True))
        assert text in found[NAMES[kind]]

    @pytest.mark.parametrize(
        ("switch", "text"), [("refused", "invalid at this location"), ("dropped", "Enter the name")]
    )
    def test_a_wrong_order(self, wire: Wire, session: str, switch: str, text: str) -> None:
        wire.commands.set_switches(eca_wrong_order=switch)
        make(wire, session)
        body = "<isClientCredentialsFlowEnabled>true</isClientCredentialsFlowEnabled>"
        wrong = f"{body}<externalClientApplication>Billing</externalClientApplication>"
        found = problems(deploy(wire, session, package([(GLOBAL, "Billing_global", wrong)])))
        assert text in found["Billing_global"]

    @pytest.mark.parametrize(
        ("switch", "problem"),
        [("not_available", "Not available for deploy for this organization"), ("unknown_type", "Unknown type name")],
    )
    def test_an_org_without_external_client_apps(self, wire: Wire, session: str, switch: str, problem: str) -> None:
        wire.commands.set_org(external_client_apps_enabled=False, switches={"eca_off": switch})
        answer = deploy(wire, session, package(five()))
        assert answer.text("status") == "Failed"
        assert all(problem in text for text in problems(answer).values())
        assert wire.read(session, APP, "Billing", version="66.0").code == "INVALID_TYPE"
        assert wire.query(session, "SELECT Id FROM ExternalClientApplication").error == "INVALID_TYPE"

    @pytest.mark.parametrize("switch", ["metadata", "ExternalClientAppAdmin"])
    def test_the_permission_that_it_needs(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_permission=switch)
        answer = deploy(wire, session, package(five()))
        assert answer.text("status") == ("Succeeded" if switch == "metadata" else "Failed")

    @pytest.mark.parametrize("switch", ["accepted", "refused"])
    def test_a_session_timeout(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_session_timeout=switch)
        changes = {OAUTH_POLICY: {"sessionTimeoutInMinutes": "15"}}
        found = problems(deploy(wire, session, package(five(**changes))))
        assert list(found.values()) == ([] if switch == "accepted" else ["Invalid plugin settings"])

    def test_the_proof_key_may_become_required(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_pkce="always")
        make(wire, session, **{GLOBAL: {"isPkceRequired": "false"}})
        assert read(wire, session, GLOBAL, "Billing_global")["isPkceRequired"] == "true"

    def test_nested_elements_come_back(self, wire: Wire, session: str) -> None:
        make(wire, session)
        ranges = (
            "<externalClientApplication>Billing</externalClientApplication>"
            "<trustedIpRanges><endIpAddress>192.0.2.9</endIpAddress><startIpAddress>192.0.2.1</startIpAddress>"
            "</trustedIpRanges>"
        )
        deploy(wire, session, package([(OAUTH, "Billing_oauth", ranges)]))
        answer = wire.read(session, OAUTH, "Billing_oauth")
        assert (answer.text("startIpAddress"), answer.text("endIpAddress")) == ("192.0.2.1", "192.0.2.9")


class TestPolicies:
    def test_the_org_makes_its_own(self, wire: Wire, session: str) -> None:
        deploy(wire, session, package([one for one in five() if one[0] in (APP, OAUTH)]))
        oauth = read(wire, session, OAUTH_POLICY, "Billing_oauth_defaultPolicy")
        assert (oauth["permittedUsersPolicyType"], oauth["ipRelaxationPolicyType"]) == ("AllSelfAuthorized", "Enforce")
        assert (oauth["refreshTokenPolicyType"], oauth["refreshTokenValidityPeriod"]) == ("SpecificLifetime", "365")
        assert read(wire, session, POLICY, "Billing_defaultPolicy")["isOauthPluginEnabled"] == "true"

    def test_or_it_does_not(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_default_policies="none")
        deploy(wire, session, package([one for one in five() if one[0] in (APP, OAUTH)]))
        assert read(wire, session, OAUTH_POLICY, "Billing_oauth_defaultPolicy") == {}

    def test_names_of_those_that_setup_makes(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_default_policy_names="setup")
        deploy(wire, session, package([one for one in five() if one[0] in (APP, OAUTH)]))
        assert read(wire, session, OAUTH_POLICY, "Billing_oauthPlcy") != {}
        assert read(wire, session, POLICY, "Billing_plcy") != {}

    @pytest.mark.parametrize(
        ("switch", "together", "later"),
        [("same_package", True, False), ("replaces", True, True), ("refused", False, False)],
    )
    def test_another_name(self, wire: Wire, session: str, switch: str, together: bool, later: bool) -> None:
        wire.commands.set_switches(eca_own_policy_name=switch)
        own = [(kind, "Mine" if kind == OAUTH_POLICY else name, one) for kind, name, one in five()]
        found = problems(deploy(wire, session, package(own), checkOnly=True))
        assert (found == {}) is together
        if not together:
            assert "DUPLICATE_VALUE" in found["Mine"]
            assert "ExtlClntAppOauthSettingsId duplicates value on Billing_oauth_defaultPolicy" in found["Mine"]
        deploy(wire, session, package([one for one in five() if one[0] in (APP, OAUTH)]))
        found = problems(deploy(wire, session, package([one for one in own if one[0] == OAUTH_POLICY])))
        assert (found == {}) is later

    def test_the_grant_is_a_row(self, wire: Wire, session: str) -> None:
        make(wire, session)
        row = wire.query(session, "SELECT Parent.Name, SetupEntityType FROM SetupEntityAccess").records[0]
        assert (row["Parent"]["Name"], row["SetupEntityType"]) == ("Billing_access", "ExternalClientApplication")

    @pytest.mark.parametrize("switch", ["dropped", "kept"])
    def test_a_policy_without_the_list(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_grant_left_out=switch)
        make(wire, session)
        assert jwt_login(wire, key(wire, session)).status == 200
        deploy(wire, session, package(only(OAUTH_POLICY, commaSeparatedPermissionSet="")))
        answer = jwt_login(wire, key(wire, session))
        if switch == "kept":
            assert answer.status == 200
        else:
            text = "user is not admin approved to access this app"
            assert refusal(answer) == ("invalid_app_access", text)

    @pytest.mark.parametrize(("switch", "rows"), [("same_rows", 1), ("own_rows", 2), ("no_rows", 1)])
    def test_rows_made_by_rest(self, wire: Wire, session: str, switch: str, rows: int) -> None:
        wire.commands.set_switches(eca_grant=switch)
        make(wire, session)
        app_id = wire.query(session, "SELECT Id FROM ExternalClientApplication").records[0]["Id"]
        other = wire.commands.set_permission_set("Other")["id"]
        body = json.dumps({"ParentId": other, "SetupEntityId": app_id})
        assert wire.rest(session, "sobjects/SetupEntityAccess", method="POST", body=body).status == 201
        deploy(wire, session, package(only(OAUTH_POLICY)))
        assert len(wire.query(session, "SELECT Id FROM SetupEntityAccess").records) == rows

    @pytest.mark.parametrize(("switch", "names", "by_id"), [("names", 1, 0), ("ids", 0, 1), ("both", 1, 1)])
    def test_names_or_ids(self, wire: Wire, session: str, switch: str, names: int, by_id: int) -> None:
        wire.commands.set_switches(eca_permission_sets=switch)
        for value, allowed in (
            ("Billing_access", names),
            (wire.commands.permission_set("Billing_access")["id"], by_id),
        ):
            changes = {OAUTH_POLICY: {"commaSeparatedPermissionSet": value}}
            assert (problems(deploy(wire, session, package(five(**changes)), checkOnly=True)) == {}) is bool(allowed)

    @pytest.mark.parametrize(
        ("switch", "shown"), [("as_sent", "Other,Billing_access"), ("sorted", "Billing_access, Other")]
    )
    def test_the_list_on_read(self, wire: Wire, session: str, switch: str, shown: str) -> None:
        wire.commands.set_switches(eca_permission_sets_read=switch)
        wire.commands.set_permission_set("Other")
        make(wire, session, **{OAUTH_POLICY: {"commaSeparatedPermissionSet": "Other, Billing_access"}})
        assert read(wire, session, OAUTH_POLICY, NAMES[OAUTH_POLICY])["commaSeparatedPermissionSet"] == shown

    @pytest.mark.parametrize(("switch", "shown"), [("reset", "365"), ("kept", "7")])
    def test_elements_left_out(self, wire: Wire, session: str, switch: str, shown: str) -> None:
        wire.commands.set_switches(eca_left_out=switch)
        make(wire, session, **{OAUTH_POLICY: {"refreshTokenValidityPeriod": "7"}})
        make(wire, session)
        assert read(wire, session, OAUTH_POLICY, NAMES[OAUTH_POLICY])["refreshTokenValidityPeriod"] == shown

    @pytest.mark.parametrize("required", [True, False])
    def test_is_enabled_left_out(self, wire: Wire, session: str, required: bool) -> None:
        wire.commands.set_switches(eca_enabled_required=required)
        make(wire, session)
        component = (
            "<fullName>Billing_defaultPolicy</fullName><externalClientApplication>Billing</externalClientApplication>"
        )
        answer = wire.update(session, component + "<isOauthPluginEnabled>false</isOauthPluginEnabled>", kind=POLICY)
        assert answer.text("success") == str(not required).lower()

    def test_profiles_go_by_their_labels(self, wire: Wire, session: str) -> None:
        changes = {OAUTH_POLICY: {"commaSeparatedPermissionSet": "", "commaSeparatedProfile": "Standard User"}}
        make(wire, session, **changes)
        assert jwt_login(wire, key(wire, session)).status == 200
        assert refusal(jwt_login(wire, key(wire, session), user=wire.admin.username))[0] == "invalid_app_access"


class TestKeyAndCertificate:
    def test_a_key_may_be_given(self, wire: Wire, session: str) -> None:
        make(wire, session, **{GLOBAL: {"consumerKey": "0123456789abcdef" * 4}})
        assert jwt_login(wire, "0123456789abcdef" * 4).status == 200

    @pytest.mark.parametrize("switch", ["ignored", "refused"])
    def test_another_key_afterwards(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_other_key=switch)
        make(wire, session)
        before = key(wire, session)
        answer = deploy(wire, session, package(five(**{GLOBAL: {"consumerKey": "another-key"}})))
        assert answer.text("status") == ("Succeeded" if switch == "ignored" else "Failed")
        assert key(wire, session) == before
        assert refusal(jwt_login(wire, "another-key"))[0] == "invalid_client_id"

    @pytest.mark.parametrize("switch", ["any", "alphanumeric"])
    def test_what_a_key_may_consist_of(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_key_format=switch)
        found = problems(deploy(wire, session, package(five(**{GLOBAL: {"consumerKey": "3MVG9._x/y+z="}}))))
        assert (found == {}) is (switch == "any")

    @pytest.mark.parametrize("text", ["The consumer key is already taken.", "duplicate value found"])
    def test_a_key_that_is_taken_in_another_org(self, wire: Wire, session: str, text: str) -> None:
        wire.commands.set_switches(eca_key_taken=text)
        wire.commands.add_org("other")
        wire.commands.add_app("taken-key", org="other")
        found = problems(deploy(wire, session, package(five(**{GLOBAL: {"consumerKey": "taken-key"}}))))
        assert text in found[NAMES[GLOBAL]]

    def test_a_new_key_on_demand_warns(self, wire: Wire, session: str) -> None:
        make(wire, session)
        before = key(wire, session)
        rotated = package(five(**{GLOBAL: {"shouldRotateConsumerKey": "true"}}))
        assert deploy(wire, session, rotated).text("problemType") == "Warning"
        assert key(wire, session) == before
        assert deploy(wire, session, rotated, ignoreWarnings=True).text("status") == "Succeeded"
        assert key(wire, session) != before

    @pytest.mark.parametrize("switch", ["cleared", "kept"])
    def test_a_certificate_left_out(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_certificate_left_out=switch)
        make(wire, session)
        make(wire, session, **{GLOBAL: {"certificate": ""}})
        answer = jwt_login(wire, key(wire, session))
        if switch == "kept":
            assert answer.status == 200
        else:
            assert refusal(answer) == ("invalid_grant", "invalid assertion")

    def test_another_certificate(self, wire: Wire, session: str) -> None:
        make(wire, session)
        make(wire, session, **{GLOBAL: {"certificate": key_pair("new")[1]}})
        assert jwt_login(wire, key(wire, session), pair="new").status == 200
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", "invalid assertion")

    @pytest.mark.parametrize("switch", ["pem", "body", "absent"])
    def test_a_certificate_on_read(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_certificate_read=switch)
        body = "".join(key_pair()[1].strip().splitlines()[1:-1])
        make(wire, session, **{GLOBAL: {"certificate": body}})
        shown = read(wire, session, GLOBAL, "Billing_global").get("certificate")
        assert shown == {"pem": key_pair()[1].strip(), "body": body, "absent": None}[switch]

    @pytest.mark.parametrize("switch", ["absent", "masked"])
    def test_a_secret_on_read(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_secret_read=switch)
        make(wire, session, **{GLOBAL: {"consumerSecret": "given-secret"}})
        shown = read(wire, session, GLOBAL, "Billing_global").get("consumerSecret")
        assert shown == (None if switch == "absent" else "********")

    @pytest.mark.parametrize(("switch", "status"), [("ignored", 400), ("used", 200)])
    def test_a_secret_that_is_given(self, wire: Wire, session: str, switch: str, status: int) -> None:
        wire.commands.set_switches(eca_given_secret=switch)
        make_client_credentials(wire, session, consumerSecret="given-secret")
        form = {"client_id": key(wire, session), "client_secret": "given-secret"}
        assert token(wire, "acme.my.example", grant_type="client_credentials", **form).status == status


def make_client_credentials(wire: Wire, session: str, **settings: str) -> None:
    wire.commands.set_org(instance_url="https://acme.my.example")
    run_as = {"isClientCredentialsFlowEnabled": "true", "clientCredentialsFlowUser": USER}
    make(wire, session, **{GLOBAL: {"isClientCredentialsFlowEnabled": "true", **settings}, OAUTH_POLICY: run_as})


class TestLogins:
    @pytest.mark.parametrize(
        ("switch", "error"),
        [
            ("invalid_client_id", ("invalid_client_id", "client identifier invalid")),
            ("app_not_found", ("invalid_grant", "app_not_found")),
            ("invalid assertion", ("invalid_grant", "invalid assertion")),
            ("not approved", ("invalid_grant", "user hasn't approved this consumer")),
        ],
    )
    def test_a_new_app_is_known_after_minutes(
        self, wire: Wire, session: str, switch: str, error: tuple[str, str]
    ) -> None:
        wire.commands.set_switches(eca_known_after=10.0, eca_not_yet=switch)
        make(wire, session)
        assert refusal(jwt_login(wire, key(wire, session))) == error
        wire.commands.advance(601)
        assert jwt_login(wire, key(wire, session)).status == 200

    def test_so_is_a_change(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_change_after=10.0)
        make(wire, session)
        make(wire, session, **{GLOBAL: {"certificate": key_pair("new")[1]}})
        assert jwt_login(wire, key(wire, session)).status == 200
        assert jwt_login(wire, key(wire, session), pair="new").status == 400
        wire.commands.advance(601)
        assert jwt_login(wire, key(wire, session)).status == 400
        assert jwt_login(wire, key(wire, session), pair="new").status == 200

    @pytest.mark.parametrize(
        ("switch", "text"),
        [("app_not_found", "app_not_found"), ("not installed", "External client app is not installed in this org")],
    )
    def test_a_local_app_at_the_login_host(self, wire: Wire, session: str, switch: str, text: str) -> None:
        wire.commands.set_org(instance_url="https://acme.my.example", switches={"eca_at_login_host": switch})
        make(wire, session)
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", text)
        wire.commands.set_switches(eca_at_login_host="accepted")
        assert jwt_login(wire, key(wire, session)).status == 200

    def test_my_domain_as_audience(self, wire: Wire, session: str) -> None:
        make(wire, session)
        assert jwt_login(wire, key(wire, session), aud="https://login.example").status == 200

    def test_an_org_that_wants_another_audience(self, wire: Wire, session: str) -> None:
        make(wire, session)
        wire.commands.set_org(audiences=["https://acme.my.site.example/portal"])
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", "Audience validation failed")
        assert jwt_login(wire, key(wire, session), aud="https://acme.my.site.example/portal").status == 200

    def test_a_user_of_another_org(self, wire: Wire, session: str) -> None:
        make(wire, session)
        wire.commands.add_org("other")
        wire.commands.add_user("them@other.example", "Plain-Pony9", org="other")
        answer = jwt_login(wire, key(wire, session), user="them@other.example")
        text = "Cross-org OAuth flows are not supported for this external client app"
        assert refusal(answer) == ("invalid_grant", text)

    def test_users_authorise_themselves_by_default(self, wire: Wire, session: str) -> None:
        make(wire, session, **{OAUTH_POLICY: {"permittedUsersPolicyType": "AllSelfAuthorized"}})
        text = "user hasn't approved this consumer"
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", text)

    def test_jwt_needs_the_scope_of_refresh_tokens(self, wire: Wire, session: str) -> None:
        make(wire, session, **{OAUTH: {"commaSeparatedOauthScopes": "Api"}})
        error, text = refusal(jwt_login(wire, key(wire, session)))
        assert error == "invalid_request"
        assert text.startswith("refresh_token scope is required and the connected app should be installed")
        wire.commands.set_switches(eca_refresh_scope_needed=False)
        assert jwt_login(wire, key(wire, session)).status == 200

    def test_a_user_who_is_not_assigned(self, wire: Wire, session: str) -> None:
        make(wire, session)
        assert refusal(jwt_login(wire, key(wire, session), user=wire.admin.username))[0] == "invalid_app_access"

    @pytest.mark.parametrize("switch", ["invalid_client", "invalid_grant"])
    @pytest.mark.parametrize("element", ["isEnabled", "isOauthPluginEnabled"])
    def test_switched_off_and_on_again(self, wire: Wire, session: str, switch: str, element: str) -> None:
        wire.commands.set_switches(eca_disabled=switch)
        make(wire, session)
        deploy(wire, session, package(only(POLICY, **{element: "false"})))
        assert refusal(jwt_login(wire, key(wire, session)))[0] == switch
        deploy(wire, session, package(only(POLICY)))
        assert jwt_login(wire, key(wire, session)).status == 200

    def test_ip_relaxation(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Standard", login_ip_ranges=["192.0.2.0/24"])
        make(wire, session)
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", "ip restricted")
        make(wire, session, **{OAUTH_POLICY: {"ipRelaxationPolicyType": "bypass"}})
        assert read(wire, session, OAUTH_POLICY, NAMES[OAUTH_POLICY])["ipRelaxationPolicyType"] == "Bypass"
        assert jwt_login(wire, key(wire, session)).status == 200

    @pytest.mark.parametrize("text", ["invalid login hours", "ip restricted", "ip restricted or invalid login hours"])
    def test_login_hours(self, wire: Wire, session: str, text: str) -> None:
        wire.commands.set_switches(oauth_hours_text=text)
        wire.commands.set_profile("Standard", login_hours={})
        make(wire, session)
        assert refusal(jwt_login(wire, key(wire, session))) == ("invalid_grant", text)
        assert wire.statuses()[-1] == "Restricted time"

    def test_client_credentials_need_both_records(self, wire: Wire, session: str) -> None:
        make_client_credentials(wire, session, isClientCredentialsFlowEnabled="false")
        consumer = wire.commands.external_client_app("Billing")
        form = {"client_id": consumer["consumer_key"], "client_secret": consumer["consumer_secret"]}
        answer = token(wire, "acme.my.example", grant_type="client_credentials", **form)
        assert refusal(answer) == ("invalid_grant", "no client credentials user enabled")
        make_client_credentials(wire, session)
        assert token(wire, "acme.my.example", grant_type="client_credentials", **form).status == 200

    @pytest.mark.parametrize(("switch", "status"), [("refused", 400), ("ignored", 200)])
    def test_client_credentials_and_a_scope(self, wire: Wire, session: str, switch: str, status: int) -> None:
        wire.commands.set_switches(client_credentials_scope=switch)
        make_client_credentials(wire, session)
        consumer = wire.commands.external_client_app("Billing")
        form = {"client_id": consumer["consumer_key"], "client_secret": consumer["consumer_secret"], "scope": "api"}
        assert token(wire, "acme.my.example", grant_type="client_credentials", **form).status == status

    @pytest.mark.parametrize("needed", [True, False])
    def test_the_run_as_user_may_have_to_be_api_only(self, wire: Wire, session: str, needed: bool) -> None:
        wire.commands.set_switches(eca_run_as_api_only=needed)
        changes = {OAUTH_POLICY: {"clientCredentialsFlowUser": USER}}
        assert (problems(deploy(wire, session, package(five(**changes)))) == {}) is not needed
        wire.commands.set_user(USER, permissions=["ApiUserOnly"])
        assert problems(deploy(wire, session, package(five(**changes)))) == {}

    @pytest.mark.parametrize("code", ["INVALID_SESSION_ID", "INVALID_OPERATION"])
    def test_access_tokens_as_jwts_are_not_for_soap(self, wire: Wire, session: str, code: str) -> None:
        wire.commands.set_switches(jwt_token_by_soap=code)
        wire.commands.set_permission_set("Billing_access", assigned=[wire.admin.username])
        make(wire, session, **{GLOBAL: {"isNamedUserJwtEnabled": "true"}})
        access = jwt_login(wire, key(wire, session), user=wire.admin.username).json["access_token"]
        assert access.count(".") == 2
        assert wire.read(access, version="67.0").code == code
        assert wire.read(access, version="68.0").ok
        assert wire.query(access, "SELECT Id FROM User").status == 200
        wire.commands.set_switches(jwt_token_by_soap="accepted")
        assert wire.read(access, version="67.0").ok

    def test_an_expiry_in_milliseconds(self, wire: Wire, session: str) -> None:
        make(wire, session)
        later = (wire.sim.state.clock.now() + datetime.timedelta(minutes=2)).timestamp()
        assert jwt_login(wire, key(wire, session), exp=int(later * 1000)).status == 200


class TestRefreshTokens:
    def refresh(self, wire: Wire, consumer_key: str, value: str) -> RestAnswer:
        return token(wire, grant_type="refresh_token", client_id=consumer_key, refresh_token=value)

    @pytest.fixture
    def consumer_key(self, wire: Wire, session: str) -> str:
        make(wire, session, **{GLOBAL: {"isRefreshTokenRotationEnabled": "true"}})
        return key(wire, session)

    def test_a_refresh_brings_another_one(self, wire: Wire, consumer_key: str) -> None:
        first = wire.commands.grant_refresh_token(consumer_key, USER)
        second = self.refresh(wire, consumer_key, first).json["refresh_token"]
        assert second != first
        assert refusal(self.refresh(wire, consumer_key, first)) == ("invalid_grant", "expired access/refresh token")
        assert self.refresh(wire, consumer_key, second).status == 200

    def test_the_first_one_for_a_minute(self, wire: Wire, consumer_key: str) -> None:
        wire.commands.set_switches(exchanged_refresh_token="accepted_for_a_minute")
        first = wire.commands.grant_refresh_token(consumer_key, USER)
        self.refresh(wire, consumer_key, first)
        assert self.refresh(wire, consumer_key, first).status == 200
        wire.commands.advance(120)
        assert self.refresh(wire, consumer_key, first).status == 400

    def test_the_first_one_again_ends_all(self, wire: Wire, consumer_key: str) -> None:
        wire.commands.set_switches(exchanged_refresh_token="revokes_all")
        first = wire.commands.grant_refresh_token(consumer_key, USER)
        second = self.refresh(wire, consumer_key, first).json["refresh_token"]
        assert self.refresh(wire, consumer_key, first).status == 400
        assert self.refresh(wire, consumer_key, second).status == 400

    def test_an_app_may_ask_for_its_secret(self, wire: Wire, session: str) -> None:
        make(wire, session, **{GLOBAL: {"isSecretRequiredForRefreshToken": "true"}})
        value = wire.commands.grant_refresh_token(key(wire, session), USER)
        assert refusal(self.refresh(wire, key(wire, session), value))[0] == "invalid_client"
        secret = wire.commands.external_client_app("Billing")["consumer_secret"]
        form = {"client_id": key(wire, session), "client_secret": secret, "refresh_token": value}
        assert token(wire, grant_type="refresh_token", **form).status == 200

    def test_of_an_app_without_a_secret_and_without_rotation(self, wire: Wire) -> None:
        """As the Salesforce CLI refreshes with what an sfdx auth URL holds."""
        wire.commands.add_app("PlatformCLI")
        value = wire.commands.grant_refresh_token("PlatformCLI", wire.admin.username)
        for form in ({}, {"client_secret": ""}):
            answer = token(wire, grant_type="refresh_token", client_id="PlatformCLI", refresh_token=value, **form)
            assert answer.status == 200
            assert "refresh_token" not in answer.json


class TestDeleting:
    ALL = [(kind, NAMES[kind]) for kind in NAMES]

    def test_all_five_named(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(eca_delete_alone="refused")
        make(wire, session)
        consumer_key = key(wire, session)
        answer = deploy(wire, session, package([], delete=self.ALL))
        assert (answer.text("status"), answer.texts("deleted").count("true")) == ("Succeeded", 5)
        assert wire.commands.external_client_apps() == {}
        assert wire.query(session, "SELECT Id FROM SetupEntityAccess").records == []
        assert refusal(jwt_login(wire, consumer_key))[0] == "invalid_client_id"

    @pytest.mark.parametrize("switch", ["accepted", "refused"])
    def test_the_app_alone(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_delete_alone=switch)
        make(wire, session)
        answer = deploy(wire, session, package([], delete=self.ALL[:1]))
        assert (answer.text("status") == "Succeeded") is (switch == "accepted")
        assert len(wire.commands.external_client_apps()) == (switch != "accepted")

    @pytest.mark.parametrize("switch", ["warning", "error"])
    def test_what_is_not_there(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(deploy_missing_deletion=switch)
        answer = deploy(wire, session, package([], delete=self.ALL))
        assert answer.text("status") == ("Succeeded" if switch == "warning" else "Failed")
        assert answer.text("problemType") == "Warning"
        assert deploy(wire, session, package([], delete=self.ALL), ignoreWarnings=True).text("status") == "Succeeded"

    @pytest.mark.parametrize("switch", ["accepted", "refused"])
    def test_by_the_call(self, wire: Wire, session: str, switch: str) -> None:
        wire.commands.set_switches(eca_delete_metadata=switch)
        make(wire, session)
        body = f"<deleteMetadata><type>{APP}</type><fullNames>Billing</fullNames></deleteMetadata>"
        answer = wire.call(session, body, version="66.0")
        assert answer.ok is (switch == "accepted")

    @pytest.mark.parametrize("name", ["accepted", "refused"])
    @pytest.mark.parametrize("again", ["accepted", "refused"])
    def test_a_name_and_a_key_again(self, wire: Wire, session: str, name: str, again: str) -> None:
        wire.commands.set_switches(eca_name_again=name, eca_key_again=again)
        changes = {GLOBAL: {"consumerKey": "given-key-1"}}
        make(wire, session, **changes)
        deploy(wire, session, package([], delete=self.ALL))
        found = problems(deploy(wire, session, package(five(**changes))))
        assert (NAMES[APP] in found) is (name == "refused")
        assert found == {} or "refused" in (name, again)


class TestCalls:
    """createMetadata and its kin, which write the whole record."""

    def create(self, wire: Wire, session: str, kind: str, how: str = "create") -> str | None:
        elements = next(one for one in five() if one[0] == kind)[2]
        assert not isinstance(elements, str)
        body = "".join(f"<{name}>{elements[name]}</{name}>" for name in sorted(elements))
        component = f'<metadata xsi:type="{kind}"><fullName>{NAMES[kind]}</fullName>{body}</metadata>'
        answer = wire.call(session, f"<{how}Metadata>{component}</{how}Metadata>", version="66.0")
        return answer.text("success") or answer.code

    def test_one_after_the_other(self, wire: Wire, session: str) -> None:
        for kind in (APP, OAUTH, GLOBAL):
            assert self.create(wire, session, kind) == "true"
        for kind in (OAUTH_POLICY, POLICY):
            assert self.create(wire, session, kind, "update") == "true"
        assert jwt_login(wire, key(wire, session)).status == 200
        assert self.create(wire, session, APP) == "false", "there is one of this name"
        assert self.create(wire, session, APP, "upsert") == "true"

    def test_an_update_creates_nothing(self, wire: Wire, session: str) -> None:
        assert self.create(wire, session, APP, "update") == "false"

    @pytest.mark.parametrize(("switch", "app", "policy"), [("policies", False, True), ("refused", False, False)])
    def test_orgs_that_take_less(self, wire: Wire, session: str, switch: str, app: bool, policy: bool) -> None:
        make(wire, session)
        wire.commands.set_switches(eca_crud=switch)
        assert (self.create(wire, session, APP, "upsert") == "true") is app
        assert (self.create(wire, session, POLICY, "upsert") == "true") is policy

    def test_lists(self, wire: Wire, session: str) -> None:
        make(wire, session)
        queries = "".join(f"<queries><type>{kind}</type></queries>" for kind in (OAUTH_POLICY, POLICY, "Profile"))
        answer = wire.call(
            session, f"<listMetadata>{queries}<asOfVersion>66.0</asOfVersion></listMetadata>", version="66.0"
        )
        names = dict(zip(answer.texts("fullName"), answer.texts("fileName"), strict=True))
        assert (
            names["Billing_oauth_defaultPolicy"] == "extlClntAppOauthPolicies/Billing_oauth_defaultPolicy.ecaOauthPlcy"
        )
        assert names["Admin"] == "profiles/Admin.profile"

    def test_an_empty_list(self, wire: Wire, session: str) -> None:
        answer = wire.call(
            session, f"<listMetadata><queries><type>{APP}</type></queries></listMetadata>", version="66.0"
        )
        assert answer.ok
        assert answer.texts("result") == []
