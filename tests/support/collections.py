# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collections of others that reach services, out of the package C(ansible), which has them all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import COLLECTIONS, ROOT

PACKAGE = "ansible==14.5.0"
FOLDER = ROOT / "build" / "services"
NAMES = (
    "amazon/aws",
    "azure/azcollection",
    "community/aws",
    "community/general",
    "community/hashi_vault",
    "google/cloud",
    "kubernetes/core",
)


def collections_path(package: str = PACKAGE, names: Sequence[str] = NAMES) -> str:
    """Return a search path with this collection and those of others, which the first call of a checkout downloads."""
    folder = FOLDER / package
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _extract(folder, package, names)
            (folder / "ready").touch()
    return os.pathsep.join([str(COLLECTIONS), str(folder)])


def _extract(folder: Path, package: str, names: Sequence[str]) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    subprocess.run([*pip, package], check=True)
    (wheel,) = folder.glob("ansible-*.whl")
    wanted = tuple(f"ansible_collections/{name}/" for name in names)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(wanted)])
    wheel.unlink()


def provide_collections() -> None:
    """Link them beside this collection, so that plays in any process have them."""
    collections_path()
    for name in NAMES:
        link = COLLECTIONS / "ansible_collections" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(FOLDER / PACKAGE / "ansible_collections" / name)
