#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a credential in the encrypted store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential
short_description: Store a Salesforce credential encrypted, and verify it by a login
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Declares one credential. Its secrets are encrypted in the store on the controller; its name, login URL and user name
    stay readable, and are authenticated together with the secrets, so that a change by hand is detected.
  - A new or changed credential is verified by exactly one login before it is stored. An unchanged one that was
    verified before causes no login.
  - If a secret is omitted, the stored value is kept; an empty one is removed. When O(auth) changes, secrets that the
    new flow does not use are removed, and so is O(standby) where it has no password. All other options are declared in
    full, so one that is omitted returns to its default.
  - In check mode the later tasks of the run see the credential as it would have been stored. Those that would log in
    with it are skipped with a warning.
  - Hosts of one run that declare one name differently are an error, as they would overwrite each other's credential.
  - A password or security token that M(gatehouse.salesforce.security_token) has replaced is dead. Declaring it again,
    for example from an old variable file, does not bring it back. If somebody has set the same password again, remove
    the credential with O(state=absent) first.
  - A credential that has moved to OAuth, such as C(jwt_bearer), does not go back to a password because an inventory
    still declares it with one. Such a declaration is ignored with a warning; see O(undo_move).
extends_documentation_fragment:
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
requirements:
  - simple-salesforce
options:
  name:
    description: The name of the credential, letters, digits and C(._@+-).
    type: str
    required: true
  state:
    description: Whether the credential is stored or removed.
    type: str
    choices: [present, absent]
    default: present
  verify:
    description:
      - V(require) stores only what has logged in. V(warn) stores it anyway, with a warning. V(skip) does not log
        in.
      - In check mode no login is made.
    type: str
    choices: [require, warn, skip]
    default: require
  standby:
    description:
      - A second user of the same org, which makes the credential a pair. Applications use one of the two;
        M(gatehouse.salesforce.security_token) renews the token of the other and then the two swap roles, so that what
        applications have works until they get the new one.
      - Rotations decide which of the two is in use, so it does not matter which is declared first.
      - The other options apply to both. If this is omitted, a stored one is kept; an empty dictionary removes it.
    type: dict
    suboptions:
      username:
        description: Its user name.
        type: str
      password:
        description: Its password.
        type: str
      security_token:
        description: Its security token.
        type: str
  undo_move:
    description:
      - Whether a credential that logs in by C(jwt_bearer), C(client_credentials) or C(refresh_token) may go back to
        C(security_token) or C(username_password).
    type: bool
    default: false
  diagnose_with:
    description:
      - The name of another stored credential of the same org, of a user with the permission Manage Users or Monitor
        Login History.
      - Before the login, the login history and the password policies show whether one more failed login would lock the
        user, or the hourly limit of logins is used up; if so, no login is made.
      - If the login is refused, the login history and the ranges of the org show the reason, as Salesforce's own
        response is often only V(invalid_credentials). The refused login is not repeated.
    type: str
  sfdx_auth_url:
    description:
      - An org as it was authorised in the Salesforce CLI, C(force://clientId:clientSecret:refreshToken@host). It stands
        for O(auth=refresh_token), O(login_url), O(consumer_key), O(consumer_secret) and O(refresh_token).
      - C(sf org display --verbose --json) shows it as C(sfdxAuthUrl).
      - If the app rotates refresh tokens, the first login ends the one in the URL. A URL whose token was replaced here
        is ignored afterwards. Authorise the org once more for this store, so that the CLI keeps a token of its own.
    type: str
seealso:
  - module: gatehouse.salesforce.credential_info
  - module: gatehouse.salesforce.login_check
  - plugin: gatehouse.salesforce.login_password
    plugin_type: lookup
  - plugin: gatehouse.salesforce.credential
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Store the credential of the billing integration
  gatehouse.salesforce.credential:
    name: billing
    username: billing@acme.example
    password: "{{ vault_billing_password }}"
    security_token: "{{ vault_billing_security_token }}"

- name: Store a sandbox credential without a token, for an address that the org trusts
  gatehouse.salesforce.credential:
    name: billing-sandbox
    login_url: https://test.salesforce.com
    username: billing@acme.example.dev
    password: "{{ vault_billing_sandbox_password }}"

- name: Replace a token that someone received by e-mail, and keep the password
  gatehouse.salesforce.credential:
    name: billing
    username: billing@acme.example
    security_token: "{{ new_security_token }}"

- name: Store a credential, and let an administrator's view explain a refused login
  gatehouse.salesforce.credential:
    name: billing
    username: billing@acme.example
    password: "{{ vault_billing_password }}"
    security_token: "{{ vault_billing_security_token }}"
    diagnose_with: production-admin

- name: Store a pair of users, so that a rotation never breaks what is in use
  gatehouse.salesforce.credential:
    name: billing
    username: billing-blue@acme.example
    password: "{{ vault_billing_blue_password }}"
    security_token: "{{ vault_billing_blue_security_token }}"
    standby:
      username: billing-green@acme.example
      password: "{{ vault_billing_green_password }}"
      security_token: "{{ vault_billing_green_security_token }}"

- name: Store an org as it was authorised in the Salesforce CLI
  gatehouse.salesforce.credential:
    name: dev
    sfdx_auth_url: "{{ vault_dev_sfdx_auth_url }}"

- name: Remove a credential
  gatehouse.salesforce.credential:
    name: billing-sandbox
    state: absent
"""

RETURN = r"""
org:
  description: The org that this was about.
  type: dict
  returned: when a login was made
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
credential:
  description: The credential without its secrets; none when it is absent.
  type: dict
  returned: success
  sample:
    name: billing
    auth: security_token
    login_url: https://login.salesforce.com
    username: billing@acme.example
    consumer_key: null
    instance_url: null
    audience: null
    api_version: "64.0"
    ca_path: null
    allowed_hosts: []
    version: 2
    created: "2026-11-24T21:34:05Z"
    updated: "2026-11-25T06:00:12Z"
    verified: "2026-11-25T06:00:12Z"
    secret_since: "2026-11-25T06:00:12Z"
    standby: null
    rotation: null
    secrets: [password, security_token]
verification:
  description: The result of the login.
  type: dict
  returned: success
  sample: {result: ok, cause: ok, detail: logged in}
  contains:
    result:
      description: One of V(ok), V(failed) and V(skipped).
      type: str
    cause:
      description:
        - Why, as V(ok), V(bad_password), V(stale_token), V(token_required_here), V(invalid_credentials) (when
          Salesforce says no more), V(user_locked), V(password_expired), V(ip_denied), V(hours_denied),
          V(soap_login_disabled), V(api_version_too_new), V(flow_blocked), V(not_approved), V(rate_limited),
          V(api_disabled), V(unreachable) or V(tls_untrusted).
        - V(bad_password) and V(stale_token) need O(diagnose_with). That Salesforce records a wrong token as a wrong
          password is likely, but not documented; so V(stale_token) is returned only if the password is known to work.
      type: str
    detail:
      description: The same in a sentence, with what to do.
      type: str
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.credential import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module  # noqa: E402

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
