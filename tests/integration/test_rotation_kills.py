# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that dies by kill -9 is finished by the next run; C(make bench) does the same at 200 random moments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dovecot import Absent, dovecot
from tests.rotations import Scene, kill_at_random, scene


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A credential, an org and a mail server, each in a process of its own."""
    try:
        with dovecot() as server, scene(tmp_path_factory.mktemp("rotation"), server) as made:
            yield made
    except Absent as exc:
        pytest.skip(f"{exc}: rotations that are killed are NOT TESTED")


@pytest.mark.parametrize("method", ["reset", "password"])
def test_a_rotation_that_is_killed_before_or_after_any_step_is_finished_by_the_next(there: Scene, method: str) -> None:
    kills = 0
    for step in range(100):
        was_killed = there.killed_at(step, force=True, method=method)
        there.finish(method=method)
        assert there.is_whole(), step
        if not was_killed:
            break
        kills += 1
    # Before and after: the position, three writes or more, what is asked for, the login, and the mail.
    assert kills >= 2 * 7


def test_a_rotation_that_is_killed_at_any_moment_is_finished_by_the_next(there: Scene) -> None:
    killed, survived = kill_at_random(there, 10, longest=0.6, seed=7)
    assert (killed, survived) == (10, 10)
