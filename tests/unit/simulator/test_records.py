# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records by REST: what can be created, and the Tooling API's queries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .packages import deploy, five, package
from .wire import Answer, RestAnswer, Wire

USER = "billing@acme.example"


@pytest.fixture
def session(wire: Wire) -> str:
    wire.commands.add_user(USER, "Plain-Pony9", profile="Standard")
    return wire.login().session


def create(wire: Wire, session: str, kind: str, **fields: Any) -> RestAnswer:
    return wire.rest(session, f"sobjects/{kind}", method="POST", body=json.dumps(fields))


def delete(wire: Wire, session: str, kind: str, record_id: str) -> RestAnswer:
    return wire.rest(session, f"sobjects/{kind}/{record_id}", method="DELETE")


class TestUsers:
    """A user is created and becomes inactive; it cannot be deleted."""

    @pytest.fixture
    def fields(self, wire: Wire) -> dict[str, Any]:
        keys = {"TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8"}
        names = {"Username": "new@acme.example", "LastName": "New", "Alias": "new", "Email": "new@acme.example"}
        profile = wire.sim.state.org().profile("Standard")
        assert profile is not None
        return {**names, **keys, "LanguageLocaleKey": "en_US", "ProfileId": profile.id}

    def test_from_creation_to_the_end(self, wire: Wire, session: str, fields: dict[str, Any]) -> None:
        user_id = create(wire, session, "User", **fields).json["id"]
        user = wire.commands.user("new@acme.example")
        assert (user["id"], user["active"], user["email"]) == (user_id, True, "new@acme.example")
        assert wire.sim.state.user("new@acme.example").security_token is None
        body = json.dumps({"IsActive": False})
        assert wire.rest(session, f"sobjects/User/{user_id}", method="PATCH", body=body).status == 204
        assert wire.commands.user("new@acme.example")["active"] is False
        assert delete(wire, session, "User", user_id).error == "INVALID_TYPE_FOR_OPERATION"

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"Username": USER.upper()}, "DUPLICATE_USERNAME"),
            ({"Alias": ""}, "REQUIRED_FIELD_MISSING"),
            ({"ProfileId": "00e000000000001"}, "INVALID_CROSS_REFERENCE_KEY"),
            ({"Nonsense": 1}, "INVALID_FIELD"),
        ],
    )
    def test_refused(
        self, wire: Wire, session: str, fields: dict[str, Any], changed: dict[str, Any], code: str
    ) -> None:
        assert create(wire, session, "User", **{**fields, **changed}).error == code

    def test_a_custom_profile_is_deleted_when_nobody_has_it(self, wire: Wire, session: str) -> None:
        component = '<metadata xsi:type="Profile"><fullName>Robots</fullName><custom>true</custom></metadata>'

        def made() -> Answer:
            return wire.call(session, f"<createMetadata>{component}</createMetadata>")

        def deleted(name: str) -> Answer:
            content = f"<type>Profile</type><fullNames>{name}</fullNames>"
            return wire.call(session, f"<deleteMetadata>{content}</deleteMetadata>")

        assert made().text("success") == "true"
        assert made().text("statusCode") == "DUPLICATE_DEVELOPER_NAME"
        wire.commands.set_user(USER, profile="Robots")
        assert deleted("Robots").text("statusCode") == "DELETE_FAILED"
        wire.commands.set_user(USER, profile="Standard")
        assert deleted("Robots").text("success") == "true"
        assert deleted("Standard").text("statusCode") == "DELETE_FAILED"


