# Copyright (c) 2026, the gatehouse.salesforce authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ranges are read, compared and planned."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.errors import OptionError
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.model import (
    IpRange,
    check_limits,
    from_bounds,
    parse_entries,
    parse_range,
)
from ansible_collections.gatehouse.salesforce.plugins.module_utils._gatehouse.ranges.plan import STATES, plan_ranges

parse = parse_range


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("198.51.100.0/24", "198.51.100.0", "198.51.100.255", "198.51.100.0/24"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("198.51.100.0-198.51.100.255", "198.51.100.0", "198.51.100.255", "198.51.100.0/24"),
        ("198.51.100.3 - 198.51.100.9", "198.51.100.3", "198.51.100.9", "198.51.100.3-198.51.100.9"),
        ("2001:DB8:0::/48", "2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "2001:db8::/48"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.0/120", "198.51.100.0", "198.51.100.255", "198.51.100.0/24"),
        ("::ffff:c633:6400-198.51.100.9", "198.51.100.0", "198.51.100.9", "198.51.100.0-198.51.100.9"),
    ],
)
def test_each_notation_is_read_and_shown_in_its_shortest_form(text: str, start: str, end: str, shown: str) -> None:
    item = parse(text)
    assert (item.start, item.end, str(item)) == (start, end, shown)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("198.51.100.0/33", "198.51.100.0/33"),
        ("198.51.100.7/24", "its network is 198.51.100.0/24, the address alone is 198.51.100.7"),
        ("198.51.100", "198.51.100"),
        ("198.51.100.9-198.51.100.3", "higher"),
        ("198.51.100.9-2001:db8::1", "families"),
        ("255.255.255.255-::1:0:0:0", "families"),
        ("::-::1:0:0:0", "IPv4-mapped"),
        ("::ffff:255.255.255.255-::1:0:0:0", "IPv4-mapped"),
        ("::-::ffff:1.2.3.4", "IPv4-mapped"),
        ("::/0", "IPv4-mapped"),
        ("fe80::1%eth0", "zone"),
        ("fe80::%eth0/64", "zone"),
        ("198.51.100.1-198.51.100.2-198.51.100.3", "198.51.100.2-198.51.100.3"),
        ("0x7f.1", "0x7f.1"),
        ("010.0.0.1", "010.0.0.1"),
    ],
)
def test_a_range_that_salesforce_would_refuse_or_misread_is_refused_with_the_entry_named(
    text: str, problem: str
) -> None:
    with pytest.raises(OptionError) as caught:
        parse_entries([{"range": "192.0.2.1"}, {"range": text}])
    assert caught.value.option == "ranges[1]"
    assert problem in str(caught.value)
    assert repr(text) in str(caught.value)


def test_the_same_addresses_in_two_notations_are_one_range() -> None:
    assert parse_entries(["198.51.100.0/24", "198.51.100.0-198.51.100.255"]) == (parse("198.51.100.0/24"),)


