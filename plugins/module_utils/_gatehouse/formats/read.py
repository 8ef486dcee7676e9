# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a credential out of an application's configuration, in a format that the user names. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..auth.cli_files import connection_fields
from ..auth.connection import NEEDS
from ..auth.my_domain import PRODUCTION, SANDBOX
from ..errors import OptionError
from .decoders import DECODERS, Decoded, MalformedError
from .encoders import ENCODERS
from .model import Format
from .table import FAMILIES

CLI_FILE = "cli_file"
# Of the flows for which all is there, the first is taken.
_PREFERRED = ("session", "refresh_token", "jwt_bearer", "username_password", "client_credentials", "security_token")
_COMMON = (f"https://{PRODUCTION}", f"https://{SANDBOX}")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_OPTIONS = ("name", "encryption_key", "fields", "encoder")


def read_config(text: str, name: str, options: Mapping[str, Any], auth: str | None = None) -> dict[str, Any]:
    """Return the options of a credential in a text.

    Args:
        name: the format, or C(cli_file).
        options: of the format, where they are not None.
        auth: how to log in, where the text has enough for more than one flow.

    Raises:
        OptionError: names the option at fault, and repeats nothing of the text.
    """
    formats = {known: one for family in FAMILIES.values() for known, one in family.items()}
    if name != CLI_FILE and name not in formats:
        raise OptionError("format", f"{name!r} is not one of {', '.join([*formats, CLI_FILE])}")
    given = {option: value for option, value in options.items() if value is not None}
    try:
        if name == CLI_FILE:
            return _choose([_read_cli_file(text, **given)], name, auth, {})
        decode, by_flow = _select_decoder(formats[name], name, given)
        values = decode(text)
        if not isinstance(values, Mapping):
            raise MalformedError("has no fields")
        return _choose([_read_fields(values, names, flow) for flow, names in by_flow.items()], name, auth, by_flow)
    except MalformedError as exc:
        raise OptionError("format", f"the text is not of the format {name}: {exc}") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise OptionError("format", f"the text is not of the format {name}") from None


def _read_cli_file(text: str, *, encryption_key: str | None = None) -> dict[str, Any]:
    return connection_fields(json.loads(text), encryption_key)


def _select_decoder(
    known: Format, name: str, given: Mapping[str, Any]
) -> tuple[Callable[[str], Decoded], dict[str, dict[str, str]]]:
    """Return what reads a format, and its fields by flow; raises OptionError for options that it does not have."""
    fields = given.get("fields")
    if name == "mapping":
        if not isinstance(fields, Mapping) or given.get("encoder", "env") not in ENCODERS:
            raise OptionError("fields", "must say what stands under which name, and encoder how it is written")
        decode = DECODERS[ENCODERS[given.get("encoder", "env")].encode]
        by_flow = {flow: {str(theirs): str(ours) for theirs, ours in fields.items()} for flow in known.flows}
        rest = {option: value for option, value in given.items() if option not in ("fields", "encoder")}
    elif known.encode not in DECODERS:
        raise OptionError("format", f"{name} does not carry a whole credential")
    else:
        decode, by_flow, rest = DECODERS[known.encode], known.by_flow, dict(given)
    accepted = getattr(decode, "__kwdefaults__", None) or {}
    for option in rest:
        if option not in accepted:
            raise OptionError(option, f"format {name} has no such option")
    return lambda text: decode(text, **rest), by_flow


def _read_fields(values: Decoded, names: Mapping[str, str], flow: str) -> dict[str, Any]:
    """Return the fields of a flow that values have; none of them where a constant says that it is another flow."""
    found: dict[str, Any] = {"auth": flow}
    places: list[str] = []
    for theirs, ours in names.items():
        value = values.get(theirs)
        if ours.startswith("'"):
            if value is not None and value != ours.strip("'"):
                return {"auth": flow}
        elif value is None or value == "":
            continue
        elif ours in _PLACES:
            places += _PLACES[ours](value)
        elif ours == "soap_url":
            base, _middle, version = str(value).partition("/services/Soap/u/")
            places.append(base)
            if version:
                found["api_version"] = version
        else:
            found[_SAME.get(ours, ours)] = str(value)
    if places:
        found["login_url"] = next((place for place in places if place not in _COMMON), places[0])
    return found


def _needed(flow: str, names: Mapping[str, str]) -> str:
    """Return what a flow needs, by the names that the format has for it."""
    theirs = {_SAME.get(ours, ours): name for name, ours in names.items()}
    return ", ".join(theirs.get(field, field) for field in NEEDS[flow])


def _choose(
    candidates: list[dict[str, Any]], name: str, auth: str | None, by_flow: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return the candidate of the flow that is wanted, or else of the preferred one that is complete."""
    complete = {one["auth"]: one for one in candidates if all(one.get(field) for field in NEEDS[one["auth"]])}
    if auth is not None and auth not in complete:
        raise OptionError("auth", f"the text has not all that {auth} needs: {', '.join(NEEDS[auth])}")
    for flow in [auth] if auth else _PREFERRED:
        if flow in complete:
            return complete[flow]
    wanted = "; or ".join(_needed(one["auth"], by_flow.get(one["auth"], {})) for one in candidates)
    raise OptionError("format", f"the text has no whole credential; {name} should have: {wanted}")


def _address(value: Any) -> list[str]:
    text = str(value).rstrip("/")
    return [text if "://" in text else f"https://{text}"]


def _domain(value: Any) -> list[str]:
    return [f"https://{value}.salesforce.com"]


def _sandbox(value: Any) -> list[str]:
    text = str(value).lower()
    if text in ("sandbox", *_TRUE):
        return [_COMMON[1]]
    if text in ("production", *_FALSE):
        return [_COMMON[0]]
    raise MalformedError("it does not say by true or false whether the org is a sandbox")


_ADDRESSES = ("base_url", "host", "instance_host", "login_url", "login_url_without_domain", "my_domain_url", "own_host")
_SANDBOXES = (
    "environment",
    "is_sandbox",
    "is_sandbox_domain",
    "is_test_login",
    "true_at_test_host",
    "true_at_test_login",
)
# What the fields of fields.py say of where to log in.
_PLACES: Mapping[str, Callable[[Any], list[str]]] = {
    **dict.fromkeys(_ADDRESSES, _address),
    **dict.fromkeys(("domain", "domain_if_any"), _domain),
    **dict.fromkeys(_SANDBOXES, _sandbox),
}
# Joined secrets are read as a password, which logs in as well.
_SAME = {"login_password": "password", "required_token": "security_token", "token_or_empty": "security_token"}
