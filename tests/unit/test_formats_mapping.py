# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format mapping writes the names that the user gives, quoted as the format of its encoder's name."""

from __future__ import annotations

import dataclasses
import io
import json
import tomllib
from typing import Any

import dotenv
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.filter.app_config import app_config
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    AUTH_FLOWS,
    SECRET_FIELDS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import (
    ENCODERS,
    FORMATS,
    MAPPABLE_FIELDS,
    render,
)
from tests.format_readers.cases import EXAMPLES, MAPPED, MY_DOMAIN, PRINTABLE, credential, secrets

SECRETS = {*SECRET_FIELDS, "login_password"}
# A format that has the same encoder, and no check of its own.
SAME = {name: name for name in ENCODERS} | {"properties": "talend"}
each_encoder = pytest.mark.parametrize("encoder", ENCODERS)
each_flow = pytest.mark.parametrize("auth", AUTH_FLOWS)


def mapped(connection: Connection, encoder: str, **fields: object) -> str:
    """The text of a mapping."""
    return render(connection, "mapping", {"encoder": encoder, "fields": fields})


def test_it_writes_the_names_that_the_user_gives() -> None:
    assert mapped(credential(), "env", SF_USER="username", SF_PASS="login_password", SF_HOST="host") == (
        "SF_USER=user+1@example.com\nSF_PASS=passwordtoken\nSF_HOST=login.salesforce.com\n"
    )


def test_the_encoder_is_env_if_none_is_given() -> None:
    fields = {"SF_PASS": "password"}
    connection = credential(password="a b")
    assert render(connection, "mapping", {"fields": fields}) == mapped(connection, "env", **fields) == "SF_PASS='a b'\n"


def test_constants_are_written_after_the_fields_with_their_types() -> None:
    options = {"fields": {"pass": "password"}, "constants": {"kind": "sfdc", "tries": 3, "beta": True}}
    connection = credential(password="it's")
    assert json.loads(render(connection, "mapping", {**options, "encoder": "json"})) == {
        "pass": "it's",
        "kind": "sfdc",
        "tries": 3,
        "beta": True,
    }
    assert render(connection, "mapping", {**options, "encoder": "properties"}).splitlines()[1:] == [
        "kind=sfdc",
        "tries=3",
        "beta=true",
    ]


@each_encoder
def test_it_writes_what_the_format_of_the_encoders_name_writes(encoder: str) -> None:
    """So that what the readers of that format prove holds here, too."""
    known = FORMATS[SAME[encoder]]
    ours = {"token_or_empty": "security_token", "domain_if_any": "domain"}
    fields = {theirs: ours.get(field, field) for theirs, field in known.by_flow["security_token"].items()}
    fields = {theirs: field for theirs, field in fields.items() if field in MAPPABLE_FIELDS}
    fields = {theirs: field for theirs, field in fields.items() if field not in ("consumer_key", "consumer_secret")}
    for value in (*EXAMPLES, *PRINTABLE.strip()):
        connection = dataclasses.replace(
            credential(password=value, token=value), consumer_key=None, consumer_secret=None
        )
        try:
            expected = render(connection, SAME[encoder])
        except OptionError:
            # What no credential can have is refused before the encoder sees it.
            refused_anyway = "begins or ends with a blank|has more than one line|control character"
            with pytest.raises(OptionError, match=f"encoder {encoder} cannot hold|{refused_anyway}"):
                mapped(connection, encoder, **fields)
        else:
            assert mapped(connection, encoder, **fields) == expected