def test_the_same_addresses_with_two_descriptions_are_an_error() -> None:
    entries = [{"range": "192.0.2.1", "description": "a"}, {"range": "192.0.2.1/32", "description": "b"}]
    with pytest.raises(OptionError, match=r"ranges\[1\].*declared twice"):
        parse_entries(entries)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"range": "192.0.2.1", "descripton": "typo"}, "unknown keys: descripton"),
        ({"description": "no range"}, "'range'"),
        ({"range": 5}, "its range must be text, but YAML made it a number, 5; quote it"),
        (20011001020, "it must be text, but YAML made it a number, 20011001020; quote it"),
        (10.1, "it must be text, but YAML made it a number, 10.1; quote it"),
        (datetime.date(2026, 1, 1), "it must be text, but YAML made it a date, 2026-01-01; quote it"),
        ({"range": "192.0.2.1", "description": datetime.date(2026, 1, 1)}, "its description must be text, but YAML"),
        ({"range": "192.0.2.1", "description": True}, "YAML made it a boolean, True; quote it"),
        ({"range": "192.0.2.1", "description": ["a"]}, "its description must be text"),
        ({"range": "192.0.2.1", "start": "192.0.2.2", "end": "192.0.2.2"}, "its range 192.0.2.1 is not what its start"),
        ("", "is empty; leave it out"),
        (" ", "is empty; leave it out"),
        ("[2001:db8::1]", r"character '\[' \(U\+005B, LEFT SQUARE BRACKET\)"),
        ("192.0.2.1,", r"character ',' \(U\+002C, COMMA\)"),
        ("• 192.0.2.1", r"character '•' \(U\+2022, BULLET\)"),
        ("192.0.2.1…192.0.2.9", r"character '…' \(U\+2026, HORIZONTAL ELLIPSIS\)"),
        ({"range": "192.0.2.1", "description": "x" * 256}, "255"),
        (
            {"range": "192.0.2.1", "description": 5},
            "its description must be text, but YAML made it a number, 5; quote it",
        ),
        ({"range": "192.0.2.1", "description": "a\x0bb"}, "control character"),
        ({"range": "192.0.2.1", "description": "a\ud800b"}, "control character"),
        ({"range": "192.0.2.1", "description": "a\uffffb"}, "control character"),
        (["192.0.2.1"], "'range'"),
    ],
)
def test_a_malformed_entry_is_refused(entry: Any, problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        parse_entries([entry])


@pytest.mark.parametrize(
    "entry",
    [
        {"range": "192.0.2.0/30", "start": "192.0.2.0", "end": "192.0.2.3", "description": "Office"},
        {"start": "192.0.2.0", "end": "192.0.2.3", "description": "Office"},
        {"range": None, "start": "192.0.2.0", "end": "192.0.2.3", "description": "Office"},
        {"range": "192.0.2.0-192.0.2.3", "start": "192.0.2.0", "end": "192.0.2.3", "description": "Office"},
        {"range": "192.0.2.0\u2013192.0.2.3", "description": "Office"},
        {"range": "192.0.2.0 \u2014 192.0.2.3\u200b", "description": "Office"},
        {"range": "\ufeff192.0.2.0\u00a0\u2212\u00a0192.0.2.3", "description": "Office"},
    ],
)
def test_what_modules_return_and_what_editors_make_of_a_range_are_entries(entry: dict[str, Any]) -> None:
    (item,) = parse_entries([entry])
    assert (str(item), item.description) == ("192.0.2.0/30", "Office")


def test_a_single_address_may_be_given_as_start_alone() -> None:
    assert str(parse_entries([{"start": "192.0.2.1", "end": None, "description": None}])[0]) == "192.0.2.1"


def test_a_pasted_list_is_as_many_entries_and_its_comments_and_blank_lines_count_for_nothing() -> None:
    pasted = "# Offices\n192.0.2.0/30 # Vienna\n\n  \n198.51.100.1 \u2013 198.51.100.9\n"
    assert [str(item) for item in parse_entries([pasted])] == ["192.0.2.0/30", "198.51.100.1-198.51.100.9"]
    lines = ["# Offices", "192.0.2.0/30 # Vienna"]
    assert [str(item) for item in parse_entries(lines)] == ["192.0.2.0/30"]


def test_a_line_of_a_pasted_list_is_named() -> None:
    with pytest.raises(OptionError, match=r"^ranges\[1\] line 3: '192\.0\.2\.300' is not a usable range"):
        parse_entries(["192.0.2.1", "# Offices\n192.0.2.2\n192.0.2.300"])


def test_descriptions_are_trimmed_as_salesforce_does_and_an_empty_one_is_none() -> None:
    assert parse("192.0.2.1", "  Office ").description == "Office"
    assert parse("192.0.2.1", "  ").description is None


def test_an_end_of_line_is_what_xml_makes_of_it_so_that_the_org_shows_what_was_declared() -> None:
    assert parse("192.0.2.1", "a\r\nb\rc\nd").description == "a\nb\nc\nd"


class TestLimits:
    """What the org accepts in all, since Winter '26."""

    def test_the_ranges_that_take_the_room_are_named_and_not_the_newcomer(self) -> None:
        with pytest.raises(OptionError) as caught:
            check_limits([parse("20.0.0.0/9", "Cloud"), parse("21.0.0.0"), parse("22.0.0.0/9"), parse("23.0.0.0/24")])
        assert str(caught.value) == (
            "ranges: the list would have 16,777,473 addresses, and Salesforce accepts 16,777,216 IPv4 addresses "
            "(10.0.0.0/8 is not counted); most are in 20.0.0.0/9 (Cloud), 22.0.0.0/9, 23.0.0.0/24"
        )

    def test_exactly_the_limit_is_accepted(self) -> None:
        check_limits([parse("20.0.0.0/8"), parse("2001:db8::/29")])

    def test_ten_slash_eight_is_not_counted_when_it_has_its_own_entry(self) -> None:
        check_limits([parse("10.0.0.0/8"), parse("20.0.0.0/8")])
        with pytest.raises(OptionError):
            check_limits([parse("10.0.0.0-11.0.0.0")])

    def test_ipv6_has_its_own_limit(self) -> None:
        with pytest.raises(OptionError, match=r"2\^99 IPv6"):
            check_limits([parse("2000::/28")])

    def test_what_the_org_holds_already_is_not_to_blame_but_counts(self) -> None:
        held = [parse("20.0.0.0/7")]
        check_limits(held, already=held)
        with pytest.raises(OptionError, match=r"most are in 20\.0\.0\.0/7, 192\.0\.2\.1"):
            check_limits([*held, parse("192.0.2.1")], already=held)


class TestPlan:
    """What changes, for each state."""

    current = (parse("192.0.2.0/24", "Old"), parse("198.51.100.0/24"), parse("2001:db8::/64", "Six"))

    def test_present_adds_what_is_missing_and_keeps_the_rest(self) -> None:
        change = plan_ranges(self.current, [parse("203.0.113.7", "New")], "present")
        assert [str(item) for item in change.added] == ["203.0.113.7"]
        assert len(change.after) == 4
        assert change.removed == change.updated == ()

    def test_present_corrects_a_description_that_is_given_and_keeps_one_that_is_not(self) -> None:
        change = plan_ranges(self.current, [parse("192.0.2.0/24", "Better"), parse("2001:db8::/64")], "present")
        assert [(str(item), item.description) for item in change.updated] == [("192.0.2.0/24", "Better")]
        assert [item.description for item in change.after] == ["Better", None, "Six"]

    def test_absent_removes_exact_matches_only(self) -> None:
        change = plan_ranges(self.current, [parse("192.0.2.0/24"), parse("198.51.100.0/25")], "absent")
        assert [str(item) for item in change.removed] == ["192.0.2.0/24"]

    def test_exact_leaves_nothing_else(self) -> None:
        change = plan_ranges(self.current, [parse("198.51.100.0/24"), parse("203.0.113.7")], "exact")
        assert [str(item) for item in change.after] == ["198.51.100.0/24", "203.0.113.7"]
        assert len(change.removed) == 2

    def test_exact_with_nothing_removes_all(self) -> None:
        assert plan_ranges(self.current, [], "exact").after == ()

    def test_a_range_that_the_org_holds_twice_is_kept_twice_while_others_change(self) -> None:
        twice = (parse("192.0.2.1", "a"), parse("192.0.2.1", "b"))
        change = plan_ranges(twice, [parse("192.0.2.9")], "present")
        assert [item.description for item in change.after] == ["a", "b", None]

    def test_the_diff_is_text_a_line_a_range_in_order_of_address(self) -> None:
        change = plan_ranges(self.current, [parse("20.0.0.1", "First")], "present")
        assert change.diff()["after"].splitlines() == [
            "20.0.0.1  First",
            "192.0.2.0/24  Old",
            "198.51.100.0/24",
            "2001:db8::/64  Six",
        ]


def _bounds(version: int) -> st.SearchStrategy[IpRange]:
    bits = 32 if version == 4 else 128
    # Above the IPv4-mapped block, so that any two numbers make a legal range.
    numbers = st.integers(2**64 if version == 6 else 0, 2**bits - 1)
    return st.tuples(numbers, numbers, st.sampled_from([None, "a", "b"])).map(
        lambda parts: IpRange(version, min(parts[:2]), max(parts[:2]), parts[2])
    )


any_range = st.one_of(_bounds(4), _bounds(6))
few_ranges = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([None, "a", "b"])).map(
        lambda parts: IpRange(4, min(parts[:2]), max(parts[:2]), parts[2])
    ),
    max_size=8,
)


