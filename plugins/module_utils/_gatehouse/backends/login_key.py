# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a key for logins by auth jwt_bearer, and the certificate to upload."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..auth.private_key import key_text, signing_key
from ..errors import OptionError
from ..files import create_file, uncreated_files
from ..libraries import require_cryptography
from ..oauth_app.certificate import WARN_BEFORE, make_key, self_sign
from ..task.context import Task
from ..task.options import Spec

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:  # reported by require_cryptography()
    pass
SPEC: Spec = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "certificate": {"type": "path"},
    "common_name": {"type": "str", "default": "gatehouse.salesforce"},
    "valid_days": {"type": "int", "default": 365},
}


def run(options: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Make the private key and its certificate where they do not exist, neither being overwritten, or remove both.

    Raises:
        OptionError: a file cannot be used, made or removed, or the two do not belong together.
    """
    require_cryptography()
    key_file = Path(options["path"]).expanduser().absolute()
    given = options.get("certificate")
    certificate_file = Path(given).expanduser().absolute() if given else key_file.with_suffix(".crt")
    if key_file == certificate_file:
        raise OptionError("certificate", "must be another file than path")
    if options["state"] == "absent":
        return {"changed": _remove([key_file, certificate_file], check_mode=task.check_mode)}
    missing = [file for file in (key_file, certificate_file) if not file.exists()]
    files = {"private_key": str(key_file), "certificate": str(certificate_file), "changed": bool(missing)}
    if missing == [key_file]:
        raise OptionError("path", f"{key_file} does not exist, but its certificate {certificate_file} does")
    new = make_key() if missing else ""
    certified = (options["common_name"], datetime.datetime.now(datetime.UTC), options["valid_days"])
    # What cannot be certified is refused before anything is made.
    example = self_sign(new, *certified) if new else None
    if task.check_mode and missing:
        return {**files, "certificate_text": example, "fingerprint": None, "expires": None}
    made = []  # a task for another host may be faster, and what it has made serves as well
    if key_file in missing:
        made.append(_write_new(key_file, new.encode(), mode=0o600, option="path"))
    _require_private(key_file)
    text = key_text(str(key_file))
    key = signing_key(text)
    if certificate_file in missing:
        made_for = self_sign(text, *certified).encode()
        made.append(_write_new(certificate_file, made_for, mode=0o644, option="certificate"))
    return {**files, "changed": any(made), **_described(certificate_file, key)}


def _require_private(file: Path) -> None:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise OptionError("path", f"{file} is open to others (mode {mode:04o}); chmod 600 it")


def _described(file: Path, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Describe a certificate, which must belong to the key."""
    try:
        text = file.read_bytes()
        certificate = x509.load_pem_x509_certificate(text)
    except (OSError, ValueError):
        raise OptionError("certificate", f"{file} is not a certificate in PEM form") from None
    if certificate.public_key() != key.public_key():
        raise OptionError("certificate", f"{file} does not belong to the private key")
    expires = f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    late = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) < WARN_BEFORE
    warnings = [f"{file} expires at {expires}; make another key and upload its certificate"] if late else []
    return {
        "certificate_text": text.decode(),
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        "expires": expires,
        "warnings": warnings,
    }


def _write_new(file: Path, content: bytes, *, mode: int, option: str) -> bool:
    """Write a file whole or not at all, and never over another; return whether it was written."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_file(file, content, mode=mode)
    except FileExistsError:
        return False
    except OSError as exc:
        raise OptionError(option, f"{file} cannot be created: {exc.strerror}") from None
    return True


def _remove(files: list[Path], *, check_mode: bool) -> bool:
    """Remove what there is of these files; return whether there was any."""
    there = [one for file in files for one in (file, *uncreated_files(file)) if one.exists()]
    try:
        for one in () if check_mode else there:
            one.unlink(missing_ok=True)
    except OSError as exc:
        raise OptionError("path", f"{exc.filename} cannot be removed: {exc.strerror}") from None
    return bool(there)
