# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request at a time, as raw as a question needs it, by the transport of the collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import requests

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.auth.connection import Connection
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.login import Session
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.transport import (
    open_pages,
    open_transport,
    translate_errors,
)

PARTNER = "urn:partner.soap.sforce.com"
METADATA = "http://soap.sforce.com/2006/04/metadata"
NAMESPACES = {"u": PARTNER, "m": METADATA}
API_VERSION = "64.0"  # the last one with a SOAP login; apps are written at the same one
STAGED_VERSION = "65.0"  # the first one with staged consumer secrets
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Refusal(Exception):
    """What an org says when it refuses.

    Attributes:
        code: of Salesforce's.
        text: beside it.
        raw_code: C(faultcode) as it came, of SOAP.
    """

    def __init__(self, code: str, text: str = "", raw_code: str = "") -> None:
        super().__init__(f"{code}: {text}"[:300])
        self.code, self.text, self.raw_code = code, text, raw_code


@dataclass(frozen=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    body: bytes
    date: float

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def accepted(self) -> Reply:
        """Return itself, or raise Refusal for an error in JSON."""
        if self.status < 400:
            return self
        first = self.json[0] if isinstance(self.json, list) and self.json else self.json
        fields: Mapping[str, Any] = first if isinstance(first, dict) else {}
        code = fields.get("errorCode") or fields.get("error") or f"HTTP {self.status}"
        raise Refusal(str(code), str(fields.get("message") or fields.get("error_description") or ""))


class Result(dict[str, str]):
    """One result of a call of the Metadata API, its leaves by name; false where it is a failure."""

    def __bool__(self) -> bool:
        return self.get("success") == "true"

    @property
    def problem(self) -> str:
        """Code and text of a failure."""
        return f"{self.get('statusCode', '')}: {self.get('message', '')}"


class Caller:
    """A session of one user, and how to use it; without a session, only what needs none."""

    def __init__(self, connection: Connection, session: Session | None = None) -> None:
        self.connection = connection
        self.session = session
        self.url = (session.instance_url if session else connection.login_url).rstrip("/")
        self.transport = open_transport(connection)
        self.date = 0.0

    @property
    def token(self) -> str:
        """The access token."""
        return self.session.access_token if self.session else ""

    def send(self, method: str, url: str, **options: Any) -> Reply:
        """Send one request, once."""
        with translate_errors(url):
            response = self.transport.request(method, url, **options)
        self.date = parsedate_to_datetime(response.headers["Date"]).timestamp() if "Date" in response.headers else 0.0
        return Reply(response.status_code, response.content, self.date)

    def rest(self, method: str, path: str, body: Any = None, *, version: str = API_VERSION, **options: Any) -> Reply:
        """Call REST below the version's address; raises Refusal."""
        if body is not None:
            options["json"] = body
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.send(method, f"{self.url}/services/data/v{version}/{path}", headers=headers, **options).accepted()

    def query(self, soql: str, into: Callable[[Iterator[dict[str, Any]]], Any] = list) -> Any:
        """Return the first page of records, or what is made of it; raises Refusal."""
        return into(iter(self.rest("GET", "query", params={"q": soql}).json["records"]))

    def create(self, kind: str, **fields: Any) -> str:
        """Create a record and return its id; raises Refusal."""
        return str(self.rest("POST", f"sobjects/{kind}", fields).json["id"])

    def soap(
        self, service: str, operation: str, content: str = "", *, version: str = API_VERSION
    ) -> ElementTree.Element:
        """Return the envelope of an answer; raises Refusal.

        Args:
            service: C(u) for the partner service, C(m) for metadata.
        """
        head = (
            ""
            if operation == "login"
            else f"<SessionHeader><sessionId>{escape(self.token)}</sessionId></SessionHeader>"
        )
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?><env:Envelope '
            f'xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="{_XSI}" xmlns="{NAMESPACES[service]}">'
            f"<env:Header>{head}</env:Header><env:Body><{operation}>{content}</{operation}></env:Body></env:Envelope>"
        )
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": operation}
        url = f"{self.url}/services/Soap/{service}/{version}"
        root = ElementTree.fromstring(self.send("POST", url, data=envelope.encode(), headers=headers).body)
        found = leaves(root)
        if "faultcode" in found:
            code = found.get("exceptionCode") or found["faultcode"].rpartition(":")[2]
            raise Refusal(code, found.get("exceptionMessage") or found.get("faultstring", ""), found["faultcode"])
        return root

    # -- metadata ------------------------------------------------------------------------------------------------------

    def read(self, kind: str, name: str, *, version: str = API_VERSION) -> ElementTree.Element | None:
        """Return a component's record as it came; raises Refusal."""
        content = f"<type>{kind}</type><fullNames>{escape(name)}</fullNames>"
        return next(_named(self.soap("m", "readMetadata", content, version=version), "records"), None)

    def write(self, operation: str, kind: str, name: str, body: str) -> Result:
        """Create, update or upsert a component; raises Refusal for a fault."""
        content = f"<metadata xsi:type={quoteattr(kind)}><fullName>{escape(name)}</fullName>{body}</metadata>"
        return self._result(self.soap("m", f"{operation}Metadata", content))

    def delete(self, kind: str, name: str) -> Result:
        """Delete a component; raises Refusal for a fault."""
        content = f"<type>{kind}</type><fullNames>{escape(name)}</fullNames>"
        return self._result(self.soap("m", "deleteMetadata", content))

    def list_components(self, *kinds: str) -> list[dict[str, str]]:
        """Return what is listed of up to three types, each with its C(type)."""
        queries = "".join(f"<queries><type>{kind}</type></queries>" for kind in kinds)
        content = f"{queries}<asOfVersion>{API_VERSION}</asOfVersion>"
        return [leaves(one) for one in _named(self.soap("m", "listMetadata", content), "result")]

    @staticmethod
    def _result(root: ElementTree.Element) -> Result:
        return Result(leaves(next(_named(root, "result"), root)))


def _named(root: ElementTree.Element, name: str) -> Any:
    return (one for one in root.iter() if local_name(one) == name)


def local_name(element: ElementTree.Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def leaves(root: ElementTree.Element) -> dict[str, str]:
    """Return the texts below an element by their names; of a name that is there twice, the first."""
    found: dict[str, str] = {}
    for one in root.iter():
        if not len(one):
            found.setdefault(local_name(one), (one.text or "").strip())
    return found


def children(root: ElementTree.Element | None, name: str) -> list[dict[str, str]]:
    """Return the leaves of each element of a name."""
    return [] if root is None else [leaves(one) for one in _named(root, name)]


def pages(caller: Caller) -> requests.Session:
    """Return a transport for pages."""
    return open_pages(caller.connection)
