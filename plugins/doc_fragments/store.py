# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that name the store of credentials."""

from __future__ import annotations


class ModuleDocFragment:
    """Where credentials are kept."""

    DOCUMENTATION = r"""
options:
  store:
    description:
      - The folder that holds the credentials, one file each. It is made at the first write, open to its owner only.
      - What may be read in a file is the name, addresses, user name and dates; secrets are encrypted, and a change made
        by hand is detected.
    type: str
    default: ~/.local/share/gatehouse/salesforce
  store_key_file:
    description:
      - The keys that encrypt the store. Either a file of Fernet keys, one a line and the newest first, that only its
        owner can read; or an executable file that prints such lines.
      - Every key in it opens a credential; the first one seals what is written. So a key is replaced by putting the new
        one before it.
      - Without this option the file is C(~/.config/gatehouse/salesforce.key).
    type: path
requirements:
  - cryptography
"""

    PLUGIN = r"""
options:
  store:
    env:
      - name: GATEHOUSE_STORE
    ini:
      - section: gatehouse_salesforce
        key: store
    vars:
      - name: gatehouse_salesforce_store
  store_key_file:
    env:
      - name: GATEHOUSE_STORE_KEY_FILE
    ini:
      - section: gatehouse_salesforce
        key: store_key_file
    vars:
      - name: gatehouse_salesforce_store_key_file
"""
