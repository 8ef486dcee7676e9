# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envelopes as different clients write them, and as nobody should."""

from __future__ import annotations

import pytest

from .wire import Answer, Wire

LOGIN = "<username>{}</username><password>{}</password>"


def post(wire: Wire, body: str, path: str = "/services/Soap/u/64.0", **headers: str) -> Answer:
    return Answer(wire.send("POST", path, body, **headers))


def test_prefixed_elements_as_simple_salesforce_sends_them(wire: Wire) -> None:
    body = (
        '<?xml version="1.0" encoding="utf-8" ?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:urn="urn:partner.soap.sforce.com"><env:Header><urn:CallOptions><urn:client>x</urn:client>'
        f"</urn:CallOptions></env:Header><env:Body><urn:login><urn:username>{wire.admin.username}</urn:username>"
        f"<urn:password>{wire.admin.login_password}</urn:password></urn:login></env:Body></env:Envelope>"
    )
    assert post(wire, body, soapaction="login").ok


@pytest.mark.parametrize("action", ['""', "login", '"urn:whatever"'])
def test_the_soap_action_is_free(wire: Wire, action: str) -> None:
    body = (
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
        f'<login xmlns="urn:partner.soap.sforce.com">{LOGIN.format(wire.admin.username, wire.admin.login_password)}'
        "</login></Body></Envelope>"
    )
    assert post(wire, body, soapaction=action).ok


@pytest.mark.parametrize("prefix", ["", "met:", "ns0:"])
def test_types_with_any_prefix(wire: Wire, prefix: str) -> None:
    session = wire.login().session
    namespaces = "".join(f' xmlns:{one}="http://soap.sforce.com/2006/04/metadata"' for one in ("met", "ns0"))
    body = (
        f"<updateMetadata{namespaces}>"
        f'<metadata xsi:type="{prefix}SecuritySettings"><networkAccess/></metadata></updateMetadata>'
    )
    body = body.replace("<updateMetadata", '<updateMetadata xmlns="http://soap.sforce.com/2006/04/metadata"', 1)
    header = (
        '<SessionHeader xmlns="http://soap.sforce.com/2006/04/metadata">'
        f"<sessionId>{session}</sessionId></SessionHeader>"
    )
    assert wire.envelope("/services/Soap/m/64.0", body, header).text("success") == "true"


def test_answers_may_carry_prefixed_types(wire: Wire) -> None:
    wire.commands.set_switches(prefixed_types=True)
    assert b'xsi:type="met:SecuritySettings"' in wire.read(wire.login().session).response.body


@pytest.mark.parametrize("path", ["/services/Soap/m/64.0/", "/services/Soap/m/64.0/00DSm0000000001"])
def test_paths_with_a_trailing_slash_or_an_org(wire: Wire, path: str) -> None:
    session = wire.login().session
    body = (
        '<readMetadata xmlns="http://soap.sforce.com/2006/04/metadata"><type>SecuritySettings</type>'
        "<fullNames>Security</fullNames></readMetadata>"
    )
    header = f'<SessionHeader xmlns="http://soap.sforce.com/2006/04/metadata"><sessionId>{session}</sessionId></SessionHeader>'
    assert wire.envelope(path, body, header).ok


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not xml",
        "<html/>",
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body/></Envelope>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><login '
        'xmlns="urn:partner.soap.sforce.com"><username>&e;</username></login></Body></Envelope>',
        '<!DOCTYPE Envelope><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><login '
        'xmlns="urn:partner.soap.sforce.com"/></Body></Envelope>',
    ],
)
def test_what_is_no_call_gets_a_client_fault(wire: Wire, body: str) -> None:
    answer = post(wire, body)
    assert (answer.status, answer.text("faultcode")) == (500, "soapenv:Client")


def test_unknown_operations(wire: Wire) -> None:
    session = wire.login().session
    assert wire.call(session, "<fly/>").text("faultcode") == "soapenv:Client"
    assert wire.call(session, "<fly/>", service="u").text("faultcode") == "soapenv:Client"


def test_only_post(wire: Wire) -> None:
    assert wire.send("GET", "/services/Soap/u/64.0").status == 405
