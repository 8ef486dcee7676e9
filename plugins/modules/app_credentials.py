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
  - The steps of the role P(gatehouse.salesforce.app_credentials#role), which notifies the handlers between them and
    runs the tasks of services. Use the role, or M(gatehouse.salesforce.app_credential) for a single file; this module
    may change with the role.
  - The targets are those of the variable C(app_credentials_targets) and of others whose names begin with
    C(app_credentials_targets_). A fact that a host returns under one of these names is refused.
notes:
  - What M(gatehouse.salesforce.app_credential) says of connections holds for this module, too.
  - What it returns with O(step=open) and O(step=prepare) is secret, so these steps need C(no_log).
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
options:
  step:
    description:
      - With V(list), return the targets of O(hosts) and contact none of them. A host whose variables name another store
        than those of this one is left out.
      - With V(wait), wait until another host of the run has renewed the credential of O(pending), or has given up. It
        contains C(name), C(version), which was the version before, and C(seconds), which the other may take.
      - With V(write), write the files of this host, whatever becomes of each, and return which targets are in services.
      - With V(compare), do the same in a play in check mode that restarts nothing, and so needs no handlers.
      - With V(open), return how the services of O(written) are reached.
      - With V(prepare), return what is to be done with O(pending), which has O(mark) now.
      - With V(finish), record that O(planned) was done, or say in the result that it could not be, for O(problem).
      - With V(roll_back), write the user on standby of a pair into those of O(written) that had trouble.
      - With V(record), record the restarts of O(written), and fail if something could not be delivered or restarted.
    type: str
    choices: [list, wait, write, compare, open, prepare, finish, record, roll_back]
    required: true
  hosts:
    description: The hosts whose targets are listed.
    type: list
    elements: str
    default: []
  written:
    description: What the step before has returned.
    type: dict
    default: {}
  pending:
    description: An entry of RV(pending), or what O(step=wait) waits for.
    type: dict
    default: {}
  planned:
    description: What O(step=prepare) has returned under this name.
    type: dict
    default: {}
  mark:
    description: What tells the version that is in a service, empty when nothing is.
    type: str
  problem:
    description: Why the tasks of a service could not do it.
    type: str
  failed_topics:
    description: The topics of which a handler has failed, and the targets that their service could not restart.
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
targets:
  description:
    - What became of each target. With O(step=list), a dictionary of lists of C(credential), C(target), C(dest) and
      C(obstacles) by host; the last says, by flow, why it cannot hold a credential of C(jwt_bearer) or
      C(client_credentials).
  type: raw
  returned: success with O(step=list), O(step=write), O(step=compare), O(step=finish) and O(step=roll_back)
  sample:
    - credential: billing
      target: file
      dest: /etc/billing/salesforce.env
      place: /etc/billing/salesforce.env
      consumer: billing1:/etc/billing/salesforce.env
      changed: true
      version_before: 2
      version: 3
      standby: false
      fallback: false
      restarted: false
      topics: [Restart billing]
      restarts: false
pending:
  description: The targets in services, which the role's tasks bring there.
  type: list
  elements: dict
  returned: success with O(step=write), O(step=compare), O(step=finish) and O(step=roll_back)
  sample: []
restarts:
  description: The changed targets whose service restarts what reads them.
  type: list
  elements: dict
  returned: success with O(step=write), O(step=compare), O(step=finish) and O(step=roll_back)
  sample: []
opened:
  description: For each pending target, by its place, the file of its tasks, and what they get, which may be secret.
  type: dict
  returned: success with O(step=open)
action:
  description: V(keep), V(write) or V(remove).
  type: str
  returned: success with O(step=prepare)
given:
  description: The secret to write, as C(value) and C(data), and C(mark), which may be kept beside it.
  type: dict
  returned: success with O(step=prepare), when there is something to write
planned:
  description: What O(step=finish) needs to know of it.
  type: dict
  returned: success with O(step=prepare)
topics:
  description: The topics to notify, as targets have changed that applications read.
  type: list
  elements: str
  returned: success with O(step=write), O(step=compare), O(step=finish) and O(step=roll_back)
  sample: [Restart billing]
problems:
  description: Why targets could not be written; with O(step=list), which hosts have lists that cannot be read, and why.
  type: list
  elements: str
  returned: success
  sample: []
idle:
  description: Whether nothing is left to be done on this host.
  type: bool
  returned: success with O(step=write) and O(step=roll_back)
  sample: false
credentials:
  description: The names of the credentials that the targets contain.
  type: list
  elements: str
  returned: success with O(step=list)
  sample: [billing]
users:
  description: The hosts that use each credential, in the order of O(hosts).
  type: dict
  returned: success with O(step=list)
  sample: {billing: [billing1]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.app_credentials import SPEC


def main() -> None:
    """Fail: the action on the controller does all the work."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    module.fail_json(msg="works by its action on the controller, which did not run")


if __name__ == "__main__":
    main()
