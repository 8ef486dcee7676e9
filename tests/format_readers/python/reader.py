# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers lines of Base64 words: first what to do, then its arguments. Runs in the environment of the readers."""

# The readers' libraries are not where types are checked.
# mypy: disable-error-code="import-not-found, import-untyped, override, untyped-decorator"

from __future__ import annotations

import base64
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

FOLDER = Path(tempfile.mkdtemp(prefix="gatehouse-readers-"))
os.environ["AIRFLOW_HOME"] = str(FOLDER / "airflow")
answers, sys.stdout = sys.stdout, sys.stderr  # so that no library writes between the answers


def flat(found: dict[str, Any]) -> Iterable[str]:
    """Keys and values in turn."""
    return [str(word) for word in chain.from_iterable(found.items())]


class Instead(HTTPAdapter):
    """Sends what is for Salesforce to another server."""

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__()

    def send(self, request: Any, **options: Any) -> Any:
        request.url = self._url + request.path_url
        return super().send(request, **options)


def elsewhere(url: str) -> requests.Session:
    """A session in which no request leaves for Salesforce."""
    session = requests.Session()
    session.mount("https://", Instead(url))
    return session


def airflow_environment(variable: str, value: str) -> Iterable[str]:
    """Airflow's own way from an environment variable to the connection of its Salesforce hook."""
    from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

    os.environ[variable] = value
    connection = SalesforceHook.get_connection(variable.removeprefix("AIRFLOW_CONN_").lower())
    return _fields(connection)


def airflow_file(text: str, name: str) -> Iterable[str]:
    """Airflow's local filesystem backend."""
    from airflow.secrets.local_filesystem import load_connections_dict

    file = FOLDER / "connections.json"
    file.write_text(text)
    return _fields(load_connections_dict(str(file))[name])


def _fields(connection: Any) -> Iterable[str]:
    return flat(
        {
            "type": connection.conn_type,
            "username": connection.login,
            "password": connection.password,
            **connection.extra_dejson,
        }
    )


def airflow_login(variable: str, value: str, url: str) -> Iterable[str]:
    """The hook logs in and tells the name of the org that it reads."""
    from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

    os.environ[variable] = value
    name = variable.removeprefix("AIRFLOW_CONN_").lower()
    hook = SalesforceHook(salesforce_conn_id=name, session=elsewhere(url))
    return [hook.get_conn().query("SELECT Name FROM Organization")["records"][0]["Name"]]


def dlt_source(text: str) -> Iterable[str]:
    """The arguments that dlt gives to a source of the same name and signature as the verified one."""
    import dlt
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers import SecretsTomlProvider
    from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    (FOLDER / "secrets.toml").write_text(text)
    provider = SecretsTomlProvider(settings_dir=str(FOLDER))
    found: dict[str, Any] = {}

    @dlt.source(name="salesforce", section="salesforce")
    def salesforce_source(
        user_name: str = dlt.secrets.value,
        password: str = dlt.secrets.value,
        security_token: str = dlt.secrets.value,
    ) -> Any:
        found.update(user_name=user_name, password=password, security_token=security_token)
        return []

    Container()[PluggableRunContext].providers = ConfigProvidersContainer([provider])
    salesforce_source()
    return flat(found)


def django_settings(text: str) -> Iterable[str]:
    """The settings as Django has them for the database, with the engine of django-salesforce."""
    return flat(_django_database(text))


def django_login(text: str) -> Iterable[str]:
    """django-salesforce logs in."""
    from salesforce.auth import SalesforcePasswordAuth

    settings = _django_database(text)
    auth = SalesforcePasswordAuth("salesforce", settings_dict=settings)
    auth._session.verify = os.environ["REQUESTS_CA_BUNDLE"]
    return [auth.authenticate()["instance_url"]]


def _django_database(text: str) -> dict[str, Any]:
    import django
    from django.conf import settings
    from django.db.utils import ConnectionHandler

    if not settings.configured:
        settings.configure(USE_TZ=True)
        django.setup()
    module: dict[str, Any] = {}
    exec(text, module)
    handler = ConnectionHandler({"default": {}, "salesforce": module["SALESFORCE"]})
    return dict(handler["salesforce"].settings_dict)


