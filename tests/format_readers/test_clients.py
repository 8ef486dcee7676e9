# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated org convinces clients that we did not write: jsforce and the libraries of the Salesforce CLI."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable

import pytest

from tests.format_readers.process import Process
from tests.simulated_org import SimulatedOrg
from tests.unit.simulator.apps import key_pair
from tests.unit.simulator.packages import GLOBAL, OAUTH_POLICY, five, package

Reader = Callable[[str], Process]
USER = "billing@acme.example"
PACKAGE = base64.b64encode(package(five(), version="60.0")).decode()


@pytest.fixture
def org(simulated_org: SimulatedOrg) -> SimulatedOrg:
    """An org with a user and a permission set for the app that the package makes."""
    simulated_org.control.add_user(USER, "Plain-Pony9", profile="Standard")
    simulated_org.control.set_permission_set("Billing_access", assigned=[USER])
    return simulated_org


def admin(org: SimulatedOrg) -> tuple[str, str, str]:
    return org.url, org.admin.username, org.admin.login_password


def sfdx_url(org: SimulatedOrg) -> str:
    """What `sf org display --verbose` shows of an org that somebody authorised."""
    org.control.add_app("PlatformCLI")
    value = org.control.grant_refresh_token("PlatformCLI", org.admin.username)
    return f"force://PlatformCLI::{value}@{org.url.removeprefix('https://')}"


class TestJsforce:
    @pytest.mark.parametrize("way", ["soap", "rest"])
    def test_deploys(self, reader: Reader, org: SimulatedOrg, way: str) -> None:
        assert reader("node").ask("jsforce-deploy", *admin(org), PACKAGE, way) == ["Succeeded", "5"]
        assert list(org.control.external_client_apps()) == ["Billing"]

    def test_reads_lists_writes_and_retrieves(self, reader: Reader, org: SimulatedOrg) -> None:
        reader("node").ask("jsforce-deploy", *admin(org), PACKAGE, "soap")
        key, name, saved, data = reader("node").ask("jsforce-metadata", *admin(org))
        assert key == org.control.external_client_app("Billing")["consumer_key"]
        assert (name, saved) == ("Billing_defaultPolicy", "true")
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as archive:
            assert "unpackaged/externalClientApps/Billing.eca" in archive.namelist()

    def test_rotates_a_secret(self, reader: Reader, org: SimulatedOrg) -> None:
        flow = {"isClientCredentialsFlowEnabled": "true"}
        components = {GLOBAL: flow, OAUTH_POLICY: {**flow, "clientCredentialsFlowUser": USER}}
        held = org.control.add_external_client_app("Robots", components=components)
        permissions = ["ExternalClientAppDeveloper", "ViewClientSecret"]
        org.control.set_permission_set("Secrets", permissions=permissions, assigned=[org.admin.username])
        org.control.set_external_client_app_settings(enableClientSecretInRestApiAccess=True)
        old, new = reader("node").ask("jsforce-rotate", *admin(org))
        assert old == held["consumer_secret"]
        assert org.control.external_client_app("Robots")["consumer_secret"] == new != old

    def test_creates_and_assigns_a_permission_set(self, reader: Reader, org: SimulatedOrg) -> None:
        answer = reader("node").ask("jsforce-records", *admin(org), org.control.user(USER)["id"])
        assert answer == ["true", "true", "true"]
        assert org.control.permission_sets() == ["Billing_access"]


class TestSalesforceCli:
    def test_logs_in_by_jwt(self, reader: Reader, org: SimulatedOrg) -> None:
        reader("node").ask("jsforce-deploy", *admin(org), PACKAGE, "soap")
        key = org.control.external_client_app("Billing")["consumer_key"]
        assert reader("node").ask("cli-jwt", org.url, key, USER, key_pair()[0]) == [org.control.org()["id"]]

    def test_logs_in_by_an_sfdx_url(self, reader: Reader, org: SimulatedOrg) -> None:
        assert reader("node").ask("cli-sfdx-url", sfdx_url(org), org.url) == [org.admin.username]

    @pytest.mark.parametrize("way", ["soap", "rest"])
    def test_deploys(self, reader: Reader, org: SimulatedOrg, way: str) -> None:
        assert reader("node").ask("cli-deploy", sfdx_url(org), org.url, PACKAGE, way) == ["Succeeded", "5"]
        assert list(org.control.external_client_apps()) == ["Billing"]
