# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One secret of a key-value engine, version 2, by the operations that such an engine has."""

from __future__ import annotations

from typing import Any, NoReturn

from .blobs import Blob, Content
from .client import KvClient, Response


class Secret:
    """One secret of the engine."""

    def __init__(self, client: KvClient, name: str) -> None:
        self._client = client
        self._name = name
        self._where = f"{client.address.url}/{name}"

    def read(self, number: int | None = None) -> Blob:
        """Read the last write, or another one."""
        query = "" if number is None else f"?version={number}"
        status, body = self._client.call("GET", "data", self._name, query=query)
        if _is_absent(status, body):
            return Blob(self._where, None, _number(_object_in(_object_in(body, "data"), "metadata")) or 0)
        data = _data(self._client, status, body)
        content, written = data.get("data"), _number(_object_in(data, "metadata"))
        if written is None or not isinstance(content, dict):
            _refuse(self._client, status)
        return Blob(self._where, content, written)

    def names(self) -> list[str]:
        """Return the names of the secrets below this one."""
        status, body = self._client.call("GET", "metadata", self._name, query="?list=true")
        if _is_absent(status, body):
            return []
        names = _data(self._client, status, body).get("keys")
        if not isinstance(names, list):
            _refuse(self._client, status)
        return [name for name in names if isinstance(name, str)]

    def numbers(self) -> list[int]:
        """Return the numbers of the writes that are not destroyed, in their order; some may have been deleted."""
        status, body = self._client.call("GET", "metadata", self._name)
        versions = _object_in(_data(self._client, status, body), "versions").items()
        try:
            return sorted(int(number) for number, version in versions if not version["destroyed"])
        except (ValueError, LookupError, TypeError):
            _refuse(self._client, status)

    def put(self, content: Content, cas: int) -> int | None:
        """Write in place of that write; return the number of this one, or None when another was faster."""
        status, body = self._client.call("POST", "data", self._name, {"options": {"cas": cas}, "data": content})
        if status == 400 and "check-and-set" in str(body.get("errors")):
            # It may have been done by an earlier try, to which the answer was lost: no two writes are the same.
            last = self.read()
            return last.number if last.content == content else None
        number = _number(_data(self._client, status, body))
        if number is None:
            _refuse(self._client, status)
        return number

    def expire(self, seconds: float) -> None:
        """Have the server delete after so long what is written from now on."""
        settings = {"delete_version_after": f"{seconds:g}s", "max_versions": 1}
        self._done(self._client.call("POST", "metadata", self._name, settings))

    def delete_version(self, number: int) -> None:
        """Delete one write."""
        self._done(self._client.call("POST", "delete", self._name, {"versions": [number]}))

    def destroy(self, numbers: list[int]) -> None:
        """Delete writes beyond recovery."""
        if numbers:
            self._done(self._client.call("POST", "destroy", self._name, {"versions": numbers}))

    def remove(self) -> None:
        """Delete the secret with all its writes."""
        self._done(self._client.call("DELETE", "metadata", self._name))

    def _done(self, response: Response) -> None:
        if response[0] not in (200, 204):
            _refuse(self._client, response[0])


def _refuse(client: KvClient, status: int) -> NoReturn:
    client.fail(f"refused (status {status}); is this a key-value engine of version 2?")


def _is_absent(status: int, body: dict[str, Any]) -> bool:
    """Whether an engine says that there is nothing; a 404 of something else has another body."""
    return status == 404 and (body.get("errors") == [] or isinstance(body.get("data"), dict))


def _data(client: KvClient, status: int, body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    if status != 200 or not isinstance(data, dict):
        _refuse(client, status)
    return data


def _object_in(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object in an object; an empty one for anything else."""
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _number(metadata: dict[str, Any]) -> int | None:
    number = metadata.get("version")
    return number if isinstance(number, int) else None
