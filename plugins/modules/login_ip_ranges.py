#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare a profile's login IP ranges."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_ip_ranges
short_description: Add, remove and expire the login IP ranges of a Salesforce profile
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Manages the login IP ranges of one profile. A profile with ranges lets its users log in from these addresses only,
    by browser and API alike, and without a security token. A profile without ranges is not restricted.
  - The change is read, merged, written and read again, as M(gatehouse.salesforce.trusted_ip_ranges) does it.
  - Salesforce does not remove the last range of a profile through its API, although it reports success. A request that
    would empty the list fails before anything is sent.
extends_documentation_fragment:
  - gatehouse.salesforce.ranges
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
options:
  profile:
    description:
      - The profile, by its label as in Setup, such as V(System Administrator), or by its metadata name, such as
        V(Admin). Where one profile has the metadata name and another one the label, the metadata name counts.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Let integrations log in from the build farm only
  gatehouse.salesforce.login_ip_ranges:
    credential: production-admin
    profile: Integration
    state: exact
    ranges:
      - range: 203.0.113.7
        description: Build farm

- name: Let administrators in from the VPN too
  gatehouse.salesforce.login_ip_ranges:
    credential: production-admin
    profile: System Administrator
    ranges:
      - range: 2001:db8:10::-2001:db8:10::ff
        description: VPN
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

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.login_ip_ranges import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
