# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers that need no installation read is what was stored; those of drivers follow their published grammar."""

from __future__ import annotations

import ast
import base64
import ctypes
import io
import json
import re
import shlex
import subprocess
import tomllib
import xml.etree.ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dotenv
import lxml.etree
import pytest
import yaml
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given, settings

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse import formats
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import encoders
from tests.format_readers.cases import CASES, EXAMPLES, KEY, PRINTABLE, Parse, credential, rendered, secrets

LIBRARIES = sorted(Path("/usr/lib").glob("**/systemd/libsystemd-shared-*.so"))
# Made by Data Loader 67's own encryption tool with the key in KEY.
VECTORS = (
    (
        "mypasswordAbCdEfGhIjKlMnOpQrStUvWx",
        "295fcc4c480e0856efd5a7aaf7de0ff0ec8399d2ebb08864460e5f97562443e5"
        "ba33bee3ab005210bebb6f99b3715da4be7ba700eb581a0a86d4062c82ede688",
    ),
    (
        "p\u00e4ssw\u00f6rd\u20acTOKEN25charsxxxxxxxxxxx",
        "0cd5a3e598a8731c8bedec6c4bd80c79026f10b77c01a62be2bb9a98f36ff95a"
        "b38ab504f19b3bdb881c48ed7c26dc1aa96381f107115d862be11870779fcc68",
    ),
)
QUOTED = re.compile(
    r"""(?P<key>[A-Za-z ]+)=(?:"(?P<double>(?:[^"]|"")*)"|'(?P<single>[^']*)'|(?P<plain>[^;"']*))(?:;|$)"""
)


def read_with_dotenv(text: str) -> Mapping[str, Any]:
    """As python-dotenv does, which is what Meltano uses too."""
    return dict(dotenv.dotenv_values(stream=io.StringIO(text)))


def read_with_sh(text: str) -> Mapping[str, Any]:
    """As a script that reads the file by C(.), in the shell that is called sh here."""
    names = re.findall(r"^([A-Z_0-9]+)=", text, re.MULTILINE)
    script = text + "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)
    printed = subprocess.run(["/bin/sh", "-eu"], input=script.encode(), capture_output=True, check=True).stdout
    return dict(zip(names, printed.decode().split("\0"), strict=False))


def read_with_shlex(text: str) -> Mapping[str, Any]:
    """As Python programs that split it like a shell."""
    return dict(word.split("=", 1) for word in shlex.split(text))


def read_with_systemd(text: str) -> Mapping[str, Any]:
    """As systemd itself does for EnvironmentFile: by the same function of its library."""
    libc = ctypes.CDLL(None)
    libc.fmemopen.restype = ctypes.c_void_p
    data = text.encode()
    stream = ctypes.c_void_p(libc.fmemopen(data, ctypes.c_size_t(len(data)), b"r"))
    found = ctypes.POINTER(ctypes.c_char_p)()
    assert ctypes.CDLL(str(LIBRARIES[-1])).load_env_file(stream, b"memory", ctypes.byref(found)) >= 0
    libc.fclose(stream)
    return dict(word.decode().split("=", 1) for word in iter(iter(found).__next__, None))


def read_xml(element: str) -> Parse:
    """The attributes of one element, which two parsers agree on."""

    def read(text: str) -> Mapping[str, Any]:
        for root in (xml.etree.ElementTree.fromstring(text), lxml.etree.fromstring(text.encode())):
            (found,) = (item for item in root.iter() if str(item.tag).endswith(f"}}{element}"))
            attributes = dict(found.attrib)
        return {str(key): value for key, value in attributes.items()}

    return read


def decrypt(sealed: str) -> str:
    """What Data Loader's cipher makes of it, said from its description."""
    data = bytes(_unsigned(sealed[index : index + 2]) for index in range(0, len(sealed), 2))
    decryptor = Cipher(algorithms.AES(KEY), modes.CBC(data[:16])).decryptor()
    padded = decryptor.update(data[16:]) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def _unsigned(code: str) -> int:
    """Two digits, which are plain below 0x80 and count backwards from 0xff above."""
    value = int(code, 16)
    return value if value < 0x80 else 383 - value


def read_dataloader_xml(text: str) -> Mapping[str, Any]:
    root = xml.etree.ElementTree.fromstring(text)
    found = {item.attrib["key"]: item.attrib["value"] for item in root.iter() if item.tag.endswith("}entry")}
    return {**found, "sfdc.password": decrypt(found["sfdc.password"])}


def read_braced(text: str) -> Mapping[str, Any]:
    """Progress and ODBC: a value that begins with a brace ends at a brace before a semicolon or the end."""
    body = text.strip("\n").partition(";")[2]
    pattern = re.compile(r"([A-Za-z]+)=(?:\{(.*?)\}(?=;|$)|([^;{]*))(?:;|$)", re.DOTALL)
    return {match[1]: match[2] if match[2] is not None else match[3] for match in pattern.finditer(body)}


def read_quoted(text: str) -> Mapping[str, Any]:
    """ADO.NET: quotes of either kind, doubled inside."""
    found = QUOTED.finditer(text.strip("\n").removeprefix("jdbc:salesforce:"))
    return {
        match["key"]: next(
            value.replace('""', '"') if kind == "double" else value
            for kind in ("double", "single", "plain")
            if (value := match[kind]) is not None
        )
        for match in found
    }


