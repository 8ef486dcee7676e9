#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the key pair of a login by assertion."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_key
short_description: Create an RSA key and certificate for the Salesforce JWT bearer flow
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Creates an RSA key, readable by its owner only, and a self-signed certificate for it. Upload the certificate to the
    app in Setup; the key signs the logins of a credential with C(auth=jwt_bearer).
  - Neither file is ever overwritten. To replace a key, create another one under another name, upload its certificate,
    store it in the credential, and then remove the old one.
  - A missing certificate is created again from the key, and must then be uploaded again.
  - Runs on the controller, whatever host the task is for.
extends_documentation_fragment:
  - gatehouse.salesforce.attributes
requirements:
  - cryptography
attributes:
  diff_mode:
    description: There is nothing to compare, since files are only ever created.
    support: none
options:
  path:
    description: The file of the private key, in PEM form and without a passphrase.
    type: path
    required: true
  state:
    description: Whether the two files exist. Remove them when the store has the key.
    type: str
    choices: [present, absent]
    default: present
  certificate:
    description: The file of the certificate. Without this option it is O(path) with the suffix C(.crt).
    type: path
  common_name:
    description: The name in the certificate, which Salesforce shows.
    type: str
    default: gatehouse.salesforce
  valid_days:
    description: For how many days a new certificate is valid, from 1 to 36500.
    type: int
    default: 365
seealso:
  - module: gatehouse.salesforce.credential
"""

EXAMPLES = r"""
- name: Create the key of the billing integration
  gatehouse.salesforce.login_key:
    path: /etc/gatehouse/billing.pem
    common_name: billing
  register: billing_key

- name: Show what to upload to the app in Setup
  ansible.builtin.debug:
    msg: "{{ billing_key.certificate }} ({{ billing_key.fingerprint }}), until {{ billing_key.expires }}"

- name: Remove both files, when the store has the key
  gatehouse.salesforce.login_key:
    path: /etc/gatehouse/billing.pem
    state: absent
"""

RETURN = r"""
private_key:
  description: The file of the private key.
  type: str
  returned: success, but not with O(state=absent)
  sample: /etc/gatehouse/billing.pem
certificate:
  description: The file of the certificate.
  type: str
  returned: success, but not with O(state=absent)
  sample: /etc/gatehouse/billing.crt
certificate_text:
  description:
    - The certificate in PEM form, which contains no secret. In check mode, when it would be created, one of a key that
      is thrown away, by which M(gatehouse.salesforce.external_client_app) can have the org check the app.
  type: str
  returned: success, but not with O(state=absent)
  sample: "-----BEGIN CERTIFICATE-----\n..."
fingerprint:
  description: The SHA-256 fingerprint of the certificate; none in check mode when it would be created.
  type: str
  returned: success, but not with O(state=absent)
  sample: "AB:CD:EF"
expires:
  description: When the certificate expires, UTC; none in check mode when it would be created.
  type: str
  returned: success, but not with O(state=absent)
  sample: "2027-11-24T21:34:05Z"
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.login_key import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
