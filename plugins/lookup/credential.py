# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of stored credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
name: credential
short_description: Read stored Salesforce credentials
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns each named credential of the store as a dictionary, with its secrets in plain text.
  - The store is read on the controller. Use C(no_log) on tasks that pass a secret on; from ansible-core 2.22 on,
    Ansible also masks the secrets in its output.
options:
  _terms:
    description: The names of the credentials.
    type: list
    elements: str
    required: true
  on_missing:
    description:
      - What to do about a name that the store does not know. V(error) fails, V(warn) warns and leaves it out of the
        result, V(skip) leaves it out silently.
      - A credential that is there but cannot be read is always an error.
    type: str
    choices: [error, warn, skip]
    default: error
  standby:
    description: Return the user of a pair that is not in use now; fails if a credential is not a pair.
    type: bool
    default: false
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.store.environment
  - gatehouse.salesforce.store.plugin
seealso:
  - plugin: gatehouse.salesforce.login_password
    plugin_type: lookup
  - plugin: gatehouse.salesforce.app_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show where a credential logs in
  ansible.builtin.debug:
    msg: "{{ salesforce.username }} at {{ salesforce.login_url }}"
  vars:
    salesforce: "{{ lookup('gatehouse.salesforce.credential', 'production-integration') }}"

- name: List which of these credentials were never verified
  ansible.builtin.debug:
    msg: "{{ query('gatehouse.salesforce.credential', 'production-integration', 'retired', on_missing='skip')
      | selectattr('verified', 'none') | map(attribute='name') }}"

- name: Write the configuration of an application
  ansible.builtin.copy:
    content: "{{ lookup('gatehouse.salesforce.credential', 'production-integration')
      | gatehouse.salesforce.app_config('json') }}"
    dest: "{{ app_folder }}/salesforce.json"
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - The credentials in the order of the names.
    - A secret that a credential does not have is not a key of its dictionary, so that a template which uses it fails.
  type: list
  elements: dict
  contains:
    name:
      description: The name in the store.
      type: str
      sample: production-integration
    auth:
      description: How it logs in.
      type: str
      sample: security_token
    login_url:
      description: Where it logs in.
      type: str
      sample: https://login.salesforce.com
    username:
      description: The user name, or V(none).
      type: str
      sample: integration@example.com
    consumer_key:
      description: The consumer key of the app, or V(none).
      type: str
      sample: 3MVG9example
    instance_url:
      description: The address of the instance, or V(none).
      type: str
      sample: https://example.my.salesforce.com
    audience:
      description: Whom an assertion is for, or V(none).
      type: str
    api_version:
      description: The version of the API.
      type: str
      sample: "64.0"
    ca_path:
      description: A file of PEM certificates to trust, or V(none).
      type: str
      sample: /etc/pki/proxy.pem
    allowed_hosts:
      description: Hosts trusted beside Salesforce's own.
      type: list
      elements: str
      sample: []
    version:
      description: The version of the credential, one more at each change.
      type: int
      sample: 3
    created:
      description: When it was first stored, UTC.
      type: str
      sample: "2026-01-31T08:00:00Z"
    updated:
      description: When this version was stored, UTC.
      type: str
      sample: "2026-03-31T08:00:00Z"
    verified:
      description: When this version last passed a login, UTC, or V(none).
      type: str
      sample: "2026-03-31T08:00:00Z"
    secret_since:
      description: Since when it has its security token, key or app's secret, UTC, as far as is known here; or V(none).
      type: str
      sample: "2026-03-31T08:00:00Z"
    standby:
      description: Of a pair, the user name of the user that is not in use now; or V(none).
      type: str
      sample: integration-green@example.com
    rotation:
      description: A rotation that is not finished, as RV(_raw[].rotation.step) and more; or V(none).
      type: dict
      contains:
        method:
          description: How the new token was requested, as V(reset), V(password), or V(found) if somebody else did.
          type: str
          sample: reset
        step:
          description:
            - V(requesting) before it is known whether a new token was created, V(requested) until its mail arrives,
              V(stored) when only the mail is left to be dealt with.
          type: str
          sample: requested
        username:
          description: Whose token it is.
          type: str
          sample: integration@example.com
        started:
          description: Since when, UTC.
          type: str
          sample: "2026-03-31T08:00:00Z"
    secrets:
      description: The names of its secrets.
      type: list
      elements: str
      sample: [password, security_token]
    password:
      description: The password, without the security token.
      returned: when stored
      type: str
      sample: example
    security_token:
      description: The security token.
      returned: when stored
      type: str
      sample: example
    login_password:
      description: The password immediately followed by the security token, if there is one.
      returned: when RV(_raw[].auth) is V(security_token) or V(username_password)
      type: str
      sample: exampleexample
    consumer_secret:
      description: The consumer secret of the app.
      returned: when stored
      type: str
      sample: example
    private_key:
      description: The private key in PEM form.
      returned: when stored
      type: str
      sample: example
    access_token:
      description: The id of a session.
      returned: when stored
      type: str
      sample: example
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.changes import (
    standby_connection,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import to_dict
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import register
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import read_each
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.lookup import open_store, option_reader

display = Display()


class LookupModule(LookupBase):
    """Reads stored credentials."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return one dictionary for each name that the store knows."""
        found = []
        try:
            option = option_reader(self, variables, kwargs)
            store = open_store(option, variables)
            for found_one in read_each(
                store,
                terms,
                on_missing=option("on_missing"),
                warn=display.warning,
                login_url=option("login_url"),
            ):
                credential = standby_connection(found_one) if option("standby") else found_one
                register(*credential.connection.secret_texts)
                found.append(to_dict(credential))
        except GatehouseError as exc:
            raise AnsibleLookupError(str(exc)) from exc
        return found
