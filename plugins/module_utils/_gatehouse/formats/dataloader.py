# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Salesforce Data Loader, which encrypts secrets in its own way. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from xml.sax.saxutils import quoteattr

from .encoders import as_text, properties
from .fields import NotRepresentable
from .model import Values

_KEY_BYTES = 16  # all that Data Loader reads of its key file
_SPRING = "http://www.springframework.org/schema/beans"


def config_properties(
    values: Values, *, encryption_key: str | None = None, encryption_key_file: str | None = None
) -> str:
    """Write the entries of C(config.properties)."""
    return properties(_entries(values, encryption_key, encryption_key_file))


def process_bean(
    values: Values,
    *,
    encryption_key: str | None = None,
    encryption_key_file: str | None = None,
    name: str = "salesforce",
) -> str:
    """Write an abstract bean from which the processes in C(process-conf.xml) inherit."""
    entries = "".join(
        f"        <entry key={quoteattr(key)} value={quoteattr(value)}/>\n"
        for key, value in _entries(values, encryption_key, encryption_key_file).items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<beans xmlns="{_SPRING}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
        f'       xsi:schemaLocation="{_SPRING} {_SPRING}/spring-beans.xsd">\n'
        f'  <bean id={quoteattr(name)} abstract="true" scope="prototype"\n'
        '        class="com.salesforce.dataloader.process.ProcessRunner">\n'
        '    <property name="configOverrideMap">\n'
        f"      <map>\n{entries}      </map>\n"
        "    </property>\n"
        "  </bean>\n"
        "</beans>\n"
    )


def encrypt(text: str, encryption_key: str | None) -> str:
    """Encrypt the text as Data Loader's own tool does. The key is its key file in Base64."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7
    except ImportError:
        raise NotRepresentable(
            "encryption_key", "anything without the Python library cryptography, which is not installed"
        ) from None
    key = _key(encryption_key)
    secret = text.encode()
    # Random in Data Loader itself. Drawn from the text and the key, the same credential gives the same file, which is
    # then left alone, and different ones still begin differently.
    start = hmac.digest(key, b"gatehouse.salesforce" + secret, hashlib.sha256)[:16]
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    sealed = encryptor.update(padder.update(secret) + padder.finalize()) + encryptor.finalize()
    return "".join(f"{byte if byte < 0x80 else 383 - byte:02x}" for byte in start + sealed)


def _entries(values: Values, key: str | None, key_file: str | None) -> dict[str, str]:
    entries = {name: as_text(value) for name, value in values.items()}
    entries["sfdc.password"] = encrypt(entries["sfdc.password"], key)
    return {**entries, "process.encryptionKeyFile": key_file} if key_file else entries


def _key(encryption_key: str | None) -> bytes:
    if not encryption_key:
        raise NotRepresentable("encryption_key", "a password without it")
    try:
        content = base64.b64decode("".join(encryption_key.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotRepresentable("encryption_key", "a password with a key that is not Base64") from None
    if len(content) < _KEY_BYTES:
        raise NotRepresentable("encryption_key", f"a password with a key of fewer than {_KEY_BYTES} bytes")
    return content[:_KEY_BYTES]


def decrypt(text: str, encryption_key: str | None) -> str:
    """Decrypt what Data Loader has encrypted with the key; raises NotRepresentable without one, or ValueError."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    codes = [int(text[at : at + 2], 16) for at in range(0, len(text), 2)]
    sealed = bytes(code if code < 0x80 else 383 - code for code in codes)
    decryptor = Cipher(algorithms.AES(_key(encryption_key)), modes.CBC(sealed[:16])).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(sealed[16:]) + decryptor.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode()
