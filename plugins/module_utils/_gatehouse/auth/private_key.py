# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key of auth jwt_bearer, as text or in a file."""

from __future__ import annotations

from pathlib import Path

from ..errors import OptionError
from ..libraries import require_cryptography

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:  # reported by require_cryptography()
    pass

OPTION = "private_key"
BEGINNING = "-----BEGIN"
LONGEST_FILE = 64 * 1024


def key_text(value: str) -> str:
    """The key in PEM form that an option holds, or the file that it names.

    What cannot be used is never repeated in an error: it may be a key that was pasted badly.
    """
    if BEGINNING in value or not value.strip():
        return value
    try:
        with Path(value).expanduser().open("rb") as file:
            text = file.read(LONGEST_FILE).decode()
    except (OSError, ValueError, RuntimeError):
        raise OptionError(OPTION, "is neither a key in PEM form nor a file that can be read") from None
    if BEGINNING not in text:
        raise OptionError(OPTION, "is a file that holds no key in PEM form")
    return text


def signing_key(text: str) -> rsa.RSAPrivateKey:
    """The RSA key in PEM text; raises OptionError for anything else."""
    require_cryptography()
    try:
        key = serialization.load_pem_private_key(text.strip().encode(), password=None)
    except TypeError:
        raise OptionError(OPTION, "is protected by a passphrase; store the key without one") from None
    except Exception:  # several of cryptography's own, whose texts are about encodings
        raise OptionError(OPTION, "is not a private key in PEM form") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OptionError(OPTION, "is not an RSA key, the only kind that Salesforce takes")
    return key
