# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files that only one application reads. Pure."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import quoteattr

from .encoders import (
    as_text,
    env_file,
    json_text,
    properties,
    quote_env,
    quote_json,
    quote_unescaped,
    toml_text,
    yaml_text,
)
from .fields import NotRepresentable, Value
from .model import Values

_AIRFLOW_DEFAULT = "salesforce_default"  # what Airflow's Salesforce hook looks for
_AIRFLOW_NAMES = {"login": "username", "password": "password"}
_AUTH_URL_PART = re.compile(r"[A-Za-z0-9._-]+={0,2}")
_DATA_FACTORY_SECRETS = ("password", "securityToken", "clientSecret")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_KUBERNETES_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_MULE, _MULE_SALESFORCE = (f"http://www.mulesoft.org/schema/mule/{part}" for part in ("core", "salesforce"))


def airflow_uri(values: Values, *, name: str = _AIRFLOW_DEFAULT) -> str:
    """Write an environment variable that holds the connection as a URI."""
    entry = _airflow(values)
    user = ":".join(quote(entry.get(part, ""), safe="") for part in ("login", "password"))
    return _airflow_variable(name, f"salesforce://{user}@/?{urlencode(entry['extra'])}")


def airflow_json(values: Values, *, name: str = _AIRFLOW_DEFAULT) -> str:
    """Write an environment variable that holds the connection as JSON."""
    text = json.dumps(_airflow(values), separators=(",", ":"))
    # Written as escapes, these leave a text that can be quoted for every reader of an environment file.
    for char in "$`":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return _airflow_variable(name, text)


def airflow_connections(values: Values, *, name: str = _AIRFLOW_DEFAULT) -> str:
    """Write the connection by its id."""
    return json_text({name: _airflow(values)})


def _airflow(values: Values) -> dict[str, Any]:
    """Return user and password by Airflow's names, and the rest as extras."""
    extra = dict(values)
    own = {name: extra.pop(ours) for name, ours in _AIRFLOW_NAMES.items() if ours in extra}
    return {"conn_type": "salesforce", **own, "extra": extra}


def _airflow_variable(name: str, text: str) -> str:
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise NotRepresentable("name", f"{name!r} as the id of a connection: letters, digits and _ only")
    return env_file(quote_env)({f"AIRFLOW_CONN_{name.upper()}": text})


def ant(values: Values) -> str:
    """Write properties for Ant, which expands ${} in them, too, and takes $$ for one dollar sign."""
    return properties({name: as_text(value).replace("$", "$$") for name, value in values.items()})


def mule_xml(values: Values, *, name: str = "Salesforce_Config") -> str:
    """Write a global element to be named by C(config-ref)."""
    attributes = "".join(f" {key}={quoteattr(as_text(value))}" for key, value in values.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<mule xmlns="{_MULE}" xmlns:salesforce="{_MULE_SALESFORCE}"\n'
        '      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
        f'      xsi:schemaLocation="{_MULE} {_MULE}/current/mule.xsd\n'
        f'                          {_MULE_SALESFORCE} {_MULE_SALESFORCE}/current/mule-salesforce.xsd">\n'
        f"  <salesforce:sfdc-config name={quoteattr(name)}>\n"
        f"    <salesforce:basic-connection{attributes}/>\n"
        "  </salesforce:sfdc-config>\n"
        "</mule>\n"
    )


def dlt(values: Values) -> str:
    """Write the secrets of the verified source C(salesforce)."""
    return "[sources.salesforce]\n" + toml_text(values)


def embulk(values: Values) -> str:
    """Write the part of a configuration that says where to read."""
    return "in:\n" + "".join(f"  {line}\n" for line in yaml_text(values).splitlines())


def logstash(values: Values) -> str:
    """Write settings, whose strings know no escapes."""
    return "".join(f"{key} => {_logstash_value(key, value)}\n" for key, value in values.items())


def _logstash_value(key: str, value: Value) -> str:
    if not isinstance(value, str):
        return quote_json(value)
    if value.endswith("\\"):
        raise NotRepresentable(key, "a backslash at the end")
    return quote_unescaped(key, value)


def data_factory(values: Values, *, name: str = "Salesforce") -> str:
    """Write a linked service of Azure Data Factory: its old kind for a password, its new one for OAuth."""
    kind = "Salesforce" if "username" in values else "SalesforceV2"
    settings = {
        key: {"type": "SecureString", "value": value} if key in _DATA_FACTORY_SECRETS else value
        for key, value in values.items()
    }
    return json_text({"name": name, "properties": {"type": kind, "typeProperties": settings}})


def sfdx_url(values: Values) -> str:
    """Write what C(sf org login sfdx-url) reads; an app without a secret leaves its place empty."""
    parts = {"consumer_secret": "", **values}
    for option in ("consumer_key", "consumer_secret", "refresh_token"):
        if parts[option] and not _AUTH_URL_PART.fullmatch(as_text(parts[option])):
            raise NotRepresentable(option, "any character but letters, digits, '.', '_', '-' and '=' at the end")
    return "force://{consumer_key}:{consumer_secret}:{refresh_token}@{host}\n".format_map(parts)


def n8n(values: Values, *, name: str = "Salesforce") -> str:
    """Write what C(n8n import:credentials) reads."""
    return json_text([{"id": name, "name": name, "type": "salesforceJwtApi", "data": values}])


def kubernetes(values: Values, *, name: str = "salesforce") -> str:
    """Write a Secret with one key a field, for C(envFrom) or a volume. kubectl reads JSON as it reads YAML."""
    if not _KUBERNETES_NAME.fullmatch(name):
        raise NotRepresentable("name", f"{name!r} as a name: lower case letters, digits, - and .")
    return json_text(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "stringData": values}
    )


def django(values: Values) -> str:
    """Write a Python module that settings import from, since settings have other databases too."""
    body = "".join(f"    {name!r}: {value!a},\n" for name, value in values.items())
    return f"SALESFORCE = {{\n{body}}}\n"


def password_alone(values: Values) -> str:
    """Write the login password, without a line break, which would become a part of it."""
    return as_text(values["login_password"])
