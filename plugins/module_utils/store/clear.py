# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be read of stored credentials without their keys. Private to gatehouse.salesforce."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import OptionError, StoreError, UnknownCredential
from ..record import Clear
from .file import FileStore, _bytes_of


class ClearStore(FileStore):
    """A folder of credentials, none of which is opened: so what it tells is not checked against what was sealed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clear(self, name: str) -> Clear:
        """What may be read of one credential; raises UnknownCredential, or StoreError when that is no credential."""
        file = self._file(name)
        try:
            found: Clear = json.loads(_bytes_of(file))["credential"]
            if found["name"] != name:
                raise StoreError(f"is the credential {found['name']!r} under another name")
        except FileNotFoundError:
            raise UnknownCredential(f"no credential {name!r} in the store {self.folder}") from None
        except StoreError as exc:
            raise StoreError(f"{file}: {exc}") from None
        except OSError as exc:
            raise StoreError(f"{file}: cannot be read: {exc.strerror}") from None
        except (ValueError, LookupError, TypeError):
            raise StoreError(f"{file}: is damaged, or no credential") from None
        return found


def open_clear(store: str) -> ClearStore:
    """The store that the option names; raises OptionError when it cannot be used."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", store):
        raise OptionError("store", "a key-value server is not supported by this version; name a folder")
    if not store.strip():
        raise OptionError("store", "must not be empty")
    return ClearStore(Path(store).expanduser())
