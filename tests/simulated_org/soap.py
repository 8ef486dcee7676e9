# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SOAP envelopes in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape

from lxml import etree

from .errors import ApiError, ClientFault
from .http import Response

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
PARTNER = "urn:partner.soap.sforce.com"
ENTERPRISE = "urn:enterprise.soap.sforce.com"
METADATA = "http://soap.sforce.com/2006/04/metadata"
FAULT_NAMESPACE = {
    PARTNER: "urn:fault.partner.soap.sforce.com",
    ENTERPRISE: "urn:fault.enterprise.soap.sforce.com",
    # A recorded fault of the Metadata API names the partner namespace.
    METADATA: "urn:fault.partner.soap.sforce.com",
}

FaultCode = Literal["prefixed", "bare"]


@dataclass(frozen=True)
class Call:
    """One SOAP call: the operation's element, and the header blocks by local name."""

    operation: str
    namespace: str
    element: etree._Element
    headers: dict[str, etree._Element]

    def header(self, block: str, name: str) -> str | None:
        element = self.headers.get(block)
        return None if element is None else child_text(element, name)


def _parser() -> etree.XMLParser[etree._Element]:
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)


def parse_xml(body: bytes) -> etree._Element:
    """A document's root; a document type is refused, whatever it declares."""
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as exc:
        raise ClientFault(f"not well-formed: {exc.msg}") from None
    if root.getroottree().docinfo.doctype:
        raise ClientFault("DOCTYPE is not allowed")
    return root


def parse(body: bytes) -> Call:
    """Read an envelope."""
    root = parse_xml(body)
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise ClientFault("no SOAP envelope")
    payload = root.find(f"{{{ENVELOPE}}}Body/*")
    if payload is None:
        raise ClientFault("empty SOAP body")
    headers = {local_name(block): block for block in root.iterfind(f"{{{ENVELOPE}}}Header/*")}
    return Call(local_name(payload), namespace(payload), payload, headers)


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    return etree.QName(element).namespace or ""


def content(element: etree._Element) -> str:
    return "".join(element.itertext())


def child_text(element: etree._Element, name: str) -> str | None:
    """The text of a child by local name; None where it is absent or nil."""
    for child in element:
        if local_name(child) == name:
            return None if is_nil(child) else content(child)
    return None


def child_texts(element: etree._Element, name: str) -> Iterator[str]:
    return (content(child) for child in element if local_name(child) == name)


def is_nil(element: etree._Element) -> bool:
    return element.get(f"{{{XSI}}}nil") in ("true", "1")


def type_of(element: etree._Element) -> str:
    """The local part of `xsi:type`, whichever prefix it comes with."""
    return (element.get(f"{{{XSI}}}type") or "").strip().rpartition(":")[2]


def tag(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>"


def optional(name: str, value: str | None) -> str:
    return "" if value is None else tag(name, value)


def nillable(name: str, value: str | None) -> str:
    return f'<{name} xsi:nil="true"/>' if value is None else tag(name, value)


def from_json(values: Mapping[str, Any]) -> str:
    """Elements for the values of a JSON object; of a list, one for each."""
    return "".join(_element(name, value) for name, value in values.items())


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        return f"<{name}>{from_json(value)}</{name}>"
    return tag(name, str(value).lower() if isinstance(value, bool) else str(value))


def answer(default_namespace: str, payload: str, *, extra: str = "") -> Response:
    """An answer: unprefixed elements in a default namespace, as clients match them literally (CONFIRMED)."""
    return Response(
        body=(
            f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{ENVELOPE}" '
            f'xmlns="{default_namespace}" xmlns:xsi="{XSI}"{extra}>'
            f"<soapenv:Body>{payload}</soapenv:Body></soapenv:Envelope>"
        ).encode()
    )


def fault(error: ApiError, service: str, faultcode: FaultCode = "prefixed") -> Response:
    """HTTP 500, `sf:` prefixes and both code and text in the detail (CONFIRMED)."""
    text = escape(f"{error.code}: {error.message}")
    prefix = "sf:" if faultcode == "prefixed" else ""
    return Response(
        500,
        (
            f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{ENVELOPE}" '
            f'xmlns:sf="{FAULT_NAMESPACE.get(service, FAULT_NAMESPACE[PARTNER])}" xmlns:xsi="{XSI}">'
            f"<soapenv:Body><soapenv:Fault><faultcode>{prefix}{error.code}</faultcode><faultstring>{text}</faultstring>"
            f'<detail><sf:{error.fault} xsi:type="sf:{error.fault}">'
            f"<sf:exceptionCode>{error.code}</sf:exceptionCode>"
            f"<sf:exceptionMessage>{escape(error.message)}</sf:exceptionMessage>"
            f"</sf:{error.fault}></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        ).encode(),
    )


def client_fault(error: ClientFault) -> Response:
    """A request that is no valid call. The wording is INVENTED."""
    return Response(
        500,
        (
            f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Body>'
            f"<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>{escape(str(error))}</faultstring>"
            "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        ).encode(),
    )