@each_flow
@each_encoder
def test_every_flow_has_fields_and_no_secret_beside_its_own(auth: str, encoder: str) -> None:
    connection = credential(auth)
    refused = set()
    for field in MAPPABLE_FIELDS:
        try:
            assert mapped(connection, encoder, NAME=field).count("NAME") == 1
        except OptionError as exc:
            refused.add(field)
            assert str(exc).startswith("NAME: encoder") or "logs in without" in str(exc), exc
    flow_secrets = SECRETS - refused
    if encoder in ("json", "yaml", "toml", "properties"):
        assert refused <= SECRETS and flow_secrets  # what is public is for every flow
    assert not {"access_token"} & flow_secrets or auth == "session"
    assert not {"password", "login_password"} & flow_secrets or auth in ("security_token", "username_password")


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        ("security_token", "consumer_secret"),
        ("security_token", "private_key"),
        ("jwt_bearer", "password"),
        ("jwt_bearer", "login_password"),
        ("client_credentials", "security_token"),
        ("username_password", "access_token"),
        ("session", "consumer_secret"),
    ],
)
def test_a_secret_that_the_flow_does_not_need_is_refused(auth: str, field: str) -> None:
    with pytest.raises(
        OptionError, match=f"^fields: 'X' asks for {field}, which a credential with auth {auth} logs in without"
    ):
        mapped(credential(auth), "json", X=field)


def test_a_field_that_the_credential_does_not_have_is_refused() -> None:
    connection = dataclasses.replace(credential("client_credentials"), username=None)
    with pytest.raises(OptionError, match="^fields: 'X' asks for username, which the credential does not have"):
        mapped(connection, "json", X="username")


def test_a_credential_without_a_security_token_has_an_empty_one() -> None:
    connection = dataclasses.replace(credential(), security_token=None)
    assert mapped(connection, "env", SF_TOKEN="security_token") == "SF_TOKEN=''\n"
    assert mapped(connection, "json", token="security_token") == '{\n  "token": ""\n}\n'


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, r"^fields: must name what to write, such as \{SF_USER: username"),
        ({"fields": {}}, "^fields: must name what to write"),
        ({"fields": "username"}, "^fields: must be a dictionary"),
        ({"fields": ["username"]}, "^fields: must be a dictionary"),
        ({"fields": {"X": "user"}}, "^fields: 'X' must be one of username, password, "),
        ({"fields": {"X": "consumer"}}, "^fields: 'X' must be one of username, password, "),
        ({"fields": {"X": {"Y": "username"}}}, "^fields: 'X' must be one of username, "),
        ({"fields": {"X": None}}, "^fields: 'X' must be one of username, "),
        ({"fields": {"X": "__class__"}}, "^fields: 'X' must be one of username, "),
        ({"fields": {"X": "username"}, "encoder": "ini"}, "^encoder: must be one of env, "),
        ({"fields": {"X": "username"}, "encoder": ["env"]}, "^encoder: must be text"),
        ({"fields": {"X": "username"}, "constants": {"X": "y"}}, "^constants: 'X' is one of fields, too"),
        ({"fields": {"X": "username"}, "constants": {"Y": [1]}}, "^constants: 'Y' must be text, a whole number"),
        ({"fields": {"X": "username"}, "constants": {"Y": 1.5}}, "^constants: 'Y' must be text, a whole number"),
        ({"fields": {"X": "username"}, "constants": "Y=1"}, "^constants: must be a dictionary"),
        ({"fields": {"X": "username"}, "constants": {"Y\n": 1}}, r"^constants: 'Y\\n' is not a name that encoder env"),
        (
            {"fields": {"X": "username"}, "name": "x"},
            "^format_options.name: format mapping has no such option; its options: fields, encoder, constants",
        ),
        (
            {"fields": {"X": "username"}, "encryption_key": "x"},
            "^format_options.encryption_key: format mapping has no such option",
        ),
    ],
)
def test_a_mistake_in_an_option_is_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        render(credential(), "mapping", options)


@pytest.mark.parametrize("option", ["fields", "encoder"])
def test_a_secret_in_the_place_of_a_name_is_not_shown(option: str) -> None:
    options = {"fields": {"X": "username"}, option: "rosebud" if option == "encoder" else {"X": "rosebud"}}
    with pytest.raises(OptionError) as caught:
        render(credential(password="rosebud"), "mapping", options)
    assert "rosebud" not in str(caught.value)


