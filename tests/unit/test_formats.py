# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applications read out of the files is what was stored. The readers are the real ones."""

from __future__ import annotations

import ctypes
import io
import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dotenv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simple_salesforce.api import Salesforce
from simple_salesforce.login import SalesforceLogin

from ansible_collections.gatehouse.salesforce.plugins.module_utils import formats as subject
from ansible_collections.gatehouse.salesforce.plugins.module_utils.connection import AUTH_FLOWS, Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils.formats.env import quote_env

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
BASIC = Connection(username="user@example.com", password="pass word", security_token="token")
SECRET_KEY = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
FULL = {
    "username": "user@example.com",
    "password": "password",
    "security_token": "token",
    "consumer_key": "key",
    "consumer_secret": "secret",
    "private_key": SECRET_KEY,
    "access_token": "session",
    "instance_url": "https://acme.my.salesforce.com",
}
SYSTEMD = sorted(Path("/usr/lib").glob("**/systemd/libsystemd-shared-*.so"))


def read_with_dotenv(text: str) -> Mapping[str, str | None]:
    """As python-dotenv does."""
    return dict(dotenv.dotenv_values(stream=io.StringIO(text)))


def read_with_sh(text: str) -> Mapping[str, str | None]:
    """As a script that reads the file by C(.), in the shell that is called sh here."""
    lines = text.splitlines()
    names = [line.partition("=")[0] for line in lines]
    script = text + "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)
    printed = subprocess.run(["/bin/sh", "-eu"], input=script.encode(), capture_output=True, check=True).stdout
    return dict(zip(names, printed.decode().split("\0"), strict=False))


def read_with_shlex(text: str) -> Mapping[str, str | None]:
    """As Python programs that split it like a shell."""
    return dict(word.split("=", 1) for word in shlex.split(text))


def read_with_systemd(text: str, folder: Path) -> Mapping[str, str | None]:
    """As systemd itself does for EnvironmentFile: by the same function of its library."""
    file = folder / "environment"
    file.write_text(text)
    library = ctypes.CDLL(str(SYSTEMD[-1]))
    found = ctypes.POINTER(ctypes.c_char_p)()
    assert library.load_env_file(None, str(file).encode(), ctypes.byref(found)) >= 0
    values: dict[str, str | None] = {}
    for word in iter(iter(found).__next__, None):
        name, _equals, value = word.decode().partition("=")
        values[name] = value
    return values


def has_a_form(value: str) -> bool:
    """Whether all readers agree on some form of it, said another way than the code does."""
    has_expansion = "${" in value and "}" in value[value.index("${") :]
    return not has_expansion and not (set(value) & set("'\\") and set(value) & set("$`"))


values = st.text(PRINTABLE, min_size=1) | st.text("$`'\"\\ #{}=~!a", min_size=1, max_size=6)


@given(value=values)
@example(value=PRINTABLE.replace("$", "").replace("`", ""))
@example(value=PRINTABLE.replace("\\", "").replace("'", ""))
@example(value="a\\nb\\\\")
@example(value=" # no comment")
def test_every_reader_of_an_env_file_reads_what_was_written(value: str, tmp_path_factory: Any) -> None:
    if not has_a_form(value):
        with pytest.raises(OptionError, match="^NAME: env cannot hold"):
            quote_env("NAME", value)
        return
    text = f"BEFORE=1\nNAME={quote_env('NAME', value)}\nAFTER=2\n"
    expected = {"BEFORE": "1", "NAME": value, "AFTER": "2"}
    assert read_with_dotenv(text) == expected
    assert read_with_shlex(text) == expected
    if SYSTEMD:
        assert read_with_systemd(text, tmp_path_factory.getbasetemp()) == expected


def test_a_shell_reads_every_pair_of_characters_that_was_written() -> None:
    pairs = [one + other for one in PRINTABLE for other in PRINTABLE if has_a_form(one + other)]
    expected = {f"NAME{number}": value for number, value in enumerate(pairs)}
    text = "".join(f"{name}={quote_env(name, value)}\n" for name, value in expected.items())
    assert {name: value for name, value in read_with_sh(text).items() if name in expected} == expected


