# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP ranges in their normal form."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ip_ranges
short_description: Normalise, sort and merge IP ranges
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Reads ranges in any notation and returns them as the modules of this collection compare them, sorted, each once, in
    the shortest notation.
  - An IPv4-mapped IPv6 address counts as IPv4, as it does for Salesforce.
options:
  _input:
    description:
      - Ranges as text, each a CIDR block, an address, or C(first-last), IPv4 or IPv6.
      - Or dictionaries of such a C(range), or C(start) and C(end), and perhaps a C(description), as modules take and
        return them.
    type: list
    elements: raw
    required: true
  collapse:
    description:
      - Join ranges that overlap or touch into as few as possible. No range becomes larger than Salesforce accepts in
        all, which is 16,777,216 IPv4 or 2^99 IPv6 addresses.
      - Different descriptions are joined by C(; ), in order of address, up to 255 characters.
    type: bool
    default: false
seealso:
  - plugin: gatehouse.salesforce.in_ip_ranges
    plugin_type: test
  - plugin: gatehouse.salesforce.published_ip_ranges
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Trust what several teams declare, without overlaps
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges: "{{ (office_ranges + vpn_ranges) | gatehouse.salesforce.ip_ranges(collapse=true) }}"

- name: Show two neighbours as one range
  ansible.builtin.debug:
    msg: "{{ ['198.51.100.128/25', '198.51.100.0-198.51.100.127'] | gatehouse.salesforce.ip_ranges(collapse=true) }}"
    # => [{"range": "198.51.100.0/24"}]
"""

RETURN = r"""
_value:
  description: The ranges, IPv4 before IPv6, in order of address.
  type: list
  elements: dict
  contains:
    range:
      description: An address, a CIDR block, or C(first-last).
      type: str
      sample: 198.51.100.0/24
    description:
      description: The description, where there is one.
      type: str
      sample: Office
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import (
    collapse as join_ranges,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import (
    parse_each,
    parse_entries,
)


def ip_ranges(entries: list[Any], collapse: bool = False) -> list[dict[str, str]]:
    """Return the ranges in their normal form; raises AnsibleFilterError naming the entry at fault."""
    if not isinstance(entries, list | tuple):
        raise AnsibleFilterError("ip_ranges: the input must be a list of ranges")
    try:
        found = join_ranges(parse_each(entries)) if collapse else parse_entries(entries)
    except GatehouseError as exc:
        raise AnsibleFilterError(f"ip_ranges: {exc}") from exc
    return [item.as_entry() for item in found]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"ip_ranges": ip_ranges}
