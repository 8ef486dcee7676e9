# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the encoders write, and what people write in the same formats. Pure.

A decoder takes the text of a file and returns the values by the reader's names. It raises MalformedError, KeyError,
TypeError or another ValueError for a text of another kind, without a word of it.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree

from ..auth.sfdx_url import read_sfdx_url
from ..errors import GatehouseError
from ..xml_files import local_name, parse_xml
from . import applications, dataloader, drivers, encoders

Decoded = Mapping[str, Any]
Decode = Callable[..., Decoded]
_VARIABLE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=(.*)")
_AIRFLOW_PREFIX = "AIRFLOW_CONN_"
_OLD_EXTRA = "extra__salesforce__"  # of Airflow before 2.2
_QUOTED = re.compile(
    r"""(?P<key>[A-Za-z ]+)=(?:"(?P<double>(?:[^"]|"")*)"|'(?P<single>[^']*)'|(?P<plain>[^;"']*))(?:;|$)"""
)
_BRACED = re.compile(r"([A-Za-z]+)=(?:\{(.*?)\}(?=;|$)|([^;{]*))(?:;|$)")
_SETTING = re.compile(r"\s*(\w+)\s*=>\s*(?:\"([^\"]*)\"|'([^']*)'|(\w+))\s*")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class MalformedError(ValueError):
    """Raised for a text that is not of the format; says where, and repeats nothing of it."""


def _lines(text: str) -> list[str]:
    """Split at line ends alone: other separators may be a part of a secret."""
    return re.split(r"\r\n|\r|\n", text)


# -- environment files -------------------------------------------------------------------------------------------------


