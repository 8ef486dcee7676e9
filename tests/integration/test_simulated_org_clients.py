# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated org convinces a client that we did not write: simple-salesforce, with zeep and the real WSDL."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import zeep.exceptions
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
)
from simple_salesforce.login import SalesforceLogin

from tests.simulated_org import SimulatedOrg
from tests.simulated_org.fixtures import simulated_org, simulated_org_server
from tests.unit.simulator import packages
from tests.unit.simulator.apps import key_pair

__all__ = ["simulated_org", "simulated_org_server"]

VERSION = "64.0"


class FromAddress(HTTPAdapter):
    """Connects from a chosen local address."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


def login(sim: SimulatedOrg, *, source: str | None = None, **options: Any) -> tuple[str, str]:
    """simple-salesforce's own login; `scratch_url` is its option for other hosts."""
    account = sim.admin
    arguments = {"username": account.username, "password": account.password, "sf_version": VERSION, **options}
    with requests.Session() as session:
        if source:
            session.mount("https://", FromAddress(source))
        return SalesforceLogin(scratch_url=sim.url, session=session, **arguments)


@pytest.fixture
def client(simulated_org: SimulatedOrg) -> Iterator[Salesforce]:
    """A client with a session."""
    session_id, instance = login(simulated_org, security_token=simulated_org.admin.security_token)
    with requests.Session() as session:
        yield Salesforce(session_id=session_id, instance=instance, version=VERSION, session=session)


