# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options with which a list of IP ranges is declared."""

from __future__ import annotations


class ModuleDocFragment:
    """A list of ranges and what it means."""

    DOCUMENTATION = r"""
options:
  ranges:
    description:
      - The ranges, in any order and notation. Two entries with the same addresses are one range.
      - An entry is a range, or a dictionary with the keys C(range) and C(description).
      - A range is a CIDR block, a single address, or C(first-last), IPv4 or IPv6. An IPv4-mapped IPv6 address counts as
        IPv4.
      - A description has at most 255 characters. Where none is given, any description in the org is kept.
      - Salesforce accepts 16,777,216 IPv4 addresses and 2^99 IPv6 addresses in all; those in 10.0.0.0/8 are free.
        Whether it counts the list or each entry is not documented without doubt; this module counts the list.
    type: list
    elements: raw
    required: true
  state:
    description:
      - V(present) adds the ranges that are missing and corrects descriptions.
      - V(absent) removes the ranges that have exactly these addresses.
      - V(exact) also removes every range that is not declared; with an empty list, all.
    type: str
    choices: [present, absent, exact]
    default: present
  guard:
    description:
      - What happens when the login history shows logins that the change would strand, that is deny, or ask for a
        token that they did not need before. V(fail) changes nothing, V(warn) warns, V(off) does not look.
      - It looks only when ranges are removed or a profile becomes restricted, in check mode too. Without the permission
        to see the login history of others, Salesforce shows only that of one's own user.
      - Unless V(off), a profile is never restricted in a way that would deny the address of this very run.
    type: str
    choices: [fail, warn, "off"]
    default: fail
  guard_days:
    description: How many days of login history O(guard) looks at.
    type: int
    default: 30
"""