@each_encoder
def test_a_name_cannot_bring_another_line_with_it(encoder: str) -> None:
    for name in ("A\nB", "A\r", "A\0", "", "A\x7f", "A\u2028B", "A\x85B"):
        with pytest.raises(OptionError, match=f"is not a name that encoder {encoder} takes"):
            mapped(credential(), encoder, **{name: "username"})


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name.endswith("env")])
def test_a_variable_has_the_name_of_one(encoder: str) -> None:
    for name in ("1A", "A B", "A=B", "A;id", "$(id)", "A'", "export A", "#A", "\u00c4"):
        with pytest.raises(OptionError, match="is not a name"):
            mapped(credential(), encoder, **{name: "username"})


@pytest.mark.parametrize("name", ["a=b", "a:b", "a b", "#a", "!a", "a\\", "\u00e4"])
def test_a_property_has_a_name_that_needs_no_escapes(name: str) -> None:
    with pytest.raises(OptionError, match="is not a name"):
        mapped(credential(), "properties", **{name: "username"})


AWKWARD_NAMES = ["yes", "NO", "null", "~", "1", "1e3", "a: b", "a #b", "- a", "{a}", "[a]", "a.b", "<<", "'", '"', "="]


@pytest.mark.parametrize(
    ("encoder", "parse"), [("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomllib.loads)]
)
@given(name=st.sampled_from(AWKWARD_NAMES) | secrets, value=secrets)
@settings(max_examples=200, deadline=None)
def test_a_document_gives_back_any_name_and_any_value(encoder: str, parse: Any, name: str, value: str) -> None:
    assume(value == value.strip() and len(value.splitlines()) == 1)  # no credential has another one
    connection = credential(password=value)
    try:
        text = mapped(connection, encoder, **{name: "password"})
    except OptionError as exc:
        assert "is not a name" in str(exc) and not name.isprintable()  # noqa: PT017
        return
    assert parse(text) == {name: value}


@given(value=secrets)
@settings(max_examples=200, deadline=None)
def test_a_constant_is_quoted_as_a_secret_is(value: str) -> None:
    options = {"fields": {"A": "username"}, "constants": {"B": value}, "encoder": "dotenv"}
    try:
        text = render(credential(), "mapping", options)
    except OptionError as exc:
        assert str(exc).startswith("B: encoder dotenv cannot hold")  # noqa: PT017
        return
    assert dotenv.dotenv_values(stream=io.StringIO(text))["B"] == value


def test_where_to_log_in_is_refused_if_a_field_cannot_say_it() -> None:
    connection = dataclasses.replace(credential(), login_url="https://localhost:8443", allowed_hosts=("localhost",))
    assert mapped(connection, "env", SF_HOST="host") == "SF_HOST=localhost:8443\n"
    for field in ("domain", "is_sandbox"):
        with pytest.raises(OptionError, match="^login_url: format mapping cannot hold https://localhost:8443, only"):
            mapped(connection, "env", X=field)


def test_whether_an_org_is_a_sandbox_is_a_boolean_where_there_are_some() -> None:
    connection = dataclasses.replace(credential(), login_url=MY_DOMAIN)
    assert json.loads(mapped(connection, "json", x="is_sandbox")) == {"x": False}
    assert mapped(connection, "env", X="is_sandbox") == "X=false\n"


def test_the_filter_takes_it() -> None:
    stored = {"username": "u@example.com", "password": "p w"}
    assert app_config(stored, "mapping", fields={"SF_PASS": "password"}, encoder="shell_env") == "SF_PASS='p w'\n"
    with pytest.raises(AnsibleFilterError, match="^app_config: fields: 'SF_PASS' must be one of username, "):
        app_config(stored, "mapping", fields={"SF_PASS": "pass"})


def test_each_flow_has_a_mapping_among_the_cases() -> None:
    assert set(MAPPED) == set(AUTH_FLOWS)
