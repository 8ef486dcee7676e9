# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the Metadata service against the schema of the real WSDL (the one that simple-salesforce brings)."""

from __future__ import annotations

from pathlib import Path

import pytest
import simple_salesforce
from lxml import etree

from tests.simulated_org import schemas

from . import packages
from .test_metadata import HEADER, NONE, login_ranges, network
from .wire import Answer, Wire

XSD = "{http://www.w3.org/2001/XMLSchema}schema"


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    wsdl = etree.parse(Path(simple_salesforce.__file__).with_name("metadata.wsdl"))
    # Written out and read again on its own, it keeps the namespaces that the WSDL declares around it.
    return etree.XMLSchema(etree.fromstring(etree.tostring(next(wsdl.iter(XSD)))))


def check(schema: etree.XMLSchema, answer: Answer) -> None:
    # The payload keeps the namespaces of its envelope, on which `xsi:type` values depend.
    schema.assertValid(etree.fromstring(etree.tostring(answer.payload)))


@pytest.fixture
def session(wire: Wire) -> str:
    return wire.login().session


@pytest.mark.parametrize("prefixed", [False, True])
def test_security_settings(wire: Wire, session: str, schema: etree.XMLSchema, prefixed: bool) -> None:
    wire.commands.set_switches(prefixed_types=prefixed)
    check(schema, wire.read(session))
    described = {"start": "192.0.2.1", "end": "192.0.2.9", "description": "R&D"}
    wire.commands.set_org(
        trusted_ranges=["2001:db8::/64", described],
        password_policies={"apiOnlyUserHomePageURL": "https://example.com", "passwordAssistanceMessage": "call"},
        session_settings={
            "enableSMSIdentity": True,
            "logoutURL": "https://example.com",
            "enforceUserDeviceRevoked": False,
        },
        security_flags={"sendCspForUncommonClients": True, "enablePermissionsPolicy": True},
    )
    answer = wire.read(session)
    check(schema, answer)
    assert answer.text("description") == "R&D"


def test_profiles(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    wire.commands.set_profile(
        "Admin", login_ip_ranges=["192.0.2.0/24", "2001:db8::1"], login_hours={day: [0, 1439] for day in range(7)},
        description="all of it",
    )  # fmt: skip
    check(schema, wire.read(session, "Profile", "Admin", "Standard"))


def test_a_missing_profile_with_only_its_name(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    wire.commands.set_switches(missing_component="full_name")
    check(schema, wire.read(session, "Profile", "Nobody"))


def test_a_nil_record_is_what_the_schema_does_not_foresee(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    """The documents' sample tests for null, although the schema does not declare records nillable."""
    with pytest.raises(etree.DocumentInvalid, match="nil"):
        check(schema, wire.read(session, "Profile", "Nobody"))


def test_save_results(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    check(schema, wire.update(session, "<fullName>Security</fullName>" + network("192.0.2.1 192.0.2.1")))
    for code in ("FIELD_INTEGRITY_EXCEPTION", "specific"):
        wire.commands.set_switches(range_error_code=code, insufficient_access="status")
        for bad in ("192.0.2.9 192.0.2.1", "20.0.0.0 29.0.0.0", f"192.0.2.1 192.0.2.1 {'x' * 300}"):
            answer = wire.update(session, "<fullName>Security</fullName>" + network(bad))
            assert answer.text("success") == "false"
            check(schema, answer)
    both = ("<fullName>Admin</fullName>" + login_ranges("192.0.2.1 192.0.2.1"), "<fullName>Nobody</fullName>")
    check(schema, wire.update(session, *both, kind="Profile", header=HEADER))
    wire.commands.set_profile("Admin", permissions=["ApiEnabled"])
    answer = wire.update(session, NONE)
    assert answer.text("statusCode") == "INSUFFICIENT_ACCESS"
    check(schema, answer)


def test_describe_metadata(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    check(schema, wire.call(session, "<describeMetadata><asOfVersion>64.0</asOfVersion></describeMetadata>"))


def test_external_client_apps(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    wire.commands.set_permission_set("Billing_access", permissions=["ApiEnabled"], description="robots")
    check(schema, packages.deploy(wire, session, packages.package(packages.five())))
    wrong = packages.five(**{packages.APP: {"distributionState": "Nowhere"}})
    check(schema, packages.deploy(wire, session, packages.package(wrong)))
    for kind, name in {**packages.NAMES, "PermissionSet": "Billing_access"}.items():
        check(schema, wire.read(session, kind, name, version="63.0"))
        query = f"<listMetadata><queries><type>{kind}</type></queries></listMetadata>"
        check(schema, wire.call(session, query, version="63.0"))
    check(schema, wire.read(session, "ExternalClientAppSettings", "ExternalClientApp"))
    check(schema, wire.read(session, "OauthOidcSettings", "OauthOidc"))


def test_deploy_and_retrieve(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    answer = wire.call(session, "<deploy><ZipFile></ZipFile><DeployOptions/></deploy>")
    check(schema, answer)
    wanted = "<unpackaged><types><members>*</members><name>Profile</name></types></unpackaged>"
    answer = wire.call(session, f"<retrieve><retrieveRequest>{wanted}</retrieveRequest></retrieve>")
    check(schema, answer)
    query = f"<checkRetrieveStatus><asyncProcessId>{answer.text('id')}</asyncProcessId></checkRetrieveStatus>"
    check(schema, wire.call(session, query))


def test_upsert_and_delete(wire: Wire, session: str, schema: etree.XMLSchema) -> None:
    component = '<metadata xsi:type="PermissionSet"><fullName>Robots</fullName><label>Robots</label></metadata>'
    check(schema, wire.call(session, f"<upsertMetadata>{component}</upsertMetadata>"))
    for _unused in range(2):
        names = "<type>PermissionSet</type><fullNames>Robots</fullNames>"
        check(schema, wire.call(session, f"<deleteMetadata>{names}</deleteMetadata>"))


def test_elements_are_those_of_the_wsdl_in_its_order(schema: etree.XMLSchema) -> None:
    """But for the few that later versions have."""
    wsdl = etree.parse(Path(simple_salesforce.__file__).with_name("metadata.wsdl"))
    for one in schemas.SCHEMAS.values():
        (kind,) = (found for found in wsdl.iter(f"{XSD[:-6]}complexType") if found.get("name") == one.name)
        names = [found.get("name") for found in kind.iter(f"{XSD[:-6]}element")]
        later = {name for name, (first, _last) in one.versions.items() if first > 63}
        assert [name for name in one.elements if name not in later] == names
        assert list(one.elements) == sorted(one.elements)
