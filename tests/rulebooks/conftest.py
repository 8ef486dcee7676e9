# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server for the sources that read mailboxes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import dovecot as dovecots
from tests.support.dovecot import Dovecot, dovecot


@pytest.fixture(scope="session")
def server() -> Iterator[Dovecot]:
    """A mail server, to which orgs mail tokens."""
    try:
        with dovecot() as started:
            yield started
    except dovecots.Absent as exc:
        pytest.skip(f"{exc}: what reads a real mailbox is NOT TESTED")
