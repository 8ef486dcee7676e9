# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in a key-value engine, version 2, of OpenBao or HashiCorp Vault.

What the server gets is what a file would hold: secrets are sealed before they leave this machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from ..credentials.credential import NAME, Credential, checked_name
from ..credentials.deliveries import Deliveries, Delivery, merge_deliveries
from ..credentials.serialization import PublicFields
from ..errors import CredentialNotFoundError, StoreError
from .base import HISTORY, LOCK_SECONDS
from .lease import Lease, hold_lease
from .sealed import (
    Content,
    clear_deliveries,
    clear_part,
    lost_race,
    open_credential,
    open_deliveries,
    require_keys,
    require_version,
    seal_credential,
    seal_deliveries,
)
from .server import KvAddress, KvClient

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
LOCKS = ".locks"
DELIVERIES = ".deliveries"


class KvStore:
    """The credentials under one path of a server."""

    def __init__(self, server: KvAddress, keys: MultiFernet | None) -> None:
        self._server = server
        self._link = KvClient(server)
        self._keys = keys
        self._mine = threading.local()  # the leases that this thread holds

    @property
    def fernet(self) -> MultiFernet:
        """The keys that seal the secrets."""
        return require_keys(self._keys)

    @property
    def folder(self) -> Path:
        """Where this machine keeps the sessions of this store: for itself, as an org may bind them to its address."""
        place = hashlib.sha256(f"{self._server.namespace} {self._server.url}".encode()).hexdigest()[:32]
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gatehouse" / "salesforce" / place

    def read(self, name: str) -> Credential:
        """One credential; raises CredentialNotFoundError, or StoreError when it cannot be trusted."""
        return self._opened(name, self._existing(name).content)

    def clear(self, name: str) -> PublicFields:
        """Return what may be read without keys; raises CredentialNotFoundError, or StoreError when malformed."""
        content = self._existing(name).content
        with self._naming(name):
            return clear_part(name, lambda: content or {})

    def history(self, name: str) -> list[Credential]:
        """What the last HISTORY writes of a credential wrote, in their order: the last one is what read() gives."""
        secret = self._secret(name)
        self._existing(name)
        contents = [secret.read(number).content for number in secret.numbers()[-HISTORY:]]
        return [self._opened(name, content) for content in contents if content is not None]

    def names(self) -> list[str]:
        """The names of all credentials, sorted. None of them is opened."""
        return self._listed(self._server.path)

    def delivered(self) -> list[str]:
        """The names of all credentials that were delivered, sorted, and among them those that are gone from here."""
        return self._listed(f"{self._server.path}/{DELIVERIES}")

    def clear_deliveries(self, name: str) -> Deliveries:
        """What may be read of who holds one credential; raises StoreError when that is no such list."""
        content = self._deliveries_secret(name).read().content
        with self._naming(f"{DELIVERIES}/{name}"):
            return {} if content is None else clear_deliveries(name, lambda: content)

    def deliveries(self, name: str) -> Deliveries:
        """Who holds which version of a credential, by consumer; raises StoreError when that cannot be trusted."""
        return self._opened_deliveries(name, self._deliveries_secret(name).read())

    def record_deliveries(self, name: str, changes: Mapping[str, Delivery | None]) -> bool:
        """Have it known who holds a credential now, and with None who does not any more; tells if that was news."""
        return self._write_deliveries(name, changes) is not None

    def _write_deliveries(
        self, name: str, changes: Mapping[str, Delivery | None], *, always: bool = False
    ) -> int | None:
        """The number of the write, if one was needed."""
        secret = self._deliveries_secret(name)
        while True:
            found = secret.read()
            before = self._opened_deliveries(name, found)
            after = merge_deliveries(before, changes)
            if after == before and not (always and before):
                return None
            number = secret.put(seal_deliveries(self.fernet, name, after), found.number)
            if number is not None:  # otherwise somebody else was faster, and theirs is to be kept
                return number

    def _reseal_deliveries(self, name: str) -> None:
        number = self._write_deliveries(name, {}, always=True)
        if number is not None:
            secret = self._deliveries_secret(name)
            secret.destroy([each for each in secret.numbers() if each < number])

    def _opened_deliveries(self, name: str, found: SecretVersion) -> Deliveries:
        content = found.content
        with self._naming(f"{DELIVERIES}/{name}"):
            return {} if content is None else open_deliveries(self.fernet, name, lambda: content)

    def _deliveries_secret(self, name: str) -> Secret:
        return Secret(self._link, f"{DELIVERIES}/{checked_name(name)}")

    def write(self, credential: Credential, *, replaces: int | None) -> None:
        """Store a credential in place of that version (None: of nothing); raises VersionConflictError if it is gone."""
        name = credential.name
        with self._locked(name) as lease:
            secret = self._secret(name)
            before = secret.read()
            found = None if before.content is None else self._opened(name, before.content)
            require_version(name, found, replaces)
            self._put(name, credential, before.number, lease)

    def reseal(self, name: str) -> None:
        """Seal one credential with the newest key; afterwards no older key opens anything of it.

        What was written earlier cannot be changed on a server, so that it is destroyed.
        """
        with self._locked(name) as lease:
            self._reseal_deliveries(name)  # first, as the record shows whether all of it was done
            before = self._existing(name)
            number = self._put(name, self._opened(name, before.content), before.number, lease)
            secret = self._secret(name)
            secret.destroy([each for each in secret.numbers() if each < number])

    def delete(self, name: str, *, replaces: int) -> None:
        """Remove a credential of that version, and its history; raises VersionConflictError if it has another."""
        with self._locked(name) as lease:
            before = self._secret(name).read()
            found = None if before.content is None else self._opened(name, before.content)
            require_version(name, found, replaces)
            lease.require()
            self._secret(name).remove()

    @contextlib.contextmanager
    def lock(self, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold one credential for oneself, across machines; raises StoreError when another holds it for too long.

        A thread may lock again what it holds. A holder that dies holds it for no longer than a lease.
        """
        with self._locked(name, seconds=seconds):
            yield

    @contextlib.contextmanager
    def _locked(self, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[Lease]:
        leases: dict[str, Lease] = self._mine.__dict__.setdefault("leases", {})
        if name in leases:
            yield leases[name]
            return
        path = f"{LOCKS}/{checked_name(name)}"
        slot, spare = Secret(self._link, path), Secret(self._link.another(), path)
        with hold_lease(name, slot, spare, wait=seconds) as leases[name]:
            try:
                yield leases[name]
            finally:
                del leases[name]

    def _put(self, name: str, credential: Credential, number: int, lease: Lease) -> int:
        content = seal_credential(self.fernet, credential)
        lease.require()
        written = self._secret(name).put(content, number)
        if written is None:
            raise lost_race(name, "the server has another version than a moment ago")
        return written

    def _listed(self, path: str) -> list[str]:
        status, body = self._link.ask(lambda kv: kv.list_secrets(path, mount_point=self._server.mount))
        if status == 404 and not body.get("errors"):
            return []
        return sorted(filter(NAME.fullmatch, _data(self._link, status, body)["keys"]))

    def _existing(self, name: str) -> SecretVersion:
        found = self._secret(name).read()
        if found.content is None:
            raise CredentialNotFoundError(f"no credential {name!r} in the store {self._server.url}")
        return found

    def _secret(self, name: str) -> Secret:
        return Secret(self._link, checked_name(name))

    def _opened(self, name: str, content: Content | None) -> Credential:
        with self._naming(name):
            return open_credential(self.fernet, name, lambda: content or {})

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except StoreError as exc:
            raise StoreError(f"{self._server.url}/{name}: {exc}") from None


@dataclasses.dataclass(frozen=True)
class SecretVersion:
    """What one write of a secret wrote: nothing any more when that has been deleted. The first one is number 1."""

    number: int
    content: Content | None


class Secret:
    """One secret of the engine."""

    def __init__(self, link: KvClient, name: str) -> None:
        self._link = link
        self._where = {"path": f"{link.server.path}/{name}", "mount_point": link.server.mount}

    def read(self, number: int | None = None) -> SecretVersion:
        """The last write, or another one."""
        path = quote(f"{self._where['mount_point']}/data/{self._where['path']}")
        status, body = self._link.get(path if number is None else f"{path}?version={number}")
        if status == 404 and not body.get("errors"):
            metadata = (body.get("data") or {}).get("metadata") or {}
            return SecretVersion(metadata.get("version", 0), None)
        data = _data(self._link, status, body)
        try:
            return SecretVersion(data["metadata"]["version"], data["data"])
        except (LookupError, TypeError):
            _refused(self._link, status)

    def numbers(self) -> list[int]:
        """The numbers of the writes that are not destroyed, in their order; some may have been deleted."""
        status, body = self._link.ask(lambda kv: kv.read_secret_metadata(**self._where))
        found = _data(self._link, status, body)["versions"].items()
        return sorted(int(number) for number, it in found if not it["destroyed"])

    def put(self, content: Content, cas: int) -> int | None:
        """Write in place of that write; gives the number of this one, or None when somebody else was faster."""
        status, body = self._link.ask(
            lambda kv: kv.create_or_update_secret(**self._where, secret=content, cas=cas),
        )
        if status == 400 and "check-and-set" in str(body.get("errors")):
            # It may have been done by an earlier try, to which the answer was lost: no two writes are the same.
            found = self.read()
            return found.number if found.content == content else None
        return int(_data(self._link, status, body)["version"])

    def get(self) -> tuple[int, Content | None]:
        """The number of the last write, and what it wrote unless that has been deleted."""
        found = self.read()
        return found.number, found.content

    def expire(self, seconds: float) -> None:
        """Have what is written from now on deleted after so long."""
        settings: dict[str, Any] = {"delete_version_after": f"{seconds:g}s", "max_versions": 1}
        self._done(*self._link.ask(lambda kv: kv.update_metadata(**self._where, **settings)))

    def forget(self, number: int) -> None:
        """Delete what that write wrote."""
        self._done(*self._link.ask(lambda kv: kv.delete_secret_versions(**self._where, versions=[number])))

    def destroy(self, numbers: list[int]) -> None:
        """Delete what those writes wrote, beyond recovery."""
        if numbers:
            self._done(*self._link.ask(lambda kv: kv.destroy_secret_versions(**self._where, versions=numbers)))

    def remove(self) -> None:
        """Delete the secret with all that was ever written."""
        self._done(*self._link.ask(lambda kv: kv.delete_metadata_and_all_versions(**self._where)))

    def _done(self, status: int, _body: dict[str, Any]) -> None:
        if status not in (200, 204):
            _refused(self._link, status)


def _data(link: KvClient, status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status != 200 or not isinstance(body.get("data"), dict):
        _refused(link, status)
    data: dict[str, Any] = body["data"]
    return data


def _refused(link: KvClient, status: int) -> NoReturn:
    link.refuse(f"refused (status {status}); is this a key-value engine of version 2?")


__all__ = ["KvAddress", "KvStore"]
