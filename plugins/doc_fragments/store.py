# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that name the store of credentials."""

from __future__ import annotations


class ModuleDocFragment:
    """Where credentials are kept."""

    DOCUMENTATION = r"""
requirements:
  - cryptography, to open credentials
options:
  store:
    description:
      - Where the credentials are. Either a folder with one file for each, which is created at the first write, for its
        owner only; or C(https://HOST:PORT/v1/MOUNT/PATH) for a key-value engine of version 2 of OpenBao or
        HashiCorp Vault, which may also be written as in its API, C(/v1/MOUNT/data/PATH).
      - Names, addresses, user names and dates are readable there; secrets are encrypted before they leave the
        controller, and a change made by hand is detected.
    type: str
    default: ~/.local/share/gatehouse/salesforce
  store_token:
    description:
      - For a store on a server, the token that may use it.
      - When neither this nor O(store_role_id) is given, the environment variable E(VAULT_TOKEN) or E(BAO_TOKEN) is
        used.
    type: str
  store_role_id:
    description: For a store on a server, the role of an AppRole login, with O(store_secret_id).
    type: str
  store_secret_id:
    description: For a store on a server, the secret of an AppRole login. It must allow several logins.
    type: str
  store_namespace:
    description: For a store on a server, the namespace of the engine and of the login.
    type: str
  store_ca_path:
    description:
      - For a store on a server, a file of PEM certificates to trust instead of the system's.
      - Without it, E(REQUESTS_CA_BUNDLE), E(CURL_CA_BUNDLE) or E(SSL_CERT_FILE) may name one.
    type: path
  store_key_file:
    description:
      - The keys that encrypt the store. Either a file of Fernet keys, one per line, newest first, that only its owner
        can read; or an executable file that prints such lines; or the former encrypted by Ansible Vault, which is
        opened with the vault passwords of the run.
      - Any key in it opens a credential; the first one encrypts what is written. See M(gatehouse.salesforce.store_key)
        for replacing a key.
      - Without this option the file is C(~/.config/gatehouse/salesforce.key).
    type: path
"""

    ENVIRONMENT = r"""
options:
  store:
    env:
      - name: GATEHOUSE_STORE
    ini:
      - section: gatehouse_salesforce
        key: store
  store_key_file:
    env:
      - name: GATEHOUSE_STORE_KEY_FILE
    ini:
      - section: gatehouse_salesforce
        key: store_key_file
  store_token:
    secret: true
    env:
      - name: GATEHOUSE_STORE_TOKEN
  store_role_id:
    env:
      - name: GATEHOUSE_STORE_ROLE_ID
    ini:
      - section: gatehouse_salesforce
        key: store_role_id
  store_secret_id:
    secret: true
    env:
      - name: GATEHOUSE_STORE_SECRET_ID
  store_namespace:
    env:
      - name: GATEHOUSE_STORE_NAMESPACE
    ini:
      - section: gatehouse_salesforce
        key: store_namespace
  store_ca_path:
    env:
      - name: GATEHOUSE_STORE_CA_PATH
    ini:
      - section: gatehouse_salesforce
        key: store_ca_path
"""

    PLUGIN = r"""
options:
  login_url:
    description:
      - Where the org of the credentials is. A credential that logs in elsewhere is an error that names both, so that
        no host gets the credential of another org.
      - An empty text takes any, for a host whose variables name another org.
    type: str
    vars:
      - name: gatehouse_salesforce_login_url
  store:
    vars:
      - name: gatehouse_salesforce_store
  store_key_file:
    vars:
      - name: gatehouse_salesforce_store_key_file
  store_token:
    vars:
      - name: gatehouse_salesforce_store_token
  store_role_id:
    vars:
      - name: gatehouse_salesforce_store_role_id
  store_secret_id:
    vars:
      - name: gatehouse_salesforce_store_secret_id
  store_namespace:
    vars:
      - name: gatehouse_salesforce_store_namespace
  store_ca_path:
    vars:
      - name: gatehouse_salesforce_store_ca_path
"""
