# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Membership of an address in ranges."""

from __future__ import annotations

DOCUMENTATION = r"""
name: in_ip_ranges
short_description: Check whether IP ranges contain an address
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns whether any of the ranges contains the address. The bounds of a range belong to it.
  - An IPv4-mapped IPv6 address counts as IPv4, as it does for Salesforce.
  - The result does not say who may log in, which depends on more than one list of ranges.
options:
  _input:
    description: An IPv4 or IPv6 address.
    type: str
    required: true
  ranges:
    description:
      - Ranges as text, each a CIDR block, an address, or C(first-last), IPv4 or IPv6.
      - Or dictionaries of such a C(range), as modules take and return them.
    type: list
    elements: raw
    required: true
seealso:
  - plugin: gatehouse.salesforce.ip_ranges
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Require that this controller stays trusted
  ansible.builtin.assert:
    that: controller_address is gatehouse.salesforce.in_ip_ranges(trusted_ranges)

- name: List the addresses that no range contains
  ansible.builtin.debug:
    msg: "{{ addresses | reject('gatehouse.salesforce.in_ip_ranges', ['198.51.100.0/24', '2001:db8::/64']) }}"
"""

RETURN = r"""
_value:
  description: Whether any of the ranges contains the address.
  type: bool
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.rules import RangeIndex
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import parse_each


def in_ip_ranges(address: str, ranges: list[Any]) -> bool:
    """Return whether any of the ranges contains the address; raises AnsibleFilterError for what is neither."""
    if not isinstance(ranges, list | tuple):
        raise AnsibleFilterError("in_ip_ranges: the ranges must be a list")
    entries = tuple(tuple(entry.items()) if isinstance(entry, Mapping) else entry for entry in ranges)
    try:
        try:
            index = _index(entries)
        except TypeError:  # what cannot be a key of the cache is no range either
            index = _index.__wrapped__(entries)
        return index.find(str(address)) is not None
    except (GatehouseError, ValueError) as exc:
        raise AnsibleFilterError(f"in_ip_ranges: {exc}") from exc


# select() and reject() ask about one address after another against the same ranges.
@lru_cache(maxsize=8)
def _index(entries: tuple[Any, ...]) -> RangeIndex:
    return RangeIndex(parse_each([dict(entry) if isinstance(entry, tuple) else entry for entry in entries]))


class TestModule:
    """The tests of this file."""

    def tests(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"in_ip_ranges": in_ip_ranges}
