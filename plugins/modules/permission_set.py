#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy a permission set and assign it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: permission_set
short_description: Create a Salesforce permission set from metadata, and assign it to users
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Deploys a permission set and gives it to users. One that is as declared already is not deployed again.
  - This collection brings some along. V(Gatehouse_Administrator) has what the user needs with whom Ansible manages an
    org, V(Gatehouse_Integration) what applications need that log in by OAuth, and V(Gatehouse_Token_Login) what those
    need that log in by security token. Their files for the Salesforce CLI are in C(playbooks/files/permission_sets).
  - Permissions that the org's permission set has and the declared one has not are taken away. What else is in it, such
    as access to objects and fields, stays as it is.
  - After a deployment the permission set is read again, and the task fails if it is not as deployed.
notes:
  - The user needs the permissions C(Modify Metadata Through Metadata API Functions), C(Manage Profiles and Permission
    Sets) and C(Assign Permission Sets); a system administrator has them.
  - In check mode the org checks the deployment, without carrying it out.
  - An org refuses a permission that it does not have, and an assignment that the user's licence does not allow.
extends_documentation_fragment:
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
options:
  name:
    description: The API name of the permission set.
    type: str
    required: true
  src:
    description:
      - A file of metadata on the controller, such as C(Reporting.permissionset-meta.xml) of a Salesforce CLI project,
        with C(label), C(description) and C(userPermissions).
      - It is required unless O(name) is one that this collection brings along.
    type: path
  state:
    description:
      - With V(present), O(users) have the permission set, and others who have it keep it.
      - With V(exact), nobody else has it.
      - V(absent) is no such permission set. It is taken from all users before it is deleted.
    type: str
    choices: [present, exact, absent]
    default: present
  users:
    description: The user names of those who are to have it, all of them active.
    type: list
    elements: str
    default: []
  wait:
    description: How many seconds the deployment may take.
    type: int
    default: 600
seealso:
  - module: gatehouse.salesforce.user_permission_info
"""

EXAMPLES = r"""
- name: Give the administrator what this collection needs
  gatehouse.salesforce.permission_set:
    credential: production-admin
    name: Gatehouse_Administrator
    users: [admin@acme.example]

- name: Give the integrations what they need to log in, and nobody else
  gatehouse.salesforce.permission_set:
    credential: production-admin
    name: Gatehouse_Integration
    state: exact
    users:
      - billing@acme.example
      - reports@acme.example

- name: Deploy a permission set of a project
  gatehouse.salesforce.permission_set:
    credential: production-admin
    name: Reporting
    src: force-app/main/default/permissionsets/Reporting.permissionset-meta.xml
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
permission_set:
  description: The permission set as it is now, or would be. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    name: Gatehouse_Integration
    label: Gatehouse Integration
    description: For users as whom applications log in by OAuth. Part of gatehouse.salesforce.
    permissions: [ApiEnabled]
    users: [billing@acme.example]
  contains:
    name:
      description: The API name.
      type: str
    label:
      description: The label.
      type: str
    description:
      description: What it is for.
      type: str
    permissions:
      description: The names of its user permissions.
      type: list
      elements: str
    users:
      description: Who has it.
      type: list
      elements: str
done:
  description: What was changed before the failure.
  type: list
  elements: str
  returned: when the task fails after a change
  sample: [the permission set Gatehouse_Integration is deployed]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.permission_set import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
