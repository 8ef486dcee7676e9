# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader must give back: credentials with awkward secrets, and where each format has them."""

from __future__ import annotations

import base64
import dataclasses
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    DEFAULT_LOGIN_URL,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
HIDDEN = "\t\n\r\x7f\x85\xa0\u2028\ufeff"
AWKWARD = "$`'\"\\ #{}=~!%@;:,.[](<>&|^*?+-_/a"
KEY = b"0123456789abcdef"
PRIVATE_KEY = "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n"
MY_DOMAIN = "https://acme.my.salesforce.com"
# For the format mapping, what a credential of each flow has.
MAPPED = {
    "security_token": {"SF_USER": "username", "SF_PASS": "password", "SF_TOKEN": "security_token"},
    "username_password": {"SF_USER": "username", "SF_PASS": "login_password", "SF_SECRET": "consumer_secret"},
    "jwt_bearer": {"SF_USER": "username", "SF_KEY": "consumer_key"},
    "client_credentials": {"SF_KEY": "consumer_key", "SF_SECRET": "consumer_secret"},
    "refresh_token": {"SF_KEY": "consumer_key", "SF_REFRESH": "refresh_token"},
    "session": {"SF_SESSION": "access_token", "SF_URL": "instance_url"},
}
Parse = Callable[[str], Mapping[str, Any]]
Refuses = Callable[[str], bool]

# Each stands for a trap of some reader.
EXAMPLES = (
    PRINTABLE.strip(),
    " blanks around ",
    "# no comment",
    "a #b",
    "it's $5 `x` \\",
    "both \"kinds' of quotes",
    "a\\nb\\\\c\\'d\\\"e\\",
    "a\\\\b\\'c\\\\\"d",
    "a#b\\",
    "'`\\n",
    "${HOME}$$ ${a:b} {{x}} #[y] ![z] %s %25",
    "};{value};=",
    "{braces}",
    "a;b=c",
    "pässwörd €",
    "密码 😀 e\u0301",
    "<a href='b'>&amp;]]></a>",
    "tab\tand line\nbreak",
    "\r\n at both ends\n",
    "\ufeffhidden\u2028ones\x85\xa0",
    "deleted\x7f",
    *("yes", "null", "1e3", "0x1f", "2026-11-27", "~"),
    "@{expression()}",
    "@expression()",
    "=expression",
    "<%= template %>",
    "RAW(a)",
    "ENC(a)",
    ", a,b ,c",
    "a,b,,c,",
    "\\,",
    "long" * 2000,
)

secrets = (
    st.text(PRINTABLE, min_size=1)
    | st.text(AWKWARD, min_size=1, max_size=8)
    | st.text(f"{HIDDEN}{AWKWARD}", min_size=1, max_size=8)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
).filter(str.strip)


def credential(auth: str = "security_token", *, password: str = "password", token: str = "token") -> Connection:
    """A credential that is complete for every flow; the OAuth secrets are as awkward as the password."""
    return Connection(
        auth=auth,
        login_url=MY_DOMAIN if auth == "client_credentials" else DEFAULT_LOGIN_URL,
        username="user+1@example.com",
        password=password,
        security_token=token,
        consumer_key="key",
        consumer_secret=password,
        private_key=PRIVATE_KEY,
        refresh_token="5Aep861.refresh",
        access_token="session",
        instance_url=MY_DOMAIN,
    )


def rendered(connection: Connection, name: str) -> str:
    """The text in a format, with values for the options that it needs."""
    options = {
        "encryption_key": base64.b64encode(KEY).decode(),
        "fields": MAPPED[connection.auth],
    }
    wanted = formats.FORMATS[name].options
    return formats.render(connection, name, {key: value for key, value in options.items() if key in wanted})


@dataclasses.dataclass(frozen=True)
class Case:
    """Where a format has the fields of a credential.

    Attributes:
        fields: the reader's names, to ours.
        refuses: which values the format cannot hold, said in another way than the code does.
    """

    auth: str
    fields: Mapping[str, str]
    refuses: Refuses = lambda _value: False

    def check(self, name: str, parse: Parse, password: str, token: str) -> None:
        """The reader gives back what was stored, or the format said that it cannot hold it, without saying it."""
        connection = credential(self.auth, password=password, token=token)
        if not can_be_stored(connection):
            with pytest.raises(OptionError) as caught:
                rendered(connection, name)
            assert len(password) < 8 or password not in str(caught.value)
            return
        stored = {ours: getattr(connection, ours) for ours in self.fields.values()}
        if any(self.refuses(value) for value in stored.values() if value):
            with pytest.raises(OptionError, match=f"(format {name}|encoder env) cannot hold") as caught:
                rendered(connection, name)
            assert len(password) < 8 or password not in str(caught.value)
            return
        found = parse(rendered(connection, name))
        assert {ours: found[theirs] for theirs, ours in self.fields.items()} == stored


