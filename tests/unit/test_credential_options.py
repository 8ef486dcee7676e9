# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials are read out of what applications have: what app_config wrote, and what people wrote by hand."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ansible_collections.gatehouse.salesforce.plugins.filter.credential_options import credential_options
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS
from tests.format_readers.cases import EXAMPLES, KEY, MAPPED, credential, rendered

# Those without a user, or whose names the test gives without a whole credential.
INCOMPLETE = {"amazon_connect", "systemd_credential"}
EACH = [(name, auth) for name, known in FORMATS.items() for auth in known.flows if name not in INCOMPLETE]
AT = {"SF_AT": "login_url"}
WHOLE = {
    **{auth: {**fields, **AT} for auth, fields in MAPPED.items()},
    "username_password": {**MAPPED["username_password"], **AT, "SF_KEY": "consumer_key"},
    "refresh_token": {**MAPPED["refresh_token"], **AT, "SF_SECRET": "consumer_secret"},
    "jwt_bearer": {**MAPPED["jwt_bearer"], **AT, "SF_PRIVATE": "private_key"},
}


def options(name: str, auth: str) -> dict[str, Any]:
    if name == "mapping":
        return {"fields": WHOLE[auth], "encoder": "json"}
    return {"encryption_key": base64.b64encode(KEY).decode()} if name.startswith("dataloader") else {}


def written(connection: Connection, name: str) -> str:
    if name != "mapping":
        return rendered(connection, name)
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import render

    return render(connection, name, options(name, connection.auth))


def only(auth: str, **secrets: str) -> Connection:
    """A credential with what its flow needs, and no more."""
    full = credential(auth, **secrets)
    needed = {
        "security_token": ("username", "password", "security_token"),
        "username_password": ("username", "password", "security_token", "consumer_key", "consumer_secret"),
        "jwt_bearer": ("username", "consumer_key", "private_key"),
        "client_credentials": ("consumer_key", "consumer_secret"),
        "refresh_token": ("consumer_key", "consumer_secret", "refresh_token"),
        "session": ("access_token", "instance_url"),
    }[auth]
    return Connection(auth=auth, login_url=full.login_url, **{name: getattr(full, name) for name in needed})


@pytest.mark.parametrize(("name", "auth"), EACH, ids=lambda part: part)
def test_what_app_config_wrote_is_read_back(name: str, auth: str) -> None:
    connection = only(auth)
    text = written(connection, name)
    found = credential_options(text, name, **options(name, auth))
    again = Connection(**found)
    assert found["auth"] == auth
    assert again.login_password == (connection.login_password if connection.password else "")
    kept = ("consumer_key", "consumer_secret", "private_key", "refresh_token", "access_token")
    assert {one: getattr(again, one) for one in kept} == {one: getattr(connection, one) for one in kept}
    assert written(again, name) == text


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _auth in EACH))
def test_awkward_secrets_are_read_back(name: str) -> None:
    auth = next(
        flow
        for flow in ("security_token", "username_password", "client_credentials", *FORMATS[name].flows)
        if flow in FORMATS[name].flows
    )
    read = 0
    for secret in EXAMPLES:
        connection = only(auth, password=secret.strip(), token="Token1")
        try:
            text = written(connection, name)
        except OptionError:
            continue
        again = Connection(**credential_options(text, name, **options(name, auth)))
        assert again.login_password == (connection.login_password if connection.password else "")
        assert again.consumer_secret == connection.consumer_secret
        read += 1
    assert read


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "env",
            "# billing\nexport SALESFORCE_USERNAME=b@acme.example\nSALESFORCE_PASSWORD='it is #1'  # old\n"
            'SALESFORCE_SECURITY_TOKEN="T0"\nSALESFORCE_HOST=test.salesforce.com\nLOG_LEVEL=debug\n',
            {
                "auth": "security_token",
                "username": "b@acme.example",
                "password": "it is #1",
                "security_token": "T0",
                "login_url": "https://test.salesforce.com",
            },
        ),
        ("docker_env", "SALESFORCE_USERNAME=b\nSALESFORCE_PASSWORD= a b ", {"username": "b", "password": " a b "}),
        ("dotenv", 'SALESFORCE_USERNAME = b\nSALESFORCE_PASSWORD="a\\"b" # c', {"username": "b", "password": 'a"b'}),
        (
            "airflow_uri",
            "AIRFLOW_CONN_SALESFORCE_DEFAULT='salesforce://b%40acme.example:p%2Fw@/?extra__salesforce__security_token=T0"
            "&extra__salesforce__domain=test'",
            {"username": "b@acme.example", "password": "p/w", "security_token": "T0"},
        ),
        (
            "airflow_uri",
            "salesforce://b:p@?__extra__=%7B%22domain%22%3A%22acme.my%22%7D",
            {"username": "b", "password": "p"},
        ),
        (
            "airflow_json",
            '{"conn_type": "salesforce", "login": "b", "password": "p", "extra": "{\\"security_token\\": \\"T0\\"}"}',
            {"username": "b", "password": "p", "security_token": "T0"},
        ),
        (
            "airflow_connections",
            "reports: salesforce://b:p@/?domain=login\n",
            {"username": "b", "password": "p", "login_url": "https://login.salesforce.com"},
        ),
        (
            "keydra",
            '{"key": "b@acme.example", "secret": "p", "token": "T0", "domain": "test", "provider": "salesforce"}',
            {"username": "b@acme.example", "password": "p", "security_token": "T0"},
        ),
        (
            "kubernetes",
            "apiVersion: v1\nkind: Secret\ndata:\n  SALESFORCE_USERNAME: Yg==\n  SALESFORCE_PASSWORD: cA==\n",
            {"auth": "security_token", "username": "b", "password": "p"},
        ),
        (
            "properties",
            "! Java\nsalesforce.username : b\nsalesforce.password=p\\u00e9\\\n    x\n",
            {"username": "b", "password": "p\u00e9x"},
        ),
        ("sfdx_url", "force://PlatformCLI::5Aep861@acme.my.salesforce.com", {"auth": "refresh_token"}),
        ("cdata_jdbc", "jdbc:salesforce:User=b;Password='p;q';Security Token=T0;", {"password": "p;q"}),
        (
            "vault",
            '{"client_id": "k", "client_secret": "s", "login_url": "https://a.my.salesforce.com"}',
            {"auth": "client_credentials"},
        ),
    ],
    ids=lambda part: part if isinstance(part, str) and part in FORMATS else "",
)
def test_what_people_write_is_read(name: str, text: str, found: dict[str, str]) -> None:
    read = credential_options(text, name)
    assert {key: read.get(key) for key in found} == found


