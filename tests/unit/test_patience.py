# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be repeated is tried three times, in bounded time; all else once."""

from __future__ import annotations

import pytest

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import NoResponseError, OrgError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org import retry as subject
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.org.retry import ReadRetry


class Clock:
    """Time that passes only by sleeping, or by what a try takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(subject, "time", clock)
    return clock


class Reads:
    """Fails as told, then succeeds; counts."""

    def __init__(self, clock: Clock, *failures: Exception, takes: float = 0.0) -> None:
        self.clock, self.failures, self.takes, self.count = clock, list(failures), takes, 0

    def __call__(self) -> str:
        self.count += 1
        self.clock.now += self.takes
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def broken(**details: float) -> NoResponseError:
    return NoResponseError("the answer broke off", **details)  # type: ignore[arg-type]


def test_it_comes_back_after_short_pauses(clock: Clock) -> None:
    read = Reads(clock, broken(), broken())
    assert ReadRetry(60)(read) == "done"
    assert 0.25 <= clock.slept[0] <= 0.75 and 0.75 <= clock.slept[1] <= 2.25


def test_it_gives_up_after_three_and_says_so(clock: Clock) -> None:
    read = Reads(clock, *[broken()] * 3)
    with pytest.raises(NoResponseError, match=r"broke off \(tried 3 times in \d s\)"):
        ReadRetry(60)(read)
    assert read.count == 3


def test_what_is_no_interruption_is_not_tried_again(clock: Clock) -> None:
    read = Reads(clock, OrgError("refused"))
    with pytest.raises(OrgError, match="^refused$"):
        ReadRetry(60)(read)
    assert read.count == 1


def test_no_try_begins_after_the_time_is_over(clock: Clock) -> None:
    read = Reads(clock, *[broken()] * 3, takes=30.0)
    with pytest.raises(NoResponseError, match="tried 2 times in 6. s"):
        ReadRetry(60)(read)
    assert clock.now < 60 + 30


def test_it_waits_as_long_as_the_org_asks(clock: Clock) -> None:
    assert ReadRetry(60)(Reads(clock, broken(retry_after=20.0))) == "done"
    assert clock.slept == [20.0]


def test_it_does_not_wait_longer_than_it_has_time(clock: Clock) -> None:
    read = Reads(clock, broken(retry_after=600.0))
    with pytest.raises(NoResponseError, match="tried once; it asks to wait 600 s"):
        ReadRetry(60)(read)
    assert (read.count, clock.slept) == (1, [])
