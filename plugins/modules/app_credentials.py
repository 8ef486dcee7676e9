#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role app_credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_credentials
short_description: Write the Salesforce credentials of all applications of a host, for the role app_credentials
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - The steps of the role P(gatehouse.salesforce.app_credentials#role), which notifies the handlers between them. Use
    the role, or M(gatehouse.salesforce.app_credential) for a single file; this module may change with the role.
  - The files are those of the variable C(app_credentials_files) and of others whose names begin with
    C(app_credentials_files_). A fact that a host returns under one of these names is refused.
notes:
  - What M(gatehouse.salesforce.app_credential) says of connections holds for this module, too.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
options:
  step:
    description:
      - With V(list), return the files of O(hosts) and contact none of them. A host whose variables name another store
        than those of this one is left out.
      - With V(write), write the files of this host, whatever becomes of each.
      - With V(roll_back), write the user on standby of a pair into those of O(written) that had trouble.
      - With V(record), record the restarts of O(written), and fail if something could not be delivered or restarted.
    type: str
    choices: [list, write, record, roll_back]
    required: true
  hosts:
    description: The hosts whose files are listed.
    type: list
    elements: str
    default: []
  written:
    description: What the step before has returned.
    type: dict
    default: {}
  failed_topics:
    description: The topics of which a handler has failed.
    type: list
    elements: str
    default: []
  refused:
    description: The credentials with which a login from this host was refused.
    type: list
    elements: str
    default: []
seealso:
  - module: gatehouse.salesforce.app_credential
"""

EXAMPLES = r"""
- name: List which credentials the applications use
  gatehouse.salesforce.app_credentials:
    step: list
    hosts: "{{ groups['salesforce_applications'] | default([]) }}"
  register: used
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
files:
  description:
    - With O(step=write) and O(step=roll_back), what became of each file. With O(step=list), a dictionary of lists of
      C(credential), C(dest) and C(obstacles) by host; the last says, by flow, why the file cannot hold a credential of
      C(jwt_bearer) or C(client_credentials).
  type: raw
  returned: success but with O(step=record)
  sample:
    - credential: billing
      dest: /etc/billing/salesforce.env
      consumer: billing1:/etc/billing/salesforce.env
      changed: true
      version_before: 2
      version: 3
      standby: false
      fallback: false
      restarted: false
      topics: [Restart billing]
topics:
  description: The topics to notify, as files have changed that applications read.
  type: list
  elements: str
  returned: success with O(step=write) and O(step=roll_back)
  sample: [Restart billing]
problems:
  description: Why files could not be written; with O(step=list), which hosts have lists that cannot be read, and why.
  type: list
  elements: str
  returned: success
  sample: []
credentials:
  description: The names of the credentials that the files contain.
  type: list
  elements: str
  returned: success with O(step=list)
  sample: [billing]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.app_credentials import SPEC


def main() -> None:
    """Fail: the action on the controller does all the work."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    module.fail_json(msg="works by its action on the controller, which did not run")


if __name__ == "__main__":
    main()
