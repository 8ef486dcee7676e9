# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the formats have in common, and where each says what; their readers have tests of their own."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from simple_salesforce.api import Salesforce
from simple_salesforce.login import SalesforceLogin

from ansible_collections.gatehouse.salesforce.plugins.doc_fragments import formats as fragment
from ansible_collections.gatehouse.salesforce.plugins.filter import app_config as filter_module
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats as subject
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import (
    AUTH_FLOWS,
    Connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats.fields import FIELDS
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import mask
from tests.format_readers.cases import CASES, EXAMPLES, MY_DOMAIN, credential, rendered
from tools import formats_page

BASIC = Connection(username="user@example.com", password="pass word", security_token="token")
each_format = pytest.mark.parametrize("name", subject.FORMATS)


def at(url: str, auth: str = "security_token") -> Connection:
    """A whole credential for another address."""
    return dataclasses.replace(credential(auth), login_url=url, allowed_hosts=("localhost",))


@each_format
def test_a_format_renders_the_flows_of_the_table_and_refuses_the_others(name: str) -> None:
    for auth in AUTH_FLOWS:
        connection = credential(auth)
        if auth in subject.FORMATS[name].flows:
            assert rendered(connection, name)
        else:
            with pytest.raises(OptionError, match=f"^auth: format {name} cannot hold {auth}, only "):
                rendered(connection, name)


@each_format
def test_the_same_credential_gives_the_same_text_so_that_nothing_is_written_twice(name: str) -> None:
    connection = credential(subject.FORMATS[name].flows[0])
    assert rendered(connection, name) == rendered(connection, name)


@each_format
def test_a_text_ends_its_last_line_unless_that_would_belong_to_the_secret(name: str) -> None:
    text = rendered(credential(subject.FORMATS[name].flows[0]), name)
    assert text.endswith("\n") == (name != "systemd_credential")


def test_each_option_is_known_and_belongs_to_a_format() -> None:
    used = {option for known in subject.FORMATS.values() for option in known.options}
    assert used == set(subject.OPTIONS) and set(subject.SECRET_OPTIONS) < used


@each_format
def test_a_row_says_what_it_is_for_where_it_is_read_and_who_defines_it(name: str) -> None:
    assert len(subject.FORMATS[name].about.split(" | ")) == 3


@each_format
def test_a_row_names_fields_that_exist(name: str) -> None:
    names = {field.name for field in dataclasses.fields(Connection)} | {"login_password"} | set(FIELDS)
    for flow, fields in subject.FORMATS[name].by_flow.items():
        assert flow in AUTH_FLOWS
        assert {field for field in fields.values() if not re.fullmatch("'[^']*'", field)} <= names


def shown(name: str, password: str, token: str) -> str:
    """What shows of a file, without the quotes of its syntax, when a message quotes it."""
    connection = credential(subject.FORMATS[name].flows[0], password=password, token=token)
    masked = mask(rendered(connection, name), [*connection.secrets.values(), connection.login_password])
    return re.sub(r"[\\\"'`{}]", "", masked)


# What Data Loader reads is a cipher, which tells nobody anything.
@pytest.mark.parametrize("name", [name for name in subject.FORMATS if not name.startswith("dataloader_")])
def test_no_secret_shows_in_the_text_of_a_format_wherever_it_comes_back(name: str) -> None:
    for value in EXAMPLES:
        try:
            text = shown(name, f"pass{value}word", f"tok{value}en")
        except OptionError:
            continue  # which it cannot hold
        assert text == shown(name, "rosebud", "sesame"), value


def test_an_option_that_a_format_does_not_have_is_refused() -> None:
    with pytest.raises(OptionError, match="^format_options.name: format json has no such option; its options: none"):
        subject.render(BASIC, "json", {"name": "x"})
    assert subject.render(BASIC, "json", {"name": None})


def test_an_option_is_text_or_a_number_that_stands_for_it() -> None:
    assert '"name": "2026"' in subject.render(BASIC, "kubernetes", {"name": 2026})
    with pytest.raises(OptionError, match="^name: must be text"):
        subject.render(BASIC, "kubernetes", {"name": ["billing"]})


def test_an_unknown_format_and_an_unusable_credential_are_refused() -> None:
    with pytest.raises(OptionError, match="^format: 'ini' is not one of env, "):
        subject.render(BASIC, "ini")
    with pytest.raises(OptionError, match="^password: "):
        subject.render(Connection(username="u"), "env")


def documented() -> dict[str, Any]:
    """The options of the filter, with those of its fragment."""
    own = yaml.safe_load(filter_module.DOCUMENTATION)["options"]
    return {**own, **yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]}


