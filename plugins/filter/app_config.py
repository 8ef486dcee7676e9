# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in the formats of applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialisation import (
    connection_of,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import render

DOCUMENTATION = r"""
name: app_config
short_description: Render a Salesforce credential in an application's configuration format
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Gives the whole text of a configuration file with which an application, that knows nothing of this collection, logs
    in to Salesforce. The text contains secrets.
positional: format
options:
  _input:
    description: A credential as the lookup P(gatehouse.salesforce.credential#lookup) returns it.
    type: dict
    required: true
extends_documentation_fragment:
  - gatehouse.salesforce.formats
seealso:
  - plugin: gatehouse.salesforce.credential
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Write an environment file for a service
  ansible.builtin.copy:
    content: "{{ lookup('gatehouse.salesforce.credential', 'production-integration')
      | gatehouse.salesforce.app_config('env') }}"
    dest: "{{ app_folder }}/salesforce.env"
    mode: "0600"
  no_log: true

- name: Write the manifest of a Kubernetes Secret
  ansible.builtin.copy:
    content: "{{ lookup('gatehouse.salesforce.credential', 'production-integration')
      | gatehouse.salesforce.app_config('kubernetes', name='billing-salesforce') }}"
    dest: "{{ app_folder }}/secret.json"
    mode: "0600"
  no_log: true

- name: Write the names that an application of your own reads
  ansible.builtin.copy:
    content: "{{ lookup('gatehouse.salesforce.credential', 'production-integration')
      | gatehouse.salesforce.app_config('mapping', encoder='yaml', constants={'retries': 3},
        fields={'sf_user': 'username', 'sf_pass': 'login_password', 'sf_host': 'host'}) }}"
    dest: "{{ app_folder }}/salesforce.yml"
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_value:
  description: The text of the file, with a line break at its end unless that would be read as a part of the secret.
  type: str
  sample: |
    SALESFORCE_USERNAME=integration@example.com
    SALESFORCE_PASSWORD='example #1'
    SALESFORCE_SECURITY_TOKEN=example
    SALESFORCE_HOST=login.salesforce.com
    SALESFORCE_API_VERSION=64.0
"""


def app_config(
    credential: Mapping[str, Any],
    format: str,
    *,
    name: str | None = None,
    encryption_key: str | None = None,
    encryption_key_file: str | None = None,
    fields: Mapping[str, str] | None = None,
    encoder: str | None = None,
    constants: Mapping[str, str | int] | None = None,
) -> str:
    """Return the text of the file; raises AnsibleFilterError."""
    if not isinstance(credential, Mapping):
        raise AnsibleFilterError("app_config: the input must be a dictionary, as the lookup credential returns it")
    options = {
        "name": name,
        "encryption_key": encryption_key,
        "encryption_key_file": encryption_key_file,
        "fields": fields,
        "encoder": encoder,
        "constants": constants,
    }
    try:
        return render(connection_of(credential), format, options)
    except GatehouseError as exc:
        raise AnsibleFilterError(f"app_config: {exc}") from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"app_config": app_config}
