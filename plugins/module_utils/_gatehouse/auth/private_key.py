# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the private key of auth jwt_bearer, as text or from a file, and bring it into one form."""

from __future__ import annotations

import re
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
MAX_FILE = 64 * 1024  # bytes
_PEM = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY")
# What a key turns out to be, by its first bytes, and what makes a key in PEM form of it.
_BY_BEGINNING = (
    (b"$ANSIBLE_VAULT;", "is encrypted by Ansible Vault; load it as a variable (vars_files, or the lookup "
     "ansible.builtin.unvault), which decrypts it"),
    (b"ssh-", "is a public key of OpenSSH; name the private key, after: ssh-keygen -p -m PEM -f FILE"),
    (b"PuTTY-", "is a key of PuTTY; convert it: puttygen FILE -O private-openssh-new -o NEW; "
     "ssh-keygen -p -m PEM -f NEW"),
)  # fmt: skip
_BY_LABEL = {
    "OPENSSH PRIVATE KEY": "is in the form of OpenSSH; convert a copy of it: ssh-keygen -p -m PEM -f COPY",
    "ENCRYPTED PRIVATE KEY": "is protected by a passphrase; write it without one: openssl pkey -in FILE -out NEW",
    "CERTIFICATE": "is a certificate, which goes to the app in Salesforce; give the key that belongs to it",
    "CERTIFICATE REQUEST": "is a request for a certificate; give the key that belongs to it",
    "PUBLIC KEY": "is a public key; give the private key that belongs to it",
    "RSA PUBLIC KEY": "is a public key; give the private key that belongs to it",
    "EC PRIVATE KEY": "is not an RSA key, the only kind that Salesforce takes; make one with login_key",
    "DSA PRIVATE KEY": "is not an RSA key, the only kind that Salesforce takes; make one with login_key",
}
_DER = "is in DER form; convert it: openssl pkey -inform DER -in FILE -out NEW"
_PKCS12 = "is a PKCS#12 file; take the key out of it: openssl pkcs12 -in FILE -nocerts -nodes -out NEW"
_NO_KEY = "is not a private key in PEM form; the module login_key makes one"


def key_text(value: str) -> str:
    """Return the key in PEM form that an option holds, or that is in the file it names.

    Raises:
        OptionError: it is neither. What cannot be used is never repeated: it may be a key that was pasted badly.
    """
    if BEGINNING in value or not value.strip():
        return value
    if value.lstrip().startswith("$ANSIBLE_VAULT;"):
        raise OptionError(OPTION, _BY_BEGINNING[0][1])
    try:
        with Path(value).expanduser().open("rb") as file:
            content = file.read(MAX_FILE)
    except (OSError, ValueError, RuntimeError):
        raise OptionError(OPTION, "is neither a key in PEM form nor a file that can be read") from None
    if BEGINNING.encode() not in content:
        raise OptionError(OPTION, f"names a file that {_what_else(content)}")
    return content.decode(errors="replace")


def signing_key(text: str) -> rsa.RSAPrivateKey:
    """Return the RSA key in a PEM text, whose line ends may have become blanks or be missing.

    Raises:
        OptionError: it is something else; the text says what, and how to convert it.
    """
    require_cryptography()
    if "\\n" in text:
        raise OptionError(
            OPTION, r"has the two characters \n where lines end; in YAML give it in double quotes, or as a block (|)"
        )
    blocks = {match["label"]: match["body"] for match in _PEM.finditer(text)}
    label = next((label for label in _KEY_LABELS if label in blocks), None)
    if label is None:
        problem = next((_BY_LABEL[label] for label in blocks if label in _BY_LABEL), _NO_KEY)
        raise OptionError(OPTION, problem)
    if "ENCRYPTED" in blocks[label]:  # in a header, before the key itself
        raise OptionError(OPTION, _BY_LABEL["ENCRYPTED PRIVATE KEY"])
    body = "".join(blocks[label].split())
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    try:
        key = serialization.load_pem_private_key(
            f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode(), password=None
        )
    except Exception:  # several of cryptography's own, whose texts are about encodings
        raise OptionError(OPTION, "is not a private key in PEM form: it is damaged or cut short") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OptionError(OPTION, _BY_LABEL["EC PRIVATE KEY"])
    return key


def canonical_key(text: str) -> str:
    """Return the key in a PEM text in the form in which every reader takes it (PKCS#8); raises as signing_key()."""
    return (
        signing_key(text)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _what_else(content: bytes) -> str:
    """Say what a file without PEM is."""
    for beginning, problem in _BY_BEGINNING:
        if content.startswith(beginning):
            return problem
    if content[:1] == b"\x30" and len(content) > 100:  # an ASN.1 sequence
        return _PKCS12 if _is_pkcs12(content) else _DER
    return "holds no key in PEM form"


def _is_pkcs12(content: bytes) -> bool:
    """Whether an ASN.1 sequence begins with the version 3, as PKCS#12 does; keys have 0."""
    length = content[1]
    start = 2 + (length & 0x7F if length & 0x80 else 0)
    return content[start : start + 3] == b"\x02\x01\x03"