def test_filter_and_role_list_the_formats_of_the_table() -> None:
    options = documented()
    assert options["format"]["choices"] == list(subject.FORMATS)
    assert options["encoder"]["choices"] == list(subject.ENCODERS)
    assert set(options) - {"_input", "format"} == set(subject.OPTIONS)
    assert set(inspect.signature(filter_module.app_config).parameters) - {"credential", "format"} == set(
        subject.OPTIONS
    )
    specs = yaml.safe_load(formats_page.SPECS.read_text())
    files = specs["argument_specs"]["main"]["options"]["app_credentials_targets"]["options"]
    assert files["format"]["choices"] == list(subject.FORMATS)


def test_what_is_written_out_of_the_table_is_what_the_tool_writes() -> None:
    specs = formats_page.SPECS.read_text()
    assert specs == formats_page.specs(subject, specs), "run python -m tools.formats_page"


def test_the_filter_tells_which_formats_have_an_option() -> None:
    for option in ("name", "encryption_key", "fields", "encoder", "constants"):
        said = " ".join(documented()[option]["description"])
        for name, known in subject.FORMATS.items():
            assert (f"O(format={name})" in said) == (option in known.options), name


def test_every_format_has_a_case_that_its_reader_reads() -> None:
    assert set(subject.FORMATS) - set(CASES) == {"sfdx_url"}  # which has a check of its own


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("it's $5", r"'\$' and \"'\" in one value"),
        ("a\\b`c", r"'`' and '\\\\' in one value"),
        ("a\\", "a backslash at the end"),
        ("${HOME}", "python-dotenv would expand it"),
        ("tab\tbed", "unprintable"),
    ],
)
def test_what_env_cannot_hold_is_told_by_its_characters_only(value: str, problem: str) -> None:
    connection = Connection(username="u@example.com", password=f"x{value}")
    with pytest.raises(OptionError, match=f"^SALESFORCE_PASSWORD: format env cannot hold .*{problem}") as caught:
        subject.render(connection, "env")
    assert value not in str(caught.value)


def test_plain_values_are_not_quoted_for_docker_would_keep_the_quotes() -> None:
    text = subject.render(dataclasses.replace(BASIC, password="p@s+s=:,./-%_"), "env")
    assert text == subject.render(dataclasses.replace(BASIC, password="p@s+s=:,./-%_"), "docker_env")


def test_env_has_the_variables_for_which_there_is_a_value() -> None:
    assert subject.render(BASIC, "env") == (
        "SALESFORCE_USERNAME=user@example.com\n"
        "SALESFORCE_PASSWORD='pass word'\n"
        "SALESFORCE_SECURITY_TOKEN=token\n"
        "SALESFORCE_HOST=login.salesforce.com\n"
        "SALESFORCE_API_VERSION=64.0\n"
    )
    app = Connection(
        auth="client_credentials",
        consumer_key="key",
        consumer_secret="secret",
        login_url="https://localhost:8443",
        allowed_hosts=("localhost",),
    )
    assert subject.render(app, "env") == (
        "SALESFORCE_CLIENT_ID=key\n"
        "SALESFORCE_CLIENT_SECRET=secret\n"
        "SALESFORCE_HOST=localhost:8443\n"
        "SALESFORCE_API_VERSION=64.0\n"
    )


def test_without_a_token_the_login_password_is_the_password() -> None:
    connection = Connection(username="u@example.com", password="password")
    assert subject.render(connection, "ant").splitlines()[1] == "sf.password=password"
    assert json.loads(subject.render(connection, "keydra"))["token"] == ""


