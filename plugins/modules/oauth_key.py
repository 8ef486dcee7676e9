#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew what a stored credential logs in with by OAuth."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oauth_key
short_description: Rotate the key or the app's secret of a stored Salesforce credential unattended
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Renews what a stored credential logs in with by an External Client App when it is older than O(max_age). That is the
    private key of a credential with C(auth=jwt_bearer), or the consumer key and consumer secret of one with
    C(auth=client_credentials). Before that time it does nothing and sends nothing, so it may run every night.
  - A new key is created, its certificate is deployed to the app, and one login proves it before it is stored. No file
    of it is written.
  - An app has one certificate. With two O(apps) the one that is not in use gets the new certificate, and the credential
    moves to it, so no login fails. With one app, logins with the old key fail until the new one is delivered; a warning
    says so, and RV(gap_seconds) has how long that took until the new one was stored.
  - A new secret is staged and rotated by Salesforce, which changes the consumer key, too. The old pair stays valid for
    a while, 30 days according to the documentation.
  - What was replaced is ended by a later run, once every recorded consumer of the credential has what is stored. The
    app that is not in use is then switched off, or the old pair deleted. As long as a consumer lacks it, nothing is
    ended, and two apps or a secret are not renewed again.
  - Each step that cannot be undone is written to the record before it is taken. A run that is killed is finished by the
    next one. If two runs overlap, one does the work.
  - Credentials that share an app share its key. The first that is due renews it, and the others take it over in their
    next run, whatever their age.
extends_documentation_fragment:
  - gatehouse.salesforce.connection
  - gatehouse.salesforce.connection.login
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
  - gatehouse.salesforce.attributes.org
notes:
  - The login of the task is that of an administrator, who may change metadata. It needs what
    M(gatehouse.salesforce.external_client_app) needs.
  - The token endpoint may need some minutes to take a change over. Meanwhile it is asked again, for at most O(wait)
    seconds. There is no password that a refusal could be about.
  - In check mode the org checks the package, and nothing is changed.
  - Facts about External Client Apps are partly reported by others, not documented. Try it in a sandbox first.
options:
  name:
    description: The name of the stored credential that is renewed. O(credential) is the one that does it.
    type: str
    required: true
  max_age:
    description:
      - How old the key or secret may be, such as C(90d). One that is older is renewed.
      - The age counts from when it was stored here.
      - For a key it must be less than O(valid_days), after which the certificate has expired.
      - Without it, one of any age is kept, unless O(force) is given; what an earlier run has left is finished.
    type: str
  force:
    description: Renew it whatever its age. This is not idempotent.
    type: bool
    default: false
  verify:
    description:
      - Also log in with a key or secret that is not due, to find out whether somebody else has replaced it. The task
        fails if it is refused.
    type: bool
    default: false
  apps:
    description:
      - The API names of the apps that take turns, two of them, one of which the credential uses now. Both must be made
        by M(gatehouse.salesforce.external_client_app) with the same users.
      - Without it, the app that has the credential's consumer key. One app is also right for C(client_credentials).
    type: list
    elements: str
    default: []
  valid_days:
    description: For how many days a new certificate is valid, from 1 to 36500.
    type: int
    default: 365
  wait:
    description: How many seconds to wait for a deployment, and for the token endpoint to take a change over.
    type: int
    default: 600
seealso:
  - module: gatehouse.salesforce.external_client_app
  - module: gatehouse.salesforce.security_token
"""

EXAMPLES = r"""
- name: Make the first key, which both apps get
  gatehouse.salesforce.login_key:
    path: /etc/gatehouse/billing.pem

- name: Have the app that billing uses first
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Billing_Blue
    contact_email: platform@acme.example
    certificate: /etc/gatehouse/billing.crt
    users: [billing@acme.example]
  register: billing_blue

- name: Have the app that takes turns with it
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Billing_Green
    contact_email: platform@acme.example
    certificate: /etc/gatehouse/billing.crt
    users: [billing@acme.example]

- name: Keep the login of billing
  gatehouse.salesforce.credential:
    name: billing-jwt
    auth: jwt_bearer
    login_url: "{{ billing_blue.login_url }}"
    username: billing@acme.example
    consumer_key: "{{ billing_blue.consumer_key }}"
    private_key: /etc/gatehouse/billing.pem

- name: Renew its key when it is older than three months, without a failed login
  gatehouse.salesforce.oauth_key:
    credential: production-admin
    name: billing-jwt
    max_age: 90d
    apps: [Billing_Blue, Billing_Green]

- name: Renew it now, for example after a leak
  gatehouse.salesforce.oauth_key:
    credential: production-admin
    name: billing-jwt
    force: true
    apps: [Billing_Blue, Billing_Green]

- name: Have an app that logs in with a secret, and keep that
  gatehouse.salesforce.external_client_app:
    credential: production-admin
    name: Nightly_Export
    contact_email: platform@acme.example
    flows: [client_credentials]
    run_as: reports@acme.example
    store_as: nightly-export

- name: Renew the secret when it is older than three months
  gatehouse.salesforce.oauth_key:
    credential: production-admin
    name: nightly-export
    max_age: 90d
"""

RETURN = r"""
org:
  description: The org that this was about.
  type: dict
  returned: when there is a session, after a failure as well
  sample: {id: 00D5g000004xYzA, host: acme.my.salesforce.com, user: admin@acme.example}
rotated:
  description: Whether the credential has another key or secret than before; in check mode, whether it would have.
  type: bool
  returned: success
  sample: true
resumed:
  description: Whether an earlier run had left a new key or secret to be stored.
  type: bool
  returned: success
  sample: false
ended:
  description: Whether what was replaced before was ended; in check mode, whether it would be.
  type: bool
  returned: success
  sample: false
waiting_for:
  description: The consumers, and other credentials, that still need what was replaced before.
  type: list
  elements: str
  returned: success
  sample: ["app1:/etc/billing/salesforce.json"]
gap_seconds:
  description:
    - With one app, the seconds from the change of its certificate until the new key was stored. Logins with the old key
      fail until the new one is delivered. V(null) where both log in.
  type: float
  returned: success
  sample: 2.4
version:
  description: The version of the credential afterwards.
  type: int
  returned: success
  sample: 3
credential:
  description: The credential without its secrets, as M(gatehouse.salesforce.credential) returns it.
  type: dict
  returned: success
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.oauth_key import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
