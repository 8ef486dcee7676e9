#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, add and retire the keys of the store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: store_key
short_description: Create, rotate and retire the keys that encrypt stored Salesforce credentials
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Creates the file O(store_key_file), and replaces the key in it.
  - Replacing a key puts a new one before it, encrypts each credential of the store again with the new one, and then
    takes the old one out. The old one stays until nothing in the store needs it, so the task may be interrupted at any
    moment, and run again.
  - A key that was taken out is kept in a file beside it, whose name ends in C(.retired), because a task that ran at the
    same moment may have used it, and old backups do. Delete it when you need neither.
  - In a store on a server, earlier versions cannot be encrypted again, so they are destroyed; the current version
    stays.
  - Runs on the controller, whatever host the task is for.
extends_documentation_fragment:
  - gatehouse.salesforce.store
  - gatehouse.salesforce.attributes
attributes:
  diff_mode:
    description: There is nothing to compare, since keys are never shown.
    support: none
  idempotent:
    description: V(rotated) creates another key each time.
    support: partial
options:
  state:
    description:
      - V(present) creates the file with one key if there is none.
      - V(added) also puts a new key before the one in the file. If the file contains several keys already, none is
        added, as these are still to be retired. Copy the file to all controllers of the store before you go on.
      - V(retired) encrypts each credential with the newest key and takes all others out of the file. If the file is a
        program, or encrypted by Ansible Vault, take them out yourself.
      - V(rotated) does both at once, which suits a store with one controller. After an interruption it finishes what it
        began.
    type: str
    choices: [present, added, retired, rotated]
    default: present
seealso:
  - module: gatehouse.salesforce.credential
"""

EXAMPLES = r"""
- name: Create the key of the store once
  gatehouse.salesforce.store_key:
    state: present

- name: Replace the key of a store with one controller
  gatehouse.salesforce.store_key:
    state: rotated

- name: Add a key, to be copied to the other controllers next
  gatehouse.salesforce.store_key:
    state: added

- name: Retire the old key when all controllers have the new one
  gatehouse.salesforce.store_key:
    state: retired
"""

RETURN = r"""
file:
  description: The file of keys.
  type: str
  returned: success
  sample: /home/deploy/.config/gatehouse/salesforce.key
newest:
  description: An identifier of the first key; none in check mode when the file would be created.
  type: str
  returned: success
  sample: 5f70bf18a0860070
older:
  description: Identifiers of the other keys in the file.
  type: list
  elements: str
  returned: success
  sample: []
resealed:
  description: The credentials that were encrypted again.
  type: list
  elements: str
  returned: always
  sample: [billing]
retired_file:
  description: The file with keys that were taken out, if there is one.
  type: str
  returned: success
  sample: /home/deploy/.config/gatehouse/salesforce.key.retired
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.store_key import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
