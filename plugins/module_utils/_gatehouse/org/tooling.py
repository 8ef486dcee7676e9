# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the two types with IP ranges by the Tooling API, for sessions that the Metadata API may refuse.

Access tokens that are JWTs are reported to be refused by SOAP before version 68. REST takes them, and the Tooling API
shows the metadata of one record at a time. Nothing is documented that would write it, so writes stay with SOAP.
"""

# ruff: noqa: S608 - each value in a query went through literal()
from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ..errors import NoResponseError, OrgError, SessionExpired
from ..ranges.model import IpRange
from .login import Session
from .metadata import METADATA_NAMES, MetadataApi, ReadRanges, date_of, read_range
from .queries import literal
from .transport import translate_errors, unexpected_response

SOAP_TAKES_JWT_FROM = 68.0
HINT = (
    ". Its access tokens are JWTs, which SOAP calls (writing lists of ranges) are reported to refuse: switch JWT-based "
    "access tokens off in the app, or use another credential for these tasks"
)
_LABELS = {name: label for label, name in METADATA_NAMES.items()}
Record = Mapping[str, Any]


def needs_tooling(session: Session, version: str) -> bool:
    """Whether the Metadata API of that version may refuse the session."""
    return is_jwt(session.access_token) and float(version) < SOAP_TAKES_JWT_FROM


def is_jwt(access_token: str) -> bool:
    """Whether an access token is a JWT itself."""
    return access_token.startswith("eyJ") and access_token.count(".") == 2


class ToolingApi(MetadataApi):
    """The calls of one session: reads by the Tooling API, writes by SOAP."""

    def read_trusted_ranges(self) -> ReadRanges:
        """Read the ranges of Setup > Network Access."""
        metadata, date = self._read_security()
        listed = _part(metadata, "networkAccess").get("ipRanges")
        return ReadRanges("Security", _ranges(listed, "start", "end"), date)

    def read_login_ranges(self, full_names: Sequence[str]) -> list[ReadRanges]:
        """Read the login ranges of those of the profiles that exist."""
        labels = self._labels()
        found = []
        for name in full_names:
            likely = [id for id, label in labels.items() if label in (_LABELS.get(name), unquote(name))]
            for profile_id in likely or labels:
                where = f"Profile WHERE Id = {literal(profile_id)}"
                if self._one(f"SELECT FullName FROM {where}")[0].get("FullName") == name:
                    record, date = self._one(f"SELECT Metadata FROM {where}")
                    listed = _part(record, "Metadata").get("loginIpRanges")
                    found.append(ReadRanges(name, _ranges(listed, "startAddress", "endAddress"), date))
                    break
        return found

    def list_profiles(self) -> dict[str, str]:
        """Return the metadata names of all profiles, by the first 15 characters of their ids; one request for each."""
        names = {}
        for profile_id in self._labels():
            record, _date = self._one(f"SELECT FullName FROM Profile WHERE Id = {literal(profile_id)}")
            names[profile_id[:15]] = str(record.get("FullName"))
        return names

    def _read_settings(self, group: str) -> dict[str, str]:
        metadata, _date = self._read_security()
        settings = _part(metadata, group).items()
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in settings}

    def _update(self, kind: str, content: str) -> None:
        try:
            super()._update(kind, content)
        except NoResponseError:
            raise
        except SessionExpired:  # with which the list was read a moment ago
            raise OrgError(f"the org does not accept the session for a change of {kind}{HINT}") from None
        except OrgError as exc:
            raise OrgError(f"{exc}{HINT}", cause=exc.cause) from None

    def _read_security(self) -> tuple[Record, datetime.datetime]:
        record, date = self._one("SELECT Metadata FROM SecuritySettings")
        return _part(record, "Metadata"), date

    def _labels(self) -> dict[str, str]:
        records, _date = self._query("SELECT Id, Name FROM Profile")
        return {str(record.get("Id")): str(record.get("Name")) for record in records}

    def _one(self, soql: str) -> tuple[Record, datetime.datetime]:
        records, date = self._query(soql)
        if len(records) != 1:
            raise OrgError("the org did not show its security settings or profiles; the user may lack the permission")
        return records[0], date

    def _query(self, soql: str) -> tuple[list[Record], datetime.datetime]:
        return self._retry(lambda: self._get(soql))

    def _get(self, soql: str) -> tuple[list[Record], datetime.datetime]:
        url = f"{self._session.instance_url.rstrip('/')}/services/data/v{self._version}/tooling/query/"
        headers = {"Authorization": f"Bearer {self._session.access_token}"}
        with translate_errors(url):
            response = self._transport.get(url, params={"q": soql}, headers=headers)
        if response.status_code == 401:
            raise SessionExpired("the session has expired or was ended")
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            raise unexpected_response(response) from None
        records = answer.get("records") if isinstance(answer, dict) else None
        if isinstance(records, list) and all(isinstance(record, dict) for record in records):
            return records, date_of(response)
        first = answer[0] if isinstance(answer, list) and answer else None
        if isinstance(first, dict) and response.status_code < 500:
            raise OrgError(f"the org refused to show its settings: {str(first.get('errorCode'))[:80]}")
        raise unexpected_response(response)


def _part(record: Record, name: str) -> Record:
    """Return a part of a record that is an object; an empty one where there is none."""
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _ranges(listed: Any, start: str, end: str) -> tuple[IpRange, ...]:
    entries: Iterable[Any] = listed if isinstance(listed, list) else ()
    return tuple(sorted(read_range(entry, start, end) for entry in entries if isinstance(entry, dict)))
