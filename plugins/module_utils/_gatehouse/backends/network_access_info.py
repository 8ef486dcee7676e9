# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of network_access_info."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..access.login_history import own_address
from ..access.profiles import Profiles
from ..access.range_lists import LoginRanges, TrustedRanges, all_login_ranges, always_activates_devices
from ..access.rules import SESSION_SETTINGS, Access
from ..errors import OptionError
from ..org.client import Org
from ..ranges.model import IpRange, parse_address
from ..task.context import Task
from ..task.options import CONNECTION, Spec

SPEC: Spec = {
    "profiles": {"type": "list", "elements": "str", "default": []},
    "addresses": {"type": "list", "elements": "str", "default": []},
    **CONNECTION,
}
ALL = "*"
_BOOLEANS = {"true": True, "false": False}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Return an org's network access, and what it means for some addresses."""
    addresses = [_checked(text, f"addresses[{number}]") for number, text in enumerate(options["addresses"])]
    org = task.org()
    trusted = TrustedRanges(org).read().ranges
    login_ranges = _read_profiles(org, options["profiles"])
    session = org.metadata(lambda api: api.read_session_settings())
    activation = always_activates_devices(org)
    restricted: dict[str | None, tuple[IpRange, ...]] = dict(login_ranges.items()) or {None: ()}
    rules = {
        profile: Access(ranges, trusted, device_activation_always=activation) for profile, ranges in restricted.items()
    }
    return {
        "changed": False,
        "trusted_ip_ranges": _results(trusted),
        "login_ip_ranges": [{"profile": name, "ranges": _results(ranges)} for name, ranges in login_ranges.items()],
        "session_settings": session_results(session),
        "own_address": own_address(org),
        "decisions": [
            {"address": address, "profile": profile, **access.login(address).as_result()}
            for profile, access in rules.items()
            for address in addresses
        ],
    }


def _read_profiles(org: Org, names: Sequence[str]) -> dict[str, tuple[IpRange, ...]]:
    """Return the login ranges of profiles by how they are named, or of all of them by label."""
    profiles = Profiles(org)
    if ALL not in names:
        return {
            name: LoginRanges(org, name, profiles, option="profiles").read().ranges for name in dict.fromkeys(names)
        }
    return all_login_ranges(org, profiles)


def session_results(found: Mapping[str, str]) -> dict[str, bool | str]:
    """Return the session settings that concern addresses, in the form in which modules show them."""
    return {name: _BOOLEANS.get(found[name], found[name]) for name in SESSION_SETTINGS if name in found}


def _checked(text: str, where: str) -> str:
    try:
        return str(parse_address(text))
    except ValueError:
        raise OptionError(where, f"{text!r} is not an IP address") from None


def _results(ranges: tuple[IpRange, ...]) -> list[dict[str, str | None]]:
    return [item.as_result() for item in ranges]
