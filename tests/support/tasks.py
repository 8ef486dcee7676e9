# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the tasks that several integration tests run, and read what they change in the org."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulated_org import SimulatedOrg
from tests.support.plays import Results

# Variables that take away whom a play logs in as, so that a task names a stored credential or gives one inline.
NOBODY: dict[str, Any] = {f"gatehouse_salesforce_{name}": None for name in ("username", "password", "security_token")}


def store(sim: SimulatedOrg, **changes: Any) -> dict[str, Any]:
    """Store the administrator's credential as billing; None leaves an option out."""
    admin = sim.admin
    options = {
        "name": "billing",
        "username": admin.username,
        "password": admin.password,
        "security_token": admin.security_token,
        **changes,
    }
    wanted = {name: value for name, value in options.items() if value is not None}
    return {"name": "store", "gatehouse.salesforce.credential": wanted}


def use(expression: str) -> dict[str, Any]:
    """Evaluate an expression, such as a lookup, for seen().

    In Base64, as from ansible-core 2.22 on a secret is masked in what a callback gets.
    """
    return {"name": "use", "ansible.builtin.set_fact": {"seen": f"{{{{ {expression} | to_json | b64encode }}}}"}}


def seen(results: Results) -> Any:
    """Return the value of the expression that use() evaluated."""
    return json.loads(base64.b64decode(results.of("use")["ansible_facts"]["seen"]))


def trusted(*ranges: Any, **options: Any) -> dict[str, Any]:
    """Declare trusted ranges of the org."""
    return {"name": "trusted", "gatehouse.salesforce.trusted_ip_ranges": {"ranges": list(ranges), **options}}


def login(*ranges: Any, profile: str = "Standard User", **options: Any) -> dict[str, Any]:
    """Declare login ranges of a profile."""
    arguments = {"profile": profile, "ranges": list(ranges), **options}
    return {"name": "login", "gatehouse.salesforce.login_ip_ranges": arguments}


def bounds(ranges: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the first and last address of each range, as the org or a result lists them."""
    return [f"{item['start']}-{item['end']}" for item in ranges]


def trusted_bounds(sim: SimulatedOrg) -> list[str]:
    """Return the bounds of the org's trusted ranges."""
    return bounds(sim.control.org()["trusted_ranges"])


def login_bounds(sim: SimulatedOrg, profile: str) -> list[str]:
    """Return the bounds of a profile's login ranges."""
    (found,) = (item for item in sim.control.org()["profiles"] if item["name"] == profile)
    return bounds(found["login_ip_ranges"])