def read_adf(text: str) -> Mapping[str, Any]:
    found = json.loads(text)["properties"]["typeProperties"]
    return {**found, "password": found["password"]["value"], "security_token": found["securityToken"]["value"]}


def read_django(text: str) -> Mapping[str, Any]:
    name, _equals, value = text.partition(" = ")
    assert name == "SALESFORCE"
    return dict(ast.literal_eval(value))


READERS: dict[tuple[str, str], Parse] = {
    **{(name, "python-dotenv"): read_with_dotenv for name in ("env", "dotenv", "sfdc_env", "meltano", "mapping")},
    **{(name, "sh"): read_with_sh for name in ("env", "shell_env", "sfdc_env", "mapping")},
    **{(name, "shlex"): read_with_shlex for name in ("env", "shell_env", "sfdc_env", "mapping")},
    ("env", "systemd"): read_with_systemd,
    ("sfdc_env", "systemd"): read_with_systemd,
    ("mapping", "systemd"): read_with_systemd,
    ("systemd_env", "systemd"): read_with_systemd,
    ("docker_env", "grammar"): lambda text: dict(line.split("=", 1) for line in text.split("\n") if line),
    ("json", "json"): json.loads,
    ("yaml", "PyYAML"): yaml.safe_load,
    ("toml", "tomllib"): tomllib.loads,
    ("mulesoft_xml", "ElementTree and lxml"): read_xml("basic-connection"),
    ("dataloader_process", "ElementTree"): read_dataloader_xml,
    ("dlt", "tomllib"): lambda text: tomllib.loads(text)["sources"]["salesforce"],
    ("embulk", "PyYAML"): lambda text: yaml.safe_load(text)["in"],
    ("adf", "json"): read_adf,
    ("django", "Python"): read_django,
    ("datadirect_jdbc", "grammar"): read_braced,
    ("datadirect_odbc", "grammar"): read_braced,
    ("cdata_jdbc", "grammar"): read_quoted,
    ("kubernetes", "json"): lambda text: json.loads(text)["stringData"],
    ("kubernetes", "PyYAML"): lambda text: yaml.safe_load(text)["stringData"],
    ("systemd_credential", "itself"): lambda text: {"": text},
    ("n8n", "json"): lambda text: json.loads(text)[0]["data"],
    **{
        (name, "json"): json.loads
        for name in (
            "kafka_connect_json",
            "redash",
            "singer",
            "airbyte",
            "keydra",
            "amazon_connect",
            "kelverion",
            "vault",
        )
    },
}
each_reader = pytest.mark.parametrize(("name", "reader"), READERS, ids=lambda part: part)


def skip_without(reader: str) -> None:
    if reader == "systemd" and not LIBRARIES:
        pytest.skip("systemd is not installed")


@each_reader
@pytest.mark.parametrize("value", EXAMPLES)
def test_what_is_read_is_what_was_stored(name: str, reader: str, value: str) -> None:
    skip_without(reader)
    CASES[name].check(name, READERS[name, reader], value, value)


@pytest.mark.parametrize(("name", "reader"), [key for key in READERS if key[1] != "sh"], ids=lambda part: part)
def test_every_printable_character_is_read_alone_at_the_start_and_at_the_end(name: str, reader: str) -> None:
    skip_without(reader)
    for char in PRINTABLE.strip():
        CASES[name].check(name, READERS[name, reader], char, f"{char}token{char}")


@each_reader
@given(password=secrets, token=secrets)
@settings(max_examples=40, deadline=None)
def test_whatever_is_stored_is_read(name: str, reader: str, password: str, token: str) -> None:
    skip_without(reader)
    CASES[name].check(name, READERS[name, reader], password, token)


@pytest.mark.parametrize(("name", "quote"), [("env", encoders.quote_env), ("shell_env", encoders.quote_shell)])
def test_a_shell_reads_every_pair_of_characters(name: str, quote: encoders.Quote) -> None:
    pairs = [one + other for one in PRINTABLE for other in PRINTABLE if not CASES[name].refuses(one + other)]
    variables = {f"NAME_{number}": pair for number, pair in enumerate(pairs)}
    assert len(pairs) > 8000
    assert read_with_sh(encoders.env_file(quote)(variables)) == variables


@pytest.mark.parametrize(("plain", "sealed"), VECTORS)
def test_the_decryption_here_understands_data_loader_67(plain: str, sealed: str) -> None:
    assert decrypt(sealed) == plain


def test_a_cipher_tells_only_whether_two_credentials_are_the_same() -> None:
    first, second = (rendered(credential(token=token), "dataloader_properties") for token in ("one", "two"))
    assert first.partition("sfdc.password=")[2][:32] != second.partition("sfdc.password=")[2][:32]


def test_data_loader_reads_no_more_than_16_bytes_of_its_key_file() -> None:
    longer = {"encryption_key": base64.b64encode(KEY + b" and more\n").decode()}
    assert formats.render(credential(), "dataloader_properties", longer) == rendered(
        credential(), "dataloader_properties"
    )
