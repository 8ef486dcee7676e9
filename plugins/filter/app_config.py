# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in the formats of applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils.formats import render
from ansible_collections.gatehouse.salesforce.plugins.module_utils.record import connection_of

DOCUMENTATION = r"""
name: app_config
short_description: Render a Salesforce credential in the format of an application
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Gives the whole text of a configuration file with which an application, that knows nothing of this collection, logs
    in to Salesforce. The text holds secrets.
positional: format
options:
  _input:
    description: A credential as the lookup P(gatehouse.salesforce.credential#lookup) returns it.
    type: dict
    required: true
  format:
    description:
      - V(env) is a file of environment variables with the names that restforce uses, C(SALESFORCE_USERNAME),
        C(SALESFORCE_PASSWORD), C(SALESFORCE_SECURITY_TOKEN), C(SALESFORCE_CLIENT_ID), C(SALESFORCE_CLIENT_SECRET),
        C(SALESFORCE_HOST) and C(SALESFORCE_API_VERSION), each if there is a value for it. The file reads the same for
        python-dotenv, systemd's C(EnvironmentFile) and C(sh). A value for which their quoting has no form in common is
        an error, which is one with a single quote or a backslash and also a dollar sign or a backtick.
      - V(json) is an object of the keyword arguments that C(simple_salesforce.Salesforce()) takes. Where the login URL
        is not at C(salesforce.com), C(login_url) replaces C(domain), which cannot express it.
    type: str
    choices: [env, json]
    required: true
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
"""

RETURN = r"""
_value:
  description: The text of the file, with a line break at its end.
  type: str
  sample: |
    SALESFORCE_USERNAME=integration@example.com
    SALESFORCE_PASSWORD='example #1'
    SALESFORCE_SECURITY_TOKEN=example
    SALESFORCE_HOST=login.salesforce.com
    SALESFORCE_API_VERSION=64.0
"""


def app_config(credential: Mapping[str, Any], format: str) -> str:
    """The text of the file; raises AnsibleFilterError."""
    if not isinstance(credential, Mapping):
        raise AnsibleFilterError("app_config: the input must be a dictionary, as the lookup credential returns it")
    try:
        return render(connection_of(credential), format)
    except GatehouseError as exc:
        raise AnsibleFilterError(f"app_config: {exc}") from exc


class FilterModule:
    """The filter's face."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """The filters by name."""
        return {"app_config": app_config}
