# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sort logins by the org that they lead to. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..auth.my_domain import MY_DOMAIN, PRODUCTION, SANDBOX, is_sandbox_host
from ..auth.retirement import announced_ends
from .serialisation import PublicFields

Login = Mapping[str, Any]
T = TypeVar("T")
SHOWN = ("name", "auth", "login_url", "username", "instance_url", "version", "verified", "secret_since", "standby")


@dataclasses.dataclass(frozen=True)
class Org:
    """One org and the logins that lead to it."""

    name: str
    logins: tuple[Login, ...]

    @property
    def login_url(self) -> str | None:
        """Where all of its users log in; None if they do not agree."""
        return _common(login["login_url"] for login in self.logins)

    @property
    def org_id(self) -> str | None:
        """Its id, where all logins name the same."""
        return _common(login.get("org_id") for login in self.logins)

    @property
    def sandbox(self) -> bool | None:
        """Whether it is a sandbox or a scratch org; None where no address says so."""
        return _common(login["sandbox"] for login in self.logins)

    @property
    def groups(self) -> list[str]:
        """The groups that it belongs to."""
        found = ["salesforce_orgs"]
        if self.sandbox is not None:
            found.append("salesforce_sandbox" if self.sandbox else "salesforce_production")
        for login in self.logins:
            found.append(f"salesforce_auth_{login['auth']}")
            found.extend(f"salesforce_ending_{end['what']}" for end in login["ends"])
            if login["ends"]:
                found.append("salesforce_ending")
        return list(dict.fromkeys(found))


def stored_login(fields: PublicFields) -> dict[str, Any]:
    """Return the login of a stored credential, whose fields are not checked: see C(refuse_malformed)."""
    login = {name: fields[name] for name in SHOWN}
    return {**login, "sandbox": is_sandbox(login), "ends": announced_ends(login["auth"], login["verified"])}


def cli_login(login: Login) -> dict[str, Any]:
    """Return a login of the Salesforce CLI, named by its first alias."""
    name = next(iter(login["aliases"]), login["username"])
    sandbox = is_sandbox(login) if login["sandbox"] is None else login["sandbox"]
    return {"name": name, **login, "sandbox": sandbox, "ends": []}


def group_logins(logins: Iterable[Login], name_of: Callable[[Login], str]) -> list[Org]:
    """Return the orgs, sorted by name, of which each name stands for one."""
    found: dict[str, list[Login]] = {}
    for login in logins:
        found.setdefault(name_of(login), []).append(login)
    return [Org(name, tuple(found[name])) for name in sorted(found)]


def usual_name(login: Login) -> str:
    """Return the name of an org: its My Domain, or that of the login where the address is that of many orgs."""
    for url in (login["instance_url"], login["login_url"]):
        host = _host(url)
        if host.endswith(MY_DOMAIN):
            return host.removesuffix(MY_DOMAIN).split(".")[0]
    name: str = login["name"]
    return name


def is_sandbox(login: Login) -> bool | None:
    """Return whether an address is that of a sandbox; None where it does not show.

    Developer Edition orgs log in as production does.
    """
    for host in (_host(login["instance_url"]), _host(login["login_url"])):
        if host == SANDBOX or (host.endswith(MY_DOMAIN) and (is_sandbox_host(host) or "--" in host)):
            return True
        if host == PRODUCTION or host.endswith(MY_DOMAIN):
            return False
    return None


def _host(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").lower()
    except ValueError:
        return ""


def _common(values: Iterable[T]) -> T | None:
    """Return the value that all have; None if they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