def test_the_singer_tap_of_meltano_wants_a_token() -> None:
    with pytest.raises(OptionError, match="^security_token: format meltano cannot hold a credential without it"):
        subject.render(Connection(username="u@example.com", password="password"), "meltano")


@pytest.mark.parametrize("name", ["dlt", "sfdc_env"])
def test_a_reader_that_knows_one_address_gets_no_credential_for_another(name: str) -> None:
    with pytest.raises(OptionError, match=f"^login_url: format {name} cannot hold https://test.salesforce.com, since"):
        rendered(at("https://test.salesforce.com"), name)


@pytest.mark.parametrize("name", ["redash", "cdata_jdbc"])
def test_a_reader_that_knows_two_addresses_gets_no_credential_for_another(name: str) -> None:
    assert rendered(at("https://test.salesforce.com"), name) != rendered(credential(), name)
    with pytest.raises(
        OptionError, match=f"^login_url: format {name} cannot hold https://acme.my.salesforce.com, only"
    ):
        rendered(at(MY_DOMAIN), name)


@pytest.mark.parametrize("name", ["airflow_uri", "airflow_json", "airflow_connections", "keydra", "meltano"])
def test_a_reader_that_knows_domains_gets_no_credential_for_elsewhere(name: str) -> None:
    assert "acme.my" in rendered(at(MY_DOMAIN), name)
    with pytest.raises(OptionError, match=f"^login_url: format {name} cannot hold https://localhost:1, only a host"):
        rendered(at("https://localhost:1"), name)


@pytest.mark.parametrize(
    ("name", "auth", "url", "expected"),
    [
        ("logstash", "username_password", "https://test.salesforce.com", "use_test_sandbox => true\n"),
        ("logstash", "username_password", MY_DOMAIN, "sfdc_instance_url => 'acme.my.salesforce.com'\n"),
        ("mulesoft_properties", "security_token", MY_DOMAIN, "https\\://acme.my.salesforce.com/services/Soap/u/64.0"),
        ("talend", "security_token", MY_DOMAIN, "https\\://acme.my.salesforce.com/services/Soap/u/64.0"),
        ("datadirect_jdbc", "security_token", MY_DOMAIN, "jdbc:datadirect:sforce://acme.my.salesforce.com;User="),
        ("datadirect_odbc", "security_token", MY_DOMAIN, "HostName=acme.my.salesforce.com;"),
        ("devart", "security_token", MY_DOMAIN, "Server=acme.my.salesforce.com;"),
        ("gobblin", "username_password", MY_DOMAIN, "source.conn.host=https\\://acme.my.salesforce.com\n"),
        ("meltano", "security_token", "https://acme--dev.sandbox.my.salesforce.com", "IS_SANDBOX=true\n"),
        ("meltano", "security_token", "https://acme.scratch.my.salesforce.com", "IS_SANDBOX=true\n"),
        ("airbyte", "refresh_token", "https://acme.scratch.my.salesforce.com", '"is_sandbox": true'),
        ("n8n", "jwt_bearer", "https://acme--dev.sandbox.my.salesforce.com", '"environment": "sandbox"'),
        ("n8n", "jwt_bearer", MY_DOMAIN, '"myDomainUrl": "https://acme.my.salesforce.com"'),
        ("airbyte", "refresh_token", MY_DOMAIN, '"is_sandbox": false'),
        ("sfdx_url", "refresh_token", MY_DOMAIN, "force://key:password:5Aep861.refresh@acme.my.salesforce.com\n"),
        ("kafka_connect", "client_credentials", MY_DOMAIN, "salesforce.grant.type=CLIENT_CREDENTIALS\n"),
        ("camel", "client_credentials", MY_DOMAIN, "salesforce.authenticationType=CLIENT_CREDENTIALS\n"),
        ("adf", "client_credentials", MY_DOMAIN, '"type": "SalesforceV2"'),
        ("vault", "jwt_bearer", MY_DOMAIN, '"audience": "https://acme.my.salesforce.com"'),
        ("ant", "session", MY_DOMAIN, "sf.sessionId=session\nsf.serverurl=https\\://acme.my.salesforce.com\n"),
        ("meltano", "client_credentials", MY_DOMAIN, "TAP_SALESFORCE_AUTH_METHOD=client_credentials\n"),
    ],
)
def test_where_and_how_to_log_in_is_said_in_the_readers_way(name: str, auth: str, url: str, expected: str) -> None:
    assert expected in rendered(at(url, auth), name)


