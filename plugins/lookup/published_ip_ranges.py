# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that providers publish."""

from __future__ import annotations

DOCUMENTATION = r"""
name: published_ip_ranges
short_description: List the IP ranges that cloud providers publish
version_added: 0.1.0
author:
  - The gatehouse.salesforce authors (@gatehouse-collections)
description:
  - Reads the documents in which AWS, Azure, Cloudflare, GitHub, Google, Oracle and Salesforce publish their addresses,
    filters and collapses them, and returns them in the form that the modules of this collection take.
  - All customers of a provider share its addresses. Trust the addresses of your own machines, such as a NAT gateway, if
    you can, and a provider's region only if you cannot.
  - A document is refused as a whole if a selected prefix in it cannot be read, and if no prefix is left.
  - Nothing is written, and nothing is kept between calls. Documents are fetched on the controller over verified TLS,
    without following redirects, at most 32 MiB in a minute.
options:
  _terms:
    description:
      - The documents to read. Their ranges are returned as one list.
      - V(aws), V(cloudflare), V(github), V(google), V(google_cloud), V(oracle) or V(salesforce) read what that
        provider publishes. V(google) is all of Google, V(google_cloud) what its customers use. V(salesforce) is
        Hyperforce.
      - Anything that starts with C(https://) is fetched. Azure's service tags have a new address every week, so they
        can only be read in this way or from a file.
      - Anything else is a file, absolute or in the C(files) folder of a role or play. Cloudflare's plain lists of
        prefixes are read too. The publisher is recognised by the form of the document.
    type: list
    elements: str
    required: true
  service:
    description:
      - Only prefixes of any of these services. Case does not matter. A service that the document does not have is an
        error, so that a typing error does not select nothing.
      - With AWS and Google Cloud the C(service) of a prefix, with GitHub the name of the list, such as V(actions) or
        V(hooks), with Oracle a tag, with Azure the whole name of a service tag or its part before the dot, with
        Salesforce the C(provider) on which Hyperforce runs.
      - The V(AMAZON) of AWS and the V(AzureCloud) of Azure are everything that the provider has.
    type: list
    elements: str
    default: []
  region:
    description: Only prefixes of any of these regions, as the provider writes them, case aside. Google calls it scope.
    type: list
    elements: str
    default: []
  family:
    description: Only IPv4 or only IPv6. By default both.
    type: int
    choices: [4, 6]
  sha256:
    description: The checksum of the document, in hexadecimal. Any other document is refused. Only with a single term.
    type: str
  pinned:
    description:
      - A file, found as that of a term is, with a copy of the document as it was last approved. It is usually kept in
        version control beside the play, and replaced there when a new one is approved. It is only read.
      - If the addresses selected from the document differ from those selected from the copy by more than O(max_change),
        the document is refused.
      - Only with a single term.
    type: str
  max_change:
    description:
      - The share of the addresses in O(pinned) that may have been lost, and the share that may have been gained, for
        each family. V(0) accepts only the same addresses.
    type: float
    default: 0.2
  timeout:
    description: How many seconds to wait for a response.
    type: float
    default: 10
  ca_path:
    description: A file of certificates to trust instead of those of the system.
    type: path
seealso:
  - plugin: gatehouse.salesforce.ip_ranges
    plugin_type: filter
  - module: gatehouse.salesforce.trusted_ip_ranges
"""

EXAMPLES = r"""
- name: Trust the runners of GitHub Actions, as approved last
  gatehouse.salesforce.trusted_ip_ranges:
    credential: production-admin
    ranges: "{{ query('gatehouse.salesforce.published_ip_ranges', 'github', service='actions', family=4,
      pinned='github-meta.json', max_change=0.1) }}"

- name: Count the addresses of one service in one region
  ansible.builtin.debug:
    msg: "{{ query('gatehouse.salesforce.published_ip_ranges', 'aws', service='EC2', region='eu-central-1') | length }}"

- name: Read a copy of Azure's service tags whose checksum is known
  ansible.builtin.debug:
    msg: "{{ query('gatehouse.salesforce.published_ip_ranges', 'ServiceTags_Public.json', service='LogicApps',
      region='westeurope', sha256=azure_sha256) }}"
"""

RETURN = r"""
_raw:
  description: The addresses in as few ranges as possible, none larger than Salesforce accepts, sorted.
  type: list
  elements: dict
  contains:
    range:
      description: An address, a CIDR block, or C(first-last).
      type: str
      sample: 203.0.113.0/24
    description:
      description: The term, or the name of the file, and the filters.
      type: str
      sample: "aws: EC2, eu-central-1"
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import GatehouseError, OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.collapse import collapse
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import IpRange
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.published import (
    PUBLISHERS,
    read_published,
)
from ansible_collections.gatehouse.salesforce.plugins.plugin_utils.variables import require_no_facts


class LookupModule(LookupBase):
    """Reads published IP ranges."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Read each document, and collapse what they hold; raises AnsibleLookupError."""
        try:
            require_no_facts(variables or {})
            self.set_options(var_options=variables, direct=kwargs)
            return [item.as_entry() for item in collapse(self._read(terms, variables or {}))]
        except GatehouseError as exc:
            raise AnsibleLookupError(f"published_ip_ranges: {exc}") from exc

    def _read(self, terms: list[str], variables: dict[str, Any]) -> list[IpRange]:
        options = self.get_options()
        for name in ("sha256", "pinned"):
            if options[name] is not None and len(terms) != 1:
                raise OptionError(name, f"belongs to one document, but {len(terms)} are read")
        pinned = options["pinned"]
        return [
            item
            for term in terms
            for item in read_published(
                term if term in PUBLISHERS or "://" in term else self._file(term, variables),
                services=options["service"],
                regions=options["region"],
                family=options["family"],
                sha256=options["sha256"],
                pinned=None if pinned is None else self._file(pinned, variables),
                max_change=options["max_change"],
                timeout=options["timeout"],
                ca_path=options["ca_path"],
            )
        ]

    def _file(self, path: str, variables: dict[str, Any]) -> str:
        """Return the path of a file as Ansible finds it."""
        return self.find_file_in_search_path(variables, "files", path, ignore_missing=True) or path
