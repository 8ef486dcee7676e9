# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a person that something is waited for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


def _ignore(_line: str) -> None:
    """Show nothing."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where lines for a person go; they contain no secret.

    Attributes:
        stage: shows that a stage begins or ends which takes more than a few seconds.
        poll: shows one look at what is waited for, to those who ask for details.
    """

    stage: Callable[[str], None] = _ignore
    poll: Callable[[str], None] = _ignore


NO_PROGRESS = Progress()
