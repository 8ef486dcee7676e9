# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one form in which every store keeps a credential, and who holds it.

It has a part that may be read, and a sealed part with the secrets and a copy of the former, so that a hand that changes
the one without the other is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..credentials.credential import Credential
from ..credentials.deliveries import Deliveries, Delivery, delivery_to_public
from ..credentials.serialization import PublicFields, dump, parse
from ..errors import StoreError, VersionConflictError
from .keys import seal, unseal

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
Content = dict[str, Any]
MALFORMED = (ValueError, LookupError, TypeError, AttributeError)


def seal_credential(fernet: MultiFernet, credential: Credential) -> Content:
    """What is kept of a credential."""
    clear, secret = dump(credential)
    return {"credential": clear, "sealed": seal(fernet, json.dumps({"credential": clear, **secret}).encode())}


def open_credential(fernet: MultiFernet, name: str, content: Callable[[], Content]) -> Credential:
    """The credential in what is kept under that name; raises StoreError when it cannot be trusted.

    Args:
        content: gives what is kept, or raises one of NONSENSE when that is no such thing.
    """
    try:
        found = content()
        clear = found["credential"]
        secret = json.loads(unseal(fernet, found["sealed"]))
        if secret["credential"] != clear:
            raise StoreError("it was tampered with: what may be read is not what was sealed")
        if clear["name"] != name:
            raise StoreError(f"it was tampered with: it is the credential {clear['name']!r} under another name")
        return parse(clear, secret)
    except MALFORMED:
        # Said without the cause: a decoder's message may quote what it read.
        raise StoreError("is damaged, or no credential") from None


def clear_part(name: str, content: Callable[[], Content]) -> PublicFields:
    """What may be read of a credential without its keys, and so unchecked; raises StoreError when it is none."""
    try:
        found: PublicFields = content()["credential"]
        if found["name"] != name:
            raise StoreError(f"is the credential {found['name']!r} under another name")
        return found
    except MALFORMED:
        raise StoreError("is damaged, or no credential") from None


def require_keys(keys: MultiFernet | None) -> MultiFernet:
    """The keys; raises StoreError in a store that was opened without."""
    if keys is None:
        raise StoreError("the store was opened without its keys")
    return keys


def require_version(name: str, found: Credential | None, expected: int | None) -> None:
    """Raise VersionConflictError unless that version is what is there; None stands for nothing at all."""
    version = None if found is None else found.version
    if version != expected:
        raise lost_race(name, f"the store has {_version(version)}, not {_version(expected)}")


def lost_race(name: str, why: str) -> VersionConflictError:
    """The error of whoever comes too late."""
    return VersionConflictError(
        f"credential {name!r} was changed by someone else meanwhile: {why}; nothing was written"
    )


def _version(version: int | None) -> str:
    return "none" if version is None else f"version {version}"


def seal_deliveries(fernet: MultiFernet, name: str, deliveries: Mapping[str, Delivery]) -> Content:
    """What is kept of who holds which version of a credential."""
    clear = {consumer: delivery_to_public(each) for consumer, each in sorted(deliveries.items())}
    fingerprints = {consumer: each.fingerprint for consumer, each in deliveries.items()}
    secret = {"name": name, "digest": _digest(clear), "fingerprints": fingerprints}
    return {"name": name, "deliveries": clear, "sealed": seal(fernet, json.dumps(secret).encode())}


def open_deliveries(fernet: MultiFernet, name: str, content: Callable[[], Content]) -> Deliveries:
    """The deliveries in what is kept under that name; raises StoreError when they cannot be trusted."""
    try:
        found = content()
        clear = found["deliveries"]
        secret = json.loads(unseal(fernet, found["sealed"]))
        if secret["name"] != name or secret["digest"] != _digest(clear):
            raise StoreError("it was tampered with: what may be read is not what was sealed")
        fingerprints = secret["fingerprints"]
        return {consumer: Delivery(**each, fingerprint=fingerprints[consumer]) for consumer, each in clear.items()}
    except MALFORMED:
        raise StoreError("is damaged, or no list of deliveries") from None


def clear_deliveries(name: str, content: Callable[[], Content]) -> Deliveries:
    """What may be read of deliveries without the keys, and so unchecked; raises StoreError when that is nothing."""
    try:
        found = content()
        if found["name"] != name:
            raise StoreError(f"is of the credential {found['name']!r}, under another name")
        return {consumer: Delivery(**each) for consumer, each in found["deliveries"].items()}
    except MALFORMED:
        raise StoreError("is damaged, or no list of deliveries") from None


def _digest(clear: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(clear, sort_keys=True).encode()).hexdigest()
