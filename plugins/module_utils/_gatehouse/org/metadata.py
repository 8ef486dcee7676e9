# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Metadata API over SOAP, for the two types with IP ranges.

simple-salesforce would parse a WSDL of 1.5 MB before the first call, and through a transport of its own.
Source: the metadata WSDL, version 63.0.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..auth.causes import cause_of_code
from ..errors import NoResponseError, OrgError, SessionExpired
from ..ranges.model import IpRange, from_bounds
from .login import Session
from .retry import ReadRetry
from .soap import fault_in, parse
from .transport import translate_errors, unexpected_response

try:
    import requests
except ImportError:  # reported by require_libraries()
    pass
# Labels of standard profiles and their metadata names, as reported. Others are declared by their metadata name.
METADATA_NAMES = {"System Administrator": "Admin", "Standard User": "Standard"}
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_M = f"{{{NAMESPACE}}}"
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    f' xmlns="{NAMESPACE}"><env:Header><SessionHeader><sessionId>%s</sessionId></SessionHeader></env:Header>'
    "<env:Body>%s</env:Body></env:Envelope>"
)


@dataclasses.dataclass(frozen=True)
class ReadRanges:
    """A list of ranges as read, of what, and when, by the org's clock."""

    full_name: str
    ranges: tuple[IpRange, ...]
    read_at: datetime.datetime


class MetadataApi:
    """The calls of one session."""

    def __init__(self, transport: requests.Session, session: Session, version: str, retry: ReadRetry) -> None:
        self._transport = transport
        self._retry = retry
        self._session = session
        self._version = version
        self._url = f"{session.instance_url.rstrip('/')}/services/Soap/m/{version}"

    def read_trusted_ranges(self) -> ReadRanges:
        """Read the ranges of Setup > Network Access."""
        found = self._read("SecuritySettings", ("Security",), f"{_M}networkAccess/{_M}ipRanges", "start", "end")
        if len(found) != 1:
            raise OrgError("the org did not show its security settings; the user may lack the permission to read them")
        return found[0]

    def read_session_settings(self) -> dict[str, str]:
        """Read the settings of Setup > Session Settings, by their names in the Metadata API."""
        return self._read_settings("sessionSettings")

    def read_password_policies(self) -> dict[str, str]:
        """Read the settings of Setup > Password Policies, by their names in the Metadata API."""
        return self._read_settings("passwordPolicies")

    def write_trusted_ranges(self, ranges: Iterable[IpRange]) -> None:
        """Replace the whole list of ranges; nothing else of the security settings is sent."""
        body = "".join(f"<ipRanges>{_range_xml(item, 'end', 'start')}</ipRanges>" for item in ranges)
        self._update("SecuritySettings", f"<fullName>Security</fullName><networkAccess>{body}</networkAccess>")

    def read_login_ranges(self, full_names: Sequence[str]) -> list[ReadRanges]:
        """Read the login ranges of those of the profiles that exist."""
        return self._read("Profile", full_names, f"{_M}loginIpRanges", "startAddress", "endAddress")

    def list_profiles(self) -> dict[str, str]:
        """Return the metadata names of all profiles, by the first 15 characters of their ids."""
        query = f"<queries><type>Profile</type></queries><asOfVersion>{self._version}</asOfVersion>"
        response, _date = self._retry(lambda: self._call("listMetadata", query))
        rows = response.iterfind(f"{_M}result")
        return {(row.findtext(f"{_M}id") or "")[:15]: row.findtext(f"{_M}fullName") or "" for row in rows}

    def write_login_ranges(self, full_name: str, ranges: Iterable[IpRange]) -> None:
        """Replace the login ranges of a profile. An empty list changes nothing, though the org answers success."""
        body = "".join(
            f"<loginIpRanges>{_range_xml(item, 'endAddress', 'startAddress')}</loginIpRanges>" for item in ranges
        )
        self._update("Profile", f"<fullName>{escape(full_name)}</fullName>{body}")

    def _read(self, kind: str, full_names: Sequence[str], path: str, start: str, end: str) -> list[ReadRanges]:
        answer, date = self._retrieve(kind, full_names)
        return [
            ReadRanges(name, tuple(sorted(_parse_range(item, start, end) for item in record.iterfind(path))), date)
            for record in answer.iterfind(f"{_M}result/{_M}records")
            # What does not exist comes as an empty record, or as its name alone.
            if len(record) > 1 and (name := record.findtext(f"{_M}fullName") or "")
        ]

    def _read_settings(self, group: str) -> dict[str, str]:
        answer, _date = self._retrieve("SecuritySettings", ("Security",))
        found = answer.iterfind(f"{_M}result/{_M}records/{_M}{group}/*")
        return {element.tag[len(_M) :]: element.text or "" for element in found}

    def _retrieve(self, kind: str, full_names: Sequence[str]) -> tuple[ElementTree.Element, datetime.datetime]:
        names = "".join(f"<fullNames>{escape(name)}</fullNames>" for name in full_names)
        return self._retry(lambda: self._call("readMetadata", f"<type>{kind}</type>{names}"))

    def _update(self, kind: str, content: str) -> None:
        answer, _date = self._call("updateMetadata", f'<metadata xsi:type="{kind}">{content}</metadata>')
        result = answer.find(f"{_M}result")
        if result is None:
            raise OrgError(f"the org did not say whether it changed {kind}")
        if result.findtext(f"{_M}success") != "true":
            code = result.findtext(f"{_M}errors/{_M}statusCode") or "no code"
            message = result.findtext(f"{_M}errors/{_M}message") or "no message"
            raise OrgError(f"the org refused to change {kind}: {message[:300]} ({code})")

    def _call(self, operation: str, content: str) -> tuple[ElementTree.Element, datetime.datetime]:
        body = _ENVELOPE % (escape(self._session.access_token), f"<{operation}>{content}</{operation}>")
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": operation}
        with translate_errors(self._url):
            response = self._transport.post(self._url, data=body.encode(), headers=headers)
        root = parse(response)
        answer = root.find(f".//{_M}{operation}Response")
        if answer is None:
            raise _fault(root, response, operation)
        return answer, date_of(response)


