#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell who can log in to an org, and who did."""

from __future__ import annotations

DOCUMENTATION = r"""
module: org_access_info
short_description: List who can log in to a Salesforce org, from where, who did, and what is about to end
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Collects all that a report on one org needs, and returns it as data. M(gatehouse.salesforce.access_report) makes a
    page of what this module returns for many orgs.
  - It reads the trusted IP ranges, the login IP ranges and active users of all profiles, the session settings that
    concern addresses, the login history, and what the audit trail says about ranges.
  - What the org refuses to show is left out, and named in RV(access.omitted) with the permission that it needs. An org
    that does not answer, or refuses the login, fails the task.
  - Few requests are made. Ten, and one more for each ten profiles and each 2,000 users or logins, are usual.
    RV(access.requests) says how many there were.
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
    description: How many days of login history and audit trail to look at. The audit trail keeps 180 days.
    type: int
    default: 30
  max_logins:
    description:
      - How many rows of the login history to read at most, the latest ones. If there are more, RV(access.omitted) says
        so, and RV(access.logins_complete) is false.
    type: int
    default: 50000
seealso:
  - module: gatehouse.salesforce.access_report
  - module: gatehouse.salesforce.network_access_info
  - module: gatehouse.salesforce.login_history_info
  - module: gatehouse.salesforce.credential_info
"""

EXAMPLES = r"""
- name: Collect who can log in, and who did
  gatehouse.salesforce.org_access_info:
    credential: production-admin
    days: 90
  register: collected

- name: List who still logs in by password through the API
  ansible.builtin.debug:
    msg: "{{ collected.access.logins | selectattr('way', 'in', ['soap_login', 'username_password_flow'])
      | map(attribute='username') | unique }}"

- name: List what could not be read
  ansible.builtin.debug:
    msg: "{{ collected.access.omitted }}"
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
access:
  description: What was collected.
  type: dict
  returned: success
  contains:
    collected:
      description: When, UTC.
      type: str
      sample: "2026-11-24T08:00:00Z"
    days:
      description: The O(days) that were looked at.
      type: int
      sample: 30
    requests:
      description: How many requests the org has answered, but for the login.
      type: int
      sample: 10
    trusted_ip_ranges:
      description: The trusted IP ranges, as RV(gatehouse.salesforce.network_access_info#module:trusted_ip_ranges).
      type: list
      elements: dict
    profiles:
      description: All profiles, sorted.
      type: list
      elements: dict
      contains:
        profile:
          description: The label, or the metadata name where the label is hidden or not unique.
          type: str
          sample: Standard User
        name:
          description: The metadata name; empty where it is hidden.
          type: str
          sample: Standard
        users:
          description: How many active users have it.
          type: int
          sample: 3
        usernames:
          description: The user names of these, 50 at most.
          type: list
          elements: str
          sample: [billing@acme.example]
        login_ip_ranges:
          description: Its ranges, in the form of RV(access.trusted_ip_ranges). Without any it is not restricted.
          type: list
          elements: dict
    session_settings:
      description: As RV(gatehouse.salesforce.network_access_info#module:session_settings).
      type: dict
      sample:
        enforceIpRangesEveryRequest: false
        lockSessionsToDomain: true
        lockSessionsToIp: false
        sessionTimeout: TwoHours
    logins:
      description:
        - The successful logins by user, application, way, version of the API and address. Salesforce's own logins have
          no address and are left out.
      type: list
      elements: dict
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
        way:
          description:
            - How. V(soap_login) is by password through the API, V(username_password_flow) by password through OAuth,
              V(oauth) by any other flow of OAuth; V(browser), V(single_sign_on) and V(other) are what they say.
          type: str
          sample: soap_login
        api_version:
          description: The version of the API, empty where the org does not say.
          type: str
          sample: "64.0"
        address:
          description: From where, in the normal form of an address.
          type: str
          sample: 192.0.2.7
        access:
          description:
            - What a login by password through the API meets there now. One of V(allowed), V(token_required),
              V(denied), and V(unknown) where the org has not shown the ranges or the profile that decide.
          type: str
          sample: token_required
        count:
          description: How many such logins there were.
          type: int
          sample: 41
        last:
          description: When the last one was.
          type: str
          sample: "2026-11-24T06:00:01.000+0000"
    logins_complete:
      description: Whether RV(access.logins) are all logins of these O(days).
      type: bool
      sample: true
    logins_by_day:
      description: How many logins there were on each day, UTC, by each way.
      type: list
      elements: dict
      sample: [{day: "2026-11-24", way: soap_login, count: 41}]
    range_changes:
      description:
        - What the audit trail says about ranges. RV(access.range_changes[].range) and RV(access.range_changes[].added)
          are V(none) where its text does not name a range.
      type: list
      elements: dict
      contains:
        when:
          description: When.
          type: str
          sample: "2026-11-20T09:00:00.000+0000"
        who:
          description: The user name of who changed it.
          type: str
          sample: ada@acme.example
        text:
          description: What the audit trail says.
          type: str
          sample: Added Login Ip Range to Standard from 192.0.2.7 to 192.0.2.7
        range:
          description: The range.
          type: str
          sample: 192.0.2.7
        added:
          description: Whether it was added. V(false) if it was deleted.
          type: bool
          sample: true
    omitted:
      description: What the org has not shown.
      type: list
      elements: dict
      contains:
        what:
          description: Which part of this result lacks something.
          type: str
          sample: audit trail
        problem:
          description: Why.
          type: str
          sample: "the org refused the query: INVALID_TYPE"
        permission:
          description: The permission that shows it; empty where none would, or where it is not known.
          type: str
          sample: View Setup and Configuration
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import org_access_info
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(org_access_info.SPEC, org_access_info.run)


if __name__ == "__main__":
    main()
