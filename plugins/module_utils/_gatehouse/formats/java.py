# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs in Java read: properties, mostly. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from ..auth.connection import AUTH_FLOWS, Connection
from .common import OAUTH_PASSWORD, PASSWORD, Format, NotRepresentable, json_text, literal, require_trimmed, soap_url

_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", **{char: f"\\{char}" for char in "\\=:#!"}}


def properties(fields: Mapping[str, str]) -> str:
    """A file for C(java.util.Properties), in ASCII, so that it reads the same in every encoding."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in fields.items())


def _escaped(value: str) -> str:
    """The value, whose outer blanks neither the JDK nor Commons Configuration takes for a part of the syntax."""
    body = value.lstrip(" ")
    inner = body.rstrip(" ")
    return "\\ " * (len(value) - len(body)) + "".join(map(_escape, inner)) + "\\u0020" * (len(body) - len(inner))


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start:start + 4]}" for start in range(0, len(units), 4))


def render_properties(connection: Connection) -> str:
    """All that the credential has, by names of MuleSoft's kind."""
    return properties(
        literal(
            {
                "salesforce.username": connection.username,
                "salesforce.password": connection.password,
                "salesforce.securityToken": connection.security_token,
                "salesforce.consumerKey": connection.consumer_key,
                "salesforce.consumerSecret": connection.consumer_secret,
                "salesforce.privateKey": connection.private_key,
                "salesforce.accessToken": connection.access_token,
                "salesforce.instanceUrl": connection.instance_url,
                "salesforce.url": connection.login_url,
            }
        )
    )


def render_ant(connection: Connection) -> str:
    """The properties that the samples of the Ant Migration Tool pass on."""
    if connection.auth == "session":
        fields = {"sf.sessionId": connection.access_token, "sf.serverurl": connection.instance_url}
    else:
        fields = {
            "sf.username": connection.username,
            "sf.password": connection.login_password,
            "sf.serverurl": connection.login_url,
        }
    # Ant expands ${} in property files too, and takes $$ for one dollar sign.
    return properties({key: value.replace("$", "$$") for key, value in literal(fields).items()})


# Mule expands these in configuration: properties, expressions and secured properties.
_MULE = ("${", "#[", "![")


def _mule(connection: Connection) -> dict[str, str]:
    fields = {
        "username": connection.username,
        "password": connection.password,
        "securityToken": connection.security_token,
        "url": soap_url(connection),
    }
    return literal(fields, *_MULE)


def render_mulesoft_properties(connection: Connection) -> str:
    """Values to be named by C(${salesforce.username}) and so on."""
    return properties({f"salesforce.{key}": value for key, value in _mule(connection).items()})


