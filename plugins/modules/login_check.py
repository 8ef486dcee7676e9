#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to Salesforce once from a managed host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_check
short_description: Check from a managed host whether a Salesforce credential can log in, and explain a refusal
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Logs in once from the managed host, because the address that Salesforce sees decides whether a login is allowed,
    needs the security token, or is denied.
  - The task fails when the login is refused, with the cause and what to do about it.
  - A wrong secret is tried once in a run, whatever the number of hosts, since failed logins lock the user. So the
    other hosts wait until one has logged in. After a refusal that applies everywhere, they report the same without a
    login.
  - In check mode no login is made.
notes:
  - With C(auth=refresh_token) the controller opens the session, and the host is given that and not the token. A host
    could not keep a new refresh token. So this shows whether the org takes the session from there.
  - The host needs a Python that Ansible works with there, and nothing else.
  - The credential is read on the controller, and its secrets reach the host through the standard input of Python, in
    memory only. For this the task turns on pipelining, so it does not work over a connection without it, nor with
    E(ANSIBLE_KEEP_REMOTE_FILES), with which the secret would be left in a file. It does not need C(become).
  - A private key stays on the controller. The host gets an assertion that was signed with it and is valid for minutes.
  - The session that a login opens is not closed, since Salesforce may have given it to other users of the credential.
  - O(ca_path) and O(store) are files of the controller. O(source_address) is an address of the host. Proxies are
    those of the environment on the host.
extends_documentation_fragment:
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
attributes:
  check_mode:
    details: Makes no login then, and is skipped.
  diff_mode:
    support: N/A
    details: This module changes nothing.
options:
  credential:
    description:
      - The name of a stored credential, which supplies all other connection options but O(timeout) and
        O(source_address).
      - Without it, the credential is given inline.
    type: str
  standby:
    description: Whether to log in as the user on standby of a stored pair in place of the one that is in use.
    type: bool
    default: false
  diagnose_with:
    description:
      - The name of another stored credential of the same org, of a user with the permission Manage Users or Monitor
        Login History.
      - The controller logs in with this one, and checks that one more failed login would not lock the user; if it
        would, no login is made.
      - If the login is refused, the login history and the ranges of the org show why, and at which address Salesforce
        saw the host.
    type: str
  _payload:
    description: What the action on the controller sends to the host, as JSON. Internal; a task cannot set it.
    type: str
requirements:
  - simple-salesforce, on the controller for O(diagnose_with) and O(auth=jwt_bearer)
seealso:
  - module: gatehouse.salesforce.credential
  - module: gatehouse.salesforce.credential_info
  - module: gatehouse.salesforce.network_access_info
"""

EXAMPLES = r"""
- name: Check that this host can log in with the credential of the billing integration
  gatehouse.salesforce.login_check:
    credential: billing

- name: Find out why it does not, without failing
  gatehouse.salesforce.login_check:
    credential: billing
    diagnose_with: production-admin
  register: billing_login
  failed_when: false

- name: Show the reason
  ansible.builtin.debug:
    msg: "Seen at {{ billing_login.address }}: {{ billing_login.verification.detail }}"

- name: Check a credential that is not stored
  gatehouse.salesforce.login_check:
    username: billing@acme.example
    password: "{{ vault_billing_password }}"
    security_token: "{{ vault_billing_security_token }}"
"""

RETURN = r"""
org:
  description: The org that this was about.
  type: dict
  returned: success
  sample: {id: 00D5g000004xYzA, host: acme.my.salesforce.com, user: admin@acme.example}
  contains:
    id:
      description: Its id, of 15 characters, as the host says it. V(none) where the access token does not show it.
      type: str
    host:
      description: The host of its API.
      type: str
    user:
      description: Who is logged in, by user name; by id where an app logs in; V(none) if neither is known.
      type: str
verification:
  description: The result of the login.
  type: dict
  returned: always
  sample: {result: ok, cause: ok, detail: logged in}
  contains:
    result:
      description: One of V(ok), V(failed) and V(skipped).
      type: str
    cause:
      description: Why, in the values of RV(gatehouse.salesforce.credential#module:verification.cause).
      type: str
    detail:
      description: The same in a sentence, with what to do.
      type: str
reported_by:
  description:
    - The host which alone has reported the refusal, or lost the answer, for which no login was made from this host.
      If the report is wrong, that host may be under somebody else's control; exclude it.
  type: str
  returned: when no login was made because of another host of this run
  sample: web1
address:
  description:
    - The address at which Salesforce saw this login. V(none) if that is not known, as with O(auth=session), after a
      refusal without O(diagnose_with), and if others log in as the same user at the same time, because their addresses
      cannot be distinguished from this one.
  type: str
  returned: success or failure of the login
  sample: 203.0.113.7
local_address:
  description: The host's own address in this login. It differs from RV(address) behind NAT.
  type: str
  returned: success or failure of the login
  sample: 10.20.0.7
"""

import json  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.login_check import (  # noqa: E402
    PAYLOAD,
    SPEC,
    run,
    secrets_in,
)


def main() -> None:
    """Run the module."""
    # As one text: of a dictionary, each value would count as secret, even the names of hosts.
    spec = {**SPEC, PAYLOAD: {"type": "str", "no_log": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    payload = json.loads(module.params[PAYLOAD] or "{}")
    if payload:
        module.no_log_values.update(secrets_in(payload))
    result = run(payload)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
