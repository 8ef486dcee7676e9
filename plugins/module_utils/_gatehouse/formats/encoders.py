# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write values as the text of a file. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

from .fields import NotRepresentable, Value
from .model import Values

Quote = Callable[[str, str], str]
Encode = Callable[[Values], str]

_SURROGATES = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_EXPANDED = re.compile(r"\$\{[^}]*\}")  # python-dotenv expands it within any quotes
_COMMENT = re.compile(r"\s#")
_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f", **{char: f"\\{char}" for char in "\\=:#!"}}


def as_text(value: Value) -> str:
    """Return the value as text, for readers that know no booleans."""
    return value if isinstance(value, str) else json.dumps(value)


def require_printable(name: str, value: str) -> None:
    """Raise NotRepresentable for a line break or another character that does not show."""
    if not value.isprintable():
        raise NotRepresentable(name, "a line break or another unprintable character")


def json_text(value: object) -> str:
    """Write a JSON document that means the same to a reader of YAML."""
    return _join_surrogates(json.dumps(value, indent=2)) + "\n"


def quote_json(value: Value) -> str:
    """Quote the value so that it means the same in JSON, YAML and TOML."""
    return _join_surrogates(json.dumps(value))


def yaml_text(values: Values) -> str:
    """Write one flat mapping."""
    return "".join(f"{_yaml_key(name)}: {quote_json(value)}\n" for name, value in values.items())


def toml_text(values: Values) -> str:
    """Write the values without a table, so that they can be put under any."""
    return "".join(
        f"{name if _BARE.fullmatch(name) else quote_json(name)} = {quote_json(value)}\n"
        for name, value in values.items()
    )


def properties(values: Values) -> str:
    """Write a file for C(java.util.Properties), in ASCII, so that it reads the same in every encoding."""
    return "".join(f"{name}={_escape(as_text(value))}\n" for name, value in values.items())


def env_file(quote: Quote) -> Encode:
    """Return what writes variables in a file, one a line, for readers with this kind of quoting."""

    def encode(values: Values) -> str:
        return "".join(f"{name}={quote(name, as_text(value))}\n" for name, value in values.items())

    return encode


def quote_unescaped(name: str, value: str, marks: str = "'\"") -> str:
    """Quote the value by the first kind of quotes that it does not hold, for readers that cannot escape them."""
    for mark in marks:
        if mark not in value:
            return f"{mark}{value}{mark}"
    raise NotRepresentable(name, "every kind of quotes that its reader knows, and cannot escape")


def quote_env(name: str, value: str) -> str:
    """Quote the value as python-dotenv, systemd and sh all understand it; raises NotRepresentable if no form is."""
    require_printable(name, value)
    if _PLAIN.fullmatch(value):
        return value  # docker --env-file, too, which would take quotes for a part of it
    _refuse_expansion(name, value)
    if not set(value) & set("'\\"):
        return f"'{value}'"  # nothing is special here, but the end and, to some, a backslash
    if value.endswith("\\"):
        raise NotRepresentable(name, "a backslash at the end: python-dotenv would read on behind the quote")
    if not set(value) & set("$`"):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    clash = " and ".join(repr(char) for char in "$`'\\" if char in value)
    raise NotRepresentable(name, f"{clash} in one value: its readers have no quoting in common for that")


def quote_dotenv(name: str, value: str) -> str:
    """Quote the value as python-dotenv understands it."""
    require_printable(name, value)
    _refuse_expansion(name, value)
    if not value.endswith("\\"):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    # A backslash before the closing quote would escape that for python-dotenv; without quotes it is just itself.
    if value[0] in "'\" " or _COMMENT.search(value) or value.startswith("#"):
        raise NotRepresentable(name, "a backslash at the end together with a quote or blank at the start or ' #'")
    return value


def quote_node(name: str, value: str) -> str:
    """Quote the value as node's dotenv understands it, which knows three kinds of quotes and no way to escape them."""
    require_printable(name, value)
    if value.endswith("\\"):
        # Before a closing quote it would escape that.
        if value[0] in "'\"` " or "#" in value:
            raise NotRepresentable(name, "a backslash at the end together with a quote or blank at the start or '#'")
        return value
    # Within double quotes, \n and \r are line breaks.
    return quote_unescaped(name, value, "'`" if re.search(r"\\[nr]", value) else "'`\"")


def quote_systemd(name: str, value: str) -> str:
    """Quote the value as systemd's EnvironmentFile understands it."""
    require_printable(name, value)
    return '"' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'


def quote_docker(name: str, value: str) -> str:
    """Return the value itself: docker --env-file knows no quotes."""
    require_printable(name, value)
    return value


def quote_shell(name: str, value: str) -> str:
    """Quote the value as a POSIX shell understands it."""
    require_printable(name, value)
    return shlex.quote(value)


def _refuse_expansion(name: str, value: str) -> None:
    if _EXPANDED.search(value):
        raise NotRepresentable(name, "'${' with a '}' after it: python-dotenv would expand it")


def _yaml_key(name: str) -> str:
    return name if _BARE.fullmatch(name) and name.lower() not in _YAML_WORDS else quote_json(name)


def _escape(value: str) -> str:
    """Escape the value, whose outer blanks neither the JDK nor Commons Configuration takes for a part of the syntax."""
    body = value.lstrip(" ")
    inner = body.rstrip(" ")
    return "\\ " * (len(value) - len(body)) + "".join(map(_escape_char, inner)) + "\\u0020" * (len(body) - len(inner))


def _escape_char(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start:start + 4]}" for start in range(0, len(units), 4))


def _join_surrogates(text: str) -> str:
    # JSON writes a character beyond U+FFFF as two escapes, which the others do not put together.
    return _SURROGATES.sub(
        lambda pair: pair[0].encode().decode("unicode-escape").encode("utf-16", "surrogatepass").decode("utf-16"), text
    )


env, dotenv, node_env = env_file(quote_env), env_file(quote_dotenv), env_file(quote_node)
systemd_env, docker_env, shell_env = env_file(quote_systemd), env_file(quote_docker), env_file(quote_shell)


class Encoder(NamedTuple):
    """What writes values under any names: which names it takes, and what it does with the values."""

    takes: Callable[[str], object]
    encode: Encode


def _is_printable(name: str) -> bool:
    return bool(name) and name.isprintable()


_is_variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_is_property = re.compile(r"[A-Za-z0-9_.\[\]/-]+").fullmatch
ENCODERS = {
    "env": Encoder(_is_variable, env),
    "dotenv": Encoder(_is_variable, dotenv),
    "node_env": Encoder(_is_variable, node_env),
    "systemd_env": Encoder(_is_variable, systemd_env),
    "docker_env": Encoder(_is_variable, docker_env),
    "shell_env": Encoder(_is_variable, shell_env),
    "json": Encoder(_is_printable, json_text),
    "yaml": Encoder(_is_printable, yaml_text),
    "toml": Encoder(_is_printable, toml_text),
    "properties": Encoder(_is_property, properties),
}
