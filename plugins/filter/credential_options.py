# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials out of the formats of applications."""

from __future__ import annotations

DOCUMENTATION = r"""
name: credential_options
short_description: Read a Salesforce credential out of an application's configuration
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns the options of the module M(gatehouse.salesforce.credential) that a text contains, with their secrets. It
    reads every format that P(gatehouse.salesforce.app_config#filter) writes and that has a whole credential, as it is
    written there and as people and other programs write it, and the auth files of the Salesforce CLI.
  - The format is named and never guessed. A text of another format, or without a whole credential, is an error that
    repeats nothing of the text.
  - If a text has enough to log in by more than one flow, the first of C(session), C(refresh_token), C(jwt_bearer),
    C(username_password), C(client_credentials) and C(security_token) is taken, unless O(auth) names one.
  - If a format joins password and security token, both are returned as the password, by which a login works as well.
  - A format that does not say where to log in leaves C(login_url) out.
positional: format
options:
  _input:
    description: The text, such as the content of a file.
    type: str
    required: true
  format:
    description:
      - A format of P(gatehouse.salesforce.app_config#filter), such as V(env), V(airflow_uri) or V(keydra).
      - V(airflow_uri) and V(airflow_json) are variables C(AIRFLOW_CONN_ID), or the connections alone.
      - V(cli_file) is a file that the Salesforce CLI keeps of a login, such as C(~/.sfdx/admin@acme.example.json).
    type: str
    required: true
  auth:
    description: How to log in, if the text has enough for more than one flow.
    type: str
    choices: [security_token, jwt_bearer, client_credentials, refresh_token, username_password, session]
  name:
    description: Which one, in a format that names what it contains, if there are several.
    type: str
  encryption_key:
    description:
      - For the formats of Data Loader, the content of its key file in Base64.
      - For V(cli_file), C(key) of the CLI's C(key.json), or the entry C(sfdx) of the system's keychain.
    type: str
  fields:
    description: For V(mapping), what stands under which name, as in P(gatehouse.salesforce.app_config#filter).
    type: dict
  encoder:
    description: For V(mapping), how it is written, as in P(gatehouse.salesforce.app_config#filter).
    type: str
seealso:
  - module: gatehouse.salesforce.credential
  - plugin: gatehouse.salesforce.app_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Take over the credential that an application has in its environment
  gatehouse.salesforce.credential: "{{ {'name': 'billing'} | combine(found) }}"
  vars:
    found: "{{ lookup('ansible.builtin.file', '/etc/billing/salesforce.env')
      | gatehouse.salesforce.credential_options('env') }}"
  no_log: true

- name: Take over a connection of Airflow
  gatehouse.salesforce.credential: "{{ {'name': 'reports'} | combine(found) }}"
  vars:
    found: "{{ vault_airflow_connections
      | gatehouse.salesforce.credential_options('airflow_connections', name='salesforce_reports') }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The options, as far as the text has them.
  type: dict
  sample:
    auth: security_token
    username: billing@acme.example
    password: example
    security_token: example
    login_url: https://login.salesforce.com
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import SECRET_FIELDS
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats.read import read_config
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import register


def credential_options(
    text: str,
    format: str,
    *,
    auth: str | None = None,
    name: str | None = None,
    encryption_key: str | None = None,
    fields: Mapping[str, str] | None = None,
    encoder: str | None = None,
) -> dict[str, Any]:
    """Return the options of a credential; raises AnsibleFilterError."""
    if not isinstance(text, str):
        raise AnsibleFilterError("credential_options: the input must be text")
    options = {"name": name, "encryption_key": encryption_key, "fields": fields, "encoder": encoder}
    try:
        found = read_config(text, format, options, auth)
    except GatehouseError as exc:
        raise AnsibleFilterError(f"credential_options: {exc}") from None
    register(*(found[secret] for secret in SECRET_FIELDS if secret in found))
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"credential_options": credential_options}