@given(any_range)
def test_what_is_shown_reads_back_as_the_same_range(item: IpRange) -> None:
    assert parse(str(item)) == item
    assert from_bounds(item.start, item.end) == item


@given(any_range)
def test_a_block_is_shown_as_cidr_exactly_when_it_is_one(item: IpRange) -> None:
    first, last = ipaddress.ip_address(item.start), ipaddress.ip_address(item.end)
    blocks = list(ipaddress.summarize_address_range(first, last))
    if len(blocks) == 1 and item.size > 1:
        assert str(item) == str(blocks[0])
    else:
        assert "/" not in str(item)


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_a_clear_error(text: str) -> None:
    try:
        item = parse(text)
    except ValueError as exc:
        assert str(exc)
    else:
        assert item.first <= item.last


@given(few_ranges, few_ranges, st.sampled_from(STATES))
def test_a_plan_applied_twice_changes_nothing_more(current: list[IpRange], desired: list[IpRange], state: str) -> None:
    change = plan_ranges(current, desired, state)
    assert not plan_ranges(change.after, desired, state)


@given(few_ranges, few_ranges, st.sampled_from(STATES))
def test_a_plan_touches_nothing_that_was_not_declared_unless_exact(
    current: list[IpRange], desired: list[IpRange], state: str
) -> None:
    change = plan_ranges(current, desired, state)
    declared = {item.key for item in desired}
    others_before = [item for item in sorted(current) if item.key not in declared]
    others_after = [item for item in change.after if item.key not in declared]
    assert others_after == ([] if state == "exact" else others_before)
    assert bool(change) == (change.diff()["before"] != change.diff()["after"])


@given(st.lists(any_range, max_size=5))
def test_what_a_module_returns_is_what_it_takes(ranges: list[IpRange]) -> None:
    known = {item.key: item for item in ranges}.values()
    assert parse_entries([item.as_result() for item in known]) == tuple(sorted(known))
