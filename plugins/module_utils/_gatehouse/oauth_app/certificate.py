# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of jwt_bearer, and the certificate by which an app knows it."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import hashlib
import re
from pathlib import Path

from ..auth.private_key import signing_key
from ..errors import OptionError
from ..libraries import require_cryptography

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID
except ImportError:  # reported by require_cryptography()
    pass
BEGINNING = "-----BEGIN"
MAX_FILE_BYTES = 64 * 1024
WARN_BEFORE = datetime.timedelta(days=30)
KEY_SIZE = 2048  # what Salesforce's own instructions make
VALID_DAYS = 365
MAX_DAYS = 36500
MAX_COMMON_NAME = 64
CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate, in the one form in which it is sent.

    Attributes:
        pem: the whole text, with its first and last line.
        fingerprint: SHA-256, in hexadecimal digits.
        begins, expires: UTC.
    """

    pem: str = dataclasses.field(repr=False)
    fingerprint: str
    begins: datetime.datetime
    expires: datetime.datetime


def read_certificate(given: str, *, key: str | None, now: datetime.datetime) -> Certificate:
    """Return the certificate that an option holds or names as a file; raises OptionError.

    Args:
        given: PEM text, or the path of a file with it.
        key: the private key in PEM text that it must belong to.
        now: UTC; it must not have expired by then.
    """
    text = given if BEGINNING in given else _content(given)
    if "PRIVATE KEY-----" in text:
        raise OptionError("certificate", "holds a private key, which must never leave this machine; give a certificate")
    found = parse_certificate(text)
    if found is None:
        raise OptionError("certificate", "is not a certificate in PEM form")
    certificate, public_key = found
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise OptionError("certificate", "is not of an RSA key, the only kind that Salesforce takes")
    if certificate.expires <= now:
        raise OptionError("certificate", f"expired at {certificate.expires:%Y-%m-%dT%H:%M:%SZ}; make another")
    if key is not None:
        try:
            private_key = signing_key(key)
        except OptionError as exc:
            raise OptionError("certificate_key", exc.problem) from None
        if private_key.public_key() != public_key:
            raise OptionError("certificate", "does not belong to certificate_key")
    return certificate


def parse_certificate(text: str) -> tuple[Certificate, object] | None:
    """Return the first certificate in a text, with or without its first and last line, and its key; None if none."""
    require_cryptography()
    between = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.DOTALL)
    try:
        der = base64.b64decode(re.sub(r"\s", "", between[1] if between else text), validate=True)
        parsed = x509.load_der_x509_certificate(der)
        public_key = parsed.public_key()
    except (binascii.Error, ValueError, TypeError):
        return None
    except Exception:  # of cryptography's own, for keys that it does not know
        return None
    pem = parsed.public_bytes(serialization.Encoding.PEM).decode().strip()
    fingerprint = parsed.fingerprint(hashes.SHA256()).hex()
    return Certificate(pem, fingerprint, parsed.not_valid_before_utc, parsed.not_valid_after_utc), public_key


def make_key() -> str:
    """Make an RSA key; return it in PEM form."""
    require_cryptography()
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_SIZE)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def self_sign(key: str, common_name: str, now: datetime.datetime, days: int) -> str:
    """Return a certificate in PEM form, the same for the same arguments; raises OptionError.

    Args:
        key: in PEM form.
        common_name: the name in it, which Salesforce shows.
        now: UTC; it begins a little earlier, as clocks differ.
        days: for how long it is valid.
    """
    private_key = signing_key(key)
    try:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError:
        raise OptionError("common_name", "must have 1 to 64 characters") from None
    if not 1 <= days <= MAX_DAYS:
        raise OptionError("valid_days", f"must be from 1 to {MAX_DAYS}")
    public_key = private_key.public_key()
    digest = hashlib.sha256(f"{public_key.public_numbers().n} {now.isoformat()}".encode()).digest()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(int.from_bytes(digest[:19], "big") + 1)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(private_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )


def _content(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("latin-1")
    except (OSError, ValueError, RuntimeError):
        raise OptionError("certificate", "is neither a certificate in PEM form nor a file that can be read") from None
