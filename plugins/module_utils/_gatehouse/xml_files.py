# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse files of XML that others wrote. Pure."""

from __future__ import annotations

from xml.etree import ElementTree

from .errors import GatehouseError

MAX_CHARACTERS = 16 * 1024 * 1024


def parse_xml(text: str) -> ElementTree.Element:
    """Return the root element; raises GatehouseError for what is no XML, or declares entities."""
    if len(text) > MAX_CHARACTERS:
        raise GatehouseError(f"the file is larger than {MAX_CHARACTERS} characters")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise GatehouseError("the file declares a document type, which is refused")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - without a document type, there are no entities
    except (ElementTree.ParseError, ValueError, RecursionError) as exc:
        raise GatehouseError(f"the file is no XML: {exc}") from None


def local_name(element: ElementTree.Element) -> str:
    """Return the name of an element without its namespace; empty for a comment."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
