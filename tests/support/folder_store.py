# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in a folder, for tests that look into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.base import DELIVERIES, Store
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.store.folder import FolderBlobs

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class FolderStore(Store):
    """A store in a folder, which need not exist."""

    def __init__(self, folder: Path, keys: MultiFernet) -> None:
        super().__init__(FolderBlobs(folder), FolderBlobs(folder, DELIVERIES, history=1), keys)
        self.folder = folder
