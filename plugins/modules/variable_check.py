#!/usr/bin/python
# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the names of this collection's variables."""

from __future__ import annotations

DOCUMENTATION = r"""
module: variable_check
short_description: Check that no variable of this collection is misspelt, or was returned by a host as a fact
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Every module of this collection does this first. This one does nothing else, for a play or role in which no other
    task may run, as when what is misspelt is the list of what to do.
  - A variable that begins with C(gatehouse_salesforce_), C(app_credentials_), C(network_access_) or
    C(temporary_access_) must be one of this collection. One that begins with C(credentials_), C(deliver_), C(rotate_)
    or the name of another of its playbooks fails if it is close to one of this collection, and in that playbook in any
    case. What a task has registered is no setting, whatever its name.
extends_documentation_fragment:
  - gatehouse.salesforce.attributes
attributes:
  diff_mode:
    description: It changes nothing.
    support: none
options: {}
seealso:
  - module: gatehouse.salesforce.credential
"""

EXAMPLES = r"""
- name: Check the names of the variables
  gatehouse.salesforce.variable_check:
"""

RETURN = r"""
# It returns nothing of its own.
"""

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.backends.variable_check import SPEC, run
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.task.run import run_module


def main() -> None:
    """Run the module."""
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
