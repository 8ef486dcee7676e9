# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sessions of stored credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
name: access_token
short_description: Log in with a stored Salesforce credential, and return the access token
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns for each named credential of the store an access token and the address at which to use it, for
    M(ansible.builtin.uri) and other clients of the REST API. The token is used in the same way, however the credential
    logs in.
  - The session is the one that all tasks, hosts and forks share. If it has not been confirmed within the last minute,
    the org is asked whether it still accepts it. Another one is opened only when it has ended. A refused login is not
    repeated.
  - In check mode, a credential that the run itself would have stored or changed gives an empty token, with a warning.
  - The token is as good as a password until the session ends. Use C(no_log) on tasks that pass it on; from ansible-core
    2.22 on, Ansible also masks it in its output.
options:
  _terms:
    description: The names of the credentials.
    type: list
    elements: str
    required: true
  timeout:
    description: After how many seconds without a response to give up a request.
    type: float
    default: 30.0
    env:
      - name: SALESFORCE_TIMEOUT
    ini:
      - section: gatehouse_salesforce
        key: timeout
    vars:
      - name: gatehouse_salesforce_timeout
  source_address:
    description: The local address to connect from. An org may accept the token from this address only.
    type: str
    env:
      - name: SALESFORCE_SOURCE_ADDRESS
    ini:
      - section: gatehouse_salesforce
        key: source_address
    vars:
      - name: gatehouse_salesforce_source_address
  on_missing:
    description:
      - What to do about a name that the store does not know. V(error) fails, V(warn) warns and leaves it out of the
        result, V(skip) leaves it out silently.
      - A credential that is there but cannot be read, or cannot log in, is always an error.
    type: str
    choices: [error, warn, skip]
    default: error
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.store.environment
  - gatehouse.salesforce.store.plugin
requirements:
  - simple-salesforce
seealso:
  - plugin: gatehouse.salesforce.credential
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Ask how many calls are left today
  ansible.builtin.uri:
    url: "{{ session.instance_url }}/services/data/v64.0/limits"
    headers:
      Authorization: "Bearer {{ session.access_token }}"
  vars:
    session: "{{ lookup('gatehouse.salesforce.access_token', 'production-admin') }}"
  register: limits
  no_log: true

- name: Pass a session to a module that needs nothing else to log in
  gatehouse.salesforce.network_access_info:
    auth: session
    access_token: "{{ session.access_token }}"
    instance_url: "{{ session.instance_url }}"
  vars:
    session: "{{ lookup('gatehouse.salesforce.access_token', 'production-admin') }}"
"""

RETURN = r"""
_raw:
  description: The sessions in the order of the names.
  type: list
  elements: dict
  contains:
    access_token:
      description: What to send as a bearer token.
      type: str
      sample: 00Dexample
    instance_url:
      description: Where to send it.
      type: str
      sample: https://acme.my.salesforce.com
"""

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import Secrets, register
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import StoreOptions, read_each
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.context import Task
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.lookup import is_check_mode, option_reader

display = Display()


class LookupModule(LookupBase):
    """Returns access tokens."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return one session for each name that the store knows."""
        found, secrets = [], Secrets()
        try:
            option = option_reader(self, variables, kwargs)
            task = Task(
                check_mode=is_check_mode(variables),
                folder=Path(constants.DEFAULT_LOCAL_TMP) / "gatehouse",
                store_options=StoreOptions.read(option),
                timeout=option("timeout"),
                source_address=option("source_address"),
                secrets=secrets,
            )
            for credential in read_each(
                task.store,
                terms,
                on_missing=option("on_missing"),
                warn=display.warning,
                login_url=option("login_url"),
            ):
                secrets.add(*credential.connection.secret_texts)
                if task.store.is_foreseen(credential.name):
                    display.warning(
                        f"The session of {credential.name!r} is empty: the credential is new or changed by this run, "
                        "and check mode does not log in with it"
                    )
                    address = credential.connection.instance_url or credential.connection.login_url
                    found.append({"access_token": "", "instance_url": address})
                    continue
                session = task.open_org(credential).session()
                secrets.add(session.access_token)
                register(*credential.connection.secret_texts, session.access_token)
                found.append({"access_token": session.access_token, "instance_url": session.instance_url})
        except GatehouseError as exc:
            # Ansible would print what it stems from, too, and an org may have put words into that.
            raise AnsibleLookupError(secrets.mask(str(exc))) from None
        return found
