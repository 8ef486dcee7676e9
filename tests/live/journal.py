# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was changed and how to undo it, on disk before each change. It holds names and ids, no secret."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.files import sync_folder


@dataclass(frozen=True)
class Entry:
    """One change: the name of what undoes it, and of what."""

    number: int
    undo: str
    name: str


class JournalError(Exception):
    """A journal that cannot be used for this run."""


class Journal:
    """A file of lines, its owner's alone; each is on the disk before the change that it is about."""

    def __init__(self, path: Path, org_id: str) -> None:
        """Open or begin the journal of an org; raises JournalError for one of another org."""
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(self._file, 0o600)
        lines = list(self._lines())
        if not lines:
            self._write({"org": org_id})
            sync_folder(path.parent)
        elif lines[0].get("org") != org_id:
            raise JournalError(f"{path} is the journal of another org, {lines[0].get('org')}")

    def _lines(self) -> Iterator[dict[str, object]]:
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # the end of a line that a kill or a full disk has cut: its change was not begun
                continue

    def _write(self, line: dict[str, object]) -> None:
        # A line break first ends a line that was cut.
        os.write(self._file, b"\n" + json.dumps(line).encode() + b"\n")
        os.fsync(self._file)

    def begin(self, undo: str, name: str) -> int:
        """Note what undoes a change, which may be made then."""
        number = sum("undo" in line for line in self._lines()) + 1
        self._write({"number": number, "undo": undo, "name": name})
        return number

    def settle(self, entry: Entry) -> None:
        """Note that a change was undone."""
        self._write({"undone": entry.number})

    def open_entries(self) -> list[Entry]:
        """Return the changes that are not undone, the latest first."""
        lines = list(self._lines())
        undone = {line["undone"] for line in lines if "undone" in line}
        entries = [Entry(int(str(one["number"])), str(one["undo"]), str(one["name"])) for one in lines if "undo" in one]
        return [one for one in reversed(entries) if one.number not in undone]