def can_be_stored(connection: Connection) -> bool:
    """Whether a credential can be like that: no secret has a line break or a blank at its ends."""
    try:
        connection.checked()
    except OptionError:
        return False
    return True


def has(*markers: str) -> Refuses:
    """Whether the value has one of these in it."""
    return lambda value: any(marker in value for marker in markers)


def starts(*markers: str) -> Refuses:
    """Whether the value starts with one of these."""
    return lambda value: value.startswith(markers)


def any_of(*reasons: Refuses) -> Refuses:
    """Whether one of the reasons applies."""
    return lambda value: any(reason(value) for reason in reasons)


def hidden(value: str) -> bool:
    """Whether it has a character, other than a blank, that does not show."""
    return any(char != " " and unicodedata.category(char)[0] in "CZ" for char in value)


def padded(value: str) -> bool:
    """Whether it starts or ends with something blank."""
    return value[0].isspace() or value[-1].isspace()


def _a_list(value: str) -> bool:
    return "," in value and ("\\" in value or any(char.isspace() for char in value))


def _expansion(value: str) -> bool:
    return "${" in value and "}" in value[value.index("${") :]


def _no_common_quoting(value: str) -> bool:
    with_apostrophe = set(value) & set("'\\")
    return (
        hidden(value) or _expansion(value) or bool(with_apostrophe and (set(value) & set("$`") or value.endswith("\\")))
    )


def _no_dotenv(value: str) -> bool:
    at_end = value.endswith("\\") and (value[0] in " '\"#" or any(c.isspace() and n == "#" for c, n in pairs(value)))
    return hidden(value) or _expansion(value) or at_end


def _no_node(value: str) -> bool:
    if hidden(value):
        return True
    if value.endswith("\\"):
        return value[0] in " '\"`" or "#" in value
    double = '"' in value or "\\n" in value or "\\r" in value
    return "'" in value and "`" in value and double


def pairs(value: str) -> list[tuple[str, str]]:
    """Each character with the next one."""
    return list(zip(value, value[1:], strict=False))


_ENV = {
    "SALESFORCE_USERNAME": "username",
    "SALESFORCE_PASSWORD": "password",
    "SALESFORCE_SECURITY_TOKEN": "security_token",
}
_SIMPLE = {"username": "username", "password": "password", "security_token": "security_token"}
_MULE = {"username": "username", "password": "password", "securityToken": "security_token"}
_OAUTH = {"client_id": "consumer_key", "client_secret": "consumer_secret"}
_REFRESH = {**_OAUTH, "refresh_token": "refresh_token"}
_DATALOADER = {"sfdc.username": "username", "sfdc.password": "login_password"}
_DATADIRECT = {"Password": "password", "SecurityToken": "security_token"}
_KAFKA = {
    "salesforce.username": "username",
    "salesforce.password": "password",
    "salesforce.password.token": "security_token",
    "salesforce.consumer.key": "consumer_key",
    "salesforce.consumer.secret": "consumer_secret",
}

