# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read answers in SOAP."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree

from .transport import unexpected_response

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass


class Fault(NamedTuple):
    """A refusal: its code, without a prefix, and its text, which may repeat what was sent."""

    code: str
    message: str


def parse(response: requests.Response) -> ElementTree.Element:
    """Return the envelope of an answer."""
    try:
        return ElementTree.fromstring(response.content)  # noqa: S314 - the transport refuses document types
    except (
        ElementTree.ParseError,
        LookupError,
        ValueError,
        RecursionError,
    ):
        raise unexpected_response(response) from None


def fault_in(root: ElementTree.Element) -> Fault | None:
    """Return the fault in an envelope, whatever its prefixes; None where there is none."""
    texts = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    if "faultcode" not in texts:
        return None
    code = (texts.get("exceptionCode") or texts["faultcode"]).rpartition(":")[2]
    return Fault(code, texts.get("exceptionMessage") or texts.get("faultstring") or "no message")