@pytest.mark.parametrize(
    ("name", "option", "problem"),
    [
        ("dataloader_properties", {}, "encryption_key: .* a password without it"),
        ("dataloader_process", {"encryption_key": "no base64!"}, "encryption_key: .* not Base64"),
        ("dataloader_properties", {"encryption_key": "c2hvcnQ="}, "encryption_key: .* fewer than 16 bytes"),
        ("airflow_uri", {"name": "a-b"}, "name: .* 'a-b' as the id of a connection"),
        ("kubernetes", {"name": "Billing"}, "name: .* 'Billing' as a name"),
        ("kubernetes", {"name": "billing..eu"}, r"name: .* 'billing\.\.eu' as a name"),
        ("kubernetes", {"name": "b" * 254}, "name: .* as a name"),
        ("datadirect_odbc_ini", {"name": "a]b"}, "name: .* 'a]b' as the name of a data source"),
        ("mulesoft_xml", {"name": "a\0b"}, "name: must have no line break and no other unprintable"),
    ],
)
def test_an_option_that_is_missing_or_unusable_is_named(name: str, option: dict[str, str], problem: str) -> None:
    with pytest.raises(OptionError, match=f"^{problem}"):
        subject.render(credential(), name, option)


def test_an_app_without_a_secret_leaves_its_place_in_an_sfdx_url_empty() -> None:
    connection = dataclasses.replace(credential("refresh_token"), consumer_secret=None, consumer_key="PlatformCLI")
    assert rendered(connection, "sfdx_url") == "force://PlatformCLI::5Aep861.refresh@acme.my.salesforce.com\n"


def test_an_sfdx_url_holds_only_what_the_command_line_parses() -> None:
    with pytest.raises(OptionError, match="^consumer_secret: format sfdx_url cannot hold any character but") as caught:
        rendered(credential("refresh_token", password="a:secret@"), "sfdx_url")
    assert "a:secret@" not in str(caught.value)


def test_n8n_would_take_a_value_that_starts_with_an_equals_sign_for_an_expression() -> None:
    with pytest.raises(OptionError, match="^username: format n8n cannot hold '=' at the start"):
        rendered(dataclasses.replace(credential("jwt_bearer"), username="=user"), "n8n")


@pytest.mark.parametrize(("length", "fits"), [(990, True), (991, False)])
def test_unixodbc_reads_lines_of_999_bytes(length: int, fits: bool) -> None:
    connection = credential(password="x" * length)
    if fits:
        assert f"\nPassword={'x' * length}\n" in rendered(connection, "datadirect_odbc_ini")
    else:
        with pytest.raises(OptionError, match="^Password: .* a value with which its line has more than 999 bytes"):
            rendered(connection, "datadirect_odbc_ini")


@pytest.mark.parametrize(
    ("name", "option", "expected"),
    [
        ("airflow_uri", "billing", "AIRFLOW_CONN_BILLING="),
        ("airflow_json", "billing", "AIRFLOW_CONN_BILLING="),
        ("airflow_connections", "billing", '"billing": {'),
        ("kubernetes", "billing", '"name": "billing"'),
        ("adf", "billing", '"name": "billing"'),
        ("datadirect_odbc_ini", "billing", "[billing]\n"),
        ("n8n", "billing", '"name": "billing"'),
        ("mulesoft_xml", "a<b>", '<salesforce:sfdc-config name="a&lt;b&gt;">'),
    ],
)
def test_a_name_is_the_readers_name_for_it(name: str, option: str, expected: str) -> None:
    auth = subject.FORMATS[name].flows[0]
    assert expected in subject.render(credential(auth), name, {"name": option})