CASES = {
    "env": Case("security_token", _ENV, _no_common_quoting),
    "dotenv": Case("security_token", _ENV, _no_dotenv),
    "node_env": Case("security_token", _ENV, _no_node),
    "systemd_env": Case("security_token", _ENV, hidden),
    "docker_env": Case("security_token", _ENV, hidden),
    "shell_env": Case("security_token", _ENV, hidden),
    "sfdc_env": Case(
        "security_token",
        {"SFDC_USERNAME": "username", "SFDC_PASSWORD": "password", "SFDC_SECURITY_TOKEN": "security_token"},
        _no_common_quoting,
    ),
    "meltano": Case(
        "security_token",
        {
            "TAP_SALESFORCE_USERNAME": "username",
            "TAP_SALESFORCE_PASSWORD": "password",
            "TAP_SALESFORCE_SECURITY_TOKEN": "security_token",
        },
        _no_common_quoting,
    ),
    "json": Case("security_token", _SIMPLE),
    "yaml": Case("security_token", _SIMPLE),
    "toml": Case("security_token", _SIMPLE),
    "properties": Case(
        "jwt_bearer",
        {
            "salesforce.username": "username",
            "salesforce.password": "password",
            "salesforce.securityToken": "security_token",
            "salesforce.consumerSecret": "consumer_secret",
            "salesforce.privateKey": "private_key",
        },
    ),
    "ant": Case("security_token", {"sf.username": "username", "sf.password": "login_password"}),
    "mulesoft_properties": Case(
        "security_token", {f"salesforce.{key}": ours for key, ours in _MULE.items()}, has("${", "#[", "![")
    ),
    "mulesoft_xml": Case(
        "security_token",
        _MULE,
        has("${", "#[", "!["),
    ),
    "kafka_connect": Case("username_password", _KAFKA, any_of(has("${"), padded)),
    "kafka_connect_json": Case("username_password", _KAFKA, any_of(has("${"), padded)),
    "gobblin": Case(
        "username_password",
        {
            "source.conn.username": "username",
            "source.conn.password": "password",
            "source.conn.security.token": "security_token",
            "source.conn.client.id": "consumer_key",
            "source.conn.client.secret": "consumer_secret",
        },
        any_of(has("${", "ENC("), _a_list),
    ),
    "talend": Case(
        "security_token",
        {
            "userPassword.userId": "username",
            "userPassword.password": "password",
            "userPassword.securityKey": "security_token",
        },
    ),
    "camel": Case(
        "username_password",
        {
            "camel.component.salesforce.userName": "username",
            "camel.component.salesforce.password": "login_password",
            "camel.component.salesforce.clientId": "consumer_key",
            "camel.component.salesforce.clientSecret": "consumer_secret",
        },
        any_of(has("${", "{{"), starts("#", "RAW("), padded),
    ),
    "dataloader_properties": Case("security_token", _DATALOADER),
    "dataloader_process": Case("security_token", _DATALOADER),
    "airflow_uri": Case("security_token", _SIMPLE),
    "airflow_json": Case("security_token", _SIMPLE),
    "airflow_connections": Case("security_token", _SIMPLE),
    "dlt": Case(
        "security_token", {"user_name": "username", "password": "password", "security_token": "security_token"}
    ),
    "embulk": Case("username_password", {**_SIMPLE, **_OAUTH}, has("{{", "{%")),
    "logstash": Case(
        "username_password",
        {**_SIMPLE, **_OAUTH},
        lambda value: "${" in value or value.endswith("\\") or ("'" in value and '"' in value),
    ),
    "adf": Case("security_token", _SIMPLE, any_of(has("@{"), starts("@"))),
    "redash": Case("security_token", {"username": "username", "password": "password", "token": "security_token"}),
    "singer": Case("refresh_token", _REFRESH),
    "airbyte": Case("refresh_token", _REFRESH),
    "datadirect_jdbc": Case("security_token", {"User": "username", **_DATADIRECT}, any_of(hidden, has(";"))),
    "datadirect_odbc": Case("security_token", {"LogonID": "username", **_DATADIRECT}, any_of(hidden, has("}"))),
    "datadirect_odbc_ini": Case(
        "security_token",
        {"LogonID": "username", **_DATADIRECT},
        any_of(hidden, padded, lambda value: len(value.encode()) > 985),
    ),
    "cdata_jdbc": Case(
        "security_token",
        {"User": "username", "Password": "password", "Security Token": "security_token"},
        any_of(hidden, lambda value: "'" in value and '"' in value),
    ),
    "devart": Case(
        "security_token", {"User Id": "username", "Password": "password", "Security Token": "security_token"}, hidden
    ),
    "kubernetes": Case("security_token", _ENV),
    "systemd_credential": Case("security_token", {"": "login_password"}),
    "django": Case(
        "username_password",
        {
            "USER": "username",
            "PASSWORD": "login_password",
            "CONSUMER_KEY": "consumer_key",
            "CONSUMER_SECRET": "consumer_secret",
        },
    ),
    "keydra": Case("security_token", {"key": "username", "secret": "password", "token": "security_token"}),
    "amazon_connect": Case(
        "username_password",
        {
            "Password": "password",
            "AccessToken": "security_token",
            "ConsumerKey": "consumer_key",
            "ConsumerSecret": "consumer_secret",
        },
    ),
    "kelverion": Case(
        "username_password",
        {
            "Username": "username",
            "Password": "password",
            "SecurityToken": "security_token",
            "ClientId": "consumer_key",
            "ClientSecret": "consumer_secret",
        },
    ),
    "mapping": Case("security_token", MAPPED["security_token"], _no_common_quoting),
    "vault": Case("client_credentials", _OAUTH),
    "n8n": Case("jwt_bearer", {"username": "username", "clientId": "consumer_key", "privateKey": "private_key"}),
}
