# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember during a run which hosts declared a stored name, and how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import GatehouseError, OptionError
from ..files import file_lock, replace_file
from ..org.sessions import Cipher


class Declarations:
    """The declarations of one run, encrypted, as digests.

    A store has one credential of a name, so hosts that mean two by it would overwrite each other's and write into one
    org. Hosts that agree may each go on to another declaration in a later task.
    """

    def __init__(self, folder: Path, cipher: Cipher) -> None:
        self._folder = folder
        self._cipher = cipher

    def add(self, name: str, declared: Mapping[str, Any], *, store: str, host: str) -> None:
        """Note a declaration; raises OptionError when another host of the run declares the name differently."""
        digest = _digest(declared)
        file = self._folder / _digest([store, name])
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file_lock(file.with_suffix(".lock")):
                before = json.loads(self._cipher.decrypt(file.read_bytes())) if file.exists() else {}
                hosts = before.get("hosts", [])
                if hosts and before["digest"] != digest and host not in hosts:
                    raise OptionError(
                        "name",
                        f"{name!r} is declared differently by {hosts[0]} and {host}, but a store has one credential of "
                        f"a name; give each org's its own, such as {host}-{name}",
                    )
                agreed = hosts if before.get("digest") == digest else []
                after = {"digest": digest, "hosts": list(dict.fromkeys([*agreed, host]))}
                if after != before:
                    replace_file(file, self._cipher.encrypt(json.dumps(after).encode()), durable=False)
        except OSError as exc:
            raise GatehouseError(f"{self._folder}: no declaration can be noted there: {exc.strerror}") from None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
