# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications log in to the simulated org with nothing but what was written for them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import dotenv
import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from tests.format_readers.process import Process
from tests.simulated_org import SimulatedOrg
from tests.unit.simulator.apps import key_pair

Reader = Callable[[str], Process]
PASSWORD = "it's {{ 5 }} $ \\ % #é"
TOKEN = "ExampleToken00000000000001"


@pytest.fixture
def connection(simulated_org: SimulatedOrg) -> Connection:
    """A user with an awkward password, and an app that it may use by any flow."""
    simulated_org.control.set_org(instance_url=simulated_org.listeners[1].url)
    simulated_org.control.add_user("app@acme.example", PASSWORD, security_token=TOKEN, profile="System Administrator")
    simulated_org.control.add_app(
        "key",
        consumer_secret="secret",
        certificate=key_pair()[1],
        run_as="app@acme.example",
        approved_users=["app@acme.example"],
    )
    return Connection(
        username="app@acme.example",
        password=PASSWORD,
        security_token=TOKEN,
        consumer_key="key",
        consumer_secret="secret",
        private_key=key_pair()[0],
        api_version="60.0",
        allowed_hosts=("localhost",),
    )


@pytest.mark.parametrize("name", ["airflow_uri", "airflow_json"])
@pytest.mark.parametrize("auth", ["security_token", "username_password", "jwt_bearer", "client_credentials"])
def test_airflows_hook_reads_from_the_org(
    reader: Reader, simulated_org: SimulatedOrg, connection: Connection, name: str, auth: str
) -> None:
    own = auth == "client_credentials"
    place = "acme.my" if own else "login"
    wanted = dataclasses.replace(connection, auth=auth, login_url=f"https://{place}.salesforce.com")
    text = formats.render(wanted, name, {"name": "billing"})
    ((variable, value),) = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False).items()
    (organization,) = reader("python").ask("airflow-login", variable, str(value), simulated_org.listeners[own].url)
    assert organization == simulated_org.control.org()["name"]


def test_airflows_hook_would_not_log_in_without_a_token(connection: Connection) -> None:
    with pytest.raises(OptionError, match="^security_token: format airflow_uri cannot hold a credential without it"):
        formats.render(dataclasses.replace(connection, security_token=None), "airflow_uri")


def test_django_salesforce_logs_in(reader: Reader, simulated_org: SimulatedOrg, connection: Connection) -> None:
    wanted = dataclasses.replace(connection, auth="username_password", login_url=simulated_org.url)
    (instance,) = reader("python").ask("django-login", formats.render(wanted, "django"))
    assert instance == simulated_org.listeners[1].url


def test_jsforce_logs_in_with_what_nodes_dotenv_reads(
    reader: Reader, simulated_org: SimulatedOrg, connection: Connection
) -> None:
    wanted = dataclasses.replace(connection, login_url=simulated_org.url)
    found = reader("node").pairs("jsforce", formats.render(wanted, "node_env"))
    assert found["user"] == simulated_org.control.user("app@acme.example")["id"]


def test_dlt_takes_an_empty_token_for_a_value(reader: Reader, connection: Connection) -> None:
    text = formats.render(dataclasses.replace(connection, security_token=None), "dlt")
    assert reader("python").pairs("dlt", text)["security_token"] == ""
