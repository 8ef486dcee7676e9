# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login passwords of stored credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
name: login_password
short_description: Read the login passwords of stored Salesforce credentials
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns for each named credential of the store what an API client that has a single password field takes for its
    password, which is the password immediately followed by the security token.
  - The store is read on the controller. Use C(no_log) on tasks that pass a secret on; from ansible-core 2.22 on,
    Ansible also masks the secrets in its output.
options:
  _terms:
    description: The names of the credentials, which must log in with a password.
    type: list
    elements: str
    required: true
  token:
    description:
      - V(append) puts the security token, if the credential holds one, behind the password.
      - V(omit) gives the password alone, for clients that take the token by itself or need none where they are.
    type: str
    choices: [append, omit]
    default: append
  on_missing:
    description:
      - What to do about a name that the store does not know. V(error) fails, V(warn) warns and leaves it out of the
        result, V(skip) leaves it out silently.
      - A credential that is there but cannot be read is always an error.
    type: str
    choices: [error, warn, skip]
    default: error
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.store.plugin
seealso:
  - plugin: gatehouse.salesforce.credential
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Configure a client that has one password field
  ansible.builtin.copy:
    content: |
      sf.username=integration@example.com
      sf.password={{ lookup('gatehouse.salesforce.login_password', 'production-integration') }}
    dest: "{{ app_folder }}/build.properties"
    mode: "0600"
  no_log: true

- name: Use the password alone
  ansible.builtin.set_fact:
    salesforce_password: "{{ lookup('gatehouse.salesforce.login_password', 'production-integration', token='omit') }}"
  no_log: true

- name: Read from a store other than the default one
  ansible.builtin.set_fact:
    salesforce_passwords: "{{ query('gatehouse.salesforce.login_password', 'production-integration',
      'sandbox-integration', store=other_store, store_key_file=other_key_file, on_missing='warn') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The login passwords in the order of the names.
  type: list
  elements: str
  sample: [exampleexample]
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.gatehouse.salesforce.plugins.module_utils.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils.errors import GatehouseError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils.record import PASSWORD_FLOWS, Credential
from ansible_collections.gatehouse.salesforce.plugins.module_utils.store import open_store, read_each
from ansible_collections.gatehouse.salesforce.plugins.module_utils.store.masking import hide_from_output

display = Display()

# What each value of O(token) makes of a connection.
COMPOSED: dict[str, Callable[[Connection], str]] = {
    "append": lambda connection: connection.login_password,
    "omit": lambda connection: connection.password or "",
}


class LookupModule(LookupBase):
    """The lookup's face."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """One login password for each name that the store knows."""
        self.set_options(var_options=variables, direct=kwargs)
        compose = COMPOSED[self.get_option("token")]
        found = []
        try:
            store = open_store(self.get_option("store"), self.get_option("store_key_file"))
            for credential in read_each(store, terms, on_missing=self.get_option("on_missing"), warn=display.warning):
                connection = _with_password(credential)
                hide_from_output(connection)
                found.append(compose(connection))
        except GatehouseError as exc:
            raise AnsibleLookupError(str(exc)) from exc
        return found


def _with_password(credential: Credential) -> Connection:
    connection = credential.connection
    if connection.auth not in PASSWORD_FLOWS:
        raise StoreError(f"credential {credential.name!r} has no password: it logs in by {connection.auth}")
    return connection