@pytest.mark.parametrize("char", PRINTABLE)
def test_every_printable_character_has_a_form_alone(char: str) -> None:
    assert read_with_dotenv(f"NAME={quote_env('NAME', char)}\n") == {"NAME": char}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("it's $5", r"cannot hold '\$' and \"'\" in one value"),
        ("a\\b`c", r"cannot hold '`' and '\\\\' in one value"),
        ("${HOME}", "python-dotenv would expand it"),
        ("two\nlines", "line break"),
        ("tab\t", "unprintable"),
        ("nul\0", "unprintable"),
    ],
)
def test_what_no_form_can_hold_is_told_by_its_characters_only(value: str, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        quote_env("NAME", value)
    assert value not in str(caught.value)


def test_plain_values_are_not_quoted_for_docker_would_keep_the_quotes() -> None:
    assert quote_env("NAME", "user+1@example.com") == "user+1@example.com"


def test_other_alphabets_are_read_too() -> None:
    text = f"NAME={quote_env('NAME', 'pässwörd 密码')}\n"
    assert read_with_dotenv(text)["NAME"] == read_with_sh(text)["NAME"] == "pässwörd 密码"


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
    assert read_with_dotenv(subject.render(app, "env")) == {
        "SALESFORCE_CLIENT_ID": "key",
        "SALESFORCE_CLIENT_SECRET": "secret",
        "SALESFORCE_HOST": "localhost:8443",
        "SALESFORCE_API_VERSION": "64.0",
    }


@pytest.mark.parametrize("auth", ["jwt_bearer", "session"])
def test_env_refuses_a_flow_that_it_has_no_variables_for(auth: str) -> None:
    with pytest.raises(OptionError, match=f"^format: env has no variable for what auth {auth} logs in with; use json"):
        subject.render(Connection(auth=auth, **FULL), "env")  # type: ignore[arg-type]


@given(password=values, token=values)
def test_json_reads_as_what_was_stored(password: str, token: str) -> None:
    connection = Connection(username="u@example.com", password=f"p{password}", security_token=token)
    assert json.loads(subject.render(connection, "json")) == {
        "username": "u@example.com",
        "password": f"p{password}",
        "security_token": token,
        "domain": "login",
        "version": "64.0",
    }


@pytest.mark.parametrize(
    ("login_url", "place"),
    [
        ("https://login.salesforce.com", {"domain": "login"}),
        ("https://test.salesforce.com/", {"domain": "test"}),
        ("https://acme.my.salesforce.com", {"domain": "acme.my"}),
        ("https://Acme--dev.sandbox.my.salesforce.com", {"domain": "acme--dev.sandbox.my"}),
        ("https://localhost:8443", {"login_url": "https://localhost:8443"}),
        ("https://login.salesforce.com:8443", {"login_url": "https://login.salesforce.com:8443"}),
        ("https://portal.my.site.salesforce.com/path", {"login_url": "https://portal.my.site.salesforce.com/path"}),
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
    monkeypatch: pytest.MonkeyPatch, auth: str, sent_to: str | None, sent: str | None
) -> None:
    monkeypatch.setattr("simple_salesforce.login.jwt.encode", lambda *_args, **_kwargs: "signed")
    connection = Connection(auth=auth, login_url="https://acme.my.salesforce.com", **FULL)  # type: ignore[arg-type]
    arguments = json.loads(subject.render(connection, "json"))
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


def test_every_flow_has_a_json_form() -> None:
    for auth in AUTH_FLOWS:
        connection = Connection(auth=auth, **FULL)  # type: ignore[arg-type]
        assert json.loads(subject.render(connection, "json"))


def test_an_unknown_format_and_an_unusable_credential_are_refused() -> None:
    with pytest.raises(OptionError, match="^format: 'ini' is not one of env, json"):
        subject.render(BASIC, "ini")
    with pytest.raises(OptionError, match="^password: "):
        subject.render(Connection(username="u"), "env")


def test_the_table_describes_its_formats() -> None:
    for name, known in subject.FORMATS.items():
        assert known.name == name
        assert known.description
