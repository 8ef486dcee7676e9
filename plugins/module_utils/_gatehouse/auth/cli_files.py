# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the Salesforce CLI keeps of the orgs in which its user is logged in.

Sources: sfdx-core, src/org/authInfo.ts and src/stateAggregator/accessors. The secrets in these files are encrypted;
what is read here is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import GatehouseError, OptionError
from .connection import DEFAULT_LOGIN_URL

MAX_BYTES = 1 << 20
_ALIASES = "alias.json"
_SEALED = re.compile(r"[0-9a-f]{12,}:[0-9a-f]{32}")
_KEY_BYTES = 32
_AUTH_FILE = re.compile(r"[^.][^@]*@[^.]+(\.[^.\s]+)+\.json")  # as the CLI itself tells them from its other files


def read_cli_folder(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the logins of a folder such as ~/.sfdx, sorted by user name, and the problems of files that are left out.

    Raises:
        OptionError: the folder cannot be read.
    """
    try:
        files = sorted(file for file in folder.iterdir() if _AUTH_FILE.fullmatch(file.name))
    except OSError as exc:
        raise OptionError("cli_folder", f"{folder} cannot be read: {exc.strerror}") from None
    logins, problems = [], []
    aliases: dict[str, list[str]] = {}
    try:
        aliases = _aliases_by_user(folder / _ALIASES)
    except GatehouseError as exc:
        problems.append(str(exc))
    for file in files:
        try:
            login = describe_login(_read_object(file, "username", str))
        except GatehouseError as exc:
            problems.append(str(exc))
        else:
            logins.append({**login, "aliases": sorted(aliases.get(login["username"], []))})
    return logins, problems


def describe_login(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an auth file says about a login, without anything secret."""
    auth = "session"
    if fields.get("privateKey"):
        auth = "jwt_bearer"
    elif fields.get("refreshToken"):
        auth = "refresh_token"
    return {
        "username": fields["username"],
        "auth": auth,
        "login_url": _text(fields, "loginUrl") or DEFAULT_LOGIN_URL,
        "instance_url": _text(fields, "instanceUrl"),
        "org_id": _text(fields, "orgId"),
        "sandbox": True if fields.get("isSandbox") is True or fields.get("isScratch") is True else None,
        "expires": _text(fields, "expirationDate"),
    }


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _aliases_by_user(file: Path) -> dict[str, list[str]]:
    """Return the aliases of each user name; none where the CLI has no file of them."""
    if not file.exists():
        return {}
    found: dict[str, list[str]] = {}
    for alias, username in _read_object(file, "orgs", dict)["orgs"].items():
        if isinstance(username, str):
            found.setdefault(username, []).append(alias)
    return found


def _read_object(file: Path, member: str, kind: type) -> dict[str, Any]:
    """Read a file that is a JSON object with such a member; raises GatehouseError, which repeats nothing of it."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as exc:
        raise GatehouseError(f"{file}: cannot be read: {exc.strerror}") from None
    if len(content) > MAX_BYTES:
        raise GatehouseError(f"{file}: is larger than {MAX_BYTES >> 20} MiB")
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        raise GatehouseError(f"{file}: is not JSON") from None
    if not isinstance(fields, dict) or not isinstance(fields.get(member), kind):
        raise GatehouseError(f"{file}: is no file of the Salesforce CLI: it has no {member}")
    return fields


def connection_fields(fields: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """Return the fields of a connection by which the CLI logs in; raises OptionError or ValueError.

    Args:
        fields: the content of an auth file.
        key: what the CLI encrypts its secrets with: C(key) in its key.json, or the entry of its name in the system's
            keychain.
    """
    login = describe_login(fields)
    found = {
        "auth": login["auth"],
        "login_url": login["login_url"],
        "username": login["username"],
        "consumer_key": _text(fields, "clientId"),
    }
    if login["auth"] == "jwt_bearer":
        found["private_key"] = _text(fields, "privateKey")  # a file
    elif login["auth"] == "refresh_token":
        found["login_url"] = login["instance_url"] or login["login_url"]
        found["refresh_token"] = _decrypt(_text(fields, "refreshToken"), key)
        found["consumer_secret"] = _decrypt(_text(fields, "clientSecret"), key)
    else:
        found["access_token"] = _decrypt(_text(fields, "accessToken"), key)
        found["instance_url"] = login["instance_url"]
    return {name: value for name, value in found.items() if value}


def _decrypt(sealed: str | None, key: str | None) -> str | None:
    """Decrypt a secret. Source: sfdx-core, src/crypto/crypto.ts, of which both versions are in use."""
    if sealed is None or not _SEALED.fullmatch(sealed):
        return sealed
    if not key:
        raise OptionError(
            "encryption_key",
            "is required, as the secrets in this file are encrypted: it is key in the key.json beside it, or the entry "
            "sfdx of the system's keychain. sf org display --verbose shows an auth URL, which is the format sfdx_url",
        )
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    text, _colon, tag = sealed.partition(":")
    key = key.strip()
    try:
        if len(key) == 2 * _KEY_BYTES:
            cipher, start = AESGCM(bytes.fromhex(key)), 24
            nonce = bytes.fromhex(text[:start])
        else:
            cipher, start = AESGCM(key.encode()), 12
            nonce = text[:start].encode()
        return cipher.decrypt(nonce, bytes.fromhex(text[start:] + tag), None).decode()
    except (ValueError, InvalidTag):
        raise OptionError("encryption_key", "does not decrypt the secrets of this file") from None
