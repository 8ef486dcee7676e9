# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: one number line, both notations, the org's limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulated_org.addresses import (
    IpRange,
    Ipv4Notation,
    Ipv6Notation,
    LimitRegime,
    RangeProblem,
    check_limits,
    make_range,
    number,
    parse_range,
    text,
)


@given(value=st.integers(0, 2**128 - 1), v4=st.sampled_from(["dotted", "mapped", "mapped_hex"]),
       v6=st.sampled_from(["compressed", "upper", "expanded"]))  # fmt: skip
def test_every_notation_reads_back_as_the_same_address(value: int, v4: Ipv4Notation, v6: Ipv6Notation) -> None:
    assert number(text(value, v4, v6)) == value


def test_ipv4_mapped_addresses_are_ipv4() -> None:
    assert number("::ffff:198.51.100.7") == number("198.51.100.7")
    assert text(number("::ffff:c633:6407")) == "198.51.100.7"


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("198.51.100.0/24", "198.51.100.0", "198.51.100.255"),
        ("198.51.100.7", "198.51.100.7", "198.51.100.7"),
        ("198.51.100.7 - 198.51.101.2", "198.51.100.7", "198.51.101.2"),
        ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
    ],
)
def test_seed_notations(value: str, start: str, end: str) -> None:
    parsed = parse_range(value)
    assert (text(parsed.first), text(parsed.last)) == (start, end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("198.51.100.9", "198.51.100.8"),
        ("198.51.100.9", "2001:db8::1"),
        ("255.255.255.255", "::1:0:0:0"),
        ("::", "::1:0:0:0"),
        ("198.51.100.300", "198.51.100.301"),
        ("", "198.51.100.9"),
    ],
)
def test_ranges_that_an_org_refuses(start: str, end: str) -> None:
    with pytest.raises(RangeProblem):
        make_range(start, end)


def _ranges(*values: str) -> list[IpRange]:
    return [parse_range(value) for value in values]


@pytest.mark.parametrize(
    ("regime", "values", "accepted"),
    [
        ("total", ["20.0.0.0/8"], True),
        ("total", ["20.0.0.0/8", "21.0.0.0"], False),
        ("total", ["20.0.0.0/8", "10.0.0.0/8"], True),
        ("total", ["9.255.255.255-10.255.255.255"], False),
        ("total", ["2001::/29"], True),
        ("total", ["2001::/28"], False),
        ("entry", ["20.0.0.0/8", "21.0.0.0"], True),
        ("entry", ["20.0.0.0/7"], False),
        ("old", ["20.0.0.0/7", "22.0.0.0/7"], True),
        ("old", ["20.0.0.0/6"], False),
        ("old", ["2001::/31"], False),
    ],
)
def test_limits(regime: LimitRegime, values: list[str], accepted: bool) -> None:
    if accepted:
        check_limits(_ranges(*values), [], regime)
    else:
        with pytest.raises(RangeProblem, match="exceed"):
            check_limits(_ranges(*values), [], regime)


def test_ranges_over_the_limit_may_stay_but_nothing_may_join_them() -> None:
    old = _ranges("20.0.0.0/7", "198.51.100.7")
    check_limits(old[:1], old, "total")
    with pytest.raises(RangeProblem):
        check_limits([*old, *_ranges("198.51.100.8")], old, "total")
