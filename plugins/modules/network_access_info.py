#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell an org's network access."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_access_info
short_description: List the IP ranges of a Salesforce org, and check which addresses may log in
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Reads the trusted IP ranges, the login IP ranges of profiles, and the session settings that concern addresses.
  - For each of the given addresses it returns whether a login by user name and password through the API is allowed
    there, needs the security token, or is denied, and by which rule.
  - The decision follows the order of checks in the Salesforce Security Guide. It is that of a user without the
    permission MFA for API Logins, within the login hours of the profile.
extends_documentation_fragment:
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
attributes:
  diff_mode:
    support: N/A
    details: This module changes nothing.
options:
  profiles:
    description:
      - The profiles whose login IP ranges are read, each named as in
        O(gatehouse.salesforce.login_ip_ranges#module:profile).
      - V(*) reads all profiles of the org, and returns them by their labels.
      - A profile that the org does not have is an error.
    type: list
    elements: str
    default: []
  addresses:
    description:
      - The addresses about which to decide, IPv4 or IPv6, for each of the O(profiles).
      - Without O(profiles), the decision is that for a profile without login IP ranges.
    type: list
    elements: str
    default: []
seealso:
  - module: gatehouse.salesforce.trusted_ip_ranges
  - module: gatehouse.salesforce.login_ip_ranges
  - module: gatehouse.salesforce.login_history_info
"""

EXAMPLES = r"""
- name: Read the trusted IP ranges
  gatehouse.salesforce.network_access_info:
    credential: production-admin
  register: access

- name: Check from where an integration may log in
  gatehouse.salesforce.network_access_info:
    credential: production-admin
    profiles: [Standard User]
    addresses: [198.51.100.7, "2001:db8:10::7"]
  register: access

- name: Show the addresses from which it needs its token or is denied
  ansible.builtin.debug:
    msg: "{{ access.decisions | rejectattr('result', 'eq', 'allowed') }}"
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
trusted_ip_ranges:
  description: The trusted IP ranges, normalised and sorted.
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
login_ip_ranges:
  description: The login IP ranges of each of the O(profiles). A profile without any is not restricted.
  type: list
  elements: dict
  returned: success
  contains:
    profile:
      description: The profile, named as in O(profiles).
      type: str
      sample: Standard User
    ranges:
      description: Its ranges, in the form of RV(trusted_ip_ranges).
      type: list
      elements: dict
      sample: [{range: 203.0.113.7, start: 203.0.113.7, end: 203.0.113.7, description: Build farm}]
session_settings:
  description:
    - From where and for how long a session may be used, by the names that the settings have in the Metadata API. A
      setting that the org does not return is left out.
  type: dict
  returned: success
  contains:
    enforceIpRangesEveryRequest:
      description: Whether the login IP ranges of profiles apply to each request, not only at login.
      type: bool
      sample: false
    lockSessionsToDomain:
      description: Whether a session is bound to a domain.
      type: bool
      sample: true
    lockSessionsToIp:
      description: Whether a session is bound to the address at which it was opened.
      type: bool
      sample: false
    sessionTimeout:
      description: The idle time after which a session ends.
      type: str
      sample: TwoHours
own_address:
  description:
    - The address at which Salesforce saw the last login of the user with whom this module logs in, so most likely that
      of the current run. V(none) if that is not known, as with O(auth=session).
  type: str
  returned: success
  sample: 203.0.113.7
decisions:
  description: What happens to a login, for each of the O(profiles) and each of the O(addresses).
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: The address, in its normal form.
      type: str
      sample: 198.51.100.7
    profile:
      description: The profile, or V(none) without O(profiles).
      type: str
      sample: Standard User
    result:
      description: One of V(allowed), V(token_required) and V(denied).
      type: str
      sample: allowed
    rule:
      description:
        - What decided. V(profile_ranges) are the login IP ranges of the profile, V(trusted_ranges) the trusted IP
          ranges, and V(no_range) is neither.
        - V(device_activation) and V(trusted_ranges_over_limit) are addresses in a trusted IP range which may need the
          token all the same, since the org is a Developer Edition or its ranges exceed what Salesforce accepts now.
      type: str
      sample: trusted_ranges
    range:
      description: The range that decided, or V(none).
      type: str
      sample: 198.51.100.0/24
    reason:
      description: The same in a sentence.
      type: str
      sample: in the trusted IP range 198.51.100.0/24
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.network_access_info import (
    SPEC,
    run,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
