# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs in a key-value engine, version 2, of OpenBao or HashiCorp Vault.

The server gets what a file would contain: secrets are sealed before they leave this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from ..credentials.credential import NAME, checked_name
from ..errors import VersionConflictError
from ..files import can_write_below
from .blobs import HISTORY, Blob, Content, Lock
from .client import KvClient, Response
from .lease import hold_lease

LOCKS = ".locks"


class KvBlobs:
    """The blobs under one path of a server."""

    def __init__(self, client: KvClient, part: str = "") -> None:
        """Use the path of a client, or one below it.

        Args:
            client: of the server.
            part: the name of the one below.
        """
        self._client = client
        self._part = part

    @property
    def place(self) -> str:
        """The address."""
        return _join(self._client.address.url, self._part)

    @property
    def local_folder(self) -> Path | None:
        """A cache of this machine, for itself, as an org may bind sessions to an address."""
        address = self._client.address
        place = hashlib.sha256(f"{address.namespace} {address.url}".encode()).hexdigest()[:32]
        with contextlib.suppress(RuntimeError):  # there is no home
            cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
            folder = cache / "gatehouse" / "salesforce" / place
            return folder if can_write_below(folder) else None
        return None

    def names(self) -> list[str]:
        """Return all names, sorted."""
        status, body = self._client.call("GET", "metadata", self._part, query="?list=true")
        if _is_absent(status, body):
            return []
        names = _data(self._client, status, body).get("keys")
        if not isinstance(names, list):
            _refuse(self._client, status)
        return sorted(name for name in names if isinstance(name, str) and NAME.fullmatch(name))

    def get(self, name: str) -> Blob:
        """Read the last write."""
        return self._secret(name).read()

    def versions(self, name: str) -> list[Blob]:
        """Read the last writes, oldest first."""
        secret = self._secret(name)
        if secret.read().content is None:
            return []
        blobs = [secret.read(number) for number in secret.numbers()[-HISTORY:]]
        return [blob for blob in blobs if blob.content is not None]

    def put(self, name: str, content: Content, *, replaces: Blob, lock: Lock | None = None) -> bool:
        """Write in place of what was read, unless another was faster."""
        if lock is not None:
            lock.require()
        else:
            self._client.require_engine()
        return self._secret(name).put(content, replaces.number) is not None

    def rewrite(self, name: str, change: Callable[[Blob], Content], *, lock: Lock | None = None) -> bool:
        """Write the last version as the change makes it, and destroy the others: a server changes none of them."""
        secret = self._secret(name)
        while True:
            before = secret.read()
            if before.content is None:
                return False
            if lock is not None:
                lock.require()
            number = secret.put(change(before), before.number)
            if number is not None:
                secret.destroy([earlier for earlier in secret.numbers() if earlier < number])
                return True
            if lock is not None:
                raise VersionConflictError(f"{before.where}: was changed by someone else meanwhile")

    def delete(self, name: str, *, lock: Lock) -> None:
        """Remove all versions."""
        lock.require()
        self._secret(name).remove()

    def purge(self) -> None:
        """Destroy what could be recovered of blobs that were deleted by hand."""
        for name in self.names():
            secret = self._secret(name)
            if secret.read().content is None:
                secret.destroy(secret.numbers())

    def lock(self, name: str, seconds: float) -> AbstractContextManager[Lock]:
        """Lock a name by a secret that the server deletes after a while."""
        return self._lock(checked_name(name), seconds)

    @contextlib.contextmanager
    def _lock(self, name: str, seconds: float) -> Iterator[Lock]:
        self._client.require_engine()
        path = _join(self._part, LOCKS, name)
        with hold_lease(name, Secret(self._client, path), Secret(self._client.clone(), path), wait=seconds) as lease:
            yield lease

    def _secret(self, name: str) -> Secret:
        return Secret(self._client, _join(self._part, checked_name(name)))


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


def _join(*parts: str) -> str:
    return "/".join(filter(None, parts))


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
