#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell who logged in from where."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_history_info
short_description: List logins to a Salesforce org by user and address, and propose IP ranges for them
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Reads the successful logins of the last days, summed up by user, application and address.
  - Proposes the smallest set of ranges that covers the addresses of all these logins.
  - To see which of these logins a change of ranges would strand, run M(gatehouse.salesforce.trusted_ip_ranges) or
    M(gatehouse.salesforce.login_ip_ranges) with C(--check) and their option O(ignore:guard=warn).
  - Without the permission to see the login history of others, Salesforce shows only that of one's own user. A warning
    says so where others logged in.
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
  days:
    description: How many days of login history to look at.
    type: int
    default: 30
  profiles:
    description:
      - Look only at logins of users with these profiles, each named as in
        O(gatehouse.salesforce.login_ip_ranges#module:profile).
    type: list
    elements: str
    default: []
seealso:
  - module: gatehouse.salesforce.trusted_ip_ranges
  - module: gatehouse.salesforce.login_ip_ranges
  - module: gatehouse.salesforce.network_access_info
"""

EXAMPLES = r"""
- name: See who logged in from where
  gatehouse.salesforce.login_history_info:
    credential: production-admin
    days: 90
  register: history

- name: See whom it would strand to trust the office only
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    state: exact
    guard: warn
    ranges:
      - range: 198.51.100.0/24
        description: Office
  check_mode: true
  register: checked

- name: List these logins
  ansible.builtin.debug:
    msg: "{{ checked.at_risk }}"

- name: Trust the addresses from which applications log in now
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges: "{{ history.proposal.trusted_ip_ranges.ranges }}"
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
logins:
  description:
    - The successful logins, sorted by user and address. Salesforce's own logins have no address and are left out.
  type: list
  elements: dict
  returned: success
  contains:
    username:
      description: The user name, or the id if the org does not return the name.
      type: str
      sample: billing@acme.example
    profile:
      description: The label of the profile that the user has now.
      type: str
      sample: Standard User
    application:
      description: The application, as Salesforce names it.
      type: str
      sample: billing
    address:
      description: From where, in the normal form of an address.
      type: str
      sample: 192.0.2.7
    count:
      description: How many such logins there were.
      type: int
      sample: 41
    last:
      description: When the last one was.
      type: str
      sample: "2026-11-24T06:00:01.000+0000"
    needs_token:
      description:
        - Whether logins of this kind, by password through the API, are asked for the security token outside of trusted
          addresses. Browsers are not, nor is OAuth without a password.
      type: bool
      sample: true
proposal:
  description:
    - The fewest ranges that cover the addresses of these logins and no others, each described by its users and their
      applications. They are in the form of the option C(ranges) of the modules that declare them.
  type: dict
  returned: success
  contains:
    trusted_ip_ranges:
      description:
        - Under C(ranges), those from which these logins need no token; only logins that are asked for one count, by
          users whose profile has no login IP ranges now.
      type: dict
      sample: {ranges: [{range: 192.0.2.6-192.0.2.7, description: billing@acme.example (billing)}]}
    login_ip_ranges:
      description: For each profile, under C(ranges), those that deny none of the logins of its users.
      type: list
      elements: dict
      sample:
        - profile: Standard User
          ranges: [{range: 192.0.2.6-192.0.2.7, description: billing@acme.example (billing)}]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import login_history_info
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(login_history_info.SPEC, login_history_info.run)


if __name__ == "__main__":
    main()
