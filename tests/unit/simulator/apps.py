# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key pairs and assertions for the tests of logins by an app, made without the product's own code."""

from __future__ import annotations

import datetime
import functools
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def key_pair(name: str = "app", days: int = 30) -> tuple[str, str]:
    """A private key and the certificate for it, as PEM; the same for the same name."""
    return _key_pair(name, days)


@functools.cache
def _key_pair(name: str, days: int) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def assertion(
    claims: dict[str, Any], *, private_key: str | None = None, algorithm: str = "RS256", headers: Any = None
) -> str:
    """Sign claims."""
    text = key_pair()[0] if private_key is None else private_key
    return jwt.encode(claims, _load(text) if text.startswith("-----") else text, algorithm=algorithm, headers=headers)


@functools.cache
def _load(private_key: str) -> Any:
    """Load a key once: its check takes longer than a signature."""
    return serialization.load_pem_private_key(private_key.encode(), password=None)