@each_format
@pytest.mark.parametrize("place", ["login_url", "instance_url"])
def test_what_is_no_host_is_never_written(name: str, place: str) -> None:
    """A driver would log in at what stands before the semicolon, and take the rest for options."""
    for auth in subject.FORMATS[name].flows:
        url = {place: "https://evil.example;SpyAttributes=x.salesforce.com"}
        with pytest.raises(
            OptionError, match=f"^{place}: 'evil.example;spyattributes=x.salesforce.com' is not a host name"
        ):
            rendered(dataclasses.replace(credential(auth), **url), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("login_url", "place"),
    [
        ("https://login.salesforce.com", {"domain": "login"}),
        ("https://test.salesforce.com/", {"domain": "test"}),
        ("https://acme.my.salesforce.com", {"domain": "acme.my"}),
        ("https://Acme--dev.sandbox.my.salesforce.com", {"domain": "acme--dev.sandbox.my"}),
        ("https://localhost:8443", {"login_url": "https://localhost:8443"}),
        ("https://login.salesforce.com:8443", {"login_url": "https://login.salesforce.com:8443"}),
        ("https://acme.my.salesforce.mil", {"login_url": "https://acme.my.salesforce.mil"}),
    ],
)
def test_json_says_where_to_log_in_as_simple_salesforce_would_have_it(login_url: str, place: dict[str, str]) -> None:
    connection = Connection(username="u", password="p", login_url=login_url, allowed_hosts=("localhost",))
    found = json.loads(subject.render(connection, "json"))
    assert {key: found[key] for key in ("domain", "login_url") if key in found} == place


class Sent(Exception):
    """What simple-salesforce was about to send."""


class Wire:
    """A session of requests that sends nothing."""

    proxies: dict[str, str] = {}

    def post(self, url: str, data: Any = None, headers: Any = None, **_rest: Any) -> None:
        raise Sent(url, data, headers)


@pytest.mark.parametrize(("syntax", "parse"), [("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomllib.loads)])
@pytest.mark.parametrize(
    ("auth", "sent_to", "sent"),
    [
        ("security_token", "/services/Soap/u/64.0", ">passwordtoken<"),
        ("username_password", "/services/oauth2/token", "'password': 'passwordtoken'"),
        ("jwt_bearer", "/services/oauth2/token", "'assertion': 'signed'"),
        ("client_credentials", "/services/oauth2/token", "'grant_type': 'client_credentials'"),
        ("session", None, None),
    ],
)
def test_simple_salesforce_logs_in_with_nothing_but_the_file(
    monkeypatch: pytest.MonkeyPatch, syntax: str, parse: Any, auth: str, sent_to: str | None, sent: str | None
) -> None:
    monkeypatch.setattr("simple_salesforce.login.jwt.encode", lambda *_args, **_kwargs: "signed")
    connection = at(MY_DOMAIN, auth)
    arguments = parse(subject.render(connection, syntax))
    if sent_to is None:
        client = Salesforce(**arguments)
        assert (client.session_id, client.sf_instance) == ("session", "acme.my.salesforce.com")
        return
    with pytest.raises(Sent) as caught:
        Salesforce(**arguments, session=Wire())  # type: ignore[arg-type]
    url, data, _headers = caught.value.args
    assert url == f"https://acme.my.salesforce.com{sent_to}"
    assert str(sent) in str(data)


def test_simple_salesforce_logs_in_at_any_other_address_too() -> None:
    connection = Connection(
        username="u", password="p", login_url="https://localhost:8443", allowed_hosts=("localhost",)
    )
    found = json.loads(subject.render(connection, "json"))
    with pytest.raises(Sent) as caught:
        SalesforceLogin(
            username=found["username"],
            password=found["password"],
            security_token=found["security_token"],
            sf_version=found["version"],
            scratch_url=found["login_url"],
            session=Wire(),  # type: ignore[arg-type]
        )
    assert caught.value.args[0] == "https://localhost:8443/services/Soap/u/64.0"
    assert ">p<" in caught.value.args[1]