def _fault(root: ElementTree.Element, response: requests.Response, operation: str) -> OrgError:
    """Return the error in a SOAP fault."""
    fault = fault_in(root)
    if fault is None:
        return unexpected_response(response)
    code, message = fault
    if code == "INVALID_SESSION_ID":
        return SessionExpired("the session has expired or was ended")
    if code == "SERVER_UNAVAILABLE":
        return NoResponseError(f"the org cannot serve {operation} now ({code})")
    known = cause_of_code(code, message)
    cause = known.code if known else "unreachable"
    return OrgError(f"the org refused {operation}: {message[:300]} ({code})", cause=cause)


def date_of(response: requests.Response) -> datetime.datetime:
    """Return when the org answered, by its own clock."""
    try:
        date = parsedate_to_datetime(response.headers["Date"])
        return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    except (KeyError, ValueError, OverflowError):
        return datetime.datetime.now(datetime.UTC)


def _parse_range(element: ElementTree.Element, start: str, end: str) -> IpRange:
    return read_range({child.tag[len(_M) :]: child.text or "" for child in element}, start, end)


def read_range(values: Mapping[str, str], start: str, end: str) -> IpRange:
    """Return the range of an entry, of which start and end name the first and last address; raises OrgError."""
    first, last = values.get(start) or values.get(end, ""), values.get(end) or values.get(start, "")
    try:
        return from_bounds(first, last, values.get("description"))
    except ValueError as exc:
        raise OrgError(f"the org holds a range that cannot be read, {first[:50]!r} to {last[:50]!r}: {exc}") from None


def _range_xml(item: IpRange, end: str, start: str) -> str:
    description = f"<description>{escape(item.description)}</description>" if item.description else ""
    return f"{description}<{end}>{item.end}</{end}><{start}>{item.start}</{start}>"
