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
      - An entry is a range, or a dictionary with the keys C(range), C(description) and C(expires), of which only the
        first is needed; C(start) and C(end) may stand in its place. So the ranges that modules return can be given.
      - A text of several lines is as many entries. Blank lines count for nothing, nor does what follows a C(#).
      - A range is a CIDR block, a single address, or C(first-last), IPv4 or IPv6. An IPv4-mapped IPv6 address counts as
        IPv4.
      - A description has at most 255 characters. Where none is given, any description in the org is kept.
      - Salesforce accepts 16,777,216 IPv4 addresses and 2^99 IPv6 addresses in all; those in 10.0.0.0/8 are free. The
        documentation does not make clear whether it counts the list or each entry; this module counts the list.
      - "An entry that C(expires) is temporary access: open until then, and closed by any later run that declares it, or
        by O(state=swept). The org keeps this in its description, such as C(CI runner (expires 2026-11-24T22:10Z)),
        which may be declared in this form too."
      - C(expires) is a time with its zone, such as C(2026-11-24T22:10Z), or a duration from now, such as C(2h), C(90m)
        or C(1d12h). Seconds are rounded up to minutes, by the clock of the controller.
      - A time is set as it is declared. A duration is the least that is wanted, so it extends temporary
        access that would end earlier, and leaves what ends later and a range that does not expire as they are.
      - A range that is declared without C(expires) stays, even if somebody opened it as temporary access.
      - Required, except with O(state=swept), which takes none.
    type: list
    elements: raw
  state:
    description:
      - V(present) adds the ranges that are missing and corrects descriptions.
      - V(absent) removes the ranges that have exactly these addresses; an entry that C(expires) only where the range in
        the org expires too. So temporary access is closed by what opened it, and a range that does not expire stays.
      - V(exact) also removes every range that is not declared, temporary access too; with an empty list, all.
      - V(swept) removes the ranges that have expired, by whichever run they were added, and nothing else.
    type: str
    choices: [present, absent, exact, swept]
    default: present
  lint:
    description:
      - Check the declared O(ranges) for doubtful entries. Nothing is checked without this option, or with
        O(state=absent); C({}) takes the defaults.
      - It finds C(duplicate) entries, those that C(overlap), C(wide) ones, C(private) and C(documentation) addresses
        and, if you ask for it, C(shared) and C(unused) ones.
    type: dict
    suboptions:
      level:
        description: Whether findings are warnings, or an error before anything is changed.
        type: str
        choices: [warn, error]
        default: warn
      skip:
        description: What not to look for.
        type: list
        elements: str
        choices: [duplicate, overlap, wide, private, documentation, shared, unused]
        default: []
      min_prefix_ipv4:
        description: The shortest prefix length of IPv4 that is not C(wide).
        type: int
        default: 16
      min_prefix_ipv6:
        description: The shortest prefix length of IPv6 that is not C(wide).
        type: int
        default: 48
      shared_ranges:
        description:
          - Ranges that many share, in the form of O(ranges), such as what the lookup
            P(gatehouse.salesforce.published_ip_ranges#lookup) returns.
          - Reports entries that contain a whole one of them, or much of it, that is more than 256 IPv4 addresses or an
            IPv6 /56.
        type: list
        elements: raw
        default: []
      unused_days:
        description:
          - Find entries from which nobody has logged in for this many days. This reads the login history, and is an
            error without the permission to see that of others.
        type: int
  guard:
    description:
      - What happens when the login history shows logins that the change would strand, that is deny, or ask for a
        token that they did not need before. V(fail) changes nothing, V(warn) warns, V(off) does not look.
      - It looks only when ranges are removed or a profile becomes restricted, in check mode too. Without the permission
        to see the login history of others, Salesforce shows only that of one's own user.
      - Unless V(off), a profile is never restricted in a way that would deny the address of the current run.
      - Temporary access that has expired is removed without looking. When it is closed before, the logins of one's own
        user do not count, as its end was intended.
    type: str
    choices: [fail, warn, "off"]
    default: fail
  guard_days:
    description: How many days of login history O(guard) looks at.
    type: int
    default: 30
"""