@pytest.mark.parametrize("name", [*FORMATS, "cli_file"])
def test_another_text_is_an_error_without_a_word_of_it(name: str) -> None:
    for text in (
        "",
        "CANARY",
        "{CANARY",
        '{"CANARY": 1}',
        "CANARY='x",
        "[CANARY]\nCANARY=1",
        "<CANARY/>",
        "[1]",
        "C => '",
    ):
        with pytest.raises(AnsibleFilterError) as caught:
            credential_options(text, name, **options(name, "security_token"))
        assert "CANARY" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["<!DOCTYPE a [<!ENTITY b 'c'>]><mule/>", "<mule/>", "<a><basic-connection/><basic-connection/></a>"]
)
def test_xml_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="not of the format mulesoft_xml"):
        credential_options(text, "mulesoft_xml")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="the text has no whole credential; keydra should have: key, secret"):
        credential_options('{"key": "b"}', "keydra")
    with pytest.raises(AnsibleFilterError, match="env should have: SALESFORCE_USERNAME, SALESFORCE_PASSWORD; or "):
        credential_options("SF_USERNAME=b", "env")
    with pytest.raises(AnsibleFilterError, match="systemd_credential does not carry a whole credential"):
        credential_options("secret", "systemd_credential")
    with pytest.raises(AnsibleFilterError, match="format: 'guess' is not one of env, "):
        credential_options("x", "guess")
    with pytest.raises(AnsibleFilterError, match="name: format env has no such option"):
        credential_options("A=b", "env", name="x")


def test_one_of_several_connections_is_named() -> None:
    text = json.dumps({one: {"conn_type": "salesforce", "login": one, "password": "p"} for one in ("a", "b")})
    assert credential_options(text, "airflow_connections", name="b")["username"] == "b"
    with pytest.raises(AnsibleFilterError, match="has 2 connections; say which by name"):
        credential_options(text, "airflow_connections")
    with pytest.raises(AnsibleFilterError, match="has no connection of that name"):
        credential_options(text, "airflow_connections", name="c")


def test_the_flow_can_be_named_where_there_is_more_than_one() -> None:
    text = rendered(credential("username_password"), "env")
    assert credential_options(text, "env")["auth"] == "username_password"
    assert credential_options(text, "env", auth="client_credentials")["auth"] == "client_credentials"
    with pytest.raises(AnsibleFilterError, match="auth: the text has not all that jwt_bearer needs"):
        credential_options(text, "env", auth="jwt_bearer")


def sealed(text: str, key: str) -> str:
    """A secret as the CLI encrypts it, in the version that goes with the length of the key."""
    if len(key) == 64:
        nonce, start, cipher = bytes(12), bytes(12).hex(), AESGCM(bytes.fromhex(key))
    else:
        start = "0123456789ab"
        nonce, cipher = start.encode(), AESGCM(key.encode())
    done = cipher.encrypt(nonce, text.encode(), None)
    return f"{start}{done[:-16].hex()}:{done[-16:].hex()}"


@pytest.mark.parametrize("key", ["0123456789abcdef" * 2, "0123456789abcdef" * 4], ids=["v1", "v2"])
def test_a_login_of_the_cli_is_read_with_its_key(key: str) -> None:
    file = {
        "username": "admin@acme.example",
        "loginUrl": "https://login.salesforce.com",
        "instanceUrl": "https://acme.my.salesforce.com",
        "clientId": "PlatformCLI",
        "accessToken": sealed("CANARY", key),
        "refreshToken": sealed("5Aep861.refresh", key),
    }
    assert credential_options(json.dumps(file), "cli_file", encryption_key=key) == {
        "auth": "refresh_token",
        "login_url": "https://acme.my.salesforce.com",
        "username": "admin@acme.example",
        "consumer_key": "PlatformCLI",
        "refresh_token": "5Aep861.refresh",
    }
    with pytest.raises(AnsibleFilterError, match="encryption_key: is required, as the secrets"):
        credential_options(json.dumps(file), "cli_file")
    for wrong in ("0" * len(key), "short"):
        with pytest.raises(AnsibleFilterError, match="encryption_key: does not decrypt"):
            credential_options(json.dumps(file), "cli_file", encryption_key=wrong)


def test_a_login_of_the_cli_by_key_needs_nothing_decrypted() -> None:
    file = {"username": "ci@acme.example", "clientId": "3MVG9", "privateKey": "/etc/ci.key", "accessToken": "0" * 99}
    assert credential_options(json.dumps(file), "cli_file") == {
        "auth": "jwt_bearer",
        "login_url": "https://login.salesforce.com",
        "username": "ci@acme.example",
        "consumer_key": "3MVG9",
        "private_key": "/etc/ci.key",
    }
