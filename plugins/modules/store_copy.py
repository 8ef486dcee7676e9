#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the store into another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: store_copy
short_description: Copy a store of Salesforce credentials to another store, with all versions
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Copies credentials from a folder to a server, from a server to a folder, or between two of the same kind. Each is
    encrypted with the target's keys.
  - All versions that the source keeps are written in order, and afterwards both stores are read and compared. If the
    target has the first of them already, only those that followed are written, so that an interrupted copy continues,
    and a store can be copied repeatedly.
  - The record of the files that contain a credential is copied, too.
  - A credential that the target has in another form is an error, and credentials that only the target has stay.
  - Runs on the controller, whatever host the task is for.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
attributes:
  diff_mode:
    description: RV(copied) lists what was written.
    support: none
options:
  names:
    description: The names of the credentials to copy. Without this option, all.
    type: list
    elements: str
  target:
    description: The store to copy into. Nothing about it is taken from the environment or from variables.
    type: dict
    required: true
    suboptions:
      store:
        description: As O(store).
        type: str
        required: true
      store_key_file:
        description: As O(store_key_file).
        type: path
      store_token:
        description: As O(store_token).
        type: str
      store_role_id:
        description: As O(store_role_id).
        type: str
      store_secret_id:
        description: As O(store_secret_id).
        type: str
      store_namespace:
        description: As O(store_namespace).
        type: str
      store_ca_path:
        description: As O(store_ca_path).
        type: path
seealso:
  - module: gatehouse.salesforce.credential
"""

EXAMPLES = r"""
- name: Create a key for a second store
  gatehouse.salesforce.store_key:
    store_key_file: /etc/gatehouse/second.key

- name: Copy the billing integration's credential
  gatehouse.salesforce.store_copy:
    names: [billing]
    target:
      store: /etc/gatehouse/second
      store_key_file: /etc/gatehouse/second.key
"""

RETURN = r"""
copied:
  description: The credentials of which something was written to the target.
  type: list
  elements: str
  returned: always
  sample: [billing]
equal:
  description: The credentials that are equal in both stores, which has been checked for each by reading it.
  type: list
  elements: str
  returned: success
  sample: [billing]
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.store_copy import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
