# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes in, there is an answer in the service's form."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulated_org.pages import OPERATIONS

from . import packages
from .test_metadata import network
from .wire import Answer, Wire

# The services keep no state that these requests could change.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
WORDS = (
    "SELECT FROM WHERE AND OR NOT IN LIKE ORDER BY LIMIT COUNT ( ) , = != < 'x' 7 "
    "Id LoginTime SourceIp User LoginHistory TODAY NULL"
)


@SHARED
@given(body=st.text())
def test_bodies(wire: Wire, body: str) -> None:
    body = body.encode("utf-8", "replace").decode()
    answer = Answer(wire.send("POST", "/services/Soap/u/64.0", body))
    assert (answer.status, answer.text("faultcode")) == (500, "soapenv:Client")


@SHARED
@given(words=st.lists(st.sampled_from(WORDS.split())))
def test_queries(wire: Wire, words: list[str]) -> None:
    session = wire.login().session
    answer = wire.query(session, " ".join(words))
    assert answer.status == 200 or answer.error in {
        "MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE", "INVALID_QUERY_FILTER_OPERATOR"
    }  # fmt: skip


@SHARED
@given(start=st.text("0123456789abcdef.:/ ", max_size=20), end=st.text("0123456789abcdef.:/ ", max_size=20))
def test_addresses(wire: Wire, start: str, end: str) -> None:
    body = network("192.0.2.1 192.0.2.1").replace("192.0.2.1", start, 1).replace("192.0.2.1", end, 1)
    assert wire.update(wire.login().session, body).text("success") in ("true", "false")


GRANTS = ("password", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer")
FIELDS = ("client_id", "client_secret", "username", "password", "assertion", "refresh_token")


@SHARED
@given(grant=st.sampled_from(GRANTS), fields=st.dictionaries(st.sampled_from(FIELDS), st.text()), header=st.text())
def test_token_requests(wire: Wire, grant: str, fields: dict[str, str], header: str) -> None:
    form = urlencode({"grant_type": grant, **fields}, errors="replace")
    answer = wire.send("POST", "/services/oauth2/token", form, authorization=f"Basic {header}")
    assert (answer.status, set(json.loads(answer.body))) == (400, {"error", "error_description"})


@SHARED
@given(path=st.text("/services/Soap/data/umc0123456789.v", max_size=40), method=st.sampled_from(["GET", "POST", "PUT"]))
def test_paths(wire: Wire, path: str, method: str) -> None:
    assert wire.send(method, f"/{path}").status in (200, 401, 404, 405, 500)


@SHARED
@given(
    path=st.sampled_from(sorted(OPERATIONS)),
    method=st.sampled_from(["GET", "POST"]),
    fields=st.dictionaries(st.sampled_from(["sid", "retURL", "_CONFIRMATIONTOKEN"]), st.text()),
    cookie=st.text(),
    real=st.booleans(),
)
def test_pages(wire: Wire, path: str, method: str, fields: dict[str, str], cookie: str, real: bool) -> None:
    if real:
        fields = {**fields, "sid": wire.login().session}
    form = urlencode(fields, errors="replace")
    answer = wire.send(method, path, form, query=form, cookie=cookie, content_type="application/x-www-form-urlencoded")
    assert answer.status in (200, 302)
    for _name, value in answer.headers:
        assert value.isascii() and value.isprintable()


@SHARED
@given(data=st.binary(max_size=200), cut=st.integers(0, 4000), way=st.sampled_from(["noise", "cut", "flip"]))
def test_packages(wire: Wire, data: bytes, cut: int, way: str) -> None:
    wire.commands.set_permission_set("Billing_access")
    whole = packages.package(packages.five())
    if way == "cut":
        data = whole[:cut]
    elif way == "flip":
        place = cut % len(whole)
        data = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    answer = packages.deploy(wire, wire.login().session, data)
    assert answer.text("status") in ("Failed", "Succeeded")
    assert answer.text("done") == "true"


RESOURCES = (
    "apps/oauth/usage",
    "apps/oauth/credentials",
    "sobjects/PermissionSet",
    "composite/sobjects",
    "metadata/deployRequest",
)


@SHARED
@given(
    base=st.sampled_from(RESOURCES),
    rest=st.text("abc0123456789/_-.%", max_size=24),
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    body=st.one_of(st.text(), st.sampled_from(["{}", "[]", '{"records": [1]}', '{"Name": 7, "Label": {}}', "null"])),
)
def test_resources(wire: Wire, base: str, rest: str, method: str, body: str) -> None:
    body = body.encode("utf-8", "replace").decode()
    path = f"{base}/{rest}" if rest else base
    answer = wire.rest(wire.login().session, path, method=method, body=body, query="ids=1,0Pa2&part=x")
    assert answer.status in (200, 201, 202, 204, 400, 403, 404, 405)
