# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what the modules support."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes that all modules for an org share."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and return what would change without changing it.
    support: full
  diff_mode:
    description: Returns the difference between before and after, without secrets.
    support: full
  idempotent:
    description: When run twice in a row, the second run changes nothing, whatever the org's notation.
    support: full
  async:
    description: Supports the keyword C(async). Without it, use more forks, or a strategy such as C(free).
    support: none
"""
    ORG = r"""
attributes:
  action_group:
    description:
      - Use C(group/gatehouse.salesforce.org) in C(module_defaults) to set connection options for all such modules.
    support: full
    membership:
      - gatehouse.salesforce.org
"""
