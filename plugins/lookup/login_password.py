# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login passwords of stored credentials."""

from __future__ import annotations

DOCUMENTATION = r"""
name: login_password
short_description: Read the login passwords of stored Salesforce credentials, password and security token joined
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns, for each named credential of the store, what an API client with a single password field expects there,
    which is the password immediately followed by the security token.
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
      - V(append) puts the security token, if the credential has one, behind the password.
      - V(omit) returns the password alone, for clients that take the token separately, or need none where they are.
      - V(auto) leaves the token out where it is not needed, which is where the login IP ranges of the user's profile or
        the trusted IP ranges of the org contain the address at which Salesforce sees the controller. This says nothing
        about another host on which the password is then used.
      - V(auto) asks the org, with the permissions of O(credential). If that is impossible, because no session can be
        opened or the user may not read the ranges, the token is appended and a warning says why. In a Developer Edition
        org it is appended unless login IP ranges decide, since a trusted IP range may not be enough there.
      - The org is asked once a minute at most, whatever the number of lookups, hosts and forks, and after a failure not
        again in the same run, since failed logins lock the user.
    type: str
    choices: [append, omit, auto]
    default: append
  credential:
    description:
      - With O(token=auto), the name of a stored credential of the same org whose user may read the ranges.
      - Without it, each credential asks for itself, and logs in to do so.
    type: str
    env:
      - name: SALESFORCE_CREDENTIAL
    ini:
      - section: gatehouse_salesforce
        key: credential
    vars:
      - name: gatehouse_salesforce_credential
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
  - gatehouse.salesforce.store.environment
  - gatehouse.salesforce.store.plugin
requirements:
  - simple-salesforce, for O(token=auto)
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

- name: Use the password alone where the controller is trusted
  ansible.builtin.set_fact:
    salesforce_password: "{{ lookup('gatehouse.salesforce.login_password', 'sandbox-integration', token='auto',
      credential='sandbox-admin') }}"
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

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.credentials.credential import (
    PASSWORD_FLOWS,
    Credential,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError, StoreError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.masking import Secrets, register
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store import read_each
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import Store
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.lookup import open_store, option_reader

display = Display()


class LookupModule(LookupBase):
    """Returns what an application logs in with as its password."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return one login password for each name that the store knows."""
        found = []
        try:
            option = option_reader(self, variables, kwargs)
            store = open_store(option, variables)
            for credential in read_each(
                store,
                terms,
                on_missing=option("on_missing"),
                warn=display.warning,
                login_url=option("login_url"),
            ):
                connection = _with_password(credential).connection
                register(*connection.secret_texts)
                appended = _wants_token(credential, store, option)
                found.append(connection.login_password if appended else connection.password or "")
        except GatehouseError as exc:
            raise AnsibleLookupError(str(exc)) from exc
        return found


def _wants_token(credential: Credential, store: Store, option: Callable[[str], Any]) -> bool:
    token = option("token")
    if token != "auto" or not credential.connection.security_token:  # noqa: S105 - a choice
        return bool(token != "omit")  # noqa: S105 - a choice
    # What talks to an org takes long to import; lookups that do not ask one are spared it.
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.access.token_need import token_needed
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.attempts import LoginAttempts
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.sessions import SessionCache
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.refresh import open_org

    name = option("credential")
    asker = store.read(name) if name else credential
    if store.is_foreseen(asker.name):
        display.warning(
            f"The security token of {credential.name!r} was appended, as the org was not asked whether it is needed: "
            f"credential {asker.name!r} is new or changed by this run, and check mode does not log in with it"
        )
        return True
    folder = Path(constants.DEFAULT_LOCAL_TMP) / "gatehouse"
    attempts = LoginAttempts(folder, store.local_folder)
    sessions = SessionCache((store.local_folder or folder) / ".sessions", store.fernet, attempts)
    parts = [store.place, credential.name, credential.version, asker.name, asker.version]
    answer = token_needed(
        credential.connection.username or "",
        lambda: open_org(store, asker, sessions, lambda stored: stored),
        folder / "token" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32],
        mask=Secrets(asker.connection.secret_texts).mask,
    )
    if not answer.asked:
        display.warning(
            f"The security token of {credential.name!r} was appended, as the org could not be asked whether it is "
            f"needed: {answer.reason}"
        )
    return answer.needed


def _with_password(credential: Credential) -> Credential:
    if credential.connection.auth not in PASSWORD_FLOWS:
        raise StoreError(f"credential {credential.name!r} has no password: it logs in by {credential.connection.auth}")
    return credential
