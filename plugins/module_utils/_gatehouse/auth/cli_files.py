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
