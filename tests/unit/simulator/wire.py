# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare client of the services: it builds envelopes and takes answers apart, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from lxml import etree

from tests.simulated_org import SimulatedOrg, soap
from tests.simulated_org.http import Request, Response

OUTSIDE = "203.0.113.9"
NAMESPACES = {"u": soap.PARTNER, "c": soap.ENTERPRISE, "m": soap.METADATA}


@dataclass(frozen=True)
class Answer:
    """An answer with its XML taken apart."""

    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.response.body)

    @property
    def payload(self) -> etree._Element:
        found = self.root.find(f"{{{soap.ENVELOPE}}}Body/*")
        assert found is not None
        return found

    def text(self, name: str) -> str | None:
        """The text of the first element of this local name."""
        return next((soap.content(one) for one in self.root.iter("{*}" + name)), None)

    def texts(self, name: str) -> list[str]:
        return [soap.content(one) for one in self.root.iter("{*}" + name)]

    @property
    def code(self) -> str | None:
        return self.text("exceptionCode")

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def session(self) -> str:
        return self.text("sessionId") or ""


@dataclass(frozen=True)
class RestAnswer:
    """A REST answer."""

    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)

    @property
    def error(self) -> str:
        return str(self.json[0]["errorCode"])

    @property
    def records(self) -> list[dict[str, Any]]:
        return list(self.json["records"])


class Wire:
    """Sends requests to the services of a simulated org, from any peer address."""

    def __init__(self, sim: SimulatedOrg) -> None:
        self.sim = sim
        self.commands = sim.commands
        self.admin = sim.admin

    def send(
        self, method: str, path: str, body: str = "", *, peer: str = OUTSIDE, query: str = "", **headers: str
    ) -> Response:
        names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        base_url = f"https://{names.get('host', 'login.example')}"
        request = Request(method, path, query, names, body.encode(), peer, base_url)
        return self.sim.service.handle(request)

    def envelope(self, path: str, body: str, header: str = "", *, peer: str = OUTSIDE) -> Answer:
        text = (
            f'<e:Envelope xmlns:e="{soap.ENVELOPE}" xmlns:xsi="{soap.XSI}">'
            f"<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        )
        return Answer(self.send("POST", path, text, peer=peer, soapaction='""', content_type="text/xml"))

    def login(
        self,
        secret: str | None = None,
        *,
        username: str | None = None,
        peer: str = OUTSIDE,
        version: str = "64.0",
        service: str = "u",
        client: str = "",
    ) -> Answer:
        """A login, of the admin with password and token unless told otherwise."""
        namespace = NAMESPACES[service]
        secret = self.admin.login_password if secret is None else secret
        body = (
            f'<login xmlns="{namespace}"><username>{escape(username or self.admin.username)}</username>'
            f"<password>{escape(secret)}</password></login>"
        )
        header = f'<CallOptions xmlns="{namespace}"><client>{client}</client></CallOptions>' if client else ""
        return self.envelope(f"/services/Soap/{service}/{version}", body, header, peer=peer)

    def call(
        self,
        session: str,
        body: str,
        *,
        service: str = "m",
        version: str = "64.0",
        peer: str = OUTSIDE,
        header: str = "",
    ) -> Answer:
        """A SOAP call in the service's default namespace."""
        namespace = NAMESPACES[service]
        name, _unused, rest = body.removeprefix("<").partition(">")
        body = f"<{name.removesuffix('/')} xmlns=\"{namespace}\"{'/' if name.endswith('/') else ''}>{rest}"
        session_header = f'<SessionHeader xmlns="{namespace}"><sessionId>{session}</sessionId></SessionHeader>'
        return self.envelope(f"/services/Soap/{service}/{version}", body, session_header + header, peer=peer)

    def read(self, session: str, kind: str = "SecuritySettings", *names: str, **options: Any) -> Answer:
        listed = "".join(f"<fullNames>{name}</fullNames>" for name in names or ("Security",))
        return self.call(session, f"<readMetadata><type>{kind}</type>{listed}</readMetadata>", **options)

    def update(self, session: str, *components: str, kind: str = "SecuritySettings", **options: Any) -> Answer:
        listed = "".join(f'<metadata xsi:type="{kind}">{component}</metadata>' for component in components)
        return self.call(session, f"<updateMetadata>{listed}</updateMetadata>", **options)

    def rest(
        self, session: str, path: str, *, method: str = "GET", body: str = "", query: str = "", peer: str = OUTSIDE
    ) -> RestAnswer:
        if not path.startswith("/"):
            path = f"/services/data/v64.0/{path}"
        return RestAnswer(self.send(method, path, body, query=query, peer=peer, authorization=f"Bearer {session}"))

    def query(self, session: str, soql: str, **options: Any) -> RestAnswer:
        return self.rest(session, "query", query=f"q={quote(soql)}", **options)

    def trusted_ranges(self) -> list[tuple[str, str, str | None]]:
        return [(one["start"], one["end"], one["description"]) for one in self.commands.org()["trusted_ranges"]]

    def login_ip_ranges(self, profile: str = "Admin") -> list[tuple[str, str]]:
        found = next(one for one in self.commands.org()["profiles"] if one["name"] == profile)
        return [(one["start"], one["end"]) for one in found["login_ip_ranges"]]

    def statuses(self) -> list[str]:
        return [row["status"] for row in self.commands.login_history()]


LOGIN_BODY = (
    '<?xml version="1.0" encoding="utf-8"?><se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Body>'
    '<login xmlns="urn:partner.soap.sforce.com"><username>{username}</username><password>{secret}</password></login>'
    "</se:Body></se:Envelope>"
)
METADATA_BODY = (
    '<?xml version="1.0" encoding="utf-8"?><se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><se:Header>'
    '<SessionHeader xmlns="http://soap.sforce.com/2006/04/metadata"><sessionId>{session}</sessionId></SessionHeader>'
    '</se:Header><se:Body><{operation} xmlns="http://soap.sforce.com/2006/04/metadata">{body}</{operation}></se:Body>'
    "</se:Envelope>"
)