def render_mulesoft_xml(connection: Connection, *, name: str = "Salesforce_Config") -> str:
    """A global element to be named by C(config-ref)."""
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in _mule(connection).items())
    core, salesforce = (f"http://www.mulesoft.org/schema/mule/{part}" for part in ("core", "salesforce"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<mule xmlns="{core}" xmlns:salesforce="{salesforce}"\n'
        '      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
        f'      xsi:schemaLocation="{core} {core}/current/mule.xsd\n'
        f'                          {salesforce} {salesforce}/current/mule-salesforce.xsd">\n'
        f"  <salesforce:sfdc-config name={quoteattr(name)}>\n"
        f"    <salesforce:basic-connection{attributes}/>\n"
        "  </salesforce:sfdc-config>\n"
        "</mule>\n"
    )


def _kafka_connect(connection: Connection) -> dict[str, str]:
    fields: dict[str, str | None] = {
        "salesforce.grant.type": "CLIENT_CREDENTIALS",
        "salesforce.consumer.key": connection.consumer_key,
        "salesforce.consumer.secret": connection.consumer_secret,
        "salesforce.instance": connection.login_url,
    }
    if connection.auth == "username_password":
        fields |= {
            "salesforce.grant.type": "PASSWORD",
            "salesforce.username": connection.username,
            "salesforce.password": connection.password,
            "salesforce.password.token": connection.security_token,
        }
    found = literal(fields, "${")  # config providers
    for key, value in found.items():
        require_trimmed(key, value)
    return found


def render_kafka_connect(connection: Connection) -> str:
    """Properties of a connector, for a standalone worker."""
    return properties(_kafka_connect(connection))


def render_kafka_connect_json(connection: Connection) -> str:
    """The same as an object, to be merged into a connector's C(config)."""
    return json_text(_kafka_connect(connection))


def render_gobblin(connection: Connection) -> str:
    """Properties of a job."""
    fields = {
        "source.conn.username": connection.username,
        "source.conn.password": connection.password,
        "source.conn.security.token": connection.security_token or "",
        "source.conn.client.id": connection.consumer_key,
        "source.conn.client.secret": connection.consumer_secret,
        "source.conn.host": connection.login_url.rstrip("/"),  # to which Gobblin appends a path
    }
    found = literal(fields, "${", "ENC(")
    for key, value in found.items():
        if "," in value and re.search(r"[\s\\]", value):  # Commons Configuration splits, trims and joins again
            raise NotRepresentable(
                key, "a comma together with a blank or a backslash, which its reader would take for a list"
            )
    return properties(found)


def render_talend(connection: Connection) -> str:
    """Context variables by the names of the Salesforce component's fields."""
    return properties(
        literal(
            {
                "endpoint": soap_url(connection),
                "userPassword.userId": connection.username,
                "userPassword.password": connection.password,
                "userPassword.securityKey": connection.security_token or "",
            }
        )
    )


def render_camel(connection: Connection) -> str:
    """Options of the component C(salesforce)."""
    fields: dict[str, str | None] = {
        "clientId": connection.consumer_key,
        "clientSecret": connection.consumer_secret,
        "loginUrl": connection.login_url,
    }
    if connection.auth == "username_password":
        fields |= {"userName": connection.username, "password": connection.login_password}
    else:
        fields["authenticationType"] = "CLIENT_CREDENTIALS"
    # All are Camel's own but "${", which is Spring Boot's.
    found = literal(fields, "{{", "${", start=("#", "RAW("))
    for key, value in found.items():
        require_trimmed(key, value)
    return properties({f"camel.component.salesforce.{key}": value for key, value in found.items()})


FORMATS = (
    Format(
        name="properties",
        description="a program in Java of one's own: `salesforce.username`, `.password`, `.securityToken` and so on",
        file="salesforce.properties",
        flows=AUTH_FLOWS,
        source="java.util.Properties",
        render=render_properties,
    ),
    Format(
        name="ant",
        description="the Ant Migration Tool",
        file="build.properties",
        composed=True,
        flows=(*PASSWORD, "session"),
        source="Ant Migration Tool guide",
        render=render_ant,
    ),
    Format(
        name="mulesoft_properties",
        description="MuleSoft's Salesforce connector, by configuration properties `salesforce.*`",
        file="config.properties",
        flows=PASSWORD,
        source="Mule runtime, configuration properties",
        render=render_mulesoft_properties,
    ),
    Format(
        name="mulesoft_xml",
        description="MuleSoft's Salesforce connector, as the global element NAME (`Salesforce_Config`)",
        file="NAME.xml",
        flows=PASSWORD,
        options=("name",),
        source="Mule Salesforce connector reference, basic-connection",
        render=render_mulesoft_xml,
    ),
    Format(
        name="kafka_connect",
        description="Confluent's Salesforce connectors in a standalone worker",
        file="NAME.properties",
        flows=(*OAUTH_PASSWORD, "client_credentials"),
        source="Confluent, Salesforce connector configuration",
        render=render_kafka_connect,
    ),
    Format(
        name="kafka_connect_json",
        description="the same as JSON, a part of a connector's `config`",
        file="body of PUT /connectors/NAME/config",
        flows=(*OAUTH_PASSWORD, "client_credentials"),
        source="Confluent, Salesforce connector configuration",
        render=render_kafka_connect_json,
    ),
    Format(
        name="gobblin",
        description="Apache Gobblin's Salesforce source",
        file="NAME.pull",
        flows=OAUTH_PASSWORD,
        source="Gobblin, ConfigurationKeys.java",
        render=render_gobblin,
    ),
    Format(
        name="talend",
        description="a context of a Talend job, which joins password and token itself",
        file="contexts/NAME.properties",
        flows=PASSWORD,
        source="Talend, SalesforceConnectionProperties",
        render=render_talend,
    ),
    Format(
        name="camel",
        description="Apache Camel's Salesforce component; that it wants both in one is not confirmed",
        file="application.properties",
        composed=True,
        flows=(*OAUTH_PASSWORD, "client_credentials"),
        source="Camel, Salesforce component",
        render=render_camel,
    ),
)
