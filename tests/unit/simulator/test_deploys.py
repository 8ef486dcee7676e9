# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and retrieves, by SOAP and by REST, whole and spoiled."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest

from tests.simulated_org import soap
from tests.simulated_org.http import Request

from .packages import APP, GLOBAL, OAUTH, deploy, five, manifest, package, problems, read, status
from .wire import Answer, RestAnswer, Wire

BOUNDARY = "frontier"


@pytest.fixture
def session(wire: Wire) -> str:
    wire.commands.set_permission_set("Billing_access")
    return wire.login().session


def form(parts: dict[str, tuple[str, bytes]]) -> bytes:
    body = b""
    for name, (kind, content) in parts.items():
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n'.encode()
        body += f"Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def rest_deploy(wire: Wire, session: str, data: bytes, *, part: str = "json", **options: bool) -> RestAnswer:
    settings = json.dumps({"deployOptions": {"rollbackOnError": True, "singlePackage": True, **options}}).encode()
    body = form({part: ("application/json", settings), "file": ("application/zip", data)})
    headers = {
        "authorization": f"Bearer {session}",
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        "content-length": str(len(body)),
    }
    path = "/services/data/v66.0/metadata/deployRequest"
    return RestAnswer(wire.sim.service.handle(Request("POST", path, "", headers, body, "203.0.113.9", "https://x")))