def logstash(text: str) -> Iterable[str]:
    """A parser written after Logstash's grammar by others."""
    from lscl.parser import parse_lscl

    (section,) = parse_lscl(f"input {{\nsalesforce {{\n{text}}}\n}}\n")
    (plugin,) = section.content
    return flat({setting.name: setting.content for setting in plugin.content})


def data_factory(text: str) -> Iterable[str]:
    """The properties of a linked service, by Azure's own model of each kind; fails for a key that it does not know."""
    import json

    from azure.mgmt.datafactory.models import LinkedServiceResource, SecureString

    written = json.loads(text)
    service = LinkedServiceResource(written).properties
    known = type(service.type_properties)._attr_to_rest_field
    fields = {field._rest_name: getattr(service.type_properties, name) for name, field in known.items()}
    unknown = set(written["properties"]["typeProperties"]) - set(fields)
    if unknown:
        raise KeyError(*unknown)
    return flat({key: value.value if isinstance(value, SecureString) else value for key, value in fields.items()})


def airbyte(text: str) -> Iterable[str]:
    """A configuration that the connector's own specification allows; fails for a key that it does not know."""
    import json
    from importlib.metadata import files

    import jsonschema
    import yaml

    found = json.loads(text)
    (file,) = (file for file in files("airbyte-source-salesforce") or () if file.name == "spec.yaml")
    specification = yaml.safe_load(file.read_text())["connectionSpecification"]
    jsonschema.validate(found, {**specification, "additionalProperties": False})
    return flat(found)


def singer(text: str) -> Iterable[str]:
    """What the tap sends when it logs in, and where to."""
    import json
    from unittest import mock

    import tap_salesforce
    from tap_salesforce.salesforce import Salesforce

    file = FOLDER / "config.json"
    file.write_text(json.dumps({**json.loads(text), "start_date": "2026-01-01T00:00:00Z", "api_type": "REST"}))
    answer = mock.Mock(**{"json.return_value": {"access_token": "token", "instance_url": "url"}})
    with (
        mock.patch.object(sys, "argv", ["tap-salesforce", "--config", str(file)]),
        mock.patch.object(Salesforce, "_make_request", return_value=answer) as request,
    ):
        tap_salesforce.main_impl()
    return flat({**request.call_args.kwargs["body"], "url": request.call_args.args[1]})


def odbc(text: str, section: str, libraries: str, *keys: str) -> Iterable[str]:
    """What unixODBC tells to a driver about a data source."""
    import ctypes

    *_needed, library = (ctypes.CDLL(path, ctypes.RTLD_GLOBAL) for path in libraries.split(":"))
    file = FOLDER / f"{len(list(FOLDER.iterdir()))}.ini"  # a new one each time, since unixODBC remembers
    file.write_text(text)
    found = {}
    for key in keys:
        value = ctypes.create_string_buffer(2000)
        library.SQLGetPrivateProfileString(section.encode(), key.encode(), b"", value, len(value), str(file).encode())
        found[key] = value.value.decode()
    return flat(found)


COMMANDS: dict[str, Callable[..., Iterable[str]]] = {
    "airflow-environment": airflow_environment,
    "airflow-file": airflow_file,
    "airflow-login": airflow_login,
    "dlt": dlt_source,
    "django": django_settings,
    "django-login": django_login,
    "logstash": logstash,
    "data-factory": data_factory,
    "odbc": odbc,
    "airbyte": airbyte,
    "singer": singer,
}


def main() -> None:
    """Answer until there is nothing left to read."""
    for line in sys.stdin:
        command, *words = [base64.b64decode(word).decode() for word in line.rstrip("\n").split(" ")]
        try:
            answer = ["ok", *COMMANDS[command](*words)]
        except Exception as exc:
            answer = ["error", f"{type(exc).__name__}: {exc}"]
        print(" ".join(base64.b64encode(word.encode()).decode() for word in answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
