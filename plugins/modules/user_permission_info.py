#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which permissions a user lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user_permission_info
short_description: List the permissions that a Salesforce user has, and lacks for tasks of this collection
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Reads which permissions a user is given by profile and permission sets, and compares them with what each task of
    this collection needs according to Salesforce's documentation.
  - Nothing is claimed that is not documented. A permission of which it is not known whether a task needs it, or which
    some orgs ask for, is returned as C(conditional), with the case.
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
  users:
    description: User names, by default that of the user who is logged in.
    type: list
    elements: str
    default: []
  tasks:
    description: The tasks, by default all of them. The README's table of permissions says what each is.
    type: list
    elements: str
    choices:
      - token_login
      - oauth_login
      - ip_ranges
      - login_history
      - security_token
      - password_login
      - external_client_app
      - permission_set
    default:
      - token_login
      - oauth_login
      - ip_ranges
      - login_history
      - security_token
      - password_login
      - external_client_app
      - permission_set
seealso:
  - module: gatehouse.salesforce.permission_set
"""

EXAMPLES = r"""
- name: Read what the administrator lacks to manage ranges and see logins
  gatehouse.salesforce.user_permission_info:
    credential: production-admin
    tasks: [ip_ranges, login_history]
  register: allowed

- name: Require that nothing is missing
  ansible.builtin.assert:
    that: allowed.users[0].problems | length == 0
    fail_msg: "{{ allowed.users[0].tasks | selectattr('missing') }}"

- name: Read whether the tokens of integrations can be rotated
  gatehouse.salesforce.user_permission_info:
    credential: production-admin
    users: [billing@acme.example, reports@acme.example]
    tasks: [security_token]
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
users:
  description: What each user has and lacks.
  type: list
  elements: dict
  returned: success
  contains:
    user:
      description: The user name.
      type: str
      sample: admin@acme.example
    permissions:
      description: The permissions that the tasks are about.
      type: list
      elements: dict
      contains:
        name:
          description: The name, as in metadata.
          type: str
          sample: ModifyMetadata
        label:
          description: The label in Setup.
          type: str
          sample: Modify Metadata Through Metadata API Functions
        granted:
          description: Whether the user has it; V(none) where the org does not say it.
          type: bool
          sample: true
        granted_by:
          description: What gives it.
          type: list
          elements: str
          sample: [by the profile System Administrator]
    tasks:
      description: What is amiss, for each of O(tasks).
      type: list
      elements: dict
      contains:
        task:
          description: The task.
          type: str
          sample: ip_ranges
        missing:
          description:
            - The labels of permissions that the user lacks and the task needs. Of those with C(or) between them, one
              will do.
          type: list
          elements: str
          sample: [Modify Metadata Through Metadata API Functions or Modify All Data]
        conditional:
          description: Permissions that the user lacks and the task may need.
          type: list
          elements: dict
          contains:
            permission:
              description: The label.
              type: str
              sample: Manage IP Addresses
            when:
              description: In which case.
              type: str
              sample: for trusted IP ranges in Setup
        prevented_by:
          description: The labels of permissions that the user has and that prevent the task.
          type: list
          elements: str
          sample: []
        unknown:
          description: The labels of permissions of which the org does not say whether the user has them.
          type: list
          elements: str
          sample: []
    problems:
      description: What is under C(missing) and C(prevented_by) of all tasks, in words.
      type: list
      elements: str
      sample: [ip_ranges needs Modify Metadata Through Metadata API Functions or Modify All Data]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.user_permission_info import (
    SPEC,
    run,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