def _env_file(unquote_value: Callable[[str], str]) -> Decode:
    def decode(text: str) -> Decoded:
        found = {}
        for number, line in enumerate(_lines(text), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = _VARIABLE.fullmatch(line)
            if match is None:
                raise MalformedError(f"line {number} sets no variable")
            try:
                found[match[1]] = unquote_value(match[2])
            except ValueError:
                raise MalformedError(f"line {number} has quotes that do not end, or something behind them") from None
        return found

    return decode


def _shell(value: str) -> str:
    words = shlex.split(value)
    if len(words) > 1 and not words[1].startswith("#"):
        raise ValueError
    return words[0] if words else ""


def _unescape(marks: str, escaped: str) -> Callable[[str], str]:
    """Return what takes quotes off in which these characters are escaped by a backslash, by the marks."""
    quoted = re.compile(rf"([{marks}])((?:\\.|(?!\1|\\).)*)\1\s*(?:#.*)?")

    def unquote_value(value: str) -> str:
        value = value.strip()
        if value[:1] and value[0] in marks:
            match = quoted.fullmatch(value)
            if match is None:
                raise ValueError
            return re.sub(rf"\\([{re.escape(escaped)}])", r"\1", match[2])
        return re.split(r"\s#", value)[0].rstrip()

    return unquote_value


def _node(value: str) -> str:
    value = value.strip()
    mark = value[:1]
    if mark and mark in "'\"`":
        inner, found, rest = value[1:].rpartition(mark)
        if not found or (rest.strip() and not rest.strip().startswith("#")):
            raise ValueError
        return inner
    return value.split("#")[0].rstrip()


_env = _env_file(_shell)

# -- structured texts --------------------------------------------------------------------------------------------------


def _json(text: str) -> Any:
    return json.loads(text)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise MalformedError("is no YAML") from None


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise MalformedError("is no TOML") from None


def _kubernetes(text: str) -> Decoded:
    secret = _yaml(text)
    data = {name: base64.b64decode(value, validate=True).decode() for name, value in secret.get("data", {}).items()}
    return {**data, **secret.get("stringData", {})}


def _data_factory(text: str) -> Decoded:
    settings = _json(text)["properties"]["typeProperties"]
    return {name: value["value"] if isinstance(value, dict) else value for name, value in settings.items()}


def _properties(text: str) -> Decoded:
    """Read as java.util.Properties does."""
    found = {}
    for line in _lines(re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t\f]*", r"\1", text)):
        body = line.lstrip(" \t\f")
        if not body or body[0] in "#!":
            continue
        key, value = re.fullmatch(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", body).groups()  # type: ignore[union-attr]
        found[_unescape_property(key)] = _unescape_property(value)
    return found


def _unescape_property(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2])

    plain = re.sub(r"\\(?:u([0-9A-Fa-f]{4})|(.))", char, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16")


def _ant(text: str) -> Decoded:
    return {name: value.replace("$$", "$") for name, value in _properties(text).items()}


def _element(text: str, name: str) -> ElementTree.Element:
    try:
        found = [element for element in parse_xml(text).iter() if local_name(element) == name]
    except GatehouseError:
        raise MalformedError("is no XML, or declares a document type") from None
    if len(found) != 1:
        raise MalformedError(f"has {len(found)} elements {name}, not one")
    return found[0]


def _mule_xml(text: str) -> Decoded:
    return dict(_element(text, "basic-connection").attrib)


# -- applications ------------------------------------------------------------------------------------------------------


def _airflow_value(text: str, name: str | None) -> str:
    """Return the connection itself, where a variable contains it."""
    if not re.match(rf"\s*(?:export\s+)?{_AIRFLOW_PREFIX}", text):
        return text.strip()
    found: dict[str, str] = {
        key.removeprefix(_AIRFLOW_PREFIX): value for key, value in _env(text).items() if key.startswith(_AIRFLOW_PREFIX)
    }
    value: str = _one_of(found, name and name.upper())
    return value


def _one_of(found: Mapping[str, Any], name: str | None) -> Any:
    if name is None and len(found) != 1:
        raise MalformedError(f"has {len(found)} connections; say which by name")
    if name is not None and name not in found:
        raise MalformedError("has no connection of that name")
    return found[name] if name is not None else next(iter(found.values()))


def _airflow_uri(text: str, *, name: str | None = None) -> Decoded:
    parts = urlsplit(_airflow_value(text, name))
    if parts.scheme != "salesforce":
        raise MalformedError("is no URI that begins with salesforce://")
    extra: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra |= json.loads(extra.pop("__extra__", "{}"))
    return _airflow(unquote(parts.username or ""), unquote(parts.password or ""), extra)


def _airflow_json(text: str, *, name: str | None = None) -> Decoded:
    return _airflow_entry(_json(_airflow_value(text, name)))


def _airflow_connections(text: str, *, name: str | None = None) -> Decoded:
    entry = _one_of(_yaml(text), name)
    return _airflow_uri(entry) if isinstance(entry, str) else _airflow_entry(entry)


def _airflow_entry(entry: Mapping[str, Any]) -> Decoded:
    if entry["conn_type"] != "salesforce":
        raise MalformedError("is a connection of another type than salesforce")
    extra = entry.get("extra") or entry.get("extra_dejson") or {}
    return _airflow(entry.get("login"), entry.get("password"), json.loads(extra) if isinstance(extra, str) else extra)


def _airflow(login: str | None, password: str | None, extra: Mapping[str, Any]) -> Decoded:
    plain = {name.removeprefix(_OLD_EXTRA): value for name, value in extra.items()}
    return {**plain, "username": login, "password": password}


def _django(text: str) -> Decoded:
    try:
        (statement,) = ast.parse(text).body
        if not isinstance(statement, ast.Assign):
            raise MalformedError("is no assignment of a dictionary")
        found: Decoded = ast.literal_eval(statement.value)
    except (SyntaxError, RecursionError, ValueError):
        raise MalformedError("is no assignment of a dictionary to SALESFORCE") from None
    return found


def _logstash(text: str) -> Decoded:
    found: dict[str, Any] = {}
    for number, line in enumerate(_lines(text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _SETTING.fullmatch(line)
        if match is None:
            raise MalformedError(f"line {number} is no setting")
        found[match[1]] = next(part for part in match.groups()[1:] if part is not None)
    return found


def _data_loader(text: str, *, encryption_key: str | None = None) -> Decoded:
    return _decrypted(_properties(text), encryption_key)


def _data_loader_bean(text: str, *, encryption_key: str | None = None, name: str = "salesforce") -> Decoded:
    try:
        beans = [one for one in parse_xml(text).iter() if local_name(one) == "bean"]
    except GatehouseError:
        raise MalformedError("is no XML, or declares a document type") from None
    bean = next((one for one in beans if one.get("id") == name), None)
    if bean is None:
        raise MalformedError("has no bean of that name")
    entries = {one.attrib["key"]: one.attrib["value"] for one in bean.iter() if local_name(one) == "entry"}
    return _decrypted(entries, encryption_key)


def _decrypted(entries: Decoded, encryption_key: str | None) -> Decoded:
    return {**entries, "sfdc.password": dataloader.decrypt(entries["sfdc.password"], encryption_key)}


def _braced(text: str, start: str) -> Decoded:
    """Read a value that begins with a brace up to the brace before a semicolon or the end."""
    head, _semicolon, body = text.strip().partition(";")
    if not head.lower().startswith(start):
        raise MalformedError(f"does not begin with {start}")
    return {match[1]: match[3] if match[2] is None else match[2] for match in _BRACED.finditer(body)}


def _progress_url(text: str) -> Decoded:
    start = "jdbc:datadirect:sforce://"
    found = _braced(text, start)
    return {**found, "host": text.strip().partition(";")[0][len(start) :]}


def _odbc_source(text: str, *, name: str = "Salesforce") -> Decoded:
    """Read one section, in which a value is the rest of its line."""
    found: dict[str, str] | None = None
    for line in _lines(text):
        if line.strip().startswith("["):
            if found is not None:
                break
            found = {} if line.strip() == f"[{name}]" else None
        elif found is not None and "=" in line:
            key, _equals, value = line.partition("=")
            found[key.strip()] = value.strip()
    if found is None:
        raise MalformedError("has no data source of that name")
    return found


def _quoted(text: str, start: str = "") -> Decoded:
    """Read quotes of either kind, doubled inside."""
    if not text.strip().lower().startswith(start):
        raise MalformedError(f"does not begin with {start}")
    found = {}
    for match in _QUOTED.finditer(text.strip()[len(start) :]):
        double, single, plain = match["double"], match["single"], match["plain"]
        found[match["key"].strip()] = double.replace('""', '"') if double is not None else single or plain or ""
    return found


def _sfdx_url(text: str) -> Decoded:
    try:
        found = read_sfdx_url(text)
    except GatehouseError as exc:
        raise MalformedError(str(exc).partition(": ")[2]) from None
    return {**found, "host": str(found["login_url"])}


def _ignore_name(decode: Callable[[str], Decoded]) -> Decode:
    """Return what reads the only connection of a text, whatever its name is."""

    def read(text: str, *, name: str = "") -> Decoded:  # noqa: ARG001
        return decode(text)

    return read


# What reads back what each of these writes.
DECODERS: Mapping[Callable[..., str], Decode] = {
    encoders.env: _env,
    encoders.dotenv: _env_file(_unescape("'\"", "\\'\"")),
    encoders.node_env: _env_file(_node),
    encoders.systemd_env: _env_file(_unescape("'\"", '\\"`$')),
    encoders.docker_env: _env_file(str),
    encoders.shell_env: _env,
    encoders.json_text: _json,
    encoders.yaml_text: _yaml,
    encoders.toml_text: _toml,
    encoders.properties: _properties,
    applications.ant: _ant,
    applications.mule_xml: _ignore_name(_mule_xml),
    applications.airflow_uri: _airflow_uri,
    applications.airflow_json: _airflow_json,
    applications.airflow_connections: _airflow_connections,
    applications.dlt: lambda text: dict(_toml(text)["sources"]["salesforce"]),
    applications.embulk: lambda text: dict(_yaml(text)["in"]),
    applications.logstash: _logstash,
    applications.data_factory: _ignore_name(_data_factory),
    applications.n8n: _ignore_name(lambda text: dict(_json(text)[0]["data"])),
    applications.kubernetes: _ignore_name(_kubernetes),
    applications.django: _django,
    applications.sfdx_url: _sfdx_url,
    dataloader.config_properties: lambda text, *, encryption_key=None, encryption_key_file="": _data_loader(  # noqa: ARG005
        text, encryption_key=encryption_key
    ),
    dataloader.process_bean: _data_loader_bean,
    drivers.progress_url: _progress_url,
    drivers.odbc_string: lambda text: _braced(text, "driver="),
    drivers.odbc_source: _odbc_source,
    drivers.cdata_url: lambda text: _quoted(text, "jdbc:salesforce:"),
    drivers.ado_net_string: _quoted,
}
