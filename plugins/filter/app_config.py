# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in the formats of applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.serialization import (
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
    in to Salesforce. The text holds secrets.
positional: format
options:
  _input:
    description: A credential as the lookup P(gatehouse.salesforce.credential#lookup) returns it.
    type: dict
    required: true
  format:
    description:
      - The application that reads it. The table of formats, with the file of each, is C(docs/formats.md) in this
        collection.
      - A format that has no place for what the credential logs in with, or whose reader would read some character as
        something else, is an error that names it.
    type: str
    choices:
      - env
      - dotenv
      - node_env
      - systemd_env
      - docker_env
      - shell_env
      - sfdc_env
      - meltano
      - json
      - yaml
      - toml
      - properties
      - ant
      - mulesoft_properties
      - mulesoft_xml
      - kafka_connect
      - kafka_connect_json
      - gobblin
      - talend
      - camel
      - dataloader_properties
      - dataloader_process
      - airflow_uri
      - airflow_json
      - airflow_connections
      - dlt
      - embulk
      - logstash
      - adf
      - redash
      - singer
      - airbyte
      - datadirect_jdbc
      - datadirect_odbc
      - datadirect_odbc_ini
      - cdata_jdbc
      - devart
      - kubernetes
      - systemd_credential
      - django
      - sfdx_url
      - keydra
      - amazon_connect
      - kelverion
      - vault
      - n8n
    required: true
  name:
    description:
      - What the credential is called in the file, in O(format=airflow_uri), O(format=airflow_json),
        O(format=airflow_connections), O(format=dataloader_process), O(format=mulesoft_xml), O(format=adf),
        O(format=datadirect_odbc_ini), O(format=kubernetes) and O(format=n8n). Each has a default.
    type: str
  encryption_key:
    description:
      - The content of Data Loader's key file in Base64, as M(ansible.builtin.slurp) returns it, for
        O(format=dataloader_properties) and O(format=dataloader_process). The same file must be where Data Loader runs.
    type: str
  encryption_key_file:
    description:
      - The path of that file where Data Loader runs. Without it Data Loader uses the one in its user's home.
    type: str
  refresh_token:
    description:
      - An OAuth refresh token, which this collection does not store, for O(format=sfdx_url), O(format=singer) and
        O(format=airbyte).
    type: str
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
    refresh_token: str | None = None,
) -> str:
    """The text of the file; raises AnsibleFilterError."""
    if not isinstance(credential, Mapping):
        raise AnsibleFilterError("app_config: the input must be a dictionary, as the lookup credential returns it")
    options = {
        "name": name,
        "encryption_key": encryption_key,
        "encryption_key_file": encryption_key_file,
        "refresh_token": refresh_token,
    }
    try:
        return render(connection_of(credential), format, options)
    except GatehouseError as exc:
        raise AnsibleFilterError(f"app_config: {exc}") from exc


class FilterModule:
    """The filter's face."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """The filters by name."""
        return {"app_config": app_config}
