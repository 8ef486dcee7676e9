#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare an org's OAuth application."""

from __future__ import annotations

DOCUMENTATION = r"""
module: external_client_app
short_description: Create, change, switch off and delete the OAuth application of a Salesforce org
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Manages an External Client App, by which integrations log in without a password and a security token, and the
    permission set that opens it to its users. Nobody has to open Setup.
  - The app is read, planned, checked by the org and deployed as one package, and read again. Check mode ends after the
    check by the org, which changes nothing. Then the module waits until the token endpoint knows the app.
  - Only users who have the permission set O(permission_set) can log in through the app. It is created, assigned to
    O(users) and O(run_as), and removed together with the app. A permission set of that name that exists already is
    used, and nobody is removed from it.
  - The module marks what it makes, at the end of the description of the app and in that of the permission set. It
    changes no other app, unless O(adopt) says so.
  - It is refused to end the login of a credential in the store that logs in by the app, unless O(force) says so. That
    is by V(disabled) and V(absent) and, with O(certificate_key) or O(store_as), by another certificate, flow or user.
  - Elements that the module does not manage, such as the refresh token policy, are kept as they are. The certificate
    and the list of permission sets are sent with every change to their component, as an org is reported to clear what
    is left out.
notes:
  - The user needs the permissions C(Modify Metadata Through Metadata API Functions), C(Manage Profiles and Permission
    Sets) and C(Assign Permission Sets); a system administrator has them. The error names the one that is missing.
  - Facts about External Client Apps are partly reported by others, not documented. Try it in a sandbox first.
extends_documentation_fragment:
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
options:
  name:
    description: The API name of the app, of letters, digits and single underscores.
    type: str
    required: true
  state:
    description:
      - V(present) is an app as the options say, and switched on.
      - V(disabled) is an app through which nobody can log in. All other options of the app are ignored, and where there
        is no app, none is created.
      - V(absent) is no app and none of its permission set, if this module made it. The app is switched off before it
        is deleted. What uses its consumer key can never log in again; consider V(disabled) first.
      - Neither is done while a credential in the store logs in by the app, see O(force).
    type: str
    choices: [present, disabled, absent]
    default: present
  label:
    description: The name that users see. If not given, it is kept; that of a new app is O(name).
    type: str
  contact_email:
    description: Whom Salesforce may write to about the app. Needed for a new one, otherwise kept.
    type: str
  description:
    description: What the app is for. If not given, it is kept. A mark of this module follows it.
    type: str
  flows:
    description:
      - The ways to log in through the app. V(jwt_bearer) needs a O(certificate), V(client_credentials) a user to
        O(run_as).
      - A flow that is not named is closed; without V(jwt_bearer) the app's certificate is removed.
    type: list
    elements: str
    choices: [jwt_bearer, client_credentials]
    default: [jwt_bearer]
  certificate:
    description:
      - The certificate of the key that signs assertions, as PEM text or as a file on the controller.
        M(gatehouse.salesforce.login_key) makes both. If not given, that of the app is kept, or with O(store_as) a key
        and its certificate for a year are made, of which no file is written.
      - An app has one certificate. When it changes, logins with the old key fail from then on. To renew it, see
        M(gatehouse.salesforce.oauth_key); a certificate that begins before the one which that has given the app is
        ignored, so a task may go on naming the first one.
    type: str
  certificate_key:
    description:
      - The private key that O(certificate) must belong to, as PEM text or as a file on the controller. It is compared,
        and stored if O(store_as) says so, but never sent. In check mode the file need not exist yet.
      - Not O(private_key), which is the key that the module itself logs in with.
    type: str
  scopes:
    description:
      - What sessions of the app may do. Orgs are reported to refuse V(jwt_bearer) without V(refresh_token).
    type: list
    elements: str
    choices: [api, refresh_token]
    default: [api, refresh_token]
  ip_relaxation:
    description:
      - Whether the login IP ranges of the user's profile hold for logins through the app. V(enforce) keeps them;
        V(bypass) ignores them, V(bypass_with_second_factor) does for users with a second factor, and V(relax_refresh)
        when a session is refreshed.
    type: str
    choices: [enforce, relax_refresh, bypass_with_second_factor, bypass]
    default: enforce
  permission_set:
    description: The API name of the permission set that opens the app, O(name) by default.
    type: str
  users:
    description:
      - The user names of all who may log in through the app. Others are removed from the permission set, if this
        module made it.
    type: list
    elements: str
    default: []
  run_as:
    description: The user name that an app with V(client_credentials) acts as.
    type: str
  adopt:
    description: Whether to take over an app that this module did not make. It is marked, and changed as declared.
    type: bool
    default: false
  force:
    description:
      - Change, switch off or delete the app even if credentials in the store log in by it and then no longer can. A
        warning names them.
    type: bool
    default: false
  store_as:
    description:
      - The credential in the store that gets the login by the app, after one login has proven it. For
        V(client_credentials) it has the consumer key and the consumer secret, for V(jwt_bearer) the consumer key, the
        one user of O(users) and O(certificate_key), or a key that is made. No secret is returned.
      - A key that is made is in the store, not verified yet, before the app gets its certificate, so that the next run
        finishes one that is killed. Later runs use the key that is stored. If M(gatehouse.salesforce.oauth_key) has
        moved the login to another app, it stays there.
      - A credential of that name that is of another user or org, or logs in by another flow, is not replaced.
      - The token endpoint is reported to refuse a new app for some minutes, in which it is asked again.
      - A consumer secret is read only when the store does not have it. The org gives it while its setting
        C(enableClientSecretInRestApiAccess) is on, to a user with two permissions. If they are missing, the module
        opens both for that moment and takes them back however the run ends; a run that is killed leaves a journal
        beside the store, by which the next task with this store and org takes them back.
    type: str
  wait:
    description:
      - How many seconds to wait for a deployment, and for the token endpoint to know the app. Salesforce says that this
        may take 30 minutes; reported are 1 to 10.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Create an app by which billing logs in with a key, and keep that login
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Billing
    contact_email: platform@acme.example
    users:
      - billing@acme.example
    store_as: billing-jwt

- name: Create a key and its certificate in files
  gatehouse.salesforce.login_key:
    path: /etc/gatehouse/integrations.pem

- name: See what an app for that key would be, checked by the org
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Integrations
    label: Integrations
    contact_email: platform@acme.example
    description: Logins of our servers
    certificate: /etc/gatehouse/integrations.crt
    certificate_key: /etc/gatehouse/integrations.pem
    users:
      - billing@acme.example
      - reports@acme.example
  check_mode: true

- name: Have an app that acts as one user, and keep its key and secret
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Nightly_Export
    contact_email: platform@acme.example
    flows: [client_credentials]
    run_as: reports@acme.example
    store_as: nightly-export

- name: Switch it off at once, though a stored credential logs in by it
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Nightly_Export
    state: disabled
    force: true

- name: Remove that credential
  gatehouse.salesforce.credential:
    name: nightly-export
    state: absent

- name: Delete the app that nobody uses any more
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Nightly_Export
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
consumer_key:
  description: The consumer key, which is not secret; V(null) for an app that does not exist, as in check mode.
  type: str
  returned: success, and when the app was made before a failure
  sample: 3MVG9Example0000000000000001
login_url:
  description:
    - Where to log in by the app, which is the address of the org itself; the login hosts are reported to refuse such
      apps.
  type: str
  returned: success, and when the app was made before a failure
  sample: https://acme.my.salesforce.com
app:
  description: What was read after the change; in check mode, what would be. Empty when there is no app.
  type: dict
  returned: success
  contains:
    name:
      description: The API name.
      type: str
    label:
      description: The name that users see.
      type: str
    contact_email:
      description: Whom Salesforce may write to.
      type: str
    description:
      description: What the app is for, without the mark.
      type: str
    made_by_gatehouse:
      description: Whether this module made the app, or has adopted it.
      type: bool
    enabled:
      description: Whether logins through the app are possible.
      type: bool
    flows:
      description: The flows that are open.
      type: list
      elements: str
    certificate:
      description:
        - The SHA-256 fingerprint of the certificate. Its first 16 digits, by the mark, where the org does not show the
          certificate.
      type: str
    scopes:
      description: What sessions may do; scopes that this module does not know have Salesforce's names.
      type: list
      elements: str
    ip_relaxation:
      description: As in O(ip_relaxation).
      type: str
    pre_authorized:
      description: Whether only users of permission sets or profiles that are named may log in.
      type: bool
    permission_sets:
      description: All permission sets that the policy of the app names.
      type: list
      elements: str
    permission_set:
      description: The permission set of O(permission_set), if it opens the app.
      type: str
    users:
      description: Who has that permission set.
      type: list
      elements: str
    run_as:
      description: The user of V(client_credentials).
      type: str
  sample:
    name: Integrations
    label: Integrations
    contact_email: platform@acme.example
    description: Logins of our servers
    made_by_gatehouse: true
    enabled: true
    flows: [jwt_bearer]
    certificate: 4f2a5d0c9b7e1834a6d2f3c5b8e90712d4f6a8c1e3b5d79f0a2c4e6b8d1f3a57
    scopes: [api, refresh_token]
    ip_relaxation: enforce
    pre_authorized: true
    permission_sets: [Integrations]
    permission_set: Integrations
    users: [billing@acme.example, reports@acme.example]
    run_as: null
credential:
  description: The credential of O(store_as) without secrets; V(null) in check mode when it would be written.
  type: dict
  returned: when O(store_as) is given
done:
  description: What was changed before a failure. Run the task again to finish, or V(absent) to remove it.
  type: list
  elements: str
  returned: failure, after the first change
  sample: [the permission set Integrations is made]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.external_client_app import (
    SPEC,
    run,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module

# noqa: E402


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
