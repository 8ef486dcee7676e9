# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader that runs in a process of its own and answers lines of Base64 words."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self


class Process:
    """One reader; a context manager that ends it."""

    def __init__(self, command: Sequence[str | Path], **environment: str) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            text=True,
        )

    def ask(self, *words: str) -> list[str]:
        """The words of the answer; fails the test when the reader could not read."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(" ".join(base64.b64encode(word.encode()).decode() for word in words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the reader ended with {self._process.wait(10)}"
        outcome, *answer = (base64.b64decode(word).decode() for word in line.rstrip("\n").split(" "))
        assert outcome == "ok", answer
        return answer

    def pairs(self, *words: str) -> dict[str, str]:
        """An answer of keys and values in turn."""
        answer = self.ask(*words)
        return dict(zip(answer[::2], answer[1::2], strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait(10)