class TestBySoap:
    def test_a_new_deployment_is_queued(self, wire: Wire, session: str) -> None:
        data = base64.b64encode(package(five())).decode()
        answer = wire.call(session, f"<deploy><ZipFile>{data}</ZipFile><DeployOptions/></deploy>")
        assert (answer.text("done"), answer.text("state")) == ("false", "Queued")
        assert (answer.text("id") or "").startswith("0Af")

    def test_it_takes_its_time(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(deploy_seconds=30.0)
        answer = deploy(wire, session, package(five()))
        assert (answer.text("done"), answer.text("status")) == ("false", "Pending")
        assert read(wire, session, APP, "Billing") == {}
        wire.commands.advance(31)
        answer = status(wire, session, answer.text("id") or "")
        assert (answer.text("done"), answer.text("status")) == ("true", "Succeeded")
        assert read(wire, session, APP, "Billing") != {}

    def test_it_can_be_cancelled_until_then(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(deploy_seconds=30.0)
        deploy_id = deploy(wire, session, package(five())).text("id") or ""
        cancel = f"<cancelDeploy><String>{deploy_id}</String></cancelDeploy>"
        assert wire.call(session, cancel).ok
        wire.commands.advance(31)
        assert status(wire, session, deploy_id).text("status") == "Canceled"
        assert read(wire, session, APP, "Billing") == {}
        assert wire.call(session, cancel).code == "INVALID_ID_FIELD"

    def test_it_is_done_although_its_caller_never_hears_of_it(self, wire: Wire, session: str) -> None:
        wire.commands.inject("reset", operation="deploy", executed=True)
        data = base64.b64encode(package(five())).decode()
        wire.call(session, f"<deploy><ZipFile>{data}</ZipFile><DeployOptions/></deploy>", version="66.0")
        assert read(wire, session, APP, "Billing") != {}

    def test_it_is_not_done_where_it_never_came(self, wire: Wire, session: str) -> None:
        wire.commands.inject("reset", operation="deploy")
        data = base64.b64encode(package(five())).decode()
        wire.call(session, f"<deploy><ZipFile>{data}</ZipFile><DeployOptions/></deploy>", version="66.0")
        assert read(wire, session, APP, "Billing") == {}

    def test_below_a_folder(self, wire: Wire, session: str) -> None:
        assert deploy(wire, session, package(five(), folder="src/")).text("status") == "Succeeded"

    def test_part_of_it_where_nothing_is_rolled_back(self, wire: Wire, session: str) -> None:
        data = package(five(**{GLOBAL: {"certificate": "nonsense"}}))
        answer = deploy(wire, session, data, rollbackOnError=False)
        assert (answer.text("status"), answer.text("numberComponentErrors")) == ("SucceededPartial", "1")
        assert read(wire, session, OAUTH, "Billing_oauth") != {}
        assert read(wire, session, GLOBAL, "Billing_global") == {}

    def test_permission_sets_profiles_and_settings_by_file(self, wire: Wire, session: str) -> None:
        permission = "<userPermissions><enabled>true</enabled><name>ViewClientSecret</name></userPermissions>"
        ranges = (
            "<loginIpRanges><endAddress>192.0.2.9</endAddress><startAddress>192.0.2.1</startAddress></loginIpRanges>"
        )
        trusted = (
            "<networkAccess><ipRanges><end>198.51.100.9</end><start>198.51.100.1</start></ipRanges></networkAccess>"
        )
        setting = "<enableClientSecretInRestApiAccess>true</enableClientSecretInRestApiAccess>"
        data = package(
            [
                ("PermissionSet", "Secrets", f"<label>Secrets</label>{permission}"),
                ("Profile", "Standard", ranges),
                ("SecuritySettings", "Security", trusted),
                ("ExternalClientAppSettings", "ExternalClientApp", setting),
            ]
        )
        assert problems(deploy(wire, session, data)) == {}
        assert wire.commands.permission_set("Secrets")["permissions"] == ["ViewClientSecret"]
        assert wire.login_ip_ranges("Standard") == [("192.0.2.1", "192.0.2.9")]
        assert wire.trusted_ranges() == [("198.51.100.1", "198.51.100.9", None)]
        found = read(wire, session, "ExternalClientAppSettings", "ExternalClientApp")
        assert found["enableClientSecretInRestApiAccess"] == "true"
        assert set(deploy(wire, session, data).texts("changed")[1:]) == {"false"}

    def test_a_check_of_ranges_leaves_no_row_in_the_audit_trail(self, wire: Wire, session: str) -> None:
        trusted = (
            "<networkAccess><ipRanges><end>198.51.100.9</end><start>198.51.100.1</start></ipRanges></networkAccess>"
        )
        data = package([("SecuritySettings", "Security", trusted)])
        assert deploy(wire, session, data, checkOnly=True).text("status") == "Succeeded"
        assert (wire.trusted_ranges(), wire.commands.audit_trail()) == ([], [])

    def test_who_may(self, wire: Wire, session: str) -> None:
        wire.commands.set_profile("Admin", permissions=["ApiEnabled"])
        data = base64.b64encode(package(five())).decode()
        answer = wire.call(session, f"<deploy><ZipFile>{data}</ZipFile><DeployOptions/></deploy>")
        assert answer.code == "INSUFFICIENT_ACCESS"

    def test_an_unknown_id(self, wire: Wire, session: str) -> None:
        assert status(wire, session, "0AfSm0000000001").code == "INVALID_CROSS_REFERENCE_KEY"

    def test_one_of_another_org(self, wire: Wire, session: str) -> None:
        deploy_id = deploy(wire, session, package(five())).text("id") or ""
        wire.commands.add_org("other")
        wire.commands.add_user("them@other.example", "Plain-Pony9", org="other", security_token="t")
        other = wire.login("Plain-Pony9t", username="them@other.example").session
        assert status(wire, other, deploy_id).code == "INVALID_CROSS_REFERENCE_KEY"

    @pytest.mark.parametrize("blocked", ["true", "false"])
    def test_the_password_flow_is_switched_by_a_setting(self, wire: Wire, session: str, blocked: str) -> None:
        body = f"<fullName>OauthOidc</fullName><blockOAuthUnPwFlow>{blocked}</blockOAuthUnPwFlow>"
        assert wire.update(session, body, kind="OauthOidcSettings").text("success") == "true"
        assert wire.commands.org()["username_password_flow_enabled"] is (blocked == "false")
        assert read(wire, session, "OauthOidcSettings", "OauthOidc")["blockOAuthUnPwFlow"] == blocked


class TestSpoiledPackages:
    def broken(self, files: dict[str, str]) -> bytes:
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return written.getvalue()

    @pytest.mark.parametrize(
        ("files", "problem"),
        [
            ({}, "No package.xml found"),
            ({"package.xml": "<Package"}, "not well-formed"),
            ({"package.xml": "<!DOCTYPE x><Package/>"}, "DOCTYPE is not allowed"),
            ({"package.xml": manifest([("Nonsense", "x")])}, "Unknown type name 'Nonsense' specified in package.xml"),
            ({"package.xml": manifest([(APP, "Billing")])}, "was not found in zipped directory"),
            (
                {"package.xml": manifest([(APP, "B")]), "externalClientApps/B.eca": "<Profile/>"},
                "root element is no ExternalClientApplication",
            ),
        ],
    )
    def test_what_is_wrong_is_said(self, wire: Wire, session: str, files: dict[str, str], problem: str) -> None:
        answer = deploy(wire, session, self.broken(files))
        assert (answer.text("status"), answer.text("success")) == ("Failed", "false")
        assert problem in (answer.text("problem") or "")

    def test_no_zip_at_all(self, wire: Wire, session: str) -> None:
        assert deploy(wire, session, b"nonsense").text("problem") == "The zip file is not valid"

    def test_types_of_a_later_version(self, wire: Wire, session: str) -> None:
        answer = deploy(wire, session, package(five(), version="58.0"))
        assert "Unknown type name" in (answer.text("problem") or "")


class TestByRest:
    @pytest.mark.parametrize("part", ["json", "entity_content"])
    def test_both_names_of_the_options(self, wire: Wire, session: str, part: str) -> None:
        answer = rest_deploy(wire, session, package(five()), part=part, checkOnly=True)
        assert (answer.status, answer.json["deployResult"]["checkOnly"]) == (201, True)
        path = f"metadata/deployRequest/{answer.json['id']}"
        result = wire.rest(session, path, query="includeDetails=true").json["deployResult"]
        assert (result["status"], result["numberComponentsTotal"]) == ("Succeeded", 5)
        assert {one["componentType"] for one in result["details"]["componentSuccesses"]} > {APP, GLOBAL}
        assert "details" in wire.rest(session, path).json["deployResult"]

    def test_cancelled(self, wire: Wire, session: str) -> None:
        wire.commands.set_switches(deploy_seconds=30.0)
        path = f"metadata/deployRequest/{rest_deploy(wire, session, package(five())).json['id']}"
        body = json.dumps({"deployResult": {"status": "Canceling"}})
        assert wire.rest(session, path, method="PATCH", body=body).status == 202
        assert wire.rest(session, path).json["deployResult"]["status"] == "Canceled"

    def test_takes_access_tokens_that_are_jwts(self, wire: Wire) -> None:
        """Where SOAP refuses them (REPORTED)."""
        wire.commands.set_permission_set("Billing_access")
        user = wire.sim.state.user(wire.admin.username)
        access = wire.sim.state.open_session(user, "203.0.113.9", restricted=False, by_app=True, jwt=True).id
        assert wire.read(access, version="66.0").code == "INVALID_SESSION_ID"
        assert rest_deploy(wire, access, package(five())).status == 201

    def test_no_form(self, wire: Wire, session: str) -> None:
        answer = wire.rest(session, "metadata/deployRequest", method="POST", body="{}")
        assert (answer.status, answer.error) == (400, "INVALID_MULTIPART_REQUEST")
        assert wire.rest(session, "metadata/nonsense").error == "NOT_FOUND"
        assert wire.rest(session, "metadata/deployRequest").error == "METHOD_NOT_ALLOWED"


class TestRetrieve:
    def retrieve(self, wire: Wire, session: str, request: str, *, element: str = "retrieveRequest") -> Answer:
        answer = wire.call(session, f"<retrieve><{element}>{request}</{element}></retrieve>", version="66.0")
        retrieve_id = answer.text("id") or ""
        assert retrieve_id.startswith("09S")
        body = f"<checkRetrieveStatus><asyncProcessId>{retrieve_id}</asyncProcessId></checkRetrieveStatus>"
        return wire.call(session, body, version="66.0")

    def files(self, answer: Answer) -> dict[str, str]:
        data = base64.b64decode(answer.text("zipFile") or "")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    @pytest.mark.parametrize("element", ["retrieveRequest", "request"])
    def test_what_was_deployed(self, wire: Wire, session: str, element: str) -> None:
        deploy(wire, session, package(five()))
        wanted = f"<unpackaged><types><members>*</members><name>{GLOBAL}</name></types></unpackaged>"
        answer = self.retrieve(wire, session, wanted, element=element)
        assert answer.text("status") == "Succeeded"
        found = self.files(answer)
        assert "<consumerKey>3MVG9" in found["unpackaged/extlClntAppGlobalOauthSets/Billing_global.ecaGlblOauth"]
        assert "<name>ExtlClntAppGlobalOauthSettings</name>" in found["unpackaged/package.xml"]
        assert answer.text("fileName") == "unpackaged/extlClntAppGlobalOauthSets/Billing_global.ecaGlblOauth"

    def test_what_is_retrieved_can_be_deployed(self, wire: Wire, session: str) -> None:
        deploy(wire, session, package(five()))
        kinds = "".join(f"<types><members>*</members><name>{kind}</name></types>" for kind in (APP, OAUTH, GLOBAL))
        answer = self.retrieve(wire, session, f"<unpackaged>{kinds}</unpackaged>")
        again = deploy(wire, session, base64.b64decode(answer.text("zipFile") or ""))
        assert (again.text("status"), set(again.texts("changed")[1:])) == ("Succeeded", {"false"})

    def test_what_is_missing_is_said(self, wire: Wire, session: str) -> None:
        wanted = "<unpackaged><types><members>Standard User</members><name>Profile</name></types></unpackaged>"
        answer = self.retrieve(wire, session, wanted)
        assert answer.text("problem") == "Entity of type 'Profile' named 'Standard User' cannot be found"

    def test_packages_by_name(self, wire: Wire, session: str) -> None:
        answer = self.retrieve(wire, session, "<packageNames>X</packageNames>")
        assert (answer.status, answer.text("status")) == (200, "Failed")
        assert answer.text("errorMessage") == "INVALID_CROSS_REFERENCE_KEY: No package named 'X' found"
        assert answer.text("errorStatusCode") == "UNKNOWN_EXCEPTION"

    def test_settings(self, wire: Wire, session: str) -> None:
        wanted = "<unpackaged><types><members>ExternalClientApp</members><name>Settings</name></types></unpackaged>"
        found = self.files(self.retrieve(wire, session, wanted))
        text = found["unpackaged/settings/ExternalClientApp.settings"]
        assert "<enableClientSecretInRestApiAccess>false</enableClientSecretInRestApiAccess>" in text
        assert f'<ExternalClientAppSettings xmlns="{soap.METADATA}"' in text


def test_profiles_whose_name_is_not_their_label(wire: Wire, session: str) -> None:
    """The list has the names, with the ids by which queries give the labels."""
    wire.commands.set_profile("Custom Profile %28A%27M Team%29", label="Custom Profile (A'M Team)")
    answer = wire.call(session, "<listMetadata><queries><type>Profile</type></queries></listMetadata>")
    names = dict(zip(answer.texts("id"), answer.texts("fullName"), strict=True))
    labels = {row["Id"]: row["Name"] for row in wire.query(session, "SELECT Id, Name FROM Profile").records}
    shown = {labels[one]: names[one] for one in names}
    assert shown["System Administrator"] == "Admin"
    assert shown["Custom Profile (A'M Team)"] == "Custom Profile %28A%27M Team%29"
    assert read(wire, session, "Profile", "Custom Profile %28A%27M Team%29") != {}
