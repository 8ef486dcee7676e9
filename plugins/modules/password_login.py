#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Close the login by password that a credential has moved from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: password_login
short_description: Close the login by password and security token of a user who has moved to OAuth
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - An administrator gives the user of a credential a new password that nobody knows, not even the store. The old
    password, with or without a security token, logs in no more.
  - It is refused as long as the credential does not log in by C(jwt_bearer) or C(client_credentials), or has not
    passed such a login, or an application has an earlier version of it, or another credential in the store logs in by
    the password of that user, also one on standby.
  - The store notes when that was. A password that somebody sets afterwards is replaced again by the next task.
  - People who log in with that password are shut out, too. The way back is a new password, which an administrator can
    have sent to the user in Setup.
notes:
  - The user of the task needs the permission C(Reset User Passwords and Unlock Users). Its own password is never
    replaced.
  - Whether Salesforce mails the user about it is not known.
extends_documentation_fragment:
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
options:
  name:
    description: The credential in the store.
    type: str
    required: true
  state:
    description: V(absent) is no login by password.
    type: str
    choices: [absent]
    required: true
seealso:
  - module: gatehouse.salesforce.external_client_app
"""

EXAMPLES = r"""
- name: Log in to the billing integration by its app only
  gatehouse.salesforce.credential:
    name: billing
    auth: client_credentials
    login_url: https://acme.my.salesforce.com
    username: billing@acme.example
    consumer_key: "{{ vault_billing_consumer_key }}"
    consumer_secret: "{{ vault_billing_consumer_secret }}"

- name: Close its login by password and security token
  gatehouse.salesforce.password_login:
    credential: production-admin
    name: billing
    state: absent
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
user:
  description: Whose password nobody knows.
  type: str
  returned: success
  sample: billing@acme.example
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.password_login import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
