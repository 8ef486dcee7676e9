# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP ranges of a Salesforce CLI project."""

from __future__ import annotations

DOCUMENTATION = r"""
name: metadata_ranges
short_description: Read IP ranges from the metadata files of a Salesforce project
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Returns the trusted IP ranges of C(settings/Security.settings-meta.xml), or the login IP ranges of a
    C(profiles/NAME.profile-meta.xml), as the modules of this collection take them.
  - Files in metadata format, C(Security.settings) and C(NAME.profile), have the same content.
  - A file that declares a document type or entities, or is larger than 16,777,216 characters, is refused.
options:
  _input:
    description: The content of the file.
    type: str
    required: true
seealso:
  - module: gatehouse.salesforce.trusted_ip_ranges
  - module: gatehouse.salesforce.login_ip_ranges
"""

EXAMPLES = r"""
- name: Trust the ranges that a project of the Salesforce CLI has
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges: "{{ lookup('ansible.builtin.file', 'force-app/main/default/settings/Security.settings-meta.xml')
      | gatehouse.salesforce.metadata_ranges }}"
"""

RETURN = r"""
_value:
  description: The ranges, IPv4 before IPv6, in order of address.
  type: list
  elements: dict
  contains:
    range:
      description: An address, a CIDR block, or C(first-last).
      type: str
      sample: 198.51.100.0/24
    description:
      description: The description, where there is one.
      type: str
      sample: Office
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.metadata_files import read_ranges


def metadata_ranges(content: str) -> list[dict[str, str]]:
    """Return the ranges of a file; raises AnsibleFilterError."""
    if not isinstance(content, str):
        raise AnsibleFilterError("metadata_ranges: the input must be the content of a file")
    try:
        return [item.as_entry() for item in read_ranges(content)]
    except GatehouseError as exc:
        raise AnsibleFilterError(f"metadata_ranges: {exc}") from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"metadata_ranges": metadata_ranges}
