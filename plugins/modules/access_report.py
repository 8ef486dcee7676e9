#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a report on who can log in to orgs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: access_report
short_description: Write a page, JSON and CSV on who can log in to Salesforce orgs, from where and until when
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Makes a report of what M(gatehouse.salesforce.org_access_info) has collected of many orgs and
    M(gatehouse.salesforce.credential_info) of the store. It makes no request.
  - The page is one HTML file that needs nothing else. It makes no request, works offline, and may be mailed.
  - C(report.json) in O(dest) is also what the next report is compared to. It says since when a finding is known, and
    what changed.
  - All files are written each time. The task has changed something where there was no report, or the findings, or
    their severities, are others than those of the last one, so that a handler can send it.
  - The role P(gatehouse.salesforce.report#role) collects, and calls this module.
notes:
  - Runs on the controller, whatever host the task is for.
  - The files contain user names, addresses and names of applications, but no secret. They are readable by their owner
    alone.
extends_documentation_fragment:
  - gatehouse.salesforce.attributes
attributes:
  check_mode:
    details: In check mode nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: The files have the time of each report.
options:
  dest:
    description:
      - The folder on the controller in which the files are written. It is created if needed.
      - Its files are C(report.html), C(report.json), C(report.txt), and a C(.csv) for each table of the page.
    type: path
    required: true
  orgs:
    description:
      - A dictionary of what M(gatehouse.salesforce.org_access_info) has returned, by the name of the org. That may be a
        failure, too.
    type: raw
    required: true
  declared:
    description:
      - A dictionary of what the inventory declares, by the name of the org. What the org has otherwise is a finding of
        the rule C(drift).
      - Each is a dictionary of C(trusted_ip_ranges), C(login_ip_ranges) and C(state), in the form of the role
        P(gatehouse.salesforce.network_access#role), and of the names of C(credentials).
    type: dict
    default: {}
  credentials:
    description: RV(gatehouse.salesforce.credential_info#module:credentials).
    type: list
    elements: raw
    default: []
  policy:
    description:
      - The rules that are to differ from their defaults, by name. Each is one of V(error), V(warning), V(info) and
        V(off), or a dictionary of such a C(severity) and the limits of the rule.
      - The guide to reports lists the rules and their limits.
    type: dict
    default: {}
  shared_ranges:
    description:
      - Ranges that many customers share, such as the lookup P(gatehouse.salesforce.published_ip_ranges#lookup) returns,
        for the rule C(shared_range).
    type: list
    elements: raw
    default: []
  title:
    description: The title of the report.
    type: str
    default: Salesforce access report
seealso:
  - module: gatehouse.salesforce.org_access_info
  - module: gatehouse.salesforce.credential_info
"""

EXAMPLES = r"""
- name: Collect who can log in to the org
  gatehouse.salesforce.org_access_info:
    credential: production-admin
  register: collected

- name: List what is stored
  gatehouse.salesforce.credential_info:
  register: stored

- name: Write a report
  gatehouse.salesforce.access_report:
    dest: /etc/gatehouse/report
    orgs:
      production: "{{ collected }}"
    declared:
      production:
        trusted_ip_ranges: [198.51.100.0/24]
    credentials: "{{ stored.credentials }}"
    policy:
      wide_range: {severity: error, ipv4_prefix: 20}
      old_secret: {days: 60}
      unused_range: "off"
  register: written

- name: Show what matters most
  ansible.builtin.debug:
    msg: "{{ written.text }}"
"""

RETURN = r"""
findings:
  description: What is against a rule, the gravest first.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: The rule.
      type: str
      sample: wide_range
    severity:
      description: Its severity.
      type: str
      sample: error
    org:
      description: The org; empty where it is none, as of a stored credential.
      type: str
      sample: production
    subject:
      description: What it is about. Rule, org and subject are the same from one report to the next.
      type: str
      sample: "trusted IP ranges: 198.18.0.0/15"
    text:
      description: A sentence.
      type: str
      sample: "trusted IP ranges: 198.18.0.0/15 holds 131,072 addresses, more than 65,536"
    since:
      description: The day from which it is known, UTC.
      type: str
      sample: "2026-11-24"
changes:
  description: What changed since the last report, or without one what the audit trails say.
  type: list
  elements: dict
  returned: success
  contains:
    org:
      description: The org; empty for a stored credential.
      type: str
      sample: production
    when:
      description: When; empty where that is not known.
      type: str
      sample: "2026-11-20T09:00:00.000+0000"
    who:
      description: The user name of who did it; empty where that is not known.
      type: str
      sample: ada@acme.example
    what:
      description: What changed.
      type: str
      sample: "trusted IP ranges: 192.0.2.7 added"
unreadable:
  description: The names of the orgs that could not be read.
  type: list
  elements: str
  returned: success
  sample: []
text:
  description: What matters most, in a few lines for a chat or a pull request.
  type: str
  returned: success
files:
  description: The files, the page first.
  type: list
  elements: str
  returned: success
  sample: [/etc/gatehouse/report/report.html, /etc/gatehouse/report/report.json]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends import access_report
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(access_report.SPEC, access_report.run)


if __name__ == "__main__":
    main()
