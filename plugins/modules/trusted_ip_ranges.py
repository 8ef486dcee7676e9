#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare an org's trusted IP ranges."""

from __future__ import annotations

DOCUMENTATION = r"""
module: trusted_ip_ranges
short_description: Add, remove and expire the trusted IP ranges of a Salesforce org
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Manages the org-wide list in Setup > Network Access. From its addresses an API client needs no security token.
    Trusted ranges deny nobody; login IP ranges of profiles do that.
  - The change is read, merged, written and read again. Only the list of ranges is sent, no other security setting.
  - The Metadata API replaces the whole list and does not report that it changed in the meantime. So tasks that change
    the lists of one org take turns, those of one user on a controller, and those that log in from the same store on a
    server on several. And after a
    write the Setup Audit Trail is read, if the user may. A change that another administrator made at that moment is
    restored if the trail names the range, and otherwise reported as a warning.
extends_documentation_fragment:
  - gatehouse.salesforce.ranges
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
"""

EXAMPLES = r"""
- name: Trust the offices and the build farm
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges:
      - range: 198.51.100.0/24
        description: Office
      - range: 203.0.113.7
        description: Build farm
      - range: 2001:db8:10::-2001:db8:10::ff
        description: VPN

- name: Stop trusting a former office
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    state: absent
    ranges:
      - range: 192.0.2.0/24

- name: Trust these ranges and no others, and warn of what is doubtful in them
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    state: exact
    ranges: "{{ salesforce_trusted_ip_ranges }}"
    lint:
      min_prefix_ipv4: 20
      unused_days: 90

- name: Let a CI runner in for two hours
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges:
      - range: 203.0.113.7
        description: CI runner
        expires: 2h

- name: Close whatever has expired, where the run that opened it did not
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    state: swept
"""

RETURN = r"""
org:
  description: The org that this was about.
  type: dict
  returned: when there is a session, after a failure as well
  sample: {id: 00D5g000004xYzA, host: acme.my.salesforce.com, user: admin@acme.example}
  contains:
    id:
      description: Its id, of 15 characters. V(none) where the access token is a JWT, which does not show it.
      type: str
    host:
      description: The host of its API.
      type: str
    user:
      description: Who is logged in, by user name; by id where an app logs in; V(none) if neither is known.
      type: str
ranges:
  description: The ranges after the change, normalised and sorted; in check mode, as they would be.
  type: list
  elements: dict
  returned: success
  sample: [{range: 198.51.100.0/24, start: 198.51.100.0, end: 198.51.100.255, description: Office}]
  contains:
    range:
      description: The shortest notation.
      type: str
    start:
      description: The first address.
      type: str
    end:
      description: The last address.
      type: str
    description:
      description: What the range is for.
      type: str
added:
  description: The ranges that were missing, in the same form.
  type: list
  elements: dict
  returned: success
  sample: [{range: 203.0.113.7, start: 203.0.113.7, end: 203.0.113.7, description: Build farm}]
removed:
  description: The ranges that were removed, in the same form.
  type: list
  elements: dict
  returned: success
  sample: []
updated:
  description: The ranges whose description was corrected, in the same form.
  type: list
  elements: dict
  returned: success
  sample: []
at_risk:
  description:
    - The logins that the change denies, or asks for a token that they did not need; if it was refused, would have.
  type: list
  elements: dict
  returned: unless O(guard) is V(off)
  sample:
    - username: billing@acme.example
      profile: Integration
      application: billing
      address: 192.0.2.7
      count: 41
      last: "2026-11-24T06:00:01.000+0000"
      result: token_required
      reason: the profile has no login IP ranges, and no trusted IP range holds the address
lint:
  description: The findings of O(lint). Their C(level) is their own severity, regardless of O(lint.level).
  type: list
  elements: dict
  returned: success, and when findings are errors
  sample:
    - code: overlap
      level: warning
      text: 198.51.100.7 lies within 198.51.100.0/24 (Office)
      entries:
        - {range: 198.51.100.0/24, start: 198.51.100.0, end: 198.51.100.255, description: Office}
        - {range: 198.51.100.7, start: 198.51.100.7, end: 198.51.100.7, description: null}
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.trusted_ip_ranges import (
    SPEC,
    run,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