class TestLogin:
    def test_with_a_token(self, simulated_org: SimulatedOrg) -> None:
        session_id, instance = login(simulated_org, security_token=simulated_org.admin.security_token)
        assert "!AQ" in session_id
        assert f"https://{instance}" == simulated_org.url

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"security_token": "wrong"}, "INVALID_LOGIN"),
            ({"security_token": ""}, "LOGIN_MUST_USE_SECURITY_TOKEN"),
            ({}, "LOGIN_MUST_USE_SECURITY_TOKEN"),
            ({"security_token": "", "password": "nonsense"}, "INVALID_LOGIN"),
            ({"security_token": "x", "username": "nobody@simulated.example"}, "INVALID_LOGIN"),
            ({"security_token": "x", "sf_version": "65.0"}, "INVALID_OPERATION"),
        ],
    )
    def test_refusals_are_understood(self, simulated_org: SimulatedOrg, options: dict[str, str], code: str) -> None:
        with pytest.raises(SalesforceAuthenticationFailed) as caught:
            login(simulated_org, **options)
        assert caught.value.code == code
        assert "<" not in str(caught.value), "the text is found, not the whole answer"

    @pytest.mark.parametrize("options", [{}, {"organizationId": "00DSm0000000001"}, {"security_token": ""}])
    def test_from_a_trusted_address_without_a_token(self, simulated_org: SimulatedOrg, options: dict[str, str]) -> None:
        simulated_org.control.set_org(trusted_ranges=["127.7.0.0/16"])
        session_id, _unused = login(simulated_org, source="127.7.3.4", **options)
        assert session_id
        with pytest.raises(SalesforceAuthenticationFailed):
            login(simulated_org, source="127.8.3.4", **options)

    def test_from_outside_the_profiles_ranges(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_profile("Admin", login_ip_ranges=["127.7.0.0/16"])
        with pytest.raises(SalesforceAuthenticationFailed) as caught:
            login(simulated_org, security_token=simulated_org.admin.security_token)
        assert caught.value.code == "LOGIN_DURING_RESTRICTED_DOMAIN"
        assert login(simulated_org, source="127.7.0.1")

    def test_with_markup_in_the_password(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, password="<Fish & \"Ch1ps'>")
        assert login(simulated_org, security_token=simulated_org.admin.security_token)


class Salesforces(HTTPAdapter):
    """Carries what is meant for https://X.salesforce.com to one of our listeners, as an entry in /etc/hosts would."""

    def __init__(self, hosts: dict[str, str]) -> None:
        self._hosts = hosts
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        scheme, _unused, rest = (request.url or "").partition("://")
        host, _unused, path = rest.partition("/")
        request.url = f"{self._hosts[f'{scheme}://{host}']}/{path}"
        return super().send(request, *args, **kwargs)


class TestLoginByAnApp:
    """simple-salesforce's SalesforceLogin as it is, and its own choice of URLs, claims and forms."""

    @pytest.fixture
    def org(self) -> Iterator[SimulatedOrg]:
        with SimulatedOrg(addresses=("127.0.0.1", "127.0.0.2")) as org:
            org.control.set_org(instance_url=org.listeners[1].url)
            org.control.add_app(
                "key",
                consumer_secret="secret",
                certificate=key_pair()[1],
                run_as=org.admin.username,
                approved_users=[org.admin.username],
            )
            yield org

    @staticmethod
    def login(org: SimulatedOrg, **options: Any) -> tuple[str, str]:
        with requests.Session() as session:
            session.verify, session.trust_env = org.ca_path, False
            urls = {"login": org.url, "test": org.url, "acme.my": org.listeners[1].url}
            hosts = {f"https://{name}.salesforce.com": url for name, url in urls.items()}
            session.mount("https://", Salesforces(hosts))
            return SalesforceLogin(session=session, consumer_key="key", **options)

    @pytest.mark.parametrize("flow", ["username_password", "jwt_bearer", "client_credentials"])
    def test_all_three_flows(self, org: SimulatedOrg, flow: str) -> None:
        account = org.admin
        options = {
            "username_password": {
                "username": account.username,
                "password": account.login_password,
                "consumer_secret": "secret",
            },
            "jwt_bearer": {"username": account.username, "privatekey": key_pair()[0]},
            "client_credentials": {"consumer_secret": "secret", "domain": "acme.my"},
        }[flow]
        session_id, host = self.login(org, **options)
        with requests.Session() as session:
            session.verify, session.trust_env = org.ca_path, False
            client = Salesforce(session_id=session_id, instance=host, version=VERSION, session=session)
            assert client.query("SELECT Username FROM User")["records"][0]["Username"] == account.username
        assert org.control.counts() == {"token": 1, "query": 1}

    @pytest.mark.parametrize(
        ("options", "code", "text"),
        [
            ({"domain": "test", "privatekey": key_pair()[0]}, "invalid_grant", "Audience validation failed"),
            ({"privatekey": key_pair("other")[0]}, "invalid_grant", "invalid assertion"),
            ({"password": "nonsense", "consumer_secret": "secret"}, "invalid_grant", "authentication failure"),
            ({"password": "nonsense", "consumer_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ],
    )
    def test_refusals_are_understood(self, org: SimulatedOrg, options: dict[str, str], code: str, text: str) -> None:
        with pytest.raises(SalesforceAuthenticationFailed) as caught:
            self.login(org, username=org.admin.username, **options)
        assert caught.value.code == code
        assert str(caught.value).endswith(f": {text}")


class TestRest:
    def test_query(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        answer = client.query("SELECT LoginTime, SourceIp, Status FROM LoginHistory ORDER BY LoginTime DESC LIMIT 1")
        assert answer["totalSize"] == 1
        assert (answer["records"][0]["SourceIp"], answer["records"][0]["Status"]) == ("127.0.0.1", "Success")

    def test_query_all_pages(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_switches(query_batch_size=7)
        simulated_org.control.add_logins(
            [{"username": simulated_org.admin.username, "source_ip": "192.0.2.1", "count": 50}]
        )
        found = client.query_all("SELECT Id FROM LoginHistory WHERE SourceIp = '192.0.2.1'")
        assert len({record["Id"] for record in found["records"]}) == 50
        assert simulated_org.control.counts()["queryMore"] == 7

    def test_a_refused_query(self, client: Salesforce) -> None:
        with pytest.raises(SalesforceMalformedRequest, match="can not be filtered"):
            client.query("SELECT Id FROM LoginHistory WHERE Status = 'Success'")

    def test_an_ended_session(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.end_sessions()
        with pytest.raises(SalesforceExpiredSession):
            client.query("SELECT Id FROM User")

    def test_an_expired_password(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_user(simulated_org.admin.username, password_expired=True)
        session_id, instance = login(simulated_org, security_token=simulated_org.admin.security_token)
        client = Salesforce(session_id=session_id, instance=instance, version=VERSION)
        with pytest.raises(SalesforceRefusedRequest, match="INVALID_OPERATION_WITH_EXPIRED_PASSWORD"):
            client.query("SELECT Id FROM User")

    def test_set_password(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        user = simulated_org.control.user(simulated_org.admin.username)
        assert client.set_password(user["id"], "Brand-New9") is None
        with pytest.raises(SalesforceMalformedRequest, match="INVALID_NEW_PASSWORD"):
            client.set_password(user["id"], "onlyletters")
        changed = simulated_org.control.user(simulated_org.admin.username)
        assert changed["security_token"] != user["security_token"]
        assert login(simulated_org, password="Brand-New9", security_token=changed["security_token"])


class TestMetadata:
    def test_read_trusted_ranges(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_org(
            trusted_ranges=[{"start": "192.0.2.1", "end": "192.0.2.9", "description": "R&D"}, "2001:db8::/64"]
        )
        settings: Any = client.mdapi.SecuritySettings.read(["Security"])
        assert [(one.start, one.end, one.description) for one in settings.networkAccess.ipRanges] == [
            ("192.0.2.1", "192.0.2.9", "R&D"),
            ("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", None),
        ]
        assert settings.passwordPolicies.lockoutInterval == "FifteenMinutes"
        assert settings.sessionSettings.sessionTimeout == "TwoHours"

    def test_replace_and_remove_trusted_ranges(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_org(trusted_ranges=["198.51.100.0/24"])
        metadata = client.mdapi
        one = {"start": "192.0.2.1", "end": "192.0.2.9", "description": "new"}
        metadata.SecuritySettings.update(
            [metadata.SecuritySettings(fullName="Security", networkAccess={"ipRanges": [one]})]
        )
        assert simulated_org.control.org()["trusted_ranges"] == [one]
        policies = {"maxLoginAttempts": "FiveAttempts"}
        metadata.SecuritySettings.update([metadata.SecuritySettings(fullName="Security", passwordPolicies=policies)])
        assert simulated_org.control.org()["trusted_ranges"] == [one]
        metadata.SecuritySettings.update([metadata.SecuritySettings(fullName="Security", networkAccess={})])
        assert simulated_org.control.org()["trusted_ranges"] == []

    def test_what_is_read_can_be_written_back(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_org(trusted_ranges=["192.0.2.0/24", "198.51.100.7"])
        before = simulated_org.control.org()
        client.mdapi.SecuritySettings.update([client.mdapi.SecuritySettings.read(["Security"])])
        assert simulated_org.control.org() == before

    def test_a_bad_range_is_an_error(self, client: Salesforce) -> None:
        bad = {"ipRanges": [{"start": "192.0.2.9", "end": "192.0.2.1"}]}
        with pytest.raises(Exception, match="FIELD_INTEGRITY_EXCEPTION"):
            client.mdapi.SecuritySettings.update(
                [client.mdapi.SecuritySettings(networkAccess=bad, fullName="Security")]
            )

    def test_profiles(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_profile("Admin", login_ip_ranges=["192.0.2.1", "192.0.2.2"])
        metadata: Any = client.mdapi
        profile = metadata.Profile.read(["Admin"])
        assert [one.startAddress for one in profile.loginIpRanges] == ["192.0.2.1", "192.0.2.2"]
        new = {"startAddress": "198.51.100.0", "endAddress": "198.51.100.9"}
        metadata.Profile.update([metadata.Profile(fullName="Admin", loginIpRanges=[new])])
        assert [one.startAddress for one in metadata.Profile.read(["Admin"]).loginIpRanges] == ["198.51.100.0"]
        metadata.Profile.update([metadata.Profile(fullName="Admin", loginIpRanges=[])])
        assert len(metadata.Profile.read(["Admin"]).loginIpRanges) == 1, "the last one stays, without an error"

    def test_missing_profiles(self, client: Salesforce) -> None:
        found = client.mdapi.Profile.read(["Nobody", "Admin"])
        assert [one.fullName for one in found] == [None, "Admin"]

    def test_an_ended_session(self, client: Salesforce, simulated_org: SimulatedOrg) -> None:
        metadata = client.mdapi
        simulated_org.control.end_sessions()
        with pytest.raises(zeep.exceptions.Fault, match="INVALID_SESSION_ID") as caught:
            metadata.SecuritySettings.read(["Security"])
        assert caught.value.code == "sf:INVALID_SESSION_ID"

    def test_describe(self, client: Salesforce) -> None:
        described = client.mdapi.describe_metadata()
        names = {one.xmlName for one in described.metadataObjects}
        assert {"ExternalClientApplication", "Profile", "Settings"} <= names


class TestExternalClientApps:
    """simple-salesforce's deploy, which writes `True` and `None` into its envelope, and zeep with the real WSDL."""

    @pytest.fixture(autouse=True)
    def _permission_set(self, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_permission_set("Billing_access")

    @staticmethod
    def deploy(client: Any, data: bytes, **options: Any) -> tuple[str, dict[str, Any]]:
        result = client.deploy(io.BytesIO(data), sandbox=False, **options)
        assert result["state"] == "Queued"
        status = client.checkDeployStatus(result["asyncId"])
        return status["state"], status["deployment_detail"]

    def test_a_check_a_deployment_and_a_deletion(self, client: Any, simulated_org: SimulatedOrg) -> None:
        data = packages.package(packages.five(), version=VERSION)
        state, detail = self.deploy(client, data, checkOnly=True)
        assert (state, detail["total_count"], detail["errors"]) == ("Succeeded", "5", [])
        assert simulated_org.control.external_client_apps() == {}
        assert self.deploy(client, data)[0] == "Succeeded"
        assert list(simulated_org.control.external_client_apps()) == ["Billing"]
        names = list(packages.NAMES.items())
        assert self.deploy(client, packages.package([], delete=names, version=VERSION))[0] == "Succeeded"
        assert simulated_org.control.external_client_apps() == {}

    def test_failures_are_understood(self, client: Any) -> None:
        wrong = packages.five(**{packages.OAUTH_POLICY: {"commaSeparatedPermissionSet": "Nobody"}})
        state, detail = self.deploy(client, packages.package(wrong, version=VERSION))
        (error,) = detail["errors"]
        assert (state, detail["failed_count"]) == ("Failed", "1")
        assert error["message"].startswith("We couldn't find permission sets called Nobody")
        assert error["file"] == "extlClntAppOauthPolicies/Billing_oauth_defaultPolicy.ecaOauthPlcy"

    def test_the_crud_calls(self, client: Any, simulated_org: SimulatedOrg) -> None:
        metadata: Any = client.mdapi
        parent = {"externalClientApplication": "Billing"}
        metadata.ExternalClientApplication.create(
            [metadata.ExternalClientApplication(fullName="Billing", label="Billing", contactEmail="ops@acme.example")]
        )
        oauth = metadata.ExtlClntAppOauthSettings
        oauth.create([oauth(fullName="Billing_oauth", commaSeparatedOauthScopes="Api, RefreshToken", **parent)])
        settings = metadata.ExtlClntAppGlobalOauthSettings
        settings.create([settings(fullName="Billing_global", certificate=key_pair()[1], **parent)])
        found = settings.read(["Billing_global"])
        assert found.consumerKey == simulated_org.control.external_client_app("Billing")["consumer_key"]
        assert found.certificate.strip() == key_pair()[1].strip()
        queries = [{"type": "ExtlClntAppOauthConfigurablePolicies"}]
        assert [one.fullName for one in metadata.list_metadata(queries)] == ["Billing_oauth_defaultPolicy"]
        policy = metadata.ExtlClntAppOauthConfigurablePolicies
        changed = policy.read(["Billing_oauth_defaultPolicy"])
        changed.permittedUsersPolicyType = "AdminApprovedPreAuthorized"
        changed.commaSeparatedPermissionSet = "Billing_access"
        policy.upsert([changed])
        again = policy.read(["Billing_oauth_defaultPolicy"])
        assert (again.commaSeparatedPermissionSet, again.ipRelaxationPolicyType) == ("Billing_access", "Enforce")
        with pytest.raises(Exception, match="DUPLICATE_VALUE"):
            policy.upsert([policy(fullName="Mine", **parent)])

    def test_a_retrieve(self, client: Any) -> None:
        self.deploy(client, packages.package(packages.five(), version=VERSION))
        # Its path has the id of an earlier process, and its elements have no namespace.
        wanted = {"ExternalClientApplication": ["Billing"]}
        process, state = client.mdapi.retrieve("0AfSm0000000001", unpackaged=wanted)
        assert (state, client.mdapi.check_retrieve_status(process)[0]) == ("Queued", "Succeeded")
        _state, _error, _messages, data = client.mdapi.retrieve_zip(process)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert b"<label>Billing robots</label>" in archive.read("unpackaged/externalClientApps/Billing.eca")

    def test_records_and_secrets(self, client: Any, simulated_org: SimulatedOrg) -> None:
        sets: Any = client.PermissionSet
        made = sets.create({"Name": "Secrets", "Label": "Secrets", "PermissionsViewClientSecret": True})
        sets.update(made["id"], {"PermissionsExternalClientAppDeveloper": True})
        user_id = simulated_org.control.user(simulated_org.admin.username)["id"]
        pair = {"PermissionSetId": made["id"], "AssigneeId": user_id}
        assignment = client.PermissionSetAssignment.create(pair)
        simulated_org.control.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
        held = simulated_org.control.add_external_client_app("Billing")
        app_id = client.restful("apps/oauth/usage")["apps"][0]["identifier"]
        consumer = client.restful(f"apps/oauth/credentials/{app_id}")["consumers"][0]
        secret = client.restful(f"apps/oauth/credentials/{app_id}/{consumer['id']}", params={"part": "secret"})
        assert secret["secret"] == held["consumer_secret"]
        assert client.PermissionSetAssignment.delete(assignment["id"]) == 204
        assert sets.delete(made["id"]) == 204

    def test_tooling(self, client: Any, simulated_org: SimulatedOrg) -> None:
        simulated_org.control.set_org(trusted_ranges=["192.0.2.1"])
        answer = client.toolingexecute("query", params={"q": "SELECT Metadata FROM SecuritySettings"})
        settings = answer["records"][0]["Metadata"]
        assert settings["networkAccess"]["ipRanges"][0]["start"] == "192.0.2.1"
