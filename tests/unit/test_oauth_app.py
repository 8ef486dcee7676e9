# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps as packages, and the certificates that belong to them."""

from __future__ import annotations

import dataclasses
import datetime
import io
import zipfile
from typing import cast
from xml.etree import ElementTree

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app import apply as apply_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.apply import AppWriter
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.certificate import (
    parse_certificate,
    read_certificate,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.model import (
    KINDS,
    App,
    DeclaredApp,
    PermissionSet,
    mark_description,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.package import (
    ELEMENTS,
    parse_component,
    write_component,
    write_package,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.oauth_app.plan import (
    plan_absent,
    plan_disabled,
    plan_present,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org import deploy as deploy_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.client import Org
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.deploy import DeployStatus
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.progress import Progress
from tests.simulated_org import schemas
from tests.unit.simulator.apps import key_pair

KEY, PEM = key_pair(days=365)
NOW = datetime.datetime.now(datetime.UTC)
NOTHING = App(name="App", components={}, permission_set=PermissionSet(name="App"))
DECLARED = DeclaredApp(
    name="App",
    label="A & B",
    contact_email="platform@acme.example",
    description="Logins <of> servers",
    flows=("jwt_bearer",),
    certificate=read_certificate(PEM, key=KEY, now=NOW),
    scopes=("api", "refresh_token"),
    ip_relaxation="enforce",
    permission_set="App",
    users=("billing@acme.example",),
    run_as=None,
)


@pytest.mark.parametrize("kind", KINDS)
def test_elements_are_those_of_the_wsdl_in_its_order(kind: str) -> None:
    known = list(schemas.SCHEMAS[kind].elements)
    assert [name for name in known if name in ELEMENTS[kind]] == list(ELEMENTS[kind])


def test_keys_secrets_and_what_makes_a_package_invalid_are_never_sent() -> None:
    never = {"consumerKey", "consumerSecret", "shouldRotateConsumerKey", "shouldRotateConsumerSecret", "oauthLink"}
    never |= {"orgScopedExternalApp"}
    assert not never & {name for names in ELEMENTS.values() for name in names}
    assert "isNamedUserJwtEnabled" not in ELEMENTS["ExtlClntAppOauthConfigurablePolicies"]


def test_a_new_app_is_one_package_of_five_components_that_reads_back_as_declared() -> None:
    plan = plan_present(NOTHING, DECLARED)
    assert [component.kind for component in plan.components] == list(KINDS)
    read = {
        component.kind: parse_component(component.kind, ElementTree.fromstring(write_component(component)))
        for component in plan.components
    }
    app = App(name="App", components=read, permission_set=plan.after.permission_set)
    assert app.summary() == plan.after.summary()
    assert (app.description, app.made) == ("Logins <of> servers", True)
    with zipfile.ZipFile(io.BytesIO(write_package("64.0", plan.components))) as archive:
        assert len(archive.namelist()) == 6 and "package.xml" in archive.namelist()


def test_a_plan_that_was_carried_out_is_empty() -> None:
    after = plan_present(NOTHING, DECLARED).after
    assert not plan_present(after, DECLARED)
    assert plan_absent(after) and not plan_absent(NOTHING)


@pytest.mark.parametrize("text", ["", "Logins", "Logins [of servers]", "[gatehouse.salesforce] is not a mark here"])
@pytest.mark.parametrize("certificate", [None, "0" * 64])
def test_the_mark_follows_any_description_and_leaves_it_as_it_was(text: str, certificate: str | None) -> None:
    app = plan_present(NOTHING, DECLARED).after
    component = app.components["ExternalClientApplication"].changed(
        {"description": mark_description(text, certificate)}
    )
    marked = App(name="App", components={component.kind: component}, permission_set=app.permission_set)
    assert (marked.made, marked.description) == (True, text)
    assert marked.marked_certificate == (certificate and certificate[:16])


def test_an_app_that_a_rotation_has_switched_off_comes_back_with_another_key_only() -> None:
    retired = plan_disabled(plan_present(NOTHING, DECLARED).after, retired=True).after
    assert retired.retired and not retired.enabled
    again = plan_present(retired, DECLARED)
    assert not again and not again.after.enabled
    renamed = plan_present(retired, dataclasses.replace(DECLARED, description="Renamed")).after
    assert renamed.description == "Renamed" and renamed.retired
    _key, pem = key_pair("another")
    found = parse_certificate(pem)
    assert found
    renewed = plan_present(retired, dataclasses.replace(DECLARED, certificate=found[0])).after
    assert renewed.enabled and not renewed.retired
    switched_off = plan_disabled(plan_present(NOTHING, DECLARED).after).after
    assert plan_present(switched_off, DECLARED).after.enabled, "by hand, or by state: disabled"


def test_a_certificate_is_the_same_with_and_without_its_first_and_last_line() -> None:
    body = "".join(PEM.splitlines()[1:-1])
    first, second = parse_certificate(PEM), parse_certificate(body)
    assert first and second and first[0] == second[0]


@pytest.mark.parametrize("text", ["", "no", "AAAA", "-----BEGIN CERTIFICATE-----", PEM[:200]])
def test_what_is_no_certificate_is_none(text: str) -> None:
    assert parse_certificate(text) is None


def test_one_line_says_that_a_deployment_takes_longer_and_each_look_is_a_detail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = [DeployStatus(done=number == 7, succeeded=True, status="InProgress", failures=()) for number in range(8)]
    answers = iter(["0Af1", *looks])
    monkeypatch.setattr(deploy_module, "call", lambda _org, _operation: next(answers))
    monkeypatch.setattr(deploy_module, "POLL_SECONDS", (0.0, 0.0, 0.0))
    stages, polls = list[str](), list[str]()
    progress = Progress(stage=stages.append, poll=polls.append)
    deploy_module.deploy(cast(Org, None), b"", check_only=False, seconds=60, progress=progress)
    assert stages == ["the deployment 0Af1 takes longer: waiting for up to 60 s"]
    assert polls == ["deployment 0Af1: InProgress after 0 s"] * 7


def test_one_line_says_that_the_token_endpoint_is_waited_for_and_each_try_is_a_detail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(apply_module, "knows_app", lambda _org, _key: next(answers))
    monkeypatch.setattr(apply_module, "POLL_SECONDS", (0.0,))
    stages, polls = list[str](), list[str]()
    progress = Progress(stage=stages.append, poll=polls.append)
    AppWriter(cast(Org, None), seconds=60, progress=progress).wait_until_known("invented-key")
    assert stages == ["waiting for up to 60 s until the token endpoint knows the new app"]
    assert polls == ["the token endpoint does not know the app after 0 s"] * 2
