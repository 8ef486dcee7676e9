# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form in which every store keeps a credential and its deliveries.

It has a readable part, and a sealed part with the secrets and a copy of the former, so that tampering with the readable
part is detected.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..credentials.credential import Credential
from ..credentials.deliveries import Deliveries, Delivery, delivery_to_public
from ..credentials.serialisation import MALFORMED, PublicFields, dump, parse
from ..errors import DamagedRecordError, StoreError
from .blobs import Blob, Content
from .keys import seal, unseal

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
# Raise it with every field that an older controller would lose when it writes the credential again.
FORM = 1
TAMPERED = "it was tampered with: what may be read is not what was sealed"


def seal_credential(fernet: MultiFernet, credential: Credential) -> Content:
    """Return what is kept of a credential."""
    public, secret = dump(credential)
    sealed = seal(fernet, json.dumps({"credential": public, **secret}).encode())
    return {"form": FORM, "credential": public, "sealed": sealed}


def open_credential(fernet: MultiFernet, name: str, blob: Blob) -> Credential:
    """Return the credential in what is kept under that name; raises StoreError when it cannot be trusted."""
    with _reading(blob, "credential") as content:
        public = content["credential"]
        secret = json.loads(unseal(fernet, content["sealed"]))
        if secret["credential"] != public:
            raise StoreError(TAMPERED)
        if public["name"] != name:
            raise StoreError(f"it was tampered with: it is the credential {public['name']!r} under another name")
        return parse(public, secret)


def public_fields(name: str, blob: Blob) -> PublicFields:
    """Return what may be read of a credential without its keys, and so unchecked; raises StoreError for none."""
    with _reading(blob, "credential") as content:
        public: PublicFields = content["credential"]
        if public["name"] != name:
            raise StoreError(f"is the credential {public['name']!r} under another name")
        return public


def seal_deliveries(fernet: MultiFernet, name: str, deliveries: Mapping[str, Delivery]) -> Content:
    """Return what is kept of the deliveries of a credential."""
    public = {consumer: delivery_to_public(delivery) for consumer, delivery in sorted(deliveries.items())}
    fingerprints = {consumer: delivery.fingerprint for consumer, delivery in deliveries.items()}
    secret = {"name": name, "digest": _digest(public), "fingerprints": fingerprints}
    return {"form": FORM, "name": name, "deliveries": public, "sealed": seal(fernet, json.dumps(secret).encode())}


def open_deliveries(fernet: MultiFernet, name: str, blob: Blob) -> Deliveries:
    """Return the deliveries in what is kept under that name; raises StoreError when they cannot be trusted."""
    with _reading(blob, "list of deliveries") as content:
        public = content["deliveries"]
        secret = json.loads(unseal(fernet, content["sealed"]))
        if secret["name"] != name or secret["digest"] != _digest(public):
            raise StoreError(TAMPERED)
        fingerprints = secret["fingerprints"]
        return {consumer: Delivery(**fields, fingerprint=fingerprints[consumer]) for consumer, fields in public.items()}


def public_deliveries(name: str, blob: Blob) -> Deliveries:
    """Return what may be read of deliveries without the keys, and so unchecked; raises StoreError for none."""
    with _reading(blob, "list of deliveries") as content:
        if content["name"] != name:
            raise StoreError(f"is of the credential {content['name']!r}, under another name")
        return {consumer: Delivery(**fields) for consumer, fields in content["deliveries"].items()}


@contextlib.contextmanager
def _reading(blob: Blob, what: str) -> Iterator[Content]:
    """Have errors name the blob, and none of them quote what was read, as a decoder's message may."""
    try:
        content = blob.content or {}
        if content.get("form", FORM) > FORM:
            raise StoreError(
                "was written by a newer release of gatehouse.salesforce, and this one would lose a part of it; upgrade "
                "the collection here. It was left as it is"
            )
        yield content
    except StoreError as exc:
        raise DamagedRecordError(f"{blob.where}: {exc}") from None
    except MALFORMED:
        raise DamagedRecordError(f"{blob.where}: is damaged, or no {what}") from None


def _digest(public: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(public, sort_keys=True).encode()).hexdigest()
