# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to render a credential in each format."""

from __future__ import annotations

import functools
import timeit

TIMES = 200
ROUNDS = 5


def measure() -> dict[str, float]:
    """The best of a few rounds for each format, in microseconds."""
    from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.formats import FORMATS
    from tests.format_readers.cases import credential, rendered

    figures = {}
    for name, known in FORMATS.items():
        connection = credential(known.flows[0], password="Example-Password 1#")
        if name == "sfdx_url":
            connection = credential(known.flows[0])
        seconds = min(timeit.repeat(functools.partial(rendered, connection, name), number=TIMES, repeat=ROUNDS))
        figures[f"render_{name}_microseconds"] = seconds / TIMES * 1e6
    return figures