class TestPermissionSets:
    def test_from_creation_to_deletion(self, wire: Wire, session: str) -> None:
        answer = create(wire, session, "PermissionSet", Name="Robots", Label="Robots", PermissionsViewClientSecret=True)
        assert (answer.status, answer.json["success"]) == (201, True)
        set_id = answer.json["id"]
        user_id = wire.commands.user(USER)["id"]
        answer = create(wire, session, "PermissionSetAssignment", PermissionSetId=set_id, AssigneeId=user_id)
        assert answer.status == 201
        query = "SELECT Assignee.Username FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Robots'"
        assert [one["Assignee"]["Username"] for one in wire.query(session, query).records] == [USER]
        org = wire.sim.state.org()
        assert "ViewClientSecret" in org.permissions(wire.sim.state.user(USER))
        assert delete(wire, session, "PermissionSet", set_id).error == "DELETE_FAILED", "it is assigned"
        assert delete(wire, session, "PermissionSetAssignment", answer.json["id"]).status == 204
        assert delete(wire, session, "PermissionSet", set_id).status == 204
        assert wire.commands.permission_sets() == []

    def test_a_name_twice_and_an_assignment_twice(self, wire: Wire, session: str) -> None:
        set_id = create(wire, session, "PermissionSet", Name="Robots", Label="Robots").json["id"]
        assert create(wire, session, "PermissionSet", Name="robots", Label="x").error == "DUPLICATE_DEVELOPER_NAME"
        pair = {"PermissionSetId": set_id, "AssigneeId": wire.commands.user(USER)["id"]}
        assert create(wire, session, "PermissionSetAssignment", **pair).status == 201
        assert create(wire, session, "PermissionSetAssignment", **pair).error == "DUPLICATE_VALUE"

    @pytest.mark.parametrize("name", ["", "1st", "with blank", "a__b", "end_", "umläut"])
    def test_names_that_are_none(self, wire: Wire, session: str, name: str) -> None:
        assert create(wire, session, "PermissionSet", Name=name, Label="x").status == 400

    def test_changed(self, wire: Wire, session: str) -> None:
        set_id = wire.commands.set_permission_set("Robots")["id"]
        body = json.dumps({"Label": "More robots", "PermissionsViewClientSecret": True})
        assert wire.rest(session, f"sobjects/PermissionSet/{set_id}", method="PATCH", body=body).status == 204
        found = wire.rest(session, f"sobjects/PermissionSet/{set_id}").json
        assert (found["Label"], found["PermissionsViewClientSecret"]) == ("More robots", True)
        body = json.dumps({"Nonsense": True})
        assert (
            wire.rest(session, f"sobjects/PermissionSet/{set_id}", method="PATCH", body=body).error == "INVALID_FIELD"
        )

    def test_for_whom_they_are_not(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", permissions=["ApiEnabled", "ViewSetup"])
        code = "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        assert create(wire, session, "PermissionSet", Name="Robots", Label="Robots").error == code

    def test_inactive_users_get_none(self, wire: Wire, session: str) -> None:
        set_id = wire.commands.set_permission_set("Robots")["id"]
        user = wire.commands.set_user(USER, active=False)
        answer = create(wire, session, "PermissionSetAssignment", PermissionSetId=set_id, AssigneeId=user["id"])
        assert answer.error == "INACTIVE_OWNER_OR_USER"

    def test_profiles_are_permission_sets_too(self, wire: Wire, session: str) -> None:
        query = "SELECT Label FROM PermissionSet WHERE IsOwnedByProfile = true"
        assert {one["Label"] for one in wire.query(session, query).records} == {"System Administrator", "Standard User"}


class TestApps:
    def test_can_be_queried_and_not_created(self, wire: Wire, session: str) -> None:
        wire.commands.set_permission_set("Billing_access")
        deploy(wire, session, package(five()))
        query = "SELECT Id, DeveloperName, ContactEmail FROM ExternalClientApplication WHERE DeveloperName = 'Billing'"
        for path in ("query", "tooling/query"):
            answer = wire.rest(session, path, query=f"q={query.replace(' ', '+')}")
            assert answer.records[0]["ContactEmail"] == "ops@acme.example"
        found = create(wire, session, "ExternalClientApplication", DeveloperName="Other")
        assert found.error == "INVALID_TYPE_FOR_OPERATION"
        described = wire.rest(session, "sobjects/ExternalClientApplication/describe").json
        assert (described["createable"], described["queryable"]) == (False, True)
        policy = "SELECT IpRelaxationPolicyType, IsClientCredentialsFlowEnabled FROM ExtlClntAppOauthPlcyCnfg"
        record = wire.query(session, policy).records[0]
        assert (record["IpRelaxationPolicyType"], record["IsClientCredentialsFlowEnabled"]) == ("Enforce", False)

    def test_access_by_rest_opens_an_app(self, wire: Wire, session: str) -> None:
        set_id = wire.commands.set_permission_set("Robots")["id"]
        wire.commands.add_external_client_app("Billing")
        app_id = wire.query(session, "SELECT Id FROM ExternalClientApplication").records[0]["Id"]
        answer = create(wire, session, "SetupEntityAccess", ParentId=set_id, SetupEntityId=app_id)
        assert answer.status == 201
        assert (
            create(wire, session, "SetupEntityAccess", ParentId=set_id, SetupEntityId=app_id).error == "DUPLICATE_VALUE"
        )
        nobody = create(wire, session, "SetupEntityAccess", ParentId=set_id, SetupEntityId="0xI000000000001")
        assert nobody.error == "INVALID_CROSS_REFERENCE_KEY"
        assert delete(wire, session, "SetupEntityAccess", answer.json["id"]).status == 204


class TestTooling:
    def query(self, wire: Wire, session: str, text: str) -> RestAnswer:
        return wire.rest(session, "tooling/query", query=f"q={text.replace(' ', '+')}")

    def test_trusted_ranges(self, wire: Wire, session: str) -> None:
        select = "SELECT Metadata FROM SecuritySettings"
        found = self.query(wire, session, select).records[0]["Metadata"]
        assert found["networkAccess"] == {"ipRanges": []}
        wire.commands.set_org(trusted_ranges=["192.0.2.1"])
        found = self.query(wire, session, select).records[0]["Metadata"]
        assert found["networkAccess"]["ipRanges"] == [{"start": "192.0.2.1", "end": "192.0.2.1"}]
        assert found["sessionSettings"]["lockSessionsToIp"] is False
        assert found["passwordPolicies"]["minimumPasswordLength"] == 8

    def test_login_ranges_one_profile_at_a_time(self, wire: Wire, session: str) -> None:
        profile = wire.commands.set_profile("Standard", login_ip_ranges=["192.0.2.1"])
        found = self.query(wire, session, f"SELECT Metadata FROM Profile WHERE Id = '{profile['id']}'").records[0]
        assert found["Metadata"]["loginIpRanges"] == [{"startAddress": "192.0.2.1", "endAddress": "192.0.2.1"}]
        answer = self.query(wire, session, "SELECT Id, Metadata FROM Profile")
        assert answer.error == "MALFORMED_QUERY"
        assert "no more than one row" in answer.json[0]["message"]

    def test_the_plain_query_has_no_such_field(self, wire: Wire, session: str) -> None:
        assert wire.query(session, "SELECT Metadata FROM Profile").error == "INVALID_FIELD"


@pytest.mark.parametrize("body", ["", "[]", "nonsense"])
def test_bodies_that_are_none(wire: Wire, session: str, body: str) -> None:
    assert wire.rest(session, "sobjects/PermissionSet", method="POST", body=body).error == "JSON_PARSER_ERROR"


def test_what_is_not_there(wire: Wire, session: str) -> None:
    assert wire.rest(session, "sobjects/Nonsense/describe").error == "INVALID_TYPE"
    assert wire.rest(session, "sobjects/PermissionSet/0PS000000000001").error == "NOT_FOUND"
    assert delete(wire, session, "PermissionSetAssignment", "0Pa000000000001").error == "NOT_FOUND"


class TestCollections:
    """Up to 200 records in one call."""

    def create(self, wire: Wire, session: str, *users: str, all_or_none: bool = False) -> list[dict[str, Any]]:
        set_id = wire.commands.set_permission_set("Robots")["id"]
        kind = {"attributes": {"type": "PermissionSetAssignment"}, "PermissionSetId": set_id}
        records = [{**kind, "AssigneeId": user} for user in users]
        body = json.dumps({"allOrNone": all_or_none, "records": records})
        return list(wire.rest(session, "composite/sobjects", method="POST", body=body).json)

    def test_each_on_its_own(self, wire: Wire, session: str) -> None:
        user = wire.commands.user(USER)["id"]
        good, bad = self.create(wire, session, user, "005000000000001")
        assert (good["success"], good["errors"]) == (True, [])
        assert (bad["success"], bad["errors"][0]["statusCode"]) == (False, "INVALID_CROSS_REFERENCE_KEY")
        assert wire.commands.permission_set("Robots")["assigned"] == [USER]
        query = f"allOrNone=false&ids={good['id']},0Pa000000000001"
        answer = wire.rest(session, "composite/sobjects", method="DELETE", query=query)
        assert [one["success"] for one in answer.json] == [True, False]
        assert wire.commands.permission_set("Robots")["assigned"] == []

    def test_all_or_none(self, wire: Wire, session: str) -> None:
        user = wire.commands.user(USER)["id"]
        answer = self.create(wire, session, user, "005000000000001", all_or_none=True)
        codes = [one["errors"][0]["statusCode"] for one in answer]
        assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_CROSS_REFERENCE_KEY"]
        assert wire.commands.permission_set("Robots")["assigned"] == []

    def test_what_is_no_collection(self, wire: Wire, session: str) -> None:
        assert wire.rest(session, "composite/sobjects").error == "METHOD_NOT_ALLOWED"
        assert wire.rest(session, "composite/sobjects", method="POST", body="{}").error == "JSON_PARSER_ERROR"
        many = json.dumps({"records": [{}] * 201})
        assert wire.rest(session, "composite/sobjects", method="POST", body=many).error == "EXCEEDED_ID_LIMIT"
