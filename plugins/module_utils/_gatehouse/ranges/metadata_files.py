# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read ranges from the files of a Salesforce CLI project, in source or metadata format. Pure.

Source: the types SecuritySettings and Profile of the metadata WSDL, version 63.0.
"""

from __future__ import annotations

from xml.etree import ElementTree

from ..errors import GatehouseError
from ..xml_files import local_name, parse_xml
from .model import IpRange, from_bounds

# Where a file has its ranges, and the names of their addresses, by its root element.
_PLACES = {
    "SecuritySettings": (("networkAccess", "ipRanges"), "start", "end"),
    "Profile": (("loginIpRanges",), "startAddress", "endAddress"),
}


def read_ranges(text: str) -> list[IpRange]:
    """Return the ranges of C(Security.settings) or of a profile, sorted; raises GatehouseError."""
    root = parse_xml(text)
    kind = local_name(root)
    if kind not in _PLACES:
        raise GatehouseError(f"a file of {kind[:50]} has no IP ranges; give one of {' or '.join(_PLACES)}")
    path, start, end = _PLACES[kind]
    found = [root]
    for step in path:
        found = [child for element in found for child in element if local_name(child) == step]
    return sorted(_read_range(element, start, end) for element in found)


def _read_range(element: ElementTree.Element, start: str, end: str) -> IpRange:
    values = {local_name(child): (child.text or "").strip() for child in element}
    first, last = values.get(start, ""), values.get(end, "")
    try:
        return from_bounds(first, last, values.get("description"))
    except ValueError as exc:
        raise GatehouseError(f"the range {first[:50]!r} to {last[:50]!r} cannot be read: {exc}") from None
